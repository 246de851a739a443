"""Sealing a record from its source to one requester.

Base-mode HPKE knows no sender, so two things are decided here: all context goes into
`info` (a reply moved to another exchange does not open), and the source signs the sealed
bytes and the same context with its record key (SECURITY §0.5). Sizes are padded to
buckets, because length is a fact about a child's history.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from gateway.protocol.names import AgencyId, FieldSet
from gateway.protocol.parse import MalformedMessage, parse
from gateway.protocol.signing import SignatureInvalid, SigningKey, key_id, pae, verify
from homeward.gateway.v1.exchange_pb2 import SealedRecord
from homeward.gateway.v1.records_pb2 import RecordAnswer

BUCKETS: Final = (1024, 4096, 16_384, 65_536, 131_072)
"""Plaintext sizes in bytes; an answer is padded up to the next."""
_INFO: Final = b"homeward/seal/v1"
_LABEL: Final = b"homeward/sealed/v1"
_MLKEM_PUBLIC: Final = 1184
_MLKEM_SEED: Final = 64


class SealBroken(Exception):
    """A sealed record does not open, or is not what its context says. Nothing of it was used."""


class AnswerTooLarge(ValueError):
    """An answer exceeds the largest bucket; the source pages it smaller."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """A hybrid HPKE key pair (ML-KEM-768 with X25519)."""

    private: MLKEM768X25519PrivateKey = field(repr=False)
    private_bytes: bytes = field(repr=False)
    """96 bytes: ML-KEM seed, X25519 scalar."""
    public_bytes: bytes
    """1216 bytes: ML-KEM encapsulation key, X25519 point."""

    @classmethod
    def generate(cls) -> Self:
        """A fresh key pair."""
        mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        return cls.from_private_bytes(mlkem.private_bytes_raw() + x25519.private_bytes_raw())

    @classmethod
    def from_private_bytes(cls, raw: bytes) -> Self:
        """The key pair with these 96 private bytes. Raises ValueError otherwise."""
        mlkem = MLKEM768PrivateKey.from_seed_bytes(raw[:_MLKEM_SEED])
        x25519 = X25519PrivateKey.from_private_bytes(raw[_MLKEM_SEED:])
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return cls(private=MLKEM768X25519PrivateKey(mlkem, x25519), private_bytes=raw, public_bytes=public)

    @property
    def key_id(self) -> bytes:
        """Identifier of the public half, 16 bytes."""
        return key_id(self.public_bytes)


@dataclass(frozen=True, slots=True)
class SealContext:
    """Everything a sealed record is bound to."""

    request_digest: bytes
    pairwise_handle: bytes
    requester: AgencyId
    source: AgencyId
    field_sets: tuple[FieldSet, ...]
    """Granted field sets, in the order of the list."""
    recipient_key_id: bytes
    page: int
    decision_index: int
    """Index of the DECISION leaf."""

    def to_bytes(self) -> bytes:
        """Unambiguous encoding; both `info` and what the source signs."""
        return pae(
            _INFO,
            self.request_digest,
            self.pairwise_handle,
            self.requester.encode(),
            self.source.encode(),
            ",".join(self.field_sets).encode(),
            self.recipient_key_id,
            self.page.to_bytes(4, "big"),
            self.decision_index.to_bytes(8, "big"),
        )


def seal_record(
    answer: RecordAnswer, *, context: SealContext, recipient_key: bytes, source_key: SigningKey
) -> SealedRecord:
    """The answer, padded, sealed to the recipient and signed by the source.

    Raises `AnswerTooLarge`, and ValueError when the recipient's key is not one.
    """
    info = context.to_bytes()
    sealed = seal_bytes(_padded(answer), recipient_key, info)
    return SealedRecord(
        recipient_key_id=context.recipient_key_id,
        sealed=sealed,
        source_key_id=source_key.key_id,
        signature=source_key.sign(_LABEL, info, hashlib.sha256(sealed).digest()),
    )


def open_record(sealed: SealedRecord, *, context: SealContext, seal_key: SealKey, source_key: bytes) -> RecordAnswer:
    """The answer, after the source's signature held, the seal opened under this very context,
    and the answer repeats its request digest and page. Raises `SealBroken`.
    """
    info = context.to_bytes()
    try:
        verify(source_key, sealed.signature, _LABEL, info, hashlib.sha256(sealed.sealed).digest())
        answer = parse(RecordAnswer, open_bytes(sealed.sealed, seal_key, info))
    except (SignatureInvalid, MalformedMessage) as exc:
        raise SealBroken from exc
    if (answer.request_digest, answer.page) != (context.request_digest, context.page):
        raise SealBroken
    return answer


def seal_bytes(data: bytes, recipient_key: bytes, info: bytes) -> bytes:
    """Encapsulation and ciphertext of the data. Raises ValueError when the key is not one."""
    public = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(recipient_key[:_MLKEM_PUBLIC]),
        X25519PublicKey.from_public_bytes(recipient_key[_MLKEM_PUBLIC:]),
    )
    return _suite().encrypt(data, public, info=info)


def open_bytes(sealed: bytes, seal_key: SealKey, info: bytes) -> bytes:
    """The data. Raises `SealBroken` for another key, another context or altered bytes."""
    try:
        return _suite().decrypt(sealed, seal_key.private, info=info)
    except (InvalidTag, ValueError) as exc:
        raise SealBroken from exc


def _suite() -> Suite:
    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _padded(answer: RecordAnswer) -> bytes:
    padded = RecordAnswer()
    padded.CopyFrom(answer)
    padded.ClearField("padding")
    size = padded.ByteSize()
    # Two bytes of tag and length at least, up to four for the largest bucket; settle by trying.
    for bucket in BUCKETS:
        room = bucket - size
        for overhead in (2, 3, 4):
            if room < overhead:
                continue
            padded.padding = bytes(room - overhead)
            if padded.ByteSize() == bucket:
                return padded.SerializeToString()
    raise AnswerTooLarge
