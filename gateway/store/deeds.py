"""Requests that were carried out, in the database: `exchange.deed.Deeds`."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, or_, select

from audit.entry import Draft
from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, Repeated
from gateway.ports import Entered, Guard
from gateway.store.entries import LogEntries
from gateway.store.lookups import Lookups
from gateway.store.projections import assertion_identifier, request_identifier
from gateway.store.tables import spent

_SPENT: Final = Statement(
    select(spent.c.identifier, spent.c.digest, spent.c.leaf_index).where(
        or_(spent.c.identifier == bindparam("request"), spent.c.identifier == bindparam("assertion"))
    ),
    "request",
    "assertion",
)


@dataclass(frozen=True, slots=True)
class SqlDeeds:
    """`exchange.deed.Deeds` on the database and the log."""

    lookups: Lookups
    entries: LogEntries

    async def done(self, caller: Caller, deed: Deed) -> Entered | None:
        """The entry that carried out this very request before, or None."""
        index = await self.lookups.read(lambda tx: _index(tx, caller, deed))
        return None if index is None else await self.entries.entry(index)

    def fresh(self, caller: Caller, deed: Deed) -> Guard:
        """Raises `Repeated` for a request that was carried out meanwhile."""

        def guard(tx: Tx) -> Draft | None:
            index = _index(tx, caller, deed)
            if index is not None:
                raise Repeated(index)
            return None

        return guard

    async def entry(self, index: int) -> Entered:
        """The entry at this index, with proof."""
        return await self.entries.entry(index)


def _index(tx: Tx, caller: Caller, deed: Deed) -> int | None:
    request = request_identifier(caller.agency, deed.request_id)
    assertion = assertion_identifier(caller.agency, caller.claims.assertion_id)
    used = {identifier: (digest, index) for identifier, digest, index in tx.all(_SPENT, (request, assertion))}
    if request in used:
        digest, index = used[request]
        if digest != deed.digest:
            raise Conflict(ErrorReason.ID_REUSED)
        return int(index)
    if assertion in used:
        raise Conflict(ErrorReason.ASSERTION_REPLAYED)
    return None
