"""A published log as static files over HTTP (C2SP tlog-tiles), for whoever has no web server at hand.

A command of its own (`homeward audit serve`): neither gateway nor adapter serves it.

Decides which names are answered: the checkpoint, tiles, bundles and verifier keys, and nothing else that lies in the
directory; no listing, no other method. Any web server that serves the directory does as well.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from audit.tiles import CHECKPOINT, PATH

_KEY: Final = re.compile(r"[a-z0-9-]{1,64}\.vkey")
_TEXT: Final = "text/plain; charset=utf-8"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Server(ThreadingHTTPServer):
    """One thread a connection; those still open do not keep the process alive."""

    daemon_threads = True


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open between requests, says nothing of itself and nothing of who asked."""

    protocol_version = "HTTP/1.1"
    timeout = 30

    def version_string(self) -> str:
        """Names no version of anything."""
        return "homeward"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: who reads a public log is nobody's business."""


def serving(root: Path, host: str, port: int) -> Server:
    """Returns a server of this directory that listens; port 0 takes a free one. Call `serve_forever` and `shutdown`."""

    class Handler(_PublishedHandler):
        directory = root

    return Server((host, port), Handler)


class _PublishedHandler(QuietHandler):
    """Answers GET and HEAD."""

    directory: Path

    def do_GET(self) -> None:
        """Sends the file."""
        try:
            body = self._head()
            if body is not None:
                self.wfile.write(body)
        except ConnectionError:
            # The reader hung up; nobody is left to tell.
            self.close_connection = True

    def do_HEAD(self) -> None:
        """Sends what GET would, without the file."""
        self._head()

    def _head(self) -> bytes | None:
        name = self.path.removeprefix("/")
        kind = _kind(name)
        try:
            body = (self.directory / name).read_bytes() if kind else None
        except OSError:
            body = None
        if body is None or kind is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return None
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", _FOR_EVER if name.startswith("tile/") else "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        return body


def _kind(name: str) -> str | None:
    """The content type of a name that is published; None for every other."""
    if PATH.fullmatch(name):
        return "application/octet-stream"
    return _TEXT if name == CHECKPOINT or _KEY.fullmatch(name) else None
