"""What happens to a flag: the owner's word counts, anybody else's makes it pending, and versions only grow."""

import asyncio
import os
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import Kind
from gateway.protocol.names import FlagState, Purpose, SubjectHandle
from gateway.protocol.reporting_duties import DUTIES
from gateway.store import tables
from homeward.gateway.v1 import missing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import (
    FLAG_STATE_ACTIVE,
    FLAG_STATE_ENTERED_IN_ERROR,
    FLAG_STATE_LOCATED_PENDING,
    FLAG_STATE_RESOLVED,
    OUTCOME_ANSWERED,
    OUTCOME_NO_ACTIVE_FLAG_FOUND,
    OUTCOME_RECORDED,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ALERT_KIND_LOCATED, ALERT_KIND_RESOLVE_ATTEMPTED
from tests.unit.exchange.members import LA, POLICE, SF, STRTP, Youth, staff, stamp
from tests.unit.exchange.world import World

ANA = Youth("Ana Invented")


async def flagged(world: World, *, hours_ago: float = 0) -> tuple[SubjectHandle, bytes]:
    """An open flag of San Francisco: handle and identifier."""
    handle = await world.register(SF, ANA)
    raised = await world.raise_flag(SF, ANA, handle=handle, learned=world.clock() - timedelta(hours=hours_ago))
    return handle, raised.flag_id


async def update(
    world: World,
    flag_id: bytes,
    *,
    agency: str = SF,
    statement: SignedEnvelope | None = None,
    duties: tuple[pb.DutyDone, ...] = (),
    request_id: bytes = b"",
    still_missing: bool = False,
) -> pb.UpdateFlagResponse:
    message = pb.FlagUpdate(
        request_id=request_id or os.urandom(16),
        flag_id=flag_id,
        flag_statement=statement,
        duties=duties,
        still_missing=still_missing,
    )
    request = world.signed(pb.UpdateFlagRequest, message, staff(agency))  # type: ignore[arg-type]
    return await world.as_peer(agency, lambda: world.missing.UpdateFlag(request, None))  # type: ignore[arg-type]


async def locate(
    world: World, flag_id: bytes, *, agency: str = POLICE, request_id: bytes = b"", county: str = "06077"
) -> pb.ReportLocatedResponse:
    message = pb.LocatedReport(
        request_id=request_id or os.urandom(16),
        flag_id=flag_id,
        located_county=county,
        locate_time=stamp(world.clock()),
    )
    request = world.signed(pb.ReportLocatedRequest, message, staff(agency, Purpose.MFC_HANDOFF))  # type: ignore[arg-type]
    return await world.as_peer(agency, lambda: world.missing.ReportLocated(request, None))  # type: ignore[arg-type]


async def resolve(
    world: World,
    flag_id: bytes,
    *,
    agency: str = SF,
    statement: SignedEnvelope | None = None,
    request_id: bytes = b"",
) -> pb.ResolveFlagResponse:
    message = pb.FlagResolution(request_id=request_id or os.urandom(16), flag_id=flag_id, flag_statement=statement)
    request = world.signed(pb.ResolveFlagRequest, message, staff(agency))  # type: ignore[arg-type]
    return await world.as_peer(agency, lambda: world.missing.ResolveFlag(request, None))  # type: ignore[arg-type]


def state(world: World) -> object:
    (row,) = world.rows(tables.flag)
    return row["state"]


async def test_a_finders_report_makes_the_flag_pending_and_pages_the_owner(world: World) -> None:
    handle, flag_id = await flagged(world)
    before = world.size()
    assert (await locate(world, flag_id)).outcome == OUTCOME_RECORDED
    assert state(world) == "LOCATED_PENDING"
    (alert,) = await world.alerts(SF)
    assert (alert.kind, alert.subject_handle, alert.flag_id) == (ALERT_KIND_LOCATED, handle, flag_id)
    assert (alert.acting_agency, alert.located_county) == (POLICE, "06077")
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.entry.requester, leaf.entry.holder) == (Kind.FLAG_LOCATED, POLICE, SF)
    assert leaf.hold["county"] == b"06077"
    assert "06077" not in [value for name, value in leaf.op.items()]


async def test_a_located_youth_is_still_looked_for(world: World) -> None:
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert (found.answer.outcome, found.answer.flag_state) == (OUTCOME_ANSWERED, FLAG_STATE_LOCATED_PENDING)


async def test_a_report_about_an_unknown_flag_is_refused_and_on_record(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await locate(world, os.urandom(16))
    assert refused.value.reason is ErrorReason.FLAG_NOT_FOUND
    assert (await world.leaves())[-1].op["reason"] == "FLAG_NOT_FOUND"


async def test_another_agency_that_resolves_makes_the_flag_pending_and_a_retry_changes_nothing(world: World) -> None:
    _, flag_id = await flagged(world)
    identifier = os.urandom(16)
    first = await resolve(world, flag_id, agency=STRTP, request_id=identifier)
    assert (first.outcome, first.flag_state) == (OUTCOME_RECORDED, FLAG_STATE_LOCATED_PENDING)
    size = world.size()
    again = await resolve(world, flag_id, agency=STRTP, request_id=identifier)
    assert (again.flag_state, again.receipt.index) == (first.flag_state, first.receipt.index)
    assert world.size() == size
    assert state(world) == "LOCATED_PENDING"
    (alert,) = await world.alerts(SF)
    assert alert.kind == ALERT_KIND_RESOLVE_ATTEMPTED
    leaf = (await world.leaves())[-1]
    assert (leaf.kind, leaf.op["reason"]) == (Kind.FLAG_LOCATED, "NOT_FLAG_OWNER")


async def test_the_owner_resolves_and_nobody_looks_any_more(world: World) -> None:
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    statement = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    answer = await resolve(world, flag_id, statement=statement)
    assert (answer.outcome, answer.flag_state) == (OUTCOME_RECORDED, FLAG_STATE_RESOLVED)
    assert state(world) == "RESOLVED"
    await world.all_current()
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_NO_ACTIVE_FLAG_FOUND


async def test_a_flag_raised_by_mistake_is_withdrawn_by_its_owner(world: World) -> None:
    _, flag_id = await flagged(world)
    statement = world.statement(SF, flag_id=flag_id, state=FlagState.ENTERED_IN_ERROR, version=2)
    assert (await resolve(world, flag_id, statement=statement)).flag_state == FLAG_STATE_ENTERED_IN_ERROR


async def test_what_arrives_after_the_end_is_recorded_and_changes_nothing(world: World) -> None:
    _, flag_id = await flagged(world)
    ended = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    await resolve(world, flag_id, statement=ended)
    assert (await locate(world, flag_id)).outcome == OUTCOME_RECORDED
    late = await resolve(world, flag_id, agency=STRTP)
    assert late.flag_state == FLAG_STATE_LOCATED_PENDING
    assert state(world) == "RESOLVED"
    assert len(await world.alerts(SF)) == 2


async def test_an_ended_flag_does_not_come_back_under_its_identifier(world: World) -> None:
    handle, flag_id = await flagged(world)
    ended = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    await resolve(world, flag_id, statement=ended)
    again = world.statement(SF, flag_id=flag_id, version=3)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, ANA, handle=handle, statement=again)
    assert refused.value.fields == ("flag_statement: flag_id",)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, statement=again)
    assert refused.value.fields == ("flag_statement: state",)


async def test_an_owner_that_reaffirms_its_flag_does_not_dismiss_a_report(world: World) -> None:
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=2))
    (row,) = world.rows(tables.flag)
    assert (row["state"], row["version"]) == ("LOCATED_PENDING", 2)


async def test_an_owner_that_says_the_youth_is_still_missing_has_it_looked_for_again(world: World) -> None:
    """One mistaken report must not stand until the owner ends the flag of a child who is missing."""
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    before = world.size()
    answer = await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=2), still_missing=True)
    assert (answer.outcome, state(world)) == (OUTCOME_RECORDED, "ACTIVE")
    assert pb.DUTY_FOUND_REPORT not in [each.duty for each in answer.open_duties]
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["state"]) == (Kind.FLAG_UPDATED, "ACTIVE")
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert (found.answer.outcome, found.answer.flag_state) == (OUTCOME_ANSWERED, FLAG_STATE_ACTIVE)


async def test_who_is_found_after_all_is_found_anew_with_a_clock_of_its_own(world: World) -> None:
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    done = pb.DutyDone(duty=pb.DUTY_FOUND_REPORT, done_time=stamp(world.clock()))
    await update(world, flag_id, duties=(done,))
    await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=2), still_missing=True)
    world.clock.advance(hours=30)
    told = world.clock()
    await locate(world, flag_id)
    assert state(world) == "LOCATED_PENDING"
    answer = await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=3))
    (found,) = (each for each in answer.open_duties if each.duty == pb.DUTY_FOUND_REPORT)
    assert (found.due_time.ToDatetime(UTC), found.overdue) == (told + timedelta(hours=24), False)


async def test_only_the_owners_signed_word_that_the_youth_is_missing_dismisses_a_report(world: World) -> None:
    _, flag_id = await flagged(world)
    await locate(world, flag_id)
    pending = world.statement(SF, flag_id=flag_id, state=FlagState.LOCATED_PENDING, version=2)
    refusals = []
    for agency, statement in ((SF, None), (SF, pending), (LA, world.statement(LA, flag_id=flag_id, version=2))):
        with pytest.raises(Invalid) as refused:
            await update(world, flag_id, agency=agency, statement=statement, still_missing=True)
        refusals.append((refused.value.reason, refused.value.fields))
    assert refusals == [
        (ErrorReason.INVALID_REQUEST, ("flag_statement: required",)),
        (ErrorReason.STATEMENT_INVALID, ("flag_statement: state",)),
        (ErrorReason.NOT_FLAG_OWNER, ()),
    ]
    assert state(world) == "LOCATED_PENDING"


async def test_an_ended_episode_is_not_taken_up_again_by_saying_that_the_youth_is_still_missing(world: World) -> None:
    _, flag_id = await flagged(world)
    ended = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    await resolve(world, flag_id, statement=ended)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=3), still_missing=True)
    assert refused.value.fields == ("flag_statement: state",)
    assert state(world) == "RESOLVED"


async def test_an_update_ends_no_episode(world: World) -> None:
    _, flag_id = await flagged(world)
    ended = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, statement=ended)
    assert refused.value.fields == ("flag_statement: state",)
    with pytest.raises(Invalid) as refused:
        await resolve(world, flag_id)
    assert refused.value.fields == ("flag_statement: required",)
    assert state(world) == "ACTIVE"


async def test_what_is_done_after_the_end_is_recorded_without_a_statement_and_changes_no_state(world: World) -> None:
    _, flag_id = await flagged(world)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id)
    assert refused.value.fields == ("flag_statement: required without duties",), "an open one is affirmed by its owner"
    await resolve(world, flag_id, statement=world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2))
    done = tuple(pb.DutyDone(duty=each, done_time=stamp(world.clock())) for each in (*DUTIES, pb.DUTY_FOUND_REPORT))
    answer = await update(world, flag_id, duties=done)
    assert (answer.outcome, list(answer.open_duties), state(world)) == (OUTCOME_RECORDED, [], "RESOLVED")
    # That the return conversation took place is the county's own; the exchange hears that something was done.
    assert (await update(world, flag_id)).outcome == OUTCOME_RECORDED
    leaf = (await world.leaves())[-1]
    assert leaf.op["kind"] == Kind.FLAG_UPDATED
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=3))
    assert refused.value.fields == ("flag_statement: state",), "nor does it come back"


async def test_only_the_owner_updates_a_flag(world: World) -> None:
    _, flag_id = await flagged(world)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, agency=LA, statement=world.statement(LA, flag_id=flag_id, version=2))
    assert refused.value.reason is ErrorReason.NOT_FLAG_OWNER
    assert (await world.leaves())[-1].op["reason"] == "NOT_FLAG_OWNER"


async def test_another_flags_statement_does_not_update_this_one(world: World) -> None:
    _, flag_id = await flagged(world)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id, statement=world.statement(SF, version=2))
    assert refused.value.fields == ("flag_statement: flag_id",)


async def test_duties_done_leave_the_list_and_the_rest_fall_due(world: World) -> None:
    _, flag_id = await flagged(world, hours_ago=25)
    done = pb.DutyDone(duty=pb.DUTY_LAW_ENFORCEMENT_REPORT, done_time=stamp(world.clock()))
    absent = pb.DutyDone(duty=pb.DUTY_TRIBE_NOTICE)
    answer = await update(world, flag_id, duties=(done, absent))
    assert {each.duty for each in answer.open_duties} == {
        pb.DUTY_NCMEC_REPORT,
        pb.DUTY_PARTIES_NOTICE,
        pb.DUTY_COURT_NOTICE,
    }
    assert all(each.overdue for each in answer.open_duties)


async def test_the_first_report_that_a_youth_was_found_starts_the_clock_of_the_found_report(world: World) -> None:
    _, flag_id = await flagged(world)
    told = world.clock()
    await locate(world, flag_id)
    world.clock.advance(hours=25)
    await locate(world, flag_id)
    answer = await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=2))
    (found,) = (each for each in answer.open_duties if each.duty == pb.DUTY_FOUND_REPORT)
    assert (found.due_time.ToDatetime(UTC), found.overdue) == (told + timedelta(hours=24), True)
    done = pb.DutyDone(duty=pb.DUTY_FOUND_REPORT, done_time=stamp(world.clock()))
    answer = await update(world, flag_id, duties=(done,))
    assert pb.DUTY_FOUND_REPORT not in [each.duty for each in answer.open_duties]


async def test_an_owner_that_resolves_is_told_that_the_found_report_is_due(world: World) -> None:
    _, flag_id = await flagged(world)
    ended = world.statement(SF, flag_id=flag_id, version=2, state=FlagState.RESOLVED)
    answer = await resolve(world, flag_id, agency=SF, statement=ended)
    assert pb.DUTY_FOUND_REPORT in [each.duty for each in answer.open_duties]
    assert not (await resolve(world, flag_id, agency=STRTP)).open_duties


async def test_a_youth_nobody_found_has_no_found_report_due(world: World) -> None:
    _, flag_id = await flagged(world)
    answer = await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=2))
    assert pb.DUTY_FOUND_REPORT not in [each.duty for each in answer.open_duties]


async def test_an_update_that_says_nothing_is_refused(world: World) -> None:
    _, flag_id = await flagged(world)
    with pytest.raises(Invalid) as refused:
        await update(world, flag_id)
    assert refused.value.reason is ErrorReason.INVALID_REQUEST


async def test_a_retried_update_is_answered_though_its_version_is_old_by_now(world: World) -> None:
    _, flag_id = await flagged(world)
    identifier, statement = os.urandom(16), world.statement(SF, flag_id=flag_id, version=2)
    first = await update(world, flag_id, statement=statement, request_id=identifier)
    again = await update(world, flag_id, statement=statement, request_id=identifier)
    assert again.receipt.index == first.receipt.index
    assert again.open_duties == first.open_duties


async def test_versions_of_a_statement_only_grow(world: World) -> None:
    _, flag_id = await flagged(world)

    @settings(max_examples=25)
    @given(st.integers(1, 40))
    def version(number: int) -> None:
        wanted.append(number)

    wanted: list[int] = []
    version()
    highest = 1
    for number in wanted:
        statement = world.statement(SF, flag_id=flag_id, version=number)
        if number > highest:
            await update(world, flag_id, statement=statement)
            highest = number
            continue
        with pytest.raises(Invalid) as refused:
            await update(world, flag_id, statement=statement)
        assert refused.value.fields == ("flag_statement: version",)
    (row,) = world.rows(tables.flag)
    assert row["version"] == highest > 1


async def test_the_owner_is_told_of_whatever_is_on_record_although_the_reporter_hung_up(world: World) -> None:
    """At every one of the first steps of the event loop and some later ones, until a report is answered before that."""
    _, flag_id = await flagged(world)
    told_before, given_up = len(world.sources.alerted_agencies), 0
    for steps in (*range(80), *(100 * 2**times for times in range(10))):
        before = len(world.rows(tables.alert))
        report = asyncio.create_task(locate(world, flag_id))
        for _ in range(steps):
            await asyncio.sleep(0)
        report.cancel()
        await asyncio.wait({report})
        # What is queued is written before this.
        await world.all_current()
        stored = len(world.rows(tables.alert))
        assert world.sources.alerted_agencies[told_before:] == [SF] * stored
        given_up += report.cancelled() and stored > before
        if not report.cancelled():
            break
    assert given_up
