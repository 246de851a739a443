"""A gateway's main listener by itself, and an adapter's channel to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
from grpc import aio

from gateway.protocol.channel import MAX_MESSAGE_BYTES, client_options
from gateway.rpc.interceptor import Answering
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.places import MAX_CALLS_OF_A_PEER
from gateway.rpc.server import Add, Edge, serve
from gateway.telemetry import call_counts
from tests.integration.channel_kit import Authority
from tests.unit.node.world import ASKER, DOMAIN


@asynccontextmanager
async def main_listener(
    services: Sequence[Add] = (),
    *,
    reflection: bool = False,
    answering: Answering | None = None,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    calls_of_a_peer: int = MAX_CALLS_OF_A_PEER,
) -> AsyncIterator[aio.Channel]:
    """Within, these services are served over mutual TLS to an adapter that nobody denies."""
    authority = Authority()
    peers = Peers(trust_domain=DOMAIN, is_denied=lambda _: False, now=lambda: datetime.now(UTC))
    edge = Edge(
        listener=Listener.GATEWAY,
        peers=peers,
        recorder=call_counts(),
        reflection=reflection,
        answering=answering,
        max_message_bytes=max_message_bytes,
        calls_of_a_peer=calls_of_a_peer,
    )
    served = await serve(edge, "127.0.0.1:0", authority.server_credentials(), services)
    identity, address = authority.adapter(ASKER), f"127.0.0.1:{served.port}"
    credentials = grpc.ssl_channel_credentials(identity.ca, identity.key, identity.chain)
    try:
        async with aio.secure_channel(address, credentials, options=client_options(address)) as channel:
            yield channel
    finally:
        await served.stop(0)
