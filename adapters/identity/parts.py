"""Match keys that are written down as a list of parts: every combination of what the parts hold is a value.

Decides what each part holds, the likeliest value first. Which parts make which key is data (`extended-keys.toml`), for
an exchange whose counties trust the addresses in their records. A key of which one part is not known has no value.
"""

from __future__ import annotations

import functools
import itertools
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources

from adapters.identity.builders import BUILDERS, Builder, encode, one_deletion, swapped
from adapters.identity.skeleton import skeleton
from adapters.identity.youth import Youth

_LETTERS = 11
Part = Callable[[Youth], Sequence[str]]


def composed(names: Sequence[str]) -> Builder:
    """Return the builder of a key that is made of these parts. Raises `KeyError` for a part nobody wrote."""
    parts = [_PARTS[name] for name in names]

    def build(youth: Youth) -> Iterator[bytes]:
        for values in itertools.product(*(part(youth) for part in parts)):
            yield encode(*values)

    return build


def builder_of(name: str) -> Builder:
    """Return what makes the key. Raises `KeyError` for a key nobody wrote."""
    return BUILDERS.get(name) or _load_composed()[name]


@functools.cache
def _load_composed() -> dict[str, Builder]:
    text = resources.files("adapters.identity").joinpath("extended-keys.toml").read_text(encoding="utf-8")
    return {name: composed(parts) for name, parts in tomllib.loads(text)["parts"].items()}


def _known(*values: str | None) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def _edited(words: Sequence[str]) -> tuple[str, ...]:
    """The words, then each without one letter."""
    return (*words, *(shorter for word in words for shorter in one_deletion(word, letters=_LETTERS)))


def _day(youth: Youth, start: int, stop: int) -> tuple[str, ...]:
    return (youth.birth_date[start:stop],) if youth.birth_date else ()


def _street(youth: Youth) -> tuple[str, ...]:
    """The sound of the first word: what follows is mostly "street" or "avenue", written or not."""
    return tuple(skeleton(word) for word in youth.address.street[:1])


_PARTS: Mapping[str, Part] = {
    "given": lambda youth: youth.all_nicks,
    "givenedit": lambda youth: _edited(youth.givens),
    "initial": lambda youth: tuple(dict.fromkeys(given[0] for given in youth.givens)),
    "surname": lambda youth: youth.surname_sounds,
    "surnameedit": lambda youth: _edited(youth.surnames),
    "eithername": lambda youth: tuple(dict.fromkeys((*youth.surname_sounds, *map(skeleton, youth.givens)))),
    "names": lambda youth: tuple("\x1f".join(sounds) for sounds in youth.sounds),
    "anyorder": lambda youth: tuple("\x1f".join(sorted(sounds)) for sounds in youth.sounds),
    "dob": lambda youth: _known(youth.birth_date),
    "dobswap": lambda youth: _known(swapped(youth.birth_date)),
    "year": lambda youth: _day(youth, 0, 4),
    "monthday": lambda youth: _day(youth, 4, 8) if youth.exact else (),
    "year_month": lambda youth: _day(youth, 0, 6),
    "zip": lambda youth: _known(youth.address.postcode),
    "house": lambda youth: _known(youth.address.house),
    "street": _street,
    "suburb": lambda youth: _known(skeleton(youth.address.suburb)),
    "state": lambda youth: _known(youth.address.state),
    "ssn4": lambda youth: _known(youth.last_four),
    "ssn4edit": lambda youth: tuple(dict.fromkeys(one_deletion(youth.last_four or "", letters=4))),
}
