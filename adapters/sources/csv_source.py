"""A source that reads delimited text files with the standard library.

Decides: explicit encoding and delimiter, never guessed; the newest of the matching files, or all of them in name
order; the header; the footer with its control total; rows refused one by one for bytes outside the encoding, a wrong
number of cells, bad quoting or a cell beyond size. A quoting fault that swallows further lines refuses the file, and so
does a footer that could be a row: what is inside would be lost without anybody counting it. Only a cell that a mapping
reads can cost its row. Does not interpret cells.
"""

import codecs
import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from adapters.sources.config import CsvSourceConfig
from adapters.sources.freshness import NewestMoment
from adapters.sources.port import (
    NO_TEXT,
    ReadingSummary,
    Row,
    SourceDescription,
    SourceRefused,
    SourceRows,
    UnreadableRow,
    refuse_missing_columns,
)

_TOO_LONG: Final = f"field larger than field limit ({csv.field_size_limit()})"
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks of the encodings in which no single byte is a letter."""


@dataclass(frozen=True, slots=True)
class _Record:
    """One record of the file as cells, or the rule by which it could not be taken apart."""

    line: int
    cells: list[str] | None
    code: str = ""


class CsvSource:
    """Files under a path pattern, which counts from `base` where it is relative; see the module."""

    def __init__(self, name: str, config: CsvSourceConfig, *, columns: Iterable[str] = (), base: Path = Path()) -> None:
        self._name = name
        self._config = config
        self._pattern = (base / config.path).absolute()
        self._needed = tuple(dict.fromkeys((*config.columns_required, *columns, *_freshness_columns(config))))

    @property
    def name(self) -> str:
        """The source's name in the county's file."""
        return self._name

    def check(self) -> SourceDescription:
        """The newest file opens and its header holds every needed column. Raises `SourceRefused`."""
        path = self._files()[-1]
        header = next(self._records(path), None)
        return SourceDescription(path.name, self._header(path, header))

    def read(self) -> SourceRows:
        """Rows of the newest file, or of all files in name order. Raises `SourceRefused`."""
        files = self._files()
        summary = ReadingSummary(origin=files[-1].name)
        return SourceRows(self._items(files, summary), summary)

    def _files(self) -> list[Path]:
        pattern = self._pattern
        try:
            found = [path for path in pattern.parent.glob(pattern.name) if path.is_file()]
            found.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        except OSError as exc:
            raise _unreadable(pattern, exc) from None
        if not found:
            # The place comes from the county's file and not from a row: whoever mends it must know where it was sought.
            raise SourceRefused("SRC-007", origin=pattern.name, detail=f"no file matches {pattern}")
        return found[-1:] if self._config.newest_only else [*sorted(found[:-1]), found[-1]]

    def _items(self, files: list[Path], summary: ReadingSummary) -> Iterator[Row | UnreadableRow]:
        newest = NewestMoment(self._config.freshness)
        for path in files:
            before = summary.rows
            for item in self._file_items(path, summary):
                if newest.column is not None and isinstance(item, Row):
                    newest.see(item.cells[newest.column])
                yield item
            if summary.control_total is not None and summary.control_total != summary.rows - before:
                raise SourceRefused(
                    "SRC-002",
                    origin=path.name,
                    detail=f"control total {summary.control_total}, rows read {summary.rows - before}",
                )
        summary.as_of = newest.value if newest.column is not None else _file_time(files[-1])

    def _file_items(self, path: Path, summary: ReadingSummary) -> Iterator[Row | UnreadableRow]:
        records = self._records(path)
        header = self._header(path, next(records, None))
        held: deque[_Record] = deque()
        for record in records:
            held.append(record)
            if len(held) > self._config.footer_rows:
                summary.rows += 1
                yield self._item(path.name, summary.rows, header, held.popleft())
        if self._config.control_total is None:
            _refuse_rows(path.name, header, held, needed=self._needed)
        summary.control_total = self._control_total(path, held)

    def _item(self, file: str, number: int, header: tuple[str, ...], record: _Record) -> Row | UnreadableRow:
        if record.cells is None:
            return UnreadableRow(number, record.line, record.code, file=file)
        if len(record.cells) != len(header):
            return UnreadableRow(number, record.line, "SRC-003", file=file)
        cells = dict(zip(header, record.cells, strict=True))
        for column in self._needed:
            cell = cells[column]
            if NO_TEXT.search(cell):
                return UnreadableRow(number, record.line, "SRC-004", column, file)
            if not cell.isascii() and _is_utf8(cell, read_as=self._config.encoding):
                return UnreadableRow(number, record.line, "SRC-014", column, file)
        return Row(number, record.line, cells, file)

    def _control_total(self, path: Path, footer: deque[_Record]) -> int | None:
        if self._config.control_total is None:
            return None
        text = "\n".join(self._config.delimiter.join(record.cells or ()) for record in footer)
        found = re.search(self._config.control_total.pattern, text)
        digits = re.sub(r"[ ,.]", "", found[1]) if found and found[1] else ""
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 12):
            raise SourceRefused("SRC-002", origin=path.name, detail="the footer holds no control total")
        return int(digits)

    def _header(self, path: Path, record: _Record | None) -> tuple[str, ...]:
        if record is None or record.cells is None:
            raise SourceRefused("SRC-001", origin=path.name, line=1, detail="no header")
        # A byte order mark belongs to the encoding, but files declared as plain utf-8 often carry one.
        header = tuple(cell.removeprefix("\ufeff").strip() for cell in record.cells)
        hint = "; the header is one cell: is the delimiter another?" if len(header) == 1 < len(self._needed) else ""
        try:
            refuse_missing_columns(header, self._needed, origin=path.name, line=record.line, hint=hint)
        except SourceRefused:
            _refuse_mark(path)
            raise
        return header

    def _records(self, path: Path) -> Iterator[_Record]:
        try:
            with path.open(encoding=self._config.encoding, errors="surrogateescape", newline="") as file:
                yield from _parsed(csv.reader(file, delimiter=self._config.delimiter, strict=True), path.name)
        except OSError as exc:
            raise _unreadable(path, exc) from None
        except UnicodeError:
            # Encodings of several bytes per character cannot skip a bad byte.
            raise SourceRefused("SRC-008", origin=path.name, detail="not in the stated encoding") from None


def _refuse_rows(origin: str, header: tuple[str, ...], footer: Iterable[_Record], *, needed: tuple[str, ...]) -> None:
    """A footer without a control total holds no row: of a file that has no footer, its last rows would be lost."""
    for record in footer:
        cells = record.cells or []
        named = dict(zip(header, cells, strict=False))
        if needed and len(cells) == len(header) and all(named[column].strip() for column in needed):
            raise SourceRefused(
                "SRC-015", origin=origin, line=record.line, detail="every needed column of it is filled"
            )


def _is_utf8(cell: str, *, read_as: str) -> bool:
    """The bytes of the cell, read in an encoding of one byte a character, are characters of UTF-8.

    Letters above ASCII stand beside small ones or alone in such encodings; to be UTF-8 by chance, each would have to
    stand before a sign such as the plus-minus. A name read so would be found by nobody.
    """
    try:
        data = cell.encode(read_as)
        data.decode("utf-8")
    except UnicodeError:
        return False
    return len(data) == len(cell)


def _refuse_mark(path: Path) -> None:
    """A file that begins with the mark of another encoding is refused for that."""
    try:
        with path.open("rb") as file:
            begins = file.read(4)
    except OSError as exc:
        raise _unreadable(path, exc) from None
    for mark, encoding in _MARKS:
        if begins.startswith(mark):
            raise SourceRefused("SRC-008", origin=path.name, line=1, detail=f"begins as {encoding} does") from None


def _parsed(reader: Any, origin: str) -> Iterator[_Record]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as exc:
            # The module has one exception for all; its text holds no cell.
            is_long = str(exc) == _TOO_LONG
            if reader.line_num > line:
                detail = "a cell beyond size; is a quote not closed?" if is_long else "a quote is not closed"
                raise SourceRefused("SRC-008", origin=origin, line=line, detail=detail) from None
            yield _Record(line, None, "SRC-013" if is_long else "SRC-005")
            continue
        if cells:
            yield _Record(line, cells)


def _freshness_columns(config: CsvSourceConfig) -> tuple[str, ...]:
    return (config.freshness.newest_column,) if config.freshness.newest_column else ()


def _file_time(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    except OSError as exc:
        raise _unreadable(path, exc) from None


def _unreadable(path: Path, exc: OSError) -> SourceRefused:
    return SourceRefused("SRC-007", origin=path.name, detail=f"{path} cannot be read ({type(exc).__name__})")
