"""The SQL source over SQLite: read-only, dated, within its deadline. Names are invented."""

import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.sources.config import SqlSourceConfig
from adapters.sources.port import Row, SourceRefused, UnreadableRow
from adapters.sources.sql_source import SqlSource

NOW = datetime(2026, 3, 14, 10, 10, tzinfo=UTC)
FRESH = {"from": "poll", "warn_after": "2h", "error_after": "6h"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "county 1.db"
    connection = sqlite3.connect(path)
    connection.executescript("""
        create table absence (ID text, SINCE text, NOTE blob, COUNT integer);
        insert into absence values ('1', '2026-03-12 22:15:00', null, 7), ('2', '2026-03-13 01:00:00', x'00ff', 1);
    """)
    connection.close()
    return path


def source(
    path: Path,
    query: str,
    *,
    freshness: dict[str, str] = FRESH,
    columns: tuple[str, ...] = (),
    monotonic: Callable[[], float] = lambda: 0.0,
) -> SqlSource:
    config = SqlSourceConfig.model_validate(
        {
            "kind": "sql",
            "url": f"sqlite:///{path}",
            "query": query,
            "freshness": freshness,
            "timeout": "5s",
        }
    )
    return SqlSource("missing", config, columns=columns, now=lambda: NOW, monotonic=monotonic)


def test_rows_come_as_text_with_their_numbers_and_bytes_are_refused(database: Path) -> None:
    query = "select ID, COUNT, NOTE from absence order by ID;"
    reading = source(database, query, columns=("ID", "COUNT", "NOTE")).read()
    first, second = reading.items
    assert isinstance(first, Row)
    assert (first.number, first.line, dict(first.cells)) == (1, None, {"ID": "1", "COUNT": "7", "NOTE": ""})
    assert second == UnreadableRow(2, None, "SRC-004", "NOTE")
    assert (reading.summary.rows, reading.summary.as_of) == (2, NOW)


def test_the_newest_value_of_a_column_dates_the_data(database: Path) -> None:
    fresh = {"from": "newest(SINCE)", "warn_after": "2h", "error_after": "6h"}
    reading = source(database, "select ID, SINCE from absence", freshness=fresh).read()
    list(reading.items)
    assert reading.summary.as_of == datetime(2026, 3, 13, 8, tzinfo=UTC)


def test_a_colon_in_the_query_is_no_parameter(database: Path) -> None:
    reading = source(database, "select ID from absence where SINCE < '2026-03-12 23:00:00'").read()
    assert len(list(reading.items)) == 1


def test_the_database_cannot_be_written_even_by_a_query_that_reads_like_a_question(database: Path) -> None:
    before = database.read_bytes()
    with pytest.raises(SourceRefused):
        list(source(database, "with x as (select 1) insert into absence select '9', '', null, 1 from x").read().items)
    assert database.read_bytes() == before


def test_a_missing_column_is_a_refusal_that_names_it(database: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        source(database, "select ID from absence", columns=("STATUS_CD",)).check()
    assert str(caught.value) == "query: SRC-001: no column STATUS_CD"


def test_a_missing_database_is_refused_and_not_created(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(SourceRefused) as caught:
        source(path, "select 1 as ID").check()
    assert (caught.value.code, path.exists()) == ("SRC-010", False)


def test_a_query_that_takes_too_long_is_ended(database: Path) -> None:
    ticks = count()
    endless = "with recursive n(ID) as (select 1 union all select ID + 1 from n) select max(ID) as ID from n"
    with pytest.raises(SourceRefused) as caught:
        list(source(database, endless, monotonic=lambda: float(next(ticks))).read().items)
    assert caught.value.code == "SRC-010"


def test_a_slow_reader_meets_the_same_deadline(database: Path) -> None:
    clock = iter([0.0, 0.0, 9.0, 9.0, 9.0])
    with pytest.raises(SourceRefused) as caught:
        list(source(database, "select ID from absence", monotonic=lambda: next(clock)).read().items)
    assert caught.value.code == "SRC-010"


def test_a_database_error_does_not_repeat_what_the_database_said(database: Path) -> None:
    with pytest.raises(SourceRefused) as caught:
        list(source(database, "select 'Canaria', nope from absence").read().items)
    assert "Canaria" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_text_that_is_none_costs_its_own_row_and_only_where_a_mapping_reads_it(database: Path) -> None:
    query = "select ID, cast(x'4dff' as text) as NAME, NOTE from absence order by ID"
    assert [type(item) for item in source(database, query, columns=("ID",)).read().items] == [Row, Row]
    first, _ = source(database, query, columns=("ID", "NAME")).read().items
    assert first == UnreadableRow(1, None, "SRC-004", "NAME")
    (nul, *_) = source(database, "select 'Nu' || char(0) || 'ria' as NAME from absence", columns=("NAME",)).read().items
    assert nul == UnreadableRow(1, None, "SRC-004", "NAME")


def test_a_locked_database_is_called_locked(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **given: connect(*args, timeout=0, **given))
    owner = connect(database, isolation_level=None)
    owner.execute("begin exclusive")
    with pytest.raises(SourceRefused) as caught:
        source(database, "select ID from absence").check()
    owner.close()
    assert caught.value.detail == "another program has locked the database (SQLITE_BUSY)"


@pytest.mark.parametrize(
    ("content", "query", "detail"),
    [
        (b"no database " * 100, "select ID from x", "the file is no SQLite database (SQLITE_NOTADB)"),
        (None, "select 1 as ID", "the database's file cannot be opened (SQLITE_CANTOPEN)"),
        (b"", "select ID from Canaria", "the query does not fit the database: a table, a column or its grammar"),
    ],
)
def test_a_database_that_cannot_be_asked_says_why_in_our_words(
    tmp_path: Path, content: bytes | None, query: str, detail: str
) -> None:
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceRefused) as caught:
        source(path, query).check()
    assert caught.value.detail.startswith(detail)
    assert "Canaria" not in str(caught.value)


def test_a_missing_driver_is_a_refusal_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    config = SqlSourceConfig.model_validate(
        {"kind": "sql", "url": "postgresql://127.0.0.1:1/x", "query": "select 1 as ID", "freshness": FRESH}
    )
    asked = SqlSource("missing", config, now=lambda: NOW, monotonic=lambda: 0.0)
    with pytest.raises(SourceRefused) as caught:
        asked.check()
    assert str(caught.value) == "query: SRC-012: psycopg is not installed"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////data/x.db?mode=rwc", "takes no settings"),
        ("postgresql://h:abc/x", "not a database address"),
        ("postgresql://h:99999/x", "the port is a number"),
        ("postgresql://h/x?password=canary-secret", "no password in the address"),
    ],
)
def test_an_address_that_cannot_be_asked_is_a_fault_of_the_county_file(url: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        SqlSourceConfig.model_validate({"kind": "sql", "url": url, "query": "select 1 as ID", "freshness": FRESH})
    assert sentence in str(caught.value)
    assert "canary" not in str(caught.value)
