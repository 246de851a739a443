"""Another process that does work for this one, asked over a pair of connected sockets.

Decides how it begins and ends. It is forked while nothing is open yet and no secret is read, holds none but what it is
asked with, and ends when this process does, however that ends. When it ends by itself, whoever asked is told, and so is
this process.

Questions are answered in their order. A frame on the wire is four bytes of length, big-endian, and what `marshal` makes
of plain values: both ends are one program in one version, and neither listens to anybody else.
"""

import asyncio
import marshal
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from typing import Any, Final, Self

_LENGTH: Final = 4
_STANDARD: Final = 3
"""Descriptors below this are everybody's."""


class ApartEnded(Exception):
    """The other process is no more."""


class Apart(asyncio.Protocol):
    """The other process, as this one sees it. One event loop uses it."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid: Final = pid
        self._connection = connection
        self._transport: asyncio.WriteTransport | None = None
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._received = bytearray()
        self._on_end: Callable[[], None] = lambda: None

    @classmethod
    def begin(cls, work: Callable[[Any], Any]) -> Self:
        """Forks; there, `work` answers. Values are None, numbers, text, bytes, and lists and tuples of these.

        Nothing that is open here stays open there. To be called before there are threads, event loops, connections or
        keys.
        """
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            # Whatever happens, nothing of the program that was forked goes on here.
            try:
                _close_all_but(theirs.fileno())
                _serve(theirs, work)
            finally:
                os._exit(0)
        theirs.close()
        return cls(ours, pid)

    async def attach(self, on_end: Callable[[], None]) -> None:
        """It can be asked. `on_end` is called once if it ends before `close`."""
        self._on_end = on_end
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_unix_connection(lambda: self, sock=self._connection)

    def ask(self, question: Any) -> "asyncio.Future[Any]":
        """Its answer, or `ApartEnded`. Never blocks."""
        answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            _fail(answer)
        else:
            # Framed first: a question that cannot be must not take the answer of the next.
            frame = _framed(question)
            self._asked.append(answer)
            self._transport.write(frame)
        return answer

    def kill(self) -> None:
        """It ends, whatever it is at; whoever asked is told, and so is this process."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """It ends, and nothing is asked any more."""
        self._on_end = lambda: None
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """`asyncio.Protocol`."""
        self._received += data
        while len(self._received) >= _LENGTH:
            end = _LENGTH + int.from_bytes(self._received[:_LENGTH], "big")
            if len(self._received) < end:
                return
            answer = marshal.loads(bytes(self._received[_LENGTH:end]))  # noqa: S302 (our own process wrote it)
            del self._received[:end]
            asked = self._asked.popleft()
            # Whoever asked may have gone.
            if not asked.done():
                asked.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """`asyncio.Protocol`."""
        while self._asked:
            _fail(self._asked.popleft())
        self._on_end()


def _fail(answer: "asyncio.Future[Any]") -> None:
    if not answer.done():
        answer.set_exception(ApartEnded())
        # Nobody may be waiting any more; a future that is never awaited must not complain.
        answer.exception()


def _close_all_but(kept: int) -> None:
    # Our ends of the connections with others that were forked before: they must end when we do.
    os.closerange(_STANDARD, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(connection: socket.socket, work: Callable[[Any], Any]) -> None:
    # Whoever tells the first process to stop may tell its whole group; it has something to ask until it has stopped.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with connection.makefile("rb") as stream:
        while (question := _next(stream)) is not None:
            connection.sendall(_framed(work(marshal.loads(question))))  # noqa: S302 (our own process wrote it)


def _next(stream: BufferedReader) -> bytes | None:
    head = stream.read(_LENGTH)
    return stream.read(int.from_bytes(head, "big")) if len(head) == _LENGTH else None


def _framed(value: Any) -> bytes:
    body = marshal.dumps(value)
    return len(body).to_bytes(_LENGTH, "big") + body
