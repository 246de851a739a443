"""Channel certificates as they are remembered: per identity one row for each generation.

Decides what the newest certificate of an identity is. Which generation may renew is `renew`'s decision.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import and_, bindparam, func, insert, select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.members.ca import Issued
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.spiffe import parse_spiffe
from gateway.store import tables

_C = tables.certificate.c
_INSERT: Final = Statement(insert(tables.certificate))
_COLUMNS: Final = (_C.uri, _C.generation, _C.key_digest, _C.expire_ms, _C.chain, _C.leaf_index)
_NEWEST: Final = Statement(select(*_COLUMNS).where(_C.uri == bindparam("uri_")).order_by(_C.generation.desc()).limit(1))
_BY_SERIAL: Final = Statement(select(*_COLUMNS).where(_C.serial == bindparam("serial_")))
_COUNT_KEY: Final = Statement(
    select(func.count())
    .select_from(tables.certificate)
    .where(and_(_C.uri == bindparam("uri_"), _C.key_digest == bindparam("key_digest_"))),
    "uri_", "key_digest_",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Remembered:
    """An issued certificate."""

    uri: str
    generation: int
    key_digest: bytes
    expire_ms: int
    chain: bytes = field(repr=False)
    leaf_index: int
    """Of the entry by which it was issued."""


def key_digest(key: ec.EllipticCurvePublicKey) -> bytes:
    """SHA-256 of the public key's DER form."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def certificate_digest(issued: Issued) -> bytes:
    """SHA-256 of the certificate's DER form; the thumbprint of RFC 8705."""
    return hashlib.sha256(issued.certificate.public_bytes(Encoding.DER)).digest()


def newest(tx: Tx, uri: str) -> Remembered | None:
    """The certificate of the highest generation of this identity, or None."""
    row = tx.one(_NEWEST, (uri,))
    return Remembered(*row) if row else None


def by_serial(tx: Tx, serial: str) -> Remembered | None:
    """The certificate with this serial number, or None."""
    row = tx.one(_BY_SERIAL, (serial,))
    return Remembered(*row) if row else None


def is_key_used(tx: Tx, uri: str, digest: bytes) -> bool:
    """Whether the identity ever had a certificate for this key."""
    row = tx.one(_COUNT_KEY, (uri, digest))
    return row is not None and row[0] > 0


def remember(tx: Tx, index: int, *, issued: Issued, uri: str, generation: int, digest: bytes) -> None:
    """The certificate is the identity's newest. The pair of identity and generation must be new."""
    tx.run(_INSERT, (issued.serial, uri, generation, digest, milliseconds(issued.expires), issued.chain, index))


def agency_of(uri: str) -> str:
    """The agency whose adapter this channel identity is; empty for a gateway or custodian."""
    return parse_spiffe(uri).agency or ""
