"""The bytes of a leaf, version 1: how fields become digests, digests a commitment, and the commitment a leaf.

Decides every byte that is hashed (README.md repeats it in prose). Does not decide which fields an entry has, how they
are kept, or how leaves become a tree. Everything is fixed in length, so that a leaf shows neither its kind, nor whom it
concerns, nor how many fields stand behind it.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache

from audit.errors import DraftError, EvidenceError, EvidenceReason

DOMAIN = b"homeward/audit/v1"

LEAF_VERSION = b"\x01"
LEAF_BYTES = 41
DIGEST_BYTES = 32
NONCE_BYTES = 16
SALT_BYTES = 32
SLOTS = 16
# The last slot binds what is stored beside the leaf; see body.py.
FIELD_SLOTS = SLOTS - 1
MAX_NAME_BYTES = 32
MAX_VALUE_BYTES = 1024

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
# Parts of the hashed bytes, made once for the writer's inner loop.
SLOT_OCTETS = tuple(bytes((slot,)) for slot in range(SLOTS))
TWO_OCTETS = struct.Struct(">H").pack
FIELD_LABEL = DOMAIN + b"/field\0"
FIELD_BEGUN = hashlib.sha256(FIELD_LABEL)
STREAM_LABEL = DOMAIN + b"/stream\0"
STREAM_BYTES = DIGEST_BYTES + FIELD_SLOTS * SALT_BYTES
# Where in a `class_stream` the salt of each slot stands.
SALT_AT = tuple(slice(at, at + SALT_BYTES) for at in range(DIGEST_BYTES, STREAM_BYTES, SALT_BYTES))


@lru_cache(maxsize=1024)
def name_bytes(name: str) -> bytes:
    """Returns the length octet and the name, as hashed. Raises DraftError for a name the format does not have."""
    if not 1 <= len(name) <= MAX_NAME_BYTES or not _NAME_CHARACTERS.issuperset(name):
        raise DraftError("a field name is 1 to 32 characters of [a-z0-9_]")
    return bytes((len(name),)) + name.encode("ascii")


def field_digest(salt: bytes, name: str, value: bytes, *, domain: bytes = DOMAIN) -> bytes:
    """Returns the 32-byte digest that commits to one field. `salt` is 32 bytes."""
    return hashlib.sha256(domain + b"/field\0" + salt + name_bytes(name) + value).digest()


def commitment(digests: bytes, *, domain: bytes = DOMAIN) -> bytes:
    """Returns C, 32 bytes, over the joined digests; their number is in the hash, one octet."""
    count = len(digests) // DIGEST_BYTES
    return hashlib.sha256(domain + b"/entry\0" + bytes((count,)) + digests).digest()


def encode_leaf(time_ms: int, commitment_hash: bytes) -> bytes:
    """Returns the 41 bytes of the leaf. `time_ms` is milliseconds since 1970, below 2^64."""
    return LEAF_VERSION + time_ms.to_bytes(8, "big") + commitment_hash


def leaf_time(leaf: bytes) -> int:
    """Returns the leaf's time in milliseconds since 1970. Raises EvidenceError if these are not the bytes of a leaf."""
    if len(leaf) != LEAF_BYTES or leaf[:1] != LEAF_VERSION:
        raise EvidenceError(EvidenceReason.LEAF, "not a leaf of version 1")
    return int.from_bytes(leaf[1:9], "big")


def check_digests(leaf: bytes, digests: bytes, *, domain: bytes = DOMAIN) -> None:
    """Holds if the leaf commits to exactly these 16 digests; else raises EvidenceError."""
    leaf_time(leaf)
    if len(digests) != SLOTS * DIGEST_BYTES:
        raise EvidenceError(EvidenceReason.LEAF, "an entry has 16 digests of 32 bytes")
    if commitment(digests, domain=domain) != leaf[9:]:
        raise EvidenceError(EvidenceReason.LEAF, "the leaf does not commit to these digests")


def class_stream(class_key: bytes, label: bytes, nonce: bytes, *, size: int = STREAM_BYTES) -> bytes:
    """Returns the secrets of one class of one entry: its box key, then a salt for every slot. A key has 32 bytes.

    `size`: so many bytes of them, for whoever opens a million entries and needs no salt.
    """
    # A sponge needs no HMAC around it, and one call yields all: salts are most of what an entry costs to build.
    return hashlib.shake_256(b"".join((STREAM_LABEL, class_key, label, b"\0", nonce))).digest(size)


def box_key(stream: bytes) -> bytes:
    """Returns the key of the box, 32 bytes; `stream` is a `class_stream`."""
    return stream[:DIGEST_BYTES]


def field_salt(stream: bytes, slot: int) -> bytes:
    """Returns the salt of the field in `slot`; `stream` is a `class_stream`."""
    return stream[SALT_AT[slot]]
