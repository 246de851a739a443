"""The SQL source over a real PostgreSQL: its own types, read-only, its own deadline. Names are invented.

Runs against `HOMEWARD_TEST_PG_DSN` (a `postgresql://` address of an empty database), or else a container of the image
in `HOMEWARD_TEST_PG_IMAGE`. Without either it is skipped with the reason; with HOMEWARD_REQUIRE_DOCKER=1 that is an
error.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from adapters.sources.config import SqlSourceConfig
from adapters.sources.port import Row, SourceRefused, UnreadableRow
from adapters.sources.sql_source import SqlSource

pytestmark = pytest.mark.docker

IMAGE = os.environ.get("HOMEWARD_TEST_PG_IMAGE", "postgres:17-alpine")
USER, PASSWORD, DATABASE = "homeward", "invented-secret", "county"
NOW = datetime(2026, 3, 14, 10, 10, tzinfo=UTC)


def container() -> Iterator[URL]:
    # Imported here: unit test runs have no container engine and need neither package.
    from docker.errors import DockerException  # type: ignore[import-untyped]
    from testcontainers.core.container import DockerContainer

    try:
        engine = DockerContainer(IMAGE).with_exposed_ports(5432)
    except DockerException:
        if os.environ.get("HOMEWARD_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip("no container engine and no HOMEWARD_TEST_PG_DSN")
    engine = engine.with_env("POSTGRES_USER", USER).with_env("POSTGRES_PASSWORD", PASSWORD)
    with engine.with_env("POSTGRES_DB", DATABASE) as running:
        yield URL.create(
            "postgresql+psycopg",
            USER,
            PASSWORD,
            running.get_container_host_ip(),
            int(running.get_exposed_port(5432)),
            DATABASE,
        )


@pytest.fixture(scope="module")
def address() -> Iterator[URL]:
    dsn = os.environ.get("HOMEWARD_TEST_PG_DSN")
    given = iter([make_url(dsn).set(drivername="postgresql+psycopg")]) if dsn else container()
    for url in given:
        fill(url)
        yield url


def fill(url: URL) -> None:
    engine = create_engine(url, poolclass=NullPool)
    deadline = time.monotonic() + 60
    while True:
        try:
            with engine.begin() as connection:
                connection.execute(text("drop table if exists absence"))
                connection.execute(text("create sequence if not exists counter"))
                connection.execute(
                    text(
                        "create table absence "
                        "(id int, since date, told timestamptz, share numeric, note text, raw bytea)"
                    )
                )
                connection.execute(
                    text(
                        "insert into absence values"
                        " (1, '2026-03-12', '2026-03-12 22:15-07', 1.50, 'Nu\u00f1ez', null),"
                        " (2, '2026-03-13', null, null, null, 'x')"
                    )
                )
            return
        except OperationalError as exc:
            if time.monotonic() > deadline:
                raise AssertionError("PostgreSQL did not start") from exc
            time.sleep(0.5)


def source(url: URL, query: str, *, timeout: str = "30s", columns: tuple[str, ...] = ()) -> SqlSource:
    place = URL.create("postgresql", host=url.host, port=url.port, database=url.database)
    config = SqlSourceConfig.model_validate(
        {
            "kind": "sql",
            "url": place.render_as_string(),
            "username": url.username,
            "query": query,
            "timeout": timeout,
            "freshness": {"from": "poll", "warn_after": "1h", "error_after": "2h"},
        }
    )
    return SqlSource(
        "x", config, columns=columns, password=lambda: url.password or "", now=lambda: NOW, monotonic=time.monotonic
    )


def test_the_databases_own_types_arrive_and_bytes_are_refused(address: URL) -> None:
    query = "select id, since, told::timestamptz, share, note, raw from absence order by id"
    reading = source(address, query, columns=("id", "raw")).read()
    first, second = reading.items
    assert isinstance(first, Row)
    told = first.cells["told"]
    assert isinstance(told, datetime)
    assert told.astimezone(UTC) == datetime(2026, 3, 13, 5, 15, tzinfo=UTC)
    assert (first.cells["id"], first.cells["since"], first.cells["share"]) == ("1", date(2026, 3, 12), "1.50")
    assert (first.cells["note"], first.cells["raw"]) == ("Nu\u00f1ez", "")
    assert second == UnreadableRow(2, None, "SRC-004", "raw")


def test_a_question_that_writes_is_refused_by_the_database(address: URL) -> None:
    for writing, detail in (
        (
            "with gone as (delete from absence returning id) select id from gone",
            "the database did not answer (FeatureNotSupported)",
        ),
        ("select nextval('counter') as id", "the query would write (ReadOnlySqlTransaction)"),
    ):
        with pytest.raises(SourceRefused) as caught:
            list(source(address, writing).read().items)
        assert caught.value.detail == detail
    assert len(list(source(address, "select id from absence").read().items)) == 2


def test_the_database_ends_a_query_at_the_deadline(address: URL) -> None:
    began = time.monotonic()
    with pytest.raises(SourceRefused) as caught:
        list(source(address, "select pg_sleep(20)::text as id", timeout="1s").read().items)
    assert caught.value.detail == "longer than the timeout (QueryCanceled)"
    assert time.monotonic() - began < 10


def test_a_wrong_account_is_refused_and_not_repeated(address: URL) -> None:
    # Another user, too: a server that trusts its network asks nobody for a password.
    with pytest.raises(SourceRefused) as caught:
        source(address.set(username="nobody-invented", password="canary-secret"), "select 1 as id").check()
    assert caught.value.code == "SRC-010"
    assert "canary" not in str(caught.value)
