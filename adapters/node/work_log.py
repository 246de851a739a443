"""Every work order this source was given, and what became of it: once each, and on disk first.

Decides that an order is worked on at most once, and a decision in the log answered at most once, also across restarts:
the row is durable before anything is read (SECURITY §4.2). Receipts of answered orders are kept; they show that
nothing left this county without an entry in the log.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from adapters.errors import EvidenceInvalid
from adapters.node.attest import await_entry
from adapters.node.refusal import OrderRefused, Refusal
from adapters.node.store import Store
from adapters.node.tables import work
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.facts import milliseconds
from homeward.audit.v1.log_pb2 import Receipt

STARTED: Final = "STARTED"
ANSWERED: Final = "ANSWERED"
REMEMBERED: Final = timedelta(hours=24)
"""How long an order that was not answered is remembered; grants live for minutes."""


@dataclass(frozen=True, slots=True)
class WorkLog:
    """The work orders on disk."""

    store: Store

    def start(self, work_id: bytes, now: datetime) -> None:
        """The order is taken up, durably. Raises `OrderRefused` for one that was taken up before."""
        try:
            with self.store.write() as connection:
                connection.execute(
                    work.delete().where(work.c.result != ANSWERED, work.c.create_ms < milliseconds(now - REMEMBERED))
                )
                connection.execute(
                    work.insert().values(work_id=work_id, requester="", result=STARTED, create_ms=milliseconds(now))
                )
        except IntegrityError as exc:
            raise OrderRefused(Refusal.REPEATED) from exc

    def claim(self, work_id: bytes, *, decision_index: int, requester: AgencyId, receipt: Receipt) -> None:
        """The decision is this order's alone. Raises `OrderRefused` when another order had it."""
        values = {"decision_index": decision_index, "requester": requester, "receipt": receipt.SerializeToString()}
        try:
            with self.store.write() as connection:
                connection.execute(work.update().where(work.c.work_id == work_id).values(values))
                await_entry(connection, decision_index, receipt.leaf)
        except IntegrityError as exc:
            raise OrderRefused(Refusal.DECISION_REPEATED) from exc
        except EvidenceInvalid as exc:
            raise OrderRefused(Refusal.RECEIPT_INVALID) from exc

    def finish(self, work_id: bytes, result: str) -> None:
        """What became of the order is on disk."""
        with self.store.write() as connection:
            connection.execute(work.update().where(work.c.work_id == work_id).values(result=result))

    def result(self, work_id: bytes) -> str | None:
        """What became of an order, or None for one that is not remembered."""
        with self.store.read() as connection:
            result: str | None = connection.scalar(select(work.c.result).where(work.c.work_id == work_id))
        return result
