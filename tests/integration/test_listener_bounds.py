"""What one peer can take from a listener: memory, streams, time. And what is set for that, on every listener there is.

A bound is held with the options that the listener itself brings, and each has its control: without them it breaks.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc import aio

from gateway.protocol.channel import CLIENT_OPTIONS, LOOPBACK_CLIENT_OPTIONS, client_options
from gateway.rpc.admin import CustodianAdminServicer, HolderAdminServicer, serve_admin
from gateway.rpc.methods import Listener
from gateway.rpc.server import Edge, serve
from gateway.telemetry import call_counts
from gateway.tokens.custodian import MAX_DIRECTORY_BYTES
from homeward.gateway.v1 import directory_pb2 as pb
from homeward.gateway.v1.directory_pb2_grpc import (
    MembershipServiceServicer,
    MembershipServiceStub,
    add_MembershipServiceServicer_to_server,
)
from tests.integration.channel_kit import Authority
from tests.integration.edge_kit import main_listener
from tests.integration.local_kit import county
from tests.integration.options_kit import Options, made_with, replaced
from tests.integration.test_stopping import HELLO, Slow, asked, connected, listener

ROOT = Path(__file__).resolve().parents[2]
CONNECT = "/homeward.gateway.v1.AdapterLinkService/Connect"
STREAMS = 32
PUSH_SECONDS = 5.0
BOUND_MB, BROKEN_MB = 40, 120
CHUNK = b"\0" * 65_536


def resident_mb(pid: int) -> float:
    """Memory of the process that is not swapped out."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000


async def pushed(*words: str, seconds: float = PUSH_SECONDS, enough: float = float("inf")) -> float:
    """By how many megabytes a listener grows at most while one connection pushes at handlers that read nothing.

    It pushes so long, or until the listener has grown by enough.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.unread_listener", *words,
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    address = f"127.0.0.1:{told['port']}"
    credentials = grpc.ssl_channel_credentials(*(told[name].encode() for name in ("ca", "key", "chain")))
    async with aio.secure_channel(address, credentials, options=client_options(address)) as channel:
        calls = [channel.stream_stream(CONNECT)() for _ in range(STREAMS)]
        await asyncio.gather(*(call.wait_for_connection() for call in calls))
        before = resident_mb(process.pid)
        pushing = [asyncio.create_task(push(call)) for call in calls]
        end, most = time.monotonic() + seconds, 0.0
        while time.monotonic() < end and most < enough:
            await asyncio.sleep(0.05)
            most = max(most, resident_mb(process.pid) - before)
        for task in pushing:
            task.cancel()
        written = await asyncio.gather(*pushing)
        for call in calls:
            call.cancel()
    process.stdin.close()
    await process.wait()
    assert sum(written) > STREAMS, "it did push"
    return most


async def push(call: Any) -> int:
    """As many messages as are taken, until cancelled; how many."""
    count = 0
    try:
        while True:
            await call.write(CHUNK)
            count += 1
    except asyncio.CancelledError:
        return count


async def test_a_peer_that_pushes_at_handlers_that_read_nothing_fills_no_memory() -> None:
    assert await pushed(enough=BOUND_MB) < BOUND_MB


async def test_without_the_fixed_window_the_same_peer_would_have() -> None:
    # A busy machine takes longer to be filled.
    assert await pushed("bare", seconds=2 * PUSH_SECONDS, enough=BROKEN_MB) >= BROKEN_MB


# --- streams ------------------------------------------------------------------------------


class Waiting(MembershipServiceServicer):
    """Counts who has come, and answers one for each release."""

    def __init__(self) -> None:
        self.come, self.places = 0, asyncio.Semaphore(0)

    async def GetDirectory(self, request: pb.GetDirectoryRequest, context: Any) -> pb.GetDirectoryResponse:
        self.come += 1
        await self.places.acquire()
        return pb.GetDirectoryResponse()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the listener's doing
            await asyncio.sleep(0.02)


async def test_of_one_connection_thirty_two_calls_are_served_and_the_next_waits_for_one_to_end() -> None:
    waiting = Waiting()
    async with main_listener([lambda server: add_MembershipServiceServicer_to_server(waiting, server)]) as channel:
        stub = MembershipServiceStub(channel)
        calls = [stub.GetDirectory(pb.GetDirectoryRequest(), timeout=20) for _ in range(STREAMS + 1)]
        await until(lambda: waiting.come >= STREAMS)
        await asyncio.sleep(0.5)
        assert waiting.come == STREAMS
        waiting.places.release()
        await until(lambda: waiting.come == STREAMS + 1)
        for _ in range(STREAMS):
            waiting.places.release()
        await asyncio.gather(*calls)


# --- time ---------------------------------------------------------------------------------

AGE, GRACE = "grpc.max_connection_age_ms", "grpc.max_connection_age_grace_ms"


def is_closed_within(seconds: float, connection: ssl.SSLSocket) -> bool:
    """Whether the other end hangs up."""
    end = time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(4096):
                return True
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


@pytest.mark.parametrize(("age", "closed"), [(300, True), (60_000, False)])
async def test_a_connection_past_its_age_is_closed_and_no_other(age: int, closed: bool, tmp_path: Path) -> None:
    with made_with(replaced({AGE: age, GRACE: 300})):
        async with listener(Slow()) as (served, identity):
            quiet = await asyncio.to_thread(connected, served.port, identity, tmp_path, HELLO)
            with quiet:
                assert await asyncio.to_thread(is_closed_within, 3.0, quiet) == closed


async def test_a_call_that_outlasts_age_and_grace_is_cut_off() -> None:
    slow = Slow()
    with made_with(replaced({AGE: 300, GRACE: 300})):
        async with listener(slow) as (served, identity), asked(slow, served, identity) as call:
            with pytest.raises(aio.AioRpcError) as caught:
                async with asyncio.timeout(5):
                    await call
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_that_outlasts_the_age_alone_is_answered() -> None:
    slow = Slow()
    with made_with(replaced({AGE: 300, GRACE: 15_000})):
        async with listener(slow) as (served, identity), asked(slow, served, identity) as call:
            await asyncio.sleep(1.5)
            slow.let.set()
            assert (await call).pending_count == 3


# --- what every listener and channel brings -----------------------------------------------

SET = {
    "grpc.http2.bdp_probe": 0,
    "grpc.http2.lookahead_bytes": 262_144,
    "grpc.max_metadata_size": 8_192,
    "grpc.max_concurrent_streams": STREAMS,
    AGE: 1_800_000,
    GRACE: 30_000,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.http2.min_recv_ping_interval_without_data_ms": 10_000,
    "grpc.http2.max_ping_strikes": 2,
    "grpc.so_reuseport": 0,
}
"""Of a server, whoever it listens to."""
SIZE = "grpc.max_receive_message_length"


async def of_the_gateway(_: Path) -> None:
    await _serve(Edge(listener=Listener.GATEWAY, peers=None, recorder=call_counts()))


async def of_a_custodian(_: Path) -> None:
    edge = Edge(listener=Listener.CUSTODIAN, peers=None, recorder=call_counts(), max_message_bytes=MAX_DIRECTORY_BYTES)
    await _serve(edge)


async def _serve(edge: Edge) -> None:
    served = await serve(edge, "127.0.0.1:0", Authority().server_credentials(), [])
    await served.stop(0)


async def of_the_admin_socket(place: Path) -> None:
    nobody = cast(Any, None)
    servicers = CustodianAdminServicer(nobody, None), HolderAdminServicer(nobody)
    server = await serve_admin(place / "admin" / "s", *servicers, recorder=call_counts())
    await server.stop(0)


async def of_an_adapter(place: Path) -> None:
    async with county(place):
        pass


@pytest.mark.parametrize(
    ("listens", "largest"),
    [
        (of_the_gateway, 256 * 1024),
        (of_a_custodian, MAX_DIRECTORY_BYTES),
        (of_the_admin_socket, 256 * 1024),
        (of_an_adapter, 256 * 1024),
    ],
    ids=["gateway", "custodian", "admin socket", "adapter"],
)
async def test_a_listener_brings_each_of_its_options_once(listens: Any, largest: int, tmp_path: Path) -> None:
    with made_with() as made:
        await listens(tmp_path)
    (options,) = made
    assert_each_once(options)
    assert dict(options) == SET | {SIZE: largest}


@pytest.mark.parametrize(
    "options",
    [CLIENT_OPTIONS, LOOPBACK_CLIENT_OPTIONS, client_options("exchange.example:443"), client_options("[::1]:443")],
)
def test_a_channel_brings_each_of_its_options_once(options: Options) -> None:
    # Where a certificate is pinned, its name is added (`redeem`).
    assert_each_once([*options, ("grpc.ssl_target_name_override", "")])
    window = ("grpc.http2.bdp_probe", "grpc.http2.lookahead_bytes", "grpc.max_metadata_size")
    assert [dict(options)[name] for name in window] == [SET[name] for name in window]
    assert dict(options)["grpc.enable_retries"] == 0


def assert_each_once(options: Options) -> None:
    """Of an option that stands twice gRPC takes the first, and whoever added the other believes in it."""
    names = [name for name, _ in options]
    assert sorted(names) == sorted(set(names))
