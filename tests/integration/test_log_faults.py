"""The log when something breaks: failing disks, replaced files, restored backups."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.checkpoint import LogSigner
from audit.errors import EvidenceError, EvidenceReason, LogUnavailable, StopReason
from audit.log import Append, Appended, LogState
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from tests.integration.log_kit import SIGNER, LogHome, append_one, draft, fill, sqlite_home, verified_size


@pytest.fixture
def home(tmp_path: Path) -> LogHome:
    return sqlite_home(tmp_path)


class FailingStore(SqliteStore):
    """SQLite whose disk fails in the given batch, as the driver reports it, before or after the data got there."""

    def __init__(self, path: Path, *, batch: int, code: int, text: str) -> None:
        super().__init__(path)
        self._left = batch
        self._code, self._text = code, text

    def check_in_place(self) -> None:
        self._left -= 1
        if self._left == 0:
            error = sqlite3.OperationalError(self._text)
            error.sqlite_errorcode = self._code
            raise error
        super().check_in_place()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"),
        (sqlite3.SQLITE_CORRUPT, "database disk image is malformed"),
        (sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
        (sqlite3.SQLITE_BUSY, "database is locked"),
    ],
)
async def test_failing_disk_stops_the_log_for_good(home: LogHome, code: int, text: str) -> None:
    failing = LogHome(home.directory, FailingStore(home.directory / "log.db", batch=2, code=code, text=text))
    log = failing.open()
    await append_one(log)
    answers = await asyncio.gather(*(append_one(log) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(answer, LogUnavailable) for answer in answers)
    with pytest.raises(LogUnavailable):
        await append_one(log)
    await log.close()
    assert log.state is LogState.FAILED
    assert failing.stopped == [LogState.FAILED]
    assert log.stopped_for is StopReason.IO
    assert _refusal(home) is EvidenceReason.STOPPED, "a restart alone explains nothing"
    assert home.explain() is StopReason.IO
    # The unacknowledged batch may have reached the store; the acknowledged one has, and a new start goes on.
    again = home.open()
    assert (await append_one(again)).index >= 1
    await again.close()


class SmallStore(SqliteStore):
    """SQLite that really runs full: the database may not grow past some pages."""

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        connection.execute("PRAGMA max_page_count = 60")
        return connection


async def test_full_disk_stops_the_log_and_loses_nothing_acknowledged(home: LogHome) -> None:
    small = LogHome(home.directory, SmallStore(home.directory / "log.db"))
    log = small.open()
    acknowledged = 0
    with pytest.raises(LogUnavailable):
        for _ in range(2000):
            await append_one(log)
            acknowledged += 1
    assert 10 < acknowledged < 2000
    assert log.state is LogState.FAILED
    assert verified_size(home) == acknowledged
    assert home.explain() is StopReason.IO
    again = home.open()
    assert (await append_one(again)).index == acknowledged
    await again.close()


def _unlink(path: Path) -> None:
    path.unlink()


def _unlink_wal(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").rename(path)


def _make_read_only(path: Path) -> None:
    path.chmod(0o400)


@pytest.mark.parametrize("damage", [_unlink, _unlink_wal, _replace, _make_read_only])
async def test_file_changed_while_in_use_stops_the_log_before_it_answers(home: LogHome, damage: object) -> None:
    log = home.open()
    await append_one(log)
    assert callable(damage)
    damage(home.directory / "log.db")
    with pytest.raises(LogUnavailable):
        await append_one(log)
    assert log.state is LogState.FAILED
    assert home.explain() is StopReason.FILE


def test_missing_database_is_never_made_by_opening_it(home: LogHome) -> None:
    (home.directory / "log.db").unlink()
    with pytest.raises(EvidenceError) as caught:
        home.open()
    assert caught.value.reason is EvidenceReason.STORE
    assert not (home.directory / "log.db").exists()


def test_database_is_readable_by_its_owner_only(home: LogHome) -> None:
    assert (home.directory / "log.db").stat().st_mode & 0o077 == 0


def _refusal(home: LogHome) -> EvidenceReason:
    with pytest.raises(EvidenceError) as caught:
        home.open()
    return caught.value.reason


async def test_database_restored_from_an_older_backup_is_refused(home: LogHome) -> None:
    await fill(home, 20)
    shutil.copy(home.directory / "log.db", home.directory / "backup.db")
    await fill(home, 5)
    shutil.copy(home.directory / "backup.db", home.directory / "log.db")
    assert _refusal(home) is EvidenceReason.ROLLBACK


async def test_log_regrown_after_a_restore_is_refused(home: LogHome) -> None:
    await fill(home, 20)
    for name in ("log.db", "high-water"):
        shutil.copy(home.directory / name, home.directory / f"{name}.old")
    await fill(home, 5)
    shutil.copy(home.high_water, home.directory / "high-water.new")
    for name in ("log.db", "high-water"):
        shutil.copy(home.directory / f"{name}.old", home.directory / name)
    await fill(home, 9)
    shutil.copy(home.directory / "high-water.new", home.high_water)
    assert _refusal(home) is EvidenceReason.CONSISTENCY


async def test_log_without_its_high_water_record_is_refused(home: LogHome) -> None:
    await fill(home, 3)
    home.high_water.unlink()
    assert _refusal(home) is EvidenceReason.ROLLBACK


async def test_torn_high_water_slot_leaves_the_other_one(home: LogHome) -> None:
    await fill(home, 3)
    log = home.open()
    await append_one(log)
    await append_one(log)
    await log.close()
    whole = home.high_water.read_bytes()
    for slot in (0, 4096):
        home.high_water.write_bytes(whole[:slot] + b"torn" + whole[slot + 4 :])
        await home.open().close()
    home.high_water.write_bytes(b"torn" + whole[4:4096] + b"torn" + whole[4100:])
    assert _refusal(home) is EvidenceReason.SIGNATURE


async def test_log_of_another_key_is_refused(home: LogHome) -> None:
    await fill(home, 3)
    other = LogSigner(SIGNER.public.origin, Ed25519PrivateKey.from_private_bytes(b"t" * 32))
    elsewhere = LogHome(home.directory, SqliteStore(home.directory / "other.db"))
    elsewhere.high_water = home.directory / "other-high-water"
    create_log(elsewhere.store, signer=other, high_water=elsewhere.high_water)
    assert _refusal(elsewhere) is EvidenceReason.ORIGIN


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ("DELETE FROM log_entry WHERE idx = 2", EvidenceReason.GAP),
        ("DELETE FROM log_entry WHERE idx = 9", EvidenceReason.GAP),
        ("UPDATE log_entry SET time_ms = time_ms + 1 WHERE idx = 9", EvidenceReason.LEAF),
        ("UPDATE log_entry SET kind = 7, requester_seq = -1 WHERE idx = 9", EvidenceReason.LEAF),
        ("UPDATE log_entry SET nonce = 'text' WHERE idx = 9", EvidenceReason.LEAF),
        ("UPDATE log_node SET hash = zeroblob(32) WHERE level = 3", EvidenceReason.ROOT),
        ("UPDATE log_tree SET size = 'ten'", EvidenceReason.STORE),
        ("DELETE FROM log_node WHERE level = 3", EvidenceReason.NODE),
        ("UPDATE log_tree SET frontier = zeroblob(64)", EvidenceReason.ROOT),
        ("UPDATE log_tree SET root = zeroblob(32)", EvidenceReason.ROOT),
        ("UPDATE log_tree SET note = ''", EvidenceReason.FORMAT),
        ("DELETE FROM log_tree", EvidenceReason.STORE),
        ("DROP TABLE log_node", EvidenceReason.STORE),
    ],
)
async def test_damaged_store_is_not_built_upon(home: LogHome, damage: str, reason: EvidenceReason) -> None:
    await fill(home, 10)
    await home.open().close()
    with sqlite3.connect(home.directory / "log.db") as connection:
        connection.execute(damage)
    connection.close()
    assert _refusal(home) is reason


async def test_caller_that_gave_up_does_not_disturb_the_others(home: LogHome) -> None:
    log = home.open()
    tasks = [asyncio.ensure_future(log.append(Append(draft(str(at))))) for at in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(answer, Appended) for answer in answers) == 10
    await log.close()
    assert verified_size(home) == 20


def test_durability_settings_are_on_and_read_back(home: LogHome, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def careless(*arguments: Any, **said: Any) -> sqlite3.Connection:
        # As builds of SQLite whose default overwrites nothing; the one at hand may be another.
        made: sqlite3.Connection = connect(*arguments, **said)
        made.execute("PRAGMA secure_delete = OFF")
        return made

    monkeypatch.setattr(sqlite3, "connect", careless)
    connection = home.store.connect()
    settings = [
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "secure_delete")
    ]
    assert settings == ["wal", 2, 1]
    connection.close()
