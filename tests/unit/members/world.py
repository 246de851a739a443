"""An exchange for tests: a real gateway and a real custodian in a temporary directory, and invented counties.

Everything is what operation uses, keys and log included, but for two things: the clock can be moved, and the custodian
is reached by a call instead of a connection.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from audit.entry import FieldClass, open_class
from audit.reader import Selection
from gateway.cards import CustodianCard, GatewayCard
from gateway.config import Budgets, CustodianConfig, GatewayConfig
from gateway.errors import Error
from gateway.members.assembly import Members, open_members, read_keys
from gateway.members.founding import found_gateway
from gateway.members.office import Countersigned, HolderSilent
from gateway.protocol.directory import certify
from gateway.protocol.enrollment_proof import sign_request
from gateway.protocol.envelope import wrap
from gateway.protocol.invitation import decode
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.ristretto import Ristretto, load_ristretto
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.state import State
from gateway.tokens.ceremony import Dealing, deal
from gateway.tokens.countersign import root_fingerprint
from gateway.tokens.custodian import Custodian, open_custodian
from gateway.tokens.founding import found_custodian
from gateway.tokens.share_file import DealtShare
from homeward.gateway.v1 import admin_pb2, codes_pb2, directory_pb2
from homeward.gateway.v1.directory_pb2 import CertificateRenewal, KeyHolder, KeyStatement, KeyUse, SignedDirectory
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, Invitation
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SIGNING_USES = (
    directory_pb2.KEY_USE_ENVELOPE,
    directory_pb2.KEY_USE_ASSERTION,
    directory_pb2.KEY_USE_AUTHORITY,
    directory_pb2.KEY_USE_RECORD,
)


@dataclass(slots=True)
class Clock:
    """A clock that stands until it is moved."""

    time: datetime = NOW

    def __call__(self) -> datetime:
        return self.time

    def advance(self, delta: timedelta) -> None:
        self.time += delta


@dataclass(slots=True)
class LocalSigners:
    """The custodian, called directly. `silent` makes it unreachable."""

    custodian: Custodian
    silent: bool = False
    asked: int = 0

    async def countersign(self, holder: KeyHolder, signed: SignedDirectory) -> Countersigned:
        self.asked += 1
        if self.silent:
            raise HolderSilent("UNAVAILABLE")
        try:
            return Countersigned(*await self.custodian.countersigning.countersign(signed))
        except Error as exc:
            raise HolderSilent(exc.reason) from exc


@dataclass(slots=True)
class World:
    """One exchange."""

    directory: Path
    clock: Clock
    group: Ristretto
    dealing: Dealing
    gateway: Members
    custodian: Custodian
    signers: LocalSigners
    gateway_state: State
    custodian_card: CustodianCard

    async def close(self) -> None:
        await self.gateway.ledger.close()
        await self.custodian.ledger.close()

    async def trust(self) -> None:
        """The gateway has the custodian on record."""
        root = x509.load_pem_x509_certificate(self.custodian_card.ca_certificate.encode())
        card = self.custodian_card
        await self.gateway.administration.trust_holder(
            admin_pb2.TrustHolderRequest(
                share_index=card.share_index,
                operator=card.operator,
                address=card.address,
                ca_certificate=root.public_bytes(Encoding.DER),
                directory_key=bytes.fromhex(card.directory_key),
                share_commitment=bytes.fromhex(card.share_commitment),
                log_origin=card.log_origin,
                log_key=bytes.fromhex(card.log_key),
            )
        )

    async def invite(
        self,
        agency: str,
        life: timedelta = timedelta(hours=1),
        kind: codes_pb2.AgencyKind = codes_pb2.AGENCY_KIND_CWA,
    ) -> Invitation:
        request = admin_pb2.InviteRequest(agency=agency, kind=kind, duty_line="+15555550100", hotline="+15555550101")
        request.life.FromTimedelta(life)
        return decode((await self.gateway.administration.invite(request)).line)

    async def enroll(self, county: "County", instance: str = "a1") -> Invitation:
        """The county's agency is a member."""
        invitation = await self.invite(county.agency)
        await self.gateway.enrollment.redeem(county.enrollment(invitation, instance=instance))
        return invitation

    async def admit(self, county: "County") -> None:
        await self.custodian.administration.admit(
            admin_pb2.AdmitCountyRequest(fips=county.fips, root_fingerprint=root_fingerprint(county.root.public_bytes))
        )

    def kinds(self) -> list[str]:
        """Kinds of the gateway's leaves, in order."""
        return [entry.kind for entry in self.gateway.ledger.reader.entries(Selection())]

    def leaf(self, index: int) -> dict[str, bytes]:
        """Operator's fields of one leaf."""
        entry = self.gateway.ledger.reader.entries(Selection(start=index), limit=1)[0]
        keys = self.gateway_state.read_class_keys()
        return {opening.name: opening.value for opening in open_class(entry, FieldClass.OP, keys.op)}


@dataclass(slots=True)
class County:
    """An invented county with one agency and its keys."""

    fips: str = "06037"
    office: str = "cwa"
    clock: Clock = field(default_factory=Clock)
    has_sources: bool = True
    root: SigningKey = field(default_factory=SigningKey.generate, repr=False)
    flag: SigningKey = field(default_factory=SigningKey.generate, repr=False)
    seal: SealKey = field(default_factory=SealKey.generate, repr=False)
    signing: dict[KeyUse, SigningKey] = field(default_factory=dict, repr=False)
    tls: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()), repr=False)

    def __post_init__(self) -> None:
        for use in SIGNING_USES:
            self.signing.setdefault(use, SigningKey.generate())

    @property
    def agency(self) -> str:
        return f"{self.fips}.{self.office}"

    @property
    def envelope_key(self) -> SigningKey:
        return self.signing[directory_pb2.KEY_USE_ENVELOPE]

    def statement(self, use: KeyUse, public_key: bytes, **changes: object) -> KeyStatement:
        agency = "" if use == directory_pb2.KEY_USE_FLAG else self.agency
        statement = KeyStatement(use=use, agency=agency, county=self.fips, public_key=public_key)
        statement.effective_time.FromDatetime(self.clock() - timedelta(minutes=5))
        statement.expire_time.FromDatetime(self.clock() + timedelta(days=365))
        for name, value in changes.items():
            setattr(statement, name, value)
        return statement

    def statements(self) -> list[SignedEnvelope]:
        keys = [(use, key.public_bytes) for use, key in self.signing.items()]
        keys += [
            (directory_pb2.KEY_USE_FLAG, self.flag.public_bytes),
            (directory_pb2.KEY_USE_SEAL, self.seal.public_bytes),
        ]
        return [certify(self.statement(use, public_key), self.root) for use, public_key in keys]

    def enrollment(self, invitation: Invitation, *, instance: str = "a1", **changes: object) -> EnrollRequest:
        request = EnrollRequest(
            ticket=invitation.ticket,
            certificate_request=certificate_request(self.tls),
            instance=instance,
            county_root_key=self.root.public_bytes,
            keys=self.statements(),
            has_sources=self.has_sources,
        )
        for name, value in changes.items():
            setattr(request, name, value)
        sign_request(request, self.envelope_key)
        return request

    def renewal(self, key: ec.EllipticCurvePrivateKey, generation: int) -> SignedEnvelope:
        renewal = CertificateRenewal(certificate_request=certificate_request(key), generation=generation)
        renewal.create_time.FromDatetime(self.clock())
        return wrap(renewal, self.envelope_key)


def certificate_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


async def make_world(directory: Path, *, budgets: Budgets | None = None) -> World:
    """A gateway and a custodian that do not know each other's cards yet; only the custodian has the gateway's."""
    clock, group = Clock(), load_ristretto()
    dealing = deal(group, threshold=2, holders=2, random_bytes=os.urandom)
    first, second = (DealtShare("e1", share, dealing.commitments).to_bytes() for share in dealing.shares)
    state = State(directory / "gw", "gateway")
    config = GatewayConfig(
        trust_domain="exchange.example",
        name="gw1",
        listen="127.0.0.1:8443",
        address="127.0.0.1:8443",
        enroll_listen="127.0.0.1:8444",
        enroll_address="127.0.0.1:8444",
        log_origin="exchange.example/log",
        budgets=budgets or Budgets(),
    )
    card = found_gateway(state, config, first, group=group, now=clock, random_bytes=os.urandom)
    custodian, custodian_card = await _make_custodian(directory, card, second, clock=clock, group=group)
    signers = LocalSigners(custodian)
    gateway = await open_members(
        state,
        config,
        read_keys(state, config, group, now=clock, random_bytes=os.urandom),
        policy=load_california(),
        group=group,
        signers=signers,
        now=clock,
        random_bytes=os.urandom,
    )
    return World(directory, clock, group, dealing, gateway, custodian, signers, state, custodian_card)


async def _make_custodian(
    directory: Path, card: GatewayCard, share: bytes, *, clock: Clock, group: Ristretto
) -> tuple[Custodian, CustodianCard]:
    state = State(directory / "cu", "custodian")
    config = CustodianConfig(
        trust_domain=card.trust_domain,
        operator="auditor",
        listen="127.0.0.1:8445",
        address="127.0.0.1:8445",
        log_origin="exchange.example/custodian/auditor",
    )
    made = found_custodian(state, config, card, share, group=group, now=clock, random_bytes=os.urandom)
    return await open_custodian(state, group=group, now=clock, random_bytes=os.urandom), made


def counties(clock: Clock) -> Iterator[County]:
    """Invented agencies of different counties, without end."""
    number = 1
    while True:
        yield County(fips=f"{6000 + number:05d}", clock=clock)
        number += 2
