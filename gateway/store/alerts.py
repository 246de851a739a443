"""Alerts in the database: per-agency sequences, dense; what an adapter has on its disk, its own cursor says.

Decides what of an alert stands in the clear: that an agency was told, of what kind, about whose doing and when, as its
entry says too. Which youth it is about, and what it says of the youth, rests under the youth's key (`alert_keys`); of a
sealed youth an alert has a number and a kind, so that sequences stay dense, and names nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, select

from audit.entry import YouthKey
from audit.statement import Statement
from gateway.ports import NewAlert
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, Purpose
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.succession import is_first_of_a_log
from gateway.protocol.wire_names import to_wire
from gateway.store.alert_keys import AlertKeys, alert_mark
from gateway.store.lookups import Lookups
from gateway.store.row_seal import open_row, seal_row
from gateway.store.tables import alert, notice_copy, sent_notice
from gateway.store.told import AlertRow
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, Alert
from homeward.gateway.v1.review_pb2 import ReviewTask
from homeward.gateway.v1.sealing_pb2 import SealedNotice

_PAGE: Final = 100
_NOBODY: Final = bytes(OPAQUE_LENGTH)
_CONTENT, _DIGESTS = "alert", "alert.digests"
_AFTER: Final = Statement(
    select(alert, notice_copy.c.sealed, notice_copy.c.key_id, sent_notice.c.kind)
    # A notice travels with its alert as long as it was not acknowledged.
    .select_from(
        alert.outerjoin(
            notice_copy,
            and_(notice_copy.c.notice_id == alert.c.notice_id, notice_copy.c.agency == alert.c.agency),
        ).outerjoin(sent_notice, sent_notice.c.notice_id == notice_copy.c.notice_id)
    )
    .where(and_(alert.c.agency == bindparam("agency_"), alert.c.sequence > bindparam("after_")))
    .order_by(alert.c.sequence)
    .limit(_PAGE),
    "agency_",
    "after_",
)
_FOLLOWING: Final = Statement(
    select(func.min(alert.c.sequence)).where(
        and_(alert.c.agency == bindparam("agency_"), alert.c.sequence > bindparam("after_"))
    ),
    "agency_",
    "after_",
)
_NEWEST: Final = Statement(select(func.max(alert.c.sequence)).where(alert.c.agency == bindparam("agency_")), "agency_")


@dataclass(frozen=True, slots=True)
class Alerts:
    """`ports.AlertFeed` on the database."""

    lookups: Lookups
    alert_keys: AlertKeys = field(repr=False)

    async def after(self, agency: AgencyId, sequence: int) -> Sequence[Alert]:
        """The next alerts of this agency after a sequence, in order, at most a hundred."""
        rows = await self.lookups.all(_AFTER, (agency, sequence))
        marks = [bytes(row[7]) for row in rows if row[7]]
        keys = await self.alert_keys.opening(agency, sequence, marks) if marks else {}
        return [_alert(row, keys) for row in rows]

    async def newest(self, agency: AgencyId) -> int:
        """The highest sequence of this agency's alerts; 0 when there are none."""
        ((newest,),) = await self.lookups.all(_NEWEST, (agency,))
        return int(newest or 0)

    async def is_lost(self, agency: AgencyId, sequence: int) -> bool:
        """As the port says."""
        ((following,),) = await self.lookups.all(_FOLLOWING, (agency, sequence))
        return following is not None and following != sequence + 1 and not is_first_of_a_log(following)


def sealed_alert(alert: NewAlert, key: YouthKey | None) -> AlertRow:
    """The alert, sealed under the key of its youth; without one it says nothing of a youth."""
    shown = (alert.agency, alert.kind, alert.acting_agency, alert.purpose, alert.create_ms)
    if key is None:
        notice_id = alert.handle if alert.kind == ALERT_KIND_NOTICE else b""
        return AlertRow(*shown, notice_id=notice_id, sealed=alert.notice)
    content = Alert(subject_handle=alert.handle, flag_id=alert.flag_id, located_county=alert.located_county)
    content.duties.extend(to_wire(each) for each in alert.duties)  # type: ignore[misc]
    if alert.report_ms is not None:
        content.report_time.FromDatetime(moment_of(alert.report_ms))
    mark, digests, epoch = alert_mark(key.key, key.counter), b"", ""
    if alert.review is not None:
        content.review.CopyFrom(alert.review)
        # Apart from the rest, because they end with their epoch.
        digests, epoch = b"".join(alert.review.naming_digests), alert.review.epoch
        for name in ("naming_digests", "epoch"):
            content.review.ClearField(name)
    return AlertRow(
        *shown,
        mark=mark,
        sealed=seal_row(content.SerializeToString(), key.key, table=_CONTENT, row=mark),
        digests=seal_row(digests, key.key, table=_DIGESTS, row=mark) if digests else b"",
        epoch=epoch,
    )


def _alert(row: Sequence[Any], keys: Mapping[bytes, bytes]) -> Alert:
    _, sequence, kind, acting, purpose, create_ms, notice_id, mark, sealed, digests, epoch, leaf_index, *notice = row
    message = Alert(subject_handle=notice_id or _NOBODY)
    key = keys.get(bytes(mark))
    if key is not None:
        message = Alert.FromString(open_row(sealed, key, table=_CONTENT, row=bytes(mark)))
    if key is not None and digests:
        _add_digests(message.review, open_row(digests, key, table=_DIGESTS, row=bytes(mark)), epoch)
    message.sequence, message.kind, message.acting_agency = sequence, kind, acting
    if purpose:
        message.purpose = to_wire(Purpose(purpose))  # type: ignore[assignment]
    message.leaf.index = leaf_index
    message.leaf.create_time.FromDatetime(moment_of(create_ms))
    sealed_notice, key_id, notice_kind = notice
    if sealed_notice:
        message.notice.CopyFrom(
            SealedNotice(notice_id=notice_id, kind=notice_kind, sealed=sealed_notice, recipient_key_id=key_id)
        )
    return message


def _add_digests(review: ReviewTask, digests: bytes, epoch: str) -> None:
    size = 32
    review.naming_digests.extend(digests[at : at + size] for at in range(0, len(digests), size))
    review.epoch = epoch
