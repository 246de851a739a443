"""The tables of a mirror: what changes with a log's entries, as pages that are sealed one by one.

Decides the pages of `tables/<size>/<set>/<n>`: rows of one table each, and whether it is the last. A page is small
whatever a table holds, because an index of tokens has a hundred rows for each youth. A set is written beside the one
before and counts once it is whole, so that a round cut short takes nothing away; of two whole sets the newest counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import MetaData, Table, insert, select

from audit.errors import EvidenceError, EvidenceReason
from audit.statement import Statement
from audit.transaction import Tx

ROWS: Final = 2000
Read = Callable[[str], bytes]
"""Gives the opened content of a sealed name. Raises EvidenceError where there is none, or it does not open."""


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows of one table."""

    table: str
    rows: list[list[Any]]


def tables_name(size: int) -> str:
    """The directory of the sets that belong to a log of this size."""
    return f"tables/{size}"


def dumped_pages(tx: Tx, also: Sequence[MetaData]) -> Iterator[bytes]:
    """The contents of a set's pages: every table has one at least."""
    pages = _pages(tx, also)
    page = next(pages, None)
    while page is not None:
        following = next(pages, None)
        yield json.dumps({"table": page.table, "rows": page.rows, "last": following is None}).encode()
        page = following


def page_name(size: int, number: int, page: int) -> str:
    """The name of one page of one set."""
    return f"{tables_name(size)}/{number}/{page:06}"


def read_contents(size: int, number: int, read: Read) -> Iterator[bytes]:
    """The contents of a set's pages. Raises EvidenceError unless all of them are there and open."""
    page, last = 0, False
    while not last:
        content = read(page_name(size, number, page))
        yield content
        page, last = page + 1, json.loads(content)["last"]


def newest_whole(size: int, numbers: Iterable[int], read: Read) -> int:
    """The newest of these sets of which every page is there and opens. Raises EvidenceError if there is none."""
    for number in sorted(numbers, reverse=True):
        if _is_whole(size, number, read):
            return number
    raise EvidenceError(EvidenceReason.STORE, "no set of the mirror's tables is whole")


def holds(size: int, number: int, pages: Iterable[bytes], read: Read) -> bool:
    """Whether the set's pages are just these."""
    try:
        return all(one == other for one, other in zip(pages, read_contents(size, number, read), strict=True))
    except (EvidenceError, ValueError):
        return False


def restore_tables(tx: Tx, contents: Iterable[bytes], *, also: Sequence[MetaData]) -> None:
    """The tables of `also` hold what the pages of the set say."""
    tables, held = {table.name: table for table in _tables(also)}, set[str]()
    for table in tables.values():
        tx.run(Statement(table.delete()))
    for page in map(_parsed, contents):
        held.add(page.table)
        if page.rows and page.table in tables:
            tx.many(Statement(insert(tables[page.table])), [tuple(map(_loaded, row)) for row in page.rows])
    for name in tables:
        if name not in held:
            raise EvidenceError(EvidenceReason.FORMAT, f"the mirror does not hold the table {name}")


def _is_whole(size: int, number: int, read: Read) -> bool:
    try:
        return sum(1 for _ in read_contents(size, number, read)) > 0
    except EvidenceError:
        return False


def _parsed(content: bytes) -> TablePage:
    said = json.loads(content)
    return TablePage(said["table"], said["rows"])


def _pages(tx: Tx, also: Sequence[MetaData]) -> Iterator[TablePage]:
    for table in _tables(also):
        found = False
        for rows in tx.pages(Statement(select(table)), ROWS):
            found = True
            yield TablePage(table.name, [list(map(_dumpable, row)) for row in rows])
        if not found:
            yield TablePage(table.name, [])


def _tables(also: Sequence[MetaData]) -> list[Table]:
    return [table for metadata in also for table in metadata.sorted_tables]


def _dumpable(value: object) -> object:
    return {"hex": bytes(value).hex()} if isinstance(value, bytes | memoryview) else value


def _loaded(value: Any) -> Any:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
