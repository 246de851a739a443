"""One spelling for what counties write in many ways: given name, surname values, birth date, numbers of an address.

Decides what is noise (suffixes, particles of a part) and what means "not known". Text is untrusted and of any length;
nothing here raises. Does not decide which fields make a key (`builders`), nor how sounds compare (`skeleton`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

from adapters.identity.scheme import DateRules, NameRules, NumberRules
from adapters.identity.words import words

_DATE = re.compile(r"[0-9]{8}")
_POSTCODE = re.compile(r"[0-9]{4,5}")
_HOUSE = re.compile(r"[0-9]{1,6}")
_NOT_DIGITS = re.compile(r"[^0-9]+")
_LAST_FOUR = 4


def given_name(text: str | None, rules: NameRules) -> str | None:
    """Return the first part of a given name, or None if it is missing or a placeholder."""
    parts = _without(words(text), rules.suffixes)
    placeholders = rules.any_given_placeholder
    if not parts or _is_phrase(parts, placeholders) or _is_placeholder(parts[0], placeholders):
        return None
    return parts[0]


def surname_values(text: str | None, rules: NameRules) -> tuple[str, ...]:
    """Return the forms by which a surname is found: all joined, first part, last part; distinct, empty if missing."""
    parts = _without(words(text), rules.suffixes)
    if _is_phrase(parts, rules.placeholders):
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


def _is_phrase(parts: tuple[str, ...], placeholders: Collection[str]) -> bool:
    return " ".join(parts) in placeholders or "".join(parts) in placeholders


def _is_placeholder(part: str, placeholders: Collection[str]) -> bool:
    return part in placeholders or part.isdigit()
