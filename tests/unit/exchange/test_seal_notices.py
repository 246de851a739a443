"""Whoever was told of a youth hears of a seal or a recall: exactly they, of its own entries, until it has answered."""

import os

import pytest

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import ALLOW, Kind
from gateway.protocol.names import AgencyId, Purpose, Restriction
from gateway.protocol.notices import open_notice
from gateway.protocol.sealing import SealBroken
from gateway.store import tables
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    Outcome,
)
from homeward.gateway.v1.link_pb2 import WORK_STATUS_REFUSED, WorkOrder, WorkResult
from homeward.gateway.v1.missing_pb2 import LocatedReport, ReportLocatedRequest
from tests.unit.exchange.members import KERN, LA, POLICE, SF, Youth, officer, staff, stamp
from tests.unit.exchange.seal_desk import ANA, acknowledge, entries_of, listed, lived, notices, recall, restrict
from tests.unit.exchange.world import World


async def test_exactly_those_who_were_told_get_a_notice_with_their_own_entries(world: World) -> None:
    handles = await lived(world)
    await world.check_flag(LA, Youth("Ana Another"))
    mine = {
        agency: {entry.index for entry in await entries_of(world, ANA) if entry.requester == agency}
        for agency in (POLICE, KERN)
    }
    done = await restrict(world, handles[ANA])
    for agency in (POLICE, KERN):
        ((notice_id, indexes),) = await notices(world, agency)
        assert notice_id == done.seal_id
        assert set(indexes) == mine[agency]
    assert await notices(world, LA) == []
    ((_, all_of_them),) = await notices(world, SF)
    assert set(all_of_them) > mine[POLICE] | mine[KERN]


async def test_a_notice_opens_for_its_agency_alone_and_all_are_of_one_size(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    rows = world.rows(tables.notice_copy)
    assert len({len(bytes(row["sealed"])) for row in rows}) == 1  # type: ignore[call-overload]
    for row in rows:
        other = POLICE if row["agency"] != POLICE else KERN
        with pytest.raises(SealBroken):
            open_notice(done.seal_id, bytes(row["sealed"]), world.membership.members[other].seal)  # type: ignore[call-overload]


async def test_who_has_not_answered_is_listed_until_it_has(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    await acknowledge(world, KERN, done.seal_id)
    await acknowledge(world, SF, done.seal_id)
    (sent,) = (await listed(world, officer(SF), open_only=True)).notices
    assert {copy.agency for copy in sent.copies if not copy.HasField("acknowledge_time")} == {POLICE}
    await acknowledge(world, POLICE, done.seal_id)
    assert not (await listed(world, officer(SF), open_only=True)).notices
    (sent,) = (await listed(world, officer(SF))).notices
    assert {copy.finding for copy in sent.copies} == {pb.NOTICE_FINDING_DONE}
    # Nothing sealed is kept once it was answered, and each answer is an entry.
    assert {row["sealed"] for row in world.rows(tables.notice_copy)} == {b""}
    answered = [leaf for leaf in await world.leaves() if leaf.kind == Kind.NOTICE_ACKNOWLEDGED]
    assert {leaf.entry.requester for leaf in answered} == {SF, KERN, POLICE}
    assert not (await listed(world, officer(LA))).notices


async def test_nobody_acknowledges_what_it_was_not_sent(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    with pytest.raises(Invalid):
        await acknowledge(world, LA, done.seal_id)


async def test_a_recall_goes_to_exactly_those_who_were_told(world: World) -> None:
    handles = await lived(world)
    refused = await world.ask_records(LA, ANA)
    assert refused.outcome != Outcome.Value("OUTCOME_UNSPECIFIED")
    told = {POLICE, KERN} | ({LA} if refused.outcome == OUTCOME_ANSWERED else set())
    done = await recall(world, handles[ANA], pb.NOTICE_KIND_WRONG_YOUTH)
    assert done.notice_count == len(told)
    (sent,) = (await listed(world, officer(SF))).notices
    assert {copy.agency for copy in sent.copies} == told
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED


async def test_a_retracted_flag_is_recalled_from_those_who_were_told_of_it(world: World) -> None:
    handles = await lived(world)
    done = await recall(world, handles[ANA], pb.NOTICE_KIND_FLAG_RETRACTED)
    (sent,) = (await listed(world, officer(SF))).notices
    assert (done.notice_count, [copy.agency for copy in sent.copies]) == (1, [POLICE])
    ((_, indexes),) = await notices(world, POLICE)
    assert len(indexes) == 1
    plain = await world.register(SF, Youth("Unflagged"))
    with pytest.raises(Invalid) as refused:
        await recall(world, plain, pb.NOTICE_KIND_FLAG_RETRACTED)
    assert refused.value.reason is ErrorReason.FLAG_NOT_FOUND


async def test_an_agency_that_was_refused_hears_of_no_recall_and_so_of_no_youth(world: World) -> None:
    youth = Youth("Cal Invented")
    handle = await world.register(SF, youth, restriction=Restriction.SEALED)
    await world.all_current()
    await world.raise_flag(SF, youth, handle=handle)
    checked, records = await world.check_flag(LA, youth), await world.ask_records(LA, youth)
    assert OUTCOME_ANSWERED not in {checked.answer.outcome, records.outcome}
    done = await recall(world, handle, pb.NOTICE_KIND_WRONG_YOUTH)
    assert done.notice_count == 0
    assert await notices(world, LA) == []


async def test_an_agency_that_was_permitted_and_got_nothing_hears_of_no_recall(world: World) -> None:
    youth = Youth("Dee Invented")
    handle = await world.register(SF, youth, placed_in=KERN[:5])
    await world.all_current()

    def refuses(_: AgencyId, order: WorkOrder) -> WorkResult:
        return WorkResult(work_id=order.work_id, status=WORK_STATUS_REFUSED)

    world.sources.answer = refuses
    assert (await world.ask_records(KERN, youth)).outcome != OUTCOME_ANSWERED
    permits = [leaf for leaf in await world.leaves() if leaf.kind == Kind.DECISION and leaf.entry.requester == KERN]
    assert [leaf.op["decision"] for leaf in permits] == [ALLOW]
    assert (await recall(world, handle, pb.NOTICE_KIND_WRONG_YOUTH)).notice_count == 0
    assert await notices(world, KERN) == []


async def test_an_agency_that_reported_a_youth_located_hears_of_a_recall(world: World) -> None:
    handles = await lived(world)
    (flag_id,) = (row["flag_id"] for row in world.rows(tables.flag) if row["handle"] == handles[ANA])
    report = LocatedReport(
        request_id=os.urandom(16), flag_id=flag_id, located_county=POLICE[:5], locate_time=stamp(world.clock())
    )
    request = world.signed(ReportLocatedRequest, report, staff(POLICE, Purpose.MFC_HANDOFF))
    await world.as_peer(POLICE, lambda: world.missing.ReportLocated(request, None))
    (located,) = [leaf.entry.index for leaf in await world.leaves() if leaf.kind == Kind.FLAG_LOCATED]
    await recall(world, handles[ANA], pb.NOTICE_KIND_WRONG_YOUTH)
    ((_, indexes),) = await notices(world, POLICE)
    assert located in indexes
