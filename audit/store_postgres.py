"""The log on PostgreSQL: for several gateway replicas that write one log.

Decides what keeps replicas apart: the tree's row is locked by each batch (SELECT ... FOR UPDATE at READ COMMITTED, so a
waiting replica sees the row as its predecessor left it), its update is a compare-and-swap, and the index is a primary
key. Nobody is elected; a replica that lost its connection cannot fork the log. Any lost connection stops this replica's
log, because a COMMIT whose answer got lost may have happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from sqlalchemy import Dialect, MetaData, create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

from audit.errors import EvidenceError, EvidenceReason
from audit.statement import Params
from audit.tables import ENTRY, TREE
from audit.transaction import Tx

_COLUMNS = ", ".join(column.name for column in ENTRY.columns)
_COPY = f"COPY {ENTRY.name} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_COPY_TYPES = ["int8", "int8", *["bytea"] * 8, *["text"] * 3, "int8", "int8"]
# SQLSTATE classes a caller's statement can cause on a healthy server: data, constraint, failed transaction, syntax and
# access rule, raise in PL/pgSQL.
_CALLER_CLASSES = ("22", "23", "25", "42", "P0")
_DURABLE = frozenset(("on", "remote_apply"))


class PostgresStore:
    """A log in one PostgreSQL database (schema: the connection's search path)."""

    database_errors: tuple[type[Exception], ...] = (psycopg.Error,)
    exclusive = False

    def __init__(self, url: str) -> None:
        """`url` is SQLAlchemy's form, postgresql+psycopg://user@host/database; it may hold a password."""
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        # Positional markers, as the raw cursor takes them; making an engine does not connect.
        self.dialect: Dialect = create_engine(self._url, paramstyle="format", poolclass=NullPool).dialect

    def create(self, *metadata: MetaData) -> None:
        """All tables exist. Raises EvidenceError if the database already holds a log."""
        engine = create_engine(self._url, poolclass=NullPool)
        with engine.begin() as connection:
            if inspect(connection).has_table(TREE.name):
                raise EvidenceError(EvidenceReason.STORE, "the database already holds a log")
            for tables in metadata:
                tables.create_all(connection)
        engine.dispose()

    def connect(self) -> psycopg.Connection[Any]:
        """Returns the writer's connection, to a primary that writes through to disk before it acknowledges."""
        connection = self._raw()
        for name, allowed in (("synchronous_commit", _DURABLE), ("fsync", {"on"}), ("transaction_read_only", {"off"})):
            row = connection.execute(f"SHOW {name}").fetchone()
            if row is None or row[0] not in allowed:
                connection.close()
                raise EvidenceError(EvidenceReason.STORE, f"the database server runs with an unsafe {name}")
        return connection

    def settle(self, connection: psycopg.Connection[Any]) -> None:
        """Nothing to do: the server keeps its own files."""

    def connect_reader(self) -> psycopg.Connection[Any]:
        """Returns a connection on which every change is refused."""
        connection = self._raw()
        connection.execute("SET default_transaction_read_only = on")
        return connection

    def begin(self, tx: Tx) -> None:
        """A transaction is open; the tree's row, when read, waits for other replicas and stays locked."""
        tx.command("BEGIN ISOLATION LEVEL READ COMMITTED")

    def begin_read(self, tx: Tx) -> None:
        """A transaction is open that sees one state."""
        tx.command("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def insert_entries(self, tx: Tx, rows: Sequence[Params]) -> None:
        """The entries are in the transaction."""
        if not rows:
            return
        tx.flush()
        with tx.cursor.copy(_COPY) as copy:
            copy.set_types(_COPY_TYPES)
            for row in rows:
                copy.write_row(row)

    def check_in_place(self) -> None:
        """Nothing to compare: the server holds the files, and a lost server is a lost connection."""

    def blames_entry(self, error: Exception) -> bool:
        """True for data, constraints and bad statements; false for connections, resources and the server's state."""
        state = getattr(error, "sqlstate", None)
        if state is None:
            return isinstance(error, psycopg.ProgrammingError | psycopg.DataError)
        return state[:2] in _CALLER_CLASSES

    def _raw(self) -> psycopg.Connection[Any]:
        # libpq reads the same URL without the driver's name.
        address = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            return psycopg.connect(address, autocommit=True)
        except psycopg.Error as exc:
            raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be reached") from exc
