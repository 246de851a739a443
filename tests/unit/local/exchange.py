"""An exchange as the caller side meets it: verifies what arrives as a gateway does, decides with the real policy, and
answers with real receipts, statements and sealed records. A test changes one thing through the hooks: that is how a
dishonest or broken gateway would answer.

Everybody in here is invented."""

import hashlib
import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any, cast

from google.protobuf.message import Message
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from adapters.identity.tokenize import Person
from adapters.node import rpcs
from adapters.node.receipts import Requests
from adapters.node.request import Question, Requester, content_digest
from adapters.node.rpcs import A, CallFailed, CallFault, Q, Rpc
from adapters.node.send import Act, Deadline, Sender
from adapters.node.store import Store
from adapters.node.tables import metadata
from adapters.staff import Staff
from gateway.protocol.assertion import Claims, verify_assertion
from gateway.protocol.decide import Decision, decide_request, decide_youth
from gateway.protocol.directory import DirectoryView
from gateway.protocol.envelope import unwrap, wrap
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import (
    AuthorityId,
    EvidenceKind,
    FieldSet,
    FlagState,
    HandlingCode,
    Purpose,
    RequestId,
    Role,
)
from gateway.protocol.outcomes import Outcome
from gateway.protocol.policy.facts import Located, RequestFacts, YouthFacts
from gateway.protocol.sealing import SealContext, seal_record
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1.codes_pb2 import SETTING_CODE_STRTP, SETTING_GROUP_CONGREGATE_CARE
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE, KEY_USE_SEAL
from homeward.gateway.v1.envelope_pb2 import Evidence, SignedEnvelope, TokenSet
from homeward.gateway.v1.records_pb2 import (
    FlagCasework,
    FlagLocate,
    OutOfHomeEpisode,
    Placement,
    PlacementHistory,
    RecordAnswer,
)
from tests.unit.node.world import (
    ASKER,
    DOMAIN,
    FLAG,
    KINDS,
    NOW,
    PAIRWISE,
    SOURCE,
    directory,
    keys,
    policy,
    receipt_of,
    stamp,
    tokens_of,
)

ACTOR = f"spiffe://{DOMAIN}/county/06029/cwa/adapter/a1"
THUMBPRINT = b"t" * 32
KNOWN = YouthFacts(
    located=Located.ONE, coverage_complete=True, owner=SOURCE, flag=FlagState.ACTIVE, agreement_with_owner=True
)
UNKNOWN = YouthFacts(located=Located.NONE, coverage_complete=True)
CANARY = "Zanzibarina"
"""Given name of the invented youth; must never be seen outside a `Person`."""
CANARY_SURNAME = "Quetzalovich"
CANARY_BIRTH = "2011-07-19"


def memory_store() -> Store:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    metadata.create_all(engine)
    return Store(engine)


def statement(**changes: Any) -> SignedEnvelope:
    """The source county's word on its flag."""
    message = pb.FlagStatement(
        flag_id=FLAG,
        county="06075",
        state=cast(Any, to_wire(FlagState.ACTIVE)),
        handling_code=cast(Any, to_wire(HandlingCode.CALL_DUTY_LINE)),
        version=1,
        issue_time=stamp(NOW - timedelta(minutes=5)),
        expire_time=stamp(NOW + timedelta(days=30)),
    )
    key = changes.pop("key", keys().rings[SOURCE].flag)
    for name, value in changes.items():
        if isinstance(value, str | int | bytes):
            setattr(message, name, value)
        else:
            getattr(message, name).CopyFrom(value)
    return wrap(message, key)


@dataclass
class FakeGateway:
    """Fills the port `rpcs.Caller` as a gateway would; what it refuses it refuses like one."""

    youth: YouthFacts = KNOWN
    record: RecordAnswer = field(default_factory=RecordAnswer)
    more_pages: int = 0
    flag_statement: SignedEnvelope = field(default_factory=statement)
    source_fails: bool = False
    unreachable: int = 0
    """So many calls find nobody."""
    decides: Callable[[Decision], Decision] = lambda decision: decision
    edit_leaf: Callable[[dict[str, bytes]], None] = lambda _: None
    edit_context: Callable[[SealContext], SealContext] = lambda context: context
    after_seal: Callable[[pb.SealedRecord], None] = lambda _: None
    after: Callable[[Any], None] = lambda _: None
    calls: list[tuple[str, bytes, Claims]] = field(default_factory=list)
    confirmed: list[pb.ReceiptConfirmation] = field(default_factory=list)
    assertions: set[str] = field(default_factory=set)
    answers: dict[str, Callable[[bytes, Claims], Message]] = field(default_factory=dict)
    """Answers to calls other than the disclosing ones, by path."""
    index: Any = field(default_factory=lambda: itertools.count(100))

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        assert seconds > 0
        if self.unreachable:
            self.unreachable -= 1
            raise CallFailed(CallFault.UNAVAILABLE)
        if rpc.path == rpcs.CONFIRM_RECEIPT.path:
            return cast(A, self._confirm(cast(pb.ConfirmReceiptRequest, request)))
        payload, assertion = cast(Any, request).payload, cast(Any, request).user_assertion
        claims = self._admit(payload, assertion)
        self.calls.append((rpc.path, payload, claims))
        if rpc.path == rpcs.CHECK_FLAG.path:
            answer: Message = self._flag(payload, claims)
        elif rpc.path == rpcs.REQUEST_RECORDS.path:
            answer = self._records(payload, claims)
        else:
            answer = self.answers[rpc.path](payload, claims)
        self.after(answer)
        return cast(A, answer)

    def _admit(self, payload: bytes, assertion: str) -> Claims:
        claims = verify_assertion(
            assertion, directory=directory(), payload=payload, now=NOW, channel_thumbprint=THUMBPRINT
        )
        assert (claims.issuer, claims.actor) == (ASKER, ACTOR)
        if claims.assertion_id in self.assertions:
            raise CallFailed(CallFault.UNAUTHENTICATED, "ASSERTION_REPLAYED")
        self.assertions.add(claims.assertion_id)
        return claims

    def _decide(self, claims: Claims, sets: Sequence[FieldSet], evidence: Sequence[Evidence]) -> tuple[Decision, bool]:
        facts = RequestFacts(
            agency=ASKER,
            agency_kind=KINDS[ASKER],
            role=claims.role,
            purpose=claims.purpose,
            field_sets=tuple(sets),
            evidence=frozenset(from_wire(EvidenceKind, each.kind) for each in evidence),
            authority=None,
            received_at=NOW,
            login_age_seconds=int((NOW - claims.login).total_seconds()),
        )
        first = decide_request(policy(), facts)
        return self.decides(decide_youth(policy(), facts, self.youth, first)), first.permit

    def _flag(self, payload: bytes, claims: Claims) -> pb.CheckFlagResponse:
        query = pb.FlagQuery.FromString(payload)
        decision, _ = self._decide(claims, [FieldSet.FS1_FLAG_STATUS], query.evidence)
        answer = pb.FlagAnswer(
            outcome=cast(Any, to_wire(decision.outcome)),
            notices=[cast(Any, to_wire(each)) for each in decision.notices],
            policy_version=policy().version,
            decide_time=stamp(NOW),
            stale_counties=["06037"] if decision.outcome is Outcome.UNDETERMINED else [],
        )
        if decision.permit:
            answer.flag_statement.CopyFrom(self.flag_statement)
            answer.flag_state = cast(Any, to_wire(FlagState.ACTIVE))
            answer.pairwise_handle = PAIRWISE
        return pb.CheckFlagResponse(answer=answer, receipt=self._leaf("access.decision", payload, claims, decision))

    def _records(self, payload: bytes, claims: Claims) -> pb.RequestRecordsResponse:
        query = pb.RecordsQuery.FromString(payload)
        directory().key(ASKER, KEY_USE_SEAL, query.recipient_key_id, NOW)
        decision, located = self._decide(
            claims, [from_wire(FieldSet, each) for each in query.field_sets], query.evidence
        )
        decided = self._leaf("access.decision", payload, claims, decision)
        response = pb.RequestRecordsResponse(
            notices=[cast(Any, to_wire(each)) for each in decision.notices],
            policy_version=policy().version,
            decision_receipt=decided,
            field_sets=[cast(Any, to_wire(each)) for each in decision.field_sets],
        )
        sealed = None
        if decision.permit and self.source_fails:
            decision = replace(decision, permit=False, outcome=Outcome.SOURCE_UNAVAILABLE)
            response.sources.add(agency=SOURCE, status=pb.SOURCE_STATUS_TIMED_OUT)
        elif decision.permit:
            sealed = self._sealed(payload, query, decision, decided.index)
            response.sources.add(agency=SOURCE, status=pb.SOURCE_STATUS_ANSWERED, sealed_record=sealed)
            response.pairwise_handle = PAIRWISE
        response.outcome = cast(Any, to_wire(decision.outcome))
        if located:
            said = {"decided": str(decided.index).encode()}
            said["sealed"] = hashlib.sha256(sealed.sealed).digest() if sealed is not None else b""
            response.release_receipt.CopyFrom(self._leaf("access.outcome", payload, claims, decision, **said))
        return response

    def _sealed(self, payload: bytes, query: pb.RecordsQuery, decision: Decision, index: int) -> pb.SealedRecord:
        answer = RecordAnswer()
        answer.CopyFrom(self.record)
        digest, page = hashlib.sha256(payload).digest(), query.page or 1
        answer.request_digest, answer.page = digest, page
        answer.more_pages = page <= self.more_pages
        answer.data_as_of_time.CopyFrom(stamp(NOW - timedelta(hours=3)))
        answer.mode = cast(Any, to_wire(decision.mode)) if decision.mode is not None else 0
        context = SealContext(
            request_digest=digest,
            pairwise_handle=PAIRWISE,
            requester=ASKER,
            source=SOURCE,
            field_sets=decision.field_sets,
            recipient_key_id=query.recipient_key_id,
            page=page,
            decision_index=index,
        )
        sealed = seal_record(
            answer,
            context=self.edit_context(context),
            recipient_key=directory().key(ASKER, KEY_USE_SEAL, query.recipient_key_id, NOW),
            source_key=keys().rings[SOURCE].record,
        )
        self.after_seal(sealed)
        return sealed

    def _leaf(self, kind: str, payload: bytes, claims: Claims, decision: Decision, **more: bytes) -> Any:
        verdict = b"ALLOW" if decision.permit else b"DENY"
        return self.leaf(kind, payload, claims, decision.outcome, decision=verdict, **more)

    def leaf(self, kind: str, payload: bytes, claims: Claims, outcome: str, **more: bytes) -> Any:
        """The receipt of a leaf about this request."""
        said = {
            "kind": kind.encode(),
            "outcome": outcome.encode(),
            "purpose": claims.purpose.encode(),
            "worker": f"{claims.subject} {claims.role}".encode(),
            "request": hashlib.sha256(payload).digest(),
            **more,
        }
        self.edit_leaf(said)
        return receipt_of(said, index=next(self.index), time=NOW)

    def _confirm(self, request: pb.ConfirmReceiptRequest) -> pb.ConfirmReceiptResponse:
        public = directory().key(ASKER, KEY_USE_ENVELOPE, request.envelope.key_id, NOW)
        found = unwrap(request.envelope, pb.ReceiptConfirmation, public)
        self.confirmed.append(found)
        said = {
            "kind": b"access.receipt",
            "outcome": pb.ReceiptFinding.Name(found.finding).encode(),
            "request": sha256(request.envelope.payload).digest(),
        }
        return pb.ConfirmReceiptResponse(receipt=receipt_of(said, index=next(self.index), time=NOW))


@dataclass
class Tokens:
    """Makes tokens of a person without holders; counts how often it was asked, and by whom."""

    people: list[Person] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)

    async def __call__(self, people: Sequence[Person], worker: str) -> list[TokenSet]:
        self.people += people
        self.workers.append(worker)
        return [tokens_of(*(f"{key}:{each.identity['given_name']}" for key in CORE_KEYS)) for each in people]


@dataclass
class Desk:
    """The caller side of the invented county 06029, in front of a gateway that a test can bend."""

    gateway: FakeGateway = field(default_factory=FakeGateway)
    tokens: Tokens = field(default_factory=Tokens)
    store: Store = field(default_factory=memory_store)
    pauses: list[float] = field(default_factory=list)
    view: DirectoryView = field(default_factory=directory)
    clock: float = 1000.0

    def sender(self) -> Sender:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)
            self.clock += seconds

        return Sender(
            agency=ASKER,
            actor=ACTOR,
            gateway=self.gateway,
            assertion_key=keys().rings[ASKER].assertion,
            directory=lambda: self.view,
            thumbprint=lambda: THUMBPRINT,
            now=lambda: NOW,
            random_bytes=secrets.token_bytes,
            pause=pause,
        )

    def requester(self) -> Requester:
        ring = keys().rings[ASKER]
        return Requester(
            sender=self.sender(),
            requests=Requests(self.store),
            tokens=self.tokens,
            policy=policy,
            envelope_key=ring.envelope,
            seal_key=ring.seal,
        )

    def deadline(self, seconds: float = 10.0) -> Deadline:
        return Deadline(self.clock + seconds, lambda: self.clock)


def staff(*roles: str) -> Staff:
    return Staff("pseudonym-of-a-worker", frozenset(Role(role) for role in roles), NOW - timedelta(minutes=10))


def act(purpose: Purpose = Purpose.MFC_LOCATE, role: str = "CWA.case_worker", authority: bytes | None = None) -> Act:
    return Act(staff(role), Role(role), purpose, AuthorityId(authority) if authority is not None else None)


def question(
    *field_sets: FieldSet,
    purpose: Purpose = Purpose.MFC_LOCATE,
    role: str = "CWA.case_worker",
    evidence: Sequence[EvidenceKind] = (),
    authority: bytes | None = None,
    request_id: bytes | None = None,
    name: str = CANARY,
) -> Question:
    return Question(
        request_id=RequestId(request_id or secrets.token_bytes(16)),
        act=act(purpose, role, authority),
        youth=Person({"given_name": name, "surname": CANARY_SURNAME, "date_of_birth": "20110719"}),
        evidence=tuple(Evidence(kind=cast(Any, to_wire(each)), reference_commitment=bytes(32)) for each in evidence),
        field_sets=field_sets,
        content=content_digest(b"k" * 32, name.encode(), purpose.encode()),
    )


@dataclass
class Calls:
    """Fills the port with one function."""

    call: Callable[..., Any]


FS1, FS2, FS3 = FieldSet.FS1_FLAG_STATUS, FieldSet.FS2_FLAG_LOCATE, FieldSet.FS3_FLAG_CASEWORK
FS4, FS5, FS6 = FieldSet.FS4_PLACEMENT_SUMMARY, FieldSet.FS5_PLACEMENT_DETAIL, FieldSet.FS6_JURISDICTION_CONTACT
LOCATE = FlagLocate(missing_since_date="2026-11-20", last_seen_county="06075")


def history(*, detail: bool = False) -> PlacementHistory:
    placement = Placement(sequence=1, start_date="2026-01-05", setting_group=SETTING_GROUP_CONGREGATE_CARE)
    if detail:
        placement.setting_code = SETTING_CODE_STRTP
    return PlacementHistory(episodes=[OutOfHomeEpisode(removal_date="2026-01-05", placements=[placement])])


def planning(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "purpose": Purpose.PLACEMENT_PLANNING,
        "role": "CWA.placement_worker",
        "evidence": (EvidenceKind.OPEN_REFERRAL,),
    }
    return question(*changes.pop("sets", (FS5,)), **(given | changes))


def desk_for_flags() -> Desk:
    gateway = FakeGateway()
    gateway.record.flag_locate.CopyFrom(LOCATE)
    gateway.record.flag_casework.CopyFrom(FlagCasework(prior_flag_count=1))
    return Desk(gateway)


def desk_for_history() -> Desk:
    gateway = FakeGateway()
    gateway.record.placement_history.CopyFrom(history(detail=True))
    return Desk(gateway)
