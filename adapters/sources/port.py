"""The port of a source: rows with their positions, and what is known of the reading as a whole.

Decides what every technology must deliver: items in order, each a readable `Row` or an `UnreadableRow`, and a summary
that is complete once the last item was taken. A source that cannot vouch for the whole of what it read (a missing
column, a wrong control total, a broken connection) raises `SourceRefused`, also in the middle of the rows; whoever
reads then uses none of them. Does not interpret cells.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol

Cell = str | date | datetime
"""Text as the source holds it, or a database's own date. Untrusted."""
NO_TEXT: Final = re.compile("[\0\udc80-\udcff]")
"""NUL, which no text holds, and what `surrogateescape` leaves of bytes that the encoding does not know."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, readable. `number` counts from 1 without the header; `line` and `file` are None for a query."""

    number: int
    line: int | None
    cells: Mapping[str, Cell] = field(repr=False)
    file: str | None = None
    """Base name: one source may read several files."""


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """One row that could not be taken apart; `code` is a rule of the mapping's table (SRC-0xx)."""

    number: int
    line: int | None
    code: str
    column: str | None = None
    file: str | None = None


@dataclass(slots=True)
class ReadingSummary:
    """What is known of a reading; complete when its items are exhausted."""

    origin: str
    """Base name of the file, or `query`."""
    rows: int = 0
    """Readable and unreadable ones."""
    as_of: datetime | None = None
    """UTC. The moment as of which the data count; None: the source does not say."""
    control_total: int | None = None
    """As the source states it; equal to `rows` or the reading was refused."""


@dataclass(frozen=True, slots=True)
class SourceRows:
    """One reading. `items` can be taken once."""

    items: Iterator[Row | UnreadableRow]
    summary: ReadingSummary


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """What `check` found without reading the rows."""

    origin: str
    columns: tuple[str, ...]


class SourceRefused(Exception):
    """The reading as a whole cannot be used. The text holds a rule code, a file name and a line, never a cell."""

    def __init__(self, code: str, *, origin: str, detail: str, line: int | None = None) -> None:
        self.code = code
        self.origin = origin
        self.detail = detail
        self.line = line
        where = origin if line is None else f"{origin}:{line}"
        super().__init__(f"{where}: {code}: {detail}")


class Source(Protocol):
    """One of the county's systems. Not for use by two threads at once."""

    @property
    def name(self) -> str:
        """The source's name in the county's file."""
        ...

    def read(self) -> SourceRows:
        """Rows are about to be delivered. Raises `SourceRefused` here or while the items are taken."""
        ...

    def check(self) -> SourceDescription:
        """The source can be opened and has every column that is needed. Raises `SourceRefused`."""
        ...


def refuse_missing_columns(
    have: Iterable[str], needed: Iterable[str], *, origin: str, line: int | None, hint: str = ""
) -> None:
    """Every needed column exists, once. Raises `SourceRefused` naming needed columns alone.

    What a source has instead is not repeated: of a file without a header it is a youth's record. `hint` says why they
    may be missing, where the source knows.
    """
    present = list(have)
    lacking = sorted(set(needed) - set(present))
    if lacking:
        folded = {name.casefold() for name in present}
        if not hint and any(name.casefold() in folded for name in lacking):
            hint = "; written in other capitals"
        raise SourceRefused("SRC-001", origin=origin, line=line, detail=f"no column {', '.join(lacking)}{hint}")
    twice = sorted({name for name in needed if present.count(name) > 1})
    if twice:
        raise SourceRefused("SRC-001", origin=origin, line=line, detail=f"column twice: {', '.join(twice)}")
