"""One may write alone; whoever gives up on that leaves the entrance open."""

import asyncio
from contextlib import suppress

from gateway.store.entrance import Entrance


async def write(entrance: Entrance, name: str, order: list[str], release: asyncio.Event | None = None) -> None:
    async with entrance.entering():
        if release is not None:
            await release.wait()
        order.append(name)


async def test_whoever_is_alone_waits_for_those_inside_and_holds_up_those_who_come() -> None:
    entrance, order, release = Entrance(), list[str](), asyncio.Event()
    inside = asyncio.create_task(write(entrance, "inside", order, release))
    await asyncio.sleep(0)

    async def alone() -> None:
        async with entrance.quiet():
            await write(entrance, "alone", order)
            await asyncio.sleep(0.01)
            await write(entrance, "alone again", order)

    pressing = asyncio.create_task(alone())
    await asyncio.sleep(0)
    late = asyncio.create_task(write(entrance, "late", order))
    await asyncio.sleep(0)
    assert order == []
    release.set()
    await asyncio.gather(inside, pressing, late)
    assert order == ["inside", "alone", "alone again", "late"]


async def test_whoever_gives_up_waiting_to_be_alone_holds_up_nobody() -> None:
    entrance, order, release = Entrance(), list[str](), asyncio.Event()
    inside = asyncio.create_task(write(entrance, "inside", order, release))
    await asyncio.sleep(0)

    async def alone() -> None:
        async with entrance.quiet():
            order.append("alone")

    given_up = asyncio.create_task(alone())
    await asyncio.sleep(0)
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    async with asyncio.timeout(2):
        await write(entrance, "another", order)
    release.set()
    await inside
    assert order == ["another", "inside"]
