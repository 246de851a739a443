"""What each match key is worth, as a value read from `weights-*.toml`: data, so that a privacy officer can read it.

Decides that a weight file names exactly the keys of its scheme, rewards agreement and never rewards disagreement. Does
not decide how weights are found (fitted on pairs somebody has judged), nor what a sum of them means (`classify`).
"""

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from math import log2
from typing import Final

from gateway.protocol.matching.key_scheme import SCHEME, load_key_scheme
from gateway.protocol.names import Purpose

REFERENCE_OVERLAP: Final = 0.2
"""Of the pairs the weights were fitted on: this part of one list was in the other."""
_DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of one scheme; all in bits (log2 of odds)."""

    scheme: str
    bias: float
    smallest_index: int
    """Records an index is counted as having at least."""
    auto: float
    possible: float
    margin: float
    guard: frozenset[str]
    """Keys of which a match needs one."""
    bars: tuple[frozenset[str], ...]
    """Groups of keys: who differs on a key of one and agrees on none of it is no match, whatever the score."""
    overlap: Mapping[str, float] = field(repr=False)
    """Expected part of the youths asked about that are listed, by purpose; `default` for the others."""
    agree: Mapping[str, float] = field(repr=False)
    disagree: Mapping[str, float] = field(repr=False)

    def prior(self, records: int, *, purpose: str = _DEFAULT) -> float:
        """Log-odds that one record of an index of this size is the youth, before any key is looked at."""
        overlap = self.overlap.get(purpose, self.overlap[_DEFAULT])
        return self.bias - log2(max(records, self.smallest_index)) + log2(overlap / REFERENCE_OVERLAP)


class WeightsError(ValueError):
    """A weight file is not one of its scheme. The text names a key or a field."""


def parse_weights(text: str) -> Weights:
    """The weights written in TOML.

    Raises `WeightsError`; `KeyError`, `TypeError`, `TOMLDecodeError` for another shape.
    """
    document = tomllib.loads(text)
    bars = tuple(frozenset(group) for group in document["bars"])
    weights = Weights(**document | {"guard": frozenset(document["guard"]), "bars": bars})
    names = {rule.name for rule in load_key_scheme(weights.scheme).keys}
    for table in (weights.agree, weights.disagree):
        if table.keys() != names:
            raise WeightsError(f"keys missing or unknown: {', '.join(sorted(table.keys() ^ names))}")
    for field_name, keys in (("guard", weights.guard), ("bars", frozenset[str]().union(*weights.bars))):
        if not keys <= names:
            raise WeightsError(f"{field_name}: {', '.join(sorted(keys - names))}")
    if any(bits < 0 for bits in weights.agree.values()) or any(bits > 0 for bits in weights.disagree.values()):
        raise WeightsError("agreeing must not speak against a match, nor disagreeing for one")
    if not weights.possible < weights.auto:
        raise WeightsError("possible: below auto")
    if any(not 0 < part <= 1 for part in weights.overlap.values()):
        raise WeightsError("overlap: above 0, at most 1")
    strangers = weights.overlap.keys() - {_DEFAULT, *Purpose}
    if _DEFAULT not in weights.overlap or strangers:
        # A purpose written wrongly would silently count as any other.
        raise WeightsError(f"overlap: {', '.join(sorted(strangers)) or 'without default'}")
    return weights


@functools.cache
def load_weights(version: str = SCHEME) -> Weights:
    """The weights that ship with this release; raises `FileNotFoundError` for a scheme without."""
    file = resources.files("gateway.protocol.matching").joinpath(f"weights-{version}.toml")
    return parse_weights(file.read_text(encoding="utf-8"))
