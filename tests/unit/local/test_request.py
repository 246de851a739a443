"""The caller's side of a disclosure: what leaves, when it is sent again, and what stays here."""

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from adapters.errors import Conflict, ErrorReason, EvidenceInvalid, Unavailable
from adapters.node import tables
from adapters.node.request import Page
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.names import EvidenceKind, FlagState, HandlingCode, Notice, Obligation, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.protocol.policy.facts import Located, YouthFacts
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse
from tests.unit.local.exchange import (
    CANARY,
    FS1,
    KNOWN,
    UNKNOWN,
    Calls,
    Desk,
    FakeGateway,
    planning,
    question,
    staff,
)
from tests.unit.node.world import FLAG


async def test_a_flag_is_told_with_the_owners_duty_line_from_the_signed_directory() -> None:
    desk = Desk()
    result = await desk.requester().ask_flag(question(FS1), desk.deadline())
    assert result.outcome is Outcome.ANSWERED
    assert (result.county, result.duty_line) == ("06075", "+14155550100")
    assert (result.flag_id, result.flag_state) == (FLAG, FlagState.ACTIVE)
    assert result.handling_code is HandlingCode.CALL_DUTY_LINE
    assert result.receipt is not None
    assert result.receipt.opened["request"] == hashlib.sha256(desk.gateway.calls[0][1]).digest()


async def test_a_duty_is_told_that_is_the_asking_countys_and_no_other() -> None:
    """What a gateway calls a task of this county's staff is none unless the list says so."""
    told = (Obligation.TELL_YOUTH, Obligation.ALERT_OWNER, Obligation.NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS)

    def burden(response: Any) -> None:
        answer = response.answer if isinstance(response, CheckFlagResponse) else response
        answer.duties.extend(to_wire(each) for each in told)

    desk = Desk(FakeGateway(after=burden))
    assert (await desk.requester().ask_flag(question(FS1), desk.deadline())).duties == (Obligation.TELL_YOUTH,)
    desk = Desk(FakeGateway(after=burden))
    assert (await desk.requester().ask_records(planning(), Page(), desk.deadline())).duties == (Obligation.TELL_YOUTH,)
    desk = Desk(FakeGateway(youth=UNKNOWN, after=burden))
    assert (await desk.requester().ask_flag(question(FS1), desk.deadline())).duties == ()
    assert (await desk.requester().ask_records(planning(), Page(), desk.deadline())).duties == ()


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
    requester = replace(requester, sender=replace(requester.sender, gateway=Calls(call)))
    await requester.ask_flag(question(FS1), desk.deadline())
    assert seen == [True]


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
    assert desk.tokens.workers == [staff("CWA.er_worker").pseudonym]


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


@pytest.mark.parametrize(
    "failed",
    [
        CallFailed(CallFault.TIMED_OUT),
        CallFailed(CallFault.UNAVAILABLE, "REVOCATION_HELD"),
        CallFailed(CallFault.UNAVAILABLE, "UNWITNESSED"),
    ],
    ids=str,
)
async def test_a_call_that_the_exchange_may_have_taken_is_not_repeated(failed: CallFailed) -> None:
    desk = Desk()
    tries = []

    async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
        tries.append(rpc.path)
        raise failed

    requester = desk.requester()
    requester = replace(requester, sender=replace(requester.sender, gateway=Calls(call)))
    with pytest.raises(Unavailable):
        await requester.ask_flag(question(FS1), desk.deadline())
    assert len(tries) == 1
