"""Keys for many questions at one moment: all wait alike, in the order in which they asked."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from audit.entry import YouthKey
from gateway.exchange.deed import Moved
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store.youth_keys import FileYouthKeys, youth_name

OWNER, KNOWN, OTHER = AgencyId("06075.cwa"), SubjectHandle(b"k" * 16), SubjectHandle(b"o" * 16)


@pytest.fixture
async def keys(tmp_path: Path) -> AsyncIterator[FileYouthKeys]:
    FileYouthKeys.create(tmp_path / "keys.db")
    made = FileYouthKeys(tmp_path / "keys.db", wrapping_key=bytes(32), random_bytes=os.urandom)
    await made.prepare(OWNER, [KNOWN, OTHER])
    yield made
    made.close()


async def question(keys: FileYouthKeys, handle: SubjectHandle | None, name: str, order: list[str]) -> YouthKey | None:
    """What the exchange does between looking a youth up and its entry; `handle` is None about nobody."""
    asked = keys.ask(OWNER, handle) if handle is not None else None
    await asyncio.sleep(0)
    await keys.at_hand()
    key = await asked if asked is not None else None
    order.append(name)
    return key


async def test_a_question_about_nobody_does_not_overtake_those_that_wait_for_a_block(keys: FileYouthKeys) -> None:
    order = list[str]()
    names = [f"known {place}" for place in range(200)]
    names.insert(3, "nobody 3")
    names.append("nobody at the end")
    found = await asyncio.gather(
        *(question(keys, KNOWN if name.startswith("known") else None, name, order) for name in names)
    )
    assert order == names
    counters = [key.counter for key in found if key is not None]
    assert len(set(counters)) == 200, "no counter twice"
    assert len({key.key for key in found if key is not None}) == 1


async def test_where_nothing_has_to_be_reserved_nobody_waits(keys: FileYouthKeys) -> None:
    asked = keys.ask(OWNER, KNOWN)
    assert asked.done()
    async with asyncio.timeout(0.01):
        await keys.at_hand()


async def test_whoever_gives_up_leaves_a_gap_and_holds_up_nobody(keys: FileYouthKeys) -> None:
    asked = [keys.ask(OWNER, KNOWN) for _ in range(10)]
    asked[7].cancel()
    await keys.at_hand()
    found = [(await each).counter for each in asked if not each.cancelled()]
    assert len(set(found)) == 9


async def test_a_youth_that_was_sealed_meanwhile_is_said_to_have_moved(keys: FileYouthKeys, tmp_path: Path) -> None:
    name = youth_name(OWNER, KNOWN)
    with keys.forgetting([name]):
        keys._connection.execute("DELETE FROM youth_key WHERE name = ?", (name,))
        keys._connection.execute("INSERT INTO sealed_name VALUES (?)", (keys.sealed_digest(name),))
    asked = [keys.ask(OWNER, KNOWN) for _ in range(3)]
    await keys.at_hand()
    for each in asked:
        with pytest.raises(Moved):
            await each
    assert (await keys.ask(OWNER, OTHER)).counter == 0
