"""The custodian's listener: token evaluation for adapters, countersigning for one gateway, health.

Decides its size limit: a directory is the largest message it receives, from the gateway alone, and it must fit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse

from gateway.members.service_identity import RenewingCredential
from gateway.protocol.channel import SERVER_OPTIONS
from gateway.rpc.countersign import CountersignServicer
from gateway.rpc.interceptor import EdgeInterceptor
from gateway.rpc.methods import Listener, check_complete
from gateway.rpc.peer import Peers
from gateway.rpc.tls import mutual_tls
from gateway.rpc.token import TokenServicer
from gateway.telemetry import CallRecorder
from gateway.tokens.countersign import Countersigning
from gateway.tokens.evaluate import Evaluator
from homeward.gateway.v1.custodian_pb2_grpc import add_CountersignServiceServicer_to_server
from homeward.gateway.v1.token_pb2_grpc import add_TokenServiceServicer_to_server

MAX_DIRECTORY_BYTES: Final = 4 * 1024 * 1024
MAX_CONCURRENT_CALLS: Final = 256
GRACE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class CustodianListener:
    """What the listener serves, to whom."""

    trust_domain: str
    gateway_uri: str
    client_roots: bytes
    """PEM of the gateway's root: adapters and the gateway chain to it."""
    credential: RenewingCredential
    evaluator: Evaluator
    countersigning: Countersigning
    is_denied: Callable[[str], bool]
    now: Callable[[], datetime]
    recorder: CallRecorder


class CustodianServer:
    """A custodian's listener that answers."""

    def __init__(self, server: grpc.aio.Server, health: HealthServicer, port: int) -> None:
        self._server = server
        self._health = health
        self.port = port

    async def stop(self) -> None:
        """Calls under way had a few seconds to end; nothing answers any more."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(GRACE_SECONDS)


async def serve_custodian(listener: CustodianListener, address: str) -> CustodianServer:
    """The listener answers at the address, `host:port`; port 0 takes a free one.

    Raises RuntimeError when the address cannot be bound, `MethodTableIncomplete`.
    """
    check_complete()
    peers = Peers(trust_domain=listener.trust_domain, is_denied=listener.is_denied, now=listener.now)
    interceptor = EdgeInterceptor(listener=Listener.CUSTODIAN, peers=peers, recorder=listener.recorder)
    options = [*SERVER_OPTIONS, ("grpc.max_receive_message_length", MAX_DIRECTORY_BYTES)]
    server = grpc.aio.server(interceptors=[interceptor], options=options, maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS)
    add_TokenServiceServicer_to_server(TokenServicer(listener.evaluator), server)
    countersign = CountersignServicer(listener.countersigning, gateway_uri=listener.gateway_uri)
    add_CountersignServiceServicer_to_server(countersign, server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_secure_port(address, mutual_tls(listener.credential, listener.client_roots))
    await server.start()
    await health.set("", HealthCheckResponse.SERVING)
    return CustodianServer(server, health, port)
