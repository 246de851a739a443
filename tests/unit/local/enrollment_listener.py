"""An invented exchange to join: its enrollment listener, its join lines, and joining as a machine does."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.channel_identity import ChannelIdentityFiles, thumbprint
from adapters.enrol import Exchange, Joined, Wish, join
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.invitation import encode
from gateway.protocol.log_kinds import Kind
from homeward.failure import CommandFailure
from homeward.gateway.v1.codes_pb2 import AGENCY_KIND_CWA
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse, Invitation
from tests.unit.node.world import act_receipt, keys

NOW = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)
SPIFFE = "spiffe://exchange.example/county/06037/cwa/adapter/a1"
TICKET, NEXT_TICKET = b"\x07" * 32, b"\x08" * 32
CA = ec.generate_private_key(ec.SECP256R1())


def invitation(**changes: Any) -> Invitation:
    made = Invitation(
        trust_domain="exchange.example",
        agency="06037.cwa",
        kind=AGENCY_KIND_CWA,
        enrollment_address="gateway.exchange.example:8444",
        enrollment_certificate_digest=b"d" * 32,
        gateway_address="gateway.exchange.example:8443",
        gateway_key=b"g" * 32,
        holder_keys=[b"h" * 32],
        ticket=TICKET,
        log_key=keys().log.public.raw,
        log_origin=keys().log.public.origin,
    )
    made.expire_time.FromDatetime(changes.pop("expires", NOW + timedelta(hours=1)))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def certificate(key: Any, uri: str = SPIFFE, *, effective: datetime = NOW) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "invented")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key)
        .serial_number(7)
        .not_valid_before(effective)
        .not_valid_after(effective + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=True)
        .sign(CA, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@dataclass
class Listener:
    """The enrollment listener of an invented exchange: one certificate, one ticket, spent by one key."""

    looks: list[tuple[str, bytes]] = field(default_factory=list)
    requests: list[EnrollRequest] = field(default_factory=list)
    tickets: dict[bytes, bytes] = field(default_factory=dict)
    """Each ticket that was spent, with the digest of the key that spent it."""
    generation: int = 0
    cut_off: int = 0
    """So many answers are lost on their way."""
    refused: bool = False
    """Whether the gateway refuses every certificate."""
    now: datetime = NOW
    look_error: Exception | None = None
    error: Exception | None = None
    edit: Callable[[EnrollResponse], None] = lambda _: None

    def look(self, address: str, digest: bytes) -> str:
        self.looks.append((address, digest))
        if self.look_error is not None:
            raise self.look_error
        return "the listener's certificate"

    async def redeem(self, address: str, shown: str, request: EnrollRequest) -> EnrollResponse:
        assert shown == "the listener's certificate"
        if self.error is not None:
            raise self.error
        self.requests.append(request)
        key = x509.load_der_x509_csr(request.certificate_request).public_key()
        digest = hashlib.sha256(request.certificate_request and certificate_key(key)).digest()
        if request.ticket not in (TICKET, NEXT_TICKET):
            raise CallFailed(CallFault.UNAUTHENTICATED, "TICKET_UNKNOWN")
        if self.tickets.get(request.ticket, digest) != digest:
            raise CallFailed(CallFault.REFUSED, "TICKET_USED")
        self.generation += request.ticket not in self.tickets
        self.tickets[request.ticket] = digest
        if self.cut_off:
            self.cut_off -= 1
            raise CallFailed(CallFault.UNAVAILABLE)
        chain = certificate(key, effective=self.now)
        response = EnrollResponse(
            certificate_chain=chain,
            ca_certificates=certificate(CA.public_key(), "spiffe://exchange.example/gateway/ca"),
            spiffe_id=SPIFFE,
            generation=self.generation,
            receipt=act_receipt(Kind.ENROLL_REDEEMED, certificate=thumbprint(chain)),
        )
        self.edit(response)
        return response

    async def refuses(self, address: str, identity: ChannelIdentityFiles) -> bool:
        return self.refused


def certificate_key(key: Any) -> bytes:
    raw: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return raw


async def enter(listener: Listener, state: Path, **changes: Any) -> Joined:
    wish = replace(Wish(line=encode(invitation()), state=state), **changes)
    exchange = Exchange(listener.look, listener.redeem, listener.refuses)
    return await join(wish, exchange, now=lambda: listener.now)


async def failure(listener: Listener, state: Path, **changes: Any) -> CommandFailure:
    with pytest.raises(CommandFailure) as caught:
        await enter(listener, state, **changes)
    assert not (state / "member.json").exists()
    return caught.value
