"""The log when several processes write it: one after another's death, and two at once (AUDIT §4, rows 1 and 8).

What two replicas on PostgreSQL do, which may write one log together, is in `test_log_store.py`.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.errors import LogUnavailable, StopReason
from audit.log import LogState
from audit.reader import Reader, Selection
from audit.verify import verify_log
from tests.integration.log_kit import SIGNER, LogHome, append_one, fill, sqlite_home, verified_size

REFUSED = 3
# Opens, waits to be told, and appends until killed or refused; a line per acknowledged entry is with the kernel before
# the next one is asked for.
WRITER = f"""
import asyncio, os, sys
from pathlib import Path
from tests.integration.log_kit import LogHome, draft
from audit.errors import LogUnavailable
from audit.log import Append
from audit.store_sqlite import SqliteStore

acknowledged = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_APPEND)

async def write(log):
    while True:
        answer = await log.append(Append(draft()))
        os.write(acknowledged, f"{{answer.index}} {{answer.entry.leaf.hex()}}\\n".encode())

async def main():
    home = LogHome(Path(sys.argv[1]), SqliteStore(Path(sys.argv[1]) / "log.db"))
    log = home.open()
    print("open", flush=True)
    sys.stdin.read()
    await asyncio.gather(*(write(log) for _ in range(16)))

try:
    asyncio.run(main())
except LogUnavailable:
    sys.exit({REFUSED})
"""


@pytest.fixture
def home(tmp_path: Path) -> LogHome:
    return sqlite_home(tmp_path)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _writer(home: LogHome, heard: Path) -> subprocess.Popen[bytes]:
    heard.touch()
    words = [sys.executable, "-c", WRITER, str(home.directory), str(heard)]
    writer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer.stdout as told:
        assert told.readline() == b"open\n"
    return writer


def _begin(writer: subprocess.Popen[bytes]) -> None:
    assert writer.stdin is not None
    writer.stdin.close()


def _kill(writer: subprocess.Popen[bytes]) -> None:
    writer.send_signal(signal.SIGKILL)
    assert writer.wait(20) == -signal.SIGKILL


def _acknowledged(*heard: Path) -> dict[int, str]:
    lines = [line.split() for each in heard for line in each.read_text().splitlines()]
    found = {int(index): leaf for index, leaf in lines}
    assert len(found) == len(lines), "no index was given twice"
    return found


def _check_kept(home: LogHome, acknowledged: dict[int, str]) -> None:
    reader = Reader(home.store)
    assert verify_log(reader, key=SIGNER.public).size >= len(acknowledged)
    for index, leaf in acknowledged.items():
        (entry,) = reader.entries(Selection(start=index), limit=1)
        assert (entry.index, entry.leaf.hex()) == (index, leaf)
    reader.close()


def test_sigkill_in_mid_load_loses_no_acknowledged_entry(home: LogHome) -> None:
    chance = random.Random(20260601)
    runs = [home.directory / f"heard-{run}" for run in range(4)]
    for heard in runs:
        writer = _writer(home, heard)
        _begin(writer)
        _wait_for(lambda heard=heard: heard.stat().st_size > 0)
        time.sleep(chance.uniform(0.02, 0.3))
        _kill(writer)
    acknowledged = _acknowledged(*runs)
    assert len(acknowledged) > 100
    asyncio.run(home.open().close())
    _check_kept(home, acknowledged)


def test_8_of_two_processes_on_one_file_one_is_refused_and_there_is_no_fork(home: LogHome) -> None:
    # Neither takes the state directory's lock, as a gateway set up on another's database would not.
    heard = [home.directory / "heard-first", home.directory / "heard-second"]
    writers = [_writer(home, each) for each in heard]
    try:
        for each in writers:
            _begin(each)
        _wait_for(lambda: any(each.poll() is not None for each in writers))
        (refused,) = [each for each in writers if each.poll() is not None]
        (going_on,) = [each for each in writers if each is not refused]
        assert refused.returncode == REFUSED
        before = len(_acknowledged(*heard))
        _wait_for(lambda: len(_acknowledged(*heard)) > before + 100)
        _kill(going_on)
    finally:
        for each in writers:
            each.kill()
            each.wait(20)
    assert home.explain() is StopReason.MOVED
    _check_kept(home, _acknowledged(*heard))
    # What the next start builds on is what the other left, not what the refused one remembered.
    size = verified_size(home)
    assert asyncio.run(_append_once(home)) == size
    assert verified_size(home) == size + 1


async def _append_once(home: LogHome) -> int:
    log = home.open()
    answer = await append_one(log)
    await log.close()
    return answer.index


async def test_8_tree_that_moves_under_the_lock_is_not_written_over(home: LogHome) -> None:
    await fill(home, 5)
    with sqlite3.connect(home.directory / "log.db") as connection:
        # Inside the log's own transaction nothing but the compare-and-swap of the tree's row is left to notice it.
        connection.execute(
            "CREATE TRIGGER moves AFTER INSERT ON log_entry BEGIN UPDATE log_tree SET size = size + 1; END"
        )
    connection.close()
    log = home.open()
    with pytest.raises(LogUnavailable):
        await append_one(log)
    assert (log.state, log.stopped_for) == (LogState.FAILED, StopReason.MOVED)
    assert verified_size(home) == 5


async def test_second_writer_on_the_same_file_stops_the_first(home: LogHome) -> None:
    first = home.open()
    await append_one(first)
    second = home.open()
    assert (await append_one(second)).index == 1
    with pytest.raises(LogUnavailable):
        await append_one(first)
    assert first.state is LogState.FAILED
    assert home.explain() is StopReason.MOVED
    assert (await append_one(second)).index == 2
    await second.close()
