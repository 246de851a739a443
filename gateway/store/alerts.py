"""Alerts in the database: per-agency sequences, dense; what an adapter has on its disk, its own cursor says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, literal_column, select

from audit.statement import Statement
from gateway.protocol.names import AgencyId, Purpose
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.wire_names import to_wire
from gateway.store.lookups import Lookups
from gateway.store.tables import alert, notice_copy, sent_notice
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, Alert
from homeward.gateway.v1.sealing_pb2 import SealedNotice

_PAGE: Final = 100
_AFTER: Final = Statement(
    select(alert, notice_copy.c.sealed, notice_copy.c.key_id, sent_notice.c.kind)
    # A notice travels with its alert as long as it was not acknowledged; its identifier stands for the handle.
    .select_from(
        alert.outerjoin(
            notice_copy,
            and_(
                literal_column(str(ALERT_KIND_NOTICE)) == alert.c.kind,
                notice_copy.c.notice_id == alert.c.handle,
                notice_copy.c.agency == alert.c.agency,
            ),
        ).outerjoin(sent_notice, sent_notice.c.notice_id == notice_copy.c.notice_id)
    )
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
    _, sequence, kind, handle, flag_id, acting, located_county, purpose, create_ms, review, leaf_index, *notice = row
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
    sealed, key_id, notice_kind = notice
    if sealed:
        message.notice.CopyFrom(
            SealedNotice(notice_id=handle, kind=notice_kind, sealed=sealed, recipient_key_id=key_id)
        )
    return message
