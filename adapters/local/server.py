"""The local server: one listener for the county's own systems, on loopback.

Decides what it offers: the six services of `homeward.county.v1` and health; reflection in a sandbox alone. Refuses to
start with a method that has no row. Where it may listen is decided by the county's file (`config`).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from adapters.local.access import AccessLogServicer, StatusServicer
from adapters.local.authority import AuthorityServicer
from adapters.local.edges import Edges
from adapters.local.interceptor import LocalInterceptor
from adapters.local.methods import FILES, check_complete
from adapters.local.missing import MissingServicer
from adapters.local.placement import PlacementServicer
from adapters.local.review import ReviewServicer
from adapters.local.sealing import SealingServicer
from adapters.local.tls import local_tls
from adapters.staff import StaffTokens
from gateway.protocol.addresses import split_address
from gateway.protocol.channel import server_options
from homeward.counting import CallRecorder
from homeward.county.v1 import (
    access_pb2,
    access_pb2_grpc,
    authority_pb2_grpc,
    missing_pb2_grpc,
    placement_pb2_grpc,
    review_pb2_grpc,
    sealing_pb2_grpc,
)

MAX_CALLS: Final = 64
STOP_SECONDS: Final = 10.0
SERVICES: Final = tuple(service.full_name for file in FILES for service in file.services_by_name.values())


class PortTaken(Exception):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running endpoint."""

    server: aio.Server = field(repr=False)
    health: health_aio.HealthServicer = field(repr=False)
    address: str
    """`host:port` it listens on."""

    async def stop(self) -> None:
        """No new calls; those under way may finish within ten seconds."""
        await self.health.enter_graceful_shutdown()
        await self.server.stop(STOP_SECONDS)


async def serve(
    edges: Edges,
    address: str,
    *,
    sandbox: bool,
    staff: StaffTokens,
    status: Callable[[], access_pb2.GetStatusResponse],
    state: Path,
    recorder: CallRecorder,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LocalServer:
    """The endpoint, listening at `address`, a `host:port` of the county's file whose port 0 takes a free one. `sandbox`
    offers reflection, never with records of real youths. `state` is the adapter's state directory.

    Raises `MethodTableIncomplete`, `PortTaken`, `KeyFileUnusable`.
    """
    check_complete()
    server = aio.server(
        ThreadPoolExecutor(max_workers=1),
        interceptors=(LocalInterceptor(staff, recorder=recorder, sandbox=sandbox),),
        options=server_options(),
        maximum_concurrent_rpcs=MAX_CALLS,
    )
    missing_pb2_grpc.add_MissingServiceServicer_to_server(MissingServicer(edges.missing), server)
    placement_pb2_grpc.add_PlacementServiceServicer_to_server(PlacementServicer(edges.placement), server)
    authority_pb2_grpc.add_AuthorityServiceServicer_to_server(AuthorityServicer(edges.authority), server)
    sealing_pb2_grpc.add_SealingServiceServicer_to_server(SealingServicer(edges.sealing), server)
    access_pb2_grpc.add_AccessLogServiceServicer_to_server(AccessLogServicer(edges.access), server)
    access_pb2_grpc.add_StatusServiceServicer_to_server(StatusServicer(status), server)
    review_pb2_grpc.add_ReviewServiceServicer_to_server(ReviewServicer(edges.review), server)
    health = health_aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if sandbox:
        _offer_reflection(server)
    tls = local_tls(state / "local-tls", host=split_address(address)[0], now=now())
    credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
    try:
        port = server.add_secure_port(address, credentials)
    except RuntimeError as exc:
        raise PortTaken from exc
    await server.start()
    for service in ("", *SERVICES):
        await health.set(service, health_pb2.HealthCheckResponse.SERVING)
    return LocalServer(server, health, f"{address.rpartition(':')[0]}:{port}")


def _offer_reflection(server: aio.Server) -> None:
    # Only the sandbox installs it (extra `sandbox`), so that production cannot offer it by a slip of configuration.
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection((*SERVICES, reflection.SERVICE_NAME), server)
