"""The pepper of counties, which the gateway stores sealed and cannot open.

Decides that an epoch has one pepper: the first offer's commitment holds, and an offer with another is refused, however
close the two came. An offer serves members that wait: those without a part, and those whose part is sealed to a key
they no longer use (they joined again), or came from a member since revoked, whose offer no reader accepts. It never
replaces a part in use, so that nobody can take the pepper away from somebody else. Whether the sealed bytes hold the
pepper is for the receiver to check, by the commitment.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, bindparam, select

from audit.log import Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members import roster
from gateway.members.ledger import Ledger
from gateway.ports import Entered
from gateway.protocol.names import AgencyId
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import PepperOffer, SealedPepper
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_P = tables.pepper.c
_PUT: Final = upsert(tables.pepper, "epoch", "agency")
_COMMITMENT: Final = Statement(select(_P.commitment).where(_P.epoch == bindparam("epoch_")).limit(1))
_PARTS: Final = Statement(select(_P.agency, _P.sealed, _P.offer).where(_P.epoch == bindparam("epoch_")))
_PART: Final = Statement(
    select(_P.sealed, _P.offer).where(and_(_P.epoch == bindparam("epoch_"), _P.agency == bindparam("agency_"))),
    "epoch_", "agency_",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PepperPart:
    """One member's part, with the offer it came in."""

    sealed: SealedPepper
    offer: SignedEnvelope


@dataclass(frozen=True, slots=True)
class PepperStanding:
    """Where the pepper of an epoch stands for one member. `commitment` is empty until it is minted."""

    commitment: bytes
    part: PepperPart | None
    waiting: tuple[AgencyId, ...]
    """Members without a part; told only to a member that has one, since nobody else can help them."""


async def store_offer(
    ledger: Ledger, agency: AgencyId, envelope: SignedEnvelope, offer: PepperOffer, *, changed: Callable[[], None]
) -> Entered:
    """What the offer holds for members that had no part is stored. `envelope` is verified and holds `offer`.

    Raises `Conflict` when the epoch has another pepper, `Invalid` for a part of an agency that is no member,
    `Unavailable`.
    """
    parts = {AgencyId(part.agency): part for part in offer.sealed_peppers}
    if len(parts) != len(offer.sealed_peppers):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("sealed_peppers: unique",))
    signed = envelope.SerializeToString()

    def apply(tx: Tx, index: int) -> None:
        known = commitment(tx, offer.epoch)
        if known not in (b"", offer.commitment):
            raise Conflict(ErrorReason.PEPPER_CONFLICT)
        members = {member.agency for member in roster.all_members(tx)}
        if not parts.keys() <= members:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("sealed_peppers.agency: member",))
        waiting = set(_waiting(tx, offer.epoch))
        rows = [
            (offer.epoch, name, offer.commitment, signed, part.SerializeToString(), index)
            for name, part in parts.items()
            if name in waiting
        ]
        if rows:
            tx.many(_PUT, rows)

    entry = draft(
        Kind.PEPPER_OFFERED,
        requester=agency,
        op={"agency": agency, "epoch": offer.epoch, "commitment": offer.commitment, "parts": len(parts)},
        req={"request": hashlib.sha256(envelope.payload).digest()},
    )
    entered = await ledger.append(Append(entry, apply=apply))
    changed()
    return entered


def standing(tx: Tx, epoch: str, agency: AgencyId) -> PepperStanding:
    """Where the pepper of this epoch stands for this member."""
    waiting = _waiting(tx, epoch)
    row = tx.one(_PART, (epoch, agency))
    if row is None or agency in waiting:
        return PepperStanding(commitment(tx, epoch), None, ())
    part = PepperPart(SealedPepper.FromString(row[0]), SignedEnvelope.FromString(row[1]))
    return PepperStanding(commitment(tx, epoch), part, waiting)


def commitment(tx: Tx, epoch: str) -> bytes:
    """SHA-256 of the epoch's pepper, or empty while there is none."""
    row = tx.one(_COMMITMENT, (epoch,))
    return bytes(row[0]) if row else b""


def _waiting(tx: Tx, epoch: str) -> tuple[AgencyId, ...]:
    """Members, not suspended, that have no part they can open and accept."""
    live = roster.live_key_ids(tx)
    sealed_to = {
        AgencyId(agency): SealedPepper.FromString(sealed).recipient_key_id
        for agency, sealed, offer in tx.all(_PARTS, (epoch,))
        if SignedEnvelope.FromString(offer).key_id in live
    }
    in_use = roster.seal_keys(tx)
    return tuple(
        member.agency
        for member in roster.all_members(tx)
        if not member.suspended and sealed_to.get(member.agency) != in_use.get(member.agency)
    )
