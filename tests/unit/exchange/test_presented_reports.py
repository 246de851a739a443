"""After a declared loss: what others than the owner reported counts again, once, and ends nobody's episode."""

import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from google.protobuf.message import Message

from audit.followed import Step
from audit.replay import Replay
from gateway.errors import ErrorReason
from gateway.exchange.journal import Kind
from gateway.protocol.names import AgencyId, FlagAct, FlagState, Purpose, Role, SubjectHandle
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.conditions import flag_act_gap
from gateway.protocol.signing import SigningKey
from gateway.protocol.succession import PRESENTING_WINDOW, REPORT_LIFE
from gateway.recovery.reported import LISTING_PERIOD
from gateway.store import tables
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1 import missing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import FLAG_STATE_ACTIVE, FLAG_STATE_LOCATED_PENDING, OUTCOME_RECORDED
from homeward.gateway.v1.link_pb2 import (
    ALERT_KIND_CHECKED,
    ALERT_KIND_LOCATED,
    ALERT_KIND_RESOLVE_ATTEMPTED,
    ALERT_KIND_SUPPORTING_REPORT,
)
from homeward.gateway.v1.restoration_pb2 import PresentedFlag, PresentedReport
from tests.unit.exchange.members import KERN, KINDS, LA, POLICE, SF, STATE, STRTP, Act, Youth, officer, staff, stamp
from tests.unit.exchange.seal_desk import notices, restrict
from tests.unit.exchange.test_presented import is_final_for, lose, not_yet, present, refused
from tests.unit.exchange.world import World

ANA, BEN = Youth("Ana Invented"), Youth("Ben Invented")
REPORTS = {
    pb.FlagReport: ("flag_report", pb.RaiseFlagRequest),
    pb.LocatedReport: ("located_report", pb.ReportLocatedRequest),
    pb.FlagResolution: ("flag_resolution", pb.ResolveFlagRequest),
}


@dataclass(frozen=True)
class Episode:
    """An open episode: the owner's flag as it was recorded."""

    owner: AgencyId
    handle: SubjectHandle
    flag_id: bytes
    learned: datetime


async def missing(world: World) -> Episode:
    """Ana is missing from Los Angeles; what follows is lost with the flag, unless it is raised before."""
    return Episode(LA, await world.register(LA, ANA), os.urandom(16), world.clock())


async def stated(world: World, episode: Episode, *, version: int = 1, state: FlagState = FlagState.ACTIVE) -> None:
    """The owner's adapter presents its flag."""
    statement = world.statement(LA, flag_id=episode.flag_id, version=version, state=state)
    event = PresentedFlag(subject_handle=episode.handle, statement=statement, learn_time=stamp(episode.learned))
    await present(world, LA, flag=event)


def located(world: World, flag_id: bytes, *, request_id: bytes = b"") -> pb.LocatedReport:
    return pb.LocatedReport(
        request_id=request_id or os.urandom(16),
        flag_id=flag_id,
        located_county="06077",
        locate_time=stamp(world.clock()),
    )


def absence(world: World, youth: Youth = ANA) -> pb.FlagReport:
    return pb.FlagReport(request_id=os.urandom(16), tokens=world.tokens(youth), learn_time=stamp(world.clock()))


def signed(world: World, report: Message, *, agency: AgencyId = POLICE, act: Act | None = None) -> PresentedReport:
    """The report as its county signed it now, for a user of the agency."""
    field, request_type = REPORTS[type(report)]  # type: ignore[index]
    searches = agency != POLICE or isinstance(report, pb.FlagReport)
    said = world.signed(
        request_type, report, act or staff(agency, Purpose.MFC_LOCATE if searches else Purpose.MFC_HANDOFF)
    )
    return PresentedReport(**{field: said.payload}, user_assertion=said.user_assertion)  # type: ignore[attr-defined]


async def index_of(world: World, report: PresentedReport) -> int:
    """Of the entry that records it, once it was presented."""
    answer = await present(world, POLICE, report=report)
    assert answer.HasField("receipt")
    return answer.receipt.index


def state(world: World) -> object:
    (row,) = world.rows(tables.flag)
    return row["state"]


async def test_a_located_report_makes_the_flag_pending_again_and_the_owner_is_told_when_it_was_made(
    world: World,
) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    reported = world.clock()
    world.clock.advance(seconds=3600)
    await lose(world)
    world.clock.advance(seconds=60)
    await stated(world, episode)
    assert state(world) == "ACTIVE"
    before = world.size()
    assert (await present(world, POLICE, report=report)).receipt.index == before
    assert state(world) == "LOCATED_PENDING"
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["reason"]) == (Kind.LOCATED_PRESENTED, Reason.PRESENTED_AGAIN)
    assert (leaf.entry.requester, leaf.entry.holder, leaf.hold["county"]) == (POLICE, LA, b"06077")
    assert leaf.req["worker"] == f"worker-1 {staff(POLICE).role}".encode(), "who reported then"
    (alert,) = await world.alerts(LA)
    assert (alert.kind, alert.acting_agency, alert.located_county) == (ALERT_KIND_LOCATED, POLICE, "06077")
    assert abs(alert.report_time.ToDatetime(reported.tzinfo) - reported) < timedelta(seconds=1)
    assert alert.leaf.index == before
    assert await index_of(world, report) == before, "presented often, on record once"
    assert world.size() == before + 1
    assert len(await world.alerts(LA)) == 1
    world.check_projections()


async def test_an_attempt_to_end_the_episode_of_another_owner_ends_it_no_more_than_before(world: World) -> None:
    episode = await missing(world)
    report = signed(world, pb.FlagResolution(request_id=os.urandom(16), flag_id=episode.flag_id))
    await lose(world)
    await stated(world, episode)
    await present(world, POLICE, report=report)
    assert state(world) == "LOCATED_PENDING"
    assert [alert.kind for alert in await world.alerts(LA)] == [ALERT_KIND_RESOLVE_ATTEMPTED]


async def test_an_owner_that_reported_its_own_youth_located_is_told_nothing_and_its_flag_is_pending(
    world: World,
) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id), agency=LA)
    await lose(world)
    await stated(world, episode)
    await present(world, LA, report=report)
    assert state(world) == "LOCATED_PENDING"
    assert not await world.alerts(LA)


async def test_a_report_waits_for_the_owner_to_present_its_flag(world: World) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    await lose(world)
    assert await not_yet(world, POLICE, report=report) is ErrorReason.FLAG_NOT_FOUND
    assert not await is_final_for(world, POLICE, report=report)
    await stated(world, episode)
    assert (await present(world, POLICE, report=report)).HasField("receipt")


async def test_of_an_episode_that_no_owner_states_when_all_have_nothing_is_left_to_report(world: World) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    await lose(world)
    world.clock.advance(seconds=1)
    await world.all_current()
    before = world.size()
    assert not (await present(world, POLICE, report=report)).HasField("receipt")
    assert world.size() == before


async def test_an_owner_that_affirmed_since_does_not_dismiss_the_report_and_one_that_ended_it_does(
    world: World,
) -> None:
    episode = await missing(world)
    report, other = (signed(world, located(world, episode.flag_id)) for _ in range(2))
    await lose(world)
    await stated(world, episode)
    await present(world, POLICE, report=report)
    await stated(world, episode, version=2)
    assert state(world) == "LOCATED_PENDING", "somebody's report is dismissed by a person of the owner"
    await stated(world, episode, version=3, state=FlagState.RESOLVED)
    await present(world, POLICE, report=other)
    assert state(world) == "RESOLVED", "what comes late about an ended episode changes nothing"
    world.check_projections()


async def test_no_report_of_an_earlier_episode_touches_a_later_flag(world: World) -> None:
    """Neither that of the same youth's next episode, nor one whose identifier somebody's old report could name."""
    episode = await missing(world)
    report = signed(world, located(world, os.urandom(16)))
    early = signed(world, located(world, episode.flag_id))
    world.clock.advance(seconds=3600)
    await lose(world)
    await stated(world, replace(episode, learned=world.clock()))
    assert await not_yet(world, POLICE, report=report) is ErrorReason.FLAG_NOT_FOUND
    assert await refused(world, POLICE, report=early) is ErrorReason.INVALID_REQUEST
    assert await is_final_for(world, POLICE, report=early)
    assert state(world) == "ACTIVE"
    assert not await world.alerts(LA)


async def test_what_is_left_in_the_log_or_was_repeated_since_is_not_on_record_twice(world: World) -> None:
    episode = await missing(world)
    await world.raise_flag(LA, ANA, handle=episode.handle, statement=world.statement(LA, flag_id=episode.flag_id))
    left, repeated = (located(world, episode.flag_id) for _ in range(2))
    kept = signed(world, left), signed(world, repeated)

    async def report(message: pb.LocatedReport) -> None:
        request = world.signed(pb.ReportLocatedRequest, message, staff(POLICE, Purpose.MFC_HANDOFF))
        answer = await world.as_peer(POLICE, lambda: world.missing.ReportLocated(request, None))
        assert answer.outcome == OUTCOME_RECORDED

    await report(left)
    await lose(world)
    await report(repeated)
    before = world.size()
    kinds = [(await world.leaves(index))[0].kind for index in [await index_of(world, each) for each in kept]]
    assert kinds == [Kind.FLAG_LOCATED, Kind.FLAG_LOCATED], "its adapter gets the receipt of the entry that stands"
    assert world.size() == before
    assert len(await world.alerts(LA)) == 2


async def test_a_request_repeated_after_it_was_presented_finds_that_entry(world: World) -> None:
    episode = await missing(world)
    message = located(world, episode.flag_id)
    report = signed(world, message)
    await lose(world)
    await stated(world, episode)
    presented = await index_of(world, report)
    request = world.signed(pb.ReportLocatedRequest, message, staff(POLICE, Purpose.MFC_HANDOFF))
    answer = await world.as_peer(POLICE, lambda: world.missing.ReportLocated(request, None))
    assert (answer.outcome, answer.receipt.index) == (OUTCOME_RECORDED, presented)
    assert len(await world.alerts(LA)) == 1


async def test_an_identifier_that_stands_for_another_report_since_is_refused(world: World) -> None:
    episode = await missing(world)
    message = located(world, episode.flag_id)
    report = signed(world, message)
    other = signed(world, located(world, episode.flag_id, request_id=message.request_id))
    world.clock.advance(seconds=2)
    third = signed(world, located(world, episode.flag_id, request_id=message.request_id))
    await lose(world)
    await stated(world, episode)
    await present(world, POLICE, report=report)
    assert await index_of(world, other) == await index_of(world, report), "the same bytes"
    assert await refused(world, POLICE, report=third) is ErrorReason.ID_REUSED


async def test_a_supporting_report_reaches_the_owner_and_raises_no_flag(world: World) -> None:
    episode = await missing(world)
    report = signed(world, absence(world))
    await lose(world)
    world.clock.advance(seconds=1)
    await stated(world, episode)
    await world.all_current()
    before = world.size()
    await present(world, POLICE, report=report)
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.entry.holder, leaf.youth["flag"]) == (Kind.REPORT_PRESENTED, LA, episode.flag_id)
    (alert,) = await world.alerts(LA)
    assert (alert.kind, alert.flag_id) == (ALERT_KIND_SUPPORTING_REPORT, episode.flag_id)
    assert alert.HasField("report_time")
    assert state(world) == "ACTIVE"


@pytest.mark.parametrize("is_listed", [True, False])
async def test_an_owners_kind_of_agency_raises_no_flag_by_presenting_a_report(world: World, is_listed: bool) -> None:
    report = absence(world, BEN)
    report.subject_handle = await world.register(SF, BEN) if is_listed else os.urandom(16)
    report.flag_statement.CopyFrom(world.statement(SF))
    event = signed(world, report, agency=SF)
    await lose(world)
    world.clock.advance(seconds=1)
    await world.all_current()
    await present(world, SF, report=event)
    assert not world.rows(tables.flag)


async def test_whether_a_youth_is_known_does_not_show_in_how_a_report_is_taken(world: World) -> None:
    await world.register(LA, ANA)
    known, unknown = signed(world, absence(world)), signed(world, absence(world, BEN))
    await lose(world)
    for report in (known, unknown):
        assert await not_yet(world, POLICE, report=report) is ErrorReason.INVALID_REQUEST
        assert not await is_final_for(world, POLICE, report=report)
    world.clock.advance(seconds=1)
    await world.all_current()
    before = world.size()
    answers = [await present(world, POLICE, report=report) for report in (known, unknown)]
    first, second = await world.leaves(before)
    # A holder has a number and a hash of its own in its entry.
    assert first.field_count - 2 == second.field_count
    opened = [[(each.slot, each.name) for each in answer.receipt.openings] for answer in answers]
    assert opened[0] == opened[1]
    assert (first.entry.holder, second.entry.holder) == (LA, "")


async def test_a_county_that_stays_away_holds_up_no_supporting_report_for_longer_than_a_day(world: World) -> None:
    await world.register(LA, ANA)
    report = signed(world, absence(world))
    await lose(world)
    world.clock.advance(seconds=(LISTING_PERIOD - timedelta(minutes=1)).total_seconds())
    assert await not_yet(world, POLICE, report=report) is ErrorReason.INVALID_REQUEST
    world.clock.advance(seconds=120)
    assert (await present(world, POLICE, report=report)).HasField("receipt")
    assert [alert.kind for alert in await world.alerts(LA)] == [ALERT_KIND_SUPPORTING_REPORT]


async def test_tokens_of_another_epoch_are_refused_for_good(world: World) -> None:
    await world.register(LA, ANA)
    message = absence(world)
    message.tokens.epoch = "e0"
    report = signed(world, message)
    await lose(world)
    world.clock.advance(seconds=1)
    await world.all_current()
    assert await refused(world, POLICE, report=report) is ErrorReason.EPOCH_UNKNOWN
    assert await is_final_for(world, POLICE, report=report)


def forged(world: World, episode: Episode, fault: str) -> tuple[AgencyId, PresentedReport]:
    """A report that must not count, and who presents it."""
    report = signed(world, located(world, episode.flag_id))
    if fault == "another agency's":
        # Of one kind, so that the role is one that its own staff may have.
        return KERN, signed(world, located(world, episode.flag_id), agency=SF)
    if fault == "other bytes":
        report.located_report = located(world, episode.flag_id).SerializeToString()
    elif fault == "signature":
        head, _, _ = report.user_assertion.rpartition(".")
        report.user_assertion = f"{head}.{'A' * 86}"
    elif fault == "key":
        members = world.membership.members
        before = members[POLICE]
        members[POLICE] = replace(before, assertion=SigningKey.generate())
        report = signed(world, located(world, episode.flag_id))
        members[POLICE] = before
    elif fault == "role":
        report = signed(world, located(world, episode.flag_id), act=Act(POLICE, Role("CWA.case_worker")))
    elif fault == "malformed":
        report = signed(world, pb.LocatedReport(request_id=os.urandom(16), flag_id=episode.flag_id))
    elif fault == "who reviews":
        return STATE, signed(world, located(world, episode.flag_id), act=staff(STATE), agency=STATE)
    return POLICE, report


@pytest.mark.parametrize(
    "fault", ["another agency's", "other bytes", "signature", "key", "role", "malformed", "who reviews"]
)
async def test_what_no_user_of_the_agency_said_is_refused_on_record_and_changes_nothing(
    world: World, fault: str
) -> None:
    episode = await missing(world)
    await lose(world)
    world.clock.advance(seconds=1)
    await stated(world, episode)
    await world.all_current()
    agency, report = forged(world, episode, fault)
    assert await refused(world, agency, report=report) is ErrorReason.INVALID_REQUEST
    assert await is_final_for(world, agency, report=report), "its adapter asks a person"
    assert state(world) == "ACTIVE"
    assert not await world.alerts(LA)


async def test_a_report_counts_by_the_key_of_its_time(world: World) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    world.clock.advance(seconds=60)
    world.end_assertion_key(POLICE)
    after = signed(world, located(world, episode.flag_id))
    await lose(world)
    await stated(world, episode)
    assert await refused(world, POLICE, report=after) is ErrorReason.INVALID_REQUEST
    assert (await present(world, POLICE, report=report)).HasField("receipt")


@pytest.mark.parametrize("kind", [ALERT_KIND_LOCATED, ALERT_KIND_SUPPORTING_REPORT])
async def test_a_report_for_a_purpose_that_the_policy_of_now_no_longer_lists_is_not_kept_from_the_owner(
    world: World, kind: int
) -> None:
    episode = await missing(world)
    said = located(world, episode.flag_id) if kind == ALERT_KIND_LOCATED else absence(world)
    act = staff(STRTP, Purpose.CFT_COORDINATION)
    for saying in (FlagAct.REPORT_LOCATED, FlagAct.REPORT_MISSING):
        assert flag_act_gap(load_california(), saying, kind=KINDS[STRTP], role=act.role, purpose=act.purpose)
    report = signed(world, said, agency=STRTP, act=act)
    await lose(world)
    world.clock.advance(seconds=1)
    await stated(world, episode)
    await world.all_current()
    assert (await present(world, STRTP, report=report)).HasField("receipt")
    assert [alert.kind for alert in await world.alerts(LA)] == [kind]


async def test_a_report_does_not_count_for_ever(world: World) -> None:
    episode = await missing(world)
    first, second = (signed(world, located(world, episode.flag_id)) for _ in range(2))
    world.clock.advance(seconds=(REPORT_LIFE - PRESENTING_WINDOW).total_seconds())
    await lose(world)
    world.clock.advance(seconds=(PRESENTING_WINDOW - timedelta(minutes=1)).total_seconds())
    await stated(world, episode)
    assert (await present(world, POLICE, report=first)).HasField("receipt")
    await lose(world)
    world.clock.advance(seconds=120)
    assert await refused(world, POLICE, report=second) is ErrorReason.INVALID_REQUEST
    assert await is_final_for(world, POLICE, report=second)


async def test_a_report_made_by_a_clock_that_is_ahead_waits_for_its_time(world: World) -> None:
    episode = await missing(world)
    await lose(world)
    await stated(world, episode)
    world.clock.advance(seconds=3600)
    ahead = signed(world, located(world, episode.flag_id))
    world.clock.advance(seconds=-3600)
    assert not await is_final_for(world, POLICE, report=ahead)


async def test_nothing_is_taken_without_a_loss(world: World) -> None:
    episode = await missing(world)
    assert await refused(world, POLICE, report=signed(world, located(world, episode.flag_id))) is (
        ErrorReason.INVALID_REQUEST
    )


async def test_finders_learn_what_they_learned_before_the_loss_and_the_replay_passes(world: World) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    await lose(world)
    world.clock.advance(seconds=1)
    await stated(world, episode)
    await world.all_current()
    assert (await world.check_flag(POLICE, ANA)).answer.flag_state == FLAG_STATE_ACTIVE
    await present(world, POLICE, report=report)
    assert (await world.check_flag(POLICE, ANA)).answer.flag_state == FLAG_STATE_LOCATED_PENDING
    assert [alert.kind for alert in await world.alerts(LA)].count(ALERT_KIND_CHECKED) == 2
    replay = Replay(lambda _: pytest.fail("no decision is followed here"), granted=lambda _: ((), ""))
    for leaf in await world.leaves():
        if not leaf.kind.startswith("access."):
            replay.follow(Step(leaf.entry.index, 0, leaf.kind, POLICE, LA, dict(leaf.op)))


async def test_a_reporter_reads_the_same_of_a_presented_report_that_found_a_youth_and_one_that_did_not(
    world: World,
) -> None:
    await world.register(LA, ANA)
    reports = [signed(world, absence(world, youth), agency=KERN) for youth in (ANA, BEN)]
    await lose(world)
    world.clock.advance(seconds=1)
    await world.all_current()
    for report in reports:
        await present(world, KERN, report=report)
    wanted = EntryFilter(kinds=[Kind.REPORT_PRESENTED])
    page = await world.read_log(officer(KERN), wanted=wanted)
    assert len({str([(each.slot, each.name) for each in entry.openings]) for entry in page.entries}) == 1
    assert len(page.entries) == 2
    wanted.counterpart_agency = LA
    assert not (await world.read_log(officer(KERN), wanted=wanted)).entries, "who owns the youth is not theirs to learn"


async def test_whoever_presented_a_located_report_hears_of_a_seal_by_its_entry(world: World) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    await lose(world)
    await stated(world, episode)
    index = await index_of(world, report)
    done = await restrict(world, episode.handle, act=officer(LA))
    assert await notices(world, POLICE) == [(done.seal_id, [index])]


async def test_a_report_that_its_owner_dismissed_before_the_loss_is_told_anew_and_can_be_dismissed_again(
    world: World,
) -> None:
    episode = await missing(world)
    report = signed(world, located(world, episode.flag_id))
    await lose(world)
    await stated(world, episode, version=3)
    await present(world, POLICE, report=report)
    assert state(world) == "LOCATED_PENDING"
    statement = world.statement(LA, flag_id=episode.flag_id, version=4)
    update = pb.FlagUpdate(
        request_id=os.urandom(16), flag_id=episode.flag_id, flag_statement=statement, still_missing=True
    )
    request = world.signed(pb.UpdateFlagRequest, update, staff(LA))
    answer = await world.as_peer(LA, lambda: world.missing.UpdateFlag(request, None))
    assert (answer.outcome, state(world)) == (OUTCOME_RECORDED, "ACTIVE")
    await present(world, POLICE, report=report)
    assert state(world) == "ACTIVE", "presented again, it stays the entry it was"
    world.check_projections()
