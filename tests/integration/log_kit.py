"""What the tests of the stored log share: a log in a directory, entries to put in it, databases to put it on."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, create_engine, insert, select, text

from audit.checkpoint import Checkpoint, LogSigner
from audit.entry import ClassKeys, Draft, Field, FieldClass, YouthKey
from audit.errors import StopReason
from audit.log import Append, Appended, Log, LogSettings, LogState
from audit.reader import Reader
from audit.startup import create_log
from audit.statement import Statement
from audit.stopping import StopMark
from audit.store import Store
from audit.store_sqlite import SqliteStore
from audit.timekeeping import Steady
from audit.verify import verify_log

A, B, C = "06037.cwa", "06059.cwa", "06073.lea"
SIGNER = LogSigner("log.example/homeward", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
KEYS = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
YOUTH = b"y" * 32

# A projection, as the gateway keeps them: rows that change in the transaction of their leaf.
PROJECTION = MetaData()
NAMED = Table("named", PROJECTION, Column("name", Text, primary_key=True), Column("leaf", BigInteger, nullable=False))
PUT = Statement(insert(NAMED))
ALL = Statement(select(NAMED.c.name, NAMED.c.leaf).order_by(NAMED.c.leaf))


def draft(
    note: str = "x", *, kind: str = "access.decision", requester: str | None = A, holder: str | None = B
) -> Draft:
    """Returns a draft of an invented decision; `note` tells drafts apart."""
    fields = (Field(FieldClass.OP, "kind", kind.encode()), Field(FieldClass.OP, "note", note.encode()))
    return Draft(fields, None, requester, holder)


def youth_draft(counter: int) -> Draft:
    """Returns a draft about the one invented youth of these tests."""
    fields = (Field(FieldClass.OP, "kind", b"access.decision"), Field(FieldClass.YOUTH, "scope", b"FS1"))
    return Draft(fields, YouthKey(YOUTH, counter), A, B)


class LogHome:
    """A directory with a log's files, and how to open that log."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.directory = directory
        self.store = store
        self.high_water = directory / "high-water"
        self.stopped: list[LogState] = []

    def create(self) -> None:
        """The log exists and is empty."""
        create_log(self.store, signer=SIGNER, high_water=self.high_water, also=[PROJECTION])

    def open(
        self,
        *,
        now: Callable[[], datetime] | None = None,
        steady: Steady | None = None,
        settings: LogSettings | None = None,
        known: Sequence[Checkpoint] = (),
        may_recover: bool = False,
    ) -> Log:
        """Returns the log, ready to append."""
        return Log.open(
            self.store,
            signer=SIGNER,
            keys=KEYS,
            high_water=self.high_water,
            now=now or (lambda: datetime.now(UTC)),
            random_bytes=os.urandom,
            steady=steady,
            known=known,
            may_recover=may_recover,
            settings=settings,
            on_stop=self.stopped.append,
        )

    def explain(self) -> StopReason | None:
        """Somebody explained why the log had stopped; returns the reason of the mark."""
        mark = StopMark(self.high_water)
        reason = mark.read()
        mark.clear()
        return reason

    def forget_high_water(self) -> None:
        """A second log can be made in the same directory."""
        self.high_water.unlink(missing_ok=True)


def sqlite_home(directory: Path) -> LogHome:
    """Returns an existing, empty log on SQLite."""
    home = LogHome(directory, SqliteStore(directory / "log.db"))
    home.create()
    return home


async def append_one(log: Log) -> Appended:
    """An entry is acknowledged."""
    return await asyncio.wait_for(log.append(Append(draft())), 10)


async def fill(home: LogHome, count: int) -> None:
    """So many more entries are in the log, and it is closed."""
    log = home.open()
    await asyncio.gather(*(log.append(Append(draft(str(at)))) for at in range(count)))
    await log.close()


def verified_size(home: LogHome) -> int:
    """Returns how many entries the log has, after every one of them was verified."""
    reader = Reader(home.store)
    try:
        return verify_log(reader, key=SIGNER.public).size
    finally:
        reader.close()


@contextmanager
def postgres_url() -> Iterator[str]:
    """Gives the URL of a PostgreSQL server for tests: from the environment, or in a container."""
    url, image = os.environ.get("HOMEWARD_TEST_PG_DSN"), os.environ.get("HOMEWARD_TEST_PG_IMAGE")
    if url:
        yield url
        return
    if not image or shutil.which("docker") is None:
        reason = "no PostgreSQL: set HOMEWARD_TEST_PG_DSN, or HOMEWARD_TEST_PG_IMAGE with a container engine"
        if os.environ.get("HOMEWARD_REQUIRE_DOCKER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(image, driver="psycopg") as server:
        yield server.get_connection_url()


def clean_postgres(url: str) -> None:
    """The database holds nothing."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
