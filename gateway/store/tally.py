"""`exchange.tally.Tally` on the database of the log: what is counted survives a restart and is one for all replicas.

One row for an agency and one for each worker who asked today, read by one statement and written with the rows of the
leaf: nearly every question of an agency reads and writes its row again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, delete, or_, select

from audit.entry import Draft
from audit.sequencer import Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import Error, ErrorReason, Exhausted, Unavailable
from gateway.exchange.journal import Kind, draft
from gateway.exchange.tally import (
    NEVER,
    UNSEEN,
    Asker,
    Count,
    Figure,
    Heard,
    Limits,
    Suspicion,
    Tallied,
    Window,
    reached,
    spent,
)
from gateway.members.ledger import Ledger
from gateway.ports import Guard, Journal
from gateway.protocol.names import AgencyId
from gateway.store.tables import tally

_LOG: Final = logging.getLogger(__name__)
_T = tally.c
_COLUMNS: Final = (_T.account, _T.agency, _T.day, _T.asked, _T.possible, _T.misses, _T.length, _T.hold_index)
_READ: Final = Statement(
    select(*_COLUMNS).where(or_(_T.account == bindparam("one_"), _T.account == bindparam("other_"))), "one_", "other_"
)
_HELD: Final = Statement(select(_T.agency).where(_T.hold_index > 0).order_by(_T.agency))
_PUT: Final = upsert(tally, "account")
_DROP: Final = Statement(
    delete(tally).where(
        and_(_T.agency == bindparam("agency_"), _T.account != bindparam("account_"), _T.day < bindparam("day_"))
    ),
    "agency_", "account_", "day_",
)  # fmt: skip


class _Held(Exception):
    """The agency's look-ups are held already."""


class _Row(NamedTuple):
    """One account: of an agency, whose name it then is, or of one of its workers. In the order of the columns."""

    account: str
    agency: str
    day: int = NEVER.day
    asked: int = NEVER.asked
    possible: int = NEVER.possible
    misses: bytes = b""
    length: int = UNSEEN.length
    hold_index: int = 0

    @property
    def tallied(self) -> Tallied:
        return Tallied(self.day, self.asked, self.possible)

    @property
    def window(self) -> Window:
        return Window(int.from_bytes(self.misses, "big"), self.length)


def _row_of(account: str, agency: str, tallied: Tallied, window: Window = UNSEEN) -> _Row:
    misses = window.misses.to_bytes((window.length + 7) // 8, "big")
    return _Row(account, agency, tallied.day, tallied.asked, tallied.possible, misses, window.length)


class SqlTally:
    """Counts, refuses and holds. One event loop. Without a `suspicion` nothing is held."""

    def __init__(self, journal: Journal, limits: Limits, suspicion: Suspicion | None) -> None:
        self._journal = journal
        self._limits = limits
        self._suspicion = suspicion
        self._alarms: dict[AgencyId, list[tuple[Figure, int]]] = {}
        self._due: set[AgencyId] = set()

    def asked(self, asker: Asker, heard: Heard | None) -> tuple[Guard, Count | None]:
        """`exchange.tally.Tally`."""
        suspicion = self._suspicion
        agency = worker = _Row("", "")

        def guard(tx: Tx) -> Draft | None:
            nonlocal agency, worker
            agency, worker = _rows(tx, asker)
            if agency.hold_index and suspicion is not None:
                raise Exhausted(ErrorReason.LOOKUPS_HELD)
            figure = None if heard is None else spent(agency.tallied, worker.tallied, asker, self._limits)
            if figure is not None:
                raise Exhausted(ErrorReason.QUESTIONS_EXHAUSTED, fields=(f"budget: {figure}",))
            return None

        if heard is None:
            return guard, None

        def apply(tx: Tx, index: int) -> None:
            if agency.tallied.day != asker.day:
                tx.run(_DROP, (asker.agency, asker.agency, asker.day))
            of_agency = agency.tallied.after(asker.day, possible=heard.possible)
            of_worker = worker.tallied.after(asker.day, possible=heard.possible)
            window = agency.window
            if suspicion is not None:
                window = window.after(missed=heard.missed, limit=suspicion.lookups)
                if window.is_suspicious(suspicion):
                    self._due.add(asker.agency)
            tx.later(_PUT, _row_of(asker.agency, asker.agency, of_agency, window))
            tx.later(_PUT, _row_of(worker.account, asker.agency, of_worker))
            now = [*reached(of_agency, of_worker, possible=heard.possible, limits=self._limits)]
            if now:
                # The writer may apply a count twice; a figure is reached once.
                due = self._alarms.setdefault(asker.agency, [])
                due += [each for each in now if each not in due]

        return guard, apply

    async def settle(self, agency: AgencyId) -> None:
        """Alarms that became due are leaves, and look-ups that became suspicious are held.

        What the log does not take now, or whose caller goes meanwhile, is settled with the agency's next question.
        """
        due = self._alarms.setdefault(agency, [])
        while due:
            figure, limit = due.pop(0)
            op: dict[str, str | int] = {"agency": agency, "account": figure, "percent": 100, "limit": limit}
            # Who is told how many of their questions were possible could tell a youth who is alike from nobody.
            told = None if figure is Figure.POSSIBLE else agency
            try:
                await self._journal.enter(Append(draft(Kind.BUDGET_ALARM, requester=told, op=op)))
            except (Unavailable, asyncio.CancelledError):
                # Perhaps it is written after all: twice is better than not at all.
                due.insert(0, (figure, limit))
                raise
            _LOG.warning("a figure of a day's questions is reached", extra={"agency": agency, "kind": figure})
        if agency in self._due and self._suspicion is not None:
            self._due.discard(agency)
            await self._hold(agency, self._suspicion)

    async def _hold(self, agency: AgencyId, suspicion: Suspicion) -> None:
        op: dict[str, str | int] = {
            "agency": agency,
            "lookups": suspicion.lookups,
            "percent": suspicion.misses_percent,
        }
        entry = draft(Kind.LOOKUPS_HELD, requester=agency, op=op)
        try:
            await self._journal.enter(Append(entry, guard=_unheld(agency), apply=_hold(agency)))
        except _Held:
            # Another question of the same moment was first.
            return


async def release_lookups(ledger: Ledger, agency: AgencyId) -> int:
    """The agency may look up again, and counting misses begins anew, not the day's questions; the leaf's index.

    Raises `Error` (LOOKUPS_NOT_HELD), `Unavailable`.
    """
    entry = draft(Kind.LOOKUPS_RELEASED, requester=agency, op={"agency": agency})

    def guard(tx: Tx) -> Draft | None:
        if not _row(tx, agency).hold_index:
            raise Error(ErrorReason.LOOKUPS_NOT_HELD)
        return None

    def apply(tx: Tx, index: int) -> None:
        tx.run(_PUT, _row_of(agency, agency, _row(tx, agency).tallied))

    return (await ledger.append(Append(entry, guard=guard, apply=apply))).index


def held_agencies(tx: Tx) -> list[AgencyId]:
    """Agencies whose look-ups are held."""
    return [AgencyId(agency) for (agency,) in tx.all(_HELD)]


def _rows(tx: Tx, asker: Asker) -> tuple[_Row, _Row]:
    """The agency's row and the worker's; a fresh one where there is none."""
    accounts = (asker.agency, f"{asker.agency} {asker.worker}")
    known = {each: row for each in accounts if (row := tx.announced(_PUT, each)) is not None}
    missing = [each for each in accounts if each not in known]
    if missing:
        known |= {row[0]: row for row in tx.by_key(_READ, (missing[0], missing[-1]), written_by=_PUT)}
    agency, worker = (_Row._make(known[each]) if each in known else _Row(each, asker.agency) for each in accounts)
    return agency, worker


def _row(tx: Tx, agency: AgencyId) -> _Row:
    rows = tx.all(_READ, (agency, agency))
    return _Row._make(rows[0]) if rows else _Row(agency, agency)


def _unheld(agency: AgencyId) -> Callable[[Tx], Draft | None]:
    def guard(tx: Tx) -> Draft | None:
        if _row(tx, agency).hold_index:
            raise _Held
        return None

    return guard


def _hold(agency: AgencyId) -> Callable[[Tx, int], None]:
    def apply(tx: Tx, index: int) -> None:
        row = _row(tx, agency)
        tx.run(_PUT, row._replace(hold_index=index))

    return apply
