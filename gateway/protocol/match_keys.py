"""Which match keys decide that two token sets are one youth, and by which one an authority names a youth. Pure.

Decides nothing about how a key is made: names and birth dates become keys in the county alone, by the scheme of
`adapters.identity`, whose core keys are these (`tests/unit/identity/test_scheme.py`).
"""

from typing import Final

from gateway.protocol.authority import token_digest
from gateway.protocol.names import Token
from homeward.gateway.v1.envelope_pb2 import TokenSet

DECISIVE_KEY: Final = "name_dob"
"""The whole name and the birth date. Only this key finds a youth, and only its tokens name one in an authority."""
CORE_KEYS: Final = frozenset({DECISIVE_KEY, "skeleton_dob"})
"""Keys every question carries and a youth must agree on: anything weaker is another youth."""

MAX_TOKENS_A_KEY: Final = 6
"""To how many tokens a key is padded: the most spellings of one youth a question can carry."""


def naming_digests(tokens: TokenSet) -> frozenset[bytes]:
    """`token_digest` of each token of the decisive key, padding included, 32 bytes each; empty without that key."""
    groups = (group for group in tokens.keys if group.present and group.key == DECISIVE_KEY)
    return frozenset(token_digest(Token(token)) for group in groups for token in group.tokens)
