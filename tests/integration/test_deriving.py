"""What another process derives is published as what is derived here: the same files, and the same refusals."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.publishing.deriving import FEW
from tests.integration.log_kit import LogHome
from tests.integration.published_kit import Publishing, fill, filled_home
from tests.integration.test_published import CHANGES

COUNT = 800
FIRST = 300
# Publishes so many entries of a log, then all; prints the sizes or the refusal, and what the other process answered.
_PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from audit.errors import EvidenceError
from audit.publish import Publisher
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from gateway.apart import Apart
from gateway.publishing.deriving import Derivation, Deriving
from tests.integration.log_kit import SIGNER

database, directory, first, begun = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "begun"
answers = []

class Recorded(Apart):
    def ask(self, question):
        answer = super().ask(question)
        answer.add_done_callback(lambda done: answers.append(type(done.exception() or done.result()).__name__))
        return answer

other = Recorded.begin(Derivation(database))
deriving = Deriving(other)

def publish(publisher):
    publisher.open()
    for limit in (first, None):
        prepared = publisher.prepare(limit=limit)
        publisher.publish(prepared, prepared.note)
        print(prepared.checkpoint.size, end=" ")

async def main():
    ended = asyncio.Event()
    await deriving.attach(ended.set)
    if not begun:
        os.kill(other.pid, signal.SIGKILL)
        await ended.wait()
    reader = Reader(SqliteStore(database))
    publisher = Publisher(reader, directory, signer=SIGNER, derive=deriving.derive)
    try:
        await asyncio.to_thread(publish, publisher)
    except EvidenceError as fault:
        print(fault.reason.name, fault.index, end=" ")
    publisher.close()
    reader.close()
    deriving.close()
    print(*answers)

asyncio.run(main())
"""


def published_apart(home: LogHome, directory: Path, *, first: int = FIRST, begun: bool = True) -> list[str]:
    """What the program prints."""
    words = [str(home.directory / "log.db"), str(directory), str(first), "begun" if begun else "ended"]
    command = [sys.executable, "-c", _PROGRAM, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def files(directory: Path) -> dict[str, bytes]:
    """All that is published there."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> LogHome:
    return filled_home(tmp_path_factory.mktemp("deriving"), COUNT)


@pytest.fixture(scope="module")
def here(home: LogHome, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("here")
    with Publishing(home, directory) as publisher:
        for limit in (FIRST, None):
            prepared = publisher.prepare(limit=limit)
            assert prepared is not None
            publisher.publish(prepared, prepared.note)
    return files(directory)


def test_the_same_files_are_published(home: LogHome, here: dict[str, bytes], tmp_path: Path) -> None:
    printed = published_apart(home, tmp_path)
    assert printed == [str(FIRST), str(COUNT), "tuple", "tuple"]
    assert files(tmp_path) == here


def test_without_the_other_process_they_are_published_all_the_same(
    home: LogHome, here: dict[str, bytes], tmp_path: Path
) -> None:
    printed = published_apart(home, tmp_path, begun=False)
    assert printed == [str(FIRST), str(COUNT), "ApartEnded", "ApartEnded"]
    assert files(tmp_path) == here


def test_a_few_rows_are_not_sent(home: LogHome, tmp_path: Path) -> None:
    assert published_apart(home, tmp_path, first=COUNT - FEW) == [str(COUNT - FEW), str(COUNT), "tuple"]


@pytest.mark.parametrize("change", CHANGES)
def test_rows_that_do_not_hold_together_are_refused_for_the_same_reason_and_nothing_of_them_is_published(
    tmp_path: Path, change: str
) -> None:
    damaged = filled_home(tmp_path / "log", COUNT - 100)
    fill(damaged, 100)
    statement, reason = CHANGES[change]
    with sqlite3.connect(damaged.directory / "log.db") as connection:
        assert connection.execute(statement, (bytes(32),)).rowcount == 1
    connection.close()
    printed = published_apart(damaged, tmp_path / "published")
    assert printed[:2] == [str(FIRST), reason.name]
    shown = files(tmp_path / "published")
    assert shown["checkpoint"].split(b"\n")[1] == str(FIRST).encode()
    assert "tile/entries/001.p/44" in shown
    assert "tile/entries/001" not in shown
