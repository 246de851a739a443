"""A process that ends while a seal is lifted: a start, or the next order, does what the log says, and no more."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from audit.followed import Contradiction, Rule
from gateway.errors import Conflict, ErrorReason, Unavailable
from gateway.exchange.notices import SealState
from gateway.protocol.escrow import release
from gateway.store.escrow import erasing_waits
from gateway.store.returned_keys import FileReturnedKeys
from gateway.store.youth_keys import youth_name
from homeward.gateway.v1 import sealing_pb2 as pb
from tests.unit.exchange.members import SF
from tests.unit.exchange.seal_desk import ANA, BEN, entries_of, everything, lived, order, restrict
from tests.unit.exchange.test_closed_counts import killed_after_the_entry
from tests.unit.exchange.test_seal_forensics import Killed
from tests.unit.exchange.token_authority_desk import lift, replayed
from tests.unit.exchange.world import World


@dataclass(frozen=True)
class EndsBeforeTheKeyReturns:
    """Keys whose process is killed between the entry that lifts a seal and the key's return."""

    keys: FileReturnedKeys

    def restore(self, seal_id: bytes) -> None:
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keys, name)


@dataclass(frozen=True)
class EndsBeforeTheEntry:
    """Keys whose process cannot write, or must not, once the court's key is durable."""

    keys: FileReturnedKeys
    error: Exception

    def receive(self, *args: Any) -> None:
        self.keys.receive(*args)
        raise self.error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.keys, name)


def with_keys(world: World, returned: object) -> None:
    object.__setattr__(world.sealing._sealing, "returned", returned)


def before_the_key_returns(world: World) -> None:
    with_keys(world, EndsBeforeTheKeyReturns(world.seals.returned))


def before_the_entry(world: World) -> None:
    with_keys(world, EndsBeforeTheEntry(world.seals.returned, Unavailable(ErrorReason.LOG_UNAVAILABLE)))


async def cut_short(
    world: World, handle: bytes, end: Callable[[World], None], failure: type[BaseException] = Killed
) -> pb.SealResponse:
    """The youth's seal was being lifted when the process ended so; the seal."""
    done = await restrict(world, handle)
    end(world)
    with pytest.raises(failure):
        await lift(world, done)
    return done


def alive_again(world: World) -> None:
    """What a new process has: nothing of the one that ended."""
    world._assemble()


def released_to(world: World, seal_id: bytes) -> bytes:
    copy = world.seals.escrow.copy_of(seal_id) or b""
    return release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=seal_id)


@pytest.mark.parametrize("end", [before_the_key_returns, killed_after_the_entry])
async def test_a_start_after_the_entry_brings_back_the_key_though_nobody_orders_it_again(
    world: World, tmp_path: Path, end: Callable[[World], None]
) -> None:
    handles = await lived(world)
    before = await entries_of(world, ANA)
    done = await cut_short(world, handles[ANA], end)
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    assert erasing_waits(tmp_path / "keys.db")
    # A start checks the tables before it carries out what is left of an order.
    world.check_projections()
    alive_again(world)
    await world.seals.settle(world.setting.journal)
    assert await entries_of(world, ANA) == before
    assert not erasing_waits(tmp_path / "keys.db")
    assert (world.seals.returned.waiting(), world.seals.escrow.copy_of(done.seal_id)) == ([], None)
    replayed(world)
    # Its counters are none that an entry had, and the next seal and its lifting count on.
    assert await world.register(SF, ANA) == handles[ANA]
    await lift(world, await restrict(world, handles[ANA]))
    replayed(world)


async def test_a_replay_before_the_start_that_finishes_a_lifting_says_so_and_contradicts_nothing(world: World) -> None:
    handles, before = await lived(world), replayed(world)
    assert before.returning == 0
    await cut_short(world, handles[ANA], before_the_key_returns)
    pending = replayed(world)
    assert (pending.returning, pending.sealed, pending.recomputed) == (1, 0, before.recomputed)
    alive_again(world)
    await world.seals.settle(world.setting.journal)
    assert replayed(world) == replace(pending, returning=0), "as it was followed before the key was back"


async def test_a_lifting_whose_key_is_not_on_its_way_contradicts(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    await cut_short(world, handles[ANA], before_the_key_returns)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        keys.execute("DELETE FROM returning_key")
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.SEALED


async def test_a_table_that_calls_a_seal_lifted_opens_nothing_that_the_log_says_is_closed(
    world: World, tmp_path: Path
) -> None:
    handles = await lived(world)
    await cut_short(world, handles[ANA], before_the_entry, Unavailable)
    assert replayed(world).returning == 0, "the seal stands: its key is on its way to nowhere"
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("UPDATE seal SET state = ?", (SealState.LIFTED.value,))
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.SEALED
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("UPDATE seal SET state = ?", (SealState.RESTRICTED.value,))


async def test_the_next_order_of_anybody_brings_it_back_too(world: World) -> None:
    handles = await lived(world)
    await cut_short(world, handles[ANA], before_the_key_returns)
    with_keys(world, world.seals.returned)
    await restrict(world, handles[BEN])
    assert world.youth_keys.row_of(SF, handles[ANA]) is not None
    replayed(world)


@pytest.mark.parametrize("later", ["start", "order"])
async def test_a_key_whose_lifting_was_never_written_is_forgotten_and_its_seal_stands(
    world: World, tmp_path: Path, later: str
) -> None:
    handles = await lived(world)
    done = await cut_short(world, handles[ANA], before_the_entry, Unavailable)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
        (wrapped,) = keys.execute("SELECT wrapped FROM returning_key").fetchone()
    assert wrapped in everything(tmp_path)
    alive_again(world)
    if later == "start":
        await world.seals.settle(world.setting.journal)
    else:
        await restrict(world, handles[BEN])
    left = everything(tmp_path)
    assert not any(secret in left for secret in (wrapped, youth_name(SF, handles[ANA])))
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    replayed(world)
    # The custodian's copy stays: the same order again lifts the seal.
    await lift(world, done)
    assert world.youth_keys.row_of(SF, handles[ANA]) is not None
    replayed(world)


async def test_a_lifting_that_was_refused_leaves_no_key_behind(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    released = released_to(world, done.seal_id)

    async def spent(*_: object, **__: object) -> None:
        raise Conflict(ErrorReason.ASSERTION_REPLAYED)

    orders = world.sealing._sealing.orders
    object.__setattr__(world.sealing._sealing, "orders", _Refusing(orders, spent))
    with pytest.raises(Conflict):
        await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)
    assert world.seals.returned.waiting() == []
    assert not erasing_waits(tmp_path / "keys.db")


@dataclass(frozen=True)
class _Refusing:
    orders: Any
    enter: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.orders, name)
