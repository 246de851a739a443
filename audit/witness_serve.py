"""A witness over HTTP (C2SP tlog-witness), for `python -m audit witness`; no part of a gateway or an adapter.

Decides the mapping to HTTP and nothing else: `POST add-checkpoint`, and `GET <hash of the origin>/checkpoint` for
monitors. Whoever runs a witness that the Internet can reach puts a server of theirs with TLS before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from audit.serve import QuietHandler, Server
from audit.submission import MAX_BYTES, SIZE_TYPE, Status
from audit.witness import Witness
from audit.witness_http import PATH

_DIGITS: Final = 9
"""Of a length; more is refused before it is read as a number, which takes Python long or fails."""
_TEXT: Final = "text/plain; charset=utf-8"


def serving_witness(
    witness: Witness,
    origins: Callable[[], tuple[str, ...]],
    host: str,
    port: int,
    *,
    answered: Callable[[], None] = lambda: None,
) -> Server:
    """Returns a server of this witness that listens; port 0 takes a free one. Call `serve_forever` and `shutdown`.

    `answered` is called after each submission, in its thread: whoever runs the witness looks for alarms then.
    """

    class Handler(_WitnessHandler):
        serves = witness
        known = staticmethod(origins)
        tells = staticmethod(answered)

    return Server((host, port), Handler)


class _WitnessHandler(QuietHandler):
    """Answers POST add-checkpoint and GET <hash>/checkpoint."""

    serves: Witness
    known: Callable[[], tuple[str, ...]]
    tells: Callable[[], None]

    def do_POST(self) -> None:
        """Answers a submission."""
        length = self.headers.get("Content-Length", "")
        if self.path != f"/{PATH}" or not length.isdecimal() or len(length) > _DIGITS or int(length) > MAX_BYTES:
            # The body was not read: the connection cannot be used again.
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND if self.path != f"/{PATH}" else HTTPStatus.BAD_REQUEST, b"", _TEXT)
            return
        answer = self.serves.add_checkpoint(self.rfile.read(int(length)))
        self.tells()
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
