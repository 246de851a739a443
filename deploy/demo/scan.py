"""Search of bytes for the invented youths: names, birth dates, placement dates, numbers, notes.

Decides in which forms each is looked for: text in several encodings and spellings, plain or inside base64 and
hexadecimal, and dates as text and as numbers. What it cannot see: a value that was hashed, encrypted or compressed. A
finding says what kind of value stands where, never the value.
"""

import base64
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
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
_BASE64_RUN: Final = re.compile(rb"[A-Za-z0-9+/_-]{8,}")
_UTF16_RUN: Final = re.compile(rb"(?:[^\0]\0){5,}[^\0]")
_HEX_RUN: Final = re.compile(rb"(?:[0-9a-f]{12,}|[0-9A-F]{12,})")
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

    words: "Needles"
    """In lower case, compared with the lower case of every reading."""
    numbers: "Needles"
    """Compared with the bytes as they are."""
    dates: frozenset[date]

    @property
    def size(self) -> int:
        """How many different things are looked for, in each reading."""
        return len(self.words) + len(self.numbers) + len(self.dates)

    def scan(self, data: bytes, *, file: str) -> Iterator[Finding]:
        """Every kind of finding in the bytes, at its first place within its reading."""
        for offset, what in self.numbers.found(data):
            yield Finding(file, offset, what)
        for reading, view in _readings(data):
            for offset, what in self.words.found(view.lower()):
                yield Finding(file, offset, f"{what}, {reading}")
            yield from self._dates(view, file, reading)

    def _dates(self, view: bytes, file: str, reading: str) -> Iterator[Finding]:
        for found in _DATE_TEXT.finditer(view):
            form = "%Y-%m-%d" if found["iso"] else "%m/%d/%Y"
            if _day(found[0], form) in self.dates:
                yield Finding(file, found.start(), f"date of a youth, {reading}")
        for found in _DATE_DIGITS.finditer(view):
            if self.dates & {_day(found[0], "%Y%m%d"), _day(found[0], "%m%d%Y")}:
                yield Finding(file, found.start(), f"date of a youth in digits, {reading}")


class Needles:
    """Several hundred pieces of bytes, found in one walk over what is searched; `kinds` says what each is."""

    def __init__(self, kinds: Mapping[bytes, str]) -> None:
        self._kinds = kinds
        self._pattern = re.compile(_any_of(list(kinds)), re.DOTALL)

    def __len__(self) -> int:
        return len(self._kinds)

    def found(self, data: bytes) -> Iterator[tuple[int, str]]:
        """The first place of each kind of piece. Of two that overlap the one that begins first counts."""
        told: set[str] = set()
        for match in self._pattern.finditer(data):
            what = self._kinds[match[0]]
            if what not in told:
                told.add(what)
                yield match.start(), what


def _any_of(needles: Sequence[bytes]) -> bytes:
    """A pattern for any of them that shares what their beginnings share, so that most places are left at one look."""
    branches: list[bytes] = []
    for first, group in groupby(sorted(needles), key=lambda needle: needle[:1]):
        rest = [needle[1:] for needle in group]
        # Where one of them ends, a longer one need not be looked for.
        branches.append(re.escape(first) + (b"" if b"" in rest else _any_of(rest)))
    return b"(?:" + b"|".join(branches) + b")"


def _readings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes as they are, as text of two bytes a character, and what base64 and hexadecimal in them stand for."""
    yield "as it stands", data
    # UTF-16 of Western letters is Latin-1 with a zero byte beside each.
    yield "UTF-16", b"\n".join(run.replace(b"\0", b"") for run in _UTF16_RUN.findall(data))
    yield "base64", b"\n".join(piece for run in _BASE64_RUN.findall(data) for piece in _from_base64(run))
    yield "hexadecimal", b"\n".join(piece for run in _HEX_RUN.findall(data) for piece in _from_hex(run))


def _from_base64(run: bytes) -> Iterator[bytes]:
    standard = run.replace(b"-", b"+").replace(b"_", b"/")
    for shift in range(4):
        part = standard[shift:]
        # A run can end within a group; one character alone holds no byte.
        part = part[:-1] if len(part) % 4 == 1 else part
        yield base64.b64decode(part + b"=" * (-len(part) % 4))


def _from_hex(run: bytes) -> Iterator[bytes]:
    for shift in range(2):
        part = run[shift:]
        yield bytes.fromhex(part[: len(part) // 2 * 2].decode())


def make_scanner(caseload: Caseload, *, today: date) -> Scanner:
    """A scanner for these youths."""
    words: list[tuple[str, bytes]] = [("number of a youth", number.lower()) for number in _NUMBERS]
    words += [("content of a county's record", note.lower().encode()) for note in _NOTES]
    words += [("name", form) for word in sorted(_name_words(caseload)) for form in _forms(word)]
    births = {person.birth_date for person in caseload.people()}
    numbers = [(f"birth date, {form}", needle) for birth in births for form, needle in _number_forms(birth)]
    stays = (stay for youth in (*caseload.a, *caseload.b) for stay in youth.stays)
    days = births | {day for stay in stays for day in (stay.start, stay.end) if day is not None}
    dates = frozenset(day for day in days if abs(day - today) > _RECENT)
    return Scanner(Needles(_shortest(words)), Needles({needle: what for what, needle in numbers}), dates)


def _shortest(needles: Sequence[tuple[str, bytes]]) -> dict[bytes, str]:
    """Without those that hold another: where they stand, the other stands too."""
    kept: dict[bytes, str] = {}
    for what, needle in sorted(needles, key=lambda item: len(item[1])):
        if not any(other in needle for other in kept):
            kept[needle] = what
    return kept


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


def _forms(word: str) -> Iterator[bytes]:
    """In lower case as far as bytes have one: lowering leaves a capital letter with an accent as it is."""
    for text in _spellings(word):
        yield text.encode().lower()
        yield text.encode("cp1252", "replace").lower()
        yield text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00").lower()
    yield _plain(word)[::-1].lower().encode()


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
