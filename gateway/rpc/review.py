"""ReviewService."""

from hashlib import sha256
from typing import Any

from gateway.exchange.receipts import act_receipt
from gateway.exchange.verdicts import Verdicts
from gateway.rpc.interceptor import current_peer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.review_pb2_grpc import ReviewServiceServicer


class ReviewServicer(ReviewServiceServicer):
    """Thin: open the envelope, record the verdict in the name of who signed."""

    def __init__(self, verdicts: Verdicts, machine: MachineCalls) -> None:
        self._verdicts = verdicts
        self._machine = machine

    async def GiveVerdict(self, request: pb.GiveVerdictRequest, context: Any) -> pb.GiveVerdictResponse:
        """What the peer's agency says of a possible match."""
        check_request(request)
        agency, said = self._machine.open(request.envelope, pb.ReviewVerdict, current_peer())
        digest = sha256(request.envelope.payload).digest()
        given = await self._verdicts.give(agency, digest, said)
        return pb.GiveVerdictResponse(state=given.state, receipt=act_receipt(given.entered))
