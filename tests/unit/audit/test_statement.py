"""Statements compiled once for the raw driver: the same values in the right places on both dialects."""

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import sqlite

from audit.statement import Statement, upsert

TABLE = Table(
    "thing",
    MetaData(),
    Column("name", Text, primary_key=True),
    Column("number", BigInteger),
    Column("body", LargeBinary),
)
BAD = Table("bad", MetaData(), Column("flag", Boolean), Column("at", DateTime))
DIALECTS: list[Dialect] = [
    sqlite.dialect(),
    create_engine("postgresql+psycopg://", paramstyle="format").dialect,
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_insert_takes_values_in_the_order_of_columns(dialect: Dialect) -> None:
    statement = Statement(insert(TABLE))
    assert statement.text(dialect).startswith("INSERT INTO thing (name, number, body) VALUES")
    assert statement.arrange(dialect, ("n", 1, b"b")) == ("n", 1, b"b")


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_values_go_where_their_names_are_and_constants_stay(dialect: Dialect) -> None:
    clause = (
        update(TABLE)
        .where(TABLE.c.name == bindparam("which"), TABLE.c.body == b"constant")
        .values(number=bindparam("value"))
    )
    statement = Statement(clause, "which", "value")
    assert statement.arrange(dialect, ("n", 5)) == (5, "n", b"constant")
    assert statement.arrange_all(dialect, [("n", 5), ("m", 6)]) == [(5, "n", b"constant"), (6, "m", b"constant")]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_upsert_is_written_for_both_dialects(dialect: Dialect) -> None:
    text = upsert(TABLE, "name").text(dialect)
    assert "ON CONFLICT (name) DO UPDATE SET number = excluded.number, body = excluded.body" in text


def test_statement_knows_the_tables_it_touches() -> None:
    assert Statement(select(TABLE.c.number).where(TABLE.c.name == bindparam("n"))).tables == {"thing"}
    assert Statement(insert(TABLE)).tables == {"thing"}
    assert upsert(TABLE, "name").tables == {"thing"}


def test_forgotten_or_invented_names_are_refused() -> None:
    clause = select(TABLE).where(TABLE.c.name == bindparam("which"))
    with pytest.raises(TypeError):
        Statement(clause, "other").text(DIALECTS[0])


def test_values_that_the_driver_would_not_convert_are_refused() -> None:
    with pytest.raises(TypeError):
        Statement(insert(BAD)).text(DIALECTS[0])
