"""One grpc.aio server: options, interceptor, services, health.

Decides what every listener has in common, and that a listener whose methods are not all in
the method table does not start.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from gateway.protocol.channel import MAX_MESSAGE_BYTES, server_options
from gateway.rpc.interceptor import Answering, EdgeInterceptor, Keep
from gateway.rpc.methods import METHODS, Listener, check_complete
from gateway.rpc.peer import Peers
from gateway.rpc.places import MAX_CALLS_OF_A_PEER
from gateway.rpc.recording import MessageRecorder
from homeward.counting import CallRecorder

# Beyond this the library refuses at once with RESOURCE_EXHAUSTED instead of queueing (SECURITY §3.5).
MAX_CONCURRENT_CALLS: Final = 1024
_HANGING_UP_SECONDS: Final = 0.3
"""Those who hang up when they are told that the listener stops have done so by then."""
_LOOK_SECONDS: Final = 0.05
Add = Callable[[grpc.aio.Server], None]


@dataclass(frozen=True, slots=True)
class Edge:
    """What the calls of one listener pass through."""

    listener: Listener
    peers: Peers | None
    recorder: CallRecorder
    reflection: bool = False
    messages: MessageRecorder | None = None
    answering: Answering | None = None
    """Whether the start is over: until that is known calls wait, except for what adapters need to link."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    """Largest message received."""
    calls_of_a_peer: int = MAX_CALLS_OF_A_PEER
    """So many at once: what one peer can make this process hold is as many messages."""
    keep: Keep | None = None
    """Puts on record what a member is refused before or beside a handler."""


class Served:
    """A started listener."""

    def __init__(
        self, server: grpc.aio.Server, health: health_aio.HealthServicer, port: int, *, edge: EdgeInterceptor
    ) -> None:
        self._server = server
        self._edge = edge
        self._health = health
        self.port = port

    async def drain(self) -> None:
        """Health says NOT_SERVING, so that nobody new is sent here; streams of calls end when nothing is asked."""
        self._edge.draining.set()
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Calls under way have this many seconds to finish; where there are none, nothing is waited for.

        The library would wait for whoever is connected and asks nothing, should it not hang up: so one peer that means
        to could hold up every stop.
        """
        stopping = asyncio.create_task(self._server.stop(grace))
        await asyncio.wait({stopping}, timeout=_HANGING_UP_SECONDS)
        while not stopping.done() and not self._edge.places.are_empty():
            await asyncio.wait({stopping}, timeout=_LOOK_SECONDS)
        if stopping.done():
            stopping.result()
            return
        stopping.cancel()
        await asyncio.wait({stopping})
        await self._server.stop(None)


@dataclass(frozen=True, slots=True)
class _ByName:
    """The server as the generated code sees it: every method is found by its name when a call comes.

    Generated code also registers each method for itself, and then the library waits for the next call of each method
    separately: with forty of them, every call of any costs a walk over forty waiting futures.
    """

    server: grpc.aio.Server

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Found by name."""
        self.server.add_generic_rpc_handlers(tuple(handlers))

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Not registered: the same handlers were added by name."""


async def serve(edge: Edge, address: str, credentials: grpc.ServerCredentials, services: Iterable[Add]) -> Served:
    """The listener serves at `address` (`host:port`, port 0 for any). Raises OSError when it cannot be bound."""
    check_complete()
    interceptor = EdgeInterceptor(
        listener=edge.listener,
        peers=edge.peers,
        recorder=edge.recorder,
        reflection=edge.reflection,
        messages=edge.messages,
        answering=edge.answering,
        keep=edge.keep,
        calls_of_a_peer=edge.calls_of_a_peer,
    )
    server = grpc.aio.server(
        interceptors=[interceptor],
        options=server_options(max_message_bytes=edge.max_message_bytes),
        maximum_concurrent_rpcs=MAX_CONCURRENT_CALLS,
    )
    for add in services:
        add(_ByName(server))  # type: ignore[arg-type]
    health = health_aio.HealthServicer()
    server.add_generic_rpc_handlers((_health_handlers(health),))
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    if edge.reflection:
        _add_reflection(server, edge.listener)
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as exc:
        raise OSError(f"cannot listen on {address}") from exc
    await server.start()
    return Served(server, health, port, edge=interceptor)


def _health_handlers(health: health_aio.HealthServicer) -> grpc.GenericRpcHandler:
    # Without Watch: a stream without an end, open to whoever gets a connection, would hold the places of calls. A
    # client that meets UNIMPLEMENTED there must take the server for healthy (grpc/grpc doc/health-checking.md).
    check = grpc.unary_unary_rpc_method_handler(
        health.Check,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})


def _add_reflection(server: grpc.aio.Server, listener: Listener) -> None:
    # An extra of its own: a production install does not even hold the code.
    from grpc_reflection.v1alpha import reflection

    names = {name.split("/")[1] for name, row in METHODS.items() if listener in row.listeners}
    enable: Any = reflection.enable_server_reflection
    enable((*sorted(names), reflection.SERVICE_NAME), server)
