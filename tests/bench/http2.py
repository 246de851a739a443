"""As much of HTTP/2 and gRPC as a load generator needs: one connection, unary calls, nothing else.

Decides how calls become bytes and bytes become replies (RFC 9113, RFC 7541, gRPC over HTTP/2). A general client costs
more processor time a call than the server under test; on a machine with two cores it would measure itself. So headers
are encoded once a connection, replies are not decoded but kept, and a call counts as answered exactly if a message
came with it: a refused unary call carries none.

Does not decide when calls are made (`load`) or what an answer is worth (`verify`).
"""

import ssl
import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
_FRAME: Final = struct.Struct(">HBBBI")
_FRAME_BYTES: Final = 9
MAX_FRAME: Final = 16_384
FIRST_WINDOW: Final = 65_535
_LARGEST_WINDOW: Final = 2**31 - 1
SETTING_INITIAL_WINDOW: Final = 4
_SETTING_PUSH: Final = 2
_RECEIVE_BYTES: Final = 16_384
"""One TLS record."""
_TIMEOUT: Final = b"30S"
_REFUSED: Final = "the server refused a call, or answered without a message"


class ProtocolBroken(Exception):
    """The server did what this client does not know, or refused a call."""


@dataclass(slots=True)
class _Stream:
    number: int
    """Which request it answers."""
    body: list[bytes] = field(default_factory=list)


class Calls:
    """Unary calls of one method over one connected TLS socket. Replies appear in `done` as (number, message)."""

    def __init__(self, connection: ssl.SSLSocket, *, path: str, authority: str) -> None:
        self.connection = connection
        self.done: list[tuple[int, bytes]] = []
        self.open = 0
        self._path = path.encode()
        self._authority = authority.encode()
        self._out = bytearray(PREFACE + _settings() + _window_update(_LARGEST_WINDOW - FIRST_WINDOW))
        self._in = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._next_stream = 1
        self._window = FIRST_WINDOW
        self._held: deque[tuple[int, bytes]] = deque()
        self.settled = False

    def ask(self, number: int, message: bytes) -> None:
        """The call is on its way with the next `flush`, or as soon as the server's window lets it."""
        self.open += 1
        self._held.append((number, message))
        self._release()

    def flush(self) -> bool:
        """Sends what is ready; True when some is left because the socket is full."""
        while self._out:
            try:
                sent = self.connection.send(self._out)
            except ssl.SSLWantWriteError:
                return True
            del self._out[:sent]
        return False

    def receive(self) -> None:
        """Takes in whatever has arrived. Raises `ProtocolBroken`."""
        more = True
        while more:
            try:
                data = self.connection.recv(_RECEIVE_BYTES)
            except ssl.SSLWantReadError:
                break
            if not data:
                raise ProtocolBroken("the server closed the connection")
            self._in += data
            # What is still in the socket wakes the selector again.
            more = self.connection.pending() > 0
        self._read_frames()

    def _release(self) -> None:
        while self._held and self._window >= len(self._held[0][1]) + 5:
            number, message = self._held.popleft()
            body = b"\0" + len(message).to_bytes(4, "big") + message
            stream, self._next_stream = self._next_stream, self._next_stream + 2
            self._window -= len(body)
            self._streams[stream] = _Stream(number)
            self._out += frame(HEADERS, END_HEADERS, stream, self._headers(stream == 1))
            for at in range(0, len(body), MAX_FRAME):
                last = END_STREAM if at + MAX_FRAME >= len(body) else 0
                self._out += frame(DATA, last, stream, body[at : at + MAX_FRAME])

    def _headers(self, first: bool) -> bytes:
        if not first:
            # Both tables are indexed from the newest entry, 62 (RFC 7541 section 2.3.3).
            return b"\x83\x87\xc2\xc1\xc0\xbf\xbe"
        return b"\x83\x87" + b"".join((
            b"\x44", _text(self._path), b"\x41", _text(self._authority), b"\x5f", _text(b"application/grpc"),
            b"\x40", _text(b"te"), _text(b"trailers"), b"\x40", _text(b"grpc-timeout"), _text(_TIMEOUT),
        ))  # fmt: skip

    def _read_frames(self) -> None:
        data, at, end = self._in, 0, len(self._in)
        while end - at >= _FRAME_BYTES:
            high, low, kind, flags, stream = _FRAME.unpack_from(data, at)
            following = at + _FRAME_BYTES + (high << 8 | low)
            if following > end:
                break
            self._take(kind, flags, stream & _LARGEST_WINDOW, bytes(data[at + _FRAME_BYTES : following]))
            at = following
        del data[:at]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == DATA:
            self._streams[stream].body.append(payload)
        if kind in (DATA, HEADERS):
            if flags & END_STREAM:
                self._finish(stream)
        elif kind == WINDOW:
            if stream == 0:
                self._window += int.from_bytes(payload, "big")
                self._release()
        elif kind == SETTINGS:
            self._take_settings(flags)
        elif kind == PING:
            if not flags & ACK:
                self._out += frame(PING, ACK, 0, payload)
        elif kind in (RESET, GOAWAY, CONTINUATION):
            raise ProtocolBroken(f"frame of type {kind}")

    def _take_settings(self, flags: int) -> None:
        if flags & ACK:
            self.settled = True
        else:
            self._out += frame(SETTINGS, ACK, 0, b"")

    def _finish(self, stream: int) -> None:
        answered = self._streams.pop(stream)
        body = b"".join(answered.body)
        if len(body) < 5 or body[0] or int.from_bytes(body[1:5], "big") != len(body) - 5:
            raise ProtocolBroken(_REFUSED)
        self.open -= 1
        self.done.append((answered.number, body[5:]))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113 section 4.1)."""
    length = len(payload)
    return _FRAME.pack(length >> 8, length & 0xFF, kind, flags, stream) + payload


def _settings() -> bytes:
    values = ((_SETTING_PUSH, 0), (SETTING_INITIAL_WINDOW, _LARGEST_WINDOW))
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", name, value) for name, value in values))


def _window_update(more: int) -> bytes:
    return frame(WINDOW, 0, 0, more.to_bytes(4, "big"))


def _text(value: bytes) -> bytes:
    """A string literal without Huffman coding (RFC 7541 section 5.2)."""
    if len(value) < 0x7F:
        return bytes((len(value),)) + value
    raise ValueError("no header of this client is that long")
