"""How the exact argument of a decision is kept: sealed under the key of the youth it is about.

Decides the box: AES-256-GCM under a key of its own for each argument, derived from the youth's audit key (or, about
nobody, from the log's key of class `req`) and the argument's SHA-256, which the DECISION leaf commits to. So it takes
the key and the leaf to read one, and destroying the youth's key ends it in every backup. Each box key is used for one
argument alone, so the nonce need not vary.
"""

import hmac
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.entry import ClassKeys

_LABEL: Final = b"homeward/decision-input/v1\0"
_NONCE: Final = bytes(12)


class InputUnreadable(Exception):
    """What is kept is not the argument that the leaf commits to, or the key is another."""


def nobodys_key(keys: ClassKeys) -> bytes:
    """The key for decisions about nobody, 32 bytes."""
    return hmac.digest(keys.req, _LABEL, "sha256")


def seal_input(argument: bytes, key: bytes) -> bytes:
    """The argument, sealed; `key` is 32 bytes."""
    return AESGCM(_box_key(key, sha256(argument).digest())).encrypt(_NONCE, argument, None)


def open_input(sealed: bytes, key: bytes, *, digest: bytes) -> bytes:
    """The argument with this SHA-256. Raises `InputUnreadable`."""
    try:
        argument = AESGCM(_box_key(key, digest)).decrypt(_NONCE, sealed, None)
    except InvalidTag:
        raise InputUnreadable from None
    if sha256(argument).digest() != digest:
        raise InputUnreadable
    return argument


def _box_key(key: bytes, digest: bytes) -> bytes:
    return hmac.digest(key, _LABEL + digest, "sha256")
