"""What a gateway answers while its start has still to write: what an adapter needs to link, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
from grpc import aio

from gateway.protocol.channel import client_options
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.server import Edge, serve
from gateway.services import adding
from gateway.telemetry import call_counts
from homeward.gateway.v1 import directory_pb2 as directory_pb
from homeward.gateway.v1 import token_pb2
from homeward.gateway.v1.directory_pb2_grpc import (
    MembershipServiceServicer,
    MembershipServiceStub,
    add_MembershipServiceServicer_to_server,
)
from homeward.gateway.v1.token_pb2_grpc import (
    TokenServiceServicer,
    TokenServiceStub,
    add_TokenServiceServicer_to_server,
)
from tests.integration.channel_kit import Authority
from tests.unit.node.world import ASKER, DOMAIN


@dataclass
class Service(MembershipServiceServicer, TokenServiceServicer):
    """Notes who came through."""

    came: list[str] = field(default_factory=list)

    async def GetDirectory(self, _: Any, context: aio.ServicerContext[Any, Any]) -> directory_pb.GetDirectoryResponse:
        self.came.append("GetDirectory")
        return directory_pb.GetDirectoryResponse(pending_count=3)

    async def Evaluate(self, _: Any, context: aio.ServicerContext[Any, Any]) -> token_pb2.EvaluateResponse:
        self.came.append("Evaluate")
        return token_pb2.EvaluateResponse()


@asynccontextmanager
async def listener(begun: asyncio.Event, service: Service) -> AsyncIterator[aio.Channel]:
    authority = Authority()
    peers = Peers(trust_domain=DOMAIN, is_denied=lambda _: False, now=lambda: datetime.now(UTC))
    edge = Edge(listener=Listener.GATEWAY, peers=peers, recorder=call_counts(), begun=begun)
    services = [
        adding(add_MembershipServiceServicer_to_server, service),
        adding(add_TokenServiceServicer_to_server, service),
    ]
    served = await serve(edge, "127.0.0.1:0", authority.server_credentials(), services)
    identity, address = authority.adapter(ASKER), f"127.0.0.1:{served.port}"
    credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.chain)
    try:
        async with aio.secure_channel(address, credentials, options=client_options(address)) as channel:
            yield channel
    finally:
        await served.stop(0)


async def test_calls_wait_until_the_start_is_over_and_what_an_adapter_needs_to_link_does_not() -> None:
    begun, service = asyncio.Event(), Service()
    async with listener(begun, service) as channel:
        waiting = TokenServiceStub(channel).Evaluate(token_pb2.EvaluateRequest(), timeout=20)
        asked = await MembershipServiceStub(channel).GetDirectory(directory_pb.GetDirectoryRequest(), timeout=20)
        assert asked.pending_count == 3
        again = await MembershipServiceStub(channel).GetDirectory(directory_pb.GetDirectoryRequest(), timeout=20)
        assert (again.pending_count, waiting.done(), service.came) == (3, False, ["GetDirectory"] * 2)
        begun.set()
        await waiting
        assert service.came[-1] == "Evaluate"
