"""Where a published log is read from: a directory, or static files over HTTP. Nothing read here is trusted.

Decides how much is read and how long it may take: a file has a largest size, a request a deadline as a whole, so that a
server that sends one byte a minute, or without end, is given up. Redirects are not followed. What bytes mean is decided
by the reader.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from audit.errors import EvidenceError, EvidenceReason

REQUEST_SECONDS: Final = 20.0
_PIECE: Final = 1 << 16
_OK: Final = 200
_MISSING: Final = (404, 410)


class Source(Protocol):
    """A place that holds the files of a published log."""

    def fetch(self, path: str, *, limit: int) -> bytes | None:
        """Returns a file of at most `limit` bytes, or None if there is none; else raises EvidenceError(STORE)."""

    def close(self) -> None:
        """Nothing is held open any more."""


class DirectorySource:
    """A published log in a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def fetch(self, path: str, *, limit: int) -> bytes | None:
        """Returns the file's content."""
        target = self._root / path
        try:
            # Neither a pipe nor a device: opening one could wait for ever.
            if not target.is_file():
                return None
            with target.open("rb") as file:
                return _bounded(file.read(limit + 1), limit)
        except OSError as exc:
            raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be read") from exc

    def close(self) -> None:
        """Nothing was open."""


class HttpSource:
    """A published log behind an http or https prefix. One connection is kept open between requests."""

    def __init__(
        self, prefix: str, *, seconds: float = REQUEST_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises EvidenceError(STORE) for what is not such a prefix; makes no connection yet."""
        parts = urlsplit(prefix)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise EvidenceError(EvidenceReason.STORE, "a published log is at http://host/prefix or https://host/prefix")
        make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._connection = make(parts.hostname, parts.port, timeout=seconds)
        except (ValueError, http.client.InvalidURL):
            raise EvidenceError(EvidenceReason.STORE, "the address has an impossible port") from None
        self._prefix = parts.path.rstrip("/")
        self._seconds = seconds
        self._monotonic = monotonic

    def fetch(self, path: str, *, limit: int) -> bytes | None:
        """Returns the body of a GET."""
        try:
            return self._get(path, limit)
        except (OSError, http.client.HTTPException) as exc:
            self._connection.close()
            raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be fetched ({type(exc).__name__})") from exc

    def close(self) -> None:
        """The connection is closed."""
        self._connection.close()

    def _get(self, path: str, limit: int) -> bytes | None:
        deadline = self._monotonic() + self._seconds
        if self._connection.sock is None:
            self._connection.connect()
        # A timeout of the socket starts again with every byte; this one does not.
        watch = threading.Timer(self._seconds, _hang_up, (self._connection.sock,))
        watch.daemon = True
        watch.start()
        try:
            self._connection.request("GET", f"{self._prefix}/{path}", headers={"Accept-Encoding": "identity"})
            answer = self._connection.getresponse()
            body = self._body(answer, limit, deadline)
        finally:
            watch.cancel()
        if body is None:
            self._connection.close()
            raise EvidenceError(EvidenceReason.STORE, f"{path} is too long, cut short or comes too slowly")
        if answer.status in _MISSING:
            return None
        if answer.status != _OK:
            raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be fetched (HTTP status {answer.status})")
        return body

    def _body(self, answer: http.client.HTTPResponse, limit: int, deadline: float) -> bytes | None:
        body = b""
        with answer:
            while piece := answer.read1(_PIECE):
                body += piece
                if len(body) > limit or self._monotonic() > deadline:
                    return None
            # What is left of the announced length never came.
            return None if answer.length or self._monotonic() > deadline else body


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def open_source(place: str) -> Source:
    """Returns the source behind a directory's name or a URL."""
    return HttpSource(place) if place.startswith(("http://", "https://")) else DirectorySource(Path(place))


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise EvidenceError(EvidenceReason.STORE, "a published file is larger than it can be")
    return data
