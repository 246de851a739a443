"""The adapter's own database, `adapter.db`: what must survive a restart. What is kept is decided by `tables`.

SQLite in WAL mode with `synchronous=FULL`, set and read back on every connection: an alert is acknowledged to the
gateway only after it is on disk here, and a database that silently syncs less would break that promise.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from adapters.node.tables import metadata, setting

FILE_NAME: Final = "adapter.db"
_OWES_REWRITING: Final = "owes-rewriting"
_LOG: Final = logging.getLogger(__name__)


class StoreUnsafe(Exception):
    """The database does not promise what was asked of it. `why` is a constant sentence."""


class Store:
    """An open `adapter.db`. Usable from any thread; writers take turns."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writing = threading.Lock()
        self.owes_settling = False
        """Whether what was deleted may still be in the database's files, because somebody was using it."""

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction that may change something; durable when the block ends, undone when it raises."""
        with self._writing, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; sees what was committed before."""
        with self._engine.connect() as connection:
            yield connection

    def settle(self) -> None:
        """What was deleted is in no page and not in the write-ahead log; `owes_settling` where somebody was in the way.

        It is tried again with the next look at what must go (`erase`), and at the latest at the next start.
        """
        with self._writing, self._engine.connect() as connection:
            # SQLite reports a reader that outlasts the busy time-out in a row, a writer as an error.
            self.owes_settling = not _rewritten(connection)
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            self.owes_settling |= bool(busy)
        if self.owes_settling:
            _LOG.warning("what was deleted is still in the database's files: somebody is using it")

    def close(self) -> None:
        """All connections are closed."""
        self._engine.dispose()


def open_store(path: Path) -> Store:
    """The database at this path, made (mode 0600) if there is none. Raises `StoreUnsafe`."""
    if not path.exists():
        path.touch(mode=0o600)
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    metadata.create_all(engine)
    store = Store(engine)
    store.settle()
    return store


def open_beside(path: Path) -> Store:
    """The database at this path, which is there, for one look or one change while the adapter may run."""
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(engine, "connect", _prepare)
    return Store(engine)


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        for name, value, expected in _PRAGMAS:
            cursor.execute(f"PRAGMA {name}={value}")
            if cursor.execute(f"PRAGMA {name}").fetchone()[0] != expected:
                raise StoreUnsafe(f"SQLite did not accept {name}={value}")
    finally:
        cursor.close()


_PRAGMAS: Final = (
    ("busy_timeout", "5000", 5000),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("secure_delete", "ON", 1),
)


def is_busy(error: OperationalError) -> bool:
    """Whether somebody else used the database for longer than anybody here waits; nothing is wrong with it."""
    code = getattr(error.orig, "sqlite_errorcode", sqlite3.SQLITE_OK)
    # The extended codes say more in their higher bytes.
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def owe_rewriting(connection: Connection) -> None:
    """The file is rewritten when it is settled next: a debt as durable as what the same transaction deletes.

    Deleted rows are overwritten where they lie, but where SQLite moved one from page to page before, a copy may be left
    in a gap that belongs to no row.
    """
    put_setting(connection, _OWES_REWRITING, b"")


def _rewritten(connection: Connection) -> bool:
    if get_setting(connection, _OWES_REWRITING) is None:
        return True
    connection.rollback()
    try:
        connection.exec_driver_sql("VACUUM")
    except OperationalError:
        return False
    drop_setting(connection, _OWES_REWRITING)
    connection.commit()
    return True


def get_setting(connection: Connection, name: str) -> bytes | None:
    """The value under a name, or None."""
    query = setting.select().with_only_columns(setting.c.value).where(setting.c.name == name)
    value: bytes | None = connection.scalar(query)
    return value


def drop_setting(connection: Connection, name: str) -> None:
    """Nothing stands under the name."""
    connection.execute(setting.delete().where(setting.c.name == name))


def put_setting(connection: Connection, name: str, value: bytes) -> None:
    """The value stands under the name."""
    connection.execute(setting.delete().where(setting.c.name == name))
    connection.execute(setting.insert().values(name=name, value=value))
