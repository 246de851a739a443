"""Questions over one stream of StreamFlagChecks, as the load generator speaks it: what waits goes in one message.

Decides how questions and answers are packed, and the window of a stream that stays open; all else is `http2`. An answer
comes out as the reply that a call of its own would have had.
"""

import ssl
import struct

from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest, StreamFlagChecksRequest, StreamFlagChecksResponse
from tests.bench import http2
from tests.bench.http2 import Calls, ProtocolBroken

_STREAM = 1
_PREFIX_BYTES = 5
_SETTING_BYTES = 6


class Conversation(Calls):
    """One stream over one connected TLS socket."""

    def __init__(self, connection: ssl.SSLSocket, *, path: str, authority: str) -> None:
        super().__init__(connection, path=path, authority=authority)
        self._waiting = StreamFlagChecksRequest()
        self._begun = False
        self._stream_window = self._initial_window = http2.FIRST_WINDOW
        self._body = bytearray()

    def ask(self, number: int, message: bytes) -> None:
        """The question goes with the next `flush`, in one message with all that came since the last."""
        self.open += 1
        self._waiting.questions.add(number=number, request=CheckFlagRequest.FromString(message))

    def flush(self) -> bool:
        """As for calls."""
        if self._waiting.questions and self.settled:
            self._held.append((_STREAM, self._waiting.SerializeToString()))
            self._waiting = StreamFlagChecksRequest()
            self._release()
        return super().flush()

    def _release(self) -> None:
        if not self._begun and self._held:
            self._begun, self._stream_window = True, self._initial_window
            self._out += http2.frame(http2.HEADERS, http2.END_HEADERS, _STREAM, self._headers(True))
        while self._held and min(self._window, self._stream_window) >= len(self._held[0][1]) + _PREFIX_BYTES:
            _, message = self._held.popleft()
            body = b"\0" + len(message).to_bytes(4, "big") + message
            self._window -= len(body)
            self._stream_window -= len(body)
            for at in range(0, len(body), http2.MAX_FRAME):
                self._out += http2.frame(http2.DATA, 0, _STREAM, body[at : at + http2.MAX_FRAME])

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind in (http2.DATA, http2.HEADERS):
            if flags & http2.END_STREAM:
                raise ProtocolBroken("the server ended the stream")
            if kind == http2.DATA:
                self._body += payload
                self._read_messages()
        elif kind == http2.WINDOW and stream:
            self._stream_window += int.from_bytes(payload, "big")
            self._release()
        else:
            if kind == http2.SETTINGS and not flags & http2.ACK:
                self._read_settings(payload)
            super()._take(kind, flags, stream, payload)

    def _read_settings(self, payload: bytes) -> None:
        for at in range(0, len(payload), _SETTING_BYTES):
            name, value = struct.unpack_from(">HI", payload, at)
            if name == http2.SETTING_INITIAL_WINDOW:
                self._initial_window = value

    def _read_messages(self) -> None:
        while len(self._body) >= _PREFIX_BYTES:
            end = _PREFIX_BYTES + int.from_bytes(self._body[1:_PREFIX_BYTES], "big")
            if len(self._body) < end:
                return
            answer = StreamFlagChecksResponse.FromString(bytes(self._body[_PREFIX_BYTES:end]))
            del self._body[:end]
            for result in answer.results:
                if not result.HasField("answered"):
                    raise ProtocolBroken("the server refused a question")
                self.open -= 1
                self.done.append((result.number, result.answered.SerializeToString()))
