"""The words of a text as counties write it in many ways: one case, no accents, no apostrophes, hyphens or full stops.

Letters of every script are kept; emoji and punctuation are not. Text is untrusted and of any length; nothing here
raises. Does not decide which words are noise or placeholders (`normalize`).
"""

from __future__ import annotations

import unicodedata

# Letters that no Unicode decomposition takes apart but that clerks write without their stroke.
_LETTERS = {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ß": "ss", "ħ": "h"}
# Apostrophes as keyboards and word processors produce them, full stops, and the middle dot of Catalan. Joined, not
# separated: O'Brien, O\u2019Brien and OBrien are one name.
_JOINED = "'`\u00b4\u00b7\u2018\u2019\u201b\u2032\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u05f3\uff07.\uff0e\u2024"
_TABLE = str.maketrans(_LETTERS | dict.fromkeys(_JOINED, ""))


def words(text: str | None) -> tuple[str, ...]:
    """Return the words of a text: lower case, letters and digits only, without diacritics. Idempotent."""
    if not text:
        return ()
    if text.isascii():
        folded = text.casefold().translate(_TABLE)
    else:
        # Twice: folding case can produce characters that decompose further.
        folded = _decompose(_decompose(text.translate(_TABLE)).casefold()).translate(_TABLE)
    return tuple("".join(_letter_or_space(character) for character in folded).split())


def _decompose(text: str) -> str:
    return unicodedata.normalize("NFKD", text)


def _letter_or_space(character: str) -> str:
    if character.isalnum():
        return character
    # Marks are diacritics; Cf are soft hyphens, joiners and direction marks that a copied name carries along unseen.
    return "" if unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"} else " "
