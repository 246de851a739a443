"""The log's signed statement about itself: C2SP tlog-checkpoint in a C2SP signed-note, signed with Ed25519.

Decides how a checkpoint is written, signed, parsed and checked. The key's name is the log's origin, nothing else is
accepted, so that a key of one log cannot speak for another. Signatures by other keys (cosignatures of witnesses) are
kept in the note and not looked at here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.errors import EvidenceError, EvidenceReason
from audit.merkle import HASH_BYTES

# Room for 16 post-quantum cosignatures of nearly 5 kB, as signed-note asks.
MAX_NOTE_CHARACTERS = 128 * 1024
MAX_SIGNATURES = 64
_ED25519 = b"\x01"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]{1,255}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says about its state: `size` leaves have the 32-byte `root`."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Returns the signed text, final newline included."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class LogKey:
    """The public key of a log, and the origin it speaks for. `raw` is 32 bytes."""

    origin: str
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != HASH_BYTES or not _NAME.fullmatch(self.origin):
            raise ValueError("a log key is an origin without spaces or plus signs, and 32 bytes")

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines name the key (signed-note, "Signatures")."""
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def vkey(self) -> str:
        """Returns the key in the text form of signed notes: name+id+base64."""
        return f"{self.origin}+{self.key_id.hex()}+{_b64(_ED25519 + self.raw)}"


class LogSigner:
    """Signs checkpoints of one origin. Ed25519 is deterministic: the same state gives the same note again."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = LogKey(origin, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, size: int, root: bytes) -> str:
        """Returns the signed note for a state. The caller must already hold that state durably."""
        text = Checkpoint(self.public.origin, size, root).text()
        signature = _b64(self.public.key_id + self._key.sign(text.encode()))
        return f"{text}\n\u2014 {self.public.origin} {signature}\n"


def parse_vkey(text: str) -> LogKey:
    """Returns the key behind a text of the form name+id+base64. Raises EvidenceError for anything else."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise EvidenceError(EvidenceReason.FORMAT, "a log key reads name+id+base64")
    raw = _unb64(parts[2])
    if len(raw) != HASH_BYTES + 1 or raw[:1] != _ED25519 or not _NAME.fullmatch(parts[0]):
        raise EvidenceError(EvidenceReason.FORMAT, "a log key is an Ed25519 key with a name")
    key = LogKey(parts[0], raw[1:])
    if key.key_id.hex() != parts[1]:
        raise EvidenceError(EvidenceReason.FORMAT, "the id of the log key does not belong to the key")
    return key


def parse_checkpoint(note: str, key: LogKey) -> Checkpoint:
    """Returns the checkpoint of an untrusted note after checking its form, its origin and the log's signature.

    Raises EvidenceError. Extension lines are refused: the log never writes any, and what is signed but not understood
    must not pass as evidence.
    """
    text, lines = _split_note(note)
    _check_signature(text, lines, key)
    body = text.split("\n")
    if len(body) != 4 or body[3]:
        raise EvidenceError(EvidenceReason.FORMAT, "a checkpoint has three lines")
    if body[0] != key.origin:
        raise EvidenceError(EvidenceReason.ORIGIN, "the checkpoint is of another log")
    root = _unb64(body[2])
    if not _DECIMAL.fullmatch(body[1]) or len(root) != HASH_BYTES:
        raise EvidenceError(EvidenceReason.FORMAT, "the checkpoint's size or root is malformed")
    return Checkpoint(body[0], int(body[1]), root)


def _split_note(note: str) -> tuple[str, list[str]]:
    if len(note) > MAX_NOTE_CHARACTERS or _CONTROL.search(note):
        raise EvidenceError(EvidenceReason.FORMAT, "the note is too long or has control characters")
    text, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or not text or lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise EvidenceError(EvidenceReason.FORMAT, "the note has no text, or no signature lines")
    return text + "\n", lines


def _check_signature(text: str, lines: list[str], key: LogKey) -> None:
    found = False
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not _NAME.fullmatch(parts[1]):
            raise EvidenceError(EvidenceReason.FORMAT, "a signature line is malformed")
        signature = _unb64(parts[2])
        if len(signature) < 5:
            raise EvidenceError(EvidenceReason.FORMAT, "a signature line is malformed")
        # Unknown keys are ignored, even if they share the name or the id with ours (signed-note, "Signatures").
        if parts[1] != key.origin or signature[:4] != key.key_id:
            continue
        if found:
            raise EvidenceError(EvidenceReason.SIGNATURE, "the log's signature stands twice")
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature[4:], text.encode())
        except InvalidSignature:
            raise EvidenceError(EvidenceReason.SIGNATURE, "the log's signature is not valid") from None
        found = True
    if not found:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the note is not signed by this log")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _unb64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError(EvidenceReason.FORMAT, "not base64") from None
    # Python accepts stray bits in the last character; two spellings of one proof must not both pass.
    if _b64(raw) != text:
        raise EvidenceError(EvidenceReason.FORMAT, "not the canonical base64 of its bytes")
    return raw


def encode_base64(raw: bytes) -> str:
    """Returns standard base64 with padding (RFC 4648 section 4)."""
    return _b64(raw)


def decode_base64(text: str) -> bytes:
    """Returns the bytes behind canonical standard base64. Raises EvidenceError for any other spelling."""
    return _unb64(text)
