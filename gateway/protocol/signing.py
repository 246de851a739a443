"""Ed25519 signatures over unambiguous bytes.

Decides one thing: how bytes are framed before they are signed, so that a signature made
for one purpose can never be read as one for another. Which key may sign what is the
directory's matter.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

KEY_ID_LENGTH: Final = 16
PUBLIC_KEY_LENGTH: Final = 32


class SignatureInvalid(Exception):
    """A signature does not hold, or a key is not an Ed25519 key. Carries no bytes."""


def key_id(public_raw: bytes) -> bytes:
    """First 16 bytes of SHA-256 over a raw public key of any kind."""
    return hashlib.sha256(public_raw).digest()[:KEY_ID_LENGTH]


def pae(label: bytes, *parts: bytes) -> bytes:
    """Pre-authentication encoding in the manner of DSSE: every part behind its length.

    The label comes first, so that two uses of one key cannot share a signed string.
    Lengths are unsigned 64-bit big-endian.
    """
    framed = bytearray()
    for part in (label, *parts):
        framed += len(part).to_bytes(8, "big")
        framed += part
    return bytes(framed)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key with its public half."""

    private: Ed25519PrivateKey = field(repr=False)
    public_bytes: bytes
    """32 bytes, raw."""

    @classmethod
    def generate(cls) -> Self:
        """A fresh key from the operating system's randomness."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_private_bytes(cls, raw: bytes) -> Self:
        """The key whose raw private bytes these 32 are. Raises ValueError otherwise."""
        return cls._of(Ed25519PrivateKey.from_private_bytes(raw))

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> Self:
        return cls(private=private, public_bytes=private.public_key().public_bytes_raw())

    @property
    def private_bytes(self) -> bytes:
        """32 raw private bytes; only for a key file."""
        return self.private.private_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """Identifier of the public half, 16 bytes."""
        return key_id(self.public_bytes)

    def sign(self, label: bytes, *parts: bytes) -> bytes:
        """Signature over `pae(label, *parts)`, 64 bytes; deterministic (RFC 8032)."""
        return self.private.sign(pae(label, *parts))


def verify(public_raw: bytes, signature: bytes, label: bytes, *parts: bytes) -> None:
    """The signature over `pae(label, *parts)` holds under this key. Raises `SignatureInvalid` otherwise."""
    verify_unframed(public_raw, signature, pae(label, *parts))


def verify_unframed(public_raw: bytes, signature: bytes, message: bytes) -> None:
    """The signature over exactly these bytes holds under this key. Raises `SignatureInvalid` otherwise.

    For formats that frame what they sign by themselves (JWS).
    """
    try:
        # libsodium and not OpenSSL: half the time, of which a flag check has one every time; and of the edge cases
        # that RFC 8032 leaves open it refuses small-order keys and points.
        VerifyKey(public_raw).verify(message, signature)
    except (CryptoError, ValueError) as exc:
        raise SignatureInvalid from exc
