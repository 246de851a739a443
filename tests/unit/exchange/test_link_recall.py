"""A link that is taken back is taken back from everybody who was told on its account, and from nobody else."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import create_engine, text

from audit.sequencer import Append
from gateway.exchange.deed import Deeds
from gateway.exchange.journal import Kind, draft
from gateway.exchange.notices import Sent
from gateway.exchange.officer_orders import Orders
from gateway.exchange.recall import Recall
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, FlagState, Purpose, Role, SubjectHandle
from gateway.protocol.notices import open_notice
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from gateway.store.alerts import Alerts
from gateway.store.entries import LogEntries
from gateway.store.log_journal import LogEntered, LogJournal
from gateway.store.lookups import Lookups
from gateway.store.seals import SqlSeals
from homeward.gateway.v1 import exchange_pb2, sealing_pb2
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, Alert
from tests.unit.exchange.review_desk import say, told
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, OWNER, SHELTER, Answered, Question
from tests.unit.exchange.spine_world import World

RECORDS = Question("half:known")
"""Written otherwise by who asks: only the sound of the name and the birth date agree."""
FLAG = replace(
    RECORDS,
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
    by=FAR_OWNER,
)
EXACT = replace(FLAG, youth="known", role=Role("SHELTER.county_tscf"), by=SHELTER)
"""The very spelling of the owner: told by an exact match."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, auto=False)
    made.register("known", flag=FlagState.ACTIVE)
    yield made
    await made.close()


def outcome(answered: Answered) -> Outcome:
    response = answered.response
    if isinstance(response, exchange_pb2.CheckFlagResponse):
        return from_wire(Outcome, response.answer.outcome)
    return from_wire(Outcome, response.outcome)


def seals(world: World) -> SqlSeals:
    return SqlSeals(Lookups(world.reader, threaded=False), world.youth_keys, world.authority_keys)


async def notices(world: World, agency: AgencyId) -> list[Alert]:
    alerts = await Alerts(Lookups(world.reader, threaded=False), world.alert_keys).after(agency, 0)
    return [each for each in alerts if each.kind == ALERT_KIND_NOTICE]


async def sent(world: World) -> list[Sent]:
    return list(await seals(world).sent_by(OWNER))


async def named(world: World, agency: AgencyId) -> list[int]:
    """The entries that the agency's one notice names, as its adapter opens it."""
    (alert,) = await notices(world, agency)
    notice = alert.notice
    assert notice.kind == sealing_pb2.NOTICE_KIND_WRONG_YOUTH
    return open_notice(notice.notice_id, notice.sealed, world.parties[agency].seal)


async def link(world: World, agency: AgencyId, question: Question) -> None:
    """The agency's question opens a review, and both agencies say that one youth is meant."""
    await (world.flag(question) if question.field_sets == FLAG.field_sets else world.records(question))
    for each in (OWNER, agency):
        state = await say(world, each, pb.VERDICT_SAME)
    assert state == pb.REVIEW_STATE_LINKED


async def test_who_was_told_by_a_link_is_recalled_and_who_was_told_by_an_exact_match_is_not(world: World) -> None:
    await link(world, ASKER, RECORDS)
    by_link = await world.records(replace(RECORDS, number=1))
    await link(world, FAR_OWNER, FLAG)
    also_by_link = await world.flag(replace(FLAG, number=1))
    exact = await world.flag(EXACT)
    assert [outcome(each) for each in (by_link, also_by_link, exact)] == [Outcome.ANSWERED] * 3

    assert await say(world, OWNER, pb.VERDICT_DIFFERENT) == pb.REVIEW_STATE_NOT_LINKED  # of FAR_OWNER's, the newest
    assert (await notices(world, ASKER), await notices(world, SHELTER)) == ([], [])
    assert await named(world, FAR_OWNER) == [entry.index for entry in also_by_link.entries]

    assert await say(world, ASKER, pb.VERDICT_WITHDRAWN) == pb.REVIEW_STATE_OPEN
    assert await named(world, ASKER) == [entry.index for entry in by_link.entries]
    assert await notices(world, SHELTER) == []
    assert [[copy.agency for copy in each.copies] for each in await sent(world)] == [[FAR_OWNER], [ASKER]]


async def test_the_list_says_who_has_not_answered_until_it_has(world: World) -> None:
    await link(world, ASKER, RECORDS)
    await world.records(replace(RECORDS, number=1))
    await say(world, OWNER, pb.VERDICT_WITHDRAWN)
    (notice,) = await sent(world)
    assert notice.is_open
    answer = sealing_pb2.NoticeAcknowledgement(notice_id=notice.notice_id, finding=sealing_pb2.NOTICE_FINDING_DONE)
    entered = await _recall(world).acknowledge(ASKER, answer, b"d" * 32)
    (answered,) = await sent(world)
    assert not answered.is_open
    assert answered.copies[0].finding == sealing_pb2.NOTICE_FINDING_DONE
    assert world.entries(entered.index)[0].kind == Kind.NOTICE_ACKNOWLEDGED


async def test_what_was_told_before_the_link_and_after_it_is_not_recalled(world: World) -> None:
    before = await world.flag(replace(FLAG, youth="known"))
    await link(world, FAR_OWNER, FLAG)
    during = await world.flag(replace(FLAG, number=1))
    await say(world, FAR_OWNER, pb.VERDICT_WITHDRAWN)
    after = await world.flag(replace(FLAG, youth="known", number=2))
    assert [outcome(each) for each in (before, during, after)] == [Outcome.ANSWERED] * 3
    assert await named(world, FAR_OWNER) == [entry.index for entry in during.entries]


async def test_a_link_by_which_nothing_was_told_ends_without_a_notice(world: World) -> None:
    await link(world, ASKER, RECORDS)
    await say(world, ASKER, pb.VERDICT_DIFFERENT)
    assert await sent(world) == []
    last = world.entries()[-1]
    assert (last.kind, last.fields["notices"]) == (Kind.REVIEW_JUDGED, "0")


async def test_a_verdict_that_is_repeated_or_changes_no_link_sends_no_second_notice(world: World) -> None:
    await link(world, ASKER, RECORDS)
    await world.records(replace(RECORDS, number=1))
    for agency, verdict in ((OWNER, pb.VERDICT_DIFFERENT), (ASKER, pb.VERDICT_DIFFERENT), (OWNER, pb.VERDICT_SAME)):
        await say(world, agency, verdict)
    assert len(await sent(world)) == 1
    await say(world, ASKER, pb.VERDICT_SAME)
    await say(world, ASKER, pb.VERDICT_WITHDRAWN)
    # Linked anew and ended anew, with nothing told in between: what was recalled once is not recalled again.
    assert len(await sent(world)) == 1


async def test_a_link_that_ends_while_its_source_works_tells_nothing(world: World) -> None:
    await link(world, ASKER, RECORDS)
    asked = world.sources.ask

    async def ends(*args: object, **kwargs: object) -> object:
        result = await asked(*args, **kwargs)  # type: ignore[arg-type]
        await say(world, OWNER, pb.VERDICT_DIFFERENT)
        return result

    world.sources.ask = ends  # type: ignore[method-assign, assignment]
    answered = await world.records(replace(RECORDS, number=1))
    assert outcome(answered) is Outcome.NO_DISCLOSABLE_RECORD
    assert not answered.response.sources  # type: ignore[union-attr]
    assert await sent(world) == []


async def test_nothing_says_any_more_who_was_told_on_which_word_once_it_was_recalled(world: World) -> None:
    await link(world, ASKER, RECORDS)
    told_then = await world.records(replace(RECORDS, number=1))
    await say(world, OWNER, pb.VERDICT_DIFFERENT)
    assert await named(world, ASKER) == [entry.index for entry in told_then.entries]
    assert _relied(world) == 0
    assert len(await told(world, OWNER)) == 3


async def test_a_seal_takes_along_who_was_told_on_which_word(world: World) -> None:
    await link(world, ASKER, RECORDS)
    await world.records(replace(RECORDS, number=1))
    assert _relied(world) == 1
    handle = world.register("another")
    (task,) = [each for each in await told(world, OWNER) if each.review.state == pb.REVIEW_STATE_LINKED]
    rows = seals(world).forget(OWNER, SubjectHandle(handle), [])
    await world.log.append(Append(draft(Kind.SEAL_RESTRICTED), rows=rows))
    assert _relied(world) == 1
    rows = seals(world).forget(OWNER, SubjectHandle(task.subject_handle), [])
    await world.log.append(Append(draft(Kind.SEAL_RESTRICTED), rows=rows))
    assert _relied(world) == 0


async def test_a_youth_that_is_sealed_while_a_question_is_under_way_comes_back_with_no_review(world: World) -> None:
    handle, log = world.register("another"), world.journal

    class Sealed(LogJournal):
        """The entry of a seal is written before the first entry of the question."""

        async def enter(self, append: Append) -> LogEntered:
            if world.size() == before:
                rows = seals(world).forget(OWNER, SubjectHandle(handle), [])
                await log.enter(Append(draft(Kind.SEAL_RESTRICTED), rows=rows))
            return await log.enter(append)

    before = world.size()
    world.use(replace(world.setting, journal=Sealed(world.log)))
    answered = await world.records(replace(RECORDS, youth="half:another"))
    assert outcome(answered) is Outcome.NO_DISCLOSABLE_RECORD
    assert (await told(world, OWNER), await told(world, ASKER)) == ([], [])
    # The control: of a youth that was not sealed the two agencies are asked.
    await world.records(replace(RECORDS, number=1))
    assert len(await told(world, OWNER)) == len(await told(world, ASKER)) == 1


def _relied(world: World) -> int:
    engine = create_engine(f"sqlite:///{world.path}")
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM relied_link"))
    engine.dispose()
    return int(count or 0)


def _recall(world: World) -> Recall:
    entries = LogEntries(world.log, world.reader, world.keys)
    return Recall(Orders(world.setting, seals(world), entries, cast(Deeds, None)), world.keys)
