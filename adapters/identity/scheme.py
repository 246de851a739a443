"""The match-key scheme as a value, read from `scheme.toml` beside this file: data, so that a county can read it."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One match key: its name, how many values are always sent, and whether a question without it is refused."""

    name: str
    pad: int
    core: bool


@dataclass(frozen=True, slots=True)
class NameRules:
    """What in a name is noise, and what stands for no name. Words are in normalized form."""

    max_characters: int
    particles: frozenset[str]
    suffixes: frozenset[str]
    placeholders: frozenset[str]
    given_placeholders: frozenset[str]


@dataclass(frozen=True, slots=True)
class DateRules:
    """Which birth dates are believed: years inclusive, placeholders as YYYYMMDD."""

    first_year: int
    last_year: int
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True)
class Scheme:
    """The rules under which two counties make equal values of one youth; the version is part of every keyed input."""

    version: str
    keys: tuple[KeyRule, ...]
    names: NameRules
    dates: DateRules

    @property
    def elements(self) -> int:
        """How many values one identity always has, all keys together."""
        return sum(rule.pad for rule in self.keys)


def parse_scheme(text: str) -> Scheme:
    """Return the scheme written in TOML; raises `TypeError`, `KeyError` or `TOMLDecodeError` for another shape."""
    document = tomllib.loads(text)
    names, dates = document["names"], document["dates"]
    return Scheme(
        version=document["version"],
        keys=tuple(KeyRule(**row) for row in document["keys"]),
        names=NameRules(max_characters=names.pop("max_characters"), **_sets(names)),
        dates=DateRules(dates.pop("first_year"), dates.pop("last_year"), **_sets(dates)),
    )


@functools.cache
def load_scheme() -> Scheme:
    """Return the scheme that ships with this release."""
    return parse_scheme(resources.files("adapters.identity").joinpath("scheme.toml").read_text(encoding="utf-8"))


def _sets(table: dict[str, Any]) -> dict[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in table.items()}
