"""When what waits for the log is due."""

import asyncio

from audit.gathering import Gathering


async def test_a_lone_caller_is_due_once_the_loop_is_quiet() -> None:
    due: list[float] = []
    loop = asyncio.get_running_loop()
    gathering = Gathering(loop, lambda: due.append(loop.time()), window_seconds=60.0)
    gathering.added()
    assert due == []
    await asyncio.sleep(0.05)
    assert len(due) == 1


async def test_callers_that_come_turn_by_turn_are_due_together() -> None:
    due: list[int] = []
    came = 0
    gathering = Gathering(asyncio.get_running_loop(), lambda: due.append(came), window_seconds=60.0)
    for _ in range(20):
        came += 1
        gathering.added()
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)
    assert due == [20]


async def test_nobody_waits_longer_than_the_window_however_many_come() -> None:
    due: list[float] = []
    loop = asyncio.get_running_loop()
    gathering = Gathering(loop, lambda: due.append(loop.time()), window_seconds=0.02)
    started = loop.time()
    while not due and loop.time() < started + 5:
        gathering.added()
        await asyncio.sleep(0)
    assert due
    assert due[0] - started >= 0.02


async def test_nothing_is_due_once_nobody_waits_any_more_and_the_next_are_as_ever() -> None:
    due: list[int] = []
    gathering = Gathering(asyncio.get_running_loop(), lambda: due.append(1), window_seconds=60.0)
    gathering.added()
    await asyncio.sleep(0)
    gathering.gone()
    await asyncio.sleep(0.05)
    assert due == []
    gathering.added()
    await asyncio.sleep(0.05)
    assert due == [1]
