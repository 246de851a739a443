"""What agencies have spent at one holder, in the database of its log: charged with the leaf, or not at all.

Decides that a charge and its leaf are one transaction, in the order of the log, so that two batches at once, a restart
or another process on the same log cannot pass a limit; and that an account's alarm at a percentage is one leaf, whoever
crosses it. An alarm that a crash swallowed is written with the next charge. Limits are the matter of `budgets`.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, bindparam, delete, select, update

from audit.entry import Draft
from audit.log import INDEX, Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.config import Budgets
from gateway.errors import ErrorReason
from gateway.exchange.journal import DENY, Kind, draft
from gateway.members.ledger import Ledger
from gateway.protocol.names import AgencyId
from gateway.tokens import tables
from gateway.tokens.budgets import FULL, Account, Line, Payer, alarm_at, allowance, lines
from homeward.gateway.v1.token_pb2 import BlindedBatch, EvaluationUse

KEPT_DAYS: Final = 7
"""Accounts of older days are dropped when an agency's next day begins."""
_LOG: Final = logging.getLogger(__name__)
_B = tables.budget.c
_ROW: Final = and_(
    _B.agency == bindparam("agency_"),
    _B.account == bindparam("account_"),
    _B.worker == bindparam("worker_"),
    _B.epoch == bindparam("epoch_"),
    _B.day == bindparam("day_"),
)
_NAMES: Final = ("agency_", "account_", "worker_", "epoch_", "day_")
_READ: Final = Statement(select(_B.record_count, _B.element_count, _B.alarm_percent).where(_ROW), *_NAMES)
_PUT: Final = upsert(tables.budget, "agency", "account", "worker", "epoch", "day")
_ALARMED: Final = Statement(
    update(tables.budget).where(_ROW).values(alarm_percent=bindparam("percent_")), "percent_", *_NAMES
)
_DROP: Final = Statement(
    delete(tables.budget).where(
        and_(_B.agency == bindparam("agency_"), _B.epoch == bindparam("epoch_"), _B.day < bindparam("day_"))
    ),
    "agency_", "epoch_", "day_",
)  # fmt: skip
_DECLARED: Final = Statement(
    select(tables.caseload.c.figure).where(tables.caseload.c.agency == bindparam("agency_")), "agency_"
)
_DECLARATIONS: Final = Statement(select(tables.caseload.c.agency, tables.caseload.c.figure))
_DECLARE: Final = upsert(tables.caseload, "agency")
_IN_USE: Final = Statement(
    select(_B.agency, _B.account, _B.record_count, _B.element_count, _B.alarm_percent)
    .where(
        and_(
            _B.worker == bindparam("worker_"),
            (and_(_B.epoch == bindparam("none_"), _B.day == bindparam("day_"))) | (_B.epoch == bindparam("epoch_")),
        )
    )
    .order_by(_B.agency, _B.account),
    "worker_", "none_", "day_", "epoch_",
)  # fmt: skip


class NoRoom(Exception):
    """The batch is refused, and nothing is written of it."""


class _Alarmed(Exception):
    """This alarm is written already."""


@dataclass(slots=True)
class Charge:
    """One batch that is to be paid for. `guard` and `apply` run in one transaction, perhaps twice."""

    batch: BlindedBatch
    agency: AgencyId
    day: int
    budgets: Budgets
    is_counted: bool = False
    """A refusal is only counted, and no entry: the agency has had as many this minute as may be."""
    short: tuple[Line, ...] = ()
    """Accounts without room, when the batch was refused."""
    due: list[tuple[Line, int]] = field(default_factory=list)
    """Alarms that this charge or its refusal makes due, with their percentage."""
    _taken: tuple[Line, ...] = ()

    def facts(self) -> dict[str, str | int]:
        """What the log says of the batch; never an element."""
        return {
            "agency": self.agency,
            "use": EvaluationUse.Name(self.batch.use).removeprefix("EVALUATION_USE_"),
            "records": self.batch.record_count,
            "elements": len(self.batch.elements),
        }

    def guard(self, tx: Tx) -> Draft | None:
        """A refusal in the place of the leaf, where no way to pay has room for the whole batch."""
        row = tx.one(_DECLARED, (self.agency,))
        payer = Payer(self.agency, self.day, int(row[0]) if row else None)
        self.short, self.due = (), []
        for way in lines(self.batch, payer, self.budgets):
            self.short = tuple(line for line in way if self._after(tx, line) > line.limit)
            if not self.short:
                self._taken = way
                return None
        self.due = [(line, FULL) for line in self.short if _read(tx, line)[2] < FULL]
        if self.is_counted:
            raise NoRoom
        accounts = ",".join(line.account for line in self.short)
        refused = {"decision": DENY, "reason": ErrorReason.BUDGET_EXHAUSTED, "account": accounts, **self.facts()}
        return draft(Kind.REFUSED, requester=self.agency, op=refused)

    def apply(self, tx: Tx, index: int) -> None:
        """The accounts are charged."""
        self.due = []
        for line in self._taken:
            records, elements, alarm = _read(tx, line)
            if not records and line.account is Account.LOOKUPS:
                tx.run(_DROP, (self.agency, "", self.day - KEPT_DAYS))
            spent = records + self.batch.record_count
            tx.run(_PUT, (*line.key, spent, elements + len(self.batch.elements), alarm))
            percent = alarm_at(spent, line.limit, self.budgets)
            if percent > alarm:
                self.due.append((line, percent))

    def _after(self, tx: Tx, line: Line) -> int:
        return _read(tx, line)[0] + self.batch.record_count


@dataclass(frozen=True, slots=True)
class Use:
    """How much of an account is used."""

    agency: AgencyId
    account: Account
    records: int
    elements: int
    limit: int
    alarm_percent: int


async def write_alarms(ledger: Ledger, due: Iterable[tuple[Line, int]]) -> None:
    """Each alarm is a leaf, once. Raises `Unavailable`."""
    for line, percent in due:
        op: dict[str, str | int] = {
            "agency": line.agency,
            "account": line.account,
            "percent": percent,
            "limit": line.limit,
        }
        entry = draft(Kind.BUDGET_ALARM, requester=line.agency, op=op)
        try:
            await ledger.append(Append(entry, guard=_unalarmed(line, percent), apply=_alarmed(line, percent)))
        except _Alarmed:
            continue
        _LOG.warning("a budget is almost or wholly used up", extra={"agency": line.agency, "kind": line.account})


async def declare_caseload(ledger: Ledger, agency: AgencyId, figure: int) -> None:
    """The agency's caseload is this many records from now on. Raises `Unavailable`."""
    entry = draft(Kind.CASELOAD_DECLARED, requester=agency, op={"agency": agency, "figure": figure})
    await ledger.append(Append(entry, rows=((_DECLARE, (agency, figure, INDEX)),)))


def read_use(tx: Tx, *, epoch: str, day: int, budgets: Budgets) -> list[Use]:
    """Accounts of whole agencies that were charged in this epoch or on this day."""
    declared = {AgencyId(agency): int(figure) for agency, figure in tx.all(_DECLARATIONS)}
    used = []
    for agency, account, records, elements, alarm in tx.all(_IN_USE, (b"", "", day, epoch)):
        limit = _limit(Account(account), budgets, declared.get(AgencyId(agency)))
        used.append(Use(AgencyId(agency), Account(account), int(records), int(elements), limit, int(alarm)))
    return used


def _limit(account: Account, budgets: Budgets, declared: int | None) -> int:
    if account is Account.CASELOAD:
        return allowance(budgets, declared)
    return budgets.lookups_a_day


def _read(tx: Tx, line: Line) -> tuple[int, int, int]:
    row = tx.one(_READ, line.key)
    return (int(row[0]), int(row[1]), int(row[2])) if row else (0, 0, 0)


def _unalarmed(line: Line, percent: int) -> Callable[[Tx], Draft | None]:
    def guard(tx: Tx) -> Draft | None:
        if _read(tx, line)[2] >= percent:
            raise _Alarmed
        return None

    return guard


def _alarmed(line: Line, percent: int) -> Callable[[Tx, int], None]:
    def apply(tx: Tx, index: int) -> None:
        if not tx.run(_ALARMED, (percent, *line.key)):
            tx.run(_PUT, (*line.key, 0, 0, percent))

    return apply
