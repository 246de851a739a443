"""What an answer of the exchange is worth: every check before a county system sees any of it. Pure.

    flag      receipt -> outcome -> the owner's own signed statement -> duty line from the signed directory
    records   receipts -> outcome -> granted within asked -> source's signature and seal -> fields within granted

Decides that an answer counts, or `EvidenceInvalid`; never repairs one. The gateway's word alone is not enough for
anything that tells somebody about a youth: a flag is the owner's statement, a record carries the source's signature, a
telephone number stands in the directory that gateway and custodian signed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.errors import EvidenceInvalid
from adapters.node.presence import field_sets_present
from adapters.node.receipts import Expected, Kept, check_receipt, closed
from adapters.node.succession import log_of
from gateway.protocol.decide import Decision
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    AgencyId,
    FieldSet,
    FlagState,
    HandlingCode,
    NameSyntaxError,
    Notice,
    Obligation,
    county_of,
    parse_agency_id,
)
from gateway.protocol.outcomes import Outcome, notices_of
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.policy.duties import Side, county_duties
from gateway.protocol.policy.fieldsets import mask_of, members
from gateway.protocol.sealing import SealBroken, SealContext, SealKey, open_record
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.directory_pb2 import KEY_USE_RECORD
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import (
    CheckFlagResponse,
    FlagAnswer,
    FlagStatement,
    RequestRecordsResponse,
    SealedRecord,
)
from homeward.gateway.v1.records_pb2 import RecordAnswer

DECISION: Final = frozenset({"access.decision"})
OUTCOME: Final = frozenset({"access.outcome"})
LEEWAY: Final = timedelta(minutes=5)
"""A statement may be this much ahead of this machine's clock."""

_REQUEST_OUTCOMES: Final = frozenset(
    {
        Outcome.ANSWERED,
        Outcome.UNDETERMINED,
        Outcome.NOT_PERMITTED,
        Outcome.REPORT_IN_ONLY,
        Outcome.EVIDENCE_NEEDED,
        Outcome.CONSENT_NEEDED,
        Outcome.AUTHORITY_NEEDED,
    }
)
FLAG_OUTCOMES: Final = _REQUEST_OUTCOMES | {Outcome.NO_ACTIVE_FLAG_FOUND}
RECORD_OUTCOMES: Final = _REQUEST_OUTCOMES | {
    Outcome.NO_DISCLOSABLE_RECORD,
    Outcome.CONSENT_REVOKED,
    Outcome.SOURCE_UNAVAILABLE,
}


class OverDisclosed(Exception):
    """A sealed answer holds a field outside its grant. Nothing of it is used."""


class BindingFailed(Exception):
    """A sealed answer is not what its context says. Nothing of it is used."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer must fit."""

    agency: AgencyId
    digest: bytes
    """SHA-256 of the exact request bytes."""
    field_sets: tuple[FieldSet, ...]
    here: Decision
    """What the policy says of the request alone, decided here."""
    binding: bool
    """Whether that is the whole of it: a named authority is known to the gateway only."""
    now: datetime


@dataclass(frozen=True, slots=True)
class FlagResult:
    """Flag status as a county system may see it."""

    outcome: Outcome
    notices: tuple[Notice, ...]
    handling_code: HandlingCode
    duty_line: str
    """E.164: of the owner's county with a flag, else the caller's own hotline."""
    county: str = ""
    flag_id: bytes = b""
    flag_state: FlagState | None = None
    stale_counties: tuple[str, ...] = ()
    receipt: Kept | None = None
    """None where nothing left the county."""
    duties: tuple[Obligation, ...] = ()
    """What is left to the county's own staff."""


@dataclass(frozen=True, slots=True)
class RecordResult:
    """One page of records as a county system may see it."""

    outcome: Outcome
    notices: tuple[Notice, ...]
    source: str = ""
    answer: RecordAnswer | None = field(default=None, repr=False)
    granted: tuple[FieldSet, ...] = ()
    stale_counties: tuple[str, ...] = ()
    decision: Kept | None = None
    release: Kept | None = None
    duties: tuple[Obligation, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A permitted answer that is still sealed, with all it is bound to."""

    source: AgencyId
    record: SealedRecord = field(repr=False)
    context: SealContext
    source_key: bytes


def check_flag(response: CheckFlagResponse, asked: Asked, directory: DirectoryView) -> FlagResult:
    """The flag status, after everything this module decides held. Raises `EvidenceInvalid`."""
    answer = response.answer
    outcome = _outcome(answer.outcome, asked, FLAG_OUTCOMES)
    _check_policy(answer.policy_version, directory)
    receipt = check_receipt(response.receipt, log_of(directory), Expected(DECISION, asked.digest, outcome))
    notices = _notices(answer.notices, outcome)
    if outcome is not Outcome.ANSWERED:
        return negative(asked.agency, directory, outcome, notices=notices, stale=_stale(answer.stale_counties, outcome),
                        receipt=receipt)  # fmt: skip
    statement = open_statement(answer.flag_statement, directory, asked.now)
    if asked.now >= statement.expire_time.ToDatetime(UTC):
        # The owner has not re-affirmed it: neither a flag to act on nor a negative. Its county is named, and called.
        return negative(asked.agency, directory, Outcome.UNDETERMINED, notices=(Notice.NOT_A_CLEARANCE,),
                        stale=(statement.county,), receipt=receipt)  # fmt: skip
    return FlagResult(
        outcome=outcome,
        notices=notices,
        handling_code=from_wire(HandlingCode, statement.handling_code),
        duty_line=directory.county(statement.county).duty_line,
        county=statement.county,
        flag_id=statement.flag_id,
        flag_state=_flag_state(answer, statement),
        receipt=receipt,
        duties=_duties(answer.duties),
    )


def negative(
    agency: AgencyId,
    directory: DirectoryView,
    outcome: Outcome,
    *,
    notices: tuple[Notice, ...],
    stale: tuple[str, ...] = (),
    receipt: Kept | None = None,
) -> FlagResult:
    """Every flag answer without a flag: one shape, and the caller's own hotline to call."""
    return FlagResult(
        outcome=outcome,
        notices=notices,
        handling_code=HandlingCode.CALL_OWN_COUNTY_HOTLINE,
        duty_line=directory.county(county_of(agency)).hotline,
        stale_counties=stale,
        receipt=receipt,
    )


def open_statement(envelope: SignedEnvelope, directory: DirectoryView, at: datetime) -> FlagStatement:
    """The owner's statement: signed by a flag key of the county it names, about an open flag; possibly expired.

    Raises `EvidenceInvalid`.
    """
    for county in directory.counties():
        try:
            public_key = directory.flag_key(county.fips, envelope.key_id, at)
            statement = unwrap(envelope, FlagStatement, public_key)
        except KeyUnknown:
            continue
        except (SignatureInvalid, MalformedMessage) as exc:
            raise EvidenceInvalid("statement") from exc
        if statement.county != county.fips:
            raise EvidenceInvalid("statement_county")
        if at < statement.issue_time.ToDatetime(UTC) - LEEWAY:
            raise EvidenceInvalid("statement_time")
        if from_wire(FlagState, statement.state) not in OPEN_FLAG_STATES:
            raise EvidenceInvalid("statement_state")
        return statement
    raise EvidenceInvalid("statement_key")


def check_records(
    response: RequestRecordsResponse, asked: Asked, directory: DirectoryView, *, recipient_key_id: bytes, page: int
) -> tuple[RecordResult, Sealed | None]:
    """The result without its content, and the content still sealed where there is one. Raises `EvidenceInvalid`."""
    outcome = _outcome(response.outcome, asked, RECORD_OUTCOMES)
    _check_policy(response.policy_version, directory)
    decided = Expected(DECISION, asked.digest, None if _may_change(outcome) else outcome)
    decision = check_receipt(response.decision_receipt, log_of(directory), decided)
    # A refusal by the request alone has one leaf; everything after it has two, known youth or not.
    release = None
    if response.HasField("release_receipt"):
        release = check_receipt(response.release_receipt, log_of(directory), Expected(OUTCOME, asked.digest, outcome))
        if release.opened.get("decided", b"") != str(decision.index).encode():
            raise EvidenceInvalid("receipt_decision")
    elif outcome in (Outcome.ANSWERED, Outcome.NO_DISCLOSABLE_RECORD):
        raise EvidenceInvalid("receipt_release")
    result = RecordResult(
        outcome=outcome,
        notices=_notices(response.notices, outcome),
        stale_counties=_stale(response.stale_counties, outcome),
        source=_source(response, outcome),
        granted=_granted(response, asked) if outcome is Outcome.ANSWERED else (),
        decision=decision if release is None or outcome is Outcome.ANSWERED else closed(decision),
        release=release,
        duties=_duties(response.duties) if outcome is Outcome.ANSWERED else (),
    )
    if outcome is not Outcome.ANSWERED or release is None:
        return result, None
    return result, _sealed(response, result, asked, directory, recipient_key_id=recipient_key_id, page=page)


def open_sealed(sealed: Sealed, seal_key: SealKey) -> RecordAnswer:
    """The source's answer, every field within its grant. Raises `BindingFailed`, `OverDisclosed`."""
    try:
        answer = open_record(sealed.record, context=sealed.context, seal_key=seal_key, source_key=sealed.source_key)
    except SealBroken as exc:
        raise BindingFailed from exc
    granted = frozenset(sealed.context.field_sets)
    stated = {from_wire(FieldSet, number) for number in answer.field_sets}
    if not (field_sets_present(answer) | stated) <= granted:
        raise OverDisclosed
    return answer


def _sealed(
    response: RequestRecordsResponse,
    result: RecordResult,
    asked: Asked,
    directory: DirectoryView,
    *,
    recipient_key_id: bytes,
    page: int,
) -> Sealed:
    record = response.sources[0].sealed_record
    source = AgencyId(result.source)
    if record.recipient_key_id != recipient_key_id or result.decision is None or result.release is None:
        raise EvidenceInvalid("record_recipient")
    if result.release.opened.get("sealed") != hashlib.sha256(record.sealed).digest():
        raise EvidenceInvalid("receipt_sealed")
    try:
        source_key = directory.key(source, KEY_USE_RECORD, record.source_key_id, asked.now)
    except KeyUnknown as exc:
        raise EvidenceInvalid("record_key") from exc
    context = SealContext(
        request_digest=asked.digest,
        pairwise_handle=response.pairwise_handle,
        requester=asked.agency,
        source=source,
        field_sets=result.granted,
        recipient_key_id=recipient_key_id,
        page=page,
        decision_index=result.decision.index,
    )
    return Sealed(source, record, context, source_key)


def _outcome(number: int, asked: Asked, allowed: frozenset[Outcome]) -> Outcome:
    outcome = from_wire(Outcome, number)
    if outcome not in allowed:
        raise EvidenceInvalid("outcome")
    # One rule, run three times: what this adapter's own policy refuses cannot come back permitted.
    if asked.binding and not asked.here.permit and outcome is not asked.here.outcome:
        raise EvidenceInvalid("policy")
    return outcome


def _may_change(outcome: Outcome) -> bool:
    """Whether the decision's own leaf may say something else: a permit that was withdrawn before anything left."""
    return outcome in (
        Outcome.NO_DISCLOSABLE_RECORD,
        Outcome.UNDETERMINED,
        Outcome.SOURCE_UNAVAILABLE,
        Outcome.CONSENT_REVOKED,
        Outcome.AUTHORITY_NEEDED,
    )


def _check_policy(version: str, directory: DirectoryView) -> None:
    if version != directory.message.policy_version:
        raise EvidenceInvalid("policy_version")


def _notices(numbers: Iterable[int], outcome: Outcome) -> tuple[Notice, ...]:
    return tuple(dict.fromkeys((*notices_of(outcome), *(from_wire(Notice, number) for number in numbers))))


def _duties(numbers: Iterable[int]) -> tuple[Obligation, ...]:
    """Duties of the asking county's staff; a gateway cannot make a task of what is none."""
    return county_duties((from_wire(Obligation, number) for number in numbers), Side.ASKING)


def _stale(counties: Iterable[str], outcome: Outcome) -> tuple[str, ...]:
    return tuple(counties) if outcome is Outcome.UNDETERMINED else ()


def _flag_state(answer: FlagAnswer, statement: FlagStatement) -> FlagState:
    stated, known = from_wire(FlagState, statement.state), from_wire(FlagState, answer.flag_state)
    # The exchange may know of a report the owner has not taken up; it may not end a flag the owner keeps open.
    if known not in (stated, FlagState.LOCATED_PENDING):
        raise EvidenceInvalid("flag_state")
    return known


def _source(response: RequestRecordsResponse, outcome: Outcome) -> str:
    if outcome not in (Outcome.ANSWERED, Outcome.SOURCE_UNAVAILABLE):
        # Whatever a gateway says of a source in a refusal is not shown: every refusal looks the same.
        return ""
    if len(response.sources) != 1:
        raise EvidenceInvalid("sources")
    try:
        return parse_agency_id(response.sources[0].agency)
    except NameSyntaxError as exc:
        raise EvidenceInvalid("sources") from exc


def _granted(response: RequestRecordsResponse, asked: Asked) -> tuple[FieldSet, ...]:
    granted = members(mask_of(from_wire(FieldSet, number) for number in response.field_sets))
    allowed = asked.field_sets if not asked.binding else asked.here.field_sets
    if not frozenset(granted) <= frozenset(members(mask_of(allowed))):
        raise EvidenceInvalid("granted")
    return granted


FIELD_OF: Final[Mapping[FieldSet, str]] = {
    FieldSet.FS2_FLAG_LOCATE: "RECORD_FIELD_FLAG_LOCATE",
    FieldSet.FS3_FLAG_CASEWORK: "RECORD_FIELD_FLAG_CASEWORK",
    FieldSet.FS4_PLACEMENT_SUMMARY: "RECORD_FIELD_PLACEMENT_SUMMARY",
    FieldSet.FS5_PLACEMENT_DETAIL: "RECORD_FIELD_PLACEMENT_DETAIL",
    FieldSet.FS6_JURISDICTION_CONTACT: "RECORD_FIELD_JURISDICTION_CONTACT",
}
"""The record field that stands for a whole field set."""
