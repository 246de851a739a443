"""Rows of text for people: CSV, XLSX, JSON lines and SQLite, from one table.

Decides the files' form, and that no cell is ever a formula: a county's own text must not run in an auditor's
spreadsheet (CWE-1236). CSV and XLSX are reading copies; JSON lines and SQLite keep every value as it is. What the
columns mean is decided by whoever makes the rows.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from audit.errors import AuditError

Cell = str | int | None
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
# The same table must give the same bytes: a workbook says when it was made, and this is what ours say.
_MADE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_WIDEST: Final = 60


class FormatUnavailable(AuditError):
    """The package that writes this form is not installed. The text says how to get it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the columns' names and the rows beneath them; `notes` are sentences that belong to the table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


def write_csv(table: Table, path: Path) -> None:
    """The table is in the file: UTF-8 with a mark that spreadsheets look for; a cell like a formula begins with '."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(table.columns)
    writer.writerows([_harmless(cell) for cell in row] for row in table.rows)
    path.write_bytes(text.getvalue().encode("utf-8-sig"))


def write_jsonl(table: Table, path: Path) -> None:
    """The table is in the file, one JSON object a row."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in table.rows:
            file.write(json.dumps(dict(zip(table.columns, row, strict=True)), ensure_ascii=False) + "\n")


def write_sqlite(table: Table, path: Path) -> None:
    """The table is in a new database file, as table `rows`."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    try:
        marks = ", ".join("?" for _ in table.columns)
        connection.execute(rows_statement(table.columns))
        # Names are the columns' own constants; values are bound.
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", table.rows)  # noqa: S608
        connection.commit()
    finally:
        connection.close()


def rows_statement(columns: Sequence[str]) -> str:
    """The statement that makes table `rows`. SQLite keeps it as it stands, so a reader of the file can compare it."""
    names = ", ".join(f'"{name}"' for name in columns)
    return f"CREATE TABLE rows ({names})"


def write_xlsx(table: Table, path: Path) -> None:
    """The table is in a workbook of one sheet, every text a text. Raises FormatUnavailable without XlsxWriter."""
    write_workbook([table], path)


def write_workbook(tables: Sequence[Table], path: Path) -> None:
    """The tables are in a workbook, a sheet each. Raises FormatUnavailable without XlsxWriter."""
    try:
        import xlsxwriter
    except ImportError as exc:
        raise FormatUnavailable("XLSX needs XlsxWriter: install homeward[reports]") from exc
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as workbook:
        workbook.set_properties({"title": tables[0].title, "created": _MADE.replace(tzinfo=None)})
        bold, wrapped = workbook.add_format({"bold": True}), workbook.add_format({"text_wrap": True, "valign": "top"})
        for number, table in enumerate(tables, start=1):
            sheet = workbook.add_worksheet(_sheet_name(table.title, number))
            for row, note in enumerate((table.title, *table.notes)):
                sheet.write_string(row, 0, note, bold if row == 0 else None)
            top = len(table.notes) + 2
            for column, name in enumerate(table.columns):
                sheet.write_string(top, column, name, bold)
                sheet.set_column(column, column, _width(table, column))
            for row, cells in enumerate(table.rows, start=top + 1):
                for column, cell in enumerate(cells):
                    if isinstance(cell, int):
                        sheet.write_number(row, column, cell)
                    elif cell:
                        sheet.write_string(row, column, cell, wrapped)
            sheet.freeze_panes(top + 1, 0)
            sheet.autofilter(top, 0, top + max(len(table.rows), 1), len(table.columns) - 1)
            sheet.repeat_rows(top)
            sheet.set_landscape()
            sheet.fit_to_pages(1, 0)


WRITERS: Final[Mapping[str, Callable[[Table, Path], None]]] = MappingProxyType(
    {"csv": write_csv, "xlsx": write_xlsx, "jsonl": write_jsonl, "sqlite": write_sqlite}
)

PROVABLE: Final = frozenset({"jsonl", "sqlite"})
"""Forms that keep every value as it is, so that a proof beside it still holds."""


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_A_FORMULA) else cell


def _sheet_name(title: str, number: int) -> str:
    kept = "".join(each for each in title if each not in "[]:*?/\\'")
    return kept[:27].strip() or f"Sheet {number}"


def _width(table: Table, column: int) -> int:
    cells: Iterable[Cell] = (table.columns[column], *(row[column] for row in table.rows))
    return min(max(len(str(cell or "")) for cell in cells) + 2, _WIDEST)
