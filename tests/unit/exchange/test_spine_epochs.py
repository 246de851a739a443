"""Questions while two epochs of the token key are answered: hits in either, and no negative that nobody stands for."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.coverage import Listing
from gateway.exchange.locate import Candidate, Verdicts
from gateway.ports import SubjectIndex
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import AgencyId, FlagState, Restriction
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.exchange_pb2 import CheckFlagResponse
from tests.unit.exchange.spine_parts import EPOCH, FAR_OWNER, OWNER, Answered, Question, tokens_of
from tests.unit.exchange.spine_world import World
from tests.unit.exchange.test_spine import FINDER

NEXT = "e2"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


def in_next(youth: str) -> TokenSet:
    """The youth's tokens in the following epoch, which are none of the current one."""
    tokens = tokens_of(f"{youth} again")
    tokens.epoch = NEXT
    return tokens


def asking(number: int, tokens: TokenSet) -> Question:
    return replace(FINDER, number=number, tokens=tokens)


def told(answered: Answered) -> tuple[Outcome, list[str]]:
    assert isinstance(answered.response, CheckFlagResponse)
    answer = answered.response.answer
    return from_wire(Outcome, answer.outcome), list(answer.stale_counties)


async def test_a_flag_is_found_in_either_epoch(world: World) -> None:
    handle = world.register("ada", flag=FlagState.ACTIVE)
    world.announce(NEXT)
    world.list_tokens(OWNER, handle, in_next("ada"), CORE_KEYS)
    assert told(await world.flag(asking(1, tokens_of("ada"))))[0] is Outcome.ANSWERED
    assert told(await world.flag(asking(2, in_next("ada"))))[0] is Outcome.ANSWERED


@pytest.mark.parametrize("youth", ["nobody", "sealed", "unflagged"])
async def test_a_miss_names_the_county_that_is_not_complete_in_the_questions_epoch(world: World, youth: str) -> None:
    for name, restriction in (("sealed", Restriction.SEALED), ("unflagged", Restriction.NONE)):
        flag = FlagState.ACTIVE if name == "sealed" else None
        handle = world.register(name, restriction=restriction, flag=flag)
        world.list_tokens(OWNER, handle, in_next(name), CORE_KEYS)
    world.announce(NEXT)
    world.beat({OWNER: f"{EPOCH} {NEXT}", FAR_OWNER: EPOCH})
    assert told(await world.flag(asking(1, tokens_of(youth)))) == (Outcome.NO_ACTIVE_FLAG_FOUND, [])
    # The same for whomever: what is told follows from the counties and not from the tokens.
    assert told(await world.flag(asking(2, in_next(youth)))) == (Outcome.UNDETERMINED, [FAR_OWNER[:5]])
    world.clock.advance(seconds=2)
    world.beat({OWNER: f"{EPOCH} {NEXT}", FAR_OWNER: f"{EPOCH} {NEXT}"})
    assert told(await world.flag(asking(3, in_next(youth)))) == (Outcome.NO_ACTIVE_FLAG_FOUND, [])


async def test_a_miss_in_the_epoch_before_is_no_negative_whatever_counties_said_before_the_cut_over(
    world: World,
) -> None:
    handle = world.register("ada", flag=FlagState.ACTIVE)
    world.list_tokens(OWNER, handle, in_next("ada"), CORE_KEYS)
    # Listed after the cut-over, and so in the current epoch alone; the heartbeats are those of before.
    world.register("new", flag=FlagState.ACTIVE)
    world.beat({OWNER: f"{EPOCH} {NEXT}", FAR_OWNER: f"{EPOCH} {NEXT}"})
    world.precede(NEXT)
    assert told(await world.flag(asking(1, in_next("ada"))))[0] is Outcome.ANSWERED
    for number, youth in enumerate(("new", "nobody"), start=2):
        assert told(await world.flag(asking(number, in_next(youth)))) == (
            Outcome.UNDETERMINED,
            [OWNER[:5], FAR_OWNER[:5]],
        )
    assert told(await world.flag(asking(4, tokens_of("nobody")))) == (Outcome.NO_ACTIVE_FLAG_FOUND, [])


@dataclass(frozen=True)
class Erased:
    """The index, from which the following epoch goes, and from the directory before, while somebody is looked for."""

    world: World
    index: SubjectIndex

    async def look_up(self, asking: AgencyId, tokens: TokenSet) -> tuple[Sequence[Candidate], Verdicts]:
        self.world.announce("")
        return (), {}

    async def statement(self, candidate: Candidate) -> bytes | None:
        return await self.index.statement(candidate)

    async def records(self) -> int:
        return await self.index.records()

    async def listings(self) -> Sequence[Listing]:
        return await self.index.listings()


async def test_a_miss_in_an_epoch_that_ends_while_somebody_is_looked_for_is_no_negative(world: World) -> None:
    handle = world.register("ada", flag=FlagState.ACTIVE)
    world.announce(NEXT)
    world.list_tokens(OWNER, handle, in_next("ada"), CORE_KEYS)
    world.beat({OWNER: f"{EPOCH} {NEXT}", FAR_OWNER: f"{EPOCH} {NEXT}"})
    world.use(replace(world.setting, index=Erased(world, world.setting.index)))
    assert told(await world.flag(asking(1, in_next("ada")))) == (Outcome.UNDETERMINED, [OWNER[:5], FAR_OWNER[:5]])


async def test_an_epoch_that_no_directory_names_is_refused_before_anybody_is_looked_for(world: World) -> None:
    with pytest.raises(Invalid) as refused:
        await world.flag(asking(1, in_next("ada")))
    assert refused.value.reason is ErrorReason.EPOCH_UNKNOWN
