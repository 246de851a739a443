"""What the log needs from a database; store_sqlite.py and store_postgres.py hold what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect, MetaData

from audit.statement import Params
from audit.transaction import Tx


class Store(Protocol):
    """One database that holds a log, or is to hold one."""

    dialect: Dialect
    # The driver's own root of database errors.
    database_errors: tuple[type[Exception], ...]
    # True if no other process may write: then the tree must never have moved between two batches.
    exclusive: bool

    def create(self, *metadata: MetaData) -> None:
        """The tables exist, in a database that had no log before. Raises EvidenceError(STORE) if it had one."""

    def connect(self) -> Any:
        """Returns a driver connection for the writer, in autocommit; commits on it reach the disk before they return.

        The settings that make it so are read back, not assumed. Raises EvidenceError(STORE) when the database is
        missing or would not keep what it acknowledges; never creates one.
        """

    def connect_reader(self) -> Any:
        """Returns a driver connection that cannot change anything and never makes the writer wait."""

    def begin(self, tx: Tx) -> None:
        """A transaction is open that no other writer can get in between of, once the tree's row is read."""

    def begin_read(self, tx: Tx) -> None:
        """A transaction is open that sees one state of the database."""

    def insert_entries(self, tx: Tx, rows: Sequence[Params]) -> None:
        """The rows, in the order of the columns of log_entry, are in the transaction."""

    def check_in_place(self) -> None:
        """Holds if what the connection writes is still what its name leads to. Raises EvidenceError(STORE)."""

    def settle(self, connection: Any) -> None:
        """What the writer's connection wrote stands in the database's main file, as far as its readers allow."""

    def blames_entry(self, error: Exception) -> bool:
        """True if the error is due to what was asked (a constraint, a bad statement), not to the database's state."""
