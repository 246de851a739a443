"""A source that asks a database one question, through SQLAlchemy Core.

Decides: one connection per reading, read-only by the database's own means besides the query's form; a deadline over
the whole reading; rows streamed. Cells become text, except dates; only a cell that a mapping reads can cost its row. A
database's error text can quote rows and addresses, so only its code is passed on, with our words for it. Does not
interpret cells.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine import Row as ResultRow
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from adapters.sources.config import SQL_DRIVERS, SqlSourceConfig
from adapters.sources.freshness import NewestMoment
from adapters.sources.port import (
    NO_TEXT,
    Cell,
    ReadingSummary,
    Row,
    SourceDescription,
    SourceRefused,
    SourceRows,
    UnreadableRow,
    refuse_missing_columns,
)

_BATCH: Final = 500
_STEPS_BETWEEN_LOOKS: Final = 10_000
"""SQLite virtual machine steps between two looks at the clock, well under a millisecond."""
_ORIGIN: Final = "query"


class SqlSource:
    """One query; see the module. `password` is asked for at each connection, so that it can be rotated. The file of an
    SQLite database counts from `base` where it is relative.
    """

    def __init__(
        self,
        name: str,
        config: SqlSourceConfig,
        *,
        password: Callable[[], str] | None = None,
        columns: Iterable[str] = (),
        base: Path = Path(),
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._config = config
        self._password = password
        self._base = base
        newest = (config.freshness.newest_column,) if config.freshness.newest_column else ()
        self._needed = tuple(dict.fromkeys((*config.columns_required, *columns, *newest)))
        self._now = now
        self._monotonic = monotonic

    @property
    def name(self) -> str:
        """The source's name in the county's file."""
        return self._name

    def check(self) -> SourceDescription:
        """The query runs and delivers every needed column. Raises `SourceRefused`."""
        deadline = self._monotonic() + self._config.timeout.total_seconds()
        try:
            with self._engine(deadline).connect() as connection:
                columns = tuple(self._result(connection).keys())
        except SQLAlchemyError as exc:
            raise _refused(exc) from None
        refuse_missing_columns(columns, self._needed, origin=_ORIGIN, line=None)
        return SourceDescription(_ORIGIN, columns)

    def read(self) -> SourceRows:
        """Rows of the query. Raises `SourceRefused` while they are taken."""
        summary = ReadingSummary(origin=_ORIGIN)
        return SourceRows(self._items(summary), summary)

    def _items(self, summary: ReadingSummary) -> Iterator[Row | UnreadableRow]:
        asked = self._now()
        newest = NewestMoment(self._config.freshness)
        deadline = self._monotonic() + self._config.timeout.total_seconds()
        try:
            with self._engine(deadline).connect() as connection:
                result = self._result(connection)
                columns = tuple(result.keys())
                refuse_missing_columns(columns, self._needed, origin=_ORIGIN, line=None)
                for values in result:
                    if self._monotonic() > deadline:
                        raise SourceRefused("SRC-010", origin=_ORIGIN, detail="longer than the timeout")
                    summary.rows += 1
                    item = self._item(summary.rows, columns, values)
                    if newest.column is not None and isinstance(item, Row):
                        newest.see(item.cells[newest.column])
                    yield item
        except SQLAlchemyError as exc:
            raise _refused(exc) from None
        summary.as_of = newest.value if newest.column is not None else asked

    def _result(self, connection: Connection) -> Any:
        # `text` would read a colon as a parameter; the county's query has none.
        query = text(self._config.query.rstrip().rstrip(";").replace(":", r"\:"))
        return connection.execution_options(yield_per=_BATCH).execute(query)

    def _item(self, number: int, columns: tuple[str, ...], values: ResultRow[Any]) -> Row | UnreadableRow:
        cells: dict[str, Cell] = {}
        for column, value in zip(columns, values, strict=True):
            if isinstance(value, (bytes, memoryview)) or (isinstance(value, str) and NO_TEXT.search(value)):
                if column in self._needed:
                    return UnreadableRow(number, None, "SRC-004", column)
            elif value is None:
                cells[column] = ""
            else:
                cells[column] = value if isinstance(value, date) else str(value)
        return Row(number, None, cells)

    def _engine(self, deadline: float) -> Engine:
        url = make_url(self._config.url)
        url = url.set(drivername=SQL_DRIVERS[url.drivername])
        if url.get_backend_name() == "sqlite":
            return create_engine(url, creator=lambda: self._sqlite(url, deadline), poolclass=NullPool)
        if self._config.username is not None:
            url = url.set(username=self._config.username)
        if self._password is not None:
            url = url.set(password=self._password())
        milliseconds = max(1, int(self._config.timeout.total_seconds() * 1000))
        try:
            return create_engine(
                url,
                poolclass=NullPool,
                hide_parameters=True,
                connect_args={
                    "connect_timeout": max(2, min(30, milliseconds // 1000)),
                    "options": f"-c statement_timeout={milliseconds} -c default_transaction_read_only=on",
                },
            )
        except ImportError:
            raise SourceRefused("SRC-012", origin=_ORIGIN, detail=f"{url.get_driver_name()} is not installed") from None

    def _sqlite(self, url: URL, deadline: float) -> sqlite3.Connection:
        database = (self._base / (url.database or "")).absolute()
        connection = sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)
        # Whatever a program wrote as text, in whatever encoding, costs its own row and not the reading.
        connection.text_factory = _sqlite_text
        connection.set_progress_handler(lambda: self._monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
        return connection


def _sqlite_text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _refused(exc: SQLAlchemyError) -> SourceRefused:
    cause = getattr(exc, "orig", None) or exc
    shown = getattr(cause, "sqlite_errorname", None) or type(cause).__name__
    # SQLite's extended names begin with the plain one, an SQLSTATE with its class.
    state = getattr(cause, "sqlstate", None) or "_".join(shown.split("_")[:2])
    words = _CAUSES.get(state) or _CAUSES.get(state[:2]) or "the database did not answer"
    return SourceRefused("SRC-010", origin=_ORIGIN, detail=f"{words} ({shown})")


_CAUSES: Final = {
    "SQLITE_BUSY": "another program has locked the database",
    "SQLITE_LOCKED": "another program has locked the database",
    "SQLITE_CANTOPEN": "the database's file cannot be opened",
    "SQLITE_PERM": "the account may not read the database's file",
    "SQLITE_NOTADB": "the file is no SQLite database",
    "SQLITE_CORRUPT": "the database's file is damaged",
    "SQLITE_IOERR": "the disk could not be read",
    "SQLITE_READONLY": "the query would write",
    "SQLITE_INTERRUPT": "longer than the timeout",
    "SQLITE_ERROR": "the query does not fit the database: a table, a column or its grammar",
    "22": "a value that the query cannot work with",
    "DataError": "a value that the driver cannot read, such as the date infinity",
    "25006": "the query would write",
    "28": "account or password refused",
    "3D": "no database of this name",
    "42501": "the account may not read what the query names",
    "42": "the query does not fit the database: a table, a column or its grammar",
    "53": "the database has no place left for a connection",
    "57014": "longer than the timeout",
}
