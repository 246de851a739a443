"""A table of entries each of whose rows carries its own proof: whether it holds, and what of a row it does not cover.

Decides which column is evidence, and of which part of the entry (README.md, "Tables with proofs"). A row holds if its
receipt does, under a checkpoint that the log signed, and if every column that is evidence says what the receipt opens:
so a changed cell, salt, path or entry is found, and so is a row whose columns were taken from another. Two checkpoints
of one size must be the same. That a row was left out is not found here (`homeward audit complete`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from audit.body import PARTIES, parse_parties
from audit.checkpoint import Checkpoint, LogKey
from audit.errors import EvidenceError, EvidenceReason
from audit.leaf import leaf_time
from audit.receipt import MAX_TEXT_CHARACTERS, parse_receipt

RECEIPT: Final = "receipt"
"""Column that holds a row's tlog-proof."""
NO_EVIDENCE: Final = ("sentence", "youth")
"""Columns for people: words made of the others, and a number of the county's own system."""
_SQLITE: Final = b"SQLite format 3\0"
_LONGEST_LINE: Final = 4 * MAX_TEXT_CHARACTERS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECT: Final = ("kind", "decision", "outcome", "reason", "purpose")
"""Columns that are named as the field is."""

Row = Mapping[str, object]
Opened = Mapping[str, bytes]


@dataclass(slots=True)
class Proved:
    """What was found of a table of which everything holds."""

    count: int = 0
    newest: Checkpoint | None = None
    unproved: int = 0
    """Rows that name an agency and do not prove both sides: what no field says there is the exchange's word."""
    roots: dict[int, bytes] = field(default_factory=dict)


def is_table(path: Path) -> bool:
    """True if the file is JSON lines, or SQLite with rows that carry proofs."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE))
    except OSError:
        return False
    return begins.startswith(b"{") or (begins == _SQLITE and RECEIPT in _columns(path))


def check_rows(path: Path, key: LogKey) -> Proved:
    """Every row holds. Raises EvidenceError at the first that does not."""
    found, before = Proved(), -1
    for row in _rows(path):
        index, checkpoint = _check(row, key, found)
        if index <= before:
            raise EvidenceError(EvidenceReason.GAP, "the rows are not in the order of the log", index=index)
        before = index
        if found.roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            text = f"two checkpoints of {checkpoint.size} entries have different roots"
            raise EvidenceError(EvidenceReason.CONSISTENCY, text, index=index)
        found.count += 1
        if found.newest is None or checkpoint.size > found.newest.size:
            found.newest = checkpoint
    if not found.count:
        raise EvidenceError(EvidenceReason.FORMAT, "the table has no row")
    return found


def _check(row: Row, key: LogKey, found: Proved) -> tuple[int, Checkpoint]:
    text = row.get(RECEIPT)
    if not isinstance(text, str):
        raise EvidenceError(EvidenceReason.FORMAT, "a row carries no receipt; write the table with --proofs")
    receipt = parse_receipt(text)
    try:
        checkpoint = receipt.verify(key)
    except EvidenceError as fault:
        raise EvidenceError(fault.reason, str(fault), index=receipt.index) from fault
    opened: dict[str, bytes] = {}
    for each in receipt.openings:
        if opened.setdefault(each.name, each.value) != each.value:
            raise EvidenceError(EvidenceReason.OPENING, f"the field {each.name} says two things", index=receipt.index)
    if row.get("index") != receipt.index:
        raise EvidenceError(EvidenceReason.OPENING, "the column index is not the receipt's", index=receipt.index)
    if _milliseconds(row.get("time")) != leaf_time(receipt.leaf):
        raise EvidenceError(EvidenceReason.OPENING, "the column time is not the leaf's", index=receipt.index)
    for name, said in _expected(opened).items():
        if row.get(name, said) != said:
            text = f"the column {name} is not what was written into the log"
            raise EvidenceError(EvidenceReason.OPENING, text, index=receipt.index)
    found.unproved += PARTIES not in opened and bool(row.get("requester") or row.get("holder"))
    return receipt.index, checkpoint


def _expected(opened: Opened) -> dict[str, object]:
    """What each column says that is evidence; one that no open field decides is left out."""
    said = {name: value.decode("utf-8", "replace") for name, value in opened.items()}
    granted, _, rest = said.get("fields", "").partition(" ")
    basis = rest.partition(" ")[0]
    pseudonym, _, role = said.get("worker", "").partition(" ")
    number = opened.get("seq")
    expected: dict[str, object] = {name: said.get(name, "") for name in _DIRECT}
    expected |= {"basis": basis or said.get("basis", ""), "field_sets": granted, "worker": pseudonym, "role": role}
    expected["number"] = int.from_bytes(number, "big") if number else None
    if PARTIES in opened:
        parties = parse_parties(opened[PARTIES])
        expected |= {"requester": parties.requester, "holder": parties.holder}
        expected |= {"requester_number": parties.requester_number or None}
        expected |= {"holder_number": parties.holder_number or None}
        return expected
    if "requester" in opened:
        expected["requester"] = said["requester"]
    return expected | {"requester_number": None, "holder_number": None}


def _milliseconds(text: object) -> int:
    """The time in a column, in milliseconds since 1970; -1 for what is none."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return -1
    return (moment - _EPOCH) // timedelta(milliseconds=1) if moment.tzinfo is not None else -1


def _rows(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        is_sqlite = file.read(len(_SQLITE)) == _SQLITE
    yield from _sqlite_rows(path) if is_sqlite else _lines(path)


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE + 1):
            try:
                row = json.loads(line, object_pairs_hook=_once)
                if not isinstance(row, dict):
                    raise ValueError
                # JSON can write half a character, which no receipt holds.
                str(row.get(RECEIPT)).encode()
            except (ValueError, RecursionError) as exc:
                raise EvidenceError(EvidenceReason.FORMAT, "a line is no row of a table, or was cut short") from exc
            yield row


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of a name that stands twice people read one and programs the other.
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError
    return row


def _sqlite_rows(path: Path) -> Iterator[Row]:
    columns = _columns(path)
    try:
        with closing(_opened(path)) as connection:
            for values in connection.execute("SELECT * FROM rows ORDER BY rowid"):
                yield dict(zip(columns, values, strict=True))
    except sqlite3.Error as exc:
        raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be read") from exc


def _columns(path: Path) -> tuple[str, ...]:
    try:
        with closing(_opened(path)) as connection:
            return tuple(name for _, name, *_ in connection.execute("PRAGMA table_info(rows)"))
    except sqlite3.Error:
        return ()


def _opened(path: Path) -> sqlite3.Connection:
    # Nothing is written, no lock is taken, and no file is made beside the evidence.
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
