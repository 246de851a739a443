"""The log on SQLite: WAL, fsync at every commit, one writer.

Decides the settings and reads them back on every connection, notices when the file is no longer the one that was opened
(deleted, replaced, permissions changed: hashicorp/vault#31718), and never creates a database unless asked to.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Dialect, MetaData, create_engine, insert
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool

from audit.errors import EvidenceError, EvidenceReason, LogStops, StopReason
from audit.statement import Params, Statement
from audit.tables import ENTRY
from audit.transaction import Tx

_INSERT_ENTRY = Statement(insert(ENTRY))
_SYNCHRONOUS_FULL = 2
# Every commit makes a reader's pages void, and until then as many questions as came at once look up some eighty tokens
# each: with the 2 MiB that SQLite would give a reader they read each other's pages out of its cache.
_READER_CACHE_KIB = 32 * 1024
# Under load the write-ahead log would be brought into the file, with two waits for the disk, every dozen batches. It
# may grow to 16 MiB instead, four times what SQLite would let it.
_CHECKPOINT_PAGES = 4000
_SETTINGS = (
    ("journal_mode", "wal"), ("synchronous", _SYNCHRONOUS_FULL), ("secure_delete", 1), ("foreign_keys", 1),
    ("wal_autocheckpoint", _CHECKPOINT_PAGES),
)  # fmt: skip
# Primary result codes (sqlite.org/rescode.html) that a caller's statement can cause on a healthy database.
_CALLER_CODES = frozenset((
    sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
))  # fmt: skip
_Identity = tuple[int, int, int, int, int]


class SqliteStore:
    """A log in one SQLite file (and its -wal file beside it)."""

    database_errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    exclusive = True

    def __init__(self, path: Path, *, busy_seconds: float = 5.0) -> None:
        self.path = path.absolute()
        self.dialect: Dialect = sqlite.dialect()
        self._busy_seconds = busy_seconds
        self._identities: dict[Path, _Identity] = {}

    def create(self, *metadata: MetaData) -> None:
        """The file exists, readable by its owner only, with all tables. Raises EvidenceError if it existed before."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise EvidenceError(EvidenceReason.STORE, "there is already a file where the log is to be made") from None
        engine = create_engine("sqlite://", creator=self._open, poolclass=NullPool)
        with engine.begin() as connection:
            # All or none, and one wait for the disk: the driver opens no transaction by itself.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for tables in metadata:
                tables.create_all(connection)
        engine.dispose()

    def connect(self) -> sqlite3.Connection:
        """Returns the writer's connection and remembers which file it is on."""
        connection = self._open()
        # The -wal file appears with the first write; an empty immediate transaction does not make it.
        connection.execute("PRAGMA user_version = 1")
        for path in (self.path, Path(f"{self.path}-wal")):
            self._identities[path] = _identity(path)
        return connection

    def settle(self, connection: sqlite3.Connection) -> None:
        """The -wal file is empty, so that a copy of the main file alone is the whole log."""
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def connect_reader(self) -> sqlite3.Connection:
        """Returns a connection on which every change is refused."""
        connection = self._raw("ro")
        connection.execute("PRAGMA query_only = ON")
        connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
        return connection

    def begin(self, tx: Tx) -> None:
        """The write lock is held."""
        tx.command("BEGIN IMMEDIATE")

    def begin_read(self, tx: Tx) -> None:
        """A read transaction is open; SQLite fixes what it sees at its first query."""
        tx.command("BEGIN DEFERRED")

    def insert_entries(self, tx: Tx, rows: Sequence[Params]) -> None:
        """The entries are in the transaction."""
        tx.many(_INSERT_ENTRY, rows)

    def check_in_place(self) -> None:
        """Holds if the database and its write-ahead log are still the files that were opened."""
        for path, known in self._identities.items():
            if _identity(path) != known:
                text = "the log's file was replaced or changed while in use"
                raise LogStops(StopReason.FILE, EvidenceReason.STORE, text)

    def blames_entry(self, error: Exception) -> bool:
        """True for constraints and bad statements; false for everything that says something about disk or file."""
        code = getattr(error, "sqlite_errorcode", None)
        return code is None or code & 0xFF in _CALLER_CODES

    def _raw(self, mode: str) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=self._busy_seconds,
            )
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as exc:
            raise EvidenceError(EvidenceReason.STORE, _why_unread(self.path, exc)) from exc
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = self._raw("rw")
        for name, value in _SETTINGS:
            connection.execute(f"PRAGMA {name} = {value}")
            (actual,) = connection.execute(f"PRAGMA {name}").fetchone()
            if actual != value:
                raise EvidenceError(EvidenceReason.STORE, f"the database does not accept {name} = {value}")
        return connection


def _why_unread(path: Path, fault: sqlite3.Error) -> str:
    if not path.exists():
        return "the log's database is missing"
    if getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
        return f"{path.name} is there, and is no database: another kind of file, or its beginning was overwritten"
    return "the log's database cannot be read"


def _identity(path: Path) -> _Identity:
    try:
        status = os.stat(path)
    except OSError as exc:
        raise LogStops(StopReason.FILE, EvidenceReason.STORE, "the log's file is gone") from exc
    return status.st_dev, status.st_ino, status.st_mode, status.st_uid, status.st_gid
