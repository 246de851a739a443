"""A youth is reported missing: one episode, one owner, and nothing for the reporter to learn."""

import asyncio
import os
from datetime import timedelta

import pytest

from audit.entry import FieldClass, Opening, StoredEntry, open_class
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.journal import Kind
from gateway.protocol.match_keys import DECISIVE_KEY
from gateway.protocol.names import FlagState, HandlingCode, Purpose, Restriction, Role, SubjectHandle
from gateway.protocol.reporting_duties import DUTIES
from gateway.protocol.signing import SigningKey
from gateway.store import tables
from homeward.gateway.v1.codes_pb2 import FLAG_STATE_ACTIVE, OUTCOME_ANSWERED, OUTCOME_NOT_PERMITTED, OUTCOME_RECORDED
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, Subject
from homeward.gateway.v1.link_pb2 import ALERT_KIND_SUPPORTING_REPORT
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT, DutyDone, FlagReport, RaiseFlagRequest
from homeward.observed import LATE_REPORTS
from tests.unit.exchange.members import FEDERAL, LA, LA_PROB, POLICE, SF, STRTP, Youth, staff, stamp
from tests.unit.exchange.world import World
from tests.unit.missing.test_changing import flagged, locate, update
from tests.unit.token_sets import withdraw_keys

ANA = Youth("Ana Invented")
TWIN = Youth("Mia Invented")


async def test_a_raised_flag_is_found_by_whoever_asks_about_the_youth(world: World) -> None:
    handle = await world.register(SF, ANA)
    statement = world.statement(SF, handling=HandlingCode.WELFARE_CHECK_ADULT)
    raised = await world.raise_flag(SF, ANA, handle=handle, statement=statement)
    assert (raised.outcome, raised.late) == (OUTCOME_RECORDED, False)
    assert raised.flag_id == FlagStatement.FromString(statement.payload).flag_id
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert found.answer.outcome == OUTCOME_ANSWERED
    assert found.answer.flag_statement == statement


async def test_the_leaf_says_what_happened_and_only_the_youths_key_opens_which_youth(world: World) -> None:
    handle = await world.register(SF, ANA)
    before = world.size()
    raised = await world.raise_flag(SF, ANA, handle=handle)
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.entry.requester, leaf.entry.holder) == (Kind.FLAG_RAISED, SF, SF)
    assert (leaf.op["outcome"], leaf.op["reason"], leaf.op["state"]) == ("RECORDED", "RECORDED", "ACTIVE")
    assert (leaf.youth["handle"], leaf.youth["flag"]) == (handle, raised.flag_id)
    assert handle not in b"".join([*leaf.req.values(), *leaf.hold.values()])


async def test_a_report_31_hours_after_learning_is_accepted_and_marked_late(world: World) -> None:
    handle = await world.register(SF, ANA)
    raised = await world.raise_flag(SF, ANA, handle=handle, learned=world.clock() - timedelta(hours=31))
    assert (raised.outcome, raised.late, len(raised.flag_id)) == (OUTCOME_RECORDED, True, 16)
    assert (await world.leaves())[-1].op["reason"] == "RECORDED_LATE"
    assert {value for labels in world.outcomes.late.readings()[LATE_REPORTS]() for _, value in labels} == {SF}


async def test_three_agencies_report_one_absence_and_one_of_them_owns_it(world: World) -> None:
    ours, theirs = await world.register(LA, ANA), await world.register(LA_PROB, ANA)
    first = await world.raise_flag(LA, ANA, handle=ours)
    second = await world.raise_flag(LA_PROB, ANA, handle=theirs)
    third = await world.raise_flag(STRTP, ANA)
    assert [len(each.flag_id) for each in (first, second, third)] == [16, 0, 0]
    assert {each.outcome for each in (first, second, third)} == {OUTCOME_RECORDED}
    assert len(world.rows(tables.flag)) == 1
    alerts = await world.alerts(LA)
    assert [(each.kind, each.acting_agency) for each in alerts] == [
        (ALERT_KIND_SUPPORTING_REPORT, LA_PROB),
        (ALERT_KIND_SUPPORTING_REPORT, STRTP),
    ]
    assert all(each.flag_id == first.flag_id and each.subject_handle == ours for each in alerts)
    assert world.sources.alerted_agencies == [LA, LA]


async def test_a_youth_of_the_agency_is_not_reported_without_saying_which(world: World) -> None:
    """Else it would read RECORDED, and nobody would look for the youth."""
    await world.register(SF, ANA)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, ANA)
    assert (refused.value.reason, refused.value.fields) == (
        ErrorReason.INVALID_REQUEST,
        ("subject_handle: required",),
    )
    assert (await world.leaves())[-1].op == {"kind": "access.refused", "decision": "DENY", "reason": "INVALID_REQUEST"}


async def test_a_namesake_who_is_another_agencys_can_be_reported_by_saying_so(world: World) -> None:
    await world.register(SF, ANA)
    theirs = await world.register(LA, ANA)
    raised = await world.raise_flag(SF, ANA, of_another_agency=True)
    assert (raised.outcome, raised.flag_id) == (OUTCOME_RECORDED, b"")
    assert world.rows(tables.flag) == []
    (alert,) = await world.alerts(LA)
    assert (alert.kind, alert.subject_handle) == (ALERT_KIND_SUPPORTING_REPORT, theirs)


async def test_a_sealed_namesake_keeps_no_youth_of_the_agency_from_being_flagged(world: World) -> None:
    """Nor does the answer tell that there is one."""
    half = Youth("Mia Invented")
    handle = await world.register(SF, half)
    await world.register(SF, Youth("Mia Inventedly"), restriction=Restriction.SEALED)
    raised = await world.raise_flag(SF, half, handle=handle)
    assert len(raised.flag_id) == 16


async def test_another_agency_that_reports_the_same_youth_sees_no_difference(world: World) -> None:
    await world.register(SF, ANA)
    known, unknown = await world.raise_flag(LA, ANA), await world.raise_flag(LA, TWIN)
    assert (known.outcome, known.flag_id) == (unknown.outcome, unknown.flag_id) == (OUTCOME_RECORDED, b"")


async def test_that_a_youth_of_the_agency_is_sealed_is_not_told_by_a_refusal(world: World) -> None:
    await world.register(SF, ANA, restriction=Restriction.SEALED)
    raised = await world.raise_flag(SF, ANA)
    assert (raised.outcome, raised.flag_id) == (OUTCOME_RECORDED, b"")


@pytest.mark.parametrize("also_listed", [True, False], ids=["a youth of the agency", "a stranger"])
async def test_a_flag_is_not_raised_for_one_youth_with_the_identity_of_another(world: World, also_listed: bool) -> None:
    handle = await world.register(SF, ANA)
    if also_listed:
        await world.register(SF, TWIN)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, TWIN, handle=handle)
    assert refused.value.fields == ("subject_handle: another youth as listed",)
    assert world.rows(tables.flag) == []


async def test_of_two_youths_that_one_identity_fits_the_agency_says_which(world: World) -> None:
    again = SubjectHandle(os.urandom(16))
    first = await world.register(SF, ANA)
    await world.list_subjects(
        SF, subjects=[Subject(handle=again, tokens=world.tokens(ANA), restriction=RESTRICTION_NONE)]
    )
    for handle in (first, again):
        raised = await world.raise_flag(SF, ANA, handle=handle)
        assert len(raised.flag_id) == 16
    assert {row["handle"] for row in world.rows(tables.flag)} == {first, again}


@pytest.mark.parametrize(("years", "fields"), [(25, None), (27, ("learn_time: too long ago",))])
async def test_a_time_in_which_nobody_was_in_care_is_none(
    world: World, years: int, fields: tuple[str, ...] | None
) -> None:
    handle, learned = await world.register(SF, ANA), world.clock() - timedelta(days=366 * years)
    if fields is None:
        assert len((await world.raise_flag(SF, ANA, handle=handle, learned=learned)).flag_id) == 16
        return
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, ANA, handle=handle, learned=learned)
    assert refused.value.fields == fields


async def test_two_owners_that_raise_at_once_make_one_episode(world: World) -> None:
    ours, theirs = await world.register(LA, ANA), await world.register(LA_PROB, ANA)
    answers = await asyncio.gather(
        world.raise_flag(LA, ANA, handle=ours), world.raise_flag(LA_PROB, ANA, handle=theirs)
    )
    assert sorted(len(each.flag_id) for each in answers) == [0, 16]
    assert len(world.rows(tables.flag)) == 1
    alerts = [*await world.alerts(LA), *await world.alerts(LA_PROB)]
    assert [each.kind for each in alerts] == [ALERT_KIND_SUPPORTING_REPORT]


async def test_an_owner_that_reports_again_under_a_newer_statement_states_its_flag_anew(world: World) -> None:
    handle = await world.register(SF, ANA)
    first = await world.raise_flag(SF, ANA, handle=handle)
    world.clock.advance(seconds=timedelta(days=31).total_seconds())
    newer = world.statement(SF, flag_id=first.flag_id, version=2)
    before = world.size()
    again = await world.raise_flag(SF, ANA, handle=handle, statement=newer)
    assert again.flag_id == first.flag_id
    assert (await world.leaves(before))[-1].kind == Kind.FLAG_UPDATED
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert (found.answer.outcome, found.answer.flag_statement) == (OUTCOME_ANSWERED, newer)


async def test_a_youth_who_is_missing_again_is_active_and_all_duties_are_owed_anew(world: World) -> None:
    """The end of the absence before never came here, and police had reported the youth located."""
    handle, flag_id = await flagged(world, hours_ago=30)
    done = [DutyDone(duty=each, done_time=stamp(world.clock())) for each in (*DUTIES, DUTY_FOUND_REPORT)]
    await locate(world, flag_id)
    await update(world, flag_id, duties=tuple(done))
    world.clock.advance(days=10)
    report = FlagReport(
        request_id=os.urandom(16),
        subject_handle=handle,
        tokens=world.tokens(ANA),
        flag_statement=world.statement(SF, flag_id=flag_id, version=2),
        learn_time=stamp(world.clock() - timedelta(hours=1)),
        missing_again=True,
    )
    request = world.signed(RaiseFlagRequest, report, staff(SF))
    again = await world.as_peer(SF, lambda: world.missing.RaiseFlag(request, None))
    assert (again.outcome, again.flag_id, again.late) == (OUTCOME_RECORDED, flag_id, False)
    assert (await world.leaves())[-1].op["state"] == "ACTIVE"
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert found.answer.flag_state == FLAG_STATE_ACTIVE
    owed = await update(world, flag_id, statement=world.statement(SF, flag_id=flag_id, version=3))
    assert [(each.duty, each.overdue) for each in owed.open_duties] == [(duty, False) for duty in DUTIES]


async def test_an_owner_that_does_not_know_its_open_flag_is_shown_what_it_stated_of_it(world: World) -> None:
    """Its adapter was put back to before: the flag is not to be without anybody who can end it."""
    handle = await world.register(SF, ANA)
    statement = world.statement(SF)
    first = await world.raise_flag(SF, ANA, handle=handle, statement=statement)
    assert not first.HasField("standing_statement")
    other, request_id = world.statement(SF), os.urandom(16)
    for _ in range(2):
        again = await world.raise_flag(SF, ANA, handle=handle, statement=other, request_id=request_id)
        assert (again.flag_id, again.standing_statement) == (first.flag_id, statement)
    supported = await world.raise_flag(STRTP, ANA)
    assert (supported.flag_id, supported.HasField("standing_statement")) == (b"", False), "nobody else is"


async def test_an_owner_that_reports_again_has_the_flag_it_had(world: World) -> None:
    handle = await world.register(SF, ANA)
    first = await world.raise_flag(SF, ANA, handle=handle)
    again = await world.raise_flag(SF, ANA, handle=handle)
    assert again.flag_id == first.flag_id
    assert len(world.rows(tables.flag)) == 1


async def test_a_retry_is_answered_with_the_same_leaf_and_leaves_no_other(world: World) -> None:
    handle = await world.register(SF, ANA)
    report = FlagReport(
        request_id=os.urandom(16),
        subject_handle=handle,
        tokens=world.tokens(ANA),
        flag_statement=world.statement(SF),
        learn_time=stamp(world.clock() - timedelta(hours=23, minutes=59)),
    )

    async def send() -> tuple[bytes, bool, int]:
        request = world.signed(RaiseFlagRequest, report, staff(SF))
        answer = await world.as_peer(SF, lambda: world.missing.RaiseFlag(request, None))
        return answer.flag_id, answer.late, answer.receipt.index

    first = await send()
    size = world.size()
    world.clock.advance(minutes=5)
    assert await send() == first
    assert world.size() == size


async def test_another_report_under_a_used_identifier_is_refused_and_on_record(world: World) -> None:
    handle, identifier = await world.register(SF, ANA), os.urandom(16)
    await world.raise_flag(SF, ANA, handle=handle, request_id=identifier)
    with pytest.raises(Conflict) as refused:
        await world.raise_flag(SF, TWIN, request_id=identifier)
    assert refused.value.reason is ErrorReason.ID_REUSED
    assert (await world.leaves())[-1].op == {"kind": "access.refused", "decision": "DENY", "reason": "ID_REUSED"}


async def test_an_assertion_used_twice_is_refused(world: World) -> None:
    handle = await world.register(SF, ANA)
    for number in (1, 2):
        report = FlagReport(
            request_id=os.urandom(16),
            subject_handle=handle,
            tokens=world.tokens(ANA),
            flag_statement=world.statement(SF),
            learn_time=stamp(world.clock()),
        )
        request = world.signed(RaiseFlagRequest, report, staff(SF), assertion_id="once")
        if number == 1:
            await world.as_peer(SF, lambda request=request: world.missing.RaiseFlag(request, None))
            continue
        with pytest.raises(Conflict) as refused:
            await world.as_peer(SF, lambda request=request: world.missing.RaiseFlag(request, None))
        assert refused.value.reason is ErrorReason.ASSERTION_REPLAYED


async def test_a_reporter_cannot_tell_a_known_youth_from_an_unknown_one(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    await world.register(LA, TWIN)
    start = world.size()
    answers = [await world.raise_flag(STRTP, youth) for youth in (ANA, TWIN, Youth("Nobody Invented", "2011-01-01"))]
    leaves = await world.leaves(start)
    assert [leaf.entry.holder for leaf in leaves] == [SF, LA, ""]
    assert len({leaf.field_count - 2 * bool(leaf.entry.holder) for leaf in leaves}) == 1
    shapes = set()
    for answer, leaf in zip(answers, leaves, strict=True):
        opened = [(each.slot, each.name) for each in answer.receipt.openings]
        seats = [each.slot for each in _own_fields(world, leaf.entry)]
        said = {each.name: each.value for each in answer.receipt.openings if each.name != "request"}
        shapes.add((answer.outcome, answer.flag_id, answer.late, str(opened), str(seats), str(said)))
    assert len(shapes) == 1


def _own_fields(world: World, entry: StoredEntry) -> list[Opening]:
    return [each for each in open_class(entry, FieldClass.REQ, world.class_keys.req) if each.name in ("seq", "prev")]


async def test_the_owner_of_an_unflagged_youth_hears_of_a_report(world: World) -> None:
    handle = await world.register(LA, ANA)
    await world.raise_flag(STRTP, ANA)
    (alert,) = await world.alerts(LA)
    assert (alert.kind, alert.subject_handle, alert.flag_id) == (ALERT_KIND_SUPPORTING_REPORT, handle, b"")


async def test_nobody_hears_of_a_report_that_two_youths_could_be_meant_by(world: World) -> None:
    await world.register(LA, ANA)
    await world.register(SF, ANA)
    await world.raise_flag(STRTP, ANA)
    assert not await world.alerts(LA)
    assert not await world.alerts(SF)


async def test_a_twins_flag_does_not_swallow_a_report(world: World) -> None:
    await world.raise_flag(SF, ANA, handle=await world.register(SF, ANA))
    raised = await world.raise_flag(LA, TWIN, handle=await world.register(LA, TWIN))
    assert len(raised.flag_id) == 16
    assert not await world.alerts(SF)


async def test_an_agency_that_does_not_list_the_youth_cannot_own_its_flag(world: World) -> None:
    handle = await world.register(SF, ANA)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(LA, ANA, handle=handle)
    assert refused.value.fields == ("subject_handle: unknown",)
    assert not world.rows(tables.flag)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"county": "06037"}, "county"),
        ({"life": timedelta(days=32)}, "expire_time"),
        ({"life": timedelta(0)}, "expire_time"),
        ({"state": FlagState.RESOLVED}, "state"),
        ({"state": FlagState.LOCATED_PENDING}, "state"),
        ({"key": SigningKey.generate()}, "key_id"),
    ],
)
async def test_a_statement_that_does_not_count_raises_nothing(
    world: World, changes: dict[str, object], rule: str
) -> None:
    handle = await world.register(SF, ANA)
    statement = world.statement(SF, **changes)  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, ANA, handle=handle, statement=statement)
    assert (refused.value.reason, refused.value.fields) == (
        ErrorReason.STATEMENT_INVALID,
        (f"flag_statement: {rule}",),
    )
    assert not world.rows(tables.flag)
    assert (await world.leaves())[-1].op["reason"] == "STATEMENT_INVALID"


async def test_a_statement_whose_signature_was_changed_raises_nothing(world: World) -> None:
    handle, statement = await world.register(SF, ANA), world.statement(SF)
    statement.signature = bytes(64)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(SF, ANA, handle=handle, statement=statement)
    assert refused.value.fields == ("flag_statement: signature",)


@pytest.mark.parametrize(
    ("agency", "role", "purpose", "reason"),
    [
        (POLICE, Role("CWA.case_worker"), Purpose.MFC_LOCATE, "KIND_ROLE_MISMATCH"),
        (FEDERAL, Role("CWA.case_worker"), Purpose.MFC_LOCATE, "PROHIBITED_RECIPIENT"),
        (POLICE, Role("LEA.patrol"), Purpose.MFC_HANDOFF, "ROLE_NOT_PERMITTED_FOR_PURPOSE"),
    ],
)
async def test_a_role_that_may_not_report_is_refused_on_record(
    world: World, agency: str, role: Role, purpose: Purpose, reason: str
) -> None:
    await world.register(SF, ANA)
    before = world.size()
    answer = await world.raise_flag(agency, ANA, act=staff(agency, purpose, role))  # type: ignore[arg-type]
    assert answer.outcome == OUTCOME_NOT_PERMITTED
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["reason"], leaf.entry.holder) == (Kind.DECISION, reason, "")
    assert not await world.alerts(SF)


async def test_a_report_of_tomorrow_or_without_the_core_group_is_refused(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(STRTP, ANA, learned=world.clock() + timedelta(days=1))
    assert refused.value.fields == ("learn_time: past",)
    tokens = world.tokens(ANA)
    withdraw_keys(tokens, DECISIVE_KEY)
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(STRTP, ANA, tokens=tokens)
    assert refused.value.reason is ErrorReason.TOKENS_INCOMPLETE
    tokens = world.tokens(ANA)
    tokens.epoch = "e0"
    with pytest.raises(Invalid) as refused:
        await world.raise_flag(STRTP, ANA, tokens=tokens)
    assert refused.value.reason is ErrorReason.EPOCH_UNKNOWN
