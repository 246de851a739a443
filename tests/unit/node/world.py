"""A small exchange for tests: two invented counties, real keys, a signed directory, a log, and work orders made as the
gateway makes them, with one thing changed where a test asks for it.

Everybody in here is invented.
"""

import hashlib
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.keyring import Keyring, generate_keyring, key_statements
from adapters.node.order import Here
from audit.checkpoint import LogSigner
from audit.entry import (
    ClassKeys,
    Draft,
    Field,
    FieldClass,
    Opening,
    Place,
    StoredEntry,
    build_entry,
    open_class,
    open_parties,
)
from audit.merkle import leaf_hash, node_hash
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.authority import Use, check
from gateway.protocol.authority_wire import open_authority
from gateway.protocol.decide import decide
from gateway.protocol.directory import DirectoryView, Pins, open_directory, sign_directory
from gateway.protocol.match_keys import CORE_KEYS, naming_digests
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    AuthorityId,
    EvidenceKind,
    FieldSet,
    Purpose,
    Role,
    county_of,
)
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.facts import DecisionInput, Located, RequestFacts, YouthFacts, milliseconds
from gateway.protocol.policy.rules import Policy
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.audit.v1 import log_pb2
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_FLAG,
    County,
    Directory,
    KeyHolder,
    KeyStatement,
    Member,
    SignedDirectory,
)
from homeward.gateway.v1.envelope_pb2 import Evidence, SignedEnvelope, TokenSet
from homeward.gateway.v1.exchange_pb2 import RecordsQuery
from homeward.gateway.v1.link_pb2 import Grant, WorkOrder
from tests.unit.token_sets import token_set

NOW = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)
SOURCE = AgencyId("06075.cwa")
ASKER = AgencyId("06029.cwa")
THIRD = AgencyId("06037.prob")
KINDS = {SOURCE: AgencyKind.CWA, ASKER: AgencyKind.CWA, THIRD: AgencyKind.PROB}
DUTY_LINES = {"06075": "+14155550100", "06029": "+16615550100", "06037": "+12135550100"}
DOMAIN = "exchange.example"
HANDLE = bytes(range(16))
PAIRWISE = bytes(range(16, 32))
FLAG = bytes(range(32, 48))
AUTHORITY_ID = bytes(range(48, 64))
EPOCH, SCHEME = "e1", "1"
LOG_KEYS = ClassKeys(op=b"o" * 32, req=b"r" * 32, hold=b"h" * 32)


def stamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def tokens_of(*shared: str, epoch: str = EPOCH) -> TokenSet:
    """For each name in `shared` (`key:value`) one token that depends on it alone; the rest of each key is random. The
    core group is carried, and every key that is named."""

    def mint(key: str, pad: int) -> list[bytes]:
        real = [hashlib.sha256(each.encode()).digest()[:16] for each in shared if each.startswith(f"{key}:")]
        return [*real, *(secrets.token_bytes(16) for _ in range(pad - len(real)))]

    return token_set(epoch, mint, carried=CORE_KEYS | {each.partition(":")[0] for each in shared})


YOUTH_TOKENS = tuple(f"{key}:invented youth" for key in sorted(CORE_KEYS))


@dataclass(frozen=True)
class Keys:
    """Every private key of the world."""

    gateway: SigningKey
    custodian: SigningKey
    roots: dict[str, SigningKey]
    rings: dict[AgencyId, Keyring]
    log: LogSigner


@cache
def keys() -> Keys:
    return Keys(
        gateway=SigningKey.generate(),
        custodian=SigningKey.generate(),
        roots={county_of(agency): SigningKey.generate() for agency in KINDS},
        rings={agency: generate_keyring() for agency in KINDS},
        log=LogSigner("log.exchange.example", Ed25519PrivateKey.generate()),
    )


@cache
def holder_log(index: int) -> LogSigner:
    """The log of the holder of this share; the gateway's is the exchange's."""
    return keys().log if index == 1 else LogSigner(f"log.h{index}.example", Ed25519PrivateKey.generate())


@cache
def policy() -> Policy:
    return load_california()


def pins() -> Pins:
    return Pins(keys().gateway.public_bytes, (keys().custodian.public_bytes,))


def directory_message() -> Directory:
    """The directory as the gateway would compose it."""
    world = keys()
    counties, members = [], []
    for agency, kind in KINDS.items():
        fips = county_of(agency)
        root = world.roots[fips]
        statements = key_statements(world.rings[agency], root, agency=agency, now=NOW - timedelta(days=1))
        flags = [each for each in statements if KeyStatement.FromString(each.payload).use == KEY_USE_FLAG]
        others = [each for each in statements if each not in flags]
        counties.append(
            County(
                fips=fips,
                root_key=root.public_bytes,
                duty_line=DUTY_LINES[fips],
                hotline=DUTY_LINES[fips],
                flag_keys=flags,
            )
        )
        members.append(Member(agency=agency, kind=to_wire(kind), keys=others, has_sources=True))
    return Directory(
        trust_domain=DOMAIN,
        version=7,
        create_time=stamp(NOW - timedelta(hours=1)),
        counties=counties,
        members=members,
        log_key=world.log.public.raw,
        log_origin=world.log.public.origin,
        policy_version=policy().version,
        policy_digest=policy().digest,
        epoch=EPOCH,
    )


def signed(message: Directory) -> SignedDirectory:
    raw = message.SerializeToString()
    signatures = [sign_directory(raw, keys().gateway), sign_directory(raw, keys().custodian)]
    return SignedDirectory(directory=raw, signatures=signatures)


def directory(edit: Callable[[Directory], None] | None = None) -> DirectoryView:
    message = directory_message()
    if edit is not None:
        edit(message)
    return open_directory(signed(message), pins())


def here(**changes: object) -> Here:
    return replace(Here(SOURCE, directory(), policy(), NOW), **changes)  # type: ignore[arg-type]


def holder(index: int, operator: str, *, address: str, certificate: bytes, commitment: bytes) -> KeyHolder:
    return KeyHolder(
        share_index=index,
        operator=operator,
        address=address,
        ca_fingerprint=hashlib.sha256(certificate).digest(),
        ca_certificate=certificate,
        directory_key=keys().custodian.public_bytes,
        share_commitment=commitment,
        log_key=holder_log(index).public.raw,
        log_origin=holder_log(index).public.origin,
    )


PLACEMENT_WORKER = Role("CWA.placement_worker")
KNOWN = YouthFacts(located=Located.ONE, coverage_complete=True, owner=SOURCE, agreement_with_owner=True)
"""A youth of the source, found with certainty, without a flag."""


@dataclass
class Order:
    """A work order in the making: change a part before `build`, and everything after it follows.

    `after_*` change a finished part without what follows from it: that is how a dishonest gateway would.
    """

    asker: AgencyId = ASKER
    role: Role = PLACEMENT_WORKER
    purpose: Purpose = Purpose.PLACEMENT_PLANNING
    asked: tuple[FieldSet, ...] = (FieldSet.FS5_PLACEMENT_DETAIL,)
    evidence: tuple[EvidenceKind, ...] = (EvidenceKind.OPEN_REFERRAL,)
    tokens: TokenSet = field(default_factory=lambda: tokens_of(*YOUTH_TOKENS))
    page: int = 0
    page_size: int = 0
    youth: YouthFacts = KNOWN
    flag_id: bytes = b""
    authority: SignedEnvelope | None = None
    authority_id: bytes | None = None
    work_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    decision_index: int = field(default_factory=lambda: 1 + secrets.randbelow(1 << 40))
    edit_query: Callable[[RecordsQuery], None] = lambda _: None
    edit_claims: Callable[[Claims], Claims] = lambda claims: claims
    edit_facts: Callable[[RequestFacts], RequestFacts] = lambda facts: facts
    edit_input: Callable[[DecisionInput], DecisionInput] = lambda given: given
    edit_leaf: Callable[[dict[str, bytes]], None] = lambda _: None
    after_assertion: Callable[[str], str] = lambda token: token
    after_input: Callable[[bytes], bytes] = lambda data: data
    after_receipt: Callable[[log_pb2.Receipt], None] = lambda _: None
    after_grant: Callable[[Grant], None] = lambda _: None
    after_order: Callable[[WorkOrder], None] = lambda _: None
    assertion_key: SigningKey | None = None
    leaf_time: datetime = NOW

    def build(self) -> WorkOrder:
        payload = self._query().SerializeToString()
        claims = self.edit_claims(self._claims(payload))
        key = self.assertion_key or keys().rings[self.asker].assertion
        given = self.edit_input(DecisionInput(policy().digest, self.edit_facts(self._facts(claims)), self.youth))
        committed = given.to_bytes()
        receipt = self._receipt(payload, claims, committed)
        order = WorkOrder(
            work_id=self.work_id,
            request_payload=payload,
            user_assertion=self.after_assertion(sign_assertion(claims, key)),
            authority=self.authority,
            grant=self._grant(given),
            decision_receipt=receipt,
            decision_input=self.after_input(committed),
        )
        self.after_grant(order.grant)
        self.after_order(order)
        return order

    def _query(self) -> RecordsQuery:
        query = RecordsQuery(
            request_id=secrets.token_bytes(16),
            tokens=self.tokens,
            evidence=[Evidence(kind=to_wire(each), reference_commitment=bytes(32)) for each in self.evidence],
            field_sets=[to_wire(each) for each in self.asked],
            page=self.page,
            page_size=self.page_size,
            recipient_key_id=keys().rings[self.asker].seal.key_id,
        )
        self.edit_query(query)
        return query

    def _claims(self, payload: bytes) -> Claims:
        county, _, office = self.asker.partition(".")
        return Claims(
            issuer=self.asker,
            subject="pseudonym-of-a-worker",
            actor=f"spiffe://{DOMAIN}/county/{county}/{office}/adapter/a1",
            role=self.role,
            purpose=self.purpose,
            authority_id=AuthorityId(self.authority_id) if self.authority_id is not None else None,
            request_digest=hashlib.sha256(payload).digest(),
            channel_thumbprint=b"t" * 32,
            audience=DOMAIN,
            assertion_id=secrets.token_hex(8),
            issued=NOW - timedelta(seconds=2),
            expires=NOW + timedelta(seconds=100),
            login=NOW - timedelta(minutes=10),
        )

    def _facts(self, claims: Claims) -> RequestFacts:
        worth = None
        if self.authority is not None:
            use = Use(
                purpose=self.purpose, field_sets=self.asked, agency=self.asker, role=self.role,
                token_digests=naming_digests(self.tokens),
            )  # fmt: skip
            worth = check(open_authority(self.authority, directory(), NOW), use, NOW, revoked=False)
        return RequestFacts(
            agency=self.asker,
            agency_kind=KINDS[self.asker],
            role=self.role,
            purpose=self.purpose,
            field_sets=self.asked,
            evidence=frozenset(self.evidence),
            authority=worth,
            received_at=NOW,
            login_age_seconds=int((NOW - claims.login).total_seconds()),
        )

    def _grant(self, given: DecisionInput) -> Grant:
        decision = decide(policy(), given)
        sets = [each for each in decision.field_sets if each not in (FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS)]
        return Grant(
            subject_handle=HANDLE,
            pairwise_handle=PAIRWISE,
            requester_agency=self.asker,
            source_agency=SOURCE,
            field_sets=[to_wire(each) for each in sets],
            policy_version=policy().version,
            recipient_key_id=keys().rings[self.asker].seal.key_id,
            expire_time=stamp(NOW + timedelta(seconds=60)),
            flag_id=self.flag_id,
        )

    def _receipt(self, payload: bytes, claims: Claims, committed: bytes) -> log_pb2.Receipt:
        said = {
            "kind": b"access.decision",
            "decision": b"ALLOW",
            "outcome": b"ANSWERED",
            "purpose": claims.purpose.encode(),
            "policy": policy().version.encode(),
            "worker": f"{claims.subject} {claims.role}".encode(),
            "request": hashlib.sha256(payload).digest(),
            "input": hashlib.sha256(committed).digest(),
        }
        self.edit_leaf(said)
        message = receipt_of(said, index=self.decision_index, time=self.leaf_time)
        self.after_receipt(message)
        return message


def receipt_of(
    said: dict[str, bytes], *, index: int, time: datetime, to_overseer: bool = False, log: LogSigner | None = None
) -> log_pb2.Receipt:
    """A receipt of an entry that says this, the last one of a log whose other leaves nobody ever saw.

    It opens what the agency that asked may see, and to an overseer who took part.
    """
    request_fields = ("worker", "request", "input")
    fields = [
        Field(FieldClass.REQ if name in request_fields else FieldClass.OP, name, value) for name, value in said.items()
    ]
    draft = Draft(fields=tuple(fields), requester=ASKER, holder=SOURCE)
    place = Place(1, milliseconds(time), 1, 1)
    entry = build_entry(draft, place, keys=LOG_KEYS, random_bytes=secrets.token_bytes).entry
    # The last leaf of a tree: one complete subtree to its left for each bit of its index (RFC 6962 section 2.1.1).
    siblings = [leaf_hash(secrets.token_bytes(41)) for _ in range(index.bit_count())]
    root = leaf_hash(entry.leaf)
    for sibling in siblings:
        root = node_hash(sibling, root)
    return log_pb2.Receipt(
        index=index,
        leaf=entry.leaf,
        digests=entry.digests,
        openings=[
            log_pb2.Opening(slot=each.slot, name=each.name, value=each.value, salt=each.salt)
            for each in (*_openings(entry), *((open_parties(entry),) if to_overseer else ()))
        ],
        inclusion_hashes=siblings,
        checkpoint=(log or keys().log).sign(index + 1, root),
    )


_acts = itertools.count(1_000_000)


def act_receipt(kind: str, *, log: LogSigner | None = None, **said: bytes) -> log_pb2.Receipt:
    """A receipt of what a machine said: each of another entry, far behind those of questions."""
    return receipt_of({"kind": kind.encode(), **said}, index=next(_acts), time=NOW, log=log)


def _openings(entry: StoredEntry) -> list[Opening]:
    found = [
        *open_class(entry, FieldClass.OP, LOG_KEYS.op),
        *open_class(entry, FieldClass.REQ, LOG_KEYS.req),
    ]
    return sorted(found, key=lambda each: each.slot)


def granted(order: WorkOrder) -> tuple[FieldSet, ...]:
    return tuple(from_wire(FieldSet, number) for number in order.grant.field_sets)
