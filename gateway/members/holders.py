"""Other holders of the token key, as their operators' cards state them.

Decides who is accepted as a holder: a share index and signing keys that no other holder has, a share of the sharing in
force, and no operator or root with which one operator would have the whole key (TOKENS §6). A holder that changes its
address, its root or its keys is trusted again under the same index, operator and share.
"""

from typing import Final

from cryptography import x509

from audit.log import Append
from audit.statement import upsert
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members.composition import Exchange, fingerprint, holders_of, live_epochs, sharing_in
from gateway.members.ledger import Ledger
from gateway.protocol.sharing import is_on_sharing, sole_operators
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import KeyHolder

_PUT: Final = upsert(tables.holder, "share_index")
_UNIQUE: Final = ("directory_key", "log_key")
_OPERATED: Final = ("operator", "ca_fingerprint")


async def trust_holder(ledger: Ledger, holder: KeyHolder, *, exchange: Exchange) -> None:
    """The holder is on record.

    Raises `Conflict` (HOLDER_CONFLICT with the field another holder has), `Invalid`, `Unavailable`.
    """
    try:
        x509.load_der_x509_certificate(holder.ca_certificate)
    except ValueError as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("ca_certificate: encoding",)) from exc
    sharing = await ledger.read(lambda tx: sharing_in(exchange, live_epochs(tx, exchange)[0]))
    if not is_on_sharing(exchange.group, sharing, index=holder.share_index, commitment=holder.share_commitment):
        # A share of another key: every token made with it would meet nothing, and that reads as "nobody looks".
        raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=("share_commitment: of this ceremony",))
    holder.ca_fingerprint = fingerprint(holder.ca_certificate)
    entry = draft(
        Kind.HOLDER_TRUSTED,
        op={
            "share_index": holder.share_index,
            "operator": holder.operator,
            "ca": holder.ca_fingerprint,
            "directory_key": holder.directory_key,
            "share_commitment": holder.share_commitment,
            "log_key": holder.log_key,
        },
    )

    def apply(tx: Tx, index: int) -> None:
        # Before the row and not after it: of the same index, it takes the place of the one to compare with.
        known = holders_of(tx, exchange)
        for other in known:
            _check_apart(holder, other)
        others = [other for other in known if other.share_index != holder.share_index]
        if not exchange.demo:
            _check_operators(holder, others, sharing.threshold)
        row = (
            holder.share_index,
            holder.operator,
            holder.address,
            holder.ca_certificate,
            holder.directory_key,
            holder.share_commitment,
            holder.log_origin,
            holder.log_key,
        )
        tx.run(_PUT, (*row, index))

    await ledger.append(Append(entry, apply=apply))


def _check_operators(holder: KeyHolder, others: list[KeyHolder], threshold: int) -> None:
    if not sole_operators((holder, *others), threshold):
        return
    shared = [name for name in _OPERATED if any(getattr(holder, name) == getattr(other, name) for other in others)]
    raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=tuple(f"{name}: one_operator" for name in shared))


def _check_apart(holder: KeyHolder, other: KeyHolder) -> None:
    same_index = holder.share_index == other.share_index
    if same_index and holder.operator != other.operator:
        raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=("share_index: unique",))
    if not same_index:
        shared = [name for name in _UNIQUE if getattr(holder, name) == getattr(other, name)]
        if shared:
            raise Conflict(ErrorReason.HOLDER_CONFLICT, fields=tuple(f"{name}: unique" for name in shared))
