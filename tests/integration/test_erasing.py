"""What an ended epoch left, looked for in the raw bytes of the database's files after years of churn."""

import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.store_sqlite import SqliteStore
from gateway.store import erase_sqlite
from gateway.store.erase import NotErased
from gateway.store.erase_sqlite import SqliteErasing
from gateway.store.tables import metadata
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW

YOUTHS = 1500
TOKENS = 40
MARK = b"OLD-"
"""Every token of the old epoch begins with it, so that one search finds any of them, and any part from its start."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """An index with both epochs, of which many youths came, changed and left."""
    path = tmp_path / "gateway.db"
    SqliteStore(path).create(metadata)
    writer = SqliteStore(path).connect()
    chance = random.Random(20261128)
    refs = [os.urandom(8) for _ in range(YOUTHS)]
    for epoch, mark in (("e1", MARK), ("e2", b"")):
        for ref in refs:
            put(writer, ref, epoch, mark)
    for ref in chance.sample(refs, YOUTHS // 2):
        # Changed: the tokens of before are gone already, as `tokens/index` deletes them.
        epoch, mark = chance.choice((("e1", MARK), ("e2", b"")))
        writer.execute("DELETE FROM index_token WHERE ref = ? AND epoch = ?", (ref, epoch))
        put(writer, ref, epoch, mark)
    rows = [("06029.cwa", MARK + os.urandom(12), os.urandom(16), "e1") for _ in range(900)]
    writer.executemany("INSERT INTO review_token VALUES (?, ?, ?, ?)", rows)
    writer.execute("INSERT INTO pepper VALUES ('e1', '06037.cwa', x'00', x'00', ?, 0)", (MARK * 300,))
    for sequence, (epoch, mark) in enumerate((("e1", MARK), ("e2", b"")), start=1):
        row = ("06037.cwa", sequence, ALERT_KIND_REVIEW, os.urandom(16), (mark + os.urandom(32)) * 3, epoch, sequence)
        writer.execute("INSERT INTO alert VALUES (?, ?, ?, '06029.cwa', '', 0, x'', ?, x'00', ?, ?, ?)", row)
    writer.close()
    return path


def digests(database: Path) -> dict[str, bool]:
    """Whether the alert of each epoch's review holds digests."""
    with closing(sqlite3.connect(database)) as reader:
        rows = reader.execute("SELECT epoch, digests FROM alert ORDER BY sequence").fetchall()
    return {epoch: bool(sealed) for epoch, sealed in rows}


def put(writer: sqlite3.Connection, ref: bytes, epoch: str, mark: bytes) -> None:
    rows = [((mark + os.urandom(16))[:16], ref, place, epoch) for place in range(TOKENS)]
    writer.execute("BEGIN")
    writer.executemany("INSERT INTO index_token VALUES (?, ?, ?, ?)", rows)
    writer.execute("COMMIT")


def marks(database: Path) -> int:
    files = [database, database.with_name(f"{database.name}-wal")]
    return sum(file.read_bytes().count(MARK) for file in files if file.exists())


def test_not_one_token_is_left_in_the_file_or_its_write_ahead_log(database: Path) -> None:
    assert marks(database) > YOUTHS * TOKENS, "the search finds what is there"
    assert digests(database) == {"e1": True, "e2": True}
    reader = sqlite3.connect(database)
    (kept,) = reader.execute("SELECT count(*) FROM index_token WHERE epoch = 'e2'").fetchone()
    assert SqliteErasing(database).erase_epochs(["e1"], rewrite=True) == YOUTHS * TOKENS + 900
    assert marks(database) == 0
    assert digests(database) == {"": False, "e2": True}
    assert reader.execute("SELECT count(*) FROM index_token WHERE epoch = 'e2'").fetchone() == (kept,)
    assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    reader.close()
    assert SqliteErasing(database).erase_epochs(["e1"], rewrite=True) == 0


def test_without_overwriting_they_would_be_found(database: Path) -> None:
    """The search above is worth something: the same deletion by a database that does not overwrite."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute("DELETE FROM index_token WHERE epoch = 'e1'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert marks(database) > TOKENS


def test_while_somebody_reads_an_old_state_it_is_not_called_erased(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_sqlite, "_TRIES", 2)
    monkeypatch.setattr(erase_sqlite, "_BUSY_SECONDS", 0.2)
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM index_token").fetchone()
    with pytest.raises(NotErased):
        SqliteErasing(database).erase_epochs(["e1"], rewrite=True)
    reader.execute("COMMIT")
    reader.close()
    SqliteErasing(database).erase_epochs(["e1"], rewrite=True)
    assert marks(database) == 0
