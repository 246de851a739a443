"""A stream on which each message asks what a call of its own would ask.

Decides what happens around each: that it takes one of its peer's places, is counted, and ends alone when it fails.
Whatever it raises becomes INTERNAL without text, as around a call (`interceptor`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from google.rpc import status_pb2

from gateway.rpc.endings import Ending
from gateway.rpc.peer import Peer, Peers
from gateway.rpc.places import Places
from homeward.counting import CallRecorder

A = TypeVar("A")
STREAM: ContextVar["OpenStream"] = ContextVar("homeward_stream")
"""The stream being served."""


@dataclass(frozen=True, slots=True)
class OpenStream:
    """One, from its peer's first byte to the last."""

    name: str
    """Full method name."""
    peer: Peer
    peers: Peers
    places: Places
    recorder: CallRecorder
    draining: asyncio.Event = field(repr=False)
    """Set when the listener stops, and nothing that is quiet should keep it."""

    def check_live(self) -> None:
        """The peer still counts. Raises `Unauthenticated`."""
        self.peers.check_live(self.peer)

    async def call(self, work: Callable[[], Awaitable[A]]) -> A | status_pb2.Status:
        """What the work returns, or what the peer is told because it failed."""
        ending = Ending(self.recorder, self.name)
        try:
            with self.places.held(self.peer.identity.uri):
                answer = await work()
        except asyncio.CancelledError:
            ending.cancelled()
            raise
        except Exception as failure:
            return ending.failed(failure)
        ending.answered()
        return answer
