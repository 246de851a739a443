"""What an ended epoch and a sealed youth left, looked for in the raw bytes of every file of a PostgreSQL database."""

import os
from collections.abc import Iterator
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import make_url

from audit.log import INDEX
from audit.reader import Reader
from audit.store_postgres import PostgresStore
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store import erase_postgres
from gateway.store.erase import NotErased
from gateway.store.erase_postgres import PostgresErasing
from gateway.store.lookups import Lookups
from gateway.store.seals import SqlSeals
from gateway.store.tables import metadata
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW
from tests.integration.log_kit import clean_postgres

pytestmark = pytest.mark.docker

TOKENS = 3000
MARK = b"OLD-"
"""Every token of the old epoch begins with it, so that one search finds any of them, and any part from its start."""
HANDLE, REF, FLAG = b"sealed-youth-001", b"itsref-1", b"sealed-flag--001"
OWNER = "06037.cwa"


@pytest.fixture
def database(server: str) -> Iterator[psycopg.Connection[Any]]:
    """An index with both epochs, a few youths of it changed; one of them is flagged."""
    clean_postgres(server)
    PostgresStore(server).create(metadata)
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        for epoch, mark in (("e1", MARK), ("e2", b"")):
            put(connection, epoch, mark, ref=os.urandom(8), count=TOKENS)
        put(connection, "e2", b"", ref=REF, count=40)
        rows = [("06029.cwa", MARK + os.urandom(12), os.urandom(16), "e1") for _ in range(500)]
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO review_token VALUES (%s, %s, %s, %s)", rows)
        connection.execute("INSERT INTO pepper VALUES ('e1', %s, '', '', %s, 0)", (OWNER, MARK * 3000))
        row = (OWNER, 99, ALERT_KIND_REVIEW, "06029.cwa", os.urandom(16), os.urandom(40), MARK * 24, 9)
        connection.execute("INSERT INTO alert VALUES (%s, %s, %s, %s, '', 0, '', %s, %s, %s, 'e1', %s)", row)
        yield connection


def put(connection: psycopg.Connection[Any], epoch: str, mark: bytes, *, ref: bytes, count: int) -> None:
    rows = [((mark + os.urandom(16))[:16], ref, 0, epoch) for _ in range(count)]
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO index_token VALUES (%s, %s, %s, %s)", rows)


def in_files(connection: psycopg.Connection[Any], wanted: bytes) -> int:
    """How often these bytes stand in the database's directory: heaps, indexes, TOAST, statistics, files to unlink."""
    connection.execute("CHECKPOINT")
    row = connection.execute("SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert row is not None
    files = connection.execute("SELECT pg_ls_dir(%s)", row).fetchall()
    query = "SELECT pg_read_binary_file(%s, 0, 1000000000, true)"
    found = [connection.execute(query, (f"{row[0]}/{name}",)).fetchone() for (name,) in files]
    return sum(bytes(each[0]).count(wanted) for each in found if each is not None and each[0] is not None)


def left(connection: psycopg.Connection[Any], epoch: str) -> int:
    row = connection.execute("SELECT count(*) FROM index_token WHERE epoch = %s", (epoch,)).fetchone()
    assert row is not None
    return int(row[0])


def test_not_one_token_is_left_in_any_file(server: str, database: psycopg.Connection[Any]) -> None:
    # As the server does by itself, now and then: some values go into the statistics of the planner.
    database.execute("ANALYZE")
    # Once in the heap, once in the index of the primary key.
    assert in_files(database, MARK) > 2 * TOKENS
    erasing = PostgresErasing(server)
    assert erasing.is_small()
    assert erasing.erase_epochs(["e1"], rewrite=False) == TOKENS + 500
    assert in_files(database, MARK) > 2 * TOKENS, "what is deleted is still there, and the search finds it"
    assert erasing.erase_epochs(["e1"], rewrite=True) == 0
    assert in_files(database, MARK) == 0
    assert (left(database, "e1"), left(database, "e2")) == (0, TOKENS + 40)
    assert database.execute("SELECT count(*) FROM alert WHERE digests = '' AND epoch = ''").fetchone() == (1,)


def test_an_ordinary_vacuum_would_leave_some(database: psycopg.Connection[Any]) -> None:
    """The rewriting is worth something: the same deletion with what PostgreSQL does by itself."""
    database.execute("DELETE FROM index_token WHERE epoch = 'e1'")
    database.execute("VACUUM index_token")
    assert in_files(database, MARK) > 100


def test_while_somebody_may_still_see_them_they_are_not_called_erased(
    server: str, database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that never touched the table: VACUUM (FULL) gets its lock, and copies what is deleted for it."""
    monkeypatch.setattr(erase_postgres, "_TRIES", 2)
    erasing = PostgresErasing(server)
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as reader:
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM member").fetchone()
        with pytest.raises(NotErased):
            erasing.erase_epochs(["e1"], rewrite=True)
        assert left(database, "e1") == 0
        database.execute("VACUUM (FULL) index_token")
        assert in_files(database, MARK) > TOKENS, "as it would be without waiting"
        reader.execute("COMMIT")
    erasing.erase_epochs(["e1"], rewrite=True)
    assert in_files(database, MARK) == 0


def test_a_table_in_use_is_waited_for_no_longer_than_an_entry_waits(
    server: str, database: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_postgres, "_LOCK_TIMEOUT", "200ms")
    erasing = PostgresErasing(server)
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        other.execute("SELECT count(*) FROM index_token").fetchone()
        with pytest.raises(NotErased):
            erasing.erase_epochs(["e1"], rewrite=True)
        # Whoever writes goes on meanwhile.
        put(database, "e2", b"", ref=os.urandom(8), count=1)
        other.execute("COMMIT")
    erasing.erase_epochs(["e1"], rewrite=True)
    assert (in_files(database, MARK), left(database, "e2")) == (0, TOKENS + 41)


def test_values_that_the_planner_keeps_are_gone_too(server: str, database: psycopg.Connection[Any]) -> None:
    """The rewriting of a table alone would leave what was sampled of it."""
    database.execute("ANALYZE")
    database.execute("DELETE FROM index_token WHERE epoch = 'e1'")
    database.execute("DELETE FROM review_token")
    database.execute("DELETE FROM pepper")
    database.execute("DELETE FROM alert")
    for table in ("index_token", "review_token", "pepper", "alert"):
        database.execute(f"VACUUM (FULL) {table}")
    assert 0 < in_files(database, MARK) < 1000
    PostgresErasing(server).erase_epochs(["e1"], rewrite=True)
    assert in_files(database, MARK) == 0


@pytest.fixture
def stranger(server: str, database: psycopg.Connection[Any]) -> Iterator[str]:
    """A user who may do anything with the rows, and owns no table."""
    database.execute("CREATE ROLE invented LOGIN PASSWORD 'invented'")
    database.execute("GRANT USAGE ON SCHEMA public TO invented")
    database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO invented")
    yield make_url(server).set(username="invented", password="invented").render_as_string(hide_password=False)
    database.execute("DROP OWNED BY invented CASCADE")
    database.execute("DROP DATABASE IF EXISTS of_invented")
    database.execute("DROP ROLE invented")


def test_a_table_that_may_not_be_rewritten_is_not_called_erased(
    stranger: str, database: psycopg.Connection[Any]
) -> None:
    """PostgreSQL passes over what belongs to another user, and only warns."""
    with pytest.raises(NotErased):
        PostgresErasing(stranger).erase_epochs(["e2"], rewrite=True)
    assert left(database, "e2") == 0
    assert in_files(database, REF) > 40


def test_who_owns_the_database_needs_no_more(server: str, stranger: str, database: psycopg.Connection[Any]) -> None:
    database.execute("CREATE DATABASE of_invented OWNER invented")
    own, seen = (make_url(url).set(database="of_invented") for url in (stranger, server))
    address = own.render_as_string(hide_password=False)
    PostgresStore(address).create(metadata)
    raw = seen.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(raw, autocommit=True) as connection:
        put(connection, "e1", MARK, ref=os.urandom(8), count=TOKENS)
        connection.execute("ANALYZE")
        assert in_files(connection, MARK) > 2 * TOKENS
        PostgresErasing(address).erase_epochs(["e1"], rewrite=True)
        assert in_files(connection, MARK) == 0


def test_a_server_that_is_gone_is_tried_again() -> None:
    erasing = PostgresErasing("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with pytest.raises(NotErased):
        erasing.is_small()


def test_a_sealed_youth_is_in_no_file(server: str, database: psycopg.Connection[Any]) -> None:
    database.execute("INSERT INTO subject VALUES (%s, %s, %s, 'NONE', '', 1)", (OWNER, HANDLE, REF))
    database.execute("INSERT INTO flag VALUES (%s, %s, %s, 'ACTIVE', 1, %s)", (FLAG, OWNER, HANDLE, os.urandom(80)))
    database.execute("INSERT INTO duty VALUES (%s, 1)", (FLAG,))
    reader = Reader(PostgresStore(server))
    keys = cast(Any, None)  # They are for reading what rows say; here rows go.
    seals = SqlSeals(Lookups(reader, threaded=False), keys, keys)
    dialect = PostgresStore(server).dialect
    for statement, params in seals.forget(AgencyId(OWNER), SubjectHandle(HANDLE), ()):
        given = statement.arrange(dialect, tuple(9 if each is INDEX else each for each in params))
        database.execute(statement.text(dialect), given)
    reader.close()
    assert in_files(database, REF) > 40
    assert min(in_files(database, HANDLE), in_files(database, FLAG)) > 1
    PostgresErasing(server).erase_sealed()
    assert {in_files(database, each) for each in (HANDLE, REF, FLAG)} == {0}
