"""One spelling for what counties write in many ways: given names, surname values, birth date, numbers of an address.

Decides what is noise (suffixes, particles of a part) and what means "not known". Text is untrusted and of any length;
nothing here raises. Does not decide which fields make a key (`builders`), nor how sounds compare (`skeleton`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from adapters.identity.scheme import DateRules, NameRules, NumberRules
from adapters.identity.words import words

_DATE = re.compile(r"[0-9]{8}")
_POSTCODE = re.compile(r"[0-9]{4,5}")
_HOUSE = re.compile(r"[0-9]{1,6}")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_LAST_FOUR = 4
_MONTHS, _DAYS = 12, 31


def given_names(text: str | None, rules: NameRules) -> tuple[str, ...]:
    """Return the parts of a given name, the first one first; empty if it is missing or begins like a placeholder.

    A further part may be an initial; particles and placeholders among the further parts are dropped.
    """
    parts = _without(words(text), rules.suffixes)
    placeholders = rules.any_given_placeholder
    if not parts or _begins_as(parts, placeholders) or _first_as_written(text) in rules.given_placeholders_as_written:
        return ()
    further = parts[1:]
    if further and _begins_as(further, placeholders | rules.no_further_name):
        return parts[:1]
    return parts[0], *(
        part for part in further if part not in rules.particles and not _is_placeholder(part, placeholders)
    )


def surname_values(text: str | None, rules: NameRules) -> tuple[str, ...]:
    """Return the forms by which a surname is found: all joined, first part, last part; distinct, empty if missing."""
    parts = _without(words(text), rules.suffixes)
    if _is_phrase(parts, rules.placeholders) or _begins_with_phrase(parts, rules.placeholders):
        return ()
    parts = tuple(part for part in parts if not _is_placeholder(part, rules.placeholders))
    if not parts or _is_phrase(parts, rules.placeholders):
        return ()
    cores = _without(parts, rules.particles)
    return tuple(dict.fromkeys(("".join(parts), cores[0], cores[-1])))


def birth_date(text: str | None, rules: DateRules) -> str | None:
    """Return the date as YYYYMMDD, or None if it is missing, no day of the calendar, out of range or a placeholder."""
    digits = (text or "").strip()
    if not _DATE.fullmatch(digits) or digits in rules.placeholders:
        return None
    try:
        day = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
    return digits if rules.first_year <= day.year <= rules.last_year else None


@dataclass(frozen=True, slots=True)
class DateParts:
    """What of a birth date can be read, two parts at a time; None where one of the two is no year, month or day."""

    year: str | None = field(default=None, repr=False)
    year_month: str | None = field(default=None, repr=False)
    year_day: str | None = field(default=None, repr=False)
    month_day: str | None = field(default=None, repr=False)


def date_parts(text: str | None, rules: DateRules) -> DateParts:
    """Return the readable parts: of "20101340" the year and the day, although there is no such date."""
    digits = (text or "").strip()
    if not _DATE.fullmatch(digits) or digits in rules.placeholders:
        return DateParts()
    year, month, day = digits[:4], digits[4:6], digits[6:]
    is_year = rules.first_year <= int(year) <= rules.last_year
    is_month, is_day = 1 <= int(month) <= _MONTHS, 1 <= int(day) <= _DAYS
    return DateParts(
        year=year if is_year else None,
        year_month=year + month if is_year and is_month else None,
        year_day=year + day if is_year and is_day else None,
        month_day=month + day if is_month and is_day else None,
    )


def postcode(text: str | None, rules: NumberRules) -> str | None:
    """Return the four or five digits a postal code begins with, or None if it is missing or a placeholder."""
    found = _POSTCODE.match((text or "").strip())
    return found[0] if found and found[0] not in rules.postcodes else None


def house_number(text: str | None) -> str | None:
    """Return the number an address begins with, without leading zeros, or None: "12-B" and "012" are one house."""
    found = _HOUSE.match((text or "").strip())
    return found[0].lstrip("0") or None if found else None


def last_four(text: str | None, rules: NumberRules) -> str | None:
    """Return the last four digits of a number, all that is ever used of it, or None if nobody has such a number."""
    digits = _NOT_DIGITS.sub("", text or "")
    last = digits[-_LAST_FOUR:]
    if len(last) < _LAST_FOUR or last in rules.last_fours or digits in rules.ids:
        return None
    return None if len(digits) > _LAST_FOUR and len(set(digits)) == 1 else last


def is_placeholder(text: str | None, found: object) -> bool:
    """Whether something was written and nothing was `found` in it: no name, which is more than a missing one."""
    return not found and bool(words(text))


def _without(parts: tuple[str, ...], noise: Collection[str]) -> tuple[str, ...]:
    """Drop the noise, unless the name is nothing else: Van and Le are also whole surnames."""
    return tuple(part for part in parts if part not in noise) or parts


def _begins_as(parts: tuple[str, ...], placeholders: Collection[str]) -> bool:
    """Whether the name is a placeholder, or a longer form of one: "Bebé Niña", "Baby Boy 2", "Hijo de María"."""
    first = _is_placeholder(parts[0], placeholders)
    return first or _is_phrase(parts, placeholders) or _begins_with_phrase(parts, placeholders)


def _is_phrase(parts: tuple[str, ...], placeholders: Collection[str]) -> bool:
    return " ".join(parts) in placeholders or "".join(parts) in placeholders


def _begins_with_phrase(parts: tuple[str, ...], placeholders: Collection[str]) -> bool:
    """Whether several words at the beginning are a placeholder together: "No First Name given"."""
    return any(" ".join(parts[:count]) in placeholders for count in range(2, len(parts)))


def _is_placeholder(part: str, placeholders: Collection[str]) -> bool:
    """Whether a word says that there is no name; the number a hospital gives a newborn may hang on it: "Boy2"."""
    return part.rstrip("0123456789") in placeholders or part.isdigit()


def _first_as_written(text: str | None) -> str:
    """The first word with its accents: Niña is a placeholder, Nina is a name."""
    return (unicodedata.normalize("NFC", text or "").casefold().split() or [""])[0]
