"""What of an identity makes match keys: names, birth date, numbers; normalized, placeholders gone.

Decides that a name which means "no name known" makes nothing at all, whatever else is known: an unborn child or "baby
girl Garcia" must never be found (TOKENS §5). A name of which a part is simply absent keeps its other part. Does not
decide which of this makes which key (`builders`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.identity import normalize
from adapters.identity.errors import InvalidIdentity
from adapters.identity.names import Name, crossed, further_sounds, heard, interleaved
from adapters.identity.scheme import Scheme
from adapters.identity.skeleton import skeleton
from adapters.identity.words import words

IDENTITY_FIELDS = (
    "given_name",
    "surname",
    "date_of_birth",
    "street_number",
    "address_1",
    "suburb",
    "postcode",
    "state",
    "soc_sec_id",
)
# Fields as the county has them: strings or None, dates as YYYYMMDD. Other entries are ignored.
Identity = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the record says the youth lives; each part None or empty where it is not known."""

    postcode: str | None = field(repr=False)
    house: str | None = field(repr=False)
    street: tuple[str, ...] = field(repr=False)
    suburb: str = field(repr=False)
    state: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Youth:
    """What the builders see; the name on record first. `exact` if nobody marked the birth date as estimated."""

    names: tuple[Name, ...] = field(repr=False)
    birth_date: str | None = field(repr=False)
    """A day of the calendar."""
    parts: normalize.DateParts = field(repr=False)
    """What of it can be read even if it is none."""
    exact: bool
    last_four: str | None = field(repr=False)
    address: Address = field(repr=False)
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    """(given name, surname form): whole surnames of all names first, then their parts."""
    common: frozenset[tuple[str, str]] = field(repr=False)
    """Those of `pairs` that too many youths share."""
    givens: tuple[str, ...] = field(repr=False)
    later: tuple[str, ...] = field(repr=False)
    """Further parts of the given names, and all parts in one word."""
    surnames: tuple[str, ...] = field(repr=False)
    """All forms, in the order of `pairs`."""
    all_nicks: tuple[str, ...] = field(repr=False)
    """Skeletons of all that the given names may stand for; each name's own first."""
    sounds: tuple[tuple[str, str], ...] = field(repr=False)
    """Skeletons of `pairs`, then of `later` with the surname forms."""
    nick_sounds: tuple[tuple[str, str], ...] = field(repr=False)
    """Skeletons of `pairs`, then of all that the given names may stand for with the surname forms."""
    surname_sounds: tuple[str, ...] = field(repr=False)
    """Skeletons of `surnames`."""
    further_sounds: tuple[str, ...] = field(repr=False)
    """Skeletons of the further parts of given names that are more than an initial, and of what they are short for."""
    initials: tuple[tuple[str, str], ...] = field(repr=False)
    """Skeleton of the first part of a given name, first letter of a further one."""

    @property
    def is_nobody(self) -> bool:
        """Whether there is no name at all."""
        return not self.names


def youth_of(identity: Identity, aliases: Sequence[Identity], scheme: Scheme, *, estimated: bool = False) -> Youth:
    """Return what is usable of an identity. Raises `InvalidIdentity` for a field longer than the scheme allows."""
    candidates = [identity, *({**identity, **alias} for alias in aliases)]
    _check_lengths(candidates, scheme.names.max_characters)
    names = tuple(name for name in (_name(candidate, scheme) for candidate in candidates) if name is not None)
    named = [name for name in names if name.given]
    pairs = tuple(dict.fromkeys(_pairs(names)))
    wholes = [name.surnames[0] for name in names if name.surnames]
    parts = [part for name in names for part in name.surnames[1:]]
    surnames = tuple(dict.fromkeys((*wholes, *parts)))
    own = [(skeleton(given), skeleton(surname)) for given, surname in pairs]
    ways = [heard(name, scheme.short_forms) for name in named]
    later = [tuple(map(skeleton, name.later)) for name in named]
    ends = [tuple(map(skeleton, name.surnames)) for name in named]
    return Youth(
        names=names,
        birth_date=normalize.birth_date(identity.get("date_of_birth"), scheme.dates),
        parts=normalize.date_parts(identity.get("date_of_birth"), scheme.dates),
        exact=not estimated,
        last_four=normalize.last_four(identity.get("soc_sec_id"), scheme.numbers),
        address=_address(identity, scheme),
        pairs=pairs,
        common=frozenset(pair for pair in pairs if scheme.common.are_both(*pair)),
        givens=tuple(dict.fromkeys(name.given for name in named)),
        later=tuple(dict.fromkeys(interleaved(name.later for name in named))),
        surnames=surnames,
        all_nicks=tuple(dict.fromkeys(interleaved(ways))),
        sounds=tuple(dict.fromkeys((*own, *crossed(list(zip(later, ends, strict=True)))))),
        nick_sounds=tuple(dict.fromkeys((*own, *crossed(list(zip(ways, ends, strict=True)))))),
        surname_sounds=tuple(dict.fromkeys(map(skeleton, surnames))),
        further_sounds=tuple(dict.fromkeys(interleaved(further_sounds(name, scheme.short_forms) for name in named))),
        initials=tuple(dict.fromkeys((skeleton(name.given), part[0]) for name in named for part in name.further)),
    )


def _check_lengths(candidates: Sequence[Identity], limit: int) -> None:
    too_long = [name for name in IDENTITY_FIELDS if any(len(other.get(name) or "") > limit for other in candidates)]
    if too_long:
        raise InvalidIdentity(too_long)


def _name(identity: Identity, scheme: Scheme) -> Name | None:
    """The name, or None where there is none, or where a part of it says that nobody knows it."""
    written_given, written_surname = identity.get("given_name"), identity.get("surname")
    given = normalize.given_names(written_given, scheme.names)
    surnames = normalize.surname_values(written_surname, scheme.names)
    if normalize.is_placeholder(written_given, given) or normalize.is_placeholder(written_surname, surnames):
        return None
    return Name(given[0] if given else "", given[1:], surnames) if given or surnames else None


def _pairs(names: Sequence[Name]) -> Iterator[tuple[str, str]]:
    complete = [name for name in names if name.given and name.surnames]
    yield from ((name.given, name.surnames[0]) for name in complete)
    yield from ((name.given, part) for name in complete for part in name.surnames[1:])


def _address(identity: Identity, scheme: Scheme) -> Address:
    return Address(
        postcode=normalize.postcode(identity.get("postcode"), scheme.numbers),
        house=normalize.house_number(identity.get("street_number")),
        street=words(identity.get("address_1")),
        suburb="".join(words(identity.get("suburb"))),
        state="".join(words(identity.get("state"))),
    )
