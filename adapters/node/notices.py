"""Notices of seals and recalls that reach this agency: acted on once, on disk, then acknowledged.

    sealed, wrong youth   what lays the named entries open goes: openings in receipts, the requests' tokens, receipts of
                          answered work orders, and in alerts the youth; the proofs stay
    flag retracted        the requests are marked: nobody is looking for this youth
    unreadable            acknowledged as such, so that the owner's list shows who needs a telephone call

No answer is kept by an adapter, so there is none to delete; what a county's own system kept is that county's duty, and
the alert of the notice reaches its staff (WIC 389, 781, 826). An acknowledgement that could not be sent is sent later.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection, insert, select

from adapters.node.alerts import Alerts, blank_alert, rewrite_alert
from adapters.node.errors import NodeError
from adapters.node.node import Node
from adapters.node.receipts import origin_of
from adapters.node.rpcs import ACKNOWLEDGE_NOTICE, CallFailed, CallFault
from adapters.node.store import get_setting, owe_rewriting, put_setting
from adapters.node.succession import Logs, logs_of
from adapters.node.tables import acted_notice, alert, recalled_request, receipt, request, work
from audit.receipt import parse_receipt
from gateway.protocol.envelope import wrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.notices import open_notice
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.sealing import SealBroken
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, Alert
from homeward.gateway.v1.sealing_pb2 import (
    NOTICE_FINDING_DONE,
    NOTICE_FINDING_NOTHING_KEPT,
    NOTICE_FINDING_UNREADABLE,
    NOTICE_KIND_FLAG_RETRACTED,
    AcknowledgeNoticeRequest,
    NoticeAcknowledgement,
    NoticeFinding,
    SealedNotice,
)

CALL_SECONDS: Final = 15.0
RETRY_SECONDS: Final = 30.0
_DONE: Final = "notices-done"
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NoticeKeeper:
    """Acts on notices, in the order of their alerts."""

    node: Node
    alerts: Alerts
    _poked: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def heard(self, message: Alert) -> None:
        """An alert is on disk; if it is a notice, it is acted on now."""
        if message.kind == ALERT_KIND_NOTICE:
            self._poked.set()

    async def run(self) -> None:
        """Acts on every notice, until cancelled."""
        while True:
            self._poked.clear()
            try:
                await self.act_on_all()
            except (CallFailed, NodeError) as failed:
                _LOG.warning("notice not acknowledged yet", extra={"why": str(failed)})
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._poked.wait()
            except TimeoutError:
                continue

    async def act_on_all(self) -> int:
        """Every notice on disk was acted on and acknowledged; how many. Raises `CallFailed`, `NodeError`."""
        count = 0
        while page := await asyncio.to_thread(self._after):
            for message in page:
                if message.kind == ALERT_KIND_NOTICE and message.HasField("notice"):
                    finding = await asyncio.to_thread(self._act, message.notice)
                    await self._acknowledge(message.notice.notice_id, finding)
                    count += 1
                await asyncio.to_thread(self._finish, message)
        return count

    def _after(self) -> Sequence[Alert]:
        with self.node.store.read() as connection:
            done = int(get_setting(connection, _DONE) or b"0")
        return self.alerts.after(done)

    def _act(self, notice: SealedNotice) -> NoticeFinding:
        with self.node.store.read() as connection:
            before: NoticeFinding | None = connection.scalar(
                select(acted_notice.c.finding).where(acted_notice.c.notice_id == notice.notice_id)
            )
        if before is not None:
            return before
        try:
            indexes = open_notice(notice.notice_id, notice.sealed, self.node.keyring.seal)
        except SealBroken:
            _LOG.error("a notice does not open; the owner sees that it was not acted on")
            return NOTICE_FINDING_UNREADABLE
        with self.node.store.write() as connection:
            finding = _act_on(connection, notice, indexes)
            connection.execute(
                insert(acted_notice).values(
                    notice_id=notice.notice_id,
                    kind=notice.kind,
                    finding=finding,
                    create_ms=milliseconds(self.node.now()),
                )
            )
            owe_rewriting(connection)
        self.node.store.settle()
        return finding

    async def _acknowledge(self, notice_id: bytes, finding: NoticeFinding) -> None:
        answer = NoticeAcknowledgement(notice_id=notice_id, finding=finding)
        said = wrap(answer, self.node.keyring.envelope)
        message = AcknowledgeNoticeRequest(envelope=said)
        try:
            response = await self.node.gateway.call(ACKNOWLEDGE_NOTICE, message, seconds=CALL_SECONDS)
            await self.node.acts.check(response.receipt, Kind.NOTICE_ACKNOWLEDGED, said)
        except CallFailed as failed:
            if failed.fault is not CallFault.REFUSED:
                raise
            # It was not sent to this agency, says the exchange: saying it again changes nothing.
            _LOG.error("a notice was not taken back", extra={"why": str(failed)})

    def _finish(self, message: Alert) -> None:
        with self.node.store.write() as connection:
            if message.HasField("notice"):
                # Which entries it named is not kept.
                message.ClearField("notice")
                rewrite_alert(connection, message)
            put_setting(connection, _DONE, str(message.sequence).encode())


def _act_on(connection: Connection, notice: SealedNotice, indexes: Iterable[int]) -> NoticeFinding:
    named, logs = frozenset(indexes), logs_of(connection)
    rows = connection.execute(select(receipt)).all()
    found = [row for row in rows if row.leaf_index in named]
    # A lost entry had the position of another one in the log in force.
    requests = {row.request_id for row in found if logs.stands(origin_of(row.proof), row.leaf_index)}
    # Of what was presented again, or repeated, after a declared loss, the receipt of the lost entry, too.
    receipts = [row for row in rows if row.request_id in requests]
    for request_id in requests:
        connection.execute(
            insert(recalled_request).values(request_id=request_id, notice_id=notice.notice_id, kind=notice.kind)
        )
    if notice.kind == NOTICE_KIND_FLAG_RETRACTED:
        return NOTICE_FINDING_DONE if requests else NOTICE_FINDING_NOTHING_KEPT
    for row in receipts:
        bare = replace(parse_receipt(row.proof), openings=())
        connection.execute(
            receipt.update()
            .where(receipt.c.request_id == row.request_id, receipt.c.leaf_index == row.leaf_index)
            .values(proof=bare.text())
        )
    for request_id in requests:
        connection.execute(request.delete().where(request.c.request_id == request_id))
    works = [index for index in connection.scalars(select(work.c.decision_index)) if index in named]
    for index in works:
        connection.execute(work.update().where(work.c.decision_index == index).values(receipt=None))
    alerts = _blank_alerts(connection, named, logs)
    return NOTICE_FINDING_DONE if receipts or works or alerts else NOTICE_FINDING_NOTHING_KEPT


def _blank_alerts(connection: Connection, named: frozenset[int], logs: Logs) -> int:
    count = 0
    for raw in connection.scalars(select(alert.c.message)).all():
        message = Alert.FromString(raw)
        if message.leaf.index not in named or message.kind == ALERT_KIND_NOTICE:
            continue
        if logs.stands(logs.origin_of_alert(message.sequence), message.leaf.index):
            blank_alert(connection, message)
            count += 1
    return count
