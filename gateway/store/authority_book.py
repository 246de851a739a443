"""Recorded authorities in the database, to change and to list: `exchange.authorities.AuthorityBook`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import and_, bindparam, case, insert, null, select, update

from audit.entry import Draft
from audit.sequencer import INDEX
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.exchange.authorities import Booked
from gateway.exchange.deed import Moved
from gateway.ports import Guard, Rows
from gateway.protocol.names import AgencyId, AuthorityId
from gateway.store.authorities import ENDED
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.lookups import Lookups
from gateway.store.succession import last_loss_ms
from gateway.store.tables import authority, authority_party
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_A, _P = authority.c, authority_party.c
_BY_LOSS: Final = case((_A.revocation.is_(None) & ENDED, 1), else_=0)
_BOOKED: Final = select(
    _A.authority_id, _A.issuer, _A.sealed, _A.revocation, _A.leaf_index, ENTRY.c.time_ms, _BY_LOSS, last_loss_ms()
).select_from(authority.join(ENTRY, ENTRY.c.idx == _A.leaf_index))
_FIND: Final = Statement(_BOOKED.where(_A.authority_id == bindparam("authority_")))
_OF: Final = Statement(
    _BOOKED.join(authority_party, _P.authority_id == _A.authority_id)
    .where(and_(_P.agency == bindparam("agency_"), _A.leaf_index > bindparam("after_")))
    .order_by(_A.leaf_index)
    .limit(bindparam("limit_")),
    "agency_",
    "after_",
    "limit_",
)
_KNOWN: Final = Statement(select(_A.leaf_index).where(_A.authority_id == bindparam("authority_")))
_PUT: Final = Statement(
    insert(authority).values(
        authority_id=bindparam("authority_"),
        issuer=bindparam("issuer_"),
        sealed=bindparam("sealed_"),
        revocation=null(),
        leaf_index=bindparam("index_"),
    ),
    "authority_",
    "issuer_",
    "sealed_",
    "index_",
)
_PUT_PARTY: Final = Statement(insert(authority_party))
_REVOKE: Final = Statement(
    update(authority)
    .where(and_(_A.authority_id == bindparam("authority_"), _A.revocation.is_(None)))
    .values(revocation=bindparam("revocation_")),
    "revocation_",
    "authority_",
)


_ENDED_BY_LOSS: Final = Statement(select(_BY_LOSS).where(_A.authority_id == bindparam("authority_")))
_STAND_AGAIN: Final = Statement(
    update(authority)
    .where(and_(_A.authority_id == bindparam("authority_"), _A.revocation.is_(None)))
    .values(sealed=bindparam("sealed_"), leaf_index=bindparam("index_")),
    "sealed_",
    "index_",
    "authority_",
)


@dataclass(frozen=True, slots=True)
class SqlAuthorityBook:
    """`exchange.authorities.AuthorityBook` on the database."""

    lookups: Lookups
    authority_keys: FileAuthorityKeys = field(repr=False)

    async def find(self, authority_id: AuthorityId) -> Booked | None:
        """The authority, revoked or not, or None."""
        row = await self.lookups.read(lambda tx: tx.one(_FIND, (authority_id,)))
        return None if row is None else self._booked(row)

    async def of(self, agency: AgencyId, *, after: int, limit: int) -> Sequence[Booked]:
        """Authorities this agency is a party of, by index of their leaves, after this index."""
        rows = await self.lookups.read(lambda tx: tx.all(_OF, (agency, after, limit)))
        return [self._booked(row) for row in rows]

    def absent(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` when an authority of this identifier was recorded meanwhile."""

        def guard(tx: Tx) -> Draft | None:
            if tx.one(_KNOWN, (authority_id,)) is not None:
                raise Moved
            return None

        return guard

    async def put(
        self, authority_id: AuthorityId, issuer: AgencyId, envelope: SignedEnvelope, parties: frozenset[AgencyId]
    ) -> Rows:
        """The authority is on record. Raises `Conflict` for an identifier whose youth was sealed."""
        sealed = await asyncio.to_thread(self.authority_keys.seal, authority_id, envelope)
        booked = (_PUT, (authority_id, issuer, sealed, INDEX))
        return (booked, *((_PUT_PARTY, (agency, authority_id)) for agency in sorted(parties)))

    async def revoke(self, authority_id: AuthorityId, at_ms: int) -> Rows:
        """The authority is revoked; the first revocation counts. Raises `Moved` when its youth was sealed meanwhile."""
        revocation = await asyncio.to_thread(self.authority_keys.seal_moment, authority_id, at_ms)
        if revocation is None:
            raise Moved
        return ((_REVOKE, (revocation, authority_id)),)

    def ended_by_loss(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` unless a declared loss, and no revocation, has ended the authority."""

        def guard(tx: Tx) -> Draft | None:
            row = tx.one(_ENDED_BY_LOSS, (authority_id,))
            if row is None or not row[0]:
                raise Moved
            return None

        return guard

    async def stand_again(self, authority_id: AuthorityId, envelope: SignedEnvelope) -> Rows:
        """The authority is on record from this entry on, under the signature that the entry names."""
        sealed = await asyncio.to_thread(self.authority_keys.seal, authority_id, envelope)
        return ((_STAND_AGAIN, (sealed, INDEX, authority_id)),)

    def _booked(self, row: Sequence[Any]) -> Booked:
        identifier, issuer, sealed, revocation, index, time_ms, by_loss, loss_ms = row
        authority_id = AuthorityId(bytes(identifier))
        envelope = self.authority_keys.open(authority_id, sealed)
        revoke_ms: int | None = loss_ms if by_loss else None
        if revocation is not None:
            # Of one whose youth was sealed nobody can say when; it stays revoked.
            revoke_ms = self.authority_keys.open_moment(authority_id, revocation) or 0
        return Booked(
            authority_id=authority_id,
            issuer=AgencyId(issuer),
            envelope=envelope or SignedEnvelope(),
            revoke_ms=revoke_ms,
            record_index=index,
            record_ms=time_ms,
            ended_by_loss=bool(by_loss),
        )
