"""One member's refused messages: each an entry up to a limit, above it a count; nobody else's are touched by it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.node.access_words import sentence
from audit.sequencer import Append
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.call import Call
from gateway.exchange.journal import Kind
from gateway.exchange.refusals import MOST, Refusals
from gateway.ports import Entered
from gateway.protocol.names import AgencyId
from gateway.store.log_journal import LogJournal
from tests.unit.exchange.members import KERN, LA
from tests.unit.exchange.world import World

MALFORMED, REPLAYED = ErrorReason.INVALID_REQUEST, ErrorReason.ASSERTION_REPLAYED


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    # The limit is by minutes of the clock: all of this happens in one.
    made.clock.advance(seconds=60 - made.clock().second)
    yield made
    await made.close()


def call(world: World, agency: AgencyId) -> Call:
    return Call(b"?", "", agency, f"spiffe://exchange.example/{agency}", b"t" * 32, world.clock())


async def refused(world: World, agency: AgencyId, reason: ErrorReason, times: int) -> None:
    for _ in range(times):
        await world.exchange.refusals.record(call(world, agency), reason)


async def left(world: World, agency: AgencyId) -> list[tuple[str, str]]:
    """Reason and count (empty for an entry of one refusal) of each entry."""
    found = [leaf for leaf in await world.leaves() if leaf.kind == Kind.REFUSED and leaf.entry.requester == agency]
    return [(leaf.op["reason"], leaf.op.get("more", "")) for leaf in found]


async def test_what_is_above_the_limit_is_one_entry_that_says_how_many(world: World) -> None:
    await refused(world, LA, MALFORMED, MOST + 490)
    assert await left(world, LA) == [(MALFORMED, "")] * MOST
    world.clock.advance(seconds=60)
    await world.exchange.refusals.settle()
    assert await left(world, LA) == [(MALFORMED, "")] * MOST + [(MALFORMED, "490")]
    await world.exchange.refusals.settle()
    await refused(world, LA, MALFORMED, 1)
    assert await left(world, LA) == [(MALFORMED, "")] * MOST + [(MALFORMED, "490"), (MALFORMED, "")]


async def test_neither_another_reason_nor_another_member_is_counted_with_them(world: World) -> None:
    await refused(world, LA, MALFORMED, MOST + 5)
    await refused(world, LA, REPLAYED, 1)
    await refused(world, KERN, MALFORMED, 1)
    assert (await left(world, LA))[-1] == (REPLAYED, "")
    assert await left(world, KERN) == [(MALFORMED, "")]


async def test_a_caller_that_gives_up_takes_no_count_along(world: World) -> None:
    """The member's own next call is the one that writes what it was refused; it could cut that off."""
    journal = world.setting.journal
    assert isinstance(journal, LogJournal)
    await refused(world, LA, MALFORMED, MOST + 440)
    world.clock.advance(seconds=60)
    async with journal.entrance.quiet():
        calling = asyncio.create_task(refused(world, LA, MALFORMED, 1))
        await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    await world.exchange.refusals.close()
    assert await left(world, LA) == [(MALFORMED, "")] * MOST + [(MALFORMED, "440")]


async def test_what_stays_below_the_limit_leaves_no_count(world: World) -> None:
    await refused(world, LA, MALFORMED, MOST)
    world.clock.advance(seconds=60)
    await refused(world, LA, MALFORMED, MOST)
    await world.exchange.refusals.close()
    assert await left(world, LA) == [(MALFORMED, "")] * (2 * MOST)


async def test_a_process_that_ends_says_what_it_counted_and_a_person_reads_it(world: World) -> None:
    await refused(world, LA, MALFORMED, MOST + 7)
    await world.exchange.refusals.close()
    entry = (await world.leaves())[-1]
    told = sentence({name: value.encode() for name, value in entry.op.items()}, world.clock())
    assert "7 more messages were refused in one minute, before any decision" in told
    assert MALFORMED in told


class Stopped:
    """A journal of a log that takes nothing, until it does."""

    def __init__(self, world: World) -> None:
        self._journal = world.setting.journal
        self.stopped = False

    async def enter(self, append: Append) -> Entered:
        if self.stopped:
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE)
        return await self._journal.enter(append)


async def test_a_count_that_the_log_did_not_take_is_still_owed(world: World) -> None:
    journal = Stopped(world)
    refusals = Refusals(journal.enter, world.clock)
    for _ in range(MOST + 3):
        await refusals.record(call(world, LA), MALFORMED)
    world.clock.advance(seconds=60)
    journal.stopped = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await refusals.settle()
    journal.stopped = False
    await refusals.settle()
    assert (await left(world, LA))[-1] == (MALFORMED, "3")
