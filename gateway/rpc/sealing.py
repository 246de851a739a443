"""SealingService: thin skin on `exchange/sealing` and `exchange/recall`."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.notices import Sent
from gateway.exchange.officer_orders import Ordered
from gateway.exchange.recall import Recall
from gateway.exchange.receipts import receipt_message
from gateway.exchange.sealing import Sealing
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.wire_names import to_wire
from gateway.rpc.incoming import Admission, admitted, call_of, on_record
from gateway.rpc.interceptor import current_peer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.sealing_pb2_grpc import SealingServiceServicer

_OPENS: Final = REQUESTER_OPENS | {"notice", "notices"}


class SealingServicer(SealingServiceServicer):
    """Parses, orders, builds."""

    def __init__(
        self,
        sealing: Sealing,
        recall: Recall,
        admission: Admission,
        machine: MachineCalls,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._sealing = sealing
        self._recall = recall
        self._admission = admission
        self._machine = machine
        self._now = now
        self._under_way = set[asyncio.Task[Ordered]]()

    async def Seal(self, request: pb.SealRequest, context: Any) -> pb.SealResponse:
        """An order about a youth's entries is carried out."""
        call = call_of(request, current_peer(), self._now())
        caller, order = await admitted(request, call, self._admission, pb.SealOrder)
        done = await on_record(call, self._admission, lambda: self._to_its_end(self._sealing.seal(caller, order)))
        return pb.SealResponse(
            outcome=to_wire(done.outcome),  # type: ignore[arg-type]
            seal_id=done.notice_id,
            notice_count=done.count,
            receipt=receipt_message(done.entered.receipt(_OPENS)),
            subject_handle=done.handle,
        )

    async def _to_its_end(self, order: Coroutine[Any, Any, Ordered]) -> Ordered:
        """What became of the order, which goes on when its caller gives up."""
        task = asyncio.create_task(order)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Ordered]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            # Its caller hears of it, or has gone.
            task.exception()

    async def Recall(self, request: pb.RecallRequest, context: Any) -> pb.RecallResponse:
        """Whoever was told is sent a notice."""
        call = call_of(request, current_peer(), self._now())
        caller, order = await admitted(request, call, self._admission, pb.RecallOrder)
        done = await on_record(call, self._admission, lambda: self._recall.send(caller, order))
        return pb.RecallResponse(
            outcome=to_wire(done.outcome),  # type: ignore[arg-type]
            notice_id=done.notice_id,
            notice_count=done.count,
            receipt=receipt_message(done.entered.receipt(_OPENS)),
        )

    async def ListNotices(self, request: pb.ListNoticesRequest, context: Any) -> pb.ListNoticesResponse:
        """The notices that the peer's agency caused."""
        call = call_of(request, current_peer(), self._now())
        caller, wanted = await admitted(request, call, self._admission, pb.NoticeFilter)
        done = await on_record(call, self._admission, lambda: self._recall.list_sent(caller, wanted))
        return pb.ListNoticesResponse(
            outcome=to_wire(done.outcome),  # type: ignore[arg-type]
            notices=[_sent(each) for each in done.sent],
            receipt=receipt_message(done.entered.receipt(_OPENS)),
        )

    async def AcknowledgeNotice(
        self, request: pb.AcknowledgeNoticeRequest, context: Any
    ) -> pb.AcknowledgeNoticeResponse:
        """An agency did what a notice asked for."""
        check_request(request)
        agency, answer = self._machine.open(request.envelope, pb.NoticeAcknowledgement, current_peer())
        entered = await self._recall.acknowledge(agency, answer, sha256(request.envelope.payload).digest())
        return pb.AcknowledgeNoticeResponse(receipt=receipt_message(entered.receipt(_OPENS)))


def _sent(sent: Sent) -> pb.SentNotice:
    message = pb.SentNotice(notice_id=sent.notice_id, kind=sent.kind)  # type: ignore[arg-type]
    message.create_time.FromDatetime(moment_of(sent.create_ms))
    for copy in sent.copies:
        shown = message.copies.add(agency=copy.agency, finding=copy.finding)
        if copy.acknowledge_ms is not None:
            shown.acknowledge_time.FromDatetime(moment_of(copy.acknowledge_ms))
    return message
