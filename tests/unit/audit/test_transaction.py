"""One transaction as guards see it: what was read for all of a batch, and rows that are written again and again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, bindparam, insert, select
from sqlalchemy.dialects import sqlite

from audit.statement import Statement, pieces, upsert
from audit.transaction import Seek, Tx, read_ahead

USED = Table("used", MetaData(), Column("name", LargeBinary, primary_key=True), Column("count", Integer))
_PLACE, _NAME = pieces(bindparam("names", type_=LargeBinary), 2)
FIND = Statement(select(USED.c.name, USED.c.count).select_from(_PLACE.join(USED, USED.c.name == _NAME)), "names")
_PLACE_OF_THREE, _NAME_OF_THREE = pieces(bindparam("names", type_=LargeBinary), 2, most=3)
FIND_THREE = Statement(
    select(USED.c.name, USED.c.count).select_from(_PLACE_OF_THREE.join(USED, USED.c.name == _NAME_OF_THREE)), "names"
)
USE = Statement(insert(USED))
PUT = upsert(USED, "name")
ALL = Statement(select(USED.c.name, USED.c.count).order_by(USED.c.name))


class Counting:
    """A cursor that counts what it is asked."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.queries = 0
        self.written: list[int] = []

    def execute(self, text: str, params: Any = ()) -> None:
        self.queries += 1
        self._cursor.execute(text, params)

    def executemany(self, text: str, rows: list[Any]) -> None:
        self.written.append(len(rows))
        self._cursor.executemany(text, rows)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount


@pytest.fixture
def cursor() -> Iterator[Counting]:
    """Of a database in which `aa` and `bb` are used."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute("CREATE TABLE used (name BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")
        database.executemany("INSERT INTO used VALUES (?, ?)", [(b"aa", 1), (b"bb", 2)])
        yield Counting(database.cursor())


@pytest.fixture
def tx(cursor: Counting) -> Tx:
    return Tx(cursor, sqlite.dialect())


def names(*wanted: bytes) -> Seek:
    return Seek(FIND, wanted)


def found(tx: Tx, *wanted: bytes) -> list[tuple[Any, ...]]:
    """As a guard looks for them."""
    return tx.by_key(FIND, wanted, written_by=USE, as_one=True)


def test_values_that_lie_one_after_another_are_each_looked_for(tx: Tx) -> None:
    assert sorted(tx.all(FIND, (b"bbxxaa",))) == [(b"aa", 1), (b"bb", 2)]
    assert tx.all(FIND, (b"abba",)) == [], "and none across two of them"
    assert tx.all(FIND, (b"",)) == []


def test_a_number_of_them_that_is_known_is_looked_for_to_the_last(tx: Tx) -> None:
    assert sorted(tx.all(FIND_THREE, (b"xxbbaa",))) == [(b"aa", 1), (b"bb", 2)]
    assert tx.all(FIND_THREE, (b"aa",)) == [(b"aa", 1)], "also where there are fewer"
    assert tx.all(FIND_THREE, (b"",)) == []


def test_what_was_read_for_all_is_not_asked_again(tx: Tx, cursor: Counting) -> None:
    read_ahead(tx, [names(b"aa", b"xx"), names(b"bb", b"xx")])
    asked = cursor.queries
    assert found(tx, b"aa", b"xx") == [(b"aa", 1)]
    assert found(tx, b"xx", b"bb") == [(b"bb", 2)]
    assert cursor.queries == asked == 1
    assert found(tx, b"aa", b"yy") == [(b"aa", 1)], "of which one was not read before"
    assert cursor.queries == asked + 1


def test_what_an_entry_before_announced_is_seen(tx: Tx) -> None:
    read_ahead(tx, [names(b"xx"), names(b"yy")])
    tx.later(USE, (b"xx", 7))
    assert found(tx, b"yy") == []
    assert found(tx, b"xx") == [(b"xx", 7)]


@pytest.mark.parametrize("way", ["flushed", "run", "many"])
def test_what_was_read_is_not_believed_after_a_write(tx: Tx, way: str) -> None:
    read_ahead(tx, [names(b"xx")])
    if way == "flushed":
        tx.later(USE, (b"xx", 7))
        tx.flush()
    elif way == "run":
        tx.run(USE, (b"xx", 7))
    else:
        tx.many(USE, [(b"xx", 7)])
    assert found(tx, b"xx") == [(b"xx", 7)]


def test_a_row_that_is_replaced_again_and_again_is_written_once_with_its_last_values(tx: Tx, cursor: Counting) -> None:
    for count in range(5):
        tx.later(PUT, (b"aa", 10 + count))
        tx.later(PUT, (b"cc", count))
    assert tx.announced(PUT, b"aa") == (b"aa", 14)
    tx.flush()
    assert cursor.written == [2]
    assert tx.all(ALL) == [(b"aa", 14), (b"bb", 2), (b"cc", 4)]


def test_rows_that_only_add_are_all_written(tx: Tx, cursor: Counting) -> None:
    tx.later(USE, (b"xx", 1))
    tx.later(USE, (b"xx", 2))
    with pytest.raises(sqlite3.IntegrityError):
        tx.flush()
    assert cursor.written == [2], "the second was not taken for the first"


@pytest.mark.parametrize(("key", "replaces"), [(("name",), True), (("name", "count"), False), (("count",), False)])
def test_only_what_its_first_value_names_whole_is_replaced(key: tuple[str, ...], replaces: bool) -> None:
    assert upsert(USED, *key).replaces is replaces
