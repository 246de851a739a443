"""Where a published log is read from: a directory, or static files over HTTP. Nothing read here is trusted.

Decides which places there are, and that a file larger than it can be is refused. What bytes mean is decided by the
reader, how long a server may take by bounded_http.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from audit.bounded_http import REQUEST_SECONDS, BoundedHttp
from audit.errors import EvidenceError, EvidenceReason

_OK: Final = 200
_MISSING: Final = (404, 410)


class Source(Protocol):
    """A place that holds the files of a published log."""

    def fetch(self, path: str, *, limit: int) -> bytes | None:
        """Returns a file of at most `limit` bytes, or None if there is none; else raises EvidenceError."""

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
    """A published log behind an http or https prefix."""

    def __init__(self, prefix: str, *, seconds: float = REQUEST_SECONDS) -> None:
        """Raises EvidenceError(STORE) for what is not such a prefix; makes no connection yet."""
        self._peer = BoundedHttp(prefix, seconds=seconds)

    def fetch(self, path: str, *, limit: int) -> bytes | None:
        """Returns the body of a GET."""
        answer = self._peer.request("GET", path, limit=limit)
        if answer.status in _MISSING:
            return None
        if answer.status != _OK:
            raise EvidenceError(EvidenceReason.STORE, f"{path} cannot be fetched (HTTP status {answer.status})")
        return answer.body

    def close(self) -> None:
        """The connection is closed."""
        self._peer.close()


def open_source(place: str) -> Source:
    """Returns the source behind a directory's name or a URL."""
    return HttpSource(place) if place.startswith(("http://", "https://")) else DirectorySource(Path(place))


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise EvidenceError(EvidenceReason.STORE, "a published file is larger than it can be")
    return data
