"""Short forms youths go by. Three of four stand in the tables the product ships; the fourth is made up on the spot.

A benchmark whose every nickname is in the table under test would measure the table against itself.
"""

import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from random import Random

from nicknames import NickNamer

from adapters.identity.words import words

_OUTSIDE = 0.25


def nickname_of(given: str, source: Random) -> str:
    """A short form of the name: from a table if there is one, or formed from the name itself."""
    plain = "".join(words(given))
    known = _table().get(plain, ())
    if known and source.random() >= _OUTSIDE:
        return source.choice(known)
    return _formed(plain, source)


def _formed(name: str, source: Random) -> str:
    stem = name.rstrip("aeiou") or name
    match source.randrange(3):
        case 0:
            return name[: source.choice((3, 4))]
        case 1:
            return stem + ("ita" if name.endswith("a") else "ito")
        case _:
            return name[:4].rstrip("aeiouy") + source.choice(("y", "ie"))


@cache
def _table() -> Mapping[str, Sequence[str]]:
    table: dict[str, set[str]] = defaultdict(set)
    for whole, short_forms in NickNamer().nickname_lookup.items():
        table[whole] |= short_forms
    text = resources.files("adapters.identity").joinpath("short-forms-es.toml").read_text(encoding="utf-8")
    for whole, short_forms in tomllib.loads(text)["short_forms"].items():
        table["".join(words(whole))] |= {"".join(words(short)) for short in short_forms}
    return {whole: tuple(sorted(short_forms)) for whole, short_forms in table.items()}
