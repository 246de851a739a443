"""The log's signed statement about itself: C2SP tlog-checkpoint in a C2SP signed-note, signed with Ed25519.

Decides how a checkpoint is written, signed, parsed and checked. The key's name is the log's origin, nothing else is
accepted, so that a key of one log cannot speak for another. Signatures by other keys (cosignatures of witnesses) are
kept in the note and not looked at here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import HASH_BYTES
from audit.note import NAME, KeyKind, Note, SignatureLine, VerifierKey, decode_base64, encode_base64, parse_note
from audit.note import parse_verifier_key as parse_any_key

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says about its state: `size` leaves have the 32-byte `root`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Returns the signed text, final newline included."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class LogKey:
    """The public key of a log, and the origin it speaks for. `raw` is 32 bytes."""

    origin: str
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != HASH_BYTES or not NAME.fullmatch(self.origin):
            raise ValueError("a log key is an origin without spaces or plus signs, and 32 bytes")

    @property
    def verifier(self) -> VerifierKey:
        """The key as signed notes know it."""
        return VerifierKey(self.origin, KeyKind.ED25519, self.raw)

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines name the key."""
        return self.verifier.key_id

    def vkey(self) -> str:
        """Returns the key in the text form of signed notes: name+id+base64."""
        return self.verifier.vkey()


class LogSigner:
    """Signs checkpoints of one origin. Ed25519 is deterministic: the same state gives the same note again."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = LogKey(origin, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        # The writer signs once a batch; the id is a hash that never changes.
        self._key_id = self.public.key_id

    def sign(self, size: int, root: bytes) -> str:
        """Returns the signed note for a state. The caller must already hold that state durably."""
        text = Checkpoint(self.public.origin, size, root).text()
        line = SignatureLine(self.public.origin, self._key_id, self._key.sign(text.encode()))
        return f"{text}\n{line.text()}"


def parse_vkey(text: str) -> LogKey:
    """Returns the key behind a text of the form name+id+base64. Raises EvidenceError for anything else."""
    key = parse_any_key(text)
    if key.kind is not KeyKind.ED25519:
        raise EvidenceError(EvidenceReason.FORMAT, "a log key is an Ed25519 key with a name")
    return LogKey(key.name, key.raw)


def parse_checkpoint(note: str, key: LogKey) -> Checkpoint:
    """Returns the checkpoint of an untrusted note after checking its form, its origin and the log's signature.

    Raises EvidenceError. Extension lines are refused: the log never writes any, and what is signed but not understood
    must not pass as evidence.
    """
    parts = parse_note(note)
    check_signature(parts, key)
    return parse_text(parts.text, key.origin)


def parse_text(text: str, origin: str) -> Checkpoint:
    """Returns what the text of a note says, if it is a checkpoint of this origin; no signature is looked at."""
    body = text.split("\n")
    if len(body) != 4 or body[3]:
        raise EvidenceError(EvidenceReason.FORMAT, "a checkpoint has three lines")
    if body[0] != origin:
        raise EvidenceError(EvidenceReason.ORIGIN, "the checkpoint is of another log")
    root = decode_base64(body[2])
    if not _DECIMAL.fullmatch(body[1]) or len(root) != HASH_BYTES:
        raise EvidenceError(EvidenceReason.FORMAT, "the checkpoint's size or root is malformed")
    return Checkpoint(body[0], int(body[1]), root)


def check_signature(note: Note, key: LogKey) -> None:
    """Holds if the log signed the text, exactly once; else raises EvidenceError(SIGNATURE)."""
    verifier = key.verifier
    ours = [line for line in note.signatures if line.is_by(verifier)]
    if len(ours) > 1:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the log's signature stands twice")
    if not ours:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the note is not signed by this log")
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(ours[0].signature, note.text.encode())
    except InvalidSignature:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the log's signature is not valid") from None
