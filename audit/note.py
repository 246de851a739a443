"""The C2SP signed-note: a text with signature lines, and the keys that such lines name.

Decides the grammar of notes and of verifier keys (`vkey`), and how a key's id is made. Does not decide what a signature
is over: a log's own is in checkpoint.py, a witness's in cosignature.py. Everything here is read from strangers, so each
form has exactly one spelling and a bounded size.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from audit.errors import EvidenceError, EvidenceReason

# Room for 16 post-quantum cosignatures of nearly 5 kB, as signed-note asks.
MAX_NOTE_CHARACTERS: Final = 128 * 1024
MAX_SIGNATURES: Final = 64
MAX_KEY_CHARACTERS: Final = 4096
ID_BYTES: Final = 4
NAME: Final = re.compile(r"[^\s+]{1,255}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DASH: Final = "\u2014"


class KeyKind(IntEnum):
    """Signature types of signed-note that are understood here."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    COSIGNATURE_MLDSA44 = 0x06


KEY_BYTES: Final = {KeyKind.ED25519: 32, KeyKind.COSIGNATURE_ED25519: 32, KeyKind.COSIGNATURE_MLDSA44: 1312}


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under. Raises ValueError for what the grammar cannot write."""

    name: str
    kind: KeyKind
    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != KEY_BYTES[self.kind] or not NAME.fullmatch(self.name):
            raise ValueError("a verifier key is a name without spaces or plus signs, and a key of its kind's length")

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signature lines name the key (signed-note, "Signatures")."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + self.raw).digest()[:ID_BYTES]

    def vkey(self) -> str:
        """Returns the key as text: name+id+base64."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes((self.kind,)) + self.raw)}"


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line, unverified. `signature` is what follows the key's id."""

    name: str
    key_id: bytes
    signature: bytes = field(repr=False)

    def text(self) -> str:
        """Returns the line with its newline."""
        return f"{_DASH} {self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_by(self, key: VerifierKey) -> bool:
        """True if name and id are the key's; unknown keys may share one of the two (signed-note, "Signatures")."""
        return self.name == key.name and self.key_id == key.key_id


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart. `text` ends in a newline."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def whole(self) -> str:
        """Returns the note put together again."""
        return self.text + "\n" + "".join(line.text() for line in self.signatures)

    def only_by(self, key: VerifierKey) -> str:
        """The text of the note with this key's lines alone: others were not looked at."""
        own = "".join(line.text() for line in self.signatures if line.is_by(key))
        return f"{self.text}\n{own}"

    def with_lines(self, lines: tuple[SignatureLine, ...]) -> Note:
        """Returns the note with these lines behind its own."""
        return Note(self.text, self.signatures + lines)


def parse_note(note: str) -> Note:
    """Returns the parts of an untrusted note, nothing of it verified. Raises EvidenceError for any other form."""
    if len(note) > MAX_NOTE_CHARACTERS or _CONTROL.search(note):
        raise EvidenceError(EvidenceReason.FORMAT, "the note is too long or has control characters")
    text, gap, signatures = note.rpartition("\n\n")
    if not gap or not text:
        raise EvidenceError(EvidenceReason.FORMAT, "the note has no text, or no signature lines")
    return Note(text + "\n", parse_signature_lines(signatures))


def parse_signature_lines(text: str) -> tuple[SignatureLine, ...]:
    """Returns untrusted signature lines, each ending in a newline. Raises EvidenceError for any other form."""
    if len(text) > MAX_NOTE_CHARACTERS:
        raise EvidenceError(EvidenceReason.FORMAT, "the signature lines are too long")
    lines = text.split("\n")
    if lines.pop() or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise EvidenceError(EvidenceReason.FORMAT, "the note has no text, or no signature lines")
    return tuple(_parse_line(line) for line in lines)


def _parse_line(line: str) -> SignatureLine:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != _DASH or not NAME.fullmatch(parts[1]):
        raise EvidenceError(EvidenceReason.FORMAT, "a signature line is malformed")
    raw = decode_base64(parts[2])
    if len(raw) <= ID_BYTES:
        raise EvidenceError(EvidenceReason.FORMAT, "a signature line is malformed")
    return SignatureLine(parts[1], raw[:ID_BYTES], raw[ID_BYTES:])


def parse_verifier_key(text: str) -> VerifierKey:
    """Returns the key behind a text of the form name+id+base64. Raises EvidenceError for anything else."""
    # Nothing is made of what is too long, not even a copy without its blanks.
    parts = text.strip().split("+", 2) if len(text) <= MAX_KEY_CHARACTERS else []
    if len(parts) != 3 or not NAME.fullmatch(parts[0]):
        raise EvidenceError(EvidenceReason.FORMAT, "a verifier key reads name+id+base64")
    raw = decode_base64(parts[2])
    try:
        key = VerifierKey(parts[0], KeyKind(raw[0] if raw else 0), raw[1:])
    except ValueError:
        raise EvidenceError(EvidenceReason.FORMAT, "the verifier key is of no kind that is known here") from None
    if key.key_id.hex() != parts[1]:
        raise EvidenceError(EvidenceReason.FORMAT, "the id of the verifier key does not belong to the key")
    return key


def encode_base64(raw: bytes) -> str:
    """Returns standard base64 with padding (RFC 4648 section 4)."""
    return base64.b64encode(raw).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Returns the bytes behind canonical standard base64. Raises EvidenceError for any other spelling."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise EvidenceError(EvidenceReason.FORMAT, "not base64") from None
    # Python accepts stray bits in the last character; two spellings of one proof must not both pass.
    if encode_base64(raw) != text:
        raise EvidenceError(EvidenceReason.FORMAT, "not the canonical base64 of its bytes")
    return raw
