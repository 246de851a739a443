"""Questions are counted: a day's are limited, and look-ups that find almost nobody are held, in ordinary work never."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from audit.sequencer import Append
from audit.statement import Statement
from gateway.config import Holding
from gateway.errors import Error, ErrorReason, Exhausted, Unavailable
from gateway.exchange.tally import Limits, Suspicion, Window
from gateway.members.ledger import Ledger
from gateway.ports import Entered, Journal
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, EvidenceKind, FieldSet, FlagState, Purpose, Restriction, Role
from gateway.store.tables import tally
from gateway.store.tally import SqlTally, held_agencies, release_lookups
from tests.unit.exchange.spine_parts import ASKER, FINDER, OWNER, TEAM, UNBOUNDED, Question
from tests.unit.exchange.spine_world import World

SHIPPED = Suspicion(Holding().lookups, Holding().misses_percent)


# --- the rule


def after(results: list[bool], suspicion: Suspicion = SHIPPED) -> Window:
    window = Window()
    for missed in results:
        window = window.after(missed=missed, limit=suspicion.lookups)
    return window


@given(st.lists(st.booleans(), max_size=60))
def test_the_window_is_the_last_look_ups_and_no_others(results: list[bool]) -> None:
    few = Suspicion(20, 95)
    last = results[-20:]
    expected = len(last) == 20 and sum(last) >= 19
    assert after(results, few).is_suspicious(few) is expected


@pytest.mark.parametrize(
    ("misses", "of", "held"),
    [(190, 200, True), (189, 200, False), (200, 200, True), (199, 199, False), (0, 200, False)],
)
def test_ninety_five_of_a_hundred_misses_in_two_hundred_look_ups_are_suspicious(
    misses: int, of: int, held: bool
) -> None:
    results = [True] * misses + [False] * (of - misses)
    for seed in range(3):
        random.Random(seed).shuffle(results)
        assert after(results).is_suspicious(SHIPPED) is held


def sessions_held(rates: list[float], *, lookups: int, seed: int) -> int:
    """How many sessions, one for each miss rate, are held at some time."""
    held, chance = 0, random.Random(seed)
    for rate in rates:
        window = Window()
        for _ in range(lookups):
            window = window.after(missed=chance.random() < rate, limit=SHIPPED.lookups)
            if window.is_suspicious(SHIPPED):
                held += 1
                break
    return held


def test_ordinary_work_is_practically_never_held() -> None:
    # 10,000 sessions of 10 to 30 misses in 100 (SECURITY HV-04), each longer than the window.
    chance = random.Random(20261127)
    rates = [chance.uniform(0.1, 0.3) for _ in range(10_000)]
    assert sessions_held(rates, lookups=250, seed=1) == 0


def test_even_a_hotline_that_mostly_finds_nobody_is_rarely_held() -> None:
    assert sessions_held([0.8] * 1000, lookups=250, seed=2) <= 1


def test_whoever_tries_a_roster_is_held_within_the_first_window_or_soon_after() -> None:
    # One name in fifty of the roster is known.
    assert sessions_held([0.98] * 200, lookups=260, seed=3) >= 198


# --- through the exchange


FEW = Suspicion(20, 95)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.use(replace(made.setting, tally=SqlTally(made.journal, UNBOUNDED, FEW)))
    yield made
    await made.close()


async def ask(world: World, count: int, *, first: int = 0, youth: str = "nobody") -> None:
    for number in range(first, first + count):
        await world.flag(replace(FINDER, youth=youth, number=number))


def kinds(world: World) -> list[str]:
    return [str(entry.fields["kind"]) for entry in world.entries()]


async def test_misses_are_held_on_record_and_refused_until_the_operator_releases(world: World) -> None:
    await ask(world, FEW.lookups)
    (hold,) = [entry for entry in world.entries() if entry.fields["kind"] == "lookups.held"]
    assert (hold.fields["agency"], hold.requester) == (ASKER, ASKER)
    with pytest.raises(Exhausted) as caught:
        await world.flag(replace(FINDER, number=100))
    assert caught.value.reason is ErrorReason.LOOKUPS_HELD
    assert (kinds(world)[-1], world.entries()[-1].fields["reason"]) == ("access.refused", "LOOKUPS_HELD")
    with pytest.raises(Exhausted):
        await world.records(Question("ada", number=101))
    ledger = Ledger(world.log, world.reader, world.clock, world.keys)
    assert await ledger.read(held_agencies) == [ASKER]
    index = await release_lookups(ledger, ASKER)
    assert world.entries(index)[0].fields["kind"] == "lookups.released"
    assert await ledger.read(held_agencies) == []
    # Counting begins anew: a whole window of misses is needed again.
    await ask(world, FEW.lookups - 1, first=200)
    assert kinds(world).count("lookups.held") == 1
    await ask(world, 1, first=300)
    assert kinds(world).count("lookups.held") == 2


async def test_what_is_held_stays_held_when_another_process_counts(world: World) -> None:
    await ask(world, FEW.lookups - 1)
    # A new process has the database and nothing else.
    world.use(replace(world.setting, tally=SqlTally(world.journal, UNBOUNDED, FEW)))
    await ask(world, 1, first=500)
    world.use(replace(world.setting, tally=SqlTally(world.journal, UNBOUNDED, FEW)))
    with pytest.raises(Exhausted):
        await ask(world, 1, first=600)


async def test_questions_at_once_are_held_by_one_leaf(world: World) -> None:
    await ask(world, FEW.lookups - 1)
    questions = [world.flag(replace(FINDER, number=700 + number)) for number in range(10)]
    await asyncio.gather(*questions, return_exceptions=True)
    assert kinds(world).count("lookups.held") == 1


async def test_another_agencys_misses_hold_nobody_else(world: World) -> None:
    await ask(world, FEW.lookups)
    answered = await world.records(
        Question(
            "nobody",
            by=TEAM,
            purpose=Purpose.CFT_COORDINATION,
            role=Role("FFA.social_worker"),
            field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
            evidence=(EvidenceKind.TEAM_MEMBERSHIP,),
        )
    )
    assert answered.entries[0].kind == "access.decision"


async def test_finding_a_youth_counts_as_a_hit_whatever_the_caller_is_told(world: World) -> None:
    # A miss is what nobody shares a token with: not what policy, a seal or a missing flag keeps from the caller.
    world.register("flagged", flag=FlagState.ACTIVE)
    world.register("sealed", restriction=Restriction.SEALED)
    await ask(world, FEW.lookups - 2)
    for number, youth in enumerate(("flagged", "sealed")):
        await world.flag(replace(FINDER, youth=youth, number=500 + number))
    await ask(world, FEW.lookups - 2, first=800)
    assert "lookups.held" not in kinds(world)
    await ask(world, 1, first=900)
    assert kinds(world).count("lookups.held") == 1


@pytest.mark.parametrize("owner", [OWNER, ASKER])
async def test_a_youth_somebody_knows_does_not_pass_misses_off_as_work(world: World, owner: AgencyId) -> None:
    # Of another agency it is a hit once a day; of the agency's own list never.
    world.register("known", flag=FlagState.ACTIVE, owner=owner)
    for number in range(FEW.lookups):
        await world.flag(replace(FINDER, youth="known", number=number))
    assert kinds(world).count("lookups.held") == 1


@pytest.mark.parametrize(("owner", "is_held"), [(OWNER, False), (ASKER, True)])
async def test_ones_own_youths_are_no_hits_however_many_they_are(world: World, owner: AgencyId, is_held: bool) -> None:
    for number in range(FEW.lookups):
        world.register(f"known {number}", flag=FlagState.ACTIVE, owner=owner)
        await world.flag(replace(FINDER, youth=f"known {number}", number=number))
    assert ("lookups.held" in kinds(world)) is is_held


async def test_a_youth_is_found_anew_on_another_day(world: World) -> None:
    world.register("known", flag=FlagState.ACTIVE)
    for number in range(2 * FEW.lookups):
        if number % 10 == 0:
            world.clock.advance(86_400)
            world.beat()
        await world.flag(replace(FINDER, youth="known", number=number))
    assert "lookups.held" not in kinds(world)


async def test_a_question_that_policy_refuses_by_itself_is_not_counted(world: World) -> None:
    for number in range(FEW.lookups):
        await world.flag(replace(FINDER, evidence=(), number=number))
    assert "lookups.held" not in kinds(world)


async def test_releasing_what_is_not_held_is_refused(world: World) -> None:
    with pytest.raises(Error) as caught:
        await release_lookups(Ledger(world.log, world.reader, world.clock, world.keys), ASKER)
    assert caught.value.reason is ErrorReason.LOOKUPS_NOT_HELD


async def test_an_exchange_whose_counties_list_flagged_youths_alone_holds_nobody(tmp_path: Path) -> None:
    made = World(tmp_path)
    await ask(made, FEW.lookups + 1)
    assert "lookups.held" not in kinds(made)
    await made.close()


# --- a day's questions


def limited(world: World, limits: Limits) -> None:
    """From now on a process counts that has the database and nothing else."""
    world.use(replace(world.setting, tally=SqlTally(world.journal, limits, None)))


def alarms(world: World) -> list[tuple[str, str, str]]:
    entries = [entry for entry in world.entries() if entry.fields["kind"] == "budget.alarm"]
    return [(entry.requester, str(entry.fields["account"]), str(entry.fields["limit"])) for entry in entries]


async def spent(world: World, question: Question) -> tuple[str, ...]:
    with pytest.raises(Exhausted) as caught:
        await world.flag(question)
    assert caught.value.reason is ErrorReason.QUESTIONS_EXHAUSTED
    assert (kinds(world)[-1], world.entries()[-1].fields["reason"]) == ("access.refused", "QUESTIONS_EXHAUSTED")
    return caught.value.fields


async def test_an_agency_asks_so_many_questions_a_day_whatever_is_restarted_meanwhile(world: World) -> None:
    limits = Limits(agency=6, worker=6, possible=100)
    for first in range(0, 6, 2):
        limited(world, limits)
        await ask(world, 2, first=first)
    assert alarms(world) == [(ASKER, "QUESTIONS", "6"), (ASKER, "WORKER_QUESTIONS", "6")]
    limited(world, limits)
    assert await spent(world, replace(FINDER, number=7)) == ("budget: QUESTIONS",)
    assert await spent(world, replace(FINDER, number=8)) == ("budget: QUESTIONS",)
    # The alarm is of the moment at which the figure was reached, once.
    assert len(alarms(world)) == 2
    world.clock.advance(86_400)
    world.beat()
    await ask(world, 1, first=20)


@dataclass
class Busy:
    """A journal that takes so many entries of alarms not: its queue is full just then."""

    journal: Journal
    refusals: int

    def quiet(self) -> AbstractAsyncContextManager[None]:
        return self.journal.quiet()

    async def enter(self, append: Append) -> Entered:
        if append.draft.kind == Kind.BUDGET_ALARM and self.refusals:
            self.refusals -= 1
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE)
        return await self.journal.enter(append)


async def test_an_alarm_that_the_log_does_not_take_at_once_comes_with_the_next_question(world: World) -> None:
    limits = Limits(agency=3, worker=2, possible=100)
    world.use(replace(world.setting, tally=SqlTally(Busy(world.journal, 1), limits, None)))
    await ask(world, 1)
    with pytest.raises(Unavailable):
        await world.flag(replace(FINDER, number=1))
    assert alarms(world) == []
    await world.flag(replace(FINDER, number=2, worker="worker-2"))
    assert alarms(world) == [(ASKER, "WORKER_QUESTIONS", "2"), (ASKER, "QUESTIONS", "3")]


async def test_one_worker_has_a_part_of_it_and_a_colleague_the_rest(world: World) -> None:
    limited(world, Limits(agency=5, worker=3, possible=100))
    await ask(world, 3)
    assert await spent(world, replace(FINDER, number=10)) == ("budget: WORKER_QUESTIONS",)
    await world.flag(replace(FINDER, number=11, worker="worker-2"))
    await world.flag(replace(FINDER, number=12, worker="worker-2"))
    assert await spent(world, replace(FINDER, number=13, worker="worker-3")) == ("budget: QUESTIONS",)
    assert alarms(world) == [(ASKER, "WORKER_QUESTIONS", "3"), (ASKER, "QUESTIONS", "5")]


async def test_questions_at_once_do_not_pass_the_figure(world: World) -> None:
    limited(world, Limits(agency=5, worker=5, possible=100))
    questions = [world.flag(replace(FINDER, number=number)) for number in range(12)]
    outcomes = await asyncio.gather(*questions, return_exceptions=True)
    assert sum(isinstance(outcome, Exhausted) for outcome in outcomes) == 7
    assert kinds(world).count("access.decision") == 5
    assert len(alarms(world)) == 2


async def test_a_guess_that_calls_itself_a_further_page_is_a_question_like_any(world: World) -> None:
    limited(world, Limits(agency=2, worker=2, possible=100))
    for number in range(2):
        await world.records(Question(f"guess {number}", number=number, page=2))
    with pytest.raises(Exhausted):
        await world.records(Question("guess 3", number=3, page=2))


async def test_and_counts_for_the_hold(world: World) -> None:
    for number in range(FEW.lookups):
        await world.records(Question(f"guess {number}", number=number, page=2))
    assert kinds(world).count("lookups.held") == 1


async def test_a_release_does_not_give_the_day_back(world: World) -> None:
    world.use(replace(world.setting, tally=SqlTally(world.journal, Limits(FEW.lookups + 1, 100, 100), FEW)))
    await ask(world, FEW.lookups)
    await release_lookups(Ledger(world.log, world.reader, world.clock, world.keys), ASKER)
    await ask(world, 1, first=100)
    assert await spent(world, replace(FINDER, number=200)) == ("budget: QUESTIONS",)


async def test_what_workers_asked_is_forgotten_with_the_day(world: World) -> None:
    """Pseudonyms change each day: kept, they would be a list of everybody who ever asked."""

    def accounts() -> list[str]:
        listed = Statement(select(tally.c.account).order_by(tally.c.account))
        return [account for (account,) in world.reader.all(listed)]

    await ask(world, 1)
    await world.flag(replace(FINDER, number=1, worker="worker-2"))
    assert accounts() == [ASKER, f"{ASKER} worker-1", f"{ASKER} worker-2"]
    world.clock.advance(86_400)
    world.beat()
    await world.flag(replace(FINDER, number=2, worker="worker-3"))
    assert accounts() == [ASKER, f"{ASKER} worker-3"]


async def test_what_policy_refuses_by_the_request_alone_costs_no_question(world: World) -> None:
    limited(world, Limits(agency=2, worker=2, possible=100))
    for number in range(4):
        await world.flag(replace(FINDER, evidence=(), number=number))
    await ask(world, 2, first=10)
    assert await spent(world, replace(FINDER, number=20)) == ("budget: QUESTIONS",)


async def test_so_many_possible_answers_are_an_alarm_that_the_agency_does_not_read(world: World) -> None:
    world.register("known", keys=("given_edit1_dob", "given_nick_dob"))
    limited(world, Limits(agency=100, worker=100, possible=3))
    await ask(world, 5)
    await ask(world, 2, first=50, youth="known")
    assert alarms(world) == []
    await ask(world, 2, first=60, youth="known")
    assert alarms(world) == [("", "POSSIBLE", "3")]
