"""AuditService: thin skin on `exchange/access`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.exchange.access import READER_OPENS, AccessLog
from gateway.exchange.receipts import receipt_message
from gateway.rpc.incoming import Admission, admitted, call_of, on_record
from gateway.rpc.interceptor import current_peer
from gateway.rpc.wellformed import check_request
from homeward.audit.v1 import service_pb2 as pb
from homeward.audit.v1.service_pb2_grpc import AuditServiceServicer


class AuditServicer(AuditServiceServicer):
    """Parses, reads, builds."""

    def __init__(self, log: AccessLog, admission: Admission, *, now: Callable[[], datetime]) -> None:
        self._log = log
        self._admission = admission
        self._now = now

    async def ListEntries(self, request: pb.ListEntriesRequest, context: Any) -> pb.ListEntriesResponse:
        """One page of entries that concern the peer's agency."""
        call = call_of(request, current_peer(), self._now())
        caller, query = await admitted(request, call, self._admission, pb.EntryQuery)
        page = await on_record(call, self._admission, lambda: self._log.read(caller, query))
        return pb.ListEntriesResponse(
            permitted=page.permitted,
            entries=[receipt_message(each) for each in page.receipts],
            next_after_index=page.next_after,
            receipt=receipt_message(page.entered.receipt(READER_OPENS)),
            parties=[
                pb.EntryParties(requester_agency=each.requester, holder_agency=each.holder) for each in page.opened
            ],
        )

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        """The newest checkpoint."""
        check_request(request)
        return pb.GetCheckpointResponse(checkpoint=self._log.checkpoint())

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Any
    ) -> pb.GetConsistencyProofResponse:
        """The proof that a later state of the log begins with an earlier one."""
        check_request(request)
        return pb.GetConsistencyProofResponse(hashes=await self._log.consistency(request.old_size, request.new_size))
