"""What a witness keeps, in one SQLite file: synchronous=FULL, read back; checking and storing are one transaction.

Decides the tables, and that processes may share the file: whoever checks has it alone until it has stored. A witness
whose file is restored from a backup has lost what it promised and must get a new key; it cannot notice that by itself.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from audit.checkpoint import Checkpoint
from audit.errors import EvidenceError, EvidenceReason
from audit.fork import Fork, read_checkpoint
from audit.suspicion import Suspicion

_SETTINGS: Final = (("journal_mode", "wal"), ("synchronous", 2))
_BUSY_SECONDS: Final = 5
_RETRY_SECONDS: Final = 0.01
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fork (
    origin TEXT PRIMARY KEY, kept TEXT NOT NULL, shown TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS suspicion (
    origin TEXT PRIMARY KEY, kept TEXT NOT NULL, shown TEXT NOT NULL, time INTEGER NOT NULL,
    from_kept TEXT NOT NULL, from_doubted TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """The last checkpoint of a log that was cosigned, with the cosignatures."""

    checkpoint: Checkpoint
    note: str = field(repr=False)
    seconds: int


class WitnessState:
    """The file. One thread at a time uses it."""

    def __init__(self, path: Path) -> None:
        """Made (mode 0600) if there is none. Raises EvidenceError(STORE) where SQLite does not promise durability."""
        if not path.exists():
            path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
        for name, value in _SETTINGS:
            _set(self._connection, name, value)
            if self._connection.execute(f"PRAGMA {name}").fetchone()[0] != value:
                self._connection.close()
                raise EvidenceError(EvidenceReason.STORE, f"the witness's database does not accept {name} = {value}")
        self._connection.executescript(_TABLES)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done within is on disk afterwards, or none of it is."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def kept(self, origin: str) -> Kept | None:
        """The last checkpoint of this log that was cosigned."""
        rows = _rows(self._connection, "SELECT note, time FROM cosigned WHERE origin = ?", origin)
        return Kept(read_checkpoint(rows[0][0]), *rows[0]) if rows else None

    def keep(self, kept: Kept) -> None:
        """This is the last one."""
        checkpoint = kept.checkpoint
        _put(self._connection, "cosigned", checkpoint.origin, checkpoint.size, checkpoint.root, kept.note, kept.seconds)

    def forks(self) -> tuple[Fork, ...]:
        """The evidence of every log that showed two histories."""
        return tuple(Fork(*row) for row in _rows(self._connection, "SELECT kept, shown, time FROM fork"))

    def is_forked(self, origin: str) -> bool:
        """Whether this log did."""
        return bool(_rows(self._connection, "SELECT 1 FROM fork WHERE origin = ?", origin))

    def put_fork(self, origin: str, fork: Fork) -> None:
        """This log did."""
        _put(self._connection, "fork", origin, fork.kept, fork.shown, fork.seconds)

    def suspicions(self) -> tuple[Fork, ...]:
        """Every doubt, as the fork that it may be."""
        return tuple(Fork(*row) for row in _rows(self._connection, "SELECT kept, shown, time FROM suspicion"))

    def suspicion(self, origin: str) -> Suspicion | None:
        """What is in doubt about this log."""
        columns = "kept, shown, time, from_kept, from_doubted"
        rows = _rows(self._connection, f"SELECT {columns} FROM suspicion WHERE origin = ?", origin)  # noqa: S608 - constants
        return Suspicion(*rows[0]) if rows else None

    def put_suspicion(self, origin: str, doubt: Suspicion | None) -> None:
        """This is in doubt about it; None: nothing any more."""
        if doubt is None:
            self._connection.execute("DELETE FROM suspicion WHERE origin = ?", (origin,))
        else:
            values = (doubt.kept, doubt.shown, doubt.seconds, doubt.from_kept, doubt.from_doubted)
            _put(self._connection, "suspicion", origin, *values)

    def close(self) -> None:
        """The file is closed."""
        self._connection.close()


def _set(connection: sqlite3.Connection, name: str, value: str | int) -> None:
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA {name} = {value}")
            return
        except sqlite3.OperationalError:
            # Unlike everything else, the change to a write-ahead log does not wait for another who makes the file, too.
            if time.monotonic() > until:
                raise
            time.sleep(_RETRY_SECONDS)


def _rows(connection: sqlite3.Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(connection.execute(query, values)) as cursor:
        return cursor.fetchall()


def _put(connection: sqlite3.Connection, table: str, *values: Any) -> None:
    marks = ", ".join("?" for _ in values)
    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", values)  # noqa: S608 - constants
