"""RestorationService: thin skin on `recovery.presented`."""

from hashlib import sha256
from typing import Any

from gateway.exchange.receipts import receipt_message
from gateway.recovery.presented import Presentations, Presented
from gateway.rpc.interceptor import current_peer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1 import restoration_pb2 as pb
from homeward.gateway.v1.restoration_pb2_grpc import RestorationServiceServicer

_OPENS = frozenset({"kind", "outcome", "request"})


class RestorationServicer(RestorationServiceServicer):
    """Opens the envelope, has the event taken, builds."""

    def __init__(self, presentations: Presentations, machine: MachineCalls) -> None:
        self._presentations = presentations
        self._machine = machine

    async def PresentEvent(self, request: pb.PresentEventRequest, context: Any) -> pb.PresentEventResponse:
        """An event of before a loss is on record again."""
        check_request(request)
        agency, event = self._machine.open(request.envelope, pb.PresentedEvent, current_peer())
        by = Presented(agency, sha256(request.envelope.payload).digest())
        entered = await self._presentations.take(by, event)
        return pb.PresentEventResponse(receipt=None if entered is None else receipt_message(entered.receipt(_OPENS)))
