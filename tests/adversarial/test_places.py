"""One member that begins calls and never goes on: it does not take the places of everybody's."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from gateway.protocol.names import AgencyId
from gateway.rpc.places import MAX_CALLS_OF_A_PEER, MESSAGE_SECONDS
from gateway.rpc.server import MAX_CONCURRENT_CALLS
from tests.adversarial.outcome import refusal
from tests.adversarial.resident import Resident, dial
from tests.adversarial.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
CROWD, ASKER = AgencyId("06061.cwa"), AgencyId("06029.cwa")
PER_CONNECTION = 32
CONNECTIONS = MAX_CONCURRENT_CALLS // PER_CONNECTION + 4
Call = grpc.aio.StreamUnaryCall[Any, bytes]
METHODS = ["/homeward.gateway.v1.ExchangeService/CheckFlag", "/grpc.health.v1.Health/Check"]


async def begun(stack: AsyncExitStack, resident: Resident, method: str) -> list[Call]:
    """More calls than a listener has places, over connections of their own; none of them says what it asks."""
    calls: list[Call] = []
    for _ in range(CONNECTIONS):
        channel = await stack.enter_async_context(dial(resident.address, resident.identity))
        make = channel.stream_unary(method, request_serializer=bytes, response_deserializer=bytes)
        calls += [make(silence(), timeout=59) for _ in range(PER_CONNECTION)]
    return calls


async def silence() -> AsyncIterator[bytes]:
    """A request that never comes."""
    await asyncio.Event().wait()
    yield b""


@pytest.mark.parametrize("method", METHODS)
async def test_calls_that_never_say_what_they_ask_leave_room_and_end_soon(town: Town, method: str) -> None:
    crowd = town.residents[CROWD]
    async with AsyncExitStack() as stack:
        started = time.monotonic()
        calls = await begun(stack, crowd, method)
        ending = [asyncio.create_task(refusal(call)) for call in calls]
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        # While they wait, another county is answered.
        assert await town.directory(town.residents[ASKER]) is not None
        found = [each.reason for each in await asyncio.gather(*ending)]
        assert time.monotonic() - started < MESSAGE_SECONDS + 10
    # Who begins late finds a place that is free again; who begins with all others meets the library's own limit.
    assert set(found) <= {"OVERLOADED", "PROTOCOL_ERROR", ""}
    assert MAX_CALLS_OF_A_PEER <= found.count("PROTOCOL_ERROR") < 2 * MAX_CALLS_OF_A_PEER
    assert found.count("OVERLOADED") > len(calls) / 2
    assert await town.directory(crowd) is not None, "its places are free again"
