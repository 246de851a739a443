"""What must be true of every reply of the spine, whatever is asked of it (ARCHITECTURE §7, invariants 1, 2, 4, 5)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.sequencer import Append
from gateway.exchange.call import Caller
from gateway.ports import Entered, Guard, Journal
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.names import (
    ROLES_BY_KIND,
    AuthorityId,
    Basis,
    EvidenceKind,
    FieldSet,
    FlagState,
    Grantor,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from gateway.store.projections import SqlProjections
from tests.unit.exchange.spine_checks import SOURCE_FAILED, check_records_answer
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, KINDS, OWNER, SHELTER, TEAM, Question
from tests.unit.exchange.spine_world import World

FROM_A_SOURCE = [each for each in FieldSet if each[:3] in ("FS2", "FS3", "FS4", "FS5", "FS6")]
PLENTY = (EvidenceKind.ABUSE_REPORT, EvidenceKind.OPEN_CASE, EvidenceKind.TRANSFER_ORDER, EvidenceKind.IMMINENT_HARM)
NUMBERS = count(1)


@dataclass(frozen=True)
class Known:
    """A world in which youths of every sort are listed and authorities of every sort recorded."""

    world: World
    youths: tuple[str, ...]
    authorities: tuple[AuthorityId | None, ...]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    made = World(tmp_path_factory.mktemp("spine"))
    handle = made.register("plain")
    made.register("flagged", flag=FlagState.ACTIVE)
    made.register("located", flag=FlagState.LOCATED_PENDING)
    made.register("resolved", flag=FlagState.RESOLVED)
    made.register("sealed", restriction=Restriction.SEALED, flag=FlagState.ACTIVE)
    made.register("sensitive", restriction=Restriction.SENSITIVE)
    made.register("sensitive-flagged", restriction=Restriction.SENSITIVE, flag=FlagState.ACTIVE)
    made.register("far", owner=FAR_OWNER, flag=FlagState.ACTIVE)
    made.register("twice", owner=OWNER)
    made.register("twice", owner=FAR_OWNER)
    made.register("weak", keys=(SOUND_KEY,))
    made.register("hosted", placed_in=ASKER[:5])
    youths = ("plain", "flagged", "located", "resolved", "sealed", "sensitive", "sensitive-flagged", "far", "twice",
              "weak", "hosted", "nobody")  # fmt: skip
    by_name = made.record_authority(1, subject="plain")
    by_handle = made.record_authority(2, subject=handle)
    revoked = made.record_authority(3, subject="plain")
    asyncio.run(made.revoke(revoked))
    emergency = made.record_authority(
        4,
        subject="far",
        issuer=ASKER,
        to=ASKER,
        basis=Basis.EMERGENCY,
        grantor=Grantor.EMERGENCY_CLAIMANT,
        purposes=(Purpose.PLACEMENT_PLANNING, Purpose.MFC_LOCATE),
        field_sets=(FieldSet.FS2_FLAG_LOCATE, FieldSet.FS6_JURISDICTION_CONTACT),
        life=timedelta(hours=3),
    )
    yield Known(made, youths, (None, by_name, by_handle, revoked, emergency, AuthorityId(b"?" * 16)))
    asyncio.run(made.close())


@st.composite
def questions(draw: st.DrawFn) -> tuple[Question, int]:
    """A question that has a fair chance, and which of the authorities it names."""
    by = draw(st.sampled_from([ASKER, ASKER, ASKER, TEAM]))
    role = draw(st.sampled_from(sorted(ROLES_BY_KIND[KINDS[by]])))
    wanted = {
        Purpose.MFC_LOCATE: (FieldSet.FS3_FLAG_CASEWORK, FieldSet.FS2_FLAG_LOCATE),
        Purpose.HOTLINE_SCREEN: (FieldSet.FS6_JURISDICTION_CONTACT,),
        Purpose.PLACEMENT_PLANNING: (FieldSet.FS5_PLACEMENT_DETAIL, FieldSet.FS4_PLACEMENT_SUMMARY),
        Purpose.CASE_TRANSFER: (FieldSet.FS5_PLACEMENT_DETAIL, FieldSet.FS6_JURISDICTION_CONTACT),
        Purpose.CFT_COORDINATION: (FieldSet.FS4_PLACEMENT_SUMMARY,),
    }
    purpose = draw(st.sampled_from([Purpose.CFT_COORDINATION] if by == TEAM else sorted(wanted)))
    sets = st.one_of(
        st.just(wanted[purpose]), st.lists(st.sampled_from(FROM_A_SOURCE), min_size=1, unique=True, max_size=3)
    )
    evidence = st.one_of(st.just(PLENTY), st.just(()), st.just((EvidenceKind.IMMINENT_HARM,)))
    needed = (EvidenceKind.TEAM_MEMBERSHIP,) if by == TEAM else draw(evidence)
    place = draw(st.integers(0, 5))
    question = Question(
        youth="", purpose=purpose, role=role, field_sets=tuple(draw(sets)), evidence=needed, by=by,
        page=draw(st.integers(1, 3)),
    )  # fmt: skip
    return question, place


def ask(known: Known, question: Question, place: int, youth: str, mode: str) -> Outcome:
    """The outcome, once everything that must hold of the answer was checked."""
    world = known.world
    world.beat()
    world.sources.mode, world.sources.orders = mode, []
    asked = replace(question, youth=youth, authority=known.authorities[place], number=next(NUMBERS))
    answered = asyncio.run(world.records(asked))
    check_records_answer(world, asked, answered, world.sources.orders)
    return from_wire(Outcome, answered.response.outcome)  # type: ignore[union-attr]


MODES = st.sampled_from(["answer", "answer", "answer", "refuse", *SOURCE_FAILED])


@settings(max_examples=150)
@given(data=st.data(), asked=questions(), mode=MODES)
def test_every_answer_stays_within_its_decision_and_behind_its_leaves(
    known: Known, data: st.DataObject, asked: tuple[Question, int], mode: str
) -> None:
    ask(known, *asked, data.draw(st.sampled_from(known.youths)), mode)


def test_those_questions_reach_every_kind_of_outcome(known: Known) -> None:
    seen: Counter[Outcome] = Counter()

    @settings(max_examples=150, database=None)
    @given(data=st.data(), asked=questions(), mode=MODES)
    def run(data: st.DataObject, asked: tuple[Question, int], mode: str) -> None:
        seen[ask(known, *asked, data.draw(st.sampled_from(known.youths)), mode)] += 1

    run()
    assert {
        Outcome.ANSWERED,
        Outcome.NO_DISCLOSABLE_RECORD,
        Outcome.NOT_PERMITTED,
        Outcome.EVIDENCE_NEEDED,
        Outcome.CONSENT_NEEDED,
        Outcome.SOURCE_UNAVAILABLE,
    } <= set(seen)
    assert seen[Outcome.ANSWERED] >= 10


class Forgetful:
    """A fault for the checks to find: a journal that answers for a leaf it never wrote."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._last: Entered | None = None

    async def enter(self, append: Append) -> Entered:
        if append.draft.kind == "access.outcome" and self._last is not None:
            return self._last
        self._last = await self._journal.enter(append)
        return self._last


async def test_an_answer_without_its_release_leaf_would_be_noticed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.register("plain")
    asked = Question("plain")
    answered = await world.records(asked)
    check_records_answer(world, asked, answered, world.sources.orders)
    world.use(replace(world.setting, journal=Forgetful(world.journal)))
    world.sources.orders = []
    again = replace(asked, number=1)
    answered = await world.records(again)
    with pytest.raises(AssertionError):
        check_records_answer(world, again, answered, world.sources.orders)
    await world.close()


# --- invariant 4: after a revocation is acknowledged, no release for it has a higher index ---------------------------

SHELTER_CHECK = Question(
    "plain",
    purpose=Purpose.VOLUNTARY_SHELTER,
    role=Role("SHELTER.yhpc_intake"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(),
    by=SHELTER,
)
TEAM_RECORDS = Question(
    "plain",
    purpose=Purpose.CFT_COORDINATION,
    role=Role("FFA.social_worker"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    evidence=(EvidenceKind.TEAM_MEMBERSHIP,),
    by=TEAM,
)


async def pause(turns: int) -> None:
    """Lets others go first; long pauses let the log's own thread get ahead too."""
    for _ in range(turns % 20):
        await asyncio.sleep(0)
    if turns >= 20:
        await asyncio.sleep(0.001 * (turns - 20))


async def race(
    world: World, number: int, *, starts: list[int], works: list[int], revokes: int
) -> tuple[int, list[int]]:
    """Requests and a revocation at once: index of the revocation, and of every release that rests on the consent."""
    to_team = world.record_authority(2 * number, subject="plain")
    to_shelter = world.record_authority(
        2 * number + 1,
        subject="plain",
        issuer=SHELTER,
        to=SHELTER,
        purposes=(Purpose.VOLUNTARY_SHELTER,),
        field_sets=(FieldSet.FS1_FLAG_STATUS,),
        grantor=Grantor.MINOR_SELF,
    )
    before, delays = world.size(), iter(works * 4)
    world.sources.meanwhile = lambda: pause(next(delays))

    async def later(turns: int, call: Awaitable[object]) -> object:
        await pause(turns)
        return await call

    async def revoke() -> list[int]:
        await pause(revokes)
        return [await world.revoke(to_team), await world.revoke(to_shelter)]

    calls: list[Awaitable[object]] = []
    for place, turns in enumerate(starts):
        unique = number * 100 + place
        calls.append(later(turns, world.records(replace(TEAM_RECORDS, authority=to_team, number=unique))))
        calls.append(later(turns, world.flag(replace(SHELTER_CHECK, authority=to_shelter, number=unique))))
    revoked, *_ = await asyncio.gather(revoke(), *calls)
    released = []
    for entry in world.entries(before):
        own = entry.fields.get("authority")
        last = entry.kind == "access.outcome" or (entry.kind == "access.decision" and own == to_shelter.hex())
        if last and entry.allows:
            released.append(entry.index - revoked[0 if own == to_team.hex() else 1])
    return len(released), released


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("race"))
    world.register("plain", flag=FlagState.ACTIVE)
    yield world
    asyncio.run(world.close())


@settings(max_examples=60)
@given(
    starts=st.lists(st.integers(0, 25), min_size=1, max_size=3),
    works=st.lists(st.integers(0, 25), min_size=1, max_size=3),
    revokes=st.integers(0, 28),
)
def test_nothing_is_released_after_its_revocation(
    shared: World, starts: list[int], works: list[int], revokes: int
) -> None:
    _, distances = asyncio.run(race(shared, next(NUMBERS), starts=starts, works=works, revokes=revokes))
    assert all(distance < 0 for distance in distances)


def test_releases_do_happen_on_both_sides_of_the_race(shared: World) -> None:
    early, _ = asyncio.run(race(shared, next(NUMBERS), starts=[0], works=[0], revokes=520))
    late, _ = asyncio.run(race(shared, next(NUMBERS), starts=[520], works=[0], revokes=0))
    assert (early, late) == (2, 0)


async def revoked_at_the_source(world: World) -> tuple[int, int]:
    """Index of the release, -1 for none, and of the revocation: the consent ends while the source is at work."""
    to_team = world.record_authority(2, subject="plain")
    before, revoked = world.size(), list[int]()

    async def revoke() -> None:
        revoked.append(await world.revoke(to_team))

    world.sources.meanwhile = revoke
    await world.records(replace(TEAM_RECORDS, authority=to_team, number=1))
    released = [each.index for each in world.entries(before) if each.kind == "access.outcome" and each.allows]
    return (released or [-1])[0], revoked[0]


def test_a_consent_that_ends_while_the_source_is_at_work_ends_the_release(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.register("plain", flag=FlagState.ACTIVE)
    released, revoked = asyncio.run(revoked_at_the_source(world))
    assert (released, revoked > 0) == (-1, True)
    asyncio.run(world.close())


class Trusting(SqlProjections):
    """A fault for the property to find: nothing is re-checked when a record leaves."""

    def releasable(self, caller: Caller, refused: object, *, relies_on_authority: bool) -> Guard:
        return lambda tx: None


def test_a_release_that_is_not_checked_again_would_be_noticed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.register("plain", flag=FlagState.ACTIVE)
    world.use(replace(world.setting, projections=Trusting(world.keys, world.alert_keys)))
    released, revoked = asyncio.run(revoked_at_the_source(world))
    assert released > revoked
    asyncio.run(world.close())
