"""Token sets of the scheme's shape, for tests in which no holder makes them."""

import hashlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from adapters.identity import match_keys
from adapters.identity.youth import Identity
from gateway.protocol.matching.key_scheme import load_key_scheme
from homeward.gateway.v1.envelope_pb2 import KeyTokens, TokenSet

SHAPE = load_key_scheme()
PADS = {rule.name: rule.pad for rule in SHAPE.keys}


def tokens_of_identity(epoch: str, identity: Identity, **told: Any) -> TokenSet:
    """The set a county makes for this youth, a hash in the place of the holders; `told` as of `match_keys`."""
    made: dict[str, list[bytes]] = {}
    for key, value in match_keys(identity, **told):
        made.setdefault(key, []).append(hashlib.sha256(key.encode() + b"\0" + value).digest()[:16])
    groups = []
    for key, pad in PADS.items():
        values = made.get(key, [])[:pad]
        dummies = [os.urandom(16) for _ in range(pad - len(values))]
        groups.append(KeyTokens(key=key, present=bool(values), tokens=[*values, *dummies]))
    return TokenSet(epoch=epoch, scheme=SHAPE.version, keys=groups)


def token_set(epoch: str, mint: Callable[[str, int], Sequence[bytes]]) -> TokenSet:
    """A set that carries the core group and nothing else. `mint` gives so many tokens of a key."""
    return TokenSet(
        epoch=epoch,
        scheme=SHAPE.version,
        keys=[KeyTokens(key=key, present=key in SHAPE.core, tokens=mint(key, pad)) for key, pad in PADS.items()],
    )
