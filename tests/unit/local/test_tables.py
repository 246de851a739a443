"""Tables of the local endpoint: nothing missing, nothing left over, and words that hold no value."""

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

import adapters
from adapters import errors
from adapters.errors import Conflict, ErrorReason, EvidenceInvalid, Exhausted, Invalid, NotFound, Unavailable
from adapters.identity.errors import IncompleteIdentity, InvalidIdentity
from adapters.local import client, methods, status
from adapters.local.wire import birth_date, county_code, moment, page_id, past_day, person
from adapters.node.access_words import field_text, sentence
from adapters.node.errors import HolderFault, HolderUnavailable, Missing, NotReady
from adapters.node.presence import field_sets_present
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.source import SourceUnusable
from adapters.node.translate import county_errors, of_call
from gateway.protocol.directory import KeyUnknown
from gateway.protocol.names import REPORT_IN_ROLES, FieldSet, FlagAct, Purpose, RequestId, Role
from gateway.protocol.outcomes import Reason
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.policy.bundle import load_california
from homeward.county.v1.authority_pb2 import RecordAuthorityRequest
from homeward.county.v1.county_pb2 import YouthIdentity
from homeward.county.v1.missing_pb2 import CheckFlagRequest
from homeward.gateway.v1.codes_pb2 import EXIT_GROUP_PERMANENCY, MOVE_REASON_GROUP_DISRUPTION, SETTING_CODE_STRTP
from homeward.gateway.v1.records_pb2 import OutOfHomeEpisode, Placement, RecordAnswer

AT = datetime(2026, 11, 24, 11, 10, tzinfo=UTC)


def subclasses(kind: type[errors.Error]) -> Iterator[type[errors.Error]]:
    yield kind
    for each in kind.__subclasses__():
        yield from subclasses(each)


def test_every_error_has_a_status() -> None:
    assert set(subclasses(errors.Error)) == set(status.CODES)


def test_a_status_carries_reason_fault_and_field_paths_in_the_countys_domain() -> None:
    made = status.status_of(
        Invalid(ErrorReason.INVALID_REQUEST, fields=("inquiry.youth: required",), fault="X"), CheckFlagRequest
    )
    found = rpc_status.from_call(_as_call(made))
    assert found is not None
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert found.details[0].Unpack(info)
    assert found.details[1].Unpack(bad)
    assert (info.reason, info.domain, dict(info.metadata)) == ("INVALID_REQUEST", "homeward.county", {"fault": "X"})
    assert [(each.field, each.description) for each in bad.field_violations] == [("inquiry.youth", "required")]
    assert found.message == "the request is not valid"


def _as_call(made: Any) -> Any:
    return SimpleNamespace(
        code=lambda: made.code, details=lambda: made.details, trailing_metadata=lambda: made.trailing_metadata
    )


def test_every_reason_is_raised_somewhere() -> None:
    root = Path(adapters.__file__).parent
    used = {
        node.attr
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorReason"
    }
    assert used == set(ErrorReason.__members__)


def test_every_method_has_a_row_and_every_row_a_method() -> None:
    methods.check_complete()
    assert set(methods.request_types()) == set(methods.METHODS)


def test_a_method_without_a_row_keeps_the_server_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(methods.METHODS, "/homeward.county.v1.MissingService/CheckFlag")
    with pytest.raises(methods.MethodTableIncomplete) as caught:
        methods.check_complete()
    assert "CheckFlag" in str(caught.value)


def test_a_row_without_a_method_keeps_the_server_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.METHODS, "/homeward.county.v1.MissingService/Invented", methods.Method(None))
    with pytest.raises(methods.MethodTableIncomplete):
        methods.check_complete()


def test_only_the_adapters_state_is_told_without_a_user() -> None:
    assert [name for name, row in methods.METHODS.items() if row.roles is None] == [
        "/homeward.county.v1.StatusService/GetStatus"
    ]


def test_a_role_that_only_reports_keeps_no_consents_and_reads_no_log() -> None:
    assert methods.KEEPERS.isdisjoint(REPORT_IN_ROLES)
    assert Role("COUNTY.privacy_officer") not in methods.KEEPERS


# --- from what stops the node to what a county system is told


@pytest.mark.parametrize("fault", CallFault)
def test_every_failed_call_has_an_error_of_the_county(fault: CallFault) -> None:
    made = of_call(CallFailed(fault, "A_REASON_NOBODY_KNOWS"))
    assert type(made) in status.CODES
    assert made.fault == fault


def test_what_a_peer_calls_its_reason_is_passed_on_from_a_closed_list_only() -> None:
    fields = ("released_key: opens", "payload.name: Zanzibarina Quetzalovich")
    assert of_call(CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=fields)).fields == ("release: opens",)
    made = of_call(CallFailed(CallFault.REFUSED, "Zanzibarina Quetzalovich"))
    assert "Zanzibarina" not in f"{made!r}{made.fault}{made.fields}"
    assert of_call(CallFailed(CallFault.REFUSED, "NOT_FLAG_OWNER")).fault == "NOT_FLAG_OWNER"


def test_what_the_exchange_says_of_a_field_reaches_the_county_system_under_its_own_name() -> None:
    said = ("subject_handle: required", "learn_time: past", "locate_time: too long ago", "duties.done_time: timestamp")
    told = of_call(CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=said))
    assert told.fields == ("local_id: required for a youth of this agency, else of_another_agency", *said[1:])
    # That it is invalid is the reason already.
    assert told.fault == ""


STOPS: dict[str, tuple[Exception, type[errors.Error], ErrorReason]] = {
    "reused": (CallFailed(CallFault.REFUSED, "ID_REUSED"), Conflict, ErrorReason.ID_REUSED),
    "refetch": (CallFailed(CallFault.REFUSED, "EXPIRED_REFETCH"), Conflict, ErrorReason.EXPIRED_REFETCH),
    "no flag": (CallFailed(CallFault.REFUSED, "FLAG_NOT_FOUND"), NotFound, ErrorReason.FLAG_NOT_FOUND),
    "not its owner": (CallFailed(CallFault.REFUSED, "NOT_FLAG_OWNER"), NotFound, ErrorReason.FLAG_NOT_FOUND),
    "no authority": (CallFailed(CallFault.REFUSED, "AUTHORITY_NOT_FOUND"), NotFound, ErrorReason.AUTHORITY_NOT_FOUND),
    "budget": (CallFailed(CallFault.EXHAUSTED, "BUDGET_EXHAUSTED"), Exhausted, ErrorReason.BUDGET_EXHAUSTED),
    "queue": (CallFailed(CallFault.EXHAUSTED, "OVERLOADED"), Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    "transport": (CallFailed(CallFault.EXHAUSTED), Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    "holder's queue": (
        HolderUnavailable((HolderFault("auditor", CallFault.EXHAUSTED, "OVERLOADED"),)),
        Unavailable,
        ErrorReason.GATEWAY_UNAVAILABLE,
    ),
    "day spent": (CallFailed(CallFault.EXHAUSTED, "QUESTIONS_EXHAUSTED"), Exhausted, ErrorReason.QUESTIONS_EXHAUSTED),
    "held": (CallFailed(CallFault.EXHAUSTED, "LOOKUPS_HELD"), Exhausted, ErrorReason.LOOKUPS_HELD),
    "no directory": (NotReady(Missing.DIRECTORY), Unavailable, ErrorReason.NOT_READY),
    "not in the caseload": (NotReady(Missing.SUBJECT), NotFound, ErrorReason.YOUTH_NOT_IN_CASELOAD),
    "no holder": (
        HolderUnavailable((HolderFault("auditor", CallFault.TIMED_OUT, ""),)),
        Unavailable,
        ErrorReason.GATEWAY_UNAVAILABLE,
    ),
    "a holder's budget": (
        HolderUnavailable((HolderFault("auditor", CallFault.EXHAUSTED, "BUDGET_EXHAUSTED"),)),
        Exhausted,
        ErrorReason.BUDGET_EXHAUSTED,
    ),
    "own source": (SourceUnusable(), Unavailable, ErrorReason.SOURCE_UNAVAILABLE),
    "unknown key": (KeyUnknown(), Unavailable, ErrorReason.NOT_READY),
    "incomplete": (IncompleteIdentity(("date_of_birth",)), Invalid, ErrorReason.IDENTITY_INCOMPLETE),
    "too long": (InvalidIdentity(("surname",)), Invalid, ErrorReason.INVALID_REQUEST),
    "malformed answer": (MalformedMessage("answer"), EvidenceInvalid, ErrorReason.EVIDENCE_INVALID),
}


def test_a_command_says_at_every_reason_what_to_do() -> None:
    assert set(client.FIXES) == set(client.CAUSES) == {reason.value for reason in ErrorReason}


@pytest.mark.parametrize("name", STOPS)
def test_what_stops_the_node_is_told_with_its_reason(name: str) -> None:
    stop, kind, reason = STOPS[name]
    with pytest.raises(errors.Error) as caught, county_errors():
        raise stop
    assert (type(caught.value), caught.value.reason) == (kind, reason)


def test_the_missing_part_of_an_identity_is_named_by_its_place_in_the_request() -> None:
    with pytest.raises(Invalid) as caught, county_errors():
        raise IncompleteIdentity(("given_name", "date_of_birth"))
    assert caught.value.fields == (
        "youth.given_name: required, with a letter",
        "youth.birth_date: required, a day that is past",
    )


# --- reading and telling


@pytest.mark.parametrize("broken", [Timestamp(seconds=1 << 40), Timestamp(nanos=-1), Timestamp(seconds=-(1 << 40))])
def test_a_time_that_is_none_is_refused_by_its_name(broken: Timestamp) -> None:
    with pytest.raises(Invalid) as caught:
        moment(broken, "learn_time")
    assert caught.value.fields == ("learn_time: timestamp",)


def test_a_day_that_has_not_begun_anywhere_is_refused_by_its_name() -> None:
    now = datetime(2026, 11, 20, 0, 30, tzinfo=UTC)
    assert past_day("2026-11-20", "since", now) == date(2026, 11, 20)
    for text, rule in (("2026-11-21", "past"), ("2026-02-30", "day of the calendar"), ("", "day of the calendar")):
        with pytest.raises(Invalid) as caught:
            past_day(text, "since", now)
        assert caught.value.fields == (f"since: {rule}",)


@pytest.mark.parametrize("code", ["", "06001", "06115", "32003", "51510", "56045", "72001"])
def test_a_county_of_any_state_is_a_county_and_may_be_left_out(code: str) -> None:
    assert county_code(code, "where") == code


@pytest.mark.parametrize(
    "code", ["00000", "99999", "06000", "06002", "06117", "03001", "07001", "52001", "57001", "32000", "6037", "٠٦٠٣٧"]
)
def test_a_code_that_no_county_has_is_refused_by_its_name(code: str) -> None:
    with pytest.raises(Invalid) as caught:
        county_code(code, "where")
    assert caught.value.fields == ("where: a county's FIPS code",)


@pytest.mark.parametrize("text", ["2011-02-30", "1899-12-31", "0001-01-01", "2011-13-01", "2026-11-21", "2091-07-19"])
def test_a_birth_date_that_is_no_day_of_the_past_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        birth_date(YouthIdentity(birth_date=text), datetime(2026, 11, 20, 23, tzinfo=UTC))
    error = caught.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert text not in f"{error!r}{error.fields}"


def test_an_identity_is_read_in_the_form_tokens_are_made_from() -> None:
    youth = YouthIdentity(given_name="Inventa", surname="Fictiva", birth_date="2011-07-19")
    youth.aliases.add(given_name="Inventita", surname="Fictiva")
    read = person(youth, datetime(2026, 11, 20, tzinfo=UTC))
    said = {name: value for name, value in read.identity.items() if value is not None}
    assert said == {"given_name": "Inventa", "surname": "Fictiva", "date_of_birth": "20110719"}
    assert read.aliases == ({"given_name": "Inventita", "surname": "Fictiva"},)
    assert "Inventa" not in repr(read)


@given(st.binary(min_size=16, max_size=16), st.integers(2, 999), st.integers(2, 999))
def test_every_page_has_an_identifier_of_its_own_that_a_retry_repeats(raw: bytes, one: int, other: int) -> None:
    first = RequestId(raw)
    assert page_id(first, 1, key=b"k" * 32) == first
    assert page_id(first, one, key=b"k" * 32) == page_id(first, one, key=b"k" * 32)
    assert (page_id(first, one, key=b"k" * 32) == page_id(first, other, key=b"k" * 32)) == (one == other)
    assert page_id(first, one, key=b"k" * 32)[:7] == raw[:7]


DETAIL = {
    "setting code": Placement(setting_code=SETTING_CODE_STRTP),
    "move reason": Placement(move_reason_group=MOVE_REASON_GROUP_DISRUPTION),
    "relationship": Placement(caregiver_relationship_group=cast(Any, 1)),
}


@pytest.mark.parametrize("name", DETAIL)
def test_one_detailed_field_makes_a_summary_a_detail(name: str) -> None:
    answer = RecordAnswer()
    answer.placement_history.episodes.add(removal_date="2026-01-05", placements=[Placement(sequence=1)])
    assert field_sets_present(answer) == {FieldSet.FS4_PLACEMENT_SUMMARY}
    answer.placement_history.episodes[0].placements[0].MergeFrom(DETAIL[name])
    assert FieldSet.FS5_PLACEMENT_DETAIL in field_sets_present(answer)


@pytest.mark.parametrize(
    "episodes",
    [
        [OutOfHomeEpisode(), OutOfHomeEpisode()],
        [OutOfHomeEpisode(exit_date="2026-02-01")],
        [OutOfHomeEpisode(exit_group=EXIT_GROUP_PERMANENCY)],
    ],
)
def test_an_earlier_or_ended_episode_is_a_detail(episodes: list[OutOfHomeEpisode]) -> None:
    answer = RecordAnswer()
    answer.placement_history.episodes.extend(episodes)
    assert FieldSet.FS5_PLACEMENT_DETAIL in field_sets_present(answer)


def test_an_answer_without_fields_shows_nothing() -> None:
    assert field_sets_present(RecordAnswer()) == frozenset()


def test_an_entry_is_told_with_what_is_open_and_guesses_at_nothing() -> None:
    assert sentence({}, AT) == "2026-11-24 11:10:00 UTC: an entry was written."
    said = {
        "kind": b"access.decision",
        "requester": b"06077.pd",
        "purpose": b"MFC_HANDOFF",
        "worker": b"abc LEA.patrol",
        "decision": b"ALLOW",
        "outcome": b"ANSWERED",
        "fields": b"FS0,FS1 STATUTE ACCOUNT,REVIEW_5_BUSINESS_DAYS",
    }
    assert sentence(said, AT) == (
        "2026-11-24 11:10:00 UTC: a question was decided, by 06077.pd LEA.patrol (worker abc), "
        'for "A youth is in front of me: who is responsible?"; '
        "allowed; the requester was told ANSWERED; given: FS0, FS1 on the basis STATUTE; "
        "left to county staff: it is reviewed in writing within 5 business days."
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_can_be_told(reason: Reason) -> None:
    told = sentence({"kind": b"access.decision", "decision": b"DENY", "reason": reason.encode()}, AT)
    assert "; denied; because: " in told


@given(st.text("abcdefghij", min_size=1, max_size=8), st.binary(max_size=64))
def test_a_field_is_always_printable_text(name: str, value: bytes) -> None:
    assert field_text(name, value).isprintable()


def test_whoever_the_policy_lets_review_may_ask_the_adapter_and_nobody_else() -> None:
    rules = [rule for rule in load_california().rules if rule.purpose is Purpose.OVERSIGHT_AUDIT]
    assert methods.METHODS["/homeward.county.v1.AccessLogService/ListAccesses"].roles == methods.REVIEWERS
    assert {role for rule in rules for role in rule.roles} == methods.REVIEWERS


@pytest.mark.parametrize("name", ["evidence_commitment", "language_version_hash", "copy_given_to_youth"])
def test_what_a_consent_lacks_is_named_as_the_county_wrote_it(name: str) -> None:
    said = of_call(CallFailed(CallFault.REFUSED, "AUTHORITY_INVALID", fields=(f"authority.{name}: required",)))
    (field,) = said.fields
    path, _, rule = field.partition(": ")
    assert path in RecordAuthorityRequest.DESCRIPTOR.fields_by_name
    assert rule == "required for a consent"


@pytest.mark.parametrize(
    ("method", "acts"),
    [
        ("RaiseFlag", {FlagAct.KEEP_OWN_FLAG, FlagAct.REPORT_MISSING}),
        ("UpdateFlag", {FlagAct.KEEP_OWN_FLAG}),
        ("ReportLocated", {FlagAct.REPORT_LOCATED}),
        ("ResolveFlag", {FlagAct.KEEP_OWN_FLAG, FlagAct.REPORT_LOCATED}),
    ],
)
def test_the_adapter_turns_away_early_exactly_who_could_say_it_for_no_purpose(method: str, acts: set[FlagAct]) -> None:
    may = {role for (act, _), roles in load_california().flag_act_roles.items() if act in acts for role in roles}
    assert methods.METHODS[f"/homeward.county.v1.MissingService/{method}"].roles == may
