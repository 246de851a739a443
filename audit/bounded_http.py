"""HTTP to a peer that is not trusted to be quick, brief or honest.

Decides how much is read and how long it may take: an answer has a largest size, a request a deadline as a whole, so
that a server that sends one byte a minute, or without end, is given up. Redirects are not followed, nothing is
compressed, no proxy of the environment is used.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from audit.errors import EvidenceError, EvidenceReason

REQUEST_SECONDS: Final = 20.0
_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A whole answer."""

    status: int
    body: bytes = field(repr=False)


class BoundedHttp:
    """One peer behind an http or https prefix. Its connection stays open between requests; not thread-safe."""

    def __init__(self, prefix: str, *, seconds: float = REQUEST_SECONDS) -> None:
        """Raises EvidenceError(STORE) for what is not such a prefix; makes no connection yet."""
        try:
            parts = urlsplit(prefix)
            port = parts.port
        except ValueError:
            raise EvidenceError(EvidenceReason.STORE, "the address is malformed") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise EvidenceError(EvidenceReason.STORE, "an address reads http://host/prefix or https://host/prefix")
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = make(parts.hostname, port, timeout=seconds)
        self._prefix = parts.path.rstrip("/")
        self._seconds = seconds

    def request(self, method: str, path: str, *, limit: int, body: bytes | None = None) -> HttpAnswer:
        """Returns the answer, whatever its status.

        Raises EvidenceError: UNREACHABLE where nobody is there, STORE where no answer came whole and in time.
        """
        try:
            answer = self._request(method, path, body, limit)
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be fetched ({type(exc).__name__})") from exc
        if answer is None:
            self._connection.close()
            raise EvidenceError(EvidenceReason.STORE, f"{path} is too long, cut short or comes too slowly")
        return answer

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def _connect(self) -> None:
        try:
            self._connection.connect()
        except ssl.SSLError:
            # Somebody is there, and is not who the address names, or speaks otherwise.
            raise
        except OSError as exc:
            self._connection.close()
            why = f"no connection to {self._connection.host} ({type(exc).__name__})"
            raise EvidenceError(EvidenceReason.UNREACHABLE, why) from exc

    def _request(self, method: str, path: str, body: bytes | None, limit: int) -> HttpAnswer | None:
        deadline = time.monotonic() + self._seconds
        if self._connection.sock is None:
            self._connect()
        # A timeout of the socket starts again with every byte; this one does not.
        watch = threading.Timer(self._seconds, _hang_up, (self._connection.sock,))
        watch.daemon = True
        watch.start()
        try:
            headers = {"Accept-Encoding": "identity"}
            self._connection.request(method, f"{self._prefix}/{path}", body=body, headers=headers)
            answer = self._connection.getresponse()
            whole = _body(answer, limit, deadline)
        finally:
            watch.cancel()
        return HttpAnswer(answer.status, whole) if whole is not None else None


def _body(answer: http.client.HTTPResponse, limit: int, deadline: float) -> bytes | None:
    body = b""
    with answer:
        while piece := answer.read1(_PIECE):
            body += piece
            if len(body) > limit or time.monotonic() > deadline:
                return None
        # What is left of the announced length never came.
        return None if answer.length or time.monotonic() > deadline else body


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
