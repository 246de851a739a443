"""Which whole names a given name may be short for: Spanish and English, and what a county adds for itself.

Decides the order of the whole names, because only the first few become values: the county's own, then the Spanish
table's in the order of its rows (the most common name first), then those of the PyPI package `nicknames`, those with
most short forms first (they are the most common names).
Does not decide how many are kept (`builders`).
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nicknames import NickNamer, name_triplets

from adapters.identity.skeleton import skeleton
from adapters.identity.words import words


class ShortFormsChanged(RuntimeError):
    """The installed `nicknames` is not the one of the scheme; tokens made with it would find nobody."""

    def __init__(self) -> None:
        super().__init__("the installed package `nicknames` has another table than the match-key scheme")


@dataclass(frozen=True, slots=True)
class ShortForms:
    """Whole names by short form; normalized words."""

    shipped: Mapping[str, tuple[str, ...]] = field(repr=False)
    county: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _sounds: dict[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        shorts = {*self.shipped, *self.county}
        object.__setattr__(self, "_sounds", {short: _distinct_sounds(self.whole_names(short)) for short in shorts})

    def sounds(self, given: str) -> tuple[str, ...]:
        """Return the skeletons of `whole_names`, each once."""
        return self._sounds.get(given) or (skeleton(given),)

    def whole_names(self, given: str) -> tuple[str, ...]:
        """Return the name itself and every name it may be short for, the likeliest first."""
        return (given, *self.county.get(given, ()), *self.shipped.get(given, ()))

    def with_county(self, table: Mapping[str, Sequence[str]]) -> ShortForms:
        """Return the table with a county's own rows: a name and its short forms."""
        return ShortForms(self.shipped, _by_short_form(table))

    @property
    def county_digest(self) -> str:
        """Return a digest of what the county added, so that a change of it is seen; empty without."""
        rows = sorted((short, whole) for short, names in self.county.items() for whole in names)
        return hashlib.sha256(repr(rows).encode()).hexdigest() if rows else ""


def load_short_forms(spanish: str, *, digest: str) -> ShortForms:
    """Return the shipped tables; `spanish` is TOML, `digest` that of the package's table.

    Raises `ShortFormsChanged`, `TOMLDecodeError`, `KeyError`.
    """
    if package_digest() != digest:
        raise ShortFormsChanged
    merged: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for table in (_by_short_form(tomllib.loads(spanish)["short_forms"]), _package()):
        for short, wholes in table.items():
            merged[short] += tuple(whole for whole in wholes if whole not in merged[short])
    return ShortForms(dict(merged))


@functools.cache
def package_digest() -> str:
    """Return the SHA-256 of the installed package's table, whatever the order of its rows."""
    rows = sorted(f"{triplet.name1} {triplet.relationship} {triplet.name2}" for triplet in name_triplets())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _package() -> dict[str, tuple[str, ...]]:
    names = NickNamer()
    sizes = {name: len(short) for name, short in names.nickname_lookup.items()}
    return {
        short: tuple(sorted(wholes, key=lambda whole: (-sizes.get(whole, 0), whole)))
        for short, wholes in names.canonical_lookup.items()
    }


def _by_short_form(table: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for whole, short_forms in table.items():
        for short in short_forms:
            found[_word(short)] += (_word(whole),)
    return dict(found)


def _distinct_sounds(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(skeleton, names)))


def _word(name: str) -> str:
    """The first word, as a given name is its first part."""
    return (words(name) or ("",))[0]
