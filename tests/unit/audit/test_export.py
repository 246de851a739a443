"""Tables for people: nothing in them runs, nothing of a value is lost where it is kept for machines."""

import csv
import json
import sqlite3
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from audit.export import WRITERS, Table, write_csv, write_jsonl, write_sqlite, write_workbook, write_xlsx

HOSTILE = ('=HYPERLINK("http://x.example","y")', "+1", "-1", "@SUM(A1)", "\tx", "\rx")
TABLE = Table(
    "Entries: a test",
    ("index", "text"),
    (*((number, text) for number, text in enumerate(HOSTILE)), (6, "plain"), (7, "00012"), (8, ""), (9, None)),
    ("A note.",),
)
NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def test_no_cell_of_a_csv_file_begins_like_a_formula(tmp_path: Path) -> None:
    write_csv(TABLE, tmp_path / "t.csv")
    raw = (tmp_path / "t.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(raw.decode("utf-8-sig").splitlines()))
    assert rows[0] == ["index", "text"]
    assert [row[1][0] for row in rows[1:5]] == ["'"] * 4
    assert ["7", "00012"] in rows


def test_no_cell_of_a_workbook_is_a_formula_or_a_link(tmp_path: Path) -> None:
    write_xlsx(TABLE, tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - written above
        strings = book.read("xl/sharedStrings.xml").decode()
        assert not [name for name in book.namelist() if "rels" in name and "sheet" in name]
    assert not list(sheet.iter(f"{NAMESPACE}f"))
    assert "=HYPERLINK" in strings
    assert "00012" in strings


def test_the_control_a_formula_would_have_been_seen(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    with xlsxwriter.Workbook(str(tmp_path / "t.xlsx")) as workbook:
        workbook.add_worksheet().write(0, 0, HOSTILE[3].replace("@", "="))
    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # noqa: S314 - written above
    assert list(sheet.iter(f"{NAMESPACE}f"))


def test_what_is_kept_for_machines_keeps_every_value(tmp_path: Path) -> None:
    write_jsonl(TABLE, tmp_path / "t.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    write_sqlite(TABLE, tmp_path / "t.db")
    connection = sqlite3.connect(tmp_path / "t.db")
    kept = connection.execute('SELECT "index", "text" FROM rows').fetchall()
    connection.close()
    assert [tuple(line.values()) for line in lines] == kept == list(TABLE.rows)


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"sqlite"}))
def test_the_same_table_gives_the_same_bytes(form: str, tmp_path: Path) -> None:
    made = [tmp_path / f"{number}.{form}" for number in range(2)]
    for path in made:
        WRITERS[form](TABLE, path)
    assert made[0].read_bytes() == made[1].read_bytes()


def test_a_workbook_has_a_sheet_for_each_table(tmp_path: Path) -> None:
    write_workbook([TABLE, Table("Other", ("a",), ())], tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        names = book.read("xl/workbook.xml").decode()
    assert 'name="Entries a test"' in names
    assert 'name="Other"' in names
