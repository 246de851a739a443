"""The caller's side of a disclosure: what leaves, what is believed, and what is never shown."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select

from adapters.errors import Conflict, ErrorReason, EvidenceInvalid, Unavailable
from adapters.node import store as tables
from adapters.node.request import Page
from adapters.node.rpcs import CallFailed, CallFault
from audit.receipt import parse_receipt
from gateway.protocol.names import EvidenceKind, FieldSet, FlagState, HandlingCode, Notice, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.protocol.policy.facts import Located, YouthFacts
from gateway.protocol.sealing import SealContext
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1.codes_pb2 import SETTING_CODE_STRTP, SETTING_GROUP_CONGREGATE_CARE
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate, OutOfHomeEpisode, Placement, PlacementHistory
from tests.unit.local.exchange import (
    CANARY,
    CANARY_SURNAME,
    KNOWN,
    UNKNOWN,
    Desk,
    FakeGateway,
    question,
    statement,
)
from tests.unit.node.world import FLAG, NOW, directory, keys, receipt_of, stamp

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


async def test_a_flag_is_told_with_the_owners_duty_line_from_the_signed_directory() -> None:
    desk = Desk()
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.outcome is Outcome.ANSWERED
    assert (result.county, result.duty_line) == ("06075", "+14155550100")
    assert (result.flag_id, result.flag_state) == (FLAG, FlagState.ACTIVE)
    assert result.handling_code is HandlingCode.CALL_DUTY_LINE
    assert result.receipt is not None
    assert result.receipt.opened["request"] == hashlib.sha256(desk.gateway.calls[0][1]).digest()


async def test_every_negative_has_one_shape_and_the_callers_own_hotline() -> None:
    shapes = []
    for youth in (UNKNOWN, replace(KNOWN, flag=None), YouthFacts(located=Located.AMBIGUOUS, coverage_complete=True)):
        desk = Desk(FakeGateway(youth=youth))
        result = await desk.requester().ask_flag(
            question(FS1, evidence=(EvidenceKind.REPORT_BEING_FILED,)), desk.deadline()
        )
        assert result.receipt is not None
        shapes.append((replace(result, receipt=None), sorted(result.receipt.opened)))
    assert shapes[0] == shapes[1] == shapes[2]
    assert shapes[0][0].outcome is Outcome.NO_ACTIVE_FLAG_FOUND
    assert shapes[0][0].duty_line == "+16615550100"
    assert Notice.NOT_A_CLEARANCE in shapes[0][0].notices


async def test_a_stale_county_makes_the_answer_undetermined_and_is_named() -> None:
    desk = Desk(FakeGateway(youth=replace(UNKNOWN, coverage_complete=False)))
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert (result.outcome, result.stale_counties) == (Outcome.UNDETERMINED, ("06037",))
    assert Notice.NOT_A_CLEARANCE in result.notices


async def test_a_refusal_by_policy_is_sent_so_that_it_is_on_record() -> None:
    desk = Desk()
    result = await desk.requester().ask_records(planning(role="CWA.hotline_screener"), Page(), desk.deadline())
    assert result.outcome is Outcome.NOT_PERMITTED
    assert len(desk.gateway.calls) == 1
    assert result.decision is not None
    assert result.decision.opened["outcome"] == b"NOT_PERMITTED"


async def test_a_shelters_question_without_consent_never_leaves_the_county() -> None:
    desk = Desk()
    asked = question(FS1, purpose=Purpose.VOLUNTARY_SHELTER, role="SHELTER.yhpc_intake")
    result = await desk.requester().ask_flag(asked, desk.deadline())
    assert result.outcome in (Outcome.CONSENT_NEEDED, Outcome.NOT_PERMITTED)
    assert result.receipt is None
    assert desk.gateway.calls == []
    assert desk.tokens.people == []
    with desk.store.read() as connection:
        (row,) = connection.execute(select(tables.local_event)).all()
    assert (row.kind, row.purpose) == ("access.refused_here", "VOLUNTARY_SHELTER")
    assert CANARY not in repr(row)


async def test_a_shelters_question_that_names_a_consent_is_sent() -> None:
    desk = Desk()
    asked = question(FS1, purpose=Purpose.VOLUNTARY_SHELTER, role="SHELTER.yhpc_intake", authority=bytes(16))
    result = await desk.requester().ask_flag(asked, desk.deadline())
    assert len(desk.gateway.calls) == 1
    assert result.outcome is not Outcome.ANSWERED


async def test_a_permit_of_what_this_countys_policy_refuses_is_not_believed() -> None:
    desk = Desk(FakeGateway(decides=lambda refused: replace(refused, permit=True, outcome=Outcome.ANSWERED)))
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_flag(
            question(FS1, purpose=Purpose.MFC_HANDOFF, role="CWA.case_worker"), desk.deadline()
        )
    assert caught.value.fault == "policy"


async def test_the_request_is_durable_before_it_is_sent() -> None:
    desk, seen = Desk(), []
    real = desk.gateway.call

    async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
        with desk.store.read() as connection:
            seen.append(connection.execute(select(tables.request.c.payload)).scalar_one() == request.payload)
        return await real(rpc, request, seconds=seconds)

    requester = desk.requester()
    requester = replace(requester, sender=replace(requester.sender, gateway=_Calls(call)))
    await requester.ask_flag(question(FS1), desk.deadline())
    assert seen == [True]


class _Calls:
    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call


async def test_only_an_unreachable_gateway_is_asked_again_with_the_same_bytes_and_a_fresh_assertion() -> None:
    desk = Desk(FakeGateway(unreachable=3))
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.outcome is Outcome.ANSWERED
    assert len(desk.pauses) == 3
    assert all(0 <= pause <= 2.0 for pause in desk.pauses)


async def test_a_question_with_the_same_identifier_sends_the_same_bytes_and_makes_no_new_tokens() -> None:
    desk, identifier = Desk(), bytes(range(16))
    for _ in range(2):
        await desk.requester().ask_flag(question(FS1, request_id=identifier), desk.deadline())
    (_, first, one), (_, second, other) = desk.gateway.calls
    assert first == second
    assert one.assertion_id != other.assertion_id
    assert len(desk.tokens.people) == 1


async def test_the_same_identifier_with_another_youth_is_refused_before_anything_leaves() -> None:
    desk, identifier = Desk(), bytes(range(16))
    await desk.requester().ask_flag(question(FS1, request_id=identifier), desk.deadline())
    with pytest.raises(Conflict) as caught:
        await desk.requester().ask_flag(question(FS1, request_id=identifier, name="Otheria"), desk.deadline())
    assert caught.value.reason is ErrorReason.ID_REUSED
    assert len(desk.gateway.calls) == 1


async def test_a_gateway_that_stays_away_is_no_negative() -> None:
    desk = Desk(FakeGateway(unreachable=1000))
    with pytest.raises(Unavailable) as caught:
        await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert caught.value.reason is ErrorReason.GATEWAY_UNAVAILABLE


async def test_a_refused_call_is_not_repeated() -> None:
    desk = Desk()
    tries = []

    async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
        tries.append(rpc.path)
        raise CallFailed(CallFault.TIMED_OUT)

    requester = desk.requester()
    requester = replace(requester, sender=replace(requester.sender, gateway=_Calls(call)))
    with pytest.raises(Unavailable):
        await requester.ask_flag(question(FS1), desk.deadline())
    assert len(tries) == 1


# --- a flag answer with one thing changed


def _receipt(edit: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda response: edit(response.receipt)


def _flip(name: str) -> Callable[[Any], None]:
    def flip(receipt: Any) -> None:
        raw = bytearray(getattr(receipt, name))
        raw[-1] ^= 1
        setattr(receipt, name, bytes(raw))

    return flip


FLAG_TAMPERING: dict[str, tuple[Callable[[FakeGateway], None], str]] = {
    "leaf": (lambda at: _after(at, _receipt(_flip("leaf"))), "receipt"),
    "digests": (lambda at: _after(at, _receipt(_flip("digests"))), "receipt"),
    "path": (lambda at: _after(at, _receipt(_flip_hash)), "receipt"),
    "index": (lambda at: _after(at, _receipt(_next_index)), "receipt"),
    "opening": (lambda at: _after(at, _receipt(_change_opening)), "receipt"),
    "checkpoint of another key": (lambda at: _after(at, _receipt(_other_log)), "receipt"),
    "no receipt": (lambda at: _after(at, lambda response: response.ClearField("receipt")), "receipt"),
    "leaf of another kind": (lambda at: _leaf(at, kind=b"access.receipt"), "receipt_kind"),
    "leaf about another request": (lambda at: _leaf(at, request=bytes(32)), "receipt_request"),
    "leaf with another outcome": (lambda at: _leaf(at, outcome=b"NO_ACTIVE_FLAG_FOUND"), "receipt_outcome"),
    "outcome hidden": (lambda at: _after(at, _hide_outcome), "receipt_outcome"),
    "statement signed by another": (lambda at: _statement(at, key=SigningKey.generate()), "statement_key"),
    "statement of another county": (lambda at: _statement(at, county="06037"), "statement_county"),
    "statement expired": (lambda at: _statement(at, expire_time=stamp(NOW)), "statement_time"),
    "statement from the future": (
        lambda at: _statement(at, issue_time=stamp(NOW + timedelta(hours=1))),
        "statement_time",
    ),
    "statement of a resolved flag": (
        lambda at: _statement(at, state=to_wire(FlagState.RESOLVED)),
        "statement_state",
    ),
    "statement altered": (lambda at: _after(at, _alter_statement), "statement"),
    "flag ended by the gateway": (lambda at: _after(at, _end_flag), "flag_state"),
    "another policy": (lambda at: _after(at, _other_policy), "policy_version"),
    "an outcome no flag check has": (lambda at: _after(at, _record_outcome), "outcome"),
    "no outcome": (lambda at: _after(at, lambda response: response.answer.ClearField("outcome")), "answer_malformed"),
}


def _after(gateway: FakeGateway, edit: Callable[[Any], None]) -> None:
    gateway.after = edit


def _leaf(gateway: FakeGateway, **said: bytes) -> None:
    gateway.edit_leaf = lambda fields: fields.update(said)


def _statement(gateway: FakeGateway, **changes: Any) -> None:
    gateway.flag_statement = statement(**changes)


def _flip_hash(receipt: Any) -> None:
    receipt.inclusion_hashes[0] = bytes(32)


def _next_index(receipt: Any) -> None:
    receipt.index += 1


def _change_opening(receipt: Any) -> None:
    next(each for each in receipt.openings if each.name == "outcome").value = b"CONSENT_NEEDED"


def _other_log(receipt: Any) -> None:
    lines = receipt.checkpoint.split("\n")
    lines[1] = str(int(lines[1]) + 1)
    receipt.checkpoint = "\n".join(lines)


def _hide_outcome(response: Any) -> None:
    kept = [each for each in response.receipt.openings if each.name != "outcome"]
    del response.receipt.openings[:]
    response.receipt.openings.extend(kept)


def _alter_statement(response: Any) -> None:
    response.answer.flag_statement.payload += b"\x08\x01"


def _end_flag(response: Any) -> None:
    response.answer.flag_state = to_wire(FlagState.RESOLVED)


def _other_policy(response: Any) -> None:
    response.answer.policy_version = "california-2030-01"


def _record_outcome(response: Any) -> None:
    response.answer.outcome = to_wire(Outcome.NO_DISCLOSABLE_RECORD)


@pytest.mark.parametrize("name", FLAG_TAMPERING)
async def test_a_flag_answer_with_one_thing_changed_is_refused_whole(name: str) -> None:
    change, fault = FLAG_TAMPERING[name]
    desk = Desk()
    change(desk.gateway)
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert caught.value.fault == fault
    with desk.store.read() as connection:
        assert connection.execute(select(tables.receipt)).all() == []


async def test_a_located_flag_may_be_reported_although_its_owner_has_not_said_so() -> None:
    desk = Desk()
    desk.gateway.after = lambda response: setattr(
        response.answer, "flag_state", to_wire(FlagState.LOCATED_PENDING)
    )
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.flag_state is FlagState.LOCATED_PENDING


async def test_two_histories_of_one_log_are_found() -> None:
    desk = Desk()
    await desk.requester().ask_flag(question(FS1), desk.deadline())
    # The same size again, with another root: this gateway shows another tree to somebody.
    desk.gateway.index = iter([100])
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert caught.value.fault == "receipt_split_view"


# --- records


async def test_details_are_opened_checked_and_confirmed() -> None:
    desk = desk_for_flags()
    result = await desk.requester().ask_records(question(FS2, FS3), Page(), desk.deadline())
    assert result.outcome is Outcome.ANSWERED
    assert result.answer is not None
    assert result.answer.flag_locate == LOCATE
    (confirmed,) = desk.gateway.confirmed
    assert confirmed.finding == pb.RECEIPT_FINDING_OPENED
    assert result.release is not None
    assert confirmed.release_index == result.release.index
    with desk.store.read() as connection:
        proofs = connection.scalars(select(tables.receipt.c.proof)).all()
    assert len(proofs) == 3
    log = keys().log.public
    assert all(parse_receipt(proof).verify(log).size > 0 for proof in proofs)


async def test_a_requester_only_gets_what_its_role_is_granted() -> None:
    desk = desk_for_history()
    result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
    assert result.granted == (FieldSet.FS0_ACK, FS4, FS5)


async def _over(desk: Desk, asked: Any) -> EvidenceInvalid:
    with pytest.raises(EvidenceInvalid) as caught:
        await desk.requester().ask_records(asked, Page(), desk.deadline())
    return caught.value


async def test_a_field_outside_the_grant_spoils_the_whole_answer_and_is_reported() -> None:
    desk = desk_for_history()
    error = await _over(desk, planning(sets=(FS4,)))
    assert error.fault == "record_over_disclosed"
    assert [each.finding for each in desk.gateway.confirmed] == [pb.RECEIPT_FINDING_OVER_DISCLOSED]


async def test_a_field_set_outside_the_grant_spoils_the_whole_answer() -> None:
    desk = desk_for_history()
    desk.gateway.record.flag_locate.CopyFrom(LOCATE)
    assert (await _over(desk, planning())).fault == "record_over_disclosed"


async def test_a_grant_beyond_what_was_asked_is_refused() -> None:
    desk = desk_for_history()
    desk.gateway.after = lambda response: response.field_sets.append(cast(Any, to_wire(FS6)))
    assert (await _over(desk, planning())).fault == "granted"
    assert desk.gateway.confirmed == []


RECORD_CONTEXT: dict[str, Callable[[SealContext], SealContext]] = {
    "another request": lambda context: replace(context, request_digest=bytes(32)),
    "another pair": lambda context: replace(context, pairwise_handle=bytes(16)),
    "another requester": lambda context: replace(context, requester=cast(Any, "06037.prob")),
    "another page": lambda context: replace(context, page=2),
    "another grant": lambda context: replace(context, field_sets=(FieldSet.FS0_ACK,)),
    "another decision": lambda context: replace(context, decision_index=1),
}


@pytest.mark.parametrize("name", RECORD_CONTEXT)
async def test_a_record_sealed_for_another_exchange_does_not_open(name: str) -> None:
    desk = desk_for_history()
    desk.gateway.edit_context = RECORD_CONTEXT[name]
    assert (await _over(desk, planning())).fault == "record_binding"
    assert [each.finding for each in desk.gateway.confirmed] == [pb.RECEIPT_FINDING_BINDING_FAILED]


def _flip_sealed(sealed: pb.SealedRecord) -> None:
    sealed.sealed = sealed.sealed[:-1] + bytes([sealed.sealed[-1] ^ 1])


def _flip_signature(sealed: pb.SealedRecord) -> None:
    sealed.signature = sealed.signature[:-1] + bytes([sealed.signature[-1] ^ 1])


@pytest.mark.parametrize("edit", [_flip_sealed, _flip_signature])
async def test_an_altered_sealed_record_does_not_open(edit: Callable[[pb.SealedRecord], None]) -> None:
    desk = desk_for_history()
    desk.gateway.after_seal = edit
    assert (await _over(desk, planning())).fault == "record_binding"


def _other_recipient(response: Any) -> None:
    response.sources[0].sealed_record.recipient_key_id = bytes(16)


def _other_source_key(response: Any) -> None:
    response.sources[0].sealed_record.source_key_id = bytes(16)


def _swap_sealed(response: Any) -> None:
    response.sources[0].sealed_record.sealed = b"other bytes than the log committed to"


def _two_sources(response: Any) -> None:
    response.sources.append(response.sources[0])


def _no_release(response: Any) -> None:
    response.ClearField("release_receipt")


RECORD_RESPONSE: dict[str, tuple[Callable[[Any], None], str]] = {
    "sealed to another key": (_other_recipient, "record_recipient"),
    "signed by an unknown key": (_other_source_key, "record_key"),
    "not the bytes of the release": (_swap_sealed, "receipt_sealed"),
    "two sources": (_two_sources, "sources"),
    "no release": (_no_release, "receipt_release"),
}


@pytest.mark.parametrize("name", RECORD_RESPONSE)
async def test_a_record_response_with_one_thing_changed_is_refused_whole(name: str) -> None:
    edit, fault = RECORD_RESPONSE[name]
    desk = desk_for_history()
    desk.gateway.after = edit
    assert (await _over(desk, planning())).fault == fault


async def test_a_release_of_another_decision_is_refused() -> None:
    desk = desk_for_history()
    desk.gateway.edit_leaf = lambda said: said.update(decided=b"7") if "decided" in said else None
    assert (await _over(desk, planning())).fault == "receipt_decision"


async def test_a_source_that_fails_is_named_and_is_no_negative() -> None:
    desk = desk_for_history()
    desk.gateway.source_fails = True
    result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
    assert (result.outcome, result.source, result.answer) == (Outcome.SOURCE_UNAVAILABLE, "06075.cwa", None)


async def test_a_withdrawn_permit_shows_a_county_system_no_more_than_an_unknown_youth_does() -> None:
    shown = []
    for gateway in (FakeGateway(youth=UNKNOWN), FakeGateway()):
        desk = Desk(gateway)
        if gateway.youth is KNOWN:
            _withdraw(gateway)
        result = await desk.requester().ask_records(planning(), Page(), desk.deadline())
        assert result.decision is not None
        assert result.release is not None
        shown.append((
            replace(result, decision=None, release=None),
            sorted(result.decision.opened),
            {name: value for name, value in result.release.opened.items() if name in ("kind", "outcome", "decision")},
        ))
    assert shown[0] == shown[1]
    assert shown[0][0].outcome is Outcome.NO_DISCLOSABLE_RECORD


def _withdraw(gateway: FakeGateway) -> None:
    """The decision permits; before anything leaves the authority ends, and the source is named all the same."""

    def edit(said: dict[str, bytes]) -> None:
        if said["kind"] == b"access.outcome":
            said |= {"outcome": b"NO_DISCLOSABLE_RECORD", "decision": b"DENY", "sealed": b""}

    def after(response: Any) -> None:
        response.outcome = to_wire(Outcome.NO_DISCLOSABLE_RECORD)
        del response.notices[:]
        response.notices.append(to_wire(Notice.NOT_A_CLEARANCE))

    gateway.edit_leaf, gateway.after = edit, after


async def test_an_answer_whose_receipt_cannot_be_confirmed_is_given_and_stays_unconfirmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = desk_for_history()
    requester = desk.requester()
    real = desk.gateway.call

    async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
        if rpc.path.endswith("ConfirmReceipt"):
            raise CallFailed(CallFault.UNAVAILABLE)
        return await real(rpc, request, seconds=seconds)

    requester = replace(requester, sender=replace(requester.sender, gateway=_Calls(call)))
    with caplog.at_level(logging.WARNING):
        result = await requester.ask_records(planning(), Page(), desk.deadline())
    assert result.answer is not None
    assert "a release stays unconfirmed" in caplog.text


async def test_nothing_personal_reaches_a_log_or_the_text_of_an_error(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(FakeGateway(unreachable=1000))
    asked = question(FS1)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as caught:
        await desk.requester().ask_flag(asked, desk.deadline())
    seen = caplog.text + repr(caught.value) + repr(asked) + str(caught.value.__cause__)
    assert CANARY not in seen
    assert CANARY_SURNAME not in seen
    # The control: the scanner would find it where it is.
    assert CANARY in repr(asked.youth.identity)


def test_the_helper_receipts_are_real() -> None:
    message = receipt_of({"kind": b"access.decision"}, index=9, time=NOW)
    assert directory().message.log_key == keys().log.public.raw
    assert message.index == 9
