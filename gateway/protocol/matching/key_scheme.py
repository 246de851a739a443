"""The shape of a token set: which match keys, how many tokens each, which of them every question carries. Pure.

Decides what a well-formed token set is. A set of another shape is refused before it is looked up: one token more would
ask about a second youth at the price of one, and a key left out could not disagree (TOKENS §4.1). Data, in
`keys-*.toml` beside this file. Does not decide what a key is worth (`weights`) nor how it is made.
"""

import functools
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import resources
from typing import Final

from homeward.gateway.v1.envelope_pb2 import TokenSet

SCHEME: Final = "2"
"""The version every county of an exchange uses."""
EXTENDED_SCHEME: Final = "2-extended"
"""For an exchange whose counties trust the addresses in their records."""


class ShapeFault(StrEnum):
    """How a token set departs from its scheme."""

    SCHEME = "SCHEME"
    KEYS = "KEYS"
    COUNT = "COUNT"
    REPEATED = "REPEATED"
    CORE = "CORE"


class ShapeError(ValueError):
    """The token set is not one of the scheme. The text names the fault, never a token."""

    def __init__(self, fault: ShapeFault) -> None:
        super().__init__(f"token set refused: {fault.value}")
        self.fault = fault


@dataclass(frozen=True, slots=True)
class KeyRule:
    """One match key: its name, how many tokens are always sent, whether every question carries it, and whether it needs
    a birth date that is exact to the day."""

    name: str
    pad: int
    core: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """The keys of one version, in the order of a token set."""

    version: str
    keys: tuple[KeyRule, ...]
    core: frozenset[str] = field(init=False)
    """The keys that find a youth."""
    core_of_estimated: frozenset[str] = field(init=False)
    """What of the core group a youth has whose birth date is estimated."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "core", frozenset(rule.name for rule in self.keys if rule.core))
        exact = frozenset(rule.name for rule in self.keys if rule.exact)
        object.__setattr__(self, "core_of_estimated", self.core - exact)

    @property
    def elements(self) -> int:
        """How many tokens one youth always has, all keys together."""
        return sum(rule.pad for rule in self.keys)

    def presence(self, carried: Collection[str]) -> int:
        """The keys carried, as a number: bit n is the nth key of the scheme."""
        return sum(1 << place for place, rule in enumerate(self.keys) if rule.name in carried)

    def carried(self, presence: int) -> frozenset[str]:
        """The keys of a `presence`."""
        return frozenset(rule.name for place, rule in enumerate(self.keys) if presence >> place & 1)

    def check(self, tokens: TokenSet) -> None:
        """The set has every key once, in order, each with exactly its pad of distinct tokens. Raises `ShapeError`."""
        if tokens.scheme != self.version:
            raise ShapeError(ShapeFault.SCHEME)
        if [group.key for group in tokens.keys] != [rule.name for rule in self.keys]:
            raise ShapeError(ShapeFault.KEYS)
        for rule, group in zip(self.keys, tokens.keys, strict=True):
            if len(group.tokens) != rule.pad:
                raise ShapeError(ShapeFault.COUNT)
            if len(set(group.tokens)) != rule.pad:
                raise ShapeError(ShapeFault.REPEATED)

    def check_core(self, tokens: TokenSet) -> None:
        """`check`, and the set carries the complete core group, or all of it that an estimated birth date allows.

        Raises `ShapeError`.
        """
        self.check(tokens)
        carried = present_keys(tokens) & self.core
        if carried not in (self.core, self.core_of_estimated):
            raise ShapeError(ShapeFault.CORE)

    def is_exact(self, carried: Collection[str]) -> bool:
        """Whether keys that are carried come from a birth date nobody marked as estimated."""
        return self.core <= frozenset(carried)


def present_keys(tokens: TokenSet) -> frozenset[str]:
    """The keys the youth's data carry; the others are dummies alone."""
    return frozenset(group.key for group in tokens.keys if group.present)


def parse_key_scheme(text: str) -> KeyScheme:
    """The scheme written in TOML; raises `KeyError`, `TypeError`, `TOMLDecodeError` for another shape."""
    document = tomllib.loads(text)
    return KeyScheme(document["version"], tuple(KeyRule(**row) for row in document["keys"]))


@functools.cache
def load_key_scheme(version: str = SCHEME) -> KeyScheme:
    """A scheme that ships with this release; raises `FileNotFoundError` for any other version."""
    file = resources.files("gateway.protocol.matching").joinpath(f"keys-{version}.toml")
    return parse_key_scheme(file.read_text(encoding="utf-8"))
