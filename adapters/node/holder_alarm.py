"""What a holder of the token key did that nobody else can know: on record in the county.

Decides that the alarm stays until the operator has seen it: the adapter's status names every such holder of the last
days. A holder that lies is a matter between operators; no question, worker or youth is part of the record.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, select

from adapters.node.identifiers import Clock
from adapters.node.store import Store
from adapters.node.tables import local_event
from gateway.protocol.policy.facts import milliseconds

SHOWN: Final = timedelta(days=7)


class HolderFinding(StrEnum):
    """What is told of a holder."""

    UNPROVEN = "holder.unproven"
    """Its answer came without a proof, or without a receipt, that holds; the answer was not used."""
    ANOTHER_LOG = "holder.another_log"
    """What it recorded before is held against it no more."""


@dataclass(frozen=True, slots=True)
class HolderAlarm:
    """Puts findings on record."""

    store: Store = field(repr=False)
    now: Clock

    def __call__(self, finding: HolderFinding, operator: str) -> None:
        """It is on record of the holder that this operator runs."""
        with self.store.write() as connection:
            record(connection, finding, operator, self.now())


def record(connection: Connection, finding: HolderFinding, operator: str, now: datetime) -> None:
    """It is on record with what else this transaction writes."""
    event = {"kind": str(finding), "reason": operator, "purpose": "", "role": "", "worker": ""}
    connection.execute(local_event.insert().values(**event, create_ms=milliseconds(now)))


def operators_with(finding: HolderFinding, store: Store, now: datetime) -> tuple[str, ...]:
    """Operators of holders of whom this was found in the last days, sorted."""
    events = local_event.c
    found = (
        select(events.reason)
        .where(events.kind == str(finding), events.create_ms >= milliseconds(now - SHOWN))
        .distinct()
        .order_by(events.reason)
    )
    with store.read() as connection:
        return tuple(connection.execute(found).scalars())
