"""Log and tables are compared beside a gateway that serves, which writes its file of keys apart from its database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason
from gateway.members.whole import check_tables, while_it_serves
from gateway.state import State
from tests.unit.exchange.members import LA, SF, Youth
from tests.unit.exchange.seal_desk import restrict
from tests.unit.exchange.test_authorities import consent, record
from tests.unit.exchange.world import World

ANA, BEN = Youth("Ana Invented"), Youth("Ben Invented", "2011-06-07")


@dataclass(frozen=True, slots=True)
class Overtaken(State):
    """What a process finds that reads the keys after somebody wrote both files, the snapshot being fixed before."""

    meanwhile: Callable[[], None] = lambda: None

    def read_secret(self, name: str, *, length: int | None = None) -> bytes:
        if name == "youth-wrap.key":
            self.meanwhile()
        return State.read_secret(self, name, length=length)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    state = State(tmp_path, "gateway")
    (tmp_path / "secrets").mkdir(mode=0o700)
    state.write_secret("youth-wrap.key", b"w" * 32)
    keys = made.class_keys
    state.write_secret("log-classes.key", keys.op + keys.req + keys.hold)
    yield made
    await made.close()


def compared(world: World, directory: Path, write: Callable[[], Awaitable[object]]) -> Callable[[], None]:
    """Compares as often as it is called, and is overtaken the first time."""
    loop, waiting = asyncio.get_running_loop(), [write]

    def meanwhile() -> None:
        if waiting:
            asyncio.run_coroutine_threadsafe(_run(waiting.pop()), loop).result(30)

    state, reader = Overtaken(directory, "gateway", meanwhile=meanwhile), world.reader.apart()

    def compare() -> None:
        reader.read(lambda tx: check_tables(tx, state))

    return compare


async def _run(write: Callable[[], Awaitable[object]]) -> None:
    await write()


async def test_what_is_written_after_the_snapshot_is_no_fault_of_it(world: World, tmp_path: Path) -> None:
    handle = await world.register(LA, ANA)

    written = 0

    async def write() -> None:
        nonlocal written
        await world.raise_flag(LA, ANA, handle=handle)
        await record(world, consent(world))
        other = await world.register(SF, BEN)
        await world.raise_flag(SF, BEN, handle=other)
        written = world.size()

    compare = compared(world, tmp_path, write)
    before = world.size()
    for _ in range(2):
        await asyncio.to_thread(compare)
    assert written >= before + 4, "else nobody wrote meanwhile"


async def test_a_key_that_leaves_with_a_seal_meanwhile_is_explained_by_a_second_look(
    world: World, tmp_path: Path
) -> None:
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    await record(world, consent(world, issuer_agency=SF, subject={"handle": handle}), agency=SF)
    compare = compared(world, tmp_path, lambda: restrict(world, handle))
    with pytest.raises(EvidenceError) as found:
        await asyncio.to_thread(compare)
    assert found.value.reason is EvidenceReason.PROJECTION, "else this test overtakes nobody"
    await asyncio.to_thread(compare)


def test_whoever_compares_beside_a_gateway_looks_twice_and_not_more() -> None:
    looks = []

    def at_odds(reason: EvidenceReason) -> Callable[[], None]:
        def look() -> None:
            looks.append(reason)
            raise EvidenceError(reason, "as it is")

        return look

    for reason in (EvidenceReason.PROJECTION, EvidenceReason.LEAF):
        with pytest.raises(EvidenceError):
            while_it_serves(at_odds(reason))
    assert looks == [EvidenceReason.PROJECTION] * 2 + [EvidenceReason.LEAF]
