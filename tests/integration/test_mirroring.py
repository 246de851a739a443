"""A mirror that keeps itself: real rounds in processes of their own, on storage that goes away, fills up and hangs."""

import asyncio
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from audit.failpoints import PUBLISH
from audit.files import PublishedFiles
from audit.mirror import check_mirror
from gateway.config import load_custodian
from gateway.protocol.strict_yaml import DocumentErrors
from gateway.recovery.due import due_entries
from gateway.recovery.mirror_lines import mirror_lines
from gateway.recovery.mirroring import Mirroring, keeping, round_command
from gateway.recovery.repair import place_of
from homeward.gateway.v1.admin_pb2 import MirrorStatus
from tests.commands import answered, homeward
from tests.integration.exchange_kit import add_settings, make_exchange
from tests.unit.members.world import World, make_world

SOON = timedelta(milliseconds=100)
DEADLINE = 60.0
# Of the steps of one file before its rename, one will do.
PLACES = [point for point in PUBLISH if point not in ("file.opened", "file.synced")]
SERVING = "\nmirror: { directory: kept, every: 10s, same_file_system: true }\n"
CUSTODIAN = """
trust_domain: exchange.example
operator: auditor
listen: 127.0.0.1:8445
address: 127.0.0.1:8445
log_origin: exchange.example/custodian/auditor
"""
ALLOWED = "\nmirror: { directory: ../kept, same_file_system: true }\n"


@dataclass(slots=True)
class Home:
    """A gateway whose log is open here, and the directory its settings name."""

    world: World
    gateway: Path
    kept: Path

    def mirroring(self, *before: str, patience: timedelta = timedelta(minutes=1)) -> Mirroring:
        """Rounds of this gateway's mirror, run by the command `before`."""
        command = (*before, *round_command(self.gateway))
        return Mirroring(command, every=SOON, now=self.world.clock, patience=patience, rest=0)

    async def grow(self) -> None:
        """The log has another entry."""
        await self.world.invite(f"06{self.size:03}.cwa")

    @property
    def size(self) -> int:
        return self.world.gateway.ledger.reader.tree().size

    def holds(self) -> int:
        """How many entries can be healed from what lies in the directory."""
        place = place_of(self.gateway)
        return check_mirror(self.kept, place.signer.public, place.mirror_key(), known=()).checkpoint.size

    async def shown(self, mirroring: Mirroring, wanted: Callable[[MirrorStatus], bool]) -> MirrorStatus:
        """The status beside the log as it is now, as soon as it is what is wanted."""
        return await shown(mirroring, self.size, wanted)


async def shown(mirroring: Mirroring, size: int, wanted: Callable[[MirrorStatus], bool]) -> MirrorStatus:
    """The status beside a log of this size, as soon as it is what is wanted."""
    until = time.monotonic() + DEADLINE
    while not wanted(status := mirroring.status(size)):
        assert time.monotonic() < until, status
        await asyncio.sleep(0.02)
    return status


def whole(status: MirrorStatus) -> bool:
    return status.kept and not status.fault and status.behind_count == 0


@pytest_asyncio.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    world = await make_world(tmp_path)
    await world.trust()
    home = Home(world, tmp_path / "gw", tmp_path / "kept")
    add_settings(home.gateway / "gateway.yaml", ALLOWED)
    home.kept.mkdir()
    yield home
    await world.close()


async def test_a_mirror_falls_behind_and_catches_up_by_itself(home: Home) -> None:
    mirroring = home.mirroring()
    assert list(mirror_lines(mirroring.status(home.size))) == [
        "mirror      the first round since the start is under way"
    ]
    async with keeping(mirroring):
        first = await home.shown(mirroring, whole)
        await home.grow()
        behind = mirroring.status(home.size)
        assert (behind.behind_count, behind.mirrored_size) == (1, first.mirrored_size)
        caught_up = await home.shown(mirroring, whole)
        assert caught_up.mirrored_size == home.size == first.mirrored_size + 1
        home.world.clock.advance(timedelta(seconds=7))
    assert home.holds() == home.size
    (line,) = mirror_lines(mirroring.status(home.size + 2))
    assert line == f"mirror      {home.size} entries, 2 behind; brought up to date 7 s ago"


async def test_storage_that_is_gone_is_said_and_not_made_and_made_up_for_when_it_is_back(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="gateway.recovery.mirroring")
    mirroring = home.mirroring()
    async with keeping(mirroring):
        await home.shown(mirroring, whole)
        home.kept.rename(home.kept.with_name("unplugged"))
        await home.shown(mirroring, lambda status: status.fault == "MISSING")
        home.world.clock.advance(timedelta(seconds=90))
        await home.grow()
        status = mirroring.status(home.size)
        assert (status.failing_seconds, status.behind_count) == (90, 1)
        assert next(line for line in mirror_lines(status) if "NO MIRROR" in line).startswith(
            "NO MIRROR   for 90 s [MISSING]"
        )
        assert not home.kept.exists(), "a missing directory is storage that is not mounted"
        home.kept.with_name("unplugged").rename(home.kept)
        await home.shown(mirroring, whole)
    assert home.holds() == home.size
    told = [(record.levelname, vars(record)["reason"]) for record in caplog.records]
    assert told == [("ERROR", "MISSING"), ("WARNING", "MISSING")], "once when it fails, once when it is over"


async def test_storage_that_is_full_leaves_the_mirror_before_and_is_made_up_for(home: Home) -> None:
    mirroring = home.mirroring()
    async with keeping(mirroring):
        first = await home.shown(mirroring, whole)
    await home.grow()
    # So many blocks of 512 bytes, and no byte more, goes into any one file: less than a table's dump.
    full = home.mirroring("sh", "-c", 'ulimit -f 1; exec "$@"', "sh")
    with closing(sqlite3.connect(home.gateway / "keys.db")) as keys:
        # A gateway that serves has it open, and what SQLite keeps beside it is there.
        keys.execute("SELECT count(*) FROM youth_key").fetchone()
        async with keeping(full):
            await home.shown(full, lambda status: status.fault == "FULL")
    assert home.holds() == first.mirrored_size
    async with keeping(mirroring):
        await home.shown(mirroring, whole)
    assert home.holds() == home.size


@pytest.mark.parametrize("point", PLACES)
async def test_a_round_that_is_killed_anywhere_leaves_the_mirror_before_or_the_new_one(
    home: Home, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirroring = home.mirroring()
    async with keeping(mirroring):
        first = await home.shown(mirroring, whole)
    await home.grow()
    monkeypatch.setenv("HOMEWARD_TEST_BUILD", "1")
    monkeypatch.setenv("FAILPOINTS", f"{point}:kill")
    async with keeping(mirroring):
        await home.shown(mirroring, lambda status: status.fault == "ENDED")
    assert home.holds() in (first.mirrored_size, home.size)
    monkeypatch.delenv("FAILPOINTS")
    async with keeping(mirroring):
        await home.shown(mirroring, whole)
    assert home.holds() == home.size
    assert not list(home.kept.rglob("*.tmp"))


async def test_two_writers_on_one_directory_wait_for_each_other(home: Home) -> None:
    one, other = home.mirroring(), home.mirroring()
    holding = PublishedFiles(home.kept)
    holding.open()
    async with keeping(one):
        await home.shown(one, lambda status: status.fault == "BUSY")
        holding.close()
        await home.shown(one, whole)
        async with keeping(other):
            for _ in range(3):
                await home.grow()
                await home.shown(one, whole)
                await home.shown(other, whole)
    assert home.holds() == home.size


async def test_the_mirror_of_another_log_is_left_as_it_is(home: Home) -> None:
    mirroring = home.mirroring()
    async with keeping(mirroring):
        await home.shown(mirroring, whole)
    before = {path: path.read_bytes() for path in home.kept.rglob("*") if path.is_file()}
    custodian = home.gateway.with_name("cu")
    add_settings(custodian / "custodian.yaml", ALLOWED)
    another = Mirroring(round_command(custodian), every=SOON, now=home.world.clock)
    async with keeping(another):
        await home.shown(another, lambda status: status.fault == "EVIDENCE")
    assert {path: path.read_bytes() for path in home.kept.rglob("*") if path.is_file()} == before


async def test_a_directory_on_the_file_system_of_the_database_is_refused_unless_the_settings_allow_it(
    home: Home,
) -> None:
    settings = home.gateway / "gateway.yaml"
    settings.write_text(settings.read_text().replace(", same_file_system: true", ""))
    mirroring = home.mirroring()
    async with keeping(mirroring):
        await home.shown(mirroring, lambda status: status.fault == "SAME_FILE_SYSTEM")
    assert list(home.kept.iterdir()) == []


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == Path("/tmp").stat().st_dev,
    reason="this machine has no second file system to write to",
)
async def test_a_directory_on_another_file_system_is_used(home: Home, tmp_path: Path) -> None:
    home.kept = Path("/dev/shm") / f"homeward-{os.getpid()}-{tmp_path.name}"
    home.kept.mkdir()
    try:
        settings = home.gateway / "gateway.yaml"
        settings.write_text(settings.read_text().replace(ALLOWED, f"\nmirror: {{ directory: {home.kept} }}\n"))
        mirroring = home.mirroring()
        async with keeping(mirroring):
            await home.shown(mirroring, whole)
        assert home.holds() == home.size
    finally:
        shutil.rmtree(home.kept)


async def test_storage_that_hangs_is_said_and_holds_up_no_end(home: Home) -> None:
    # A pipe without a writer: whoever reads it waits for ever, as on a server that is gone.
    os.mkfifo(home.kept / "log.vkey")
    mirroring = home.mirroring(patience=timedelta(seconds=2))
    async with keeping(mirroring):
        await home.shown(mirroring, lambda status: status.fault == "SLOW")
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert rounds_of(home.gateway) == [], "no round outlives the process that began it"


def rounds_of(gateway: Path) -> list[int]:
    """Processes that run a round of this gateway's mirror."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(gateway).encode() in words and b"gateway.recovery.mirror_round" in words:
            found.append(int(process.name))
    return found


async def test_settings_that_cannot_be_read_any_more_and_a_round_that_cannot_begin_are_faults(home: Home) -> None:
    add_settings(home.gateway / "gateway.yaml", "nonsense: [\n")
    mirroring = home.mirroring()
    async with keeping(mirroring):
        unread = await home.shown(mirroring, lambda status: status.fault == "SETTINGS")
    absent = Mirroring((str(home.kept / "absent"),), every=SOON, now=home.world.clock)
    async with keeping(absent):
        ended = await home.shown(absent, lambda status: status.fault == "ENDED")
    assert (unread.kept, unread.mirrored_size, ended.kept, ended.mirrored_size) == (False, 0, False, 0)
    assert list(home.kept.iterdir()) == []


async def test_a_log_that_was_put_back_overwrites_nothing_of_the_mirror_and_is_healed_from_it(home: Home) -> None:
    database, backup = home.gateway / "gateway.db", home.gateway.with_name("backup.db")
    with sqlite3.connect(database) as today, sqlite3.connect(backup) as yesterday:
        today.backup(yesterday)
    await home.grow()
    mirroring, size = home.mirroring(), home.size
    async with keeping(mirroring):
        await home.shown(mirroring, whole)
    await home.world.gateway.ledger.close()
    for left in home.gateway.glob("gateway.db*"):
        left.unlink()
    shutil.copy(backup, database)
    put_back = home.mirroring()
    async with keeping(put_back):
        await shown(put_back, size, lambda status: status.fault == "EVIDENCE")
    assert home.holds() == size
    healed = await asyncio.to_thread(answered, "audit", "recover", home.gateway, "--mirror", home.kept)
    # Its next start says so in an entry: only then could anybody tell that the mirror, too, was put back.
    assert healed == {"ok": True, "had": size - 1, "healed_to": size, "size": size}
    assert len(due_entries(place_of(home.gateway).state)) == 1
    mirrored = await asyncio.to_thread(answered, "audit", "mirror", home.gateway)
    assert mirrored["size"] == size
    await asyncio.to_thread(answered, "audit", "fsck", home.gateway, "--mirror", home.kept)


def test_holders_that_serve_keep_their_mirrors_say_so_and_end_at_once(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, operators=("auditor",), settings=SERVING)
    serving = (("gateway", "gw"), ("custodian", "cu2"))
    (exchange.gateway / "kept").mkdir()
    try:
        for _, name in serving:
            exchange.start(name)
        kept = shown_by("gateway", exchange.gateway, lambda mirror: mirror["kept"])
        assert (kept["fault"], kept["failing_seconds"]) == ("", "0")
        assert int(kept["mirrored_size"]) > 0
        # The storage of the other one is not mounted: it serves all the same.
        missing = shown_by("custodian", exchange.custodian(2), lambda mirror: mirror["fault"] != "")
        assert (missing["fault"], missing["kept"]) == ("MISSING", False)
        for group, name in serving:
            told = homeward(group, "status", exchange.place / name).out
            assert ("NO MIRROR" in told) is (group == "custodian"), told
            began = time.monotonic()
            exchange.stop(name)
            assert time.monotonic() - began < 10
    finally:
        exchange.close()
    (exchange.custodian(2) / "kept").mkdir()
    for _, name in serving:
        answered("audit", "mirror", exchange.place / name)
        answered("audit", "fsck", exchange.place / name, "--mirror", exchange.place / name / "kept")


def shown_by(group: str, directory: Path, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What the status of a serving process says of its mirror, as soon as it is what is wanted."""
    until = time.monotonic() + DEADLINE
    while True:
        status: Any = answered(group, "status", directory)
        mirror: dict[str, Any] = status["mirror"]
        if wanted(mirror):
            return mirror
        assert time.monotonic() < until, mirror
        time.sleep(0.2)


def test_a_mirror_that_is_asked_for_by_hand_and_that_no_settings_name_is_refused(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, operators=("auditor",))
    failed: Any = answered("audit", "mirror", exchange.gateway, code=2)
    assert failed["error"]["code"] == "USAGE-001"
    add_settings(exchange.gateway / "gateway.yaml", SERVING)
    failed = answered("audit", "mirror", exchange.gateway, code=1)
    assert failed["error"]["code"] == "MIRROR-001"


@pytest.mark.parametrize("wrong", ["every: 9s", "every: 25h", "directory: 5", "same: true"])
def test_settings_of_a_mirror_that_are_none_are_refused_at_the_place(tmp_path: Path, wrong: str) -> None:
    text = f"directory: kept\n  {wrong}" if not wrong.startswith("directory") else wrong
    (tmp_path / "custodian.yaml").write_text(CUSTODIAN + f"mirror:\n  {text}\n")
    with pytest.raises(DocumentErrors, match="mirror"):
        load_custodian(tmp_path)
