"""Who goes on together, and that nobody waits for long."""

import asyncio

from gateway.exchange.cohort import Cohorts, abreast


async def test_those_who_come_at_one_moment_take_each_step_together() -> None:
    cohorts, steps = Cohorts(), list[str]()

    async def question(name: str) -> None:
        await cohorts.join()
        steps.append(f"{name} looks up")
        await abreast()
        steps.append(f"{name} decides")

    await asyncio.gather(question("one"), question("other"))
    assert steps == ["one looks up", "other looks up", "one decides", "other decides"]


async def test_whoever_comes_some_turns_later_still_joins() -> None:
    cohorts, steps = Cohorts(window_seconds=60.0), list[str]()

    async def question(name: str, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await cohorts.join()
        steps.append(f"{name} looks up")
        await abreast()
        steps.append(f"{name} decides")

    await asyncio.gather(question("one", 0), question("other", 6))
    assert steps == ["one looks up", "other looks up", "one decides", "other decides"]


async def test_the_first_goes_on_after_the_window_however_many_keep_coming() -> None:
    cohorts, loop = Cohorts(window_seconds=0.02), asyncio.get_running_loop()
    started = loop.time()
    first = asyncio.create_task(cohorts.join())
    others = list[asyncio.Task[None]]()
    while not first.done() and loop.time() < started + 5:
        others.append(asyncio.create_task(cohorts.join()))
        await asyncio.sleep(0)
    assert 0.02 <= loop.time() - started < 5
    await asyncio.gather(*others)


async def test_whoever_gives_up_holds_up_nobody() -> None:
    cohorts = Cohorts()
    given_up, stays = asyncio.create_task(cohorts.join()), asyncio.create_task(cohorts.join())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait_for(stays, 5)
    assert given_up.cancelled()


def test_one_entrance_serves_one_loop_after_another() -> None:
    cohorts = Cohorts()
    for _ in range(2):
        asyncio.run(asyncio.wait_for(cohorts.join(), 5))
