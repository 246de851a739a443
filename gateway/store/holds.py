"""`exchange.holds.Holds` on the database of the log: what is counted survives a restart and is one for all replicas."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, select

from audit.entry import Draft
from audit.sequencer import Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import Error, ErrorReason, Exhausted
from gateway.exchange.holds import Count, Suspicion, Window
from gateway.exchange.journal import Kind, draft
from gateway.members.ledger import Ledger
from gateway.ports import Journal
from gateway.protocol.names import AgencyId
from gateway.store.tables import lookup_window

_W = lookup_window.c
_READ: Final = Statement(
    select(_W.agency, _W.misses, _W.length, _W.hold_index).where(_W.agency == bindparam("agency_")), "agency_"
)
_HELD: Final = Statement(select(_W.agency).where(_W.hold_index > 0).order_by(_W.agency))
_PUT: Final = upsert(lookup_window, "agency")


class _Held(Exception):
    """The agency's look-ups are held already."""


class SqlHolds:
    """Counts and holds. One event loop."""

    def __init__(self, journal: Journal, suspicion: Suspicion) -> None:
        self._journal = journal
        self._suspicion = suspicion
        self._bytes = (suspicion.lookups + 7) // 8
        self._due: set[AgencyId] = set()

    def guard(self, agency: AgencyId) -> Callable[[Tx], Draft | None]:
        """Refuses, by raising, a look-up of an agency whose look-ups are held."""

        def guard(tx: Tx) -> Draft | None:
            if _read(tx, agency)[1]:
                raise Exhausted(ErrorReason.LOOKUPS_HELD)
            return None

        return guard

    def count(self, agency: AgencyId, *, missed: bool) -> Count:
        """The look-up is counted in the transaction of its leaf."""

        def apply(tx: Tx, index: int) -> None:
            window = _read(tx, agency)[0].after(missed=missed, limit=self._suspicion.lookups)
            tx.later(_PUT, (agency, window.misses.to_bytes(self._bytes, "big"), window.length, 0))
            if window.is_suspicious(self._suspicion):
                self._due.add(agency)

        return apply

    async def settle(self, agency: AgencyId) -> None:
        """Look-ups that became suspicious are held."""
        if agency not in self._due:
            return
        self._due.discard(agency)
        op: dict[str, str | int] = {
            "agency": agency,
            "lookups": self._suspicion.lookups,
            "percent": self._suspicion.misses_percent,
        }
        entry = draft(Kind.LOOKUPS_HELD, requester=agency, op=op)
        try:
            await self._journal.enter(Append(entry, guard=_unheld(agency), apply=_hold(agency)))
        except _Held:
            # Another question of the same moment was first.
            return


async def release_lookups(ledger: Ledger, agency: AgencyId) -> int:
    """The agency may look up again, and counting begins anew; the leaf's index.

    Raises `Error` (LOOKUPS_NOT_HELD), `Unavailable`.
    """
    entry = draft(Kind.LOOKUPS_RELEASED, requester=agency, op={"agency": agency})

    def guard(tx: Tx) -> Draft | None:
        if not _read(tx, agency)[1]:
            raise Error(ErrorReason.LOOKUPS_NOT_HELD)
        return None

    return (await ledger.append(Append(entry, guard=guard, rows=((_PUT, (agency, b"", 0, 0)),)))).index


def held_agencies(tx: Tx) -> list[AgencyId]:
    """Agencies whose look-ups are held."""
    return [AgencyId(agency) for (agency,) in tx.all(_HELD)]


def _read(tx: Tx, agency: AgencyId) -> tuple[Window, int]:
    """The agency's window, and the leaf of its hold; 0 for none."""
    row = tx.announced(_PUT, agency)
    if row is None:
        rows = tx.by_key(_READ, (agency,), written_by=_PUT)
        row = rows[0] if rows else (agency, b"", 0, 0)
    _, misses, length, hold_index = row
    return Window(int.from_bytes(misses, "big"), length), hold_index


def _unheld(agency: AgencyId) -> Callable[[Tx], Draft | None]:
    def guard(tx: Tx) -> Draft | None:
        if _read(tx, agency)[1]:
            raise _Held
        return None

    return guard


def _hold(agency: AgencyId) -> Callable[[Tx, int], None]:
    def apply(tx: Tx, index: int) -> None:
        rows = tx.all(_READ, (agency,))
        _, misses, length, _ = rows[0] if rows else (agency, b"", 0, 0)
        tx.run(_PUT, (agency, misses, length, index))

    return apply
