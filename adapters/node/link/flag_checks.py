"""Flag checks of this adapter over one stream: whatever waits at a moment goes together, and is answered as it comes.

Decides when the stream is opened (with the first question, and anew when the channel was replaced or the last one ended
or is some seconds old), when it is given back (then, and after a minute in which nobody asked), and that a question
which the stream's end left without an answer counts as not reached: whoever sends asks again, with the same bytes
(`send`). To the rest of the node it is the gateway it was; every other call goes its own way.
"""

import asyncio
import time
from collections import deque
from contextlib import suppress
from itertools import count
from typing import Final, cast

from grpc import aio

from adapters.node.link.channels import PeerChannel, failure_in, failure_of
from adapters.node.rpcs import CHECK_FLAG, STREAM_FLAG_CHECKS, A, CallFailed, CallFault, Conversation, Q, Rpc
from gateway.protocol.channel import MAX_MESSAGE_BYTES
from gateway.protocol.parse import MalformedMessage, check
from homeward.gateway.v1 import exchange_pb2 as pb

QUIET_SECONDS: Final = 60.0
LONGEST_SECONDS: Final = 15.0
"""After this a new stream is opened. A gateway ends a connection of a certain age, and cuts off what is still open on
it after 30 seconds more: a stream that is younger by then has long been answered."""
LEAVE_SECONDS: Final = 60.0
"""How long a gateway may take to end a stream of which everything was answered, before it is cut off here."""
_MOST_TOGETHER: Final = 64
_MOST_BYTES: Final = MAX_MESSAGE_BYTES // 2
"""The longest question there can be still fits beside it."""

Call = aio.StreamStreamCall[pb.StreamFlagChecksRequest, pb.StreamFlagChecksResponse]


class StreamingGateway:
    """`rpcs.StreamCaller`: the gateway, whose flag checks go over a stream."""

    def __init__(self, gateway: PeerChannel, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._gateway = gateway
        self._quiet_seconds = quiet_seconds
        self._stream: FlagChecks | None = None

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        """The gateway's answer, parsed strictly. Raises `CallFailed`."""
        if rpc.path != CHECK_FLAG.path:
            return await self._gateway.call(rpc, request, seconds=seconds)
        return cast(A, await self._opened().ask(cast(pb.CheckFlagRequest, request), seconds=seconds))

    def converse(self, rpc: Rpc[Q, A], *, seconds: float) -> Conversation[Q, A]:
        """As the channel's own."""
        return self._gateway.converse(rpc, seconds=seconds)

    def _opened(self) -> "FlagChecks":
        channel = self._gateway.channel
        if self._stream is None or self._stream.is_over(channel):
            if self._stream is not None:
                self._stream.finish()
            self._stream = FlagChecks(channel, quiet_seconds=self._quiet_seconds)
        return self._stream


class FlagChecks:
    """One stream, from its first question until it ended."""

    def __init__(self, channel: aio.Channel, *, quiet_seconds: float) -> None:
        self._channel = channel
        self._ended = False
        self._until = time.monotonic() + LONGEST_SECONDS
        rpc = STREAM_FLAG_CHECKS
        method = channel.stream_stream(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.answer.FromString
        )
        # The stubs take the serializer's class, not the message's own, for the type of what is sent.
        self._call = cast(Call, method())
        self._quiet_seconds = quiet_seconds
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[pb.CheckFlagResponse]] = {}
        self._outgoing = deque[pb.NumberedFlagCheck]()
        self._wake = asyncio.Event()
        self._finishing = False
        self._parts = (asyncio.create_task(self._send()), asyncio.create_task(self._receive()))

    def is_over(self, channel: aio.Channel) -> bool:
        """Whether the next question needs another stream; `channel` is the one in use."""
        return self._ended or self._channel is not channel or time.monotonic() > self._until

    async def ask(self, request: pb.CheckFlagRequest, *, seconds: float) -> pb.CheckFlagResponse:
        """The answer to this question. Raises `CallFailed`."""
        number = next(self._numbers)
        answer: asyncio.Future[pb.CheckFlagResponse] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._outgoing.append(pb.NumberedFlagCheck(number=number, request=request))
        self._wake.set()
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            # A stream that hangs is asked nothing more.
            self._until = 0.0
            raise CallFailed(CallFault.TIMED_OUT) from None
        finally:
            del self._asked[number]
            self._wake.set()

    def finish(self) -> None:
        """Nothing more is asked; what was, is still answered."""
        self._finishing = True
        self._wake.set()

    async def _send(self) -> None:
        # What ends the stream here is told to `_receive`, which says so to whoever waits.
        with suppress(aio.AioRpcError, aio.UsageError, asyncio.InvalidStateError):
            while not (self._finishing and self._idle()):
                if questions := self._taken():
                    await self._call.write(pb.StreamFlagChecksRequest(questions=questions))
                elif not await self._woken() and self._idle():
                    break
            self._ended = True
            await self._call.done_writing()
            await asyncio.sleep(LEAVE_SECONDS)
            self._call.cancel()

    async def _receive(self) -> None:
        failed = CallFailed(CallFault.UNAVAILABLE)
        try:
            async for message in self._call:
                check(message)
                for result in message.results:
                    self._settle(result)
        except aio.AioRpcError as error:
            failed = failure_of(error)
        except MalformedMessage:
            self._call.cancel()
            failed = CallFailed(CallFault.BROKEN, "MALFORMED")
        finally:
            self._ended = True
            self._parts[0].cancel()
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(failed)

    def _settle(self, result: pb.NumberedFlagResult) -> None:
        answer = self._asked.get(result.number)
        if answer is None or answer.done():
            return
        if result.HasField("answered"):
            answer.set_result(result.answered)
        else:
            answer.set_exception(failure_in(result.refused))

    def _idle(self) -> bool:
        return not self._asked and not self._outgoing

    def _taken(self) -> list[pb.NumberedFlagCheck]:
        """What waits, as much as one message holds; who gave up meanwhile needs no answer."""
        taken, size = list[pb.NumberedFlagCheck](), 0
        while self._outgoing and len(taken) < _MOST_TOGETHER and size < _MOST_BYTES:
            question = self._outgoing.popleft()
            if question.number in self._asked:
                size += question.ByteSize()
                taken.append(question)
        return taken

    async def _woken(self) -> bool:
        """Whether something happened before the stream was quiet for long."""
        try:
            async with asyncio.timeout(self._quiet_seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True
