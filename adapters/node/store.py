"""The adapter's own database, `adapter.db`: what must survive a restart.

Decides its tables. The only thing in it that names a youth is the county's own number (`local_id`), beside the opaque
handle the exchange knows; no identity and no record is kept. Receipts are kept as long as the county keeps its file.

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

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    event,
)
from sqlalchemy.exc import OperationalError

FILE_NAME: Final = "adapter.db"
_OWES_REWRITING: Final = "owes-rewriting"
_LOG: Final = logging.getLogger(__name__)
metadata: Final = MetaData()  # Times in its tables are milliseconds since 1970, UTC.

setting = Table(
    "setting",
    metadata,
    # Names are constants of the modules that use them.
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

subject = Table(
    "subject",
    metadata,
    Column("local_id", String(128), primary_key=True),
    Column("handle", LargeBinary, nullable=False, unique=True),
)

registration = Table(
    "registration",
    metadata,
    # A youth that is listed, or being listed; one row for each epoch of the token key.
    Column("handle", LargeBinary, primary_key=True),
    Column("epoch", String(32), primary_key=True),
    # Keyed digest of what the tokens were made of; tells a changed youth from an unchanged one.
    Column("fingerprint", LargeBinary, nullable=False),
    # Serialized TokenSet.
    Column("tokens", LargeBinary, nullable=False),
    # When the gateway confirmed it; NULL until then: the same tokens are sent again, not made again.
    Column("register_ms", BigInteger, nullable=True),
)

own_flag = Table(
    "own_flag",
    metadata,
    Column("flag_id", LargeBinary, primary_key=True),
    Column("handle", LargeBinary, nullable=False),
    Column("state", String(24), nullable=False),
    Column("handling_code", String(40), nullable=False),
    Column("version", BigInteger, nullable=False),
    # Serialized FlagLocate (FS2) and FlagCasework (FS3); they leave only inside a sealed answer.
    Column("locate", LargeBinary, nullable=False),
    Column("casework", LargeBinary, nullable=False),
    Column("learn_ms", BigInteger, nullable=False),
    # Serialized SignedEnvelope with the newest FlagStatement.
    Column("statement", LargeBinary, nullable=False),
    Column("statement_expire_ms", BigInteger, nullable=False),
    # 1: the gateway has recorded this flag; 0: not yet.
    Column("recorded", Integer, nullable=False),
    # 1: recorded in entries of the log that may since have been declared lost, and not stated again.
    Column("unheard", Integer, nullable=False, server_default="0"),
    Index("own_flag_by_handle", "handle"),
)

own_authority = Table(
    "own_authority",
    metadata,
    Column("authority_id", LargeBinary, primary_key=True),
    # Serialized SignedEnvelope with the Authority; empty for another agency's, which this one revoked.
    Column("envelope", LargeBinary, nullable=False),
    # Of its youth where this agency lists the youth; else the epochs of the tokens that name the youth, with spaces.
    Column("handle", LargeBinary, nullable=True),
    Column("epochs", String(120), nullable=False),
    Column("expire_ms", BigInteger, nullable=False),
    # 1: the gateway has it on record.
    Column("recorded", Integer, nullable=False),
    Column("revoke_ms", BigInteger, nullable=True),
    # Whether it is to be presented again (`own_authorities`).
    Column("state", Integer, nullable=False),
)

alert = Table(
    "alert",
    metadata,
    Column("sequence", BigInteger, primary_key=True),
    # Serialized Alert.
    Column("message", LargeBinary, nullable=False),
    Column("store_ms", BigInteger, nullable=False),
)

alert_run = Table(
    "alert_run",
    metadata,
    # Of the alert that tells of the run.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    # Digest of what the alerts of a run have in common (alert_runs); deleted with the youth.
    Column("likeness", LargeBinary, nullable=False),
    # When it was told, and when what it tells of happened first and last.
    Column("told_ms", BigInteger, nullable=False),
    Column("act_count", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Index("alert_run_by_likeness", "likeness", "sequence"),
)

repeated_alert = Table(
    "repeated_alert",
    metadata,
    # A stored alert that another one tells of.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
)

review = Table(
    "review",
    metadata,
    Column("review_id", LargeBinary, primary_key=True),
    # Of the alert that opened it.
    Column("sequence", BigInteger, nullable=False),
    Column("handle", LargeBinary, nullable=False),
    # Serialized Alert that opened it.
    Column("opened", LargeBinary, nullable=False),
    # ReviewState as last heard, and the Verdict of this agency; 0 for none.
    Column("state", Integer, nullable=False),
    Column("verdict", Integer, nullable=False),
    Column("verdict_ms", BigInteger, nullable=False),
    Index("review_by_handle", "handle"),
)

review_epoch = Table(
    "review_epoch",
    metadata,
    # An alert whose review names another agency's youth by digests of tokens, and their epoch: they go with it.
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
)

work = Table(
    "work",
    metadata,
    Column("work_id", LargeBinary, primary_key=True),
    # DECISION leaf that permitted it: one leaf is answered once. NULL until it was verified.
    Column("decision_index", BigInteger, nullable=True, unique=True),
    # Empty until the order was verified.
    Column("requester", String(40), nullable=False),
    # STARTED, ANSWERED, or why not.
    Column("result", String(48), nullable=False),
    # Serialized decision receipt of an answered order; NULL for a refused one.
    Column("receipt", LargeBinary, nullable=True),
    Column("create_ms", BigInteger, nullable=False),
    Index("work_by_time", "create_ms"),
)

request = Table(
    "request",
    metadata,
    # UUIDv7, written before the request is sent (AIP-155).
    Column("request_id", LargeBinary, primary_key=True),
    Column("method", String(48), nullable=False),
    # Keyed digest of what the county system asked, so that a repeated id with other content is refused.
    Column("digest", LargeBinary, nullable=False),
    # Exact bytes that were sent: tokens and commitments, never an identity. Empty once they must go (`erase`).
    Column("payload", LargeBinary, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

request_epoch = Table(
    "request_epoch",
    metadata,
    # An epoch of the token key that a request's bytes may hold something of: they go with it.
    Column("request_id", LargeBinary, primary_key=True),
    Column("epoch", String(32), primary_key=True),
)

own_report = Table(
    "own_report",
    metadata,
    # A request on record that reports about an episode, with whose bytes it goes; whether it is due (`own_reports`).
    Column("request_id", LargeBinary, primary_key=True),
    Column("assertion", String, nullable=False),
    Column("state", Integer, nullable=False),
)

receipt = Table(
    "receipt",
    metadata,
    Column("request_id", LargeBinary, primary_key=True),
    Column("leaf_index", BigInteger, primary_key=True),
    # C2SP tlog-proof text.
    Column("proof", String, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

own_entry = Table(
    "own_entry",
    metadata,
    # Of the log's entries in which this agency takes part, as they were shown to it without a gap (`attest`).
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

awaited_entry = Table(
    "awaited_entry",
    metadata,
    # An entry of which this agency has a receipt, and that is yet to be found among those it is shown.
    Column("leaf_index", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

local_event = Table(
    "local_event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    # What was refused inside the county and never sent: a constant kind and reason.
    Column("kind", String(48), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("role", String(64), nullable=False),
    # Keyed pseudonym of the worker.
    Column("worker", String(64), nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

sealed_subject = Table(
    "sealed_subject",
    metadata,
    # Keyed digest of the county's own number: keeps the youth off the list, and does not say who it is.
    Column("local_digest", LargeBinary, primary_key=True),
    # Empty until the exchange has carried out the order.
    Column("seal_id", LargeBinary, nullable=False),
    # Until the entries were destroyed: a seal that is lifted gives the youth its handle back. NULL for one taken up.
    Column("handle", LargeBinary, nullable=True),
    # 1: the seal was lifted.
    Column("lifted", Integer, nullable=False),
)

taken_up_seal = Table(
    "taken_up_seal",
    metadata,
    # A mark whose seal this adapter had forgotten, and which seal it was nobody can tell it: when one is lifted, the
    # exchange names the handle, and this keyed digest of it knows whose mark it is.
    Column("local_digest", LargeBinary, primary_key=True),
    Column("handle_digest", LargeBinary, nullable=False),
)

acted_notice = Table(
    "acted_notice",
    metadata,
    Column("notice_id", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
    Column("finding", Integer, nullable=False),
    Column("create_ms", BigInteger, nullable=False),
)

recalled_request = Table(
    "recalled_request",
    metadata,
    # A request whose answer must not be relied on any more.
    Column("request_id", LargeBinary, primary_key=True),
    Column("notice_id", LargeBinary, primary_key=True),
    Column("kind", Integer, nullable=False),
)


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
