"""From an identity to its match keys: for each key of the scheme, the values by which the youth may be found.

Decides which normalized fields make each key, in what order surplus values are dropped, and how a value is encoded.
A new key is a row in `scheme.toml` and a builder here. Does not pad, blind or send (`tokenize`).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from adapters.identity import normalize
from adapters.identity.errors import InvalidIdentity
from adapters.identity.scheme import Scheme, load_scheme
from adapters.identity.skeleton import skeleton

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
PEPPER_LENGTH = 32

# Fields as the county has them: strings or None, dates as YYYYMMDD. Other entries are ignored.
Identity = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Name:
    """One name of a youth, normalized: the given name, and every form of the surname, the whole one first."""

    given: str = field(repr=False)
    surnames: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Normalized:
    """What the builders see: complete names only, the name on record first; the birth date if it is believed."""

    names: tuple[Name, ...] = field(repr=False)
    birth_date: str | None = field(repr=False)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield (given name, surname form): whole surnames of all names first, then their parts."""
        yield from ((name.given, name.surnames[0]) for name in self.names)
        yield from ((name.given, part) for name in self.names for part in name.surnames[1:])


def match_keys(
    identity: Identity, *, aliases: Sequence[Identity] = (), scheme: Scheme | None = None
) -> list[tuple[str, bytes]]:
    """Return (key name, value) pairs, in the scheme's order; a key with several values repeats its name.

    An alias gives the fields in which another known name differs, for example only `surname`. A key whose fields are
    missing or placeholders has no pair; at most the key's pad of distinct values is returned. Raises
    `InvalidIdentity` for a name longer than the scheme allows.
    """
    rules = scheme or load_scheme()
    normalized = _normalize(identity, aliases, rules)
    return [
        (key.name, value)
        for key in rules.keys
        for value in list(dict.fromkeys(_BUILDERS[key.name](normalized)))[: key.pad]
    ]


def missing_fields(identity: Identity, *, aliases: Sequence[Identity] = (), scheme: Scheme) -> tuple[str, ...]:
    """Return the names of the fields that the core keys need and this identity does not usably have."""
    normalized = _normalize(identity, aliases, scheme)
    usable = {
        "given_name": normalized.names or normalize.given_name(identity.get("given_name"), scheme.names),
        "surname": normalized.names or normalize.surname_values(identity.get("surname"), scheme.names),
        "date_of_birth": normalized.birth_date,
    }
    return tuple(name for name, value in usable.items() if not value)


def keyed_input(pepper: bytes, epoch: str, *, scheme: str, key_name: str, value: bytes) -> bytes:
    """Return the 32 bytes that are blinded instead of the value: HMAC-SHA256 under the pepper of the counties.

    The pepper (32 bytes, secret, one per epoch) is what the token-key holders lack even when all of them collude.
    Every part is length-prefixed, so that no two lists of parts are one message.
    """
    if len(pepper) != PEPPER_LENGTH:
        raise ValueError("the pepper has 32 bytes")
    message = b"".join(_prefixed(part) for part in (scheme.encode(), epoch.encode(), key_name.encode(), value))
    return hmac.digest(pepper, message, "sha256")


def _normalize(identity: Identity, aliases: Sequence[Identity], scheme: Scheme) -> Normalized:
    candidates = [identity, *({**identity, **alias} for alias in aliases)]
    _check_lengths(candidates, scheme.names.max_characters)
    names = []
    for candidate in candidates:
        given = normalize.given_name(candidate.get("given_name"), scheme.names)
        surnames = normalize.surname_values(candidate.get("surname"), scheme.names)
        if given is not None and surnames:
            names.append(Name(given, surnames))
    return Normalized(tuple(names), normalize.birth_date(identity.get("date_of_birth"), scheme.dates))


def _check_lengths(candidates: Sequence[Identity], limit: int) -> None:
    too_long = [name for name in IDENTITY_FIELDS if any(len(other.get(name) or "") > limit for other in candidates)]
    if too_long:
        raise InvalidIdentity(too_long)


def _name_dob(youth: Normalized) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for given, surname in youth.pairs():
            yield _encode(given, surname, youth.birth_date)


def _skeleton_dob(youth: Normalized) -> Iterator[bytes]:
    if youth.birth_date is not None:
        for given, surname in youth.pairs():
            yield _encode(skeleton(given), skeleton(surname), youth.birth_date)


_BUILDERS: Mapping[str, Callable[[Normalized], Iterator[bytes]]] = {
    "name_dob": _name_dob,
    "skeleton_dob": _skeleton_dob,
}


def _encode(*parts: str) -> bytes:
    return b"".join(_prefixed(part.encode()) for part in parts)


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(2, "big") + part
