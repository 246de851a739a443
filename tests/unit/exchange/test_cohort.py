"""Who goes on together, and that nobody waits for long."""

import asyncio

import pytest

from gateway.exchange.cohort import Cohorts


class Entrance:
    """An entrance with a question under way behind it, and what those do who come to it."""

    def __init__(self, *, window_seconds: float = 60.0, most: int = 1_000_000) -> None:
        self.cohorts = Cohorts(window_seconds=window_seconds, most=most)
        self.steps: list[str] = []
        self.answered = asyncio.Event()

    async def first(self) -> None:
        """Is under way until it is answered."""
        async with self.cohorts.member():
            await self.answered.wait()

    async def question(self, name: str, *, turns: int = 0) -> None:
        """Comes after so many turns of the loop and takes two steps."""
        for _ in range(turns):
            await asyncio.sleep(0)
        async with self.cohorts.member():
            self.steps.append(f"{name} looks up")
            await self.cohorts.abreast()
            self.steps.append(f"{name} decides")


async def test_those_who_come_at_one_moment_take_each_step_together() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        others = [group.create_task(entrance.question(name, turns=turns)) for name, turns in (("one", 1), ("two", 7))]
        await asyncio.wait(others)
        entrance.answered.set()
    assert entrance.steps == ["one looks up", "two looks up", "one decides", "two decides"]


async def test_whoever_comes_while_nobody_is_under_way_waits_for_nobody() -> None:
    entrance = Entrance()
    for name in ("one", "two"):
        question = asyncio.create_task(entrance.question(name))
        # One turn of the loop: it begins, and goes the whole way.
        await asyncio.sleep(0)
        assert entrance.steps[-2:] == [f"{name} looks up", f"{name} decides"]
        await question


async def test_callers_who_were_answered_together_go_on_together_when_they_ask_again() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.wait([group.create_task(entrance.question("before"))])
        entrance.answered.set()
    entrance.steps.clear()
    await asyncio.gather(entrance.question("one"), entrance.question("two", turns=3))
    assert entrance.steps == ["one looks up", "two looks up", "one decides", "two decides"]


async def test_questions_of_one_call_take_each_step_together() -> None:
    cohorts, steps = Cohorts(), list[str]()

    async def item(name: str) -> None:
        steps.append(f"{name} looks up")
        await cohorts.abreast()
        steps.append(f"{name} decides")

    async with cohorts.member(2):
        await asyncio.gather(item("one"), item("two"))
    assert steps == ["one looks up", "two looks up", "one decides", "two decides"]


async def test_a_question_that_failed_is_not_under_way() -> None:
    entrance = Entrance()
    with pytest.raises(ValueError):
        async with entrance.cohorts.member():
            raise ValueError
    question = asyncio.create_task(entrance.question("next"))
    await asyncio.sleep(0)
    assert entrance.steps == ["next looks up", "next decides"]
    await question


async def test_the_first_goes_on_after_the_window_however_many_keep_coming() -> None:
    entrance, loop = Entrance(window_seconds=0.02), asyncio.get_running_loop()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.sleep(0)
        started = loop.time()
        while not entrance.steps:
            group.create_task(entrance.question("one"))
            await asyncio.sleep(0)
        assert loop.time() - started >= 0.02
        entrance.answered.set()


async def test_as_many_as_may_go_together_go_on_though_others_keep_coming() -> None:
    entrance = Entrance(most=3)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.sleep(0)
        for name in ("one", "two", "three"):
            group.create_task(entrance.question(name))
        while not entrance.steps:
            group.create_task(entrance.question("later"))
            await asyncio.sleep(0)
        assert entrance.steps[:3] == ["one looks up", "two looks up", "three looks up"]
        entrance.answered.set()


async def test_one_more_than_may_go_together_goes_with_them() -> None:
    entrance, names = Entrance(most=3), ("one", "two", "three", "four")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.sleep(0)
        await asyncio.wait([group.create_task(entrance.question(name)) for name in names])
        entrance.answered.set()
    assert entrance.steps == [f"{name} {step}" for step in ("looks up", "decides") for name in names]


async def test_twice_as_many_as_may_go_together_go_as_two() -> None:
    entrance, names = Entrance(most=3), ("one", "two", "three", "four", "five", "six")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.sleep(0)
        await asyncio.wait([group.create_task(entrance.question(name)) for name in names])
        entrance.answered.set()
    assert entrance.steps == [
        f"{name} {step}" for some in (names[:3], names[3:]) for step in ("looks up", "decides") for name in some
    ]


async def _many(entrance: Entrance, group: asyncio.TaskGroup) -> None:
    for _ in range(6):
        group.create_task(entrance.first())
    await asyncio.sleep(0.02)


async def _alone_among_many(entrance: Entrance, group: asyncio.TaskGroup) -> asyncio.Task[None]:
    """One who waits, because many are under way."""
    await _many(entrance, group)
    alone = group.create_task(entrance.question("alone"))
    await asyncio.sleep(0.02)
    assert not entrance.steps
    return alone


async def test_one_alone_is_joined_by_some_of_many_who_are_under_way() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        alone = await _alone_among_many(entrance, group)
        await asyncio.wait([alone, group.create_task(entrance.question("another"))])
        entrance.answered.set()
    assert entrance.steps == ["alone looks up", "another looks up", "alone decides", "another decides"]


async def test_one_alone_goes_on_once_there_are_no_longer_many_to_wait_for() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        alone = await _alone_among_many(entrance, group)
        entrance.answered.set()
        await alone
    assert entrance.steps == ["alone looks up", "alone decides"]


async def test_one_alone_waits_no_longer_than_the_window_for_many_who_are_under_way() -> None:
    entrance, loop = Entrance(window_seconds=0.05), asyncio.get_running_loop()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        await _many(entrance, group)
        started = loop.time()
        await group.create_task(entrance.question("alone"))
        assert loop.time() - started >= 0.04
        entrance.answered.set()
    assert entrance.steps == ["alone looks up", "alone decides"]


async def test_one_alone_waits_neither_for_few_nor_for_the_many_questions_of_one_call() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), entrance.cohorts.member(50):
        await entrance.question("alone")
    assert entrance.steps == ["alone looks up", "alone decides"]


async def test_whoever_gave_up_is_no_company() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        given_up = await _alone_among_many(entrance, group)
        given_up.cancel()
        another = group.create_task(entrance.question("another"))
        await asyncio.sleep(0.02)
        assert not entrance.steps
        entrance.answered.set()
        await another
    assert entrance.steps == ["another looks up", "another decides"]


async def test_whoever_gives_up_holds_up_nobody() -> None:
    entrance = Entrance()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(entrance.first())
        await asyncio.sleep(0)
        given_up, stays = (group.create_task(entrance.question(name)) for name in ("given up", "stays"))
        await asyncio.sleep(0)
        given_up.cancel()
        await stays
        entrance.answered.set()
    assert given_up.cancelled()
    assert entrance.steps == ["stays looks up", "stays decides"]
    await entrance.question("later")
