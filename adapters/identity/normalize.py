"""One spelling for what counties write in many ways: words of a name, surname values, birth date.

Decides what is noise (case, accents, apostrophes, full stops, hyphens, suffixes, particles of a part) and what means
"not known". Letters of every script are kept; emoji and punctuation are not. Text is untrusted and of any length;
nothing here raises. Does not decide which fields make a key (`keys`), nor how sounds compare (`skeleton`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from datetime import date

from adapters.identity.scheme import DateRules, NameRules

# Letters that no Unicode decomposition takes apart but that clerks write without their stroke.
_LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ß": "ss", "ħ": "h"}
# Apostrophes as keyboards and word processors produce them, full stops, and the middle dot of Catalan. Joined, not
# separated: O'Brien, O\u2019Brien and OBrien are one name.
_JOINED = "'`\u00b4\u00b7\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u05f3\uff07.\uff0e\u2024"
_TABLE = str.maketrans(_LETTERS | dict.fromkeys(_JOINED, ""))
_DATE = re.compile(r"[0-9]{8}")


def words(text: str | None) -> tuple[str, ...]:
    """Return the words of a text: lower case, letters and digits only, without diacritics. Idempotent."""
    if not text:
        return ()
    # Twice: folding case can produce characters that decompose further.
    folded = _decompose(_decompose(text.translate(_TABLE)).casefold()).translate(_TABLE)
    return tuple("".join(_letter_or_space(character) for character in folded).split())


def given_name(text: str | None, rules: NameRules) -> str | None:
    """Return the first part of a given name, or None if it is missing or a placeholder."""
    parts = _without(words(text), rules.suffixes)
    placeholders = rules.placeholders | rules.given_placeholders
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


def _decompose(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def _letter_or_space(character: str) -> str:
    if character.isalnum():
        return character
    # Marks are diacritics; Cf are soft hyphens, joiners and direction marks that a copied name carries along unseen.
    return "" if unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"} else " "


def _without(parts: tuple[str, ...], noise: Collection[str]) -> tuple[str, ...]:
    """Drop the noise, unless the name is nothing else: Van and Le are also whole surnames."""
    return tuple(part for part in parts if part not in noise) or parts


def _is_phrase(parts: tuple[str, ...], placeholders: Collection[str]) -> bool:
    return " ".join(parts) in placeholders or "".join(parts) in placeholders


def _is_placeholder(part: str, placeholders: Collection[str]) -> bool:
    return part in placeholders or part.isdigit()
