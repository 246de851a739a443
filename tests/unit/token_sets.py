"""Token sets of the scheme's shape, for tests in which no holder makes them."""

import hashlib
import os
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from typing import Any

from adapters.identity import match_keys
from adapters.identity.youth import Identity
from gateway.protocol.matching.key_scheme import load_key_scheme
from homeward.gateway.v1.envelope_pb2 import TokenSet

SHAPE = load_key_scheme()


def tokens_of_identity(epoch: str, identity: Identity, **told: Any) -> TokenSet:
    """The set a county makes for this youth, a hash in the place of the holders; `told` as of `match_keys`."""
    made: dict[str, list[bytes]] = {}
    for key, value in match_keys(identity, **told):
        made.setdefault(key, []).append(hashlib.sha256(key.encode() + b"\0" + value).digest()[:16])

    def padded(key: str, pad: int) -> list[bytes]:
        values = made.get(key, [])[:pad]
        return values + [os.urandom(16) for _ in range(pad - len(values))]

    return token_set(epoch, padded, carried=made)


def token_set(
    epoch: str, mint: Callable[[str, int], Sequence[bytes]], *, carried: Collection[str] = SHAPE.core
) -> TokenSet:
    """A set that carries the core group alone, unless told otherwise. `mint` gives so many tokens of a key."""
    minted = (token for rule in SHAPE.keys for token in mint(rule.name, rule.pad))
    return SHAPE.token_set(epoch, minted, carried=carried)


def tokens_by_key(tokens: TokenSet) -> dict[str, list[bytes]]:
    """The tokens of every key, carried or not, by the order and the counts that the scheme's data state."""
    each = iter([tokens.tokens[at : at + 16] for at in range(0, len(tokens.tokens), 16)])
    return {rule.name: list(islice(each, rule.pad)) for rule in SHAPE.keys}


def withdraw_keys(tokens: TokenSet, *keys: str) -> None:
    """The set does not carry these keys; as many tokens are in it as before."""
    tokens.presence &= ~SHAPE.presence(keys)
