"""One transaction of the log's database, as guards, projections and readers see it.

Decides when rows that were only announced (`later`) reach the database: before any statement that could tell the
difference, and at the latest when the transaction ends. So many entries' rows become one executemany, while a guard
still sees everything that entries before it in the log have done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Dialect

from audit.statement import Params, Statement


class Seek(NamedTuple):
    """Rows that are looked for by key: `statement` takes keys of one length as one value, one after another
    (`statement.pieces`), and returns the key first."""

    statement: Statement
    keys: tuple[bytes, ...]


class Tx:
    """Runs compiled statements on one driver cursor. Not thread-safe; valid only while its transaction is open."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self.cursor = cursor
        self.dialect = dialect
        # Changes asked for so far, announced ones included: tells whether a failed entry left traces.
        self.effect_count = 0
        self._announced: dict[Statement, list[Params]] = {}
        self._newest: dict[Statement, dict[Any, Params]] = {}
        self._touched: set[str] = set()
        # What `read_ahead` read, by key; nothing of it counts after a write.
        self.ahead: dict[Statement, dict[bytes, list[tuple[Any, ...]]]] = {}

    def all(self, statement: Statement, params: Params = ()) -> list[tuple[Any, ...]]:
        """Returns every row of a query, after whatever was announced for its tables."""
        if self._announced and not self._touched.isdisjoint(statement.tables):
            self.flush()
        return self._all(statement, params)

    def pages(self, statement: Statement, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Gives every row of a query, so many at a time; nothing else may be run before the last was given."""
        self.flush()
        self.cursor.execute(statement.text(self.dialect), statement.arrange(self.dialect, ()))
        while rows := self.cursor.fetchmany(size):
            yield rows

    def by_key(
        self, statement: Statement, keys: Params, *, written_by: Statement, as_one: bool = False
    ) -> list[tuple[Any, ...]]:
        """Returns every row of a query for these keys, in a table that only `written_by` changes, key first.

        Unlike `all` it leaves alone what was announced for other keys: thus a guard that looks for its own row does
        not make every entry's rows a statement of their own. `as_one`: the statement takes all keys as one value, as in
        a `Seek`, and is not asked where that read the rows and nothing was written since.
        """
        announced = self._newest.get(written_by)
        if announced is not None and not announced.keys().isdisjoint(keys):
            self.flush()
        known = self.ahead.get(statement)
        if known is not None and known.keys() >= set(keys):
            return [row for key in keys for row in known[key]]
        return self._all(statement, (b"".join(keys),) if as_one else keys)

    def announced(self, statement: Statement, key: Any) -> Params | None:
        """Returns the values of the newest announced change with this first value, or None if there is none.

        For a row that nearly every entry reads and writes again: bringing each change to the database before the next
        entry reads it would make every entry's rows statements of their own.
        """
        return self._newest.get(statement, {}).get(key)

    def _all(self, statement: Statement, params: Params) -> list[tuple[Any, ...]]:
        self.cursor.execute(statement.text(self.dialect), statement.arrange(self.dialect, params))
        return self.cursor.fetchall()  # type: ignore[no-any-return]

    def one(self, statement: Statement, params: Params = ()) -> tuple[Any, ...] | None:
        """Returns the first row of a query, or None."""
        rows = self.all(statement, params)
        return rows[0] if rows else None

    def run(self, statement: Statement, params: Params = ()) -> int:
        """Changes rows and returns how many."""
        self.flush()
        self.effect_count += 1
        self.ahead.clear()
        self.cursor.execute(statement.text(self.dialect), statement.arrange(self.dialect, params))
        return int(self.cursor.rowcount)

    def many(self, statement: Statement, rows: Sequence[Params]) -> None:
        """Runs the statement once for every row of values."""
        self.flush()
        self.effect_count += 1
        self._many(statement, rows)

    def later(self, statement: Statement, params: Params) -> None:
        """Announces a change. An error in it appears in whichever call brings it to the database."""
        self.effect_count += 1
        rows = self._announced.get(statement)
        if rows is None:
            rows = self._announced[statement] = []
            self._newest[statement] = {}
            self._touched |= statement.tables
        if not statement.replaces:
            rows.append(params)
        self._newest[statement][params[0]] = params

    def flush(self) -> None:
        """Brings what was announced to the database, statements in the order of their first announcement; of a row that
        is replaced again and again, its last values."""
        if not self._announced:
            return
        announced, newest = self._announced, self._newest
        self.forget()
        for statement, rows in announced.items():
            self._many(statement, newest[statement].values() if statement.replaces else rows)

    def forget(self) -> None:
        """What was announced and not yet flushed will not happen."""
        self._announced, self._newest, self._touched = {}, {}, set()

    def command(self, text: str) -> None:
        """Runs one constant word of transaction control (BEGIN, SAVEPOINT ...)."""
        self.cursor.execute(text)

    def _many(self, statement: Statement, rows: Iterable[Params]) -> None:
        self.ahead.clear()
        self.cursor.executemany(statement.text(self.dialect), statement.arrange_all(self.dialect, list(rows)))


def read_ahead(tx: Tx, seeks: Iterable[Seek]) -> None:
    """Reads at once what the guards of a batch will look for, so that it need not be asked for each (`Tx.by_key`)."""
    wanted: dict[Statement, list[bytes]] = {}
    for each in seeks:
        wanted.setdefault(each.statement, []).extend(each.keys)
    for statement, keys in wanted.items():
        rows: dict[bytes, list[tuple[Any, ...]]] = {key: [] for key in keys}
        for row in tx.all(statement, (b"".join(rows),)):
            rows[row[0]].append(row)
        tx.ahead[statement] = rows
