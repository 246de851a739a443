"""SealingService: sealing orders and recalls, for the county's privacy officer. Parse, ask, build."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from adapters.errors import ErrorReason, Invalid
from adapters.local.interceptor import current_call
from adapters.local.wire import Reading, number, receipt
from adapters.node.sealing import Order, SealingOrders
from adapters.records import LocalSubjectId
from gateway.protocol.names import Purpose
from homeward.county.v1 import sealing_pb2, sealing_pb2_grpc
from homeward.gateway.v1.sealing_pb2 import SEAL_OPERATION_DESTROY, SEAL_OPERATION_LIFT


@dataclass(frozen=True, slots=True)
class SealingEdge:
    """What the service needs."""

    reading: Reading = field(repr=False)
    orders: SealingOrders = field(repr=False)
    policy_version: Callable[[], str]


class SealingServicer(sealing_pb2_grpc.SealingServiceServicer):
    """Serves `homeward.county.v1.SealingService`."""

    def __init__(self, edge: SealingEdge) -> None:
        self._at = edge

    async def Seal(self, request: sealing_pb2.SealRequest, context: Any) -> sealing_pb2.SealResponse:
        """An order about a youth's entries is carried out."""
        call, order = current_call(), _order(request)
        # An order of a court has no purpose of use; the claim names the review of who may receive what.
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=Purpose.OVERSIGHT_AUDIT,
        )
        done = await self._at.orders.seal(entry, order, call.deadline)
        return sealing_pb2.SealResponse(
            outcome=number(done.outcome),
            seal_id=done.identifier.hex(),
            notice_count=done.notice_count,
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def Recall(self, request: sealing_pb2.RecallRequest, context: Any) -> sealing_pb2.RecallResponse:
        """Whoever was told of a youth is sent a notice."""
        call = current_call()
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=Purpose.OVERSIGHT_AUDIT,
        )
        done = await self._at.orders.recall(entry, request.kind, LocalSubjectId(request.local_id), call.deadline)
        return sealing_pb2.RecallResponse(
            outcome=number(done.outcome),
            notice_id=done.identifier.hex(),
            notice_count=done.notice_count,
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def ListNotices(
        self, request: sealing_pb2.ListNoticesRequest, context: Any
    ) -> sealing_pb2.ListNoticesResponse:
        """Notices this county caused, and who has not answered."""
        call = current_call()
        entry = self._at.reading.entry(request, call, request_id="", role=request.role, purpose=Purpose.OVERSIGHT_AUDIT)
        found = await self._at.orders.list_sent(entry, open_only=request.open_only, deadline=call.deadline)
        return sealing_pb2.ListNoticesResponse(
            notices=found.sent, receipt=receipt(found.receipt, entry.request_id, self._at.policy_version())
        )


def _order(request: sealing_pb2.SealRequest) -> Order:
    sealed_already = request.operation == SEAL_OPERATION_LIFT or (
        request.operation == SEAL_OPERATION_DESTROY and not request.local_id
    )
    if sealed_already != bool(request.seal_id) or sealed_already == bool(request.local_id):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("local_id, seal_id: one, as the operation needs",))
    return Order(
        operation=request.operation,
        local_id=LocalSubjectId(request.local_id) if request.local_id else None,
        seal_id=bytes.fromhex(request.seal_id),
        case_reference=request.case_reference,
        release=request.release,
    )
