"""Takes what an ended epoch or a seal left out of the database file: rows, free pages and write-ahead log.

Decides how. Rows go in small transactions of a connection of its own, in the order of the primary key, so that nobody's
entry waits for more than one of them, and secure_delete overwrites what they held. That is not enough: where SQLite
moves cells from page to page it leaves copies in gaps that belong to no row, and some tokens survive (18 of 60,000 when
tests/integration/test_erasing.py looked at the raw file). So the file is rewritten by VACUUM, and the write-ahead log
copied into it and cut to nothing. A rewrite keeps writers out for as long as it takes, and an entry waits for seconds
only: a large file is rewritten when nobody is served, at the next start. Outside this file's reach are copies: backups,
snapshots of the volume, and blocks that the file system or the disk frees by itself; README says what becomes of them.
"""

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.store.erase import SMALL_BYTES, NotErased

CHUNK: Final = 5000
"""Rows looked at in one step; deleting all of them takes some tens of milliseconds."""
_BUSY_SECONDS: Final = 10.0
_TRIES: Final = 20
_PAUSE_SECONDS: Final = 0.1
_HOLD_MILLISECONDS: Final = 50
"""How long cutting the log may wait for readers: it keeps writers out meanwhile, and the log takes that for a fault."""
_PAGE: Final = {
    "index_token": "SELECT epoch, token, ref FROM index_token WHERE (token, ref) > (?, ?) ORDER BY token, ref LIMIT ?",
    "review_token": "SELECT epoch, asking, token, review_id FROM review_token"
    " WHERE (asking, token, review_id) > (?, ?, ?) ORDER BY asking, token, review_id LIMIT ?",
}
_DELETE: Final = {
    "index_token": "DELETE FROM index_token WHERE token = ? AND ref = ?",
    "review_token": "DELETE FROM review_token WHERE asking = ? AND token = ? AND review_id = ?",
}
_START: Final = {"index_token": (b"", b""), "review_token": ("", b"", b"")}


@dataclass(frozen=True, slots=True)
class SqliteErasing:
    """`erase.EpochErasing` on one file. Blocking: call it in a thread."""

    database: Path

    def is_small(self) -> bool:
        """Whether the file is rewritten so fast that entries can wait for it."""
        return self.database.stat().st_size <= SMALL_BYTES

    def erase_epochs(self, ended: Collection[str], *, rewrite: bool) -> int:
        """As the port says. Raises `NotErased`, `sqlite3.Error`."""
        with self._connected() as connection:
            count = sum(_erase(connection, table, ended) for table in _PAGE)
            for epoch in ended:
                connection.execute("DELETE FROM pepper WHERE epoch = ?", (epoch,))
            _forget_digests(connection, ended)
            if rewrite:
                connection.execute("VACUUM")
            cut_log(connection)
        return count

    def erase_sealed(self, *, rewrite: bool) -> None:
        """What seals deleted is in no row, and with `rewrite` in no byte of the file. Raises as `erase_epochs`."""
        with self._connected() as connection:
            if rewrite:
                connection.execute("VACUUM")
            cut_log(connection)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.database, isolation_level=None, timeout=_BUSY_SECONDS)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = FULL")
            if connection.execute("PRAGMA secure_delete").fetchone() != (1,):
                raise NotErased
            yield connection


def _erase(connection: sqlite3.Connection, table: str, ended: Collection[str]) -> int:
    last, count = _START[table], 0
    while page := connection.execute(_PAGE[table], (*last, CHUNK)).fetchall():
        gone = [row[1:] for row in page if row[0] in ended]
        if gone:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_DELETE[table], gone)
            connection.execute("COMMIT")
        last, count = page[-1][1:], count + len(gone)
    return count


def _forget_digests(connection: sqlite3.Connection, ended: Collection[str]) -> None:
    told = connection.execute("SELECT agency, sequence, epoch FROM alert WHERE epoch != ''").fetchall()
    gone = [row[:2] for row in told if row[2] in ended]
    update = "UPDATE alert SET digests = x'', epoch = '' WHERE agency = ? AND sequence = ?"
    for start in range(0, len(gone), CHUNK):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(update, gone[start : start + CHUNK])
        connection.execute("COMMIT")


def cut_log(connection: sqlite3.Connection) -> None:
    """The write-ahead log is empty: readers of the moment may delay it, so it is tried again. Raises `NotErased`.

    A mirror's round reads for minutes. Whoever waits for it here would keep every entry waiting, for longer than the
    log's own patience with the database: so what can be copied is copied first, which keeps out nobody, and each try
    waits for moments.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    connection.execute(f"PRAGMA busy_timeout = {_HOLD_MILLISECONDS}")
    for _ in range(_TRIES):
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(_PAUSE_SECONDS)
    raise NotErased
