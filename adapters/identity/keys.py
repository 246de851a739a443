"""From an identity to its match keys: for each key of the scheme, the values by which the youth may be found.

Decides the public entry points, that a key has at most its pad of distinct values, and how a value is keyed before it
is blinded. Does not decide what makes a value (`builders`), nor pad, blind or send (`tokenize`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from itertools import islice

from adapters.identity import normalize
from adapters.identity.builders import prefixed
from adapters.identity.parts import builder_of
from adapters.identity.scheme import Scheme, load_scheme
from adapters.identity.youth import Identity, Youth, youth_of
from gateway.protocol.matching.key_scheme import EXTENDED_SCHEME

PEPPER_LENGTH = 32


def match_keys(
    identity: Identity, *, aliases: Sequence[Identity] = (), estimated: bool = False, scheme: Scheme | None = None
) -> list[tuple[str, bytes]]:
    """Return (key name, value) pairs, in the scheme's order; a key with several values repeats its name.

    An alias gives the fields in which another known name differs, for example only `surname`. A key whose fields are
    missing has no pair, and a name that stands for no name has none at all; at most the key's pad of distinct values
    is returned. `estimated`: the source marks the birth date as a guess. Raises `InvalidIdentity` for a field longer
    than the scheme allows.
    """
    rules = scheme or load_scheme()
    return keys_of(youth_of(identity, aliases, rules, estimated=estimated), rules)


def match_keys_extended(
    identity: Identity, *, aliases: Sequence[Identity] = (), estimated: bool = False
) -> list[tuple[str, bytes]]:
    """`match_keys` under the scheme for counties that trust the addresses in their records."""
    return match_keys(identity, aliases=aliases, estimated=estimated, scheme=load_scheme(EXTENDED_SCHEME))


def keys_of(youth: Youth, scheme: Scheme) -> list[tuple[str, bytes]]:
    """Return the pairs of a youth that is normalized already."""
    if youth.is_nobody:
        return []
    return [
        (rule.name, value)
        for rule in scheme.keys
        for value in islice(dict.fromkeys(builder_of(rule.name)(youth)), rule.pad)
    ]


def missing_fields(identity: Identity, *, aliases: Sequence[Identity] = (), scheme: Scheme) -> tuple[str, ...]:
    """Return the names of the fields that the core keys need and this identity does not usably have."""
    youth = youth_of(identity, aliases, scheme)
    usable: Mapping[str, object] = {
        "given_name": youth.pairs or normalize.given_names(identity.get("given_name"), scheme.names),
        "surname": youth.pairs or normalize.surname_values(identity.get("surname"), scheme.names),
        "date_of_birth": youth.birth_date,
    }
    return tuple(name for name, value in usable.items() if not value)


def keyed_input(pepper: bytes, epoch: str, *, scheme: str, key_name: str, value: bytes) -> bytes:
    """Return the 32 bytes that are blinded instead of the value: HMAC-SHA256 under the pepper of the counties.

    The pepper (32 bytes, secret, one per epoch) is what the token-key holders lack even when all of them collude.
    Every part is length-prefixed, so that no two lists of parts are one message.
    """
    if len(pepper) != PEPPER_LENGTH:
        raise ValueError("the pepper has 32 bytes")
    message = b"".join(prefixed(part) for part in (scheme.encode(), epoch.encode(), key_name.encode(), value))
    return hmac.digest(pepper, message, "sha256")
