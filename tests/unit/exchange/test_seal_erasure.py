"""What a seal deletes is gone on a SQLite that overwrites nothing unless it is told to.

Many builds overwrite what is deleted by their own default, and on those whatever we set or forgot would pass. Here
every connection begins as on a build that does not: what then makes it hold is ours.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.names import SubjectHandle
from gateway.store import tables
from gateway.store.escrow import erasing_waits
from gateway.store.youth_keys import youth_name
from tests.unit.exchange.members import SF
from tests.unit.exchange.seal_desk import ANA, everything, lived, restrict
from tests.unit.exchange.world import World

_connect = sqlite3.connect


class Careless(sqlite3.Connection):
    """A connection of a build that leaves deleted bytes where they are, unless it is told otherwise."""

    def __init__(self, *arguments: Any, **said: Any) -> None:
        super().__init__(*arguments, **said)
        self.execute("PRAGMA secure_delete = OFF")


class WithoutRoom(Careless):
    """... and whose disk has no room for a second copy of a database."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "VACUUM":
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *values)


def build(monkeypatch: pytest.MonkeyPatch, factory: type[sqlite3.Connection]) -> None:
    """From now on SQLite is this build."""

    def connect(*arguments: Any, **said: Any) -> sqlite3.Connection:
        return _connect(*arguments, **({"factory": factory} | said))

    monkeypatch.setattr(sqlite3, "connect", connect)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    build(monkeypatch, Careless)
    made = World(tmp_path)
    yield made
    await made.close()


def wrapped_key(directory: Path, handle: SubjectHandle) -> bytes:
    """The youth's key as it rests."""
    with connected(directory / "keys.db") as connection:
        named = (youth_name(SF, handle),)
        (wrapped,) = connection.execute("SELECT wrapped FROM youth_key WHERE name = ?", named).fetchone()
    return bytes(wrapped)


def connected(path: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, isolation_level=None))


def checkpoint(path: Path) -> None:
    """What any later commit does: the pages of the write-ahead log are in the file."""
    with connected(path) as connection:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy


async def test_the_build_leaves_what_is_deleted(world: World, tmp_path: Path) -> None:
    """The control of both tests below: without a word of ours the bytes stay."""
    wrapped = wrapped_key(tmp_path, (await lived(world))[ANA])
    with connected(tmp_path / "keys.db") as connection:
        connection.execute("CREATE TABLE passing (wrapped BLOB)")
        connection.execute("INSERT INTO passing VALUES (?)", (wrapped,))
        connection.execute("DELETE FROM passing")
    checkpoint(tmp_path / "keys.db")
    assert (tmp_path / "keys.db").read_bytes().count(wrapped) == 2


async def test_a_key_is_overwritten_where_it_lay_before_its_file_can_be_rewritten(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles, keys = await lived(world), tmp_path / "keys.db"
    wrapped = wrapped_key(tmp_path, handles[ANA])
    checkpoint(keys)
    assert wrapped in keys.read_bytes()
    build(monkeypatch, WithoutRoom)
    await restrict(world, handles[ANA])
    checkpoint(keys)
    assert wrapped not in everything(tmp_path)
    # The order is carried out, and that more is to be done is not forgotten until a start has room for it.
    assert erasing_waits(keys)
    build(monkeypatch, Careless)
    world.seals.escrow.scrub(at_start=True)
    assert not erasing_waits(keys)


@pytest.mark.parametrize(("file", "table"), [("keys.db", "youth_key"), ("gateway.db", "flag")])
async def test_copies_that_sqlite_left_elsewhere_in_the_file_go_with_the_row(
    world: World, tmp_path: Path, file: str, table: str
) -> None:
    """As where rows moved between pages, and a tool that overwrites nothing deleted them."""
    handles = await lived(world)
    (flag,) = [row for row in world.rows(tables.flag) if row["handle"] == handles[ANA]]
    secret = wrapped_key(tmp_path, handles[ANA]) if file == "keys.db" else bytes(flag["sealed"])  # type: ignore[call-overload]
    with connected(tmp_path / file) as connection:
        # In many pages: some are taken again before the order ends. The tables' names are constants.
        many = "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 500)"
        connection.execute(f"CREATE TABLE passing AS {many} SELECT {table}.* FROM {table}, many")  # noqa: S608
        connection.execute("DROP TABLE passing")
    checkpoint(tmp_path / file)
    assert (tmp_path / file).read_bytes().count(secret) > 1
    await restrict(world, handles[ANA])
    assert secret not in everything(tmp_path)
