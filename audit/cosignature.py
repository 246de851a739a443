"""Cosignatures: what a witness says about a checkpoint (C2SP tlog-cosignature), with Ed25519 or with ML-DSA-44.

Decides the signed bytes of both kinds and how lines of known cosigners are checked. Does not decide whom to believe
(policy.py) nor when a witness may sign (witness.py). A time of zero says nothing about time: a log signs its own
ML-DSA-44 line so, a witness never does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from audit.checkpoint import Checkpoint
from audit.errors import EvidenceError, EvidenceReason
from audit.note import KeyKind, Note, SignatureLine, VerifierKey

_TIME_BYTES: Final = 8
_MAX_TIME: Final = (1 << 63) - 1
_SUBTREE_LABEL: Final = b"subtree/v1\n\0"
_RANGE: Final = struct.Struct(">QQ").pack
CosignKey = Ed25519PrivateKey | MLDSA44PrivateKey


class Cosigner:
    """Signs checkpoints under one name with one key; the kind of the cosignature follows from the key."""

    def __init__(self, name: str, key: CosignKey) -> None:
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        kind = (
            KeyKind.COSIGNATURE_ED25519 if isinstance(key, Ed25519PrivateKey) else KeyKind.COSIGNATURE_MLDSA44
        )  # fmt: skip
        self._key = key
        self.public = VerifierKey(name, kind, raw)

    def sign(self, checkpoint: Checkpoint, seconds: int) -> SignatureLine:
        """Returns the cosignature of the whole tree. `seconds` since 1970; zero only for a log's own line."""
        message = _message(self.public, checkpoint, seconds)
        signature = seconds.to_bytes(_TIME_BYTES, "big") + self._key.sign(message)
        return SignatureLine(self.public.name, self.public.key_id, signature)


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A cosignature that holds. `seconds` since 1970, as the cosigner's clock had it."""

    key: VerifierKey
    seconds: int
    line: SignatureLine


def check_cosignature(line: SignatureLine, key: VerifierKey, checkpoint: Checkpoint) -> Cosigned:
    """Returns the cosignature if it is this key's and holds over the checkpoint; else raises EvidenceError."""
    if not line.is_by(key) or len(line.signature) <= _TIME_BYTES:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the line is not a cosignature of this witness")
    seconds = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if seconds > _MAX_TIME:
        raise EvidenceError(EvidenceReason.SIGNATURE, "the cosignature's time is out of range")
    message, signature = _message(key, checkpoint, seconds), line.signature[_TIME_BYTES:]
    try:
        if key.kind is KeyKind.COSIGNATURE_ED25519:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
        else:
            MLDSA44PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        raise EvidenceError(EvidenceReason.SIGNATURE, f"the cosignature of {key.name} is not valid") from None
    return Cosigned(key, seconds, line)


def check_cosignatures(note: Note, checkpoint: Checkpoint, keys: Iterable[VerifierKey]) -> tuple[Cosigned, ...]:
    """Returns every cosignature of these keys in the note, one a key.

    Lines by unknown keys are ignored; a line that names a known key and does not hold spoils the note (signed-note,
    "Signatures"), as does a second one by the same key. Raises EvidenceError(SIGNATURE).
    """
    found: list[Cosigned] = []
    for key in keys:
        lines = [line for line in note.signatures if line.is_by(key)]
        if len(lines) > 1:
            raise EvidenceError(EvidenceReason.SIGNATURE, f"the cosignature of {key.name} stands twice")
        found += [check_cosignature(line, key, checkpoint) for line in lines]
    return tuple(found)


def _message(key: VerifierKey, checkpoint: Checkpoint, seconds: int) -> bytes:
    if key.kind is KeyKind.COSIGNATURE_ED25519:
        return f"cosignature/v1\ntime {seconds}\n{checkpoint.text()}".encode()
    if key.kind is not KeyKind.COSIGNATURE_MLDSA44:
        raise EvidenceError(EvidenceReason.SIGNATURE, "a log's signing key does not cosign")
    name, origin = key.name.encode(), checkpoint.origin.encode()
    if not (1 <= len(name) <= 255 and 1 <= len(origin) <= 255):
        raise EvidenceError(EvidenceReason.SIGNATURE, "a name is too long for an ML-DSA-44 cosignature")
    return b"".join((
        _SUBTREE_LABEL, bytes((len(name),)), name, seconds.to_bytes(_TIME_BYTES, "big"),
        bytes((len(origin),)), origin, _RANGE(0, checkpoint.size), checkpoint.root,
    ))  # fmt: skip
