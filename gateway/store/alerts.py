"""Alerts in the database: per-agency sequences, dense; what an adapter has on its disk, its own cursor says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, select

from audit.statement import Statement
from gateway.protocol.names import AgencyId, Purpose
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.wire_names import to_wire
from gateway.store.lookups import Lookups
from gateway.store.tables import alert
from homeward.gateway.v1.link_pb2 import Alert

_PAGE: Final = 100
_AFTER: Final = Statement(
    select(alert)
    .where(and_(alert.c.agency == bindparam("agency_"), alert.c.sequence > bindparam("after_")))
    .order_by(alert.c.sequence)
    .limit(_PAGE),
    "agency_",
    "after_",
)


@dataclass(frozen=True, slots=True)
class Alerts:
    """`ports.AlertFeed` on the database."""

    lookups: Lookups

    async def after(self, agency: AgencyId, sequence: int) -> Sequence[Alert]:
        """The next alerts of this agency after a sequence, in order, at most a hundred."""
        rows = await self.lookups.read(lambda tx: tx.all(_AFTER, (agency, sequence)))
        return [_alert(row) for row in rows]


def _alert(row: Sequence[Any]) -> Alert:
    _, sequence, kind, handle, flag_id, acting, located_county, purpose, create_ms, review, leaf_index = row
    message = Alert(
        sequence=sequence,
        kind=kind,
        subject_handle=handle,
        flag_id=flag_id,
        acting_agency=acting,
        located_county=located_county,
        purpose=to_wire(Purpose(purpose)) if purpose else 0,  # type: ignore[arg-type]
    )
    if review:
        message.review.ParseFromString(review)
    message.leaf.index = leaf_index
    message.leaf.create_time.FromDatetime(moment_of(create_ms))
    return message
