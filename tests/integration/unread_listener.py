"""A process with a gateway's main listener and a handler that reads nothing; `bare` leaves its window to the library.

Writes one line: the port, and an adapter's key, certificate and CA. Ends with its standard input.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.server import Edge, serve
from gateway.telemetry import call_counts
from homeward.gateway.v1.link_pb2_grpc import (
    AdapterLinkServiceServicer,
    add_AdapterLinkServiceServicer_to_server,
)
from tests.integration.channel_kit import Authority
from tests.integration.options_kit import left_out, made_with
from tests.unit.node.world import ASKER, DOMAIN

WINDOW = ("grpc.http2.bdp_probe", "grpc.http2.lookahead_bytes")


class Deaf(AdapterLinkServiceServicer):
    """Has begun, and never asks for a message."""

    async def Connect(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield


async def listen(*, bare: bool) -> None:
    authority = Authority()
    peers = Peers(trust_domain=DOMAIN, is_denied=lambda _: False, now=lambda: datetime.now(UTC))
    edge = Edge(listener=Listener.GATEWAY, peers=peers, recorder=call_counts())
    with made_with(left_out(*WINDOW) if bare else list):
        served = await serve(
            edge,
            "127.0.0.1:0",
            authority.server_credentials(),
            [lambda server: add_AdapterLinkServiceServicer_to_server(Deaf(), server)],
        )
    identity = authority.adapter(ASKER)
    told = {"key": identity.key.decode(), "chain": identity.chain.decode(), "ca": identity.ca.decode()}
    sys.stdout.write(json.dumps(told | {"port": served.port}) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await served.stop(0)


if __name__ == "__main__":
    asyncio.run(listen(bare="bare" in sys.argv[1:]))
