"""What comes between the deposit of a youth's key and the entry of its seal counts as it stands in the log."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ErrorReason, Invalid, Unavailable
from gateway.exchange.journal import Kind
from gateway.protocol.names import SubjectHandle
from gateway.store import tables
from gateway.store.escrow import FileEscrow, erasing_waits
from gateway.store.youth_keys import youth_name
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import OUTCOME_RECORDED
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, RegisterSubjectsResponse, Subject
from tests.unit.exchange.members import SF, Youth, handle_of
from tests.unit.exchange.seal_desk import ANA, BEN, everything, lived, order, restrict
from tests.unit.exchange.test_row_links import every_entry
from tests.unit.exchange.test_seal_forensics import Killed, KilledBeforeTheKeyLeaves
from tests.unit.exchange.token_authority_desk import lift, replayed
from tests.unit.exchange.world import World


@dataclass
class Interrupted:
    """An escrow in which something happens once a deposit is durable."""

    escrow: FileEscrow
    happens: Callable[[], Awaitable[None]]
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def deposit(self, *args: Any, **said: Any) -> None:
        self.escrow.deposit(*args, **said)

        async def happen() -> None:
            await self.happens()

        asyncio.run_coroutine_threadsafe(happen(), self.loop).result()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.escrow, name)


def interrupt(world: World, happens: Callable[[], Awaitable[None]]) -> None:
    object.__setattr__(world.sealing._sealing, "escrow", Interrupted(world.seals.escrow, happens))


async def list_again(world: World, youth: Youth = ANA) -> RegisterSubjectsResponse:
    subject = Subject(handle=handle_of(SF, youth), tokens=world.tokens(youth), restriction=RESTRICTION_NONE)
    return await world.list_subjects(SF, subjects=[subject])


def is_listed(world: World, handle: SubjectHandle) -> bool:
    return handle in {row["handle"] for row in world.rows(tables.subject)}


async def test_a_youth_listed_before_the_entry_of_its_seal_is_listed_and_leaves_with_the_entry(world: World) -> None:
    handles, answers = await lived(world), list[RegisterSubjectsResponse]()
    seen = list[bool]()

    async def listed() -> None:
        answers.append(await list_again(world))
        seen.append(is_listed(world, handles[ANA]))

    interrupt(world, listed)
    done = await restrict(world, handles[ANA])
    assert ([list(each.sealed_handles) for each in answers], seen) == ([[]], [True])
    assert done.outcome == OUTCOME_RECORDED
    kinds = [entry.kind for entry in every_entry(world)]
    assert kinds[-2:] == [Kind.INDEX_REGISTERED, Kind.SEAL_RESTRICTED]
    assert not is_listed(world, handles[ANA])
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    # From its entry on it is sealed.
    assert list((await list_again(world)).sealed_handles) == [handles[ANA]]
    world.check_projections()
    replayed(world)


async def test_a_youth_whose_seal_never_came_about_is_called_sealed_by_nobody(world: World) -> None:
    handles = await lived(world)

    async def ended() -> None:
        raise Unavailable(ErrorReason.LOG_UNAVAILABLE)

    interrupt(world, ended)
    with pytest.raises(Unavailable):
        await restrict(world, handles[ANA])
    assert list((await list_again(world)).sealed_handles) == []
    assert is_listed(world, handles[ANA])
    # The next start says the same, and has forgotten the deposit.
    await world.seals.settle(world.setting.journal)
    assert list((await list_again(world)).sealed_handles) == []
    assert world.youth_keys.row_of(SF, handles[ANA]) is not None
    world.check_projections()


async def test_an_order_given_again_leaves_nothing_of_the_one_that_was_not_written(
    world: World, tmp_path: Path
) -> None:
    """The custodian could open its copy, and what was destroyed would not be."""
    handles, copies = await lived(world), list[bytes]()

    async def ended() -> None:
        with closing(sqlite3.connect(tmp_path / "keys.db")) as keys:
            copies.extend(bytes(copy) for (copy,) in keys.execute("SELECT copy FROM escrow"))
        raise Unavailable(ErrorReason.LOG_UNAVAILABLE)

    interrupt(world, ended)
    with pytest.raises(Unavailable):
        await restrict(world, handles[ANA])
    object.__setattr__(world.sealing._sealing, "escrow", world.seals.escrow)
    (copy,) = copies
    assert copy in everything(tmp_path)
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, subject_handle=handles[ANA])
    left = everything(tmp_path)
    assert not any(secret in left for secret in (copy[:64], copy[-64:], youth_name(SF, handles[ANA])))


async def test_an_order_whose_key_could_not_leave_is_carried_out_by_the_next_and_counts_once(world: World) -> None:
    """As where somebody kept the file of keys locked. Of two seals one would stay when a court lifts the other."""
    handles = await lived(world)
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))
    with pytest.raises(Killed):
        await restrict(world, handles[ANA])
    object.__setattr__(world.sealing._sealing, "escrow", world.seals.escrow)
    with pytest.raises(Invalid):
        await restrict(world, handles[ANA])
    (row,) = world.rows(tables.seal)
    assert world.seals.escrow.copy_of(bytes(row["seal_id"]))  # type: ignore[call-overload]
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    await restrict(world, handles[BEN])
    assert not erasing_waits(world.seals.escrow.path)
    with pytest.raises(Invalid):
        await restrict(world, handles[BEN])
    assert not erasing_waits(world.seals.escrow.path)
    replayed(world)


async def test_the_seal_of_a_youth_that_was_listed_a_moment_ago_can_be_lifted(world: World, tmp_path: Path) -> None:
    """Its key is made after the entry that lists it."""
    handle = await world.register(SF, ANA)
    name = youth_name(SF, handle)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys, world.youth_keys.forgetting([name]):
        assert keys.execute("DELETE FROM youth_key WHERE name = ?", (name,)).rowcount == 1
    await lift(world, await restrict(world, handle))
    assert list((await list_again(world)).sealed_handles) == []
    assert is_listed(world, handle)


async def test_a_youth_whose_key_waits_to_leave_after_the_entry_is_sealed(world: World) -> None:
    handles = await lived(world)
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))
    with pytest.raises(Killed):
        await restrict(world, handles[ANA])
    assert world.youth_keys.row_of(SF, handles[ANA]) is not None
    assert list((await list_again(world)).sealed_handles) == [handles[ANA]]
    assert list((await list_again(world, BEN)).sealed_handles) == []
    assert not is_listed(world, handles[ANA])


async def test_two_orders_about_one_youth_at_once_leave_one_seal(world: World) -> None:
    """A second would stand for good beside the one that a court lifts."""
    handles = await lived(world)
    orders = [restrict(world, handles[ANA]) for _ in range(2)]
    first, second = await asyncio.gather(*orders, return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert first.outcome == OUTCOME_RECORDED
    assert isinstance(second, Invalid)
    assert [entry.kind for entry in every_entry(world)].count(Kind.SEAL_RESTRICTED) == 1
