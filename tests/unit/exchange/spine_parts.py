"""Who takes part in tests of the spine, and what they ask. Agencies, youths and telephone numbers are invented.

Tokens stand for a youth by a digest of an invented name: how tokens are made is not the spine's matter.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.exchange.tally import Limits
from gateway.protocol.directory import certify
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    AuthorityId,
    EvidenceKind,
    FieldSet,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from gateway.protocol.wire_names import to_wire
from gateway.rpc.peer import Peer
from homeward.gateway.v1 import directory_pb2, exchange_pb2
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet
from tests.unit.token_sets import token_set

START: Final = datetime(2026, 3, 14, 10, 10, tzinfo=UTC)
TRUST_DOMAIN: Final = "exchange.example"
EPOCH: Final = "e1"
ORIGIN: Final = "exchange.example/log"
SLOT: Final = 0.4
UNBOUNDED: Final = Limits(10**6, 10**6, 10**6)
"""As many questions as a test asks."""
OWNER, FAR_OWNER = AgencyId("06037.cwa"), AgencyId("06075.cwa")
"""Both hold sources; FAR_OWNER's county has no agreement with ASKER's."""
ASKER, TEAM, SHELTER = AgencyId("06029.cwa"), AgencyId("06019.valley-ffa"), AgencyId("06001.harbor-shelter")
KINDS: Final = {
    OWNER: AgencyKind.CWA,
    FAR_OWNER: AgencyKind.CWA,
    ASKER: AgencyKind.CWA,
    TEAM: AgencyKind.FFA,
    SHELTER: AgencyKind.SHELTER,
}
SOURCES: Final = (OWNER, FAR_OWNER)
PLACER: Final = Role("CWA.placement_worker")
TEAM_REFERENCE: Final = hashlib.sha256(b"team").digest()


class Clock:
    """Time that passes when told to. `slots` are the moments something waited for."""

    def __init__(self) -> None:
        self.time = START
        self.slots: list[datetime] = []

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def until(self, moment: datetime) -> None:
        self.slots.append(moment)
        self.time = max(self.time, moment)


@dataclass(frozen=True)
class Party:
    """A member agency with its keys."""

    agency: AgencyId
    root: SigningKey
    assertion: SigningKey
    authority: SigningKey
    record: SigningKey
    flag: SigningKey
    seal: SealKey

    @classmethod
    def make(cls, agency: AgencyId) -> "Party":
        root, assertion, authority, record, flag = (SigningKey.generate() for _ in range(5))
        return cls(agency, root, assertion, authority, record, flag, SealKey.generate())

    @property
    def fips(self) -> str:
        return self.agency[:5]

    @property
    def identity(self) -> ChannelIdentity:
        return ChannelIdentity(TRUST_DOMAIN, ChannelKind.ADAPTER, "a1", self.agency)

    @property
    def thumbprint(self) -> bytes:
        return hashlib.sha256(self.agency.encode()).digest()

    @property
    def peer(self) -> Peer:
        return Peer(self.identity, self.thumbprint, "0" * 32, START - timedelta(days=1), START + timedelta(days=1))

    def county(self) -> directory_pb2.County:
        return directory_pb2.County(
            fips=self.fips,
            root_key=self.root.public_bytes,
            duty_line="+15550100101",
            hotline="+15550100102",
            flag_keys=[self._stated(self.flag.public_bytes, directory_pb2.KEY_USE_FLAG)],
        )

    def member(self) -> directory_pb2.Member:
        keys = {
            directory_pb2.KEY_USE_ASSERTION: self.assertion.public_bytes,
            directory_pb2.KEY_USE_AUTHORITY: self.authority.public_bytes,
            directory_pb2.KEY_USE_RECORD: self.record.public_bytes,
            directory_pb2.KEY_USE_SEAL: self.seal.public_bytes,
        }
        return directory_pb2.Member(
            agency=self.agency,
            kind=to_wire(KINDS[self.agency]),
            keys=[self._stated(public, use) for use, public in keys.items()],
            has_sources=self.agency in SOURCES,
        )

    def _stated(self, public: bytes, use: int) -> SignedEnvelope:
        statement = directory_pb2.KeyStatement(
            use=use,
            agency="" if use == directory_pb2.KEY_USE_FLAG else self.agency,
            county=self.fips,
            public_key=public,
            effective_time=stamp(START - timedelta(days=1)),
            expire_time=stamp(START + timedelta(days=30)),
        )
        return certify(statement, self.root)


@dataclass(frozen=True)
class Question:
    """What somebody asks about a youth, named by an invented name."""

    youth: str
    purpose: Purpose = Purpose.PLACEMENT_PLANNING
    role: Role = PLACER
    field_sets: tuple[FieldSet, ...] = (FieldSet.FS5_PLACEMENT_DETAIL,)
    evidence: tuple[EvidenceKind, ...] = (EvidenceKind.OPEN_CASE,)
    by: AgencyId = ASKER
    authority: AuthorityId | None = None
    page: int = 1
    number: int = 0
    """Tells two requests apart that ask the same."""
    tokens: TokenSet | None = field(default=None, repr=False)
    """Instead of the invented name's."""
    worker: str = "worker-1"
    """Pseudonym of whoever asks."""
    assertion: str = ""
    """Identifier of the assertion; made from the request's where empty."""

    @property
    def asked(self) -> TokenSet:
        """The tokens that are sent."""
        return tokens_of(self.youth) if self.tokens is None else self.tokens

    @property
    def request_id(self) -> bytes:
        return hashlib.sha256(f"{self.by} {self.youth} {self.number}".encode()).digest()[:16]


@dataclass
class Answered:
    """One call as its caller saw it, and what it left behind."""

    response: exchange_pb2.RequestRecordsResponse | exchange_pb2.CheckFlagResponse
    seconds: float
    """From receipt to reply, on the world's clock."""
    entries: "list[Read]"
    """Entries of the log it left."""


@dataclass(frozen=True)
class Read:
    """An entry as an auditor with every key of the log reads it."""

    index: int
    requester: str
    holder: str
    fields: dict[str, str | bytes] = field(repr=False)

    @property
    def kind(self) -> str:
        return str(self.fields["kind"])

    @property
    def allows(self) -> bool:
        return self.fields.get("decision") == "ALLOW"


FINDER = Question(
    "nobody",
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)
"""Somebody has a youth in front of them and asks whether anybody looks for them."""


def tokens_of(youth: str) -> TokenSet:
    """Tokens of an invented name. `half:<name>` shares only the sound of the name with `<name>`."""
    strong, weak = youth, youth.removeprefix("half:")
    return token_set(EPOCH, lambda key, pad: _tokens(key, weak if key == SOUND_KEY else strong, pad))


def _tokens(key: str, youth: str, count: int) -> list[bytes]:
    return [hashlib.sha256(f"{key} {youth} {place}".encode()).digest()[:16] for place in range(count)]


def at_rest(epoch: str, tokens: bytes) -> bytes:
    """How tokens rest in the index."""
    return b"".join(hashlib.sha256(b"rest" + epoch.encode() + token).digest()[:16] for token in split_tokens(tokens))


def pairwise(requester: AgencyId, owner: AgencyId, handle: SubjectHandle) -> bytes:
    """A handle between two agencies."""
    return hashlib.sha256(f"{requester} {owner}".encode() + handle).digest()[:16]


def stamp(moment: datetime) -> Timestamp:
    """The moment as a message."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message
