"""A table whose rows carry proofs: it verifies by itself, and no cell, salt, path or entry of it can be changed."""

import json
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from audit.__main__ import main
from audit.errors import EvidenceError
from audit.export import Cell, Table, write_jsonl, write_sqlite
from audit.merkle import leaf_hash, node_hash
from audit.proved_rows import NO_EVIDENCE, check_rows
from audit.receipt import Receipt, parse_receipt
from tests.unit.audit.evidence_kit import AGENCY, EARLIER, NEWEST, PROVES_PARTIES, SIGNER, receipt

Row = dict[str, Any]
SHOWN = (2, PROVES_PARTIES, 8)
PLAIN: Row = {
    "kind": "access.decision", "decision": "DENY", "outcome": "", "reason": "", "purpose": "", "basis": "",
    "field_sets": "", "requester": AGENCY, "holder": "", "worker": "worker-1", "role": "CWA.case_worker", "youth": "",
}  # fmt: skip


def row(index: int) -> Row:
    """What the commands of an auditor write of an entry of the kit's log."""
    number = index // 2 + 1
    proved = {"requester_number": number} if index == PROVES_PARTIES else {"requester_number": None}
    return {
        "index": index, "time": f"2026-09-21T14:13:{20 + index:02}Z", **PLAIN, "number": number, **proved,
        "holder_number": None, "sentence": "In words.", "receipt": proof(index).text(),
    }  # fmt: skip


def proof(index: int) -> Receipt:
    return receipt(index, EARLIER if index < EARLIER else NEWEST)


def table(rows: list[Row]) -> Table:
    cells: tuple[tuple[Cell, ...], ...] = tuple(tuple(each.values()) for each in rows)
    return Table("Entries", tuple(rows[0]), cells)


WRITERS: dict[str, Callable[[Table, Path], None]] = {"jsonl": write_jsonl, "sqlite": write_sqlite}


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What somebody says who has nothing but this room and the log's key."""
    key = path.parent / "log.vkey"
    key.write_text(SIGNER.public.vkey() + "\n")
    status = main(["verify", str(path), "--log-key", str(key)])
    return status, capsys.readouterr().out


@pytest.mark.parametrize("form", WRITERS)
def test_a_table_with_proofs_verifies_by_itself(form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"rows.{form}"
    WRITERS[form](table([row(index) for index in SHOWN]), path)
    status, said = verified(path, capsys)
    assert status == 0, said
    assert "ok   3 entries are in the log log.example/homeward\n" in said
    assert "under 2 checkpoint(s) it signed, the newest of 13 entries" in said
    assert "sentence and youth are for reading" in said
    assert "note in 2 rows requester or holder is named and not proved: that is the word of whoever handed" in said
    assert "note an empty cell tells nothing" in said
    assert not list(tmp_path.glob("rows.*-*")), "nothing is left beside the evidence"


def _receipt(edit: Callable[[Receipt], Receipt]) -> Callable[[Row], None]:
    return lambda row: row.update(receipt=edit(parse_receipt(row["receipt"])).text())


def _first_opening(**change: Any) -> Callable[[Row], None]:
    return _receipt(lambda it: replace(it, openings=(it.openings[0]._replace(**change), *it.openings[1:])))


def _renamed(row: Row, name: str) -> None:
    """The true value is gone, and another stands where people look for it and no check does."""
    del row[name]
    row[name.title()] = "another"


CHANGES: dict[str, Callable[[Row], None]] = {
    **{
        f"the column {name}": lambda row, name=name: row.update({name: "another"})  # type: ignore[misc]
        for name in (*PLAIN, "number", "requester_number", "holder_number", "index", "time")
        if name != "youth"
    },
    "a number of another": lambda row: row.update(requester_number=2),
    "a salt": _first_opening(salt=bytes(32)),
    "a value": _first_opening(value=b"access.outcome"),
    "a path": _receipt(lambda it: replace(it, inclusion_hashes=(bytes(32), *it.inclusion_hashes[1:]))),
    "a leaf": _receipt(lambda it: replace(it, leaf=it.leaf[:8] + b"\x00" + it.leaf[9:])),
    "a digest": _receipt(lambda it: replace(it, digests=bytes(32) + it.digests[32:])),
    "a checkpoint": _receipt(lambda it: replace(it, checkpoint=SIGNER.sign(EARLIER, bytes(32)))),
    "an opening that is closed": _receipt(lambda it: replace(it, openings=it.openings[1:])),
    "the whole entry": lambda row: row.update(receipt=proof(6).text()),
    "no receipt": lambda row: row.update(receipt=None),
    "an index that is no whole number": lambda row: row.update(index=float(row["index"])),
    "a time of more digits than a leaf has": lambda row: row.update(time=row["time"].replace("Z", ".0009Z")),
    "a time that is written otherwise": lambda row: row.update(time=row["time"].replace("Z", "+00:00")),
    "words that are none": lambda row: row.update(sentence=7),
    "a column left out": lambda row: row.pop("decision"),
    "a column more": lambda row: row.update(verdict="guilty"),
    **{
        f"the column {name} under another name": lambda row, name=name: _renamed(row, name)  # type: ignore[misc]
        for name in ("decision", "holder", "youth")
    },
}


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("name", CHANGES)
def test_whatever_is_changed_in_a_row_is_found(
    name: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(index) for index in SHOWN]
    CHANGES[name](rows[1])
    path = tmp_path / f"rows.{form}"
    rows = rows if rows[1].keys() == rows[0].keys() else [rows[1]]
    WRITERS[form](table(rows), path)
    status, said = verified(path, capsys)
    assert (status, said.startswith("FAIL  AUDIT-")) == (6, True), said


def test_rows_in_another_order_twice_or_of_two_histories_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    for rows in ([row(4), row(2)], [row(2), row(2)]):
        write_jsonl(table(rows), path)
        assert verified(path, capsys)[0] == 6
    # The log signs another tree of the size under which the next row is proved.
    first = proof(0)
    siblings = tuple(bytes((at,)) * 32 for at in range(len(first.inclusion_hashes)))
    root = reduce(node_hash, siblings, leaf_hash(first.leaf))
    other = replace(first, inclusion_hashes=siblings, checkpoint=SIGNER.sign(EARLIER, root))
    write_jsonl(table([row(0) | {"receipt": other.text()}, row(2)]), path)
    status, said = verified(path, capsys)
    assert (status, "AUDIT-CONSISTENCY" in said) == (6, True), said
    write_jsonl(table([row(0) | {"receipt": other.text()}, row(8)]), path)
    assert verified(path, capsys)[0] == 0, "the control: under its own size it is as good as any"


def test_what_is_no_table_is_not_taken_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.jsonl"
    line = json.dumps(row(2))
    twice = line[:-1] + ', "decision": "ALLOW"}'
    half = line.replace("log.example/homeward\\n", "log.example/homeward\\ud800\\n", 1)
    assert half != line
    for text in ("{", "{}\n", half + "\n", line[:-9] + "\n", twice + "\n", line + "\n[]\n"):
        path.write_text(text)
        status, said = verified(path, capsys)
        assert (status, "AUDIT-FORMAT" in said) == (6, True), said
    plain = tmp_path / "plain.sqlite"
    without = {name: value for name, value in row(2).items() if name != "receipt"}
    write_sqlite(table([without]), plain)
    assert verified(plain, capsys)[0] == 2, "a table without proofs is nothing that stands alone"
    with sqlite3.connect(plain) as connection:
        connection.execute("DROP TABLE rows")
    connection.close()
    assert verified(plain, capsys)[0] == 2


def test_sides_that_no_field_proves_are_the_word_of_whoever_hands_the_table_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever has a table can close fields again, as nobody sees that they were open, and then name whom he likes."""
    changed = row(PROVES_PARTIES)
    _receipt(lambda it: replace(it, openings=tuple(o for o in it.openings if o.name != "parties")))(changed)
    changed.update(requester="06075.cwa", holder="06029.cwa", requester_number=None)
    path = tmp_path / "rows.jsonl"
    told = "in 1 rows requester or holder is named and not proved: that is the word of whoever handed the table on"
    write_jsonl(table([changed]), path)
    status, said = verified(path, capsys)
    assert (status, told in said) == (0, True), said
    write_jsonl(table([row(PROVES_PARTIES)]), path)
    status, said = verified(path, capsys)
    assert (status, "not proved" in said) == (0, False), said


def test_an_option_that_a_table_cannot_answer_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, key = tmp_path / "rows.jsonl", tmp_path / "log.vkey"
    write_jsonl(table([row(2)]), path)
    key.write_text(SIGNER.public.vkey() + "\n")
    assert main(["verify", str(path), "--log-key", str(key), "--max-age", "5", "--policy", str(key)]) == 2
    assert "not for a table with proofs" in capsys.readouterr().out


CELLS = st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)) | st.just([1])


@given(st.sampled_from([name for name in row(2) if name not in NO_EVIDENCE]), CELLS, st.binary(max_size=40))
def test_whatever_stands_in_a_cell_or_line_is_refused_and_nothing_else(column: str, value: Any, raw: bytes) -> None:
    true = row(PROVES_PARTIES)
    assume(true[column] != value)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows"
        for content in (json.dumps(true | {column: value}).encode(), b"{" + raw):
            path.write_bytes(content)
            with pytest.raises(EvidenceError):
                check_rows(path, SIGNER.public)
