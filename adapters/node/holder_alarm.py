"""A holder of the token key whose proof did not hold: on record in the county, because nobody else can know it.

Decides that the alarm stays until the operator has seen it: the adapter's status names every such holder of the last
days. A holder that lies is a matter between operators; no question, worker or youth is part of the record.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select

from adapters.node.store import Store
from adapters.node.tables import local_event
from gateway.protocol.policy.facts import milliseconds

UNPROVEN: Final = "holder.unproven"
SHOWN: Final = timedelta(days=7)


def record_unproven(store: Store, operator: str, now: datetime) -> None:
    """The holder's answer without a proof is on record."""
    event = {"kind": UNPROVEN, "reason": operator, "purpose": "", "role": "", "worker": ""}
    with store.write() as connection:
        connection.execute(local_event.insert().values(**event, create_ms=milliseconds(now)))


def unproven(store: Store, now: datetime) -> tuple[str, ...]:
    """Operators of holders without a proof in the last days, sorted."""
    events = local_event.c
    found = (
        select(events.reason)
        .where(events.kind == UNPROVEN, events.create_ms >= milliseconds(now - SHOWN))
        .distinct()
        .order_by(events.reason)
    )
    with store.read() as connection:
        return tuple(connection.execute(found).scalars())
