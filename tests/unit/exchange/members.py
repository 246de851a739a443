"""Invented members of an exchange for tests, with real keys, and the directory that lists them."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from audit.checkpoint import LogKey
from gateway.protocol.directory import DirectoryView, certify, read_directory
from gateway.protocol.names import AgencyId, AgencyKind, AuthorityId, Purpose, Role, SubjectHandle, county_of
from gateway.protocol.policy.rules import Policy
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from gateway.protocol.wire_names import to_wire
from gateway.rpc.peer import Peer
from homeward.gateway.v1 import directory_pb2
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

START: Final = datetime(2026, 3, 14, 10, 10, tzinfo=UTC)
TRUST_DOMAIN: Final = "exchange.example"
EPOCH: Final = "e1"
ORIGIN: Final = "exchange.example/log"

SF, LA, KERN = AgencyId("06075.cwa"), AgencyId("06037.cwa"), AgencyId("06029.cwa")
LA_PROB, STRTP = AgencyId("06037.probation"), AgencyId("06037.harbor-strtp")
POLICE, STATE, FEDERAL = AgencyId("06077.example-pd"), AgencyId("06067.example-state"), AgencyId("06067.example-fed")
ICPC = AgencyId("06067.example-icpc")
KINDS: Final = {
    SF: AgencyKind.CWA,
    LA: AgencyKind.CWA,
    KERN: AgencyKind.CWA,
    LA_PROB: AgencyKind.PROB,
    STRTP: AgencyKind.STRTP,
    POLICE: AgencyKind.LEA,
    STATE: AgencyKind.AUDITOR,
    ICPC: AgencyKind.STATE,
    FEDERAL: AgencyKind.FED,
}
SOURCES: Final = (SF, LA, KERN, LA_PROB)
ROLES: Final = {
    AgencyKind.CWA: Role("CWA.case_worker"),
    AgencyKind.PROB: Role("PROB.duty_officer"),
    AgencyKind.STRTP: Role("STRTP.administrator"),
    AgencyKind.LEA: Role("LEA.patrol"),
    AgencyKind.AUDITOR: Role("STATE.cdss_oversight"),
    AgencyKind.STATE: Role("STATE.icpc_office"),
    AgencyKind.FED: Role("CWA.case_worker"),
}
"""The role of an agency's worker, unless a test says otherwise."""
KEY_LIFE: Final = timedelta(days=90)
PRIVACY_OFFICER: Final = Role("COUNTY.privacy_officer")


@dataclass(frozen=True)
class Youth:
    """An invented youth. Twins share a birth date; two people may share both."""

    name: str
    born: str = "2010-05-04"


@dataclass(frozen=True)
class Member:
    """A member agency with its keys."""

    agency: AgencyId
    assertion: SigningKey = field(default_factory=SigningKey.generate)
    envelope: SigningKey = field(default_factory=SigningKey.generate)
    authority: SigningKey = field(default_factory=SigningKey.generate)
    record: SigningKey = field(default_factory=SigningKey.generate)
    seal: SealKey = field(default_factory=SealKey.generate)
    assertion_ends: datetime = START + KEY_LIFE
    """When its assertion key ends."""

    @property
    def identity(self) -> ChannelIdentity:
        return ChannelIdentity(TRUST_DOMAIN, ChannelKind.ADAPTER, "a1", self.agency)

    @property
    def peer(self) -> Peer:
        thumbprint = hashlib.sha256(self.agency.encode()).digest()
        return Peer(self.identity, thumbprint, "0" * 32, START - timedelta(days=1), START + timedelta(days=60))


@dataclass(frozen=True)
class Act:
    """Who does something: agency, role, purpose and the authority they name."""

    agency: AgencyId
    role: Role
    purpose: Purpose = Purpose.MFC_LOCATE
    authority_id: AuthorityId | None = None


def staff(agency: AgencyId, purpose: Purpose = Purpose.MFC_LOCATE, role: Role | None = None) -> Act:
    """A worker of this agency."""
    return Act(agency, role or ROLES[KINDS[agency]], purpose)


def officer(agency: AgencyId) -> Act:
    """The privacy officer of a county agency, or the state's reviewer."""
    role = ROLES[AgencyKind.AUDITOR] if county_of(agency) == county_of(STATE) else PRIVACY_OFFICER
    return Act(agency, role, Purpose.OVERSIGHT_AUDIT)


@dataclass(frozen=True)
class Membership:
    """Every member and every key."""

    members: dict[AgencyId, Member]
    roots: dict[str, SigningKey]
    flag_keys: dict[str, SigningKey]

    @classmethod
    def make(cls) -> "Membership":
        counties = sorted({agency[:5] for agency in KINDS})
        return cls(
            {agency: Member(agency) for agency in KINDS},
            {fips: SigningKey.generate() for fips in counties},
            {fips: SigningKey.generate() for fips in counties},
        )

    def directory(self, policy: Policy, log: LogKey) -> DirectoryView:
        """The directory in force, as its signers make it."""
        message = directory_pb2.Directory(
            trust_domain=TRUST_DOMAIN,
            version=1,
            create_time=stamp(START),
            counties=[self._county(fips) for fips in self.roots],
            members=[self._member(member) for member in self.members.values()],
            log_key=log.raw,
            log_origin=log.origin,
            policy_version=policy.version,
            policy_digest=policy.digest,
            epoch=EPOCH,
        )
        return read_directory(message.SerializeToString())

    def _county(self, fips: str) -> directory_pb2.County:
        return directory_pb2.County(
            fips=fips,
            root_key=self.roots[fips].public_bytes,
            duty_line="+15550100101",
            hotline="+15550100102",
            flag_keys=[self._stated(fips, "", directory_pb2.KEY_USE_FLAG, self.flag_keys[fips].public_bytes)],
        )

    def _member(self, member: Member) -> directory_pb2.Member:
        agency, keys = member.agency, {
            directory_pb2.KEY_USE_ASSERTION: member.assertion.public_bytes,
            directory_pb2.KEY_USE_ENVELOPE: member.envelope.public_bytes,
            directory_pb2.KEY_USE_AUTHORITY: member.authority.public_bytes,
            directory_pb2.KEY_USE_RECORD: member.record.public_bytes,
            directory_pb2.KEY_USE_SEAL: member.seal.public_bytes,
        }  # fmt: skip
        return directory_pb2.Member(
            agency=agency,
            kind=to_wire(KINDS[agency]),  # type: ignore[arg-type]
            keys=[
                self._stated(agency[:5], agency, use, public, ends=self._ends(member, use))
                for use, public in keys.items()
            ],
            has_sources=agency in SOURCES,
        )

    def _ends(self, member: Member, use: int) -> datetime:
        return member.assertion_ends if use == directory_pb2.KEY_USE_ASSERTION else START + KEY_LIFE

    def _stated(
        self, fips: str, agency: str, use: int, public: bytes, *, ends: datetime = START + KEY_LIFE
    ) -> SignedEnvelope:
        statement = directory_pb2.KeyStatement(
            use=use,  # type: ignore[arg-type]
            agency=agency,
            county=fips,
            public_key=public,
            effective_time=stamp(START - timedelta(days=1)),
            expire_time=stamp(ends),
        )
        return certify(statement, self.roots[fips])


def handle_of(agency: AgencyId, youth: Youth) -> SubjectHandle:
    """The agency's own handle of the youth."""
    return SubjectHandle(hashlib.sha256(f"{agency} {youth.name} {youth.born}".encode()).digest()[:16])


def stamp(moment: datetime) -> Timestamp:
    """The moment as a message."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message
