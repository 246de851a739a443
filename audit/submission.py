"""What a log sends a witness: the bytes of `add-checkpoint` (C2SP tlog-witness), the same over HTTP and over a stream.

Decides the form of the request and of the answer. Does not decide whether to sign: that is witness.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import HASH_BYTES
from audit.note import MAX_NOTE_CHARACTERS, decode_base64, encode_base64

MAX_PROOF: Final = 63
MAX_BYTES: Final = MAX_NOTE_CHARACTERS
SIZE_TYPE: Final = "text/x.tlog.size"
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,18})")
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


class Status(IntEnum):
    """What a witness answers."""

    COSIGNED = 200
    MALFORMED = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    OTHER_SIZE = 409
    INCONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint with the proof that it continues the one of `old_size`. Unverified."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str = field(repr=False)

    def with_note(self, note: str) -> Submission:
        """Returns the same with another text of its checkpoint."""
        return Submission(self.old_size, self.proof, note)

    def encode(self) -> bytes:
        """Returns the body of the request."""
        lines = [f"old {self.old_size}", *(encode_base64(item) for item in self.proof)]
        return ("\n".join(lines) + "\n\n" + self.note).encode()


def parse_submission(body: bytes) -> Submission:
    """Returns what an untrusted request asks for. Raises EvidenceError(FORMAT)."""
    if len(body) > MAX_BYTES:
        raise EvidenceError(EvidenceReason.FORMAT, "the request is too long")
    try:
        head, gap, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise EvidenceError(EvidenceReason.FORMAT, "the request is not UTF-8") from None
    lines = head.split("\n")
    old = _OLD.fullmatch(lines[0])
    if not gap or old is None or len(lines) > 1 + MAX_PROOF:
        raise EvidenceError(EvidenceReason.FORMAT, "not an old size, a proof and a checkpoint")
    proof = tuple(decode_base64(line) for line in lines[1:])
    if any(len(item) != HASH_BYTES for item in proof):
        raise EvidenceError(EvidenceReason.FORMAT, "a hash of a proof is not 32 bytes")
    return Submission(int(old[1]), proof, note)


def encode_size(size: int) -> bytes:
    """Returns the body of the answer that names the witness's own size."""
    return f"{size}\n".encode()


def parse_size(body: bytes) -> int:
    """Returns the size that a witness names. Raises EvidenceError(FORMAT)."""
    found = _SIZE.fullmatch(body)
    if found is None:
        raise EvidenceError(EvidenceReason.FORMAT, "not a tree size")
    return int(found[1])
