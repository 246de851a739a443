"""The link of one source: how many orders are under way, and what becomes of those that are more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.ports import SourceUnreachable
from gateway.protocol.names import AgencyId
from gateway.rpc.links import QUEUE_LIMIT, Link
from homeward.gateway.v1.exchange_pb2 import SOURCE_STATUS_BUSY, SOURCE_STATUS_OFFLINE, SOURCE_STATUS_TIMED_OUT
from homeward.gateway.v1.link_pb2 import ConnectResponse, WorkOrder, WorkResult

OWNER = AgencyId("06075.cwa")


def order(number: int) -> WorkOrder:
    return WorkOrder(work_id=number.to_bytes(16, "big"))


def link(credit: int = 2) -> Link:
    return Link(OWNER, credit=credit, alert_cursor=0)


def sent(to: Link) -> list[int]:
    """Numbers of the orders that went out since the last look."""
    found = []
    while not to.outgoing.empty():
        found.append(int.from_bytes(to.outgoing.get_nowait().work_order.work_id, "big"))
    return found


@asynccontextmanager
async def asking(of: Link, count: int, *, seconds: float = 5.0) -> AsyncIterator[list[asyncio.Task[WorkResult]]]:
    """So many orders at once, from 0 on."""
    tasks = [asyncio.ensure_future(of.ask(order(number), seconds=seconds)) for number in range(count)]
    await asyncio.sleep(0)
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def status_of(task: "asyncio.Task[WorkResult]") -> int:
    with pytest.raises(SourceUnreachable) as unreachable:
        await task
    return unreachable.value.status


async def test_what_is_more_than_the_credit_waits_for_its_turn() -> None:
    source = link(credit=2)
    async with asking(source, 5) as tasks:
        assert sent(source) == [0, 1]
        for answered, following in ((1, [2]), (0, [3]), (3, [4]), (2, []), (4, [])):
            assert source.answer(WorkResult(work_id=order(answered).work_id))
            assert (await tasks[answered]).work_id == order(answered).work_id
            assert sent(source) == following


async def test_only_so_many_wait() -> None:
    source = link(credit=1)
    async with asking(source, 1 + QUEUE_LIMIT + 1) as tasks:
        assert await status_of(tasks[-1]) == SOURCE_STATUS_BUSY
        assert not any(task.done() for task in tasks[:-1])


async def test_who_has_nothing_to_answer_from_is_not_waited_for() -> None:
    async with asking(link(credit=0), 1) as tasks:
        assert await status_of(tasks[0]) == SOURCE_STATUS_BUSY


async def test_no_longer_is_waited_than_an_answer_may_take_and_who_gave_up_takes_no_turn() -> None:
    source = link(credit=1)
    async with asking(source, 2, seconds=0.05) as tasks:
        assert sent(source) == [0]
        later = asyncio.ensure_future(source.ask(order(7), seconds=5.0))
        assert [await status_of(task) for task in tasks] == [SOURCE_STATUS_TIMED_OUT, SOURCE_STATUS_BUSY]
        assert sent(source) == [7]
        assert not source.answer(WorkResult(work_id=order(0).work_id)), "what comes too late is nobody's"
        assert source.answer(WorkResult(work_id=order(7).work_id))
        await later


async def test_who_was_given_up_keeps_nobody_out() -> None:
    source = link(credit=1)
    async with asking(source, 1 + QUEUE_LIMIT) as tasks:
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        later = asyncio.ensure_future(source.ask(order(9_999), seconds=5.0))
        await asyncio.sleep(0)
        assert not later.done()
        assert sent(source) == [0]
        assert source.answer(WorkResult(work_id=order(0).work_id))
        await tasks[0]
        assert sent(source) == [9_999]
        later.cancel()


async def test_a_link_that_is_closed_is_not_waited_for() -> None:
    source = link()
    source.close()
    async with asking(source, 1) as tasks:
        assert await status_of(tasks[0]) == SOURCE_STATUS_OFFLINE


async def test_a_source_that_does_not_read_is_busy_at_once() -> None:
    source = link(credit=1)
    while not source.outgoing.full():
        source.outgoing.put_nowait(ConnectResponse())
    async with asking(source, 1) as tasks:
        assert await status_of(tasks[0]) == SOURCE_STATUS_BUSY


async def test_whoever_waits_learns_that_the_source_is_gone() -> None:
    source = link(credit=1)
    async with asking(source, 3) as tasks:
        assert sent(source) == [0]
        source.close()
        assert [await status_of(task) for task in tasks] == [SOURCE_STATUS_OFFLINE] * 3
        assert sent(source) == [], "and nothing goes out over what is closed"
