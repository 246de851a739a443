"""Follows whatever leads from a youth's handle through a copy of the database to entries of the log.

What somebody does who has an old backup, every key that is left, and time: from row to row by every identifier that two
rows share, and from each row so found to entries by an index, by a moment, by an identifier that an entry holds in a
field they can open, by a request that was spent, or by the order in which rows were written.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from gateway.protocol.names import AgencyId
from gateway.store.projections import request_identifier

IDENTIFIER_BYTES: Final = 8
"""Shorter values repeat by chance."""
MOMENT_MS: Final = 500
_LOG: Final = ("log_entry", "log_node", "log_tree", "log_agency")
YOUTHS: Final = (
    "subject", "index_token", "flag", "duty", "review", "review_token", "relied_link", "authority", "authority_party",
)  # fmt: skip
"""Tables of the database whose rows are about youths."""
KEYS: Final = ("youth_key", "sealed_name", "leaving_authority", "returning_key")
"""Tables of the file of keys that are about youths; in which order seals were ordered the database says itself."""
_INDEX_LEAF: Final = 10
_SHARED: Final = ("sqlite_sequence", "sqlite_stat1")

Value = bytes | str | int | float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table that is not the log's."""

    table: str
    cells: dict[str, Value] = field(repr=False)

    @property
    def identifiers(self) -> set[bytes]:
        """Every value by which another row or an entry may be known; text that is hexadecimal as its bytes."""
        return {each for value in self.cells.values() for each in _identifiers(value)}


def copied(database: Path, to: Path) -> Path:
    """A backup as an operator makes one, the write-ahead log included."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)
    return to


def rows_of(database: Path) -> list[Row]:
    """Every row that is not the log's own."""
    found = []
    with closing(sqlite3.connect(database)) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in sorted({*names} - {*_LOG, *_SHARED}):
            cursor = connection.execute(f"SELECT * FROM {name}")  # noqa: S608
            columns = [each[0] for each in cursor.description]
            found += [Row(name, dict(zip(columns, row, strict=True))) for row in cursor]
    return found


def tied(rows: Iterable[Row], handle: bytes) -> tuple[list[Row], set[bytes]]:
    """The rows that the handle leads to, from one to the next, and every identifier that stands in them."""
    known, left, found = {handle}, list(rows), list[Row]()
    while True:
        further = [row for row in left if row.identifiers & known]
        if not further:
            return found, known
        found += further
        left = [row for row in left if not row.identifiers & known]
        known |= {each for row in further for each in row.identifiers}


def led_to(database: Path, entries: Collection[StoredEntry], keys: ClassKeys, handle: bytes) -> dict[int, list[str]]:
    """By index of each entry that the handle leads to: how."""
    rows, known = tied(rows_of(database), handle)
    found: dict[int, list[str]] = {}
    spent = _spent(database, known)
    for entry in entries:
        ways = [f"{row.table}.{column}" for row in rows for column in _naming(row, entry)]
        ways += [f"entry's {name}" for name, value in fields_of(entry, keys) if set(_identifiers(value)) & known]
        ways += ["spent request"] if entry.index in spent else []
        ways += ["entry's mark"] if entry.tag in known else []
        if ways:
            found[entry.index] = ways
    return found


def held_together(database: Path, entries: Collection[StoredEntry]) -> dict[frozenset[int], set[str]]:
    """Indexes of entries that rows tie to each other, whoever they are about: by which columns.

    One row that names two of them, or rows that share an identifier. Not those of one moment: a call leaves two or
    three, which say so of each other.
    """
    moments = {entry.index: entry.time_ms for entry in entries}
    left, found = rows_of(database), dict[frozenset[int], set[str]]()
    while left:
        first = left.pop()
        identifiers = first.identifiers
        group = [first]
        while further := [row for row in left if row.identifiers & identifiers]:
            group += further
            identifiers |= {each for row in further for each in row.identifiers}
            left = [row for row in left if row not in further]
        ways = [
            (entry.index, f"{row.table}.{column}")
            for row in group
            for entry in entries
            for column in _naming(row, entry)
        ]
        named = frozenset(index for index, _ in ways)
        if named and max(map(moments.__getitem__, named)) - min(map(moments.__getitem__, named)) > MOMENT_MS:
            found.setdefault(named, set()).update(way for _, way in ways)
    return found


def fields_of(entry: StoredEntry, keys: ClassKeys) -> Iterator[tuple[str, bytes]]:
    """Every field that opens without a youth's key."""
    for cls, key in ((FieldClass.OP, keys.op), (FieldClass.REQ, keys.req), (FieldClass.HOLD, keys.hold)):
        for each in open_class(entry, cls, key):
            yield each.name, each.value


def ordered_by_writing(database: Path, tables: Collection[str]) -> set[str]:
    """Those of these tables whose rows are kept in the order in which they were written."""
    with closing(sqlite3.connect(database)) as connection:
        made = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    return {name for name in tables if "WITHOUT ROWID" not in made[name]}


def as_lying(database: Path, table: str, column: str) -> list[bytes]:
    """The rows of a table, by one column, as they lie in its one page (sqlite.org/fileformat.html, 1.6).

    Until the file is rewritten that is the order in which they were written.
    """
    with closing(sqlite3.connect(database)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        keys = [bytes(key) for (key,) in connection.execute(f"SELECT {column} FROM {table}")]  # noqa: S608
    page = database.read_bytes()[(root - 1) * size : root * size]
    assert page[0] == _INDEX_LEAF, "it has more than one page"
    return sorted(keys, key=lambda key: -page.rindex(key))


def _naming(row: Row, entry: StoredEntry) -> Iterator[str]:
    for column, value in row.cells.items():
        if isinstance(value, int) and value == entry.index and column.endswith("index"):
            yield column
        if isinstance(value, int) and abs(value - entry.time_ms) <= MOMENT_MS:
            yield column


def _identifiers(value: Value) -> Iterator[bytes]:
    if isinstance(value, bytes) and len(value) >= IDENTIFIER_BYTES:
        yield value
    text = value.decode("ascii", "ignore") if isinstance(value, bytes) else value
    if isinstance(text, str) and len(text) >= 2 * IDENTIFIER_BYTES:
        try:
            yield bytes.fromhex(text)
        except ValueError:
            return


def _spent(database: Path, known: Collection[bytes]) -> set[int]:
    with closing(sqlite3.connect(database)) as connection:
        members = [AgencyId(agency) for (agency,) in connection.execute("SELECT DISTINCT requester FROM log_entry")]
        names = {request_identifier(agency, each) for agency in members for each in known}
        rows = connection.execute("SELECT identifier, leaf_index FROM spent").fetchall()
    return {int(index) for identifier, index in rows if bytes(identifier) in names}
