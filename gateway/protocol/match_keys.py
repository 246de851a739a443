"""Which match keys every question carries, and by which one an authority names a youth. Pure.

Decides nothing about how a key is made: names and birth dates become keys in the county alone (`adapters.identity`).
Which keys a token set holds is data (`matching/keys-3.toml`).
"""

from typing import Final

from gateway.protocol.authority import token_digest
from gateway.protocol.matching.key_scheme import load_key_scheme, split_tokens
from gateway.protocol.names import Token
from homeward.gateway.v1.envelope_pb2 import TokenSet

DECISIVE_KEY: Final = "name_dob"
"""The whole name and the birth date. Only its tokens name a youth in an authority."""
SOUND_KEY: Final = "skeleton_anyorder_dob"
"""The sound of the name and the birth date: agreeing on this alone is a youth that a person must look at."""
CORE_KEYS: Final = load_key_scheme().core
"""Keys every question carries. A youth that agrees on all of them is the one, as far as a flag's status goes."""


def naming_tokens(tokens: TokenSet) -> bytes:
    """The tokens of the decisive key, padding included, one after another; empty without that key.

    `tokens` keeps the shape of its scheme.
    """
    return load_key_scheme(tokens.scheme).tokens_of(tokens, DECISIVE_KEY)


def naming_digests(tokens: TokenSet) -> frozenset[bytes]:
    """`token_digest` of each token of the decisive key, padding included, 32 bytes each; empty without that key."""
    return frozenset(token_digest(Token(token)) for token in split_tokens(naming_tokens(tokens)))
