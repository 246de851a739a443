"""Token sets of the scheme's shape, for tests in which no holder makes them."""

from collections.abc import Callable, Sequence

from gateway.protocol.matching.key_scheme import load_key_scheme
from homeward.gateway.v1.envelope_pb2 import KeyTokens, TokenSet

SHAPE = load_key_scheme()
PADS = {rule.name: rule.pad for rule in SHAPE.keys}


def token_set(epoch: str, mint: Callable[[str, int], Sequence[bytes]]) -> TokenSet:
    """A set that carries the core group and nothing else. `mint` gives so many tokens of a key."""
    return TokenSet(
        epoch=epoch,
        scheme=SHAPE.version,
        keys=[KeyTokens(key=key, present=key in SHAPE.core, tokens=mint(key, pad)) for key, pad in PADS.items()],
    )
