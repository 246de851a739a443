"""Which account a batch is charged to, and how much that account may hold. Pure.

    LOOKUPS         records an agency looks up in a day
    WORKER          ... of those, one member of its staff
    CASELOAD        records an agency registers in an epoch: its declared caseload and a margin, once

A look-up is charged to the first two, a registration to the third while it has room and else to the first: what a
token is made for is the caller's word, so beyond a caseload a registration is a look-up. Nothing is split: a batch fits
whole, or it is refused. Costs are counted in whole records and in elements; a batch has exactly the elements of its
records (`Budgets.elements_a_record`).

A holder cannot see whether the elements of a record are of one identity: they are blinded. So these figures bound how
many tokens are made and not how many guesses; guesses are bounded where tokens are asked about (`exchange/tally`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.config import Budgets
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, BlindedBatch

FULL: Final = 100
"""Percent."""


class Account(StrEnum):
    """What a limit is on."""

    LOOKUPS = "LOOKUPS"
    WORKER = "WORKER"
    CASELOAD = "CASELOAD"


@dataclass(frozen=True, slots=True)
class Line:
    """One account of one agency, and what it may hold in records."""

    account: Account
    agency: AgencyId
    worker: bytes
    epoch: str
    day: int
    limit: int

    @property
    def key(self) -> tuple[str, str, bytes, str, int]:
        """The row in which it is counted."""
        return self.agency, self.account, self.worker, self.epoch, self.day


@dataclass(frozen=True, slots=True)
class Payer:
    """Who is charged, when, and the caseload declared for the agency; None where nobody declared one."""

    agency: AgencyId
    day: int
    declared: int | None


def allowance(budgets: Budgets, declared: int | None) -> int:
    """Records that an agency with this declared caseload may register in an epoch."""
    figure = budgets.undeclared_caseload if declared is None else declared
    return figure + figure * budgets.caseload_margin_percent // FULL


def is_whole(batch: BlindedBatch, budgets: Budgets) -> bool:
    """Whether the batch has exactly the elements of its records."""
    return len(batch.elements) == batch.record_count * budgets.elements_a_record


def names_worker(batch: BlindedBatch) -> bool:
    """Whether a worker is named where one must be, and nowhere else."""
    return len(batch.worker) == (OPAQUE_LENGTH if batch.use == EVALUATION_USE_LOOKUP else 0)


def lines(batch: BlindedBatch, payer: Payer, budgets: Budgets) -> tuple[tuple[Line, ...], ...]:
    """Ways to pay for the batch, in the order in which they are tried; each is a set of accounts charged together."""
    agency, day = payer.agency, payer.day
    of_day = Line(Account.LOOKUPS, agency, b"", "", day, budgets.lookups_a_day)
    if batch.use == EVALUATION_USE_LOOKUP:
        return ((of_day, Line(Account.WORKER, agency, batch.worker, "", day, budgets.lookups_a_worker_a_day)),)
    return (Line(Account.CASELOAD, agency, b"", batch.epoch, 0, allowance(budgets, payer.declared)),), (of_day,)


def alarm_at(spent: int, limit: int, budgets: Budgets) -> int:
    """The percentage whose alarm is due when so many of `limit` records are spent; 0 for none."""
    if spent >= limit:
        return FULL
    return budgets.alarm_percent if spent * FULL >= limit * budgets.alarm_percent else 0
