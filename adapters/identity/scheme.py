"""The match-key scheme as a value: rules for names, dates and numbers, the short forms of given names, and the keys.

Read from `scheme.toml`, `common-names.toml` and `short-forms-es.toml` beside this file, the PyPI package `nicknames`,
and the keys that `gateway.protocol.matching` holds. Data, so that a county can read it.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from adapters.identity.short_forms import ShortForms, load_short_forms
from gateway.protocol.matching.key_scheme import SCHEME, KeyRule, load_key_scheme


@dataclass(frozen=True, slots=True)
class NameRules:
    """What in a name is noise, and what stands for no name. Words are in normalized form."""

    max_characters: int
    particles: frozenset[str]
    suffixes: frozenset[str]
    placeholders: frozenset[str]
    given_placeholders: frozenset[str]
    given_placeholders_as_written: frozenset[str]
    """Lower case, with accents."""
    no_further_name: frozenset[str]
    """Words that stand where a further given name would."""
    any_given_placeholder: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "any_given_placeholder", self.placeholders | self.given_placeholders)


@dataclass(frozen=True, slots=True)
class DateRules:
    """Which birth dates are believed: years inclusive, placeholders as YYYYMMDD."""

    first_year: int
    last_year: int
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True)
class NumberRules:
    """Which numbers stand for "not known", digits only."""

    postcodes: frozenset[str]
    last_fours: frozenset[str]
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class CommonNames:
    """Names that say little: normalized words."""

    given_names: frozenset[str] = field(repr=False)
    surnames: frozenset[str] = field(repr=False)

    def are_both(self, given: str, surname: str) -> bool:
        """Whether so many youths bear both that a birth year does not tell them apart."""
        return given in self.given_names and surname in self.surnames


@dataclass(frozen=True, slots=True)
class Scheme:
    """The rules under which two counties make equal values of one youth; the version is part of every keyed input."""

    version: str
    keys: tuple[KeyRule, ...]
    names: NameRules
    dates: DateRules
    numbers: NumberRules
    common: CommonNames = field(repr=False)
    short_forms: ShortForms = field(repr=False)

    @property
    def core(self) -> frozenset[str]:
        """The keys every question carries."""
        return frozenset(rule.name for rule in self.keys if rule.core)

    @property
    def elements(self) -> int:
        """How many values one identity always has, all keys together."""
        return sum(rule.pad for rule in self.keys)


def parse_scheme(text: str, version: str, short_forms: ShortForms) -> Scheme:
    """Return the scheme written in TOML.

    Raises `TypeError`, `KeyError` or `TOMLDecodeError` for another shape, `ValueError` for a version it is not for.
    """
    document = tomllib.loads(text)
    if version not in document["versions"]:
        raise ValueError("the rules are not for this version of the scheme")
    names, dates = document["names"], document["dates"]
    return Scheme(
        version=version,
        keys=load_key_scheme(version).keys,
        names=NameRules(max_characters=names.pop("max_characters"), **_sets(names)),
        dates=DateRules(dates.pop("first_year"), dates.pop("last_year"), **_sets(dates)),
        numbers=NumberRules(**_sets(document["numbers"])),
        common=CommonNames(**_sets(tomllib.loads(_file("common-names.toml")))),
        short_forms=short_forms,
    )


@functools.cache
def load_scheme(version: str = SCHEME) -> Scheme:
    """Return a scheme that ships with this release. Raises `ShortFormsChanged` where another table is installed."""
    text = _file("scheme.toml")
    short_forms = load_short_forms(_file("short-forms-es.toml"), digest=tomllib.loads(text)["nicknames_digest"])
    return parse_scheme(text, version, short_forms)


def with_county_forms(scheme: Scheme, county: Mapping[str, tuple[str, ...]]) -> Scheme:
    """Return the scheme with short forms a county adds for itself: it gets further values, and loses none.

    `county` maps a name to its short forms, as anybody would write them.
    """
    return replace(scheme, short_forms=scheme.short_forms.with_county(county))


def _file(name: str) -> str:
    return resources.files("adapters.identity").joinpath(name).read_text(encoding="utf-8")


def _sets(table: dict[str, Any]) -> dict[str, frozenset[str]]:
    return {name: frozenset(words) for name, words in table.items()}
