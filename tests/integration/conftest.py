"""A log on either database, for the tests that hold both to the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.store_sqlite import SqliteStore
from tests.integration.log_kit import LogHome, clean_postgres, postgres_url


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a PostgreSQL server."""
    with postgres_url() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.docker)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> LogHome:
    """Where a log can be made: nothing is there yet."""
    if request.param == "sqlite":
        return LogHome(tmp_path, SqliteStore(tmp_path / "log.db"))
    from audit.store_postgres import PostgresStore

    url = request.getfixturevalue("server")
    clean_postgres(url)
    return LogHome(tmp_path, PostgresStore(url))
