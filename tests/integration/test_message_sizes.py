"""How large a message a listener reads, and how many of one peer: what its edge says, not what all servers have."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc import aio

from gateway.protocol.channel import MAX_MESSAGE_BYTES
from gateway.rpc.custodian import CALLS_OF_A_PEER, MAX_DIRECTORY_BYTES
from homeward.gateway.v1 import token_pb2
from homeward.gateway.v1.token_pb2_grpc import (
    TokenServiceServicer,
    TokenServiceStub,
    add_TokenServiceServicer_to_server,
)
from tests.integration.edge_kit import main_listener


class Service(TokenServiceServicer):
    """Answers whatever it reads, when it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.let.set()
        self.asked = asyncio.Semaphore(0)
        self.sizes: list[int] = []

    async def reached(self, calls: int) -> None:
        """So many more calls are here."""
        for _ in range(calls):
            await self.asked.acquire()

    async def Evaluate(self, request: token_pb2.EvaluateRequest, context: Any) -> token_pb2.EvaluateResponse:
        self.sizes.append(len(request.envelope.payload))
        self.asked.release()
        await self.let.wait()
        return token_pb2.EvaluateResponse()


def request_of(size: int) -> token_pb2.EvaluateRequest:
    """A request of about so many bytes."""
    request = token_pb2.EvaluateRequest()
    request.envelope.payload = bytes(size)
    return request


@pytest.mark.parametrize("size", [MAX_MESSAGE_BYTES + 1, 300_000, 1_000_000, MAX_DIRECTORY_BYTES - 100])
async def test_a_holder_reads_the_directory_of_a_whole_state(size: int) -> None:
    """California's 116 agencies of child welfare and probation are some 290 kB."""
    service = Service()
    add = [lambda server: add_TokenServiceServicer_to_server(service, server)]
    async with main_listener(add, max_message_bytes=MAX_DIRECTORY_BYTES) as channel:
        await TokenServiceStub(channel).Evaluate(request_of(size), timeout=10)
    assert service.sizes == [size]


@pytest.mark.parametrize(("limit", "size"), [(MAX_MESSAGE_BYTES, 300_000), (MAX_DIRECTORY_BYTES, 5_000_000)])
async def test_what_is_larger_than_the_listener_says_is_not_read(limit: int, size: int) -> None:
    add = [lambda server: add_TokenServiceServicer_to_server(Service(), server)]
    async with main_listener(add, max_message_bytes=limit) as channel:
        with pytest.raises(aio.AioRpcError) as refused:
            await TokenServiceStub(channel).Evaluate(request_of(size), timeout=10)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_where_messages_are_large_one_peer_has_fewer_at_once() -> None:
    assert CALLS_OF_A_PEER * MAX_DIRECTORY_BYTES == 128 * 1024 * 1024
    service = Service()
    service.let.clear()
    add = [lambda server: add_TokenServiceServicer_to_server(service, server)]
    async with main_listener(add, calls_of_a_peer=2) as channel:
        stub = TokenServiceStub(channel)
        held = [asyncio.ensure_future(stub.Evaluate(request_of(9), timeout=10)) for _ in range(2)]
        await service.reached(2)
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.Evaluate(request_of(9), timeout=10)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        service.let.set()
        await asyncio.gather(*held)
