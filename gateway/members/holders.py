"""Other holders of the token key, as their operators' cards state them.

Decides who is accepted as a holder: a share index, an operator name, a root, a signing key and a share commitment that
no other holder has. One operator with two shares would have the whole key (TOKENS §6). A holder that changes its
address or its root is trusted again under the same index, operator and share.
"""

from typing import Final

from cryptography import x509

from audit.log import INDEX, Append
from audit.statement import upsert
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members.composition import fingerprint, other_holders
from gateway.members.ledger import Ledger
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import KeyHolder

_PUT: Final = upsert(tables.holder, "share_index")
_UNIQUE: Final = ("operator", "ca_fingerprint", "directory_key", "share_commitment")


async def trust_holder(ledger: Ledger, holder: KeyHolder, *, own: KeyHolder) -> None:
    """The holder is on record. `own` is the gateway's own entry.

    Raises `Conflict` (HOLDER_CONFLICT with the field another holder has), `Invalid`, `Unavailable`.
    """
    try:
        x509.load_der_x509_certificate(holder.ca_certificate)
    except ValueError as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("ca_certificate: encoding",)) from exc
    holder.ca_fingerprint = fingerprint(holder.ca_certificate)
    entry = draft(
        Kind.HOLDER_TRUSTED,
        op={
            "share_index": holder.share_index,
            "operator": holder.operator,
            "ca": holder.ca_fingerprint,
            "directory_key": holder.directory_key,
            "share_commitment": holder.share_commitment,
        },
    )

    def apply(tx: Tx, index: int) -> None:
        for other in (own, *other_holders(tx)):
            _check_apart(holder, other)

    row = (
        holder.share_index,
        holder.operator,
        holder.address,
        holder.ca_certificate,
        holder.directory_key,
        holder.share_commitment,
        INDEX,
    )
    await ledger.append(Append(entry, rows=((_PUT, row),), apply=apply))


def _check_apart(holder: KeyHolder, other: KeyHolder) -> None:
    same_index = holder.share_index == other.share_index
    if same_index and (holder.operator, holder.share_commitment) != (other.operator, other.share_commitment):
        raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=("share_index: unique",))
    if not same_index:
        shared = [name for name in _UNIQUE if getattr(holder, name) == getattr(other, name)]
        if shared:
            raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=tuple(f"{name}: unique" for name in shared))
