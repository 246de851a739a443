"""The form in which tokens rest: useless to whoever has the database alone.

A copy of the database must not be comparable with tokens that somebody knows (TOKENS §4.2), so what is stored is a
keyed function of the token, and the key is not in the database. A token is one block of AES, so the function is AES-256
itself, a keyed permutation of blocks: equal tokens rest equally, as the index needs, and nothing else shows. An HMAC
would say the same, but every look-up carries the whole padded set, and eighty short HMACs cost more than the rest of
the look-up; this is one call for all of them.
"""

import threading
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from gateway.errors import ErrorReason, Invalid
from gateway.protocol.oprf import TOKEN_LENGTH

AtRest = Callable[[str, bytes], bytes]
"""The resting forms of tokens of an epoch, both one after another, 16 bytes to 16 bytes.

Raises `Invalid` for an epoch without a key.
"""


class TokensAtRest:
    """The function under one key of 32 bytes. May be called from any thread."""

    def __init__(self, key: bytes) -> None:
        # The mode in which every block stands for itself, which is what a set of tokens is; so one context serves every
        # call, and making another each time would take longer than its work.
        self._blocks = Cipher(AES256(key), ECB()).encryptor()  # noqa: S305
        self._turn = threading.Lock()

    def __call__(self, tokens: bytes) -> bytes:
        """`AtRest`. Raises ValueError unless all tokens are whole."""
        if len(tokens) % TOKEN_LENGTH:
            # The context would keep the rest, and put it before the tokens of the next call.
            raise ValueError("a token has 16 bytes")
        with self._turn:
            return self._blocks.update(tokens)


class EpochsAtRest:
    """The function of each epoch: every epoch has a key of its own, and ends when its key is destroyed."""

    def __init__(self, key_of: Callable[[str], bytes | None]) -> None:
        """`key_of` reads the key of an epoch, 32 bytes; None where there is none (any more)."""
        self._key_of = key_of
        self._known: dict[str, TokensAtRest] = {}

    def __call__(self, epoch: str, tokens: bytes) -> bytes:
        """`AtRest`."""
        known = self._known.get(epoch)
        if known is None:
            key = self._key_of(epoch)
            if key is None:
                raise Invalid(ErrorReason.EPOCH_UNKNOWN)
            known = self._known[epoch] = TokensAtRest(key)
        return known(tokens)

    def forget(self, epoch: str) -> None:
        """The epoch's key is not in memory any more."""
        self._known.pop(epoch, None)
