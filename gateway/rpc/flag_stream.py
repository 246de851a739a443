"""StreamFlagChecks: many questions on one stream, each answered when it is decided.

Decides how many are under way at once on one stream, and that answers which become ready in the same moment go in one
message: under load a question then costs the transport next to nothing. What becomes of a question is CheckFlag's own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from google.rpc import status_pb2

from gateway.errors import ErrorReason, Invalid
from gateway.rpc.open_stream import OpenStream
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1 import exchange_pb2 as pb

MOST_UNDER_WAY: Final = 64
"""Of one stream. Nothing more is read from it until an answer has gone out: whoever asks and does not read is no
longer heard."""
_RECHECK_SECONDS: Final = 1.0
"""How soon an idle stream notices that its peer no longer counts."""
_REPEATED: Final = ("questions.number: repeated",)


class FlagStream:
    """One open stream."""

    def __init__(
        self, edge: OpenStream, answer: Callable[[pb.CheckFlagRequest], Awaitable[pb.CheckFlagResponse]]
    ) -> None:
        self._edge = edge
        self._answer = answer
        self._room = asyncio.Semaphore(MOST_UNDER_WAY)
        self._asked: dict[int, asyncio.Task[None]] = {}
        self._ready: list[tuple[int, pb.CheckFlagResponse | status_pb2.Status]] = []
        self._wake = asyncio.Event()

    async def serve(
        self, messages: AsyncIterator[pb.StreamFlagChecksRequest]
    ) -> AsyncIterator[pb.StreamFlagChecksResponse]:
        """Until everything is answered and the caller has said its last, or the listener stops.

        Raises `Invalid`, `Unauthenticated`.
        """
        reading = asyncio.create_task(self._read(messages))
        reading.add_done_callback(lambda _: self._wake.set())
        ticking = asyncio.create_task(self._tick())
        stopping = asyncio.create_task(self._edge.draining.wait())
        stopping.add_done_callback(lambda _: self._wake.set())
        try:
            while not reading.done() or self._asked or self._ready:
                await self._wake.wait()
                self._wake.clear()
                self._edge.check_live()
                if reading.done():
                    reading.result()
                elif self._edge.draining.is_set() and not self._asked and not self._ready:
                    return
                # What was decided together becomes ready in the same turn of the loop.
                await asyncio.sleep(0)
                if self._ready:
                    ready, self._ready = self._ready, []
                    yield _response(ready)
                    for _ in ready:
                        self._room.release()
            # A message can be refused in the very turn in which the loop ends.
            reading.result()
        finally:
            for task in (reading, ticking, stopping, *self._asked.values()):
                task.cancel()

    async def _read(self, messages: AsyncIterator[pb.StreamFlagChecksRequest]) -> None:
        async for message in messages:
            self._edge.check_live()
            check_request(message)
            for question in message.questions:
                if question.number in self._asked:
                    raise Invalid(ErrorReason.INVALID_REQUEST, fields=_REPEATED)
                await self._room.acquire()
                self._asked[question.number] = asyncio.create_task(self._ask(question))

    async def _ask(self, question: pb.NumberedFlagCheck) -> None:
        found = await self._edge.call(lambda: self._answer(question.request))
        self._ready.append((question.number, found))
        del self._asked[question.number]
        self._wake.set()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_RECHECK_SECONDS)
            self._wake.set()


def _response(ready: Iterable[tuple[int, pb.CheckFlagResponse | status_pb2.Status]]) -> pb.StreamFlagChecksResponse:
    response = pb.StreamFlagChecksResponse()
    for number, found in ready:
        result = response.results.add(number=number)
        if isinstance(found, status_pb2.Status):
            result.refused = found.SerializeToString()
        else:
            result.answered.CopyFrom(found)
    return response
