"""The shape of a token set: which match keys, how many tokens each, which of them every question carries. Pure.

Decides what a well-formed token set is, and alone knows where in its packed value which key lies: all tokens one after
another, key by key, each key as long as the scheme says. A set of another shape is refused before anything is read from
it: one token more would ask about a second youth at the price of one, and a key left out could not disagree
(TOKENS §4.1). Every question comes through here, so what follows from the scheme alone is worked out once, and tokens
are checked and cut by single calls over the whole value. Data, in `keys-*.toml` beside this file. Does not decide what
a key is worth (`weights`) nor how it is made.
"""

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache, partial
from importlib import resources
from itertools import accumulate, pairwise
from struct import Struct
from typing import Final

from gateway.protocol.oprf import TOKEN_LENGTH
from homeward.gateway.v1.envelope_pb2 import TokenSet

SCHEME: Final = "3"
"""The version every county of an exchange uses."""
EXTENDED_SCHEME: Final = "3-extended"
"""For an exchange whose counties trust the addresses in their records."""
_PRESENCES_KEPT: Final = 2048
"""More than there are among the sets that `check_core` lets through, under the scheme in use."""


class ShapeFault(StrEnum):
    """How a token set departs from its scheme."""

    SCHEME = "SCHEME"
    COUNT = "COUNT"
    PRESENCE = "PRESENCE"
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
class _Reading:
    """What a presence stands for, and where in the packed value of a set it lies."""

    keys: frozenset[str]
    place_of_each: tuple[int, ...]
    places: tuple[slice, ...]
    """In bytes; keys that lie next to each other are one piece."""


@dataclass(frozen=True, slots=True)
class KeyScheme:
    """The keys of one version, in the order of a token set."""

    version: str
    keys: tuple[KeyRule, ...]
    core: frozenset[str] = field(init=False)
    """The keys that find a youth."""
    core_of_estimated: frozenset[str] = field(init=False)
    """What of the core group a youth has whose birth date is estimated."""
    elements: int = field(init=False)
    """How many tokens one youth always has, all keys together."""
    _core: int = field(init=False, repr=False, compare=False)
    _allowed: tuple[int, int] = field(init=False, repr=False, compare=False)
    """What a set may have of the core group."""
    _places: Mapping[str, slice] = field(init=False, repr=False, compare=False)
    """Where in the packed value each key lies, in bytes."""
    _reading: Callable[[int], _Reading] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        core = frozenset(rule.name for rule in self.keys if rule.core)
        of_estimated = core - {rule.name for rule in self.keys if rule.exact}
        ends = list(accumulate(rule.pad * TOKEN_LENGTH for rule in self.keys))
        places = {rule.name: slice(*place) for rule, place in zip(self.keys, pairwise((0, *ends)), strict=True)}
        made = {
            "core": core,
            "core_of_estimated": of_estimated,
            "elements": ends[-1] // TOKEN_LENGTH,
            "_core": self.presence(core),
            "_allowed": (self.presence(core), self.presence(of_estimated)),
            "_places": places,
            "_reading": lru_cache(_PRESENCES_KEPT)(partial(_read, self.keys, places)),
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def presence(self, carried: Collection[str]) -> int:
        """The keys carried, as a number: bit n is the nth key of the scheme."""
        return sum(1 << place for place, rule in enumerate(self.keys) if rule.name in carried)

    def carried(self, presence: int) -> frozenset[str]:
        """The keys of a `presence`."""
        return self._reading(presence).keys

    def place_of_each(self, presence: int) -> tuple[int, ...]:
        """The place in `keys` of the key of each of the tokens in `present`, in order."""
        return self._reading(presence).place_of_each

    def token_set(self, epoch: str, tokens: Iterable[bytes], *, carried: Collection[str]) -> TokenSet:
        """The set of these tokens, in the scheme's order and dummies included. Raises `ShapeError`."""
        presence, packed = self.presence(carried), b"".join(tokens)
        made = TokenSet(epoch=epoch, scheme=self.version, presence=presence, tokens=packed)
        self.check(made)
        return made

    def check(self, tokens: TokenSet) -> None:
        """The set has exactly the scheme's tokens, none of them twice, and no key but its. Raises `ShapeError`."""
        if tokens.scheme != self.version:
            raise ShapeError(ShapeFault.SCHEME)
        packed = tokens.tokens
        if len(packed) != self.elements * TOKEN_LENGTH:
            raise ShapeError(ShapeFault.COUNT)
        if tokens.presence >> len(self.keys):
            raise ShapeError(ShapeFault.PRESENCE)
        # Over all keys at once: what is hashed to a token names its key, so that two keys of a youth never share one.
        if len(set(split_tokens(packed))) != self.elements:
            raise ShapeError(ShapeFault.REPEATED)

    def check_core(self, tokens: TokenSet) -> None:
        """`check`, and the set carries the complete core group, or all of it that an estimated birth date allows.

        Raises `ShapeError`.
        """
        self.check(tokens)
        if tokens.presence & self._core not in self._allowed:
            raise ShapeError(ShapeFault.CORE)

    def present(self, tokens: TokenSet) -> bytes:
        """All tokens of the keys that the set carries, dummies among them, one after another. `tokens` is checked."""
        packed = tokens.tokens
        return b"".join([packed[place] for place in self._reading(tokens.presence).places])

    def tokens_of(self, tokens: TokenSet, key: str) -> bytes:
        """The tokens of one key, dummies among them; empty where the set does not carry it. `tokens` is checked."""
        return tokens.tokens[self._places[key]] if key in self._reading(tokens.presence).keys else b""

    def is_exact(self, carried: Collection[str]) -> bool:
        """Whether keys that are carried come from a birth date nobody marked as estimated."""
        return self.core <= frozenset(carried)


def present_keys(tokens: TokenSet) -> frozenset[str]:
    """The keys the youth's data carry; the others are dummies alone. `tokens` is checked."""
    return load_key_scheme(tokens.scheme).carried(tokens.presence)


def split_tokens(packed: bytes) -> tuple[bytes, ...]:
    """Tokens that lie one after another, each by itself, 16 bytes. `packed` holds whole ones."""
    return _splitter(len(packed) // TOKEN_LENGTH).unpack(packed)


@cache
def _splitter(count: int) -> Struct:
    return Struct(f"{TOKEN_LENGTH}s" * count)


def _read(keys: Sequence[KeyRule], places: Mapping[str, slice], presence: int) -> _Reading:
    at = [place for place in range(len(keys)) if presence >> place & 1]
    carried = [keys[place] for place in at]
    pieces: list[slice] = []
    for piece in (places[rule.name] for rule in carried):
        if pieces and pieces[-1].stop == piece.start:
            pieces[-1] = slice(pieces[-1].start, piece.stop)
        else:
            pieces.append(piece)
    of_each = tuple(place for place in at for _ in range(keys[place].pad))
    return _Reading(frozenset(rule.name for rule in carried), of_each, tuple(pieces))


def parse_key_scheme(text: str) -> KeyScheme:
    """The scheme written in TOML; raises `KeyError`, `TypeError`, `TOMLDecodeError` for another shape."""
    document = tomllib.loads(text)
    return KeyScheme(document["version"], tuple(KeyRule(**row) for row in document["keys"]))


@cache
def load_key_scheme(version: str = SCHEME) -> KeyScheme:
    """A scheme that ships with this release; raises `FileNotFoundError` for any other version.

    A version ships for as long as a county may still hold sets of it: nothing can be read from one without its scheme.
    """
    file = resources.files("gateway.protocol.matching").joinpath(f"keys-{version}.toml")
    return parse_key_scheme(file.read_text(encoding="utf-8"))
