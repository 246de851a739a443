"""One agency on the wire: its keys, its channel, and requests as its adapter would sign them, or worse."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from adapters.channel_identity import ChannelIdentityFiles, load_identity
from adapters.keyring import Keyring, load_keyring
from adapters.membership import Membership, read_membership
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.channel import client_options
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, Purpose, Role
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.envelope_pb2 import Evidence, SignedEnvelope, TokenSet
from homeward.gateway.v1.exchange_pb2 import (
    CheckFlagRequest,
    FlagQuery,
    RecordsQuery,
    RequestRecordsRequest,
)
from tests.unit.token_sets import token_set

M = TypeVar("M", bound=Message)
EPOCH = "e1"


@dataclass(frozen=True)
class Act:
    """Who of an agency does something, and why."""

    role: Role
    purpose: Purpose
    authority_id: bytes | None = None


@dataclass
class Resident:
    """An enrolled agency."""

    state: Path
    membership: Membership
    ring: Keyring = field(repr=False)
    identity: ChannelIdentityFiles = field(repr=False)
    channel: grpc.aio.Channel
    address: str

    @classmethod
    def open(cls, state: Path, address: str) -> "Resident":
        identity = load_identity(state)
        return cls(
            state, read_membership(state), load_keyring(state / "keys"), identity, dial(address, identity), address
        )

    @property
    def agency(self) -> AgencyId:
        return self.membership.agency

    async def close(self) -> None:
        await self.channel.close()

    def claims(self, payload: bytes, act: Act, **changes: object) -> Claims:
        """What the county says of its user and these bytes; `changes` are lies."""
        now = datetime.now(UTC)
        honest = Claims(
            issuer=self.agency,
            subject="worker-1",
            actor=self.membership.spiffe_id,
            role=act.role,
            purpose=act.purpose,
            authority_id=act.authority_id,  # type: ignore[arg-type]
            request_digest=hashlib.sha256(payload).digest(),
            channel_thumbprint=self.identity.thumbprint,
            audience=self.membership.trust_domain,
            assertion_id=secrets.token_hex(12),
            issued=now,
            expires=now + timedelta(seconds=60),
            login=now - timedelta(minutes=1),
        )
        return replace(honest, **changes)  # type: ignore[arg-type]

    def signed(self, kind: type[M], payload: Message | bytes, act: Act, **changes: object) -> M:
        """A request over these bytes."""
        data = payload if isinstance(payload, bytes) else payload.SerializeToString()
        assertion = sign_assertion(self.claims(data, act, **changes), self.ring.assertion)
        return kind(payload=data, user_assertion=assertion)

    def wrapped(self, message: Message) -> SignedEnvelope:
        """A machine-only envelope."""
        return wrap(message, self.ring.envelope)

    def flag_request(self, query: FlagQuery, act: Act, **changes: object) -> CheckFlagRequest:
        return self.signed(CheckFlagRequest, query, act, **changes)

    def records_request(self, query: RecordsQuery, act: Act, **changes: object) -> RequestRecordsRequest:
        return self.signed(RequestRecordsRequest, query, act, **changes)

    def records_query(
        self, tokens: TokenSet, field_sets: tuple[FieldSet, ...], *evidence: EvidenceKind, **changes: object
    ) -> RecordsQuery:
        return RecordsQuery(
            **{
                "request_id": secrets.token_bytes(16),
                "tokens": tokens,
                "evidence": [evidence_of(each) for each in evidence],
                "field_sets": [to_wire(each) for each in field_sets],
                "recipient_key_id": self.ring.seal.key_id,
            }
            | changes
        )  # type: ignore[arg-type]


def dial(address: str, identity: ChannelIdentityFiles) -> grpc.aio.Channel:
    """A channel with this identity."""
    credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.chain)
    # A channel of its own: the library would share one connection among equal channels.
    options = (*client_options(address), ("grpc.use_local_subchannel_pool", 1))
    return grpc.aio.secure_channel(address, credentials, options=options)


def tokens_of(name: str, *, epoch: str = EPOCH) -> TokenSet:
    """Tokens of an invented youth, the same whoever asks: the gateway cannot tell them from any other bytes."""
    return token_set(
        epoch,
        lambda key, pad: [hashlib.sha256(f"{key} {name} {number}".encode()).digest()[:16] for number in range(pad)],
    )


def evidence_of(kind: EvidenceKind) -> Evidence:
    return Evidence(kind=to_wire(kind), reference_commitment=hashlib.sha256(kind.encode()).digest())  # type: ignore[arg-type]


def flag_query(tokens: TokenSet, *evidence: EvidenceKind, request_id: bytes = b"") -> FlagQuery:
    return FlagQuery(
        request_id=request_id or secrets.token_bytes(16),
        tokens=tokens,
        evidence=[evidence_of(each) for each in evidence],
    )
