"""An adapter's link that is opened and given up: a start that waits some seconds for its adapters goes on sooner."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import ConnectRequest, Hello, Welcome
from homeward.gateway.v1.link_pb2_grpc import AdapterLinkServiceStub


def hello(wrapped: Callable[[Message], SignedEnvelope], *, cosigned: str = "") -> ConnectRequest:
    """The greeting of an adapter that shows this note as the newest it cosigned."""
    now = Timestamp()
    now.FromDatetime(datetime.now(UTC))
    message = Hello(create_time=now, work_credit=0, session_nonce=secrets.token_bytes(32), cosigned_checkpoint=cosigned)
    return ConnectRequest(hello=wrapped(message))


async def greet(channel: grpc.aio.Channel, wrapped: Callable[[Message], SignedEnvelope]) -> Welcome:
    """The gateway, which may still be starting, has heard this adapter; returns its answer."""
    async with asyncio.timeout(20):
        while True:
            stream = AdapterLinkServiceStub(channel).Connect(wait_for_ready=True)
            try:
                await stream.write(hello(wrapped))
                answer = await stream.read()
            except grpc.aio.AioRpcError as lost:
                # The connection was to the process before.
                if lost.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL):
                    raise
                await asyncio.sleep(0.1)
                continue
            assert answer.HasField("welcome")
            stream.cancel()
            return answer.welcome
