"""SQL that is written with SQLAlchemy Core, turned into text once per dialect, and then run on the raw driver.

Executing through SQLAlchemy costs several times what the statement itself costs; compiling once and executing on the
driver's cursor costs nothing extra and keeps one source for both databases. The price: values pass unconverted, so only
integers, text and bytes may be bound or returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Dialect, Table, bindparam, column, func, literal_column, select, values
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import CTE, ClauseElement, ColumnElement
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import Integer, LargeBinary, NullType, String

_PLAIN_TYPES = (Integer, LargeBinary, String, NullType)

Params = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Text:
    sql: str
    # Positions, in the order of the text's markers, within the caller's values followed by the statement's own
    # constants; None when that is simply the caller's values.
    order: tuple[int, ...] | None
    constants: Params


class Statement:
    """One statement, and the order in which its callers give values: `names` are names of its bind parameters.

    Without `names` the order is that of the markers in the SQL (for an INSERT of a table: its columns). Statements are
    made once, at import, and compared by identity.
    """

    def __init__(
        self, clause: ClauseElement | Callable[[Dialect], ClauseElement], *names: str, replaces: bool = False
    ) -> None:
        """`replaces`: run with the same first value again, it leaves nothing of what it did before."""
        self._clause = clause
        self._names = names
        self.replaces = replaces
        self._texts: dict[str, _Text] = {}
        shown = clause if isinstance(clause, ClauseElement) else clause(sqlite.dialect())
        self.tables = frozenset(element.name for element in iterate(shown) if isinstance(element, Table))

    def text(self, dialect: Dialect) -> str:
        """Returns the SQL in this dialect, with the driver's own markers."""
        return self._compiled(dialect).sql

    def arrange(self, dialect: Dialect, params: Params) -> Params:
        """Returns the caller's values in the order of the markers."""
        known = self._compiled(dialect)
        return params if known.order is None else _permute(params + known.constants, known.order)

    def arrange_all(self, dialect: Dialect, rows: Sequence[Params]) -> Sequence[Params]:
        """Returns every row of values in the order of the markers."""
        known = self._compiled(dialect)
        if known.order is None:
            return rows
        return [_permute(row + known.constants, known.order) for row in rows]

    def _compiled(self, dialect: Dialect) -> _Text:
        known = self._texts.get(dialect.name)
        if known is None:
            known = self._texts[dialect.name] = self._compile(dialect)
        return known

    def _compile(self, dialect: Dialect) -> _Text:
        clause = self._clause if isinstance(self._clause, ClauseElement) else self._clause(dialect)
        compiled = clause.compile(dialect=dialect)
        if not isinstance(compiled, SQLCompiler):
            raise TypeError("only statements that take and return values can be compiled")
        for bind in compiled.binds.values():
            if not isinstance(bind.type, _PLAIN_TYPES):
                raise TypeError(f"parameter {bind.key} is not an integer, a text or bytes")
        markers = list(compiled.positiontup or ())
        constants = {name: compiled.binds[name].value for name in markers if not compiled.binds[name].required}
        asked = [name for name in markers if name not in constants]
        names = self._names or tuple(asked)
        if set(names) != set(asked):
            raise TypeError(f"the statement takes {sorted(set(asked))}, not {sorted(names)}")
        places = {name: at for at, name in enumerate((*names, *constants))}
        order = tuple(places[marker] for marker in markers)
        return _Text(str(compiled), None if order == tuple(range(len(names))) else order, tuple(constants.values()))


def pieces(value: BindParameter[bytes], width: int, *, most: int = 0) -> tuple[CTE, ColumnElement[bytes]]:
    """Returns where each of the values begins that lie one after another in this one, `width` bytes each, as something
    to join with; and the one that begins there.

    A driver takes longer to bind seventy values, and a database to put them in order because they stand in a list, than
    it takes to find them. Where there are nearly always `most` of them, and never more, their places are constants, and
    none is worked out; where there are fewer, the last are empty.
    """
    if most:
        counted = values(column("at", Integer), name="place", literal_binds=True)
        place = counted.data([(at,) for at in range(1, most * width + 1, width)]).cte("place")
        return place, func.substr(value, place.c.at, literal_column(str(width)))
    place = select(literal_column("1").label("at")).cte("place", recursive=True)
    following = place.c.at + literal_column(str(width))
    place = place.union_all(select(following).where(following < func.length(value)))
    return place, func.substr(value, place.c.at, literal_column(str(width)))


def _permute(values: Params, order: tuple[int, ...]) -> Params:
    return tuple([values[at] for at in order])


def upsert(table: Table, *key: str) -> Statement:
    """Returns an INSERT of all columns of the table, in their order, that replaces the row with the same `key`."""
    columns = [column.name for column in table.columns]

    def clause(dialect: Dialect) -> ClauseElement:
        insert: Any = sqlite.insert(table)
        if dialect.name == "postgresql":
            # Here, because loading it takes a twentieth of the time in which a command starts.
            from sqlalchemy.dialects import postgresql

            insert = postgresql.insert(table)
        insert = insert.values({name: bindparam(name) for name in columns})
        changed = {name: insert.excluded[name] for name in columns if name not in key}
        if not changed:
            return insert.on_conflict_do_nothing(index_elements=list(key))  # type: ignore[no-any-return]
        return insert.on_conflict_do_update(index_elements=list(key), set_=changed)  # type: ignore[no-any-return]

    return Statement(clause, *columns, replaces=key == (columns[0],) and len(columns) > 1)
