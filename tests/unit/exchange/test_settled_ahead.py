"""What another process settles of a flag check before the spine comes to it is what the spine would have settled."""

import asyncio
import hashlib
import marshal
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from gateway.apart import Apart
from gateway.aside import FEW, Aside, Work
from gateway.carried import decision_of, found_of, plain_decision, plain_found
from gateway.exchange.call import Caller
from gateway.exchange.coverage import Listing
from gateway.exchange.locate import NOTHING, Candidate, FlagRow, Found, Verdicts
from gateway.exchange.settle import Settled
from gateway.ports import SubjectIndex, YouthKeys
from gateway.protocol.decide import DecisionInput, decide
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import (
    AgencyId,
    EvidenceKind,
    FlagState,
    Purpose,
    Restriction,
    Role,
    SubjectHandle,
    county_of,
)
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import Located
from gateway.protocol.wire_names import from_wire
from gateway.rpc.incoming import flag_query
from gateway.store.index import SHARED_TOKENS, SqlIndex, looked_up
from gateway.store.lookups import Lookups
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse, FlagQuery
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, FINDER, OWNER, Question, at_rest, tokens_of
from tests.unit.exchange.spine_world import World, flag_payload
from tests.unit.exchange.test_aside import Elsewhere

YOUTHS = ("flagged", "pending", "unflagged", "sealed", "sensitive", "sound", "sound flagged", "shared", "nobody")


def peopled(directory: Path) -> World:
    """Youths of every kind, and the exchange answers by itself."""
    made = World(directory)
    made.register("flagged", flag=FlagState.ACTIVE)
    made.register("pending", flag=FlagState.LOCATED_PENDING, placed_in="06029")
    made.register("unflagged")
    made.register("sealed", restriction=Restriction.SEALED, flag=FlagState.ACTIVE)
    made.register("sensitive", restriction=Restriction.SENSITIVE, flag=FlagState.ACTIVE)
    made.register("sound", keys=[SOUND_KEY])
    made.register("sound flagged", keys=[SOUND_KEY], flag=FlagState.ACTIVE)
    for owner in (OWNER, FAR_OWNER):
        made.register("shared", owner=owner, flag=FlagState.ACTIVE)
    return made


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """As `peopled`."""
    made = peopled(tmp_path)
    yield made
    await made.close()


def use_other(world: World) -> Elsewhere:
    """Questions are settled elsewhere from now on."""
    other = Elsewhere(Work(world.path, world.setting.policy))
    aside = Aside(cast(Apart, other), Work(world.path, world.setting.policy))
    index = SqlIndex(Lookups(world.reader, threaded=False), at_rest, world.youth_keys, aside.find)
    world.use(replace(world.setting, read=partial(aside.read, at_rest), index=index))
    return other


def questions() -> list[Question]:
    """Of every youth, by those who may ask, and by some who may not."""
    asking = [
        FINDER,
        replace(FINDER, evidence=()),
        replace(FINDER, role=Role("CWA.placement_worker")),
        replace(FINDER, purpose=Purpose.MFC_LOCATE, evidence=(EvidenceKind.REPORT_BEING_FILED,)),
        replace(FINDER, purpose=Purpose.PLACEMENT_PLANNING, role=Role("CWA.placement_worker")),
        replace(FINDER, by=OWNER),
    ]
    return [
        replace(each, youth=youth, number=number) for number, each in enumerate(asking, start=1) for youth in YOUTHS
    ]


async def read(world: World, asked: Sequence[Question]) -> list[Caller]:
    """Each, admitted."""
    calls = [world.call(each, flag_payload(each)) for each in asked]
    return [caller for caller, _ in await asyncio.gather(*(world.exchange.admit(each, FlagQuery) for each in calls))]


def outcome(answered: object) -> Outcome:
    assert isinstance(answered, CheckFlagResponse)
    return from_wire(Outcome, answered.answer.outcome)


async def test_it_is_the_same_for_every_question(world: World) -> None:
    here, asked = world.setting, questions()
    other = use_other(world)
    ahead = [caller.ahead for caller in await read(world, asked)]
    assert max(other.asked) == len(asked) > FEW
    world.use(here)
    for question, settled in zip(asked, ahead, strict=True):
        assert settled is not None
        answered = await world.flag(question)
        fields = answered.entries[0].fields
        # The digest stands for everything that is known of the request and of the youth.
        assert fields["input"] == hashlib.sha256(settled.committed).digest()
        assert fields["outcome"] == settled.decision.outcome
        assert fields.get("reason", Reason.PERMITTED) == settled.decision.reason
        assert decide(here.policy, DecisionInput.from_bytes(settled.committed)) == settled.decision
        assert settled.youth == DecisionInput.from_bytes(settled.committed).youth
    assert {each.decision.outcome for each in ahead if each} >= {
        Outcome.ANSWERED,
        Outcome.NO_ACTIVE_FLAG_FOUND,
        Outcome.UNDETERMINED,
        Outcome.NOT_PERMITTED,
    }, "questions that differ"


async def test_what_it_leaves_behind_is_the_same(tmp_path: Path) -> None:
    left = []
    for settles, directory in ((False, tmp_path / "here"), (True, tmp_path / "ahead")):
        directory.mkdir()
        world = peopled(directory)
        if settles:
            use_other(world)
        # One after another: of two at once that may mean the same youth both may ask people about it.
        answers = [await world.flag(each) for each in questions()]
        left.append(([outcome(each.response) for each in answers], sorted(world.sources.alerts)))
        await world.close()
    assert left[0] == left[1]
    assert left[0][1], "somebody was told"


async def test_what_a_link_says_counts_elsewhere_too(world: World) -> None:
    use_other(world)
    asked = [replace(FINDER, youth="sound flagged", number=number) for number in range(2 * FEW)]
    answers = await asyncio.gather(*map(world.flag, asked))
    assert {outcome(each.response) for each in answers} == {Outcome.UNDETERMINED}
    assert (await world.setting.index.look_up(ASKER, tokens_of("sound flagged")))[1], "it was asked about"
    settled = [caller.ahead for caller in await read(world, [replace(each, number=9) for each in asked[:1] * 4])]
    assert {len(each.found.unsettled) for each in settled if each} == {0}, "and is not asked about again"


async def test_who_asks_under_an_authority_is_settled_by_the_spine(world: World) -> None:
    use_other(world)
    authority = world.record_authority(subject="flagged")
    callers = await read(world, [replace(FINDER, authority=authority, number=number) for number in range(2 * FEW)])
    assert [caller.ahead for caller in callers] == [None] * 2 * FEW
    assert all(caller.ahead for caller in await read(world, [replace(FINDER, number=number) for number in range(FEW)]))


async def test_counties_that_are_silent_are_known_elsewhere_too(world: World) -> None:
    world.silence(FAR_OWNER)
    use_other(world)
    asked = [replace(FINDER, youth="nobody", number=number) for number in range(2 * FEW)]
    ahead = [caller.ahead for caller in await read(world, asked)]
    assert [each.stale for each in ahead if each] == [(county_of(FAR_OWNER),)] * 2 * FEW
    assert {each.decision.outcome for each in ahead if each} == {Outcome.UNDETERMINED}


async def test_nothing_that_was_settled_under_another_directory_counts(world: World) -> None:
    use_other(world)
    (caller, *_) = await read(world, [replace(FINDER, youth="flagged", number=number) for number in range(2 * FEW)])
    assert caller.ahead is not None
    false = replace(caller.ahead, decision=replace(caller.ahead.decision, permit=False), found=NOTHING)
    assert await found(world, caller, false) == NOTHING, "it is taken as it is"
    world.renew_assertion_key(OWNER)
    assert (await found(world, caller, false, number=1)).located is Located.ONE


async def found(world: World, caller: Caller, ahead: Settled, number: int = 0) -> Found:
    """What comes of the question about the flagged youth, once that was settled ahead."""
    payload = flag_payload(replace(FINDER, youth="flagged", number=20 + number))
    claims = replace(caller.claims, assertion_id=f"again-{number}")
    query = flag_query(FlagQuery.FromString(payload), payload)
    return (await world.exchange.run(replace(caller, ahead=ahead, claims=claims), query)).found


@dataclass
class Sealing:
    """The index, from which a youth goes between two looks at it."""

    index: SubjectIndex
    looked: int = 0

    async def look_up(self, asking: AgencyId, tokens: TokenSet) -> tuple[Sequence[Candidate], Verdicts]:
        self.looked += 1
        return (), {}

    async def statement(self, candidate: Candidate) -> bytes | None:
        return None

    async def records(self) -> int:
        return await self.index.records()

    async def listings(self) -> Sequence[Listing]:
        return await self.index.listings()


async def test_a_youth_that_was_sealed_since_is_looked_for_again(world: World) -> None:
    use_other(world)
    (caller, *_) = await read(world, [replace(FINDER, youth="flagged", number=number) for number in range(2 * FEW)])
    assert caller.ahead is not None
    assert caller.ahead.decision.permit
    sealing = Sealing(world.setting.index)
    world.use(replace(world.setting, index=sealing))
    assert await found(world, caller, caller.ahead) == NOTHING
    assert sealing.looked == 1


@dataclass
class Keyless:
    """The youths' audit keys, of which none is found."""

    keys: YouthKeys

    def __getattr__(self, name: str) -> object:
        return getattr(self.keys, name)

    async def find(self, owner: AgencyId, handle: SubjectHandle) -> bytes | None:
        return None


@pytest.mark.parametrize("ahead", [False, True])
async def test_without_the_youths_key_nobody_is_flagged(world: World, ahead: bool) -> None:
    world.youth_keys = Keyless(world.youth_keys)  # type: ignore[assignment]
    index = SqlIndex(Lookups(world.reader, threaded=False), at_rest, world.youth_keys)
    world.setting = replace(world.setting, youth_keys=world.youth_keys, index=index)
    if ahead:
        use_other(world)
    else:
        world.use(world.setting)
    asked = [replace(FINDER, youth=youth, number=number) for youth in ("flagged", "shared") for number in range(FEW)]
    answers = await asyncio.gather(*map(world.flag, asked))
    assert {outcome(each.response) for each in answers} == {Outcome.NO_ACTIVE_FLAG_FOUND}
    assert world.sources.alerts == []


async def test_nothing_counts_that_was_settled_while_other_counties_were_believed(world: World) -> None:
    use_other(world)
    (caller, *_) = await read(world, [replace(FINDER, youth="nobody", number=number) for number in range(2 * FEW)])
    assert caller.ahead is not None
    assert caller.ahead.stale == ()
    world.silence(FAR_OWNER)
    world.clock.advance(seconds=2)
    payload = flag_payload(replace(FINDER, youth="nobody"))
    result = await world.exchange.run(caller, flag_query(FlagQuery.FromString(payload), payload))
    assert result.stale_counties == (county_of(FAR_OWNER),)
    assert result.decision.outcome is Outcome.UNDETERMINED


@pytest.mark.parametrize("first", ["", "ANALYZE"], ids=["as made", "with statistics"])
def test_tokens_are_looked_up_by_their_key_and_nothing_is_read_from_end_to_end(world: World, first: str) -> None:
    with closing(sqlite3.connect(world.path)) as database:
        database.execute(first)
    explained = f"EXPLAIN QUERY PLAN {SHARED_TOKENS.text(sqlite.dialect())}"
    with closing(sqlite3.connect(world.path)) as database:
        plan = [str(row[3]) for row in database.execute(explained, (bytes(16), "e1"))]
    assert "SEARCH index_token USING PRIMARY KEY (token=?)" in plan
    assert not [each for each in plan if each.startswith(("SCAN index_token", "SCAN subject", "SCAN flag", "BLOOM"))], (
        plan
    )


def test_more_tokens_than_a_question_has_are_not_passed_over_in_silence() -> None:
    most = bytes(16 * load_key_scheme().elements)
    assert looked_up(lambda *_: (), ("e1", most, OWNER, b"")) == ((), ())
    with pytest.raises(ValueError, match="more tokens"):
        looked_up(lambda *_: (), ("e1", most + bytes(16), OWNER, b""))


# --- as plain values


AGENCIES = st.sampled_from((OWNER, FAR_OWNER, AgencyId("06061.cwa")))
IDS = st.binary(min_size=16, max_size=16)
FLAGS = st.builds(FlagRow, IDS, st.sampled_from(FlagState), st.integers(1, 9), st.binary())
CANDIDATES = st.builds(
    Candidate,
    owner=AGENCIES,
    handle=IDS.map(SubjectHandle),
    agreeing_keys=st.frozensets(st.sampled_from(sorted(CORE_KEYS))),
    carried_keys=st.frozensets(st.sampled_from(sorted(CORE_KEYS))),
    restriction=st.sampled_from(Restriction),
    placement_county=st.sampled_from(("", "06029")),
    flag=st.none() | FLAGS,
)


@given(
    st.lists(CANDIDATES, max_size=4), st.sampled_from(Located), st.none() | st.sampled_from(FlagState), st.booleans()
)
def test_what_was_found_comes_back_as_it_went(
    youths: list[Candidate], located: Located, state: FlagState | None, linked: bool
) -> None:
    every = tuple(youths)
    whole = Found(located, youths[0] if youths else None, state, every[1:], every[:2], linked, every)
    back = found_of(marshal.loads(marshal.dumps(plain_found(whole))))  # noqa: S302 (made on this line)
    assert (back, back.likely) == (whole, whole.likely)


async def test_the_decisions_of_these_questions_come_back_as_they_went(world: World) -> None:
    use_other(world)
    for caller in await read(world, questions()):
        assert caller.ahead is not None
        decision = caller.ahead.decision
        assert decision_of(marshal.loads(marshal.dumps(plain_decision(decision)))) == decision  # noqa: S302
