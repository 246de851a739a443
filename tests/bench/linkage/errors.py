"""What goes wrong between a youth and a row: each error a function of the row, at a rate written down here.

The rates are assumptions (TOKENS §1.4), "doubled" twice as many of those that are mistakes. Both copies of a youth are
written down with errors of their own.
"""

import unicodedata
from dataclasses import dataclass, replace
from random import Random

from tests.bench.linkage.names_pool import surnames
from tests.bench.linkage.nicknames_pool import nickname_of

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BY_EAR = (
    ("c", "k"), ("k", "c"), ("s", "z"), ("z", "s"), ("b", "v"), ("v", "b"), ("y", "i"), ("i", "y"), ("ph", "f"),
    ("f", "ph"), ("j", "g"), ("ge", "je"), ("ll", "l"), ("l", "ll"), ("n", "nn"), ("tt", "t"), ("qu", "k"), ("x", "j"),
    ("h", ""), ("ie", "y"), ("ee", "i"), ("ce", "se"), ("ci", "si"), ("ea", "e"), ("ck", "k"), ("sh", "ch"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rates:
    """Probabilities, for each copy."""

    given_typo: float = 0.03
    nickname: float = 0.07
    middle_name: float = 0.02
    whole_given: float = 0.5
    twins_whole_given: float = 0.9
    given_by_ear: float = 0.015
    name_swap: float = 0.006
    surname_typo: float = 0.03
    surname_by_ear: float = 0.015
    surname_changed: float = 0.05
    half_surname: float = 0.40
    day_month_swap: float = 0.012
    birth_digit: float = 0.015
    first_january: float = 0.006
    birth_missing: float = 0.006
    moved: float = 0.55
    ssn4_missing: float = 0.45
    zip_missing: float = 0.10
    accents_dropped: float = 0.60

    def doubled(self) -> "Rates":
        """Twice the mistakes; moving, missing numbers, halves, further names and accents stay: those are habits."""
        mistakes = (
            "given_typo", "nickname", "middle_name", "given_by_ear", "name_swap", "surname_typo", "surname_by_ear",
            "surname_changed", "day_month_swap", "birth_digit", "first_january", "birth_missing",
        )  # fmt: skip
        return replace(self, **{name: 2 * getattr(self, name) for name in mistakes})


@dataclass(frozen=True, slots=True)
class Written:
    """A youth as somebody writes the youth down."""

    given: str
    middle: str
    surnames: tuple[str, ...]
    birth: tuple[int, int, int] | None
    estimated: bool
    spanish: bool
    faults: frozenset[str]
    """Which errors struck, for the breakdown of recall."""


def with_errors(written: Written, rates: Rates, source: Random) -> Written:
    """A copy with the errors that chance chose."""
    return _with_birth_errors(_with_surname_errors(_with_given_errors(written, rates, source), rates, source), rates,
                              source)  # fmt: skip


def typo(word: str, source: Random) -> str:
    """One letter wrong, missing, too many or changed places with its neighbor."""
    place = source.randrange(len(word))
    letter = source.choice(_LETTERS)
    match source.randrange(4):
        case 0:
            return word[:place] + letter + word[place + 1 :]
        case 1:
            return word[:place] + letter + word[place:]
        case 2 if len(word) > 2:
            return word[:place] + word[place + 1 :]
        case _:
            place = min(place, max(len(word) - 2, 0))
            return word[:place] + word[place : place + 2][::-1] + word[place + 2 :]


def by_ear(word: str, source: Random) -> str:
    """One sound spelled otherwise; the word itself where nothing in it can be."""
    fitting = [(one, other) for one, other in _BY_EAR if one in word]
    if not fitting:
        return word
    one, other = source.choice(fitting)
    return word.replace(one, other, 1) or word


def without_accents(text: str) -> str:
    """The text as a keyboard without accents writes it."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _with_given_errors(written: Written, rates: Rates, source: Random) -> Written:
    given, faults = written.given, set(written.faults)
    if source.random() < rates.nickname:
        given = nickname_of(given, source)
        faults.add("nickname")
    if written.middle and source.random() < rates.middle_name:
        given = written.middle
        faults.add("given otherwise")
    if source.random() < rates.given_typo:
        given = typo(given, source)
        faults.add("given otherwise")
    if source.random() < rates.given_by_ear:
        given = by_ear(given, source)
        faults.add("given otherwise")
    return replace(written, given=given, faults=frozenset(faults))


def _with_surname_errors(written: Written, rates: Rates, source: Random) -> Written:
    parts, given, faults = list(written.surnames), written.given, set(written.faults)
    if source.random() < rates.surname_changed:
        parts = [surnames(spanish=written.spanish).draw(source)]
        faults.add("surname")
    elif len(parts) > 1 and source.random() < rates.half_surname:
        parts = [source.choice(parts)]
        faults.add("half surname")
    for rate, change in ((rates.surname_typo, typo), (rates.surname_by_ear, by_ear)):
        if source.random() < rate:
            place = source.randrange(len(parts))
            parts[place] = change(parts[place], source)
            faults.add("surname")
    if source.random() < rates.name_swap:
        given, parts = parts[0], [given]
        faults.add("name swap")
    return replace(written, given=given, surnames=tuple(parts), faults=frozenset(faults))


def _with_birth_errors(written: Written, rates: Rates, source: Random) -> Written:
    if written.birth is None:
        return written
    (year, month, day), estimated, faults = written.birth, False, set(written.faults)
    if day <= 12 and day != month and source.random() < rates.day_month_swap * 365 / 132:
        month, day = day, month
        faults.add("day and month")
    if source.random() < rates.birth_digit:
        year, month, day = _one_component(year, month, day, source)
        faults.add("birth component")
    if source.random() < rates.first_january:
        month, day, estimated = 1, 1, source.random() < 0.5
        faults.add("1 January")
    if source.random() < rates.birth_missing:
        return replace(written, birth=None, faults=frozenset({*faults, "birth missing"}))
    return replace(written, birth=(year, month, day), estimated=estimated, faults=frozenset(faults))


def _one_component(year: int, month: int, day: int, source: Random) -> tuple[int, int, int]:
    match source.randrange(3):
        case 0:
            return year + source.choice((-1, 1, -2, 2, 10, -10)), month, min(day, 28)
        case 1:
            return year, source.randrange(1, 13), min(day, 28)
        case _:
            return year, month, source.randrange(1, 29)
