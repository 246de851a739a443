"""A table of entries each of whose rows carries its own proof: whether it holds, and what of a row it does not cover.

Decides which column is evidence, and of which part of the entry (README.md, "Tables with proofs"). A row holds if its
receipt does, under a checkpoint that the log signed, and if every column that is evidence says exactly what the receipt
opens: so a changed cell, salt, path or entry is found, and so is a row whose columns were taken from another. Two
checkpoints of one size must be the same. That a row was left out is not found here (`homeward audit complete`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from audit.body import PARTIES, parse_parties
from audit.checkpoint import Checkpoint, LogKey
from audit.errors import EvidenceError, EvidenceReason
from audit.leaf import leaf_time
from audit.receipt import parse_receipt
from audit.row_file import RECEIPT, Row, read_rows

NO_EVIDENCE: Final = ("sentence", "youth")
"""Columns for people: words made of the others, and a number of the county's own system."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIRECT: Final = ("kind", "decision", "outcome", "reason", "purpose")
"""Columns that are named as the field is."""

Opened = Mapping[str, bytes]


@dataclass(slots=True)
class Proved:
    """What was found of a table of which everything holds."""

    count: int = 0
    newest: Checkpoint | None = None
    unproved: int = 0
    """Rows that name a side which no open field says: there it is the word of whoever handed the table on."""
    roots: dict[int, bytes] = field(default_factory=dict)


def check_rows(path: Path, key: LogKey) -> Proved:
    """Every row holds. Raises EvidenceError at the first that does not."""
    found, before = Proved(), -1
    for row in read_rows(path):
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
    text = row[RECEIPT]
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
    expected = {"index": receipt.index, "time": _moment(leaf_time(receipt.leaf)), **_expected(opened)}
    for name, said in expected.items():
        # A number that is written otherwise, as true or 4.0, is not what was written.
        if row[name] != said or type(row[name]) is not type(said):
            text = f"the column {name} is not what was written into the log"
            raise EvidenceError(EvidenceReason.OPENING, text, index=receipt.index)
    if not all(isinstance(cell, str) for name, cell in row.items() if name not in expected):
        raise EvidenceError(EvidenceReason.FORMAT, "a column that is for reading holds no text", index=receipt.index)
    found.unproved += any(row[side] and side not in expected for side in ("requester", "holder"))
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


def _moment(milliseconds: int) -> str:
    """A leaf's time as the column writes it: UTC, with milliseconds where there are any; empty for what is none."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return ""
    return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds").replace("+00:00", "Z")
