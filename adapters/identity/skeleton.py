"""The sound of a name in English and Spanish, reduced to its consonants.

    first letter kept (h is silent), other vowels dropped
    ch = sh = x      ph = f      b = v      s = z = soft c      c = k = q      j = soft g      a doubled letter once
    y before a vowel is j at the beginning: Yesenia and Jessenia, Yovani and Giovanny

Decides only which spellings sound alike. Letters outside the Latin alphabet stay as they are.
"""

from __future__ import annotations

import re

_DIGRAPHS = re.compile(r"ch|sh|ph|[cg](?=[eiy])|^y(?=[aeiou])")
_DIGRAPH_SOUNDS = {"ch": "x", "sh": "x", "ph": "f", "c": "s", "g": "j", "y": "j"}
_SOUNDS = str.maketrans({"c": "k", "q": "k", "z": "s", "v": "b", "h": None})
_DOUBLED = re.compile(r"(.)\1+")
_VOWELS = str.maketrans(dict.fromkeys("aeiouy"))


def skeleton(word: str) -> str:
    """Return the skeleton of a normalized word; never empty for a word that is not."""
    sounds = _DIGRAPHS.sub(lambda found: _DIGRAPH_SOUNDS[found[0]], word).translate(_SOUNDS)
    sounds = _DOUBLED.sub(r"\1", sounds) or word
    return sounds[0] + sounds[1:].translate(_VOWELS) if sounds else ""
