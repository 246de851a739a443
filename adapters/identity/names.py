"""One name of a youth, and by what else it may be found: short forms, further parts of the given name, all in one.

Decides which of these are likelier: the name itself, then in turn its further parts and what it may be short for.
How many of them a key has room for is its pad (`keys`). Does not decide what is no name at all (`normalize`), nor what
makes which key (`builders`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from adapters.identity.short_forms import ShortForms
from adapters.identity.skeleton import skeleton

NICK_VALUES = 7
"""Whole names that one given name may stand for, itself included."""
_INITIAL = 1


@dataclass(frozen=True, slots=True)
class Name:
    """One name of a youth, normalized: the given name or "", and every form of the surname, the whole one first."""

    given: str = field(repr=False)
    """The first part."""
    further: tuple[str, ...] = field(repr=False)
    """The other parts of the given name; one letter is an initial."""
    surnames: tuple[str, ...] = field(repr=False)

    @property
    def full_parts(self) -> tuple[str, ...]:
        """The further parts that are more than an initial."""
        return tuple(part for part in self.further if len(part) > _INITIAL)

    @property
    def later(self) -> tuple[str, ...]:
        """What another county may write as the given name: Guadalupe for María Guadalupe, Deandre for De Andre."""
        parts = self.full_parts
        return (*parts, "".join((self.given, *parts))) if parts else ()


def heard(name: Name, short_forms: ShortForms) -> tuple[str, ...]:
    """Return the skeletons of the given name and of all that it may stand for, the likeliest first."""
    own, *nicks = short_forms.sounds(name.given)[:NICK_VALUES]
    return (own, *interleaved((tuple(map(skeleton, name.later)), nicks)))


def further_sounds(name: Name, short_forms: ShortForms) -> tuple[str, ...]:
    """Return the skeletons of the further parts, then of what they may be short for; initials have none."""
    sounds = (short_forms.sounds(part)[:NICK_VALUES] for part in name.full_parts)
    return tuple(interleaved(tuple(sounds)))


def crossed(ways: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Iterator[tuple[str, str]]:
    """Yield every given name with every surname of the same name: the likeliest given names of all names first."""
    for row in zip_longest(*(givens for givens, _ in ways)):
        for given, (_, surnames) in zip(row, ways, strict=True):
            yield from ((given, surname) for surname in surnames if given is not None)


def interleaved(lists: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the first of every list, then the second of every list."""
    for row in zip_longest(*lists):
        yield from (value for value in row if value is not None)
