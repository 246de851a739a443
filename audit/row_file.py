"""The file of a table with proofs: which file is one, and its rows, read as everybody else reads them.

Decides that nothing in or beside the file shows another reader other rows. JSON lines have each known column once.
SQLite holds the table `rows` as `write_sqlite` makes it and nothing else, because a view, a generated column or a
virtual table can say something else at another time or to another program; and no `-wal` or `-journal` lies beside it,
which every other reader takes in and this one, that writes nothing, passes over. Whether a row is true is not decided
here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from audit.errors import EvidenceError, EvidenceReason
from audit.export import rows_statement
from audit.receipt import MAX_TEXT_CHARACTERS
from audit.strict_json import read_json

RECEIPT: Final = "receipt"
"""Column that holds a row's tlog-proof."""
COLUMNS: Final = (
    "index", "time", "kind", "decision", "outcome", "reason", "purpose", "basis", "field_sets", "requester",
    "holder", "worker", "role", "youth", "number", "requester_number", "holder_number", "sentence",
)  # fmt: skip
"""Columns of a table of entries; with proofs it has `RECEIPT` behind them."""
_PROVED: Final = (*COLUMNS, RECEIPT)
_SQLITE: Final = b"SQLite format 3\0"
_LONGEST_ROW: Final = 4 * MAX_TEXT_CHARACTERS
_BESIDE: Final = ("-wal", "-journal")
_LOGS_OWN: Final = "log_"
"""The tables of a log begin so: a database that has one is a log's, whatever was put into it."""

Row = Mapping[str, object]


def is_table(path: Path) -> bool:
    """True if the file is JSON lines, or SQLite with something `rows` that carries proofs and no table of a log."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
        return begins.startswith(b"{") or (begins == _SQLITE and _is_table_in(path))
    except (OSError, sqlite3.Error):
        return False


def read_rows(path: Path) -> Iterator[Row]:
    """The rows in the order of the file, each with the known columns alone. Raises EvidenceError."""
    with path.open("rb") as file:
        is_sqlite = file.read(len(_SQLITE)) == _SQLITE
    yield from _sqlite_rows(path) if is_sqlite else _lines(path)


def _is_table_in(path: Path) -> bool:
    with closing(_opened(path)) as connection:
        made = dict(connection.execute("SELECT lower(name), instr(lower(sql), ?) FROM sqlite_master", (RECEIPT,)))
    return bool(made.get("rows")) and not any(name.startswith(_LOGS_OWN) for name in made)


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_ROW + 1):
            try:
                row = read_json(line)
                if not isinstance(row, dict):
                    raise ValueError
                # JSON can write half a character, which no receipt holds.
                str(row.get(RECEIPT)).encode()
            except (ValueError, RecursionError) as exc:
                raise EvidenceError(EvidenceReason.FORMAT, "a line is no row of a table, or was cut short") from exc
            if row.keys() != set(_PROVED):
                text = "a row has not exactly the columns of a table with proofs; write the table with --proofs"
                raise EvidenceError(EvidenceReason.FORMAT, text)
            yield row


def _sqlite_rows(path: Path) -> Iterator[Row]:
    _check_alone(path)
    names = ", ".join(f'"{name}"' for name in _PROVED)
    try:
        with closing(_opened(path)) as connection:
            _check_plain(connection)
            # Names are the constants above.
            for values in connection.execute(f"SELECT {names} FROM rows ORDER BY rowid"):  # noqa: S608
                yield dict(zip(_PROVED, values, strict=True))
    except sqlite3.DataError as exc:
        raise EvidenceError(EvidenceReason.FORMAT, "a row is longer than any of a table can be") from exc
    except sqlite3.Error as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be read") from exc


def _check_alone(path: Path) -> None:
    # SQLite follows a link to the file and looks beside that, other programs beside the link.
    for place in {path.absolute(), path.resolve()}:
        for ending in _BESIDE:
            beside = place.with_name(place.name + ending)
            if beside.exists() or beside.is_symlink():
                text = f"{beside.name} lies beside the table, and whoever else opens it is shown what that file says"
                raise EvidenceError(EvidenceReason.FORMAT, text)


def _check_plain(connection: sqlite3.Connection) -> None:
    made = connection.execute("SELECT type, name, tbl_name, rootpage > 0, sql FROM sqlite_master LIMIT 2").fetchall()
    if made != [("table", "rows", "rows", 1, rows_statement(_PROVED))]:
        text = "the database holds something else than one table rows, as homeward audit query --proofs writes it"
        raise EvidenceError(EvidenceReason.FORMAT, text)


def _opened(path: Path) -> sqlite3.Connection:
    # Nothing is written, no lock is taken, and no file is made beside the evidence.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_ROW)
    return connection
