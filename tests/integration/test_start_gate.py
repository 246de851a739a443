"""What a gateway answers while its start has still to write: what an adapter needs to link, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from grpc import aio

from gateway.services import adding
from homeward.gateway.v1 import authority_pb2, token_pb2
from homeward.gateway.v1 import directory_pb2 as directory_pb
from homeward.gateway.v1.authority_pb2_grpc import (
    AuthorityServiceServicer,
    AuthorityServiceStub,
    add_AuthorityServiceServicer_to_server,
)
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
from tests.adversarial.outcome import read
from tests.integration.edge_kit import main_listener


@dataclass
class Service(MembershipServiceServicer, TokenServiceServicer, AuthorityServiceServicer):
    """Notes who came through."""

    came: list[str] = field(default_factory=list)

    async def GetDirectory(self, _: Any, context: aio.ServicerContext[Any, Any]) -> directory_pb.GetDirectoryResponse:
        self.came.append("GetDirectory")
        return directory_pb.GetDirectoryResponse(pending_count=3)

    async def RevokeAuthority(
        self, _: Any, context: aio.ServicerContext[Any, Any]
    ) -> authority_pb2.RevokeAuthorityResponse:
        self.came.append("RevokeAuthority")
        return authority_pb2.RevokeAuthorityResponse()

    async def Evaluate(self, _: Any, context: aio.ServicerContext[Any, Any]) -> token_pb2.EvaluateResponse:
        self.came.append("Evaluate")
        return token_pb2.EvaluateResponse()


async def test_calls_wait_until_the_start_is_over_and_what_an_adapter_needs_to_link_does_not() -> None:
    begun, service = asyncio.Event(), Service()

    async def answering() -> bool:
        return await begun.wait()

    services = [
        adding(add_MembershipServiceServicer_to_server, service),
        adding(add_TokenServiceServicer_to_server, service),
    ]
    async with main_listener(services, answering=answering) as channel:
        waiting = TokenServiceStub(channel).Evaluate(token_pb2.EvaluateRequest(), timeout=20)
        asked = await MembershipServiceStub(channel).GetDirectory(directory_pb.GetDirectoryRequest(), timeout=20)
        assert asked.pending_count == 3
        again = await MembershipServiceStub(channel).GetDirectory(directory_pb.GetDirectoryRequest(), timeout=20)
        assert (again.pending_count, waiting.done(), service.came) == (3, False, ["GetDirectory"] * 2)
        begun.set()
        await waiting
        assert service.came[-1] == "Evaluate"


async def test_while_a_start_is_late_calls_are_refused_and_revocations_come_through() -> None:
    service = Service()
    services = [
        adding(add_MembershipServiceServicer_to_server, service),
        adding(add_TokenServiceServicer_to_server, service),
        adding(add_AuthorityServiceServicer_to_server, service),
    ]

    async def late() -> bool:
        return False

    async with main_listener(services, answering=late) as channel:
        with pytest.raises(aio.AioRpcError) as refused:
            await TokenServiceStub(channel).Evaluate(token_pb2.EvaluateRequest(), timeout=20)
        assert read(refused.value).reason == "NOT_READY"
        await AuthorityServiceStub(channel).RevokeAuthority(authority_pb2.RevokeAuthorityRequest(), timeout=20)
        await MembershipServiceStub(channel).GetDirectory(directory_pb.GetDirectoryRequest(), timeout=20)
        assert service.came == ["RevokeAuthority", "GetDirectory"]
