"""A database that was put back to an older state: found, kept shut, healed from a mirror, and never signed over."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.checkpoint import parse_checkpoint
from audit.errors import Copy, CopyBroken, EvidenceError, EvidenceReason, LogRecovering
from audit.heal import Healed, heal
from audit.highwater import read_high_water
from audit.log import Append, LogState
from audit.mirror import MirrorKey, check_mirror, write_mirror
from audit.mirror_tables import ROWS
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.transaction import Tx
from audit.verify import verify_log
from tests.integration.log_kit import ALL, PROJECTION, PUT, SIGNER, LogHome, draft, sqlite_home
from tests.integration.published_kit import fill

KEY = MirrorKey(b"m" * 32, SIGNER.public.origin)
YESTERDAY, TODAY = 300, 600


def _nothing_derived(_: Tx) -> None:
    """Of the tables that are mirrored here no entry says what they must be."""


def _mirror(home: LogHome, directory: Path, *, check: Callable[[Tx], None] = _nothing_derived) -> int:
    reader = Reader(home.store)
    try:
        head = write_mirror(
            reader, directory, signer=SIGNER, key=KEY, also=[PROJECTION], check_tables=check, random_bytes=os.urandom
        )  # fmt: skip
        return head.size
    finally:
        reader.close()


def _heal(home: LogHome, mirror: Path) -> Healed:
    known = [read_high_water(home.high_water, SIGNER.public)]
    return heal(
        home.store, mirror, signer=SIGNER, key=KEY, known=known, also=[PROJECTION], check_tables=_nothing_derived
    )


def _edit(home: LogHome, statement: str) -> None:
    connection = sqlite3.connect(home.directory / "log.db")
    with connection:
        connection.execute(statement)
    connection.close()


async def _name(home: LogHome, name: str) -> None:
    log = home.open()
    await log.append(Append(draft(name), rows=((PUT, (name, -len(name))),)))
    await log.close()


def _names(home: LogHome) -> list[str]:
    reader = Reader(home.store)
    try:
        verify_log(reader, key=SIGNER.public)
        return [name for name, _ in reader.read(lambda tx: tx.all(ALL))]
    finally:
        reader.close()


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yesterday's database, today's log, and a mirror of today."""
    directory = tmp_path_factory.mktemp("days")
    home = sqlite_home(directory)
    fill(home, YESTERDAY)
    asyncio.run(_name(home, "kept"))
    assert _mirror(home, directory / "mirror") == YESTERDAY + 1
    shutil.copy(directory / "log.db", directory / "yesterday.db")
    fill(home, TODAY - YESTERDAY)
    asyncio.run(_name(home, "revoked"))
    assert _mirror(home, directory / "mirror") == TODAY + 2
    return directory


@pytest.fixture
def put_back(days: Path, tmp_path: Path) -> LogHome:
    """Yesterday's database lies in the place of today's."""
    shutil.copytree(days, tmp_path, dirs_exist_ok=True)
    for left in tmp_path.glob("log.db*"):
        left.unlink()
    shutil.copy(tmp_path / "yesterday.db", tmp_path / "log.db")
    return LogHome(tmp_path, SqliteStore(tmp_path / "log.db"))


async def test_07_a_log_that_was_put_back_takes_no_entry_and_signs_nothing_new(put_back: LogHome) -> None:
    before = (put_back.directory / "high-water").read_bytes()
    log = put_back.open(may_recover=True)
    assert log.state is LogState.RECOVERING
    assert log.behind is not None
    assert (log.behind.size, log.behind.known_size) == (YESTERDAY + 1, TODAY + 2)
    with pytest.raises(LogRecovering):
        await log.append(Append(draft()))
    await log.close()
    assert (put_back.directory / "high-water").read_bytes() == before
    with pytest.raises(EvidenceError) as refused:
        put_back.open()
    assert refused.value.reason is EvidenceReason.ROLLBACK


async def test_07_healed_it_is_the_log_that_was_signed_with_the_tables_of_that_moment(put_back: LogHome) -> None:
    assert _names(put_back) == ["kept"]
    signed = read_high_water(put_back.high_water, SIGNER.public)
    assert _heal(put_back, put_back.directory / "mirror") == Healed(YESTERDAY + 1, TODAY + 2)
    assert sorted(_names(put_back)) == ["kept", "revoked"]
    log = put_back.open()
    healed = parse_checkpoint(log.checkpoint, SIGNER.public)
    assert (healed.size, healed.root) == (signed.size, signed.root)
    assert (await log.append(Append(draft()))).index == TODAY + 2
    await log.close()


async def test_07_a_mirror_that_lacks_what_was_signed_heals_nothing(put_back: LogHome) -> None:
    older = put_back.directory / "older"
    assert _mirror(put_back, older) == YESTERDAY + 1
    with pytest.raises(EvidenceError) as refused:
        _heal(put_back, older)
    assert refused.value.reason is EvidenceReason.ROLLBACK
    assert _names(put_back) == ["kept"]


async def test_07_a_store_that_grew_another_history_is_not_merged(put_back: LogHome) -> None:
    newest = put_back.high_water.read_bytes()
    reader = Reader(put_back.store)
    note = reader.tree().note
    reader.close()
    put_back.high_water.write_bytes(note.encode().ljust(8192, b"\0"))
    log = put_back.open()
    await log.append(Append(draft("another")))
    await log.close()
    put_back.high_water.write_bytes(newest)
    with pytest.raises(EvidenceError) as refused:
        _heal(put_back, put_back.directory / "mirror")
    assert refused.value.reason is EvidenceReason.CONSISTENCY
    assert not isinstance(refused.value, CopyBroken), "the mirror holds: it is the store that has another history"


@pytest.mark.parametrize(
    "name", ["sealed/bodies/000000/001", f"sealed/tables/{TODAY + 2}/0/000000", "tile/entries/001"]
)
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
async def test_a_damaged_mirror_is_found_and_heals_nothing(put_back: LogHome, name: str, damage: str) -> None:
    mirror = put_back.directory / "mirror"
    path = mirror / name
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data if damage == "flip" else data[: len(data) // 2])
    with pytest.raises(EvidenceError):
        check_mirror(mirror, SIGNER.public, KEY, known=())
    with pytest.raises(CopyBroken) as refused:
        _heal(put_back, mirror)
    assert (refused.value.copy, refused.value.directory) == (Copy.MIRROR, mirror)
    assert _names(put_back) == ["kept"]


def test_a_mirror_whose_sealed_entries_are_of_another_log_is_itself_at_fault(put_back: LogHome, tmp_path: Path) -> None:
    """Whoever has the mirror's key seals other entries in their place; its tiles still say what was signed."""
    (tmp_path / "other").mkdir()
    other = sqlite_home(tmp_path / "other")
    fill(other, TODAY + 2)
    _mirror(other, tmp_path / "of-other")
    mirror = put_back.directory / "mirror"
    shutil.rmtree(mirror / "sealed" / "bodies")
    shutil.copytree(tmp_path / "of-other" / "sealed" / "bodies", mirror / "sealed" / "bodies")
    with pytest.raises(CopyBroken) as refused:
        _heal(put_back, mirror)
    assert (refused.value.reason, refused.value.directory) == (EvidenceReason.ROOT, mirror)
    assert _names(put_back) == ["kept"]


def test_a_mirror_shows_neither_agencies_nor_kinds(days: Path) -> None:
    assert check_mirror(days / "mirror", SIGNER.public, KEY, known=()).checkpoint.size == TODAY + 2
    with pytest.raises(EvidenceError) as closed:
        check_mirror(days / "mirror", SIGNER.public, MirrorKey(b"x" * 32, KEY.origin), known=())
    assert closed.value.reason is EvidenceReason.OPENING
    content = b"".join(path.read_bytes() for path in (days / "mirror").rglob("*") if path.is_file())
    assert all(word in (days / "yesterday.db").read_bytes() for word in (b"06037.cwa", b"access.decision"))
    assert not any(word in content for word in (b"06037.cwa", b"access.decision", b"revoked"))


async def test_tables_alone_are_restored_where_somebody_edited_them(days: Path, tmp_path: Path) -> None:
    shutil.copytree(days, tmp_path, dirs_exist_ok=True)
    home = LogHome(tmp_path, SqliteStore(tmp_path / "log.db"))
    _edit(home, "DELETE FROM named WHERE name = 'revoked'")
    assert _heal(home, tmp_path / "mirror") == Healed(TODAY + 2, TODAY + 2)
    assert sorted(_names(home)) == ["kept", "revoked"]


async def test_tables_of_many_pages_are_replaced_whole_and_an_unchanged_log_is_not_written_again(
    days: Path, tmp_path: Path
) -> None:
    shutil.copytree(days, tmp_path, dirs_exist_ok=True)
    home, mirror = LogHome(tmp_path, SqliteStore(tmp_path / "log.db")), tmp_path / "mirror"
    log = home.open()
    for start in range(0, 2 * ROWS + 1, 500):
        rows = tuple((PUT, (f"row-{number}", number)) for number in range(start, start + 500))
        await log.append(Append(draft("many"), rows=rows))
    await log.close()
    size = _mirror(home, mirror)
    first = mirror / f"sealed/tables/{size}/0"
    assert len(list(first.iterdir())) > 2
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert _mirror(home, mirror) == size
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == before
    # A round that was cut short while it wrote another set counts for nothing, and is gone after the next.
    (first.parent / "1").mkdir()
    shutil.copy(first / "000000", first.parent / "1" / "000000")
    assert check_mirror(mirror, SIGNER.public, KEY, known=()).checkpoint.size == size
    assert _mirror(home, mirror) == size
    assert [path.name for path in first.parent.iterdir()] == ["2"]
    names = sorted(_names(home))
    _edit(home, "DELETE FROM named")
    assert _heal(home, mirror) == Healed(size, size)
    assert sorted(_names(home)) == names
