"""How long a listener takes to stop: as long as the calls that are under way, and no longer."""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from adapters.channel_identity import ChannelIdentityFiles
from gateway.protocol.channel import client_options
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.server import Edge, Served, serve
from gateway.telemetry import call_counts
from homeward.gateway.v1 import directory_pb2 as pb
from homeward.gateway.v1.directory_pb2_grpc import (
    MembershipServiceServicer,
    MembershipServiceStub,
    add_MembershipServiceServicer_to_server,
)
from tests.integration.channel_kit import Authority
from tests.unit.node.world import ASKER, DOMAIN

GRACE = 20.0
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""The preface of a connection and its settings (RFC 9113 §3.4), with no stream behind them."""


class Slow(MembershipServiceServicer):
    """Answers when it is let."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def GetDirectory(self, request: pb.GetDirectoryRequest, context: Any) -> pb.GetDirectoryResponse:
        self.asked.set()
        await self.let.wait()
        return pb.GetDirectoryResponse(pending_count=3)


@asynccontextmanager
async def listener(slow: Slow) -> AsyncIterator[tuple[Served, ChannelIdentityFiles]]:
    authority = Authority()
    peers = Peers(trust_domain=DOMAIN, is_denied=lambda _: False, now=lambda: datetime.now(UTC))
    edge = Edge(listener=Listener.GATEWAY, peers=peers, recorder=call_counts())
    adding = [lambda server: add_MembershipServiceServicer_to_server(slow, server)]
    served = await serve(edge, "127.0.0.1:0", authority.server_credentials(), adding)
    try:
        yield served, authority.adapter(ASKER)
    finally:
        await served.stop(0)


@asynccontextmanager
async def asked(slow: Slow, served: Served, identity: ChannelIdentityFiles) -> AsyncIterator[Any]:
    """A call that is under way, and is not answered before it is let."""
    address = f"127.0.0.1:{served.port}"
    credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.chain)
    async with aio.secure_channel(address, credentials, options=client_options(address)) as channel:
        call = MembershipServiceStub(channel).GetDirectory(pb.GetDirectoryRequest(), timeout=GRACE)
        await slow.asked.wait()
        yield call


def connected(port: int, identity: ChannelIdentityFiles, place: Path, said: bytes) -> ssl.SSLSocket:
    """A member's connection on which this was said, and nothing is ever asked."""
    (place / "chain.pem").write_bytes(identity.chain)
    (place / "key.pem").write_bytes(identity.key)
    context = ssl.create_default_context(cadata=identity.ca.decode())
    context.load_cert_chain(place / "chain.pem", place / "key.pem")
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    made = context.wrap_socket(plain, server_hostname="127.0.0.1")
    made.sendall(said)
    return made


@pytest.mark.parametrize("said", [b"", HELLO], ids=["nothing", "a preface"])
async def test_who_is_connected_and_asks_nothing_does_not_hold_up_a_stop(tmp_path: Path, said: bytes) -> None:
    async with listener(Slow()) as (served, identity):
        idle = await asyncio.to_thread(connected, served.port, identity, tmp_path, said)
        with idle:
            started = time.monotonic()
            await served.stop(GRACE)
            assert time.monotonic() - started < GRACE / 2


async def test_a_call_that_is_under_way_is_answered_before_the_listener_has_stopped() -> None:
    slow = Slow()
    async with listener(slow) as (served, identity), asked(slow, served, identity) as call:
        stopping = asyncio.create_task(served.stop(GRACE))
        await asyncio.sleep(1)
        assert not stopping.done()
        slow.let.set()
        assert (await call).pending_count == 3
        async with asyncio.timeout(GRACE / 2):
            await stopping


async def test_a_call_that_takes_longer_than_the_grace_is_ended() -> None:
    slow = Slow()
    async with listener(slow) as (served, identity), asked(slow, served, identity) as call:
        async with asyncio.timeout(GRACE / 2):
            await served.stop(1.0)
        with pytest.raises(aio.AioRpcError):
            await call
