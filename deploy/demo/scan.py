"""Search of bytes for the invented youths: names, birth dates, placement dates, numbers, notes.

Decides in which forms each is looked for: as text in several encodings and spellings, base64, hexadecimal, and dates as
text and as numbers. What it cannot see: a value that was hashed, encrypted or compressed. A finding says what kind of
value stands where, never the value.
"""

import base64
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from deploy.demo.invented import FACILITIES, SCHOOLS, STREETS
from deploy.demo.youths import Caseload

# Shorter pieces of names stand in any file by chance.
_SHORTEST_WORD: Final = 6
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_DATE_TEXT: Final = re.compile(
    rb"(?<![0-9])(?:(?P<iso>[0-9]{4}-[0-9]{2}-[0-9]{2})|(?P<us>[0-9]{2}/[0-9]{2}/[0-9]{4}))(?![0-9])"
)
# Eight digits inside a hexadecimal string are not a date.
_DATE_DIGITS: Final = re.compile(rb"(?<![0-9A-Za-z+/])[0-9]{8}(?![0-9A-Za-z+/])")
_NUMBERS: Final = (b"TEST-A-", b"TEST-B-", b"TEST-REF-", b"TESTCT", b"TESTALG")
_NOTES: Final = ("Invented note", "Invented Caregiver", "Invented Judge", *FACILITIES, *SCHOOLS, *STREETS)
_RECENT: Final = timedelta(days=3)
"""Days around today stand in every log line; nothing is concluded from them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a youth stands in a file."""

    file: str
    offset: int
    what: str


@dataclass(frozen=True, slots=True)
class Scanner:
    """What is looked for."""

    needles: tuple[tuple[str, bytes], ...]
    """(what, bytes) compared with the file as it is."""
    folded: tuple[tuple[str, bytes], ...]
    """(what, lower-case bytes) compared with the file in lower case."""
    dates: frozenset[date]

    def scan(self, data: bytes, *, file: str) -> Iterator[Finding]:
        """Every kind of finding in the bytes, at its first place."""
        lower = data.lower()
        for haystack, needles in ((data, self.needles), (lower, self.folded)):
            for what, needle in needles:
                offset = haystack.find(needle)
                if offset >= 0:
                    yield Finding(file, offset, what)
        yield from self._dates(data, file)

    def _dates(self, data: bytes, file: str) -> Iterator[Finding]:
        for found in _DATE_TEXT.finditer(data):
            form = "%Y-%m-%d" if found["iso"] else "%m/%d/%Y"
            if _day(found[0], form) in self.dates:
                yield Finding(file, found.start(), "date of a youth as text")
        for found in _DATE_DIGITS.finditer(data):
            if self.dates & {_day(found[0], "%Y%m%d"), _day(found[0], "%m%d%Y")}:
                yield Finding(file, found.start(), "date of a youth as digits")


def make_scanner(caseload: Caseload, *, today: date) -> Scanner:
    """A scanner for these youths."""
    folded: list[tuple[str, bytes]] = [("number of a youth", number.lower()) for number in _NUMBERS]
    folded += [("content of a county's record", note.lower().encode()) for note in _NOTES]
    needles: list[tuple[str, bytes]] = []
    for word in sorted(_name_words(caseload)):
        folded += [(f"name, {form}", needle) for form, needle in _text_forms(word)]
        needles += [(f"name, {form}", needle) for form, needle in _base64_forms(word)]
    births = {person.birth_date for person in caseload.people()}
    for birth in births:
        needles += [(f"birth date, {form}", needle) for form, needle in _number_forms(birth)]
    stays = {
        day for youth in (*caseload.a, *caseload.b) for stay in youth.stays for day in (stay.start, stay.end) if day
    }
    dates = frozenset(day for day in births | stays if abs(day - today) > _RECENT)
    return Scanner(_distinct(needles), _distinct(folded), dates)


def _distinct(needles: Sequence[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """One name for each byte string: many spellings come to the same bytes."""
    return tuple((what, needle) for needle, what in {needle: what for what, needle in reversed(needles)}.items())


def scan_tree(scanner: Scanner, root: Path) -> list[Finding]:
    """Findings in the content and the name of every file below `root`."""
    findings: list[Finding] = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        findings += scanner.scan(name.encode(), file=f"{name} (its name)")
        if path.is_file():
            findings += scanner.scan(path.read_bytes(), file=name)
    return findings


def _name_words(caseload: Caseload) -> set[str]:
    words: set[str] = set()
    for person in caseload.people():
        for text in (person.given_name, person.surname, person.aka):
            for word in _WORD.findall(text):
                words |= {word, "".join(character for character in word if character.isalpha())}
    return {word for word in words if len(word) >= _SHORTEST_WORD}


def _plain(word: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFD", word) if not unicodedata.combining(letter))


def _spellings(word: str) -> set[str]:
    """As written, with accents apart, and without; each also in small and in capital letters."""
    forms = {word, unicodedata.normalize("NFD", word), _plain(word)}
    return forms | {form.lower() for form in forms} | {form.upper() for form in forms}


def _text_forms(word: str) -> Iterator[tuple[str, bytes]]:
    """Compared without regard to the case of ASCII letters; lowering bytes leaves a capital with an accent alone."""
    for text in _spellings(word):
        yield "UTF-8", text.encode().lower()
        yield "UTF-16", text.encode("utf-16-le").lower()
        yield "hexadecimal", text.encode().hex().encode()
        yield "JSON escapes", text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00").lower()
        yield "cp1252", text.encode("cp1252", "replace").lower()
    yield "letters in reverse", _plain(word)[::-1].lower().encode()


def _base64_forms(word: str) -> Iterator[tuple[str, bytes]]:
    for text in _spellings(word):
        for shift in range(3):
            yield "base64", _base64_core(text.encode(), shift)


def _base64_core(data: bytes, shift: int) -> bytes:
    """The characters of the base64 text that only `data` decides, where it begins `shift` bytes into a group."""
    text = base64.b64encode(b"\0" * shift + data)
    first = (shift * 8 + 5) // 6
    last = (shift + len(data)) * 8 // 6
    return text[first:last]


def _number_forms(day: date) -> Iterator[tuple[str, bytes]]:
    seconds = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    yield "seconds as text", str(seconds).encode()
    yield "seconds, 8 bytes big-endian", seconds.to_bytes(8, "big")
    yield "milliseconds, 8 bytes big-endian", (seconds * 1000).to_bytes(8, "big")
    yield "seconds, 8 bytes little-endian", seconds.to_bytes(8, "little")


def _day(text: bytes, form: str) -> date | None:
    try:
        return datetime.strptime(text.decode(), form).replace(tzinfo=UTC).date()
    except ValueError:
        return None
