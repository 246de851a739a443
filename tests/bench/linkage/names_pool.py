"""Given names and surnames as frequent as people have them: 1990 census for the English ones, by weight for Spanish.

The census file (PyPI package `names`) gives frequencies; the Spanish spellings come from `Faker` (es_MX), weighted by
the census where it has the name. Nothing here is a person.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from random import Random

import names as census
from faker.providers.person.es_MX import Provider as Mexican

from adapters.identity.words import words

_FLATTER_GIVEN = 0.75
"""Names of youths are spread over more names than those of the adults of 1990."""
_FLATTER_SURNAME = 0.9
_RARE = 0.004


@dataclass(frozen=True, slots=True)
class Pool:
    """Names to draw from."""

    names: Sequence[str]
    cumulative: Sequence[float] = field(repr=False)

    def draw(self, source: Random) -> str:
        """A name, as often as its weight."""
        (name,) = source.choices(self.names, cum_weights=self.cumulative)
        return name


@cache
def given_names(*, spanish: bool, male: bool) -> Pool:
    """Given names of one language and sex."""
    listed = _census("dist.male.first" if male else "dist.female.first")
    if not spanish:
        return _pool(listed, _FLATTER_GIVEN)
    written = Mexican.first_names_male if male else Mexican.first_names_female
    return _pool({name: listed.get(_plain(name), _RARE) for name in written}, _FLATTER_GIVEN)


@cache
def surnames(*, spanish: bool) -> Pool:
    """Surnames of one language."""
    listed = _census("dist.all.last")
    mexican = {_plain(name): name for name in Mexican.last_names}
    if spanish:
        return _pool({name: listed.get(plain, _RARE / 10) for plain, name in mexican.items()}, _FLATTER_SURNAME)
    return _pool({name: weight for name, weight in listed.items() if name not in mexican}, _FLATTER_SURNAME)


def _census(file: str) -> dict[str, float]:
    with open(os.path.join(os.path.dirname(census.__file__), file), encoding="ascii") as lines:
        rows = (line.split() for line in lines)
        # Half of what the file rounds to zero: its last third is names of one frequency.
        return {name.lower(): max(float(weight), 0.0005) for name, weight, *_ in rows}


def _pool(weights: dict[str, float], power: float) -> Pool:
    return Pool(tuple(weights), tuple(accumulate(weight**power for weight in weights.values())))


def _plain(name: str) -> str:
    return "".join(words(name))
