"""A member that holds as many places as it can, so that nobody else is answered; what it keeps once it is denied."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from gateway.protocol.names import AgencyId, AgencyKind
from gateway.rpc.link import GREETING_SECONDS, MAX_GREETINGS
from homeward.gateway.v1.link_pb2_grpc import AdapterLinkServiceStub
from tests.adversarial.outcome import read, refusal
from tests.adversarial.resident import Resident, dial
from tests.adversarial.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="session")
CROWD, CHANNELS, STREAMS = AgencyId("06061.cwa"), 6, 10
Stream = grpc.aio.StreamStreamCall[object, object]


@asynccontextmanager
async def mute_streams(resident: Resident) -> AsyncIterator[list[Stream]]:
    """Links of this member over connections of their own, on which it says nothing."""
    channels = [dial(resident.address, resident.identity) for _ in range(CHANNELS)]
    try:
        yield [AdapterLinkServiceStub(channel).Connect() for channel in channels for _ in range(STREAMS)]
    finally:
        for channel in channels:
            await channel.close()


async def ended(stream: Stream) -> str:
    """The reason the server gives."""
    try:
        await stream.read()
    except grpc.aio.AioRpcError as error:
        return read(error).reason
    raise AssertionError("the stream ended without a status")


async def test_streams_that_never_greet_hold_few_places_and_not_for_long(town: Town) -> None:
    started = time.monotonic()
    async with mute_streams(town.residents[CROWD]) as streams, asyncio.timeout(GREETING_SECONDS + 4):
        reasons = await asyncio.gather(*(ended(stream) for stream in streams))
    assert time.monotonic() - started >= GREETING_SECONDS
    assert reasons.count("PROTOCOL_ERROR") == MAX_GREETINGS
    assert reasons.count("OVERLOADED") == len(streams) - MAX_GREETINGS


async def test_a_stream_that_did_not_greet_ends_with_its_member_within_5_seconds(town: Town) -> None:
    resident = await town.settle("06011.mute", AgencyKind.LEA)
    await town.listed(resident.agency)
    stream = AdapterLinkServiceStub(resident.channel).Connect()
    await asyncio.sleep(0.5)
    await town.revoke(str(resident.agency))
    async with asyncio.timeout(5):
        # The time to greet is shorter than the five seconds, so that it need not look again who is there.
        assert await ended(stream) == "PROTOCOL_ERROR"


async def test_health_is_asked_and_not_watched(town: Town) -> None:
    stub = health_pb2_grpc.HealthStub(town.residents[CROWD].channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watching = stub.Watch(health_pb2.HealthCheckRequest(), timeout=5)
    assert (await refusal(watching.read())).code is grpc.StatusCode.UNIMPLEMENTED


async def test_whoever_connects_and_hangs_up_again_and_again_does_not_end_the_gateway(town: Town) -> None:
    """Without a certificate, over and over, from several threads.

    A server that hands the library its certificate anew at each handshake is gone after some hundred of them, because
    one handshake uses what another one freed (grpc/grpc 36693).
    """
    gateway, resident = town.processes["gateway"], town.residents[CROWD]
    host, _, port = resident.address.rpartition(":")
    context = ssl.create_default_context(cadata=town.roots_pem.decode())
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])

    def come_and_go(times: int) -> int:
        for _ in range(times):
            with context.wrap_socket(socket.create_connection((host, int(port)), timeout=5)):
                pass
        return times

    came = await asyncio.gather(*(asyncio.to_thread(come_and_go, 500) for _ in range(8)))
    assert sum(came) == 4000
    stub = health_pb2_grpc.HealthStub(resident.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5, wait_for_ready=True)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert gateway.poll() is None, "the gateway's process ended"
