"""IndexService."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

from gateway.rpc.interceptor import current_peer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.wellformed import check_request
from gateway.tokens.index import Registrations, Signed
from homeward.gateway.v1 import index_pb2 as pb
from homeward.gateway.v1.index_pb2_grpc import IndexServiceServicer


class IndexServicer(IndexServiceServicer):
    """Thin: open the envelope, change the list in the name of who signed."""

    def __init__(self, registrations: Registrations, machine: MachineCalls) -> None:
        self._registrations = registrations
        self._machine = machine

    async def RegisterSubjects(self, request: pb.RegisterSubjectsRequest, context: Any) -> pb.RegisterSubjectsResponse:
        """Adds, replaces and removes youths of the peer's agency."""
        check_request(request)
        agency, batch = self._machine.open(request.envelope, pb.RegistrationBatch, current_peer())
        return await self._registrations.register(Signed(agency, sha256(request.envelope.payload).digest()), batch)

    async def RegisterAll(
        self, request_iterator: AsyncIterator[pb.RegisterAllRequest], context: Any
    ) -> AsyncIterator[pb.RegisterAllResponse]:
        """Changes the list batch by batch; each is durable before it is answered."""
        # Kept: the peer of a stream stands in a context that later messages do not have.
        peer = current_peer()
        async for request in request_iterator:
            check_request(request)
            agency, batch = self._machine.open(request.envelope, pb.RegistrationBatch, peer)
            signed = Signed(agency, sha256(request.envelope.payload).digest())
            result = await self._registrations.register(signed, batch)
            yield pb.RegisterAllResponse(request_id=batch.request_id, result=result)

    async def Heartbeat(self, request: pb.HeartbeatRequest, context: Any) -> pb.HeartbeatResponse:
        """The list of the peer's agency counts as current."""
        check_request(request)
        agency, heartbeat = self._machine.open(request.envelope, pb.IndexHeartbeat, current_peer())
        return await self._registrations.beat(Signed(agency, sha256(request.envelope.payload).digest()), heartbeat)
