"""A witness over HTTP (C2SP tlog-witness): the server of one, and how a log asks one.

Decides the mapping to HTTP and nothing else: `POST add-checkpoint`, and `GET <hash of the origin>/checkpoint` for
monitors. Whoever runs a witness that the Internet can reach puts a server of theirs with TLS before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from audit.bounded_http import BoundedHttp, HttpAnswer
from audit.note import MAX_NOTE_CHARACTERS
from audit.submission import MAX_BYTES, SIZE_TYPE, Status
from audit.witness import Witness

PATH: Final = "add-checkpoint"
_TEXT: Final = "text/plain; charset=utf-8"
_IDLE_SECONDS: Final = 30


class HttpWitness:
    """A witness behind a submission prefix. Not thread-safe."""

    def __init__(self, prefix: str, *, seconds: float) -> None:
        """Raises EvidenceError(STORE) for what is not an http or https prefix."""
        self._peer = BoundedHttp(prefix, seconds=seconds)

    def add_checkpoint(self, body: bytes) -> HttpAnswer:
        """Returns the witness's untrusted answer. Blocks; raises EvidenceError(STORE) where there is none in time."""
        return self._peer.request("POST", PATH, body=body, limit=4 * MAX_NOTE_CHARACTERS)

    def close(self) -> None:
        """The connection is closed."""
        self._peer.close()


def serving_witness(
    witness: Witness, origins: Callable[[], tuple[str, ...]], host: str, port: int
) -> ThreadingHTTPServer:
    """Returns a server of this witness that listens; port 0 takes a free one. Call `serve_forever` and `shutdown`."""

    class Handler(_WitnessHandler):
        serves = witness
        known = staticmethod(origins)

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    return server


class _WitnessHandler(BaseHTTPRequestHandler):
    """Answers POST add-checkpoint and GET <hash>/checkpoint."""

    serves: Witness
    known: Callable[[], tuple[str, ...]]
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_POST(self) -> None:
        """Answers a submission."""
        length = self.headers.get("Content-Length", "")
        if self.path != f"/{PATH}" or not length.isdecimal() or int(length) > MAX_BYTES:
            # The body was not read: the connection cannot be used again.
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND if self.path != f"/{PATH}" else HTTPStatus.BAD_REQUEST, b"", _TEXT)
            return
        answer = self.serves.add_checkpoint(self.rfile.read(int(length)))
        self._send(answer.status, answer.body, SIZE_TYPE if answer.status is Status.OTHER_SIZE else _TEXT)

    def do_GET(self) -> None:
        """Shows the last checkpoint that was cosigned."""
        for origin in self.known():
            if self.path == f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint":
                kept = self.serves.kept(origin)
                if kept is not None:
                    self._send(HTTPStatus.OK, kept.note.encode(), _TEXT)
                    return
        self._send(HTTPStatus.NOT_FOUND, b"", _TEXT)

    def version_string(self) -> str:
        """Names no version of anything."""
        return "homeward"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: forks are what matters, and those are in the witness's state."""

    def _send(self, status: int, body: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            # The log hung up; what was cosigned is on disk, and it will be told the size next time.
            self.close_connection = True
