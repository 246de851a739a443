"""Planted values, and a search for them in whatever leaves a process.

Decides which values stand for what must never leave (a name, a birth date, a number of the county's own, a staff token,
a reference, a handle, a token of the index), and in which forms each is looked for: as text in several cases and
encodings, as JSON, Python, percent and protobuf text escape it, inside base64 at each of its three alignments, in
hexadecimal, backwards; a date also as the numbers a computer makes of it. What it cannot see: a value that was hashed,
encrypted, compressed or cut. Everybody in here is invented.
"""

import base64
import json
import sqlite3
import unicodedata
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

from deploy.demo.contents import contents

GIVEN_NAME: Final = "Zanzibarína"
SURNAME: Final = "Quetzalovich"
BIRTH: Final = date(2011, 7, 19)
LOCAL_ID: Final = "INVENTED-4711-0815"
REFERENCE: Final = "WARRANT-INVENTED-77"
WORKER: Final = "invented.worker@county.example"
STAFF_TOKEN: Final = "eyJpbnZlbnRlZCI6dHJ1ZX0.Y2FuYXJ5LW9mLXN0YWZm.c2lnbmF0dXJl"
HANDLE: Final = bytes.fromhex("c0ffee00d15ea5edfacefeedbeefcafe")
TOKEN: Final = bytes.fromhex("8badf00ddeadbea7fee1deadabad1dea")
_SPECIAL: Final = {ord("\n"): b"\\n", ord("\r"): b"\\r", ord("\t"): b"\\t", 34: b'\\"', 39: b"\\'", 92: b"\\\\"}
_SHORTEST: Final = 5
"""Bytes; a shorter needle stands in any file by chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A planted value stands somewhere."""

    where: str
    what: str


@dataclass(frozen=True)
class Canaries:
    """What was planted, and the search for it. Values of the right kind; a scan names kinds and forms, never values."""

    texts: dict[str, str] = field(repr=False)
    opaque: dict[str, bytes] = field(repr=False)
    births: dict[str, date] = field(repr=False)

    def scan(self, data: bytes, where: str) -> list[Finding]:
        """Every form that stands in the bytes, once."""
        folded = data.lower()
        return [Finding(where, what) for what, needle, folds in self._needles if needle in (folded if folds else data)]

    def scan_text(self, text: str, where: str) -> list[Finding]:
        """The same for text."""
        return self.scan(text.encode("utf-8", "surrogatepass"), where)

    def scan_tree(self, root: Path) -> list[Finding]:
        """The name and the bytes of every file, and every cell of every SQLite database."""
        found: list[Finding] = []
        for path, content in contents(root):
            name = str(path.relative_to(root))
            found += self.scan_text(name, f"{name} (its name)")
            found += self.scan(content, name)
            if content.startswith(b"SQLite format 3\0"):
                found += self.scan_cells(path)
        return found

    def scan_cells(self, database: Path) -> list[Finding]:
        """Every cell of every table: a value can lie in two pages of the file and in one cell."""
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
        try:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = []
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - a name of the schema
                    cells = b"\n".join(value if isinstance(value, bytes) else str(value).encode() for value in row)
                    found += self.scan(cells, f"{database.name}, table {table}")
            return found
        finally:
            connection.close()

    @cached_property
    def _needles(self) -> tuple[tuple[str, bytes, bool], ...]:
        """(what, bytes, whether they are in lower case and looked for in the lower case of the data)."""
        made: dict[tuple[bytes, bool], str] = {}
        for kind, form, needle, folds in self._forms():
            if len(needle) >= _SHORTEST:
                made.setdefault((needle.lower() if folds else needle, folds), f"{kind}, {form}")
        return tuple((what, needle, folds) for (needle, folds), what in made.items())

    def _forms(self) -> Iterator[tuple[str, str, bytes, bool]]:
        for kind, text in self.texts.items():
            yield from ((kind, *each) for each in _text_forms(text))
        for kind, value in self.opaque.items():
            yield from ((kind, *each) for each in _byte_forms(value))
        for kind, day in self.births.items():
            for text in _day_texts(day):
                yield from ((kind, *each) for each in _text_forms(text))
            yield from ((kind, *each) for each in _day_numbers(day))


def planted() -> Canaries:
    """The canaries of this module."""
    return Canaries(
        texts={
            "given name": GIVEN_NAME,
            "surname": SURNAME,
            "local number": LOCAL_ID,
            "reference": REFERENCE,
            "member of staff": WORKER,
            "staff token": STAFF_TOKEN,
        },
        opaque={"handle": HANDLE, "token": TOKEN},
        births={"birth date": BIRTH},
    )


def sentence() -> str:
    """Every text canary and both opaque ones in one sentence, as a careless exception would word it."""
    return (
        f"cannot place {GIVEN_NAME} {SURNAME}, born {BIRTH.isoformat()}, {LOCAL_ID}, {REFERENCE}, asked by {WORKER} "
        f"with {STAFF_TOKEN}: {HANDLE!r} {TOKEN.hex()}"
    )


def _text_forms(text: str) -> Iterator[tuple[str, bytes, bool]]:
    """(form, bytes, whether case does not matter)."""
    for name, spelled in _spellings(text):
        raw = spelled.encode()
        yield name, raw, True
        # Lowering bytes leaves an accented capital as it is.
        yield f"{name}, capitals", spelled.upper().encode(), True
        yield f"{name}, UTF-16", spelled.encode("utf-16-le"), True
        yield f"{name}, UTF-16 big-endian", spelled.encode("utf-16-be"), True
        yield f"{name}, Latin-1", spelled.encode("latin-1", "replace"), True
        yield f"{name}, JSON", json.dumps(spelled)[1:-1].encode(), True
        yield f"{name}, percent", urllib.parse.quote(spelled, safe="").encode(), True
        yield f"{name}, octal escapes", _octal(raw), True
        yield f"{name}, Python bytes", repr(raw)[2:-1].encode(), True
        yield f"{name}, backwards", spelled[::-1].encode(), True
        yield f"{name}, hexadecimal", raw.hex().encode(), True
        for form in (raw, spelled.lower().encode(), spelled.upper().encode(), spelled.encode("utf-16-le")):
            yield from _base64_forms(name, form)


def _byte_forms(value: bytes) -> Iterator[tuple[str, bytes, bool]]:
    yield "raw", value, False
    yield "backwards", value[::-1], False
    yield "hexadecimal", value.hex().encode(), True
    yield "hexadecimal with colons", value.hex(":").encode(), True
    yield "a number", str(int.from_bytes(value, "big")).encode(), False
    yield "Python bytes", repr(value)[2:-1].encode(), False
    yield "octal escapes", _octal(value), False
    yield from _base64_forms("raw", value)


def _base64_forms(name: str, raw: bytes) -> Iterator[tuple[str, bytes, bool]]:
    for shift in range(3):
        # The first and the last characters also hold bits of the neighbors; what is left in between is certain.
        encoded = base64.b64encode(b"\0" * shift + raw)
        body = encoded[(0, 2, 3)[shift] : len(encoded) - (0, 3, 2)[(shift + len(raw)) % 3]]
        yield f"{name}, base64 {shift}", body, False
        yield f"{name}, base64 for URLs {shift}", body.replace(b"+", b"-").replace(b"/", b"_"), False


def _spellings(text: str) -> Iterator[tuple[str, str]]:
    plain = "".join(each for each in unicodedata.normalize("NFD", text) if not unicodedata.combining(each))
    yield "as written", text
    yield "decomposed", unicodedata.normalize("NFD", text)
    yield "without accents", plain


def _octal(raw: bytes) -> bytes:
    """As protobuf's text format escapes bytes."""
    return b"".join(_SPECIAL.get(each) or (bytes([each]) if 32 <= each < 127 else b"\\%03o" % each) for each in raw)


def _day_texts(day: date) -> Iterator[str]:
    forms = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y")
    yield from (day.strftime(form) for form in forms)
    yield f"{day.month}/{day.day}/{day.year}"
    yield f"{day.year}, {day.month}, {day.day}"


def _day_numbers(day: date) -> Iterator[tuple[str, bytes, bool]]:
    seconds = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    for unit, number in (("seconds", seconds), ("milliseconds", seconds * 1000)):
        yield f"{unit} as text", str(number).encode(), False
        yield f"{unit}, 8 bytes big-endian", number.to_bytes(8, "big"), False
        yield f"{unit}, 8 bytes little-endian", number.to_bytes(8, "little"), False
        yield f"{unit}, protobuf", _varint(number), False


def _varint(number: int) -> bytes:
    groups = []
    while number:
        groups.append(number & 0x7F)
        number >>= 7
    return bytes(each | 0x80 for each in groups[:-1]) + bytes(groups[-1:])
