"""AUDIT 4 rows 1 to 4: a kill and an I/O error at every step of append and publish, one after the other."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import audit
from audit import failpoints
from audit.checkpoint import parse_checkpoint
from audit.errors import LogUnavailable, StopReason
from audit.log import Append, LogState
from audit.publish import Publisher
from audit.published import verify_published
from audit.reader import Reader, Selection
from audit.source import DirectorySource
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from tests.integration.log_kit import SIGNER, LogHome, draft, sqlite_home
from tests.integration.published_kit import Publishing, fill, publish

BEFORE = 300
# Appends one entry after the other, and says which are acknowledged; or publishes what is stored.
VICTIM = """
import asyncio, os, sys
from pathlib import Path
from audit.failpoints import arm_from
from audit.log import Append
from audit.store_sqlite import SqliteStore
from tests.integration.log_kit import LogHome, draft
from tests.integration.published_kit import publish

home = LogHome(Path(sys.argv[1]), SqliteStore(Path(sys.argv[1]) / "log.db"))

async def write():
    log = home.open()
    for _ in range(20):
        answer = await log.append(Append(draft()))
        print(answer.index, answer.entry.leaf.hex(), flush=True)

assert not arm_from(os.environ), "ignored"
if sys.argv[2] == "append":
    asyncio.run(write())
else:
    publish(home, Path(sys.argv[1]) / "published")
"""


@pytest.fixture
def home(tmp_path: Path) -> LogHome:
    return sqlite_home(tmp_path)


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def _victim(home: LogHome, act: str, point: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FAILPOINTS": point, "HOMEWARD_TEST_BUILD": "1"}
    command = [sys.executable, "-c", VICTIM, str(home.directory), act]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _stored(home: LogHome) -> dict[int, str]:
    reader = Reader(home.store)
    try:
        verify_log(reader, key=SIGNER.public)
        return {entry.index: entry.leaf.hex() for entry in reader.entries(Selection())}
    finally:
        reader.close()


@pytest.mark.parametrize("place", failpoints.APPEND)
def test_01_killed_at_this_step_of_append_the_log_goes_on_with_all_it_acknowledged(home: LogHome, place: str) -> None:
    done = _victim(home, "append", f"{place}:kill@4")
    assert done.returncode == -signal.SIGKILL, done.stderr
    acknowledged = {int(index): leaf for index, leaf in map(str.split, done.stdout.splitlines())}
    assert len(acknowledged) == 3
    # A kill explains itself: the next start checks the store and goes on.
    fill(home, 1)
    stored = _stored(home)
    assert acknowledged.items() <= stored.items()
    assert len(stored) in (4, 5)


@pytest.mark.parametrize("action", ["eio", "enospc"])
@pytest.mark.parametrize("place", failpoints.APPEND)
async def test_02_disk_error_at_this_step_of_append_stops_the_log_and_loses_nothing_acknowledged(
    home: LogHome, place: str, action: str
) -> None:
    log = home.open()
    acknowledged = {}
    failpoints.arm(f"{place}:{action}@3")
    with pytest.raises(LogUnavailable):
        for _ in range(9):
            answer = await asyncio.wait_for(log.append(Append(draft())), 10)
            acknowledged[answer.index] = answer.entry.leaf.hex()
    with pytest.raises(LogUnavailable):
        await log.append(Append(draft()))
    assert (log.state, log.stopped_for, len(acknowledged)) == (LogState.FAILED, StopReason.IO, 2)
    await log.close()
    assert home.explain() is StopReason.IO
    await home.open().close()
    assert acknowledged.items() <= _stored(home).items()


def _published(directory: Path) -> int:
    return verify_published(DirectorySource(directory), key=SIGNER.public, policy=None).checkpoint.size


def _seen(directory: Path) -> int:
    return parse_checkpoint((directory / "checkpoint").read_text(), SIGNER.public).size


@pytest.fixture(scope="module")
def half_published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published log of some entries, with as many again that are not published."""
    directory = tmp_path_factory.mktemp("half")
    home = sqlite_home(directory)
    fill(home, BEFORE)
    publish(home, directory / "published")
    fill(home, BEFORE)
    return directory


def _copy(half: Path, directory: Path) -> LogHome:
    shutil.copytree(half, directory, dirs_exist_ok=True)
    return LogHome(directory, SqliteStore(directory / "log.db"))


@pytest.mark.parametrize("place", failpoints.PUBLISH)
def test_01_killed_at_this_step_of_publishing_readers_see_the_old_log_or_the_new(
    half_published: Path, tmp_path: Path, place: str
) -> None:
    home, directory = _copy(half_published, tmp_path), tmp_path / "published"
    assert _victim(home, "publish", f"{place}:kill").returncode == -signal.SIGKILL
    assert _published(directory) == _seen(directory)
    assert _seen(directory) in (BEFORE, 2 * BEFORE)
    publish(home, directory)
    assert _published(directory) == 2 * BEFORE
    assert not list(directory.rglob("*.tmp"))


@pytest.mark.parametrize("place", failpoints.PUBLISH)
def test_04_disk_error_at_this_step_of_publishing_is_tried_again(
    half_published: Path, tmp_path: Path, place: str
) -> None:
    home, directory = _copy(half_published, tmp_path), tmp_path / "published"
    with Publishing(home, directory) as publisher:
        failpoints.arm(f"{place}:eio")
        with pytest.raises(OSError, match="Input/output"):
            _publish_all(publisher)
        assert _published(directory) == _seen(directory)
        _publish_all(publisher)
    assert _published(directory) == 2 * BEFORE


def _publish_all(publisher: Publisher) -> None:
    prepared = publisher.prepare()
    if prepared is not None:
        publisher.publish(prepared, prepared.note)


def test_unknown_place_or_action_is_refused() -> None:
    for spec in ("append.nowhere:kill", "append.begin:sleep", "append.begin", "append.begin:kill@x"):
        with pytest.raises(ValueError, match="no such failpoint"):
            failpoints.arm(spec)


def test_only_a_test_build_that_was_asked_for_obeys(tmp_path: Path) -> None:
    """The package as it is installed has no tests beside it: both variables together change nothing there."""
    package = Path(audit.__file__).parent
    shutil.copytree(package, tmp_path / "audit", ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import os; from audit import failpoints; print(failpoints.arm_from(os.environ)); "
        "failpoints.reach('append.begin'); print('alive')"
    )
    both = {"FAILPOINTS": "append.begin:kill", "HOMEWARD_TEST_BUILD": "1"}
    for beside, environment, expected in (
        (tmp_path, both, (0, ["True", "alive"])),
        (package.parent, {"FAILPOINTS": both["FAILPOINTS"]}, (0, ["True", "alive"])),
        (package.parent, both, (-signal.SIGKILL, ["False"])),
    ):
        done = subprocess.run(
            [sys.executable, "-u", "-c", program], cwd=beside, capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(beside), **environment},
        )  # fmt: skip
        assert (done.returncode, done.stdout.split()) == expected, done.stderr


def test_the_gateway_says_that_it_ignores_them(tmp_path: Path) -> None:
    environment = {**os.environ, "FAILPOINTS": "append.begin:kill"} | {"HOMEWARD_TEST_BUILD": ""}
    done = subprocess.run(
        [sys.executable, "-m", "homeward", "gateway", "serve", str(tmp_path / "none")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "FAILPOINTS is ignored: this is not a test build" in done.stderr
