"""Channel certificates as they are remembered: per identity one row for each generation.

Decides what the newest certificate of an identity is, and that a redeemed invitation ends every one that its agency had
before it: whoever copied the former key would otherwise be let in again, as soon as a denial is lifted. Which
generation may renew is `renew`'s decision.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import and_, bindparam, func, insert, select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.members.ca import LEAF_LIFE, Issued
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.spiffe import parse_spiffe
from gateway.store import tables

_C, _T = tables.certificate.c, tables.ticket.c
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
_REDEEMED: Final = Statement(
    select(_C.uri, _C.leaf_index)
    .join(tables.ticket, _T.serial == _C.serial)
    .where(_T.expire_ms > bindparam("since_"))
    .order_by(_C.leaf_index)
)
_OF_AGENCY: Final = (_C.uri > bindparam("first_"), _C.uri < bindparam("last_"))
_BEFORE: Final = Statement(
    select(_C.serial).where(and_(*_OF_AGENCY, _C.leaf_index < bindparam("index_"), _C.expire_ms > bindparam("now_"))),
    "first_", "last_", "index_", "now_",
)  # fmt: skip
_LAST_IDENTITY: Final = Statement(
    select(_C.uri).where(and_(*_OF_AGENCY)).order_by(_C.leaf_index.desc()).limit(1), "first_", "last_"
)
_LAST_EXPIRY: Final = Statement(select(func.max(_C.expire_ms)).where(and_(*_OF_AGENCY)), "first_", "last_")


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


def outdated(tx: Tx, now_ms: int) -> frozenset[str]:
    """Serial numbers of the certificates in their time whose agency has redeemed an invitation since they were issued.

    By whichever adapter of the agency: it has one, and any other was revoked.
    """
    # What was redeemed earlier left no certificate that is still in its time.
    since = now_ms - LEAF_LIFE // timedelta(milliseconds=1)
    redeemed = {_adapters_beside(uri): index for uri, index in tx.all(_REDEEMED, (since,))}
    return frozenset(
        serial for adapters, index in redeemed.items() for (serial,) in tx.all(_BEFORE, (*adapters, index, now_ms))
    )


def last_identity(tx: Tx, beside: str) -> str | None:
    """Of the adapters of the agency that this one is of: the one whose certificate was issued last, or None."""
    row = tx.one(_LAST_IDENTITY, _adapters_beside(beside))
    return row[0] if row else None


def last_expiry_ms(tx: Tx, beside: str) -> int | None:
    """When the last certificate of that agency's adapters ends, or ended; None where it had none."""
    row = tx.one(_LAST_EXPIRY, _adapters_beside(beside))
    return row[0] if row else None


def _adapters_beside(uri: str) -> tuple[str, str]:
    """Names between which those of all adapters of an agency are, by one of them."""
    # "0" is the character after "/".
    above = uri.rpartition("/")[0]
    return f"{above}/", f"{above}0"


def remember(tx: Tx, index: int, *, issued: Issued, uri: str, generation: int, digest: bytes) -> None:
    """The certificate is the identity's newest. The pair of identity and generation must be new."""
    tx.run(_INSERT, (issued.serial, uri, generation, digest, milliseconds(issued.expires), issued.chain, index))


def agency_of(uri: str) -> str:
    """The agency whose adapter this channel identity is; empty for a gateway or custodian."""
    return parse_spiffe(uri).agency or ""
