"""What stands beside a leaf, bound by the last of its digests; and that digest laid open: who took part in the entry.

Decides the bytes of slot 15. It is the digest of a field `parties` like any other, whose salt is itself a digest of all
else that is kept (README.md, "Body digest"). So one digest binds every stored byte, and laid open it proves to a reader
without any class key both agencies and their numbers, and of the boxes nothing. Whom it is laid open to is not decided
here: it names the holder, and the number of either side.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from audit import leaf as fmt
from audit.errors import EvidenceError, EvidenceReason

PARTIES: Final = "parties"
"""Name of the field; a draft can have none of this name."""
SLOT: Final = fmt.SLOTS - 1
_LABEL: Final = fmt.DOMAIN + b"/body\0"
_FIELD: Final = fmt.FIELD_LABEL
_NAMED: Final = fmt.name_bytes(PARTIES)
# The lengths of tag, kind and four boxes: no byte can pass from one to the next.
_HEAD: Final = struct.Struct(">6I").pack
_LARGEST: Final = 1 << 63
_LONGEST_NAME: Final = 256

Names = tuple[str, str, str]
"""Kind, requester and holder; empty for none."""
Numbers = tuple[int, int]
"""Which of its own entries this is for requester and holder; 0 for none."""
Boxes = tuple[bytes, bytes, bytes, bytes]


def parties_salt(nonce: bytes, tag: bytes, kind: str, boxes: Boxes) -> bytes:
    """Returns the digest of all that is kept but the parties, 32 bytes: unguessable, because the nonce is random."""
    parts = (tag, kind.encode(), *boxes)
    return sha256(b"".join((_LABEL, nonce, _HEAD(*map(len, parts)), *parts))).digest()


def parties_value(names: Names, numbers: Numbers) -> bytes:
    """Returns what the field says: requester, its number, holder, its number, with a blank between each two."""
    # No agency's name has a blank (`is_name`), so that nothing else is written like this.
    return f"{names[1]} {numbers[0]} {names[2]} {numbers[1]}".encode()


def body_digest(nonce: bytes, tag: bytes, names: Names, numbers: Numbers, boxes: Boxes) -> bytes:
    """Returns the digest of slot 15."""
    salt = parties_salt(nonce, tag, names[0], boxes)
    return sha256(b"".join((_FIELD, salt, _NAMED, parties_value(names, numbers)))).digest()


@dataclass(frozen=True, slots=True)
class Parties:
    """Who took part in an entry, and which of its own entries this is for each; empty and 0 where nobody did."""

    requester: str
    requester_number: int
    holder: str
    holder_number: int


def is_name(text: str) -> bool:
    """True if an agency that takes part may be called this; nobody is the empty text."""
    return " " not in text and len(text.encode()) <= _LONGEST_NAME


def parse_parties(value: bytes) -> Parties:
    """Returns what the field says. Its opening must have been verified. Raises EvidenceError for another form."""
    parts = value.decode("utf-8", "replace").split(" ")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) < 20 for part in parts[1::2]):
        raise EvidenceError(EvidenceReason.FORMAT, "the field parties does not name two sides")
    found = Parties(parts[0], int(parts[1]), parts[2], int(parts[3]))
    if max(found.requester_number, found.holder_number) >= _LARGEST:
        raise EvidenceError(EvidenceReason.FORMAT, "the field parties holds no number of an agency")
    return found
