"""The local server: one listener for the county's own systems, on loopback.

Decides where it listens and what it offers: the six services of `homeward.county.v1` and health; reflection in a
sandbox alone. Refuses to start on another address than loopback unless the county's file allows it in words, because
whoever reaches this port and holds a staff token can ask; and refuses to start with a method that has no row.
"""

import ipaddress
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
from pydantic import Field, model_validator

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
from gateway.protocol.channel import server_options
from gateway.protocol.strict_yaml import StrictModel
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


class LocalConfig(StrictModel):
    """The `local:` section of the county's file."""

    address: str = Field(default="127.0.0.1:8444", pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}:[0-9]{1,5}$")
    """`host:port`; port 0 takes a free one."""
    allow_other_hosts: bool = False
    """Whether another address than loopback is meant."""
    sandbox: bool = False
    """Whether reflection is offered; never with records of real youths."""

    @property
    def host(self) -> str:
        """Host part of the address, without brackets."""
        return self.address.rpartition(":")[0].strip("[]")

    @model_validator(mode="after")
    def _loopback(self) -> "LocalConfig":
        if not is_loopback(self.host) and not self.allow_other_hosts:
            raise ValueError("not a loopback address; set local.allow_other_hosts if county systems are elsewhere")
        return self


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
    config: LocalConfig,
    *,
    staff: StaffTokens,
    status: Callable[[], access_pb2.GetStatusResponse],
    state: Path,
    recorder: CallRecorder,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LocalServer:
    """The endpoint, listening. `state` is the adapter's state directory.

    Raises `MethodTableIncomplete`, `PortTaken`, `KeyFileUnusable`.
    """
    check_complete()
    server = aio.server(
        ThreadPoolExecutor(max_workers=1),
        interceptors=(LocalInterceptor(staff, recorder=recorder, sandbox=config.sandbox),),
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
    if config.sandbox:
        _offer_reflection(server)
    tls = local_tls(state / "local-tls", host=config.host, now=now())
    credentials = grpc.ssl_server_credentials([(tls.key, tls.certificate)])
    try:
        port = server.add_secure_port(config.address, credentials)
    except RuntimeError as exc:
        raise PortTaken from exc
    await server.start()
    for service in ("", *SERVICES):
        await health.set(service, health_pb2.HealthCheckResponse.SERVING)
    return LocalServer(server, health, f"{config.address.rpartition(':')[0]}:{port}")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _offer_reflection(server: aio.Server) -> None:
    # Only the sandbox installs it (extra `sandbox`), so that production cannot offer it by a slip of configuration.
    from grpc_reflection.v1alpha import reflection

    reflection.enable_server_reflection((*SERVICES, reflection.SERVICE_NAME), server)
