"""How much of a listener one peer can hold: so many calls at once, and so long until a call has said what it asks.

The library counts the calls of a listener and not whose they are; without this, a member with some dozens of
connections, on each of which calls begin and never go on, would hold the places of everybody's.
"""

import asyncio
from collections import Counter
from contextlib import AbstractContextManager
from typing import Any, Final

import grpc

from gateway.errors import ErrorReason, Exhausted, Invalid
from gateway.rpc.decoding import whole

MAX_CALLS_OF_A_PEER: Final = 128
"""An eighth of a listener's places (`server`); a county's adapter asks some dozens of questions at once."""
MESSAGE_SECONDS: Final = 5.0
"""How long the one message of a call may take to come: 256 KiB over the slowest line that makes sense."""


class Places:
    """The calls under way at one listener, by the identity of the peer."""

    def __init__(self, *, most: int = MAX_CALLS_OF_A_PEER) -> None:
        """`most` calls of one peer at once."""
        self._most = most
        self._taken = Counter[str]()

    def take(self, peer: str, context: Any) -> None:
        """The call of this context counts until its last byte is sent or it is given up.

        Raises `Exhausted` (OVERLOADED) when this peer has as many as it may.
        """
        self.come(peer)
        context.add_done_callback(lambda _: self.go(peer))

    def follow(self, peer: str, context: Any) -> None:
        """As `take`, for a peer whose calls have no limit of their own."""
        self._taken[peer] += 1
        context.add_done_callback(lambda _: self.go(peer))

    def are_empty(self) -> bool:
        """Whether no call is under way."""
        return not self._taken

    def held(self, peer: str) -> AbstractContextManager[None]:
        """Within, a question of this peer's stream counts as a call. Raises as `take`."""
        return _Held(self, peer)

    def come(self, peer: str) -> None:
        """One more of this peer is under way. Raises as `take`."""
        if self._taken[peer] >= self._most:
            raise Exhausted(ErrorReason.OVERLOADED)
        self._taken[peer] += 1

    def go(self, peer: str) -> None:
        """One less."""
        self._taken[peer] -= 1
        # Leaves no trace of identities that come once.
        if not self._taken[peer]:
            del self._taken[peer]


class _Held(AbstractContextManager[None]):
    """`Places.held`: no generator, for what that costs each question (`exchange/cohort`)."""

    def __init__(self, places: Places, peer: str) -> None:
        self._places = places
        self._peer = peer

    def __enter__(self) -> None:
        self._places.come(self._peer)

    def __exit__(self, *_: object) -> None:
        self._places.go(self._peer)


async def only_message(context: Any) -> Any:
    """The message of a call that has one. Raises `Invalid` when it does not decode, or none comes, or not in time.

    Read from the context: an iterator of the call's messages that is left after the first is closed by a task of its
    own, which costs a call as much as all that the interceptor does.
    """
    try:
        async with asyncio.timeout(MESSAGE_SECONDS):
            request = await context.read()
    except TimeoutError as exc:
        raise Invalid(ErrorReason.PROTOCOL_ERROR) from exc
    if request is grpc.aio.EOF:
        # The library refused what came for its size, and has told the caller so; or the caller hung up.
        raise Invalid(ErrorReason.PROTOCOL_ERROR)
    return whole(request)
