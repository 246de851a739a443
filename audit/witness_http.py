"""How a log asks a witness over HTTP (C2SP tlog-witness): `POST add-checkpoint` at its submission prefix.

Decides the mapping to HTTP alone; the server of a witness is in witness_serve.py.
"""

from __future__ import annotations

from typing import Final

from audit.bounded_http import BoundedHttp, HttpAnswer
from audit.note import MAX_NOTE_CHARACTERS

PATH: Final = "add-checkpoint"


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
