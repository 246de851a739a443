"""Keys of youths and authorities: no counter is used twice, whatever ends a process, and nobody waits for the disk."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from audit.entry import youth_tag
from gateway.ports import own_youth
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.youth_keys import FileYouthKeys, authority_name
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

AUTHORITY, OTHER = AuthorityId(b"a" * 16), AuthorityId(b"o" * 16)
OWNER, HANDLE = AgencyId("06075.cwa"), SubjectHandle(b"h" * 16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    FileYouthKeys.create(tmp_path / "keys.db")
    return tmp_path / "keys.db"


@asynccontextmanager
async def started(path: Path) -> AsyncIterator[FileYouthKeys]:
    """A process that readied the youth's key."""
    keys = FileYouthKeys(path, wrapping_key=b"w" * 32, random_bytes=os.urandom)
    await keys.prepare(OWNER, [HANDLE])
    yield keys
    keys.close()


async def test_restarts_leave_no_counter_unused_and_use_none_twice(path: Path) -> None:
    used = []
    for _ in range(20):
        async with started(path) as keys:
            used.append((await keys.next(OWNER, HANDLE)).counter)
    assert used == list(range(20))
    async with started(path):
        pass
    async with started(path) as keys:
        assert (await keys.next(OWNER, HANDLE)).counter == 20


async def test_whoever_was_killed_leaves_a_gap_and_the_next_process_starts_behind_it(path: Path) -> None:
    async with started(path) as killed:
        last = (await killed.next(OWNER, HANDLE)).counter
        async with started(path) as keys:
            following = (await keys.next(OWNER, HANDLE)).counter
            assert following > last + 1
        # Closed behind the other's back, it takes back nothing that the other may have used.
    async with started(path) as keys:
        assert (await keys.next(OWNER, HANDLE)).counter > following


async def test_a_closed_file_gives_no_counter(path: Path) -> None:
    async with started(path) as keys:
        await keys.next(OWNER, HANDLE)
    with pytest.raises(sqlite3.ProgrammingError):
        await keys.next(OWNER, HANDLE)


async def test_a_file_that_somebody_writes_to_is_closed_all_the_same(path: Path) -> None:
    keys = FileYouthKeys(path, wrapping_key=b"w" * 32, random_bytes=os.urandom, busy_seconds=0.1)
    await keys.prepare(OWNER, [HANDLE])
    used = (await keys.next(OWNER, HANDLE)).counter
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        keys.close()
        writer.execute("ROLLBACK")
    async with started(path) as after:
        assert (await after.next(OWNER, HANDLE)).counter > used


async def test_what_an_authority_says_is_read_while_another_waits_for_the_disk(path: Path) -> None:
    async with started(path) as keys:
        authorities = FileAuthorityKeys(path, keys)
        envelope = SignedEnvelope(payload=b"p", signature=b"s")
        sealed = authorities.seal(AUTHORITY, envelope)
        with closing(sqlite3.connect(path, isolation_level=None)) as disk:
            disk.execute("BEGIN IMMEDIATE")
            waiting = asyncio.get_running_loop().create_task(asyncio.to_thread(authorities.seal, OTHER, envelope))
            await asyncio.sleep(0.1)
            assert authorities.open(AUTHORITY, sealed) == envelope
            assert not waiting.done()
            disk.execute("ROLLBACK")
        assert authorities.open(OTHER, await waiting) == envelope
        authorities.close()


async def test_an_entry_about_an_authority_on_record_waits_for_no_disk_nor_after_a_start(path: Path) -> None:
    """How long a question about nobody takes that names one must not tell it from a question about a youth."""
    async with started(path) as keys:
        await asyncio.to_thread(keys.reserve, [authority_name(AUTHORITY)])
    used, (owner, handle) = [], own_youth(AUTHORITY)
    for _ in range(2):
        async with started(path) as keys:
            await keys.prepare(owner, [handle])
            with closing(sqlite3.connect(path, isolation_level=None)) as disk:
                disk.execute("BEGIN IMMEDIATE")
                used.append(await asyncio.wait_for(keys.next(owner, handle), 1))
                disk.execute("ROLLBACK")
            assert youth_tag(used[-1]) in await keys.marks(owner, [handle])
    assert used[0].key == used[1].key
    assert used[0].counter < used[1].counter
