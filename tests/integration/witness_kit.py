"""What the tests of witnesses share: a log as its witnesses see it, honest or not, and witnesses of every character."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, LogSigner, parse_checkpoint
from audit.cosignature import Cosigner
from audit.note import SignatureLine, VerifierKey, parse_note
from audit.quorum import WitnessSilent
from audit.submission import Submission
from audit.witness import Answer, Witness
from tests.integration.log_kit import SIGNER

NOW = 1_790_000_000


class Told:
    """A history of leaves, with every checkpoint and proof of it; from leaf `differs` on it is another one."""

    def __init__(self, size: int, *, differs: int | None = None, signer: LogSigner = SIGNER) -> None:
        self._signer = signer
        self.stack: list[bytes] = []
        self._nodes: dict[merkle.Coordinate, bytes] = {}
        self._roots = {0: merkle.EMPTY_ROOT}
        for index in range(size):
            told = b"other" if differs is not None and index >= differs else b"leaf"
            hashed = merkle.leaf_hash(told + index.to_bytes(4, "big"))
            self._nodes[0, index] = hashed
            for level, position, node in merkle.extend(index, self.stack, hashed):
                self._nodes[level, position] = node
            self._roots[index + 1] = merkle.fold(self.stack)

    def note(self, size: int) -> str:
        """Returns the log's signed note of its first `size` leaves."""
        return self._signer.sign(size, self._roots[size])

    def checkpoint(self, size: int) -> Checkpoint:
        """Returns what the note says."""
        return parse_checkpoint(self.note(size), self._signer.public)

    def proof(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Returns the consistency proof; of nothing, none."""
        return merkle.assemble(merkle.consistency_plan(old_size, size), self._nodes) if old_size else ()

    def submission(self, old_size: int, size: int) -> bytes:
        """Returns the honest request."""
        return Submission(old_size, self.proof(old_size, size), self.note(size)).encode()

    async def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Returns the proof, as a quorum asks for it."""
        return self.proof(old_size, size)


def known_log(origin: str) -> LogKey | None:
    """Returns the key of the one log that these tests' witnesses know."""
    return SIGNER.public if origin == SIGNER.public.origin else None


def cosigner(name: str) -> Cosigner:
    """Returns the cosigner of this name."""
    return Cosigner(f"{name}.example/w", Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")))


def open_witness(path: Path, name: str = "a", *, from_log_alone: bool = True) -> Witness:
    """Returns the witness of this name, with its state in the file."""
    return Witness(path, [cosigner(name)], log_key=known_log, now=lambda: NOW, from_log_alone=from_log_alone)


class HonestPeer:
    """A witness that can be asked for a quorum."""

    def __init__(self, name: str, witness: Witness) -> None:
        self.name = f"{name}.example/w"
        self.keys: Sequence[VerifierKey] = (cosigner(name).public,)
        self._witness = witness
        self.answers: list[Answer] = []

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Answers as its witness does."""
        self.answers.append(await asyncio.to_thread(self._witness.add_checkpoint, body))
        return self.answers[-1].status, self.answers[-1].body


class HostilePeer:
    """A witness that answers what it likes."""

    def __init__(self, name: str, answer: Callable[[bytes], tuple[int, bytes] | None]) -> None:
        self.name = f"{name}.example/w"
        self.keys: Sequence[VerifierKey] = (cosigner(name).public,)
        self._answer = answer

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """Answers, is silent (None: never answers), or fails."""
        answer = self._answer(body)
        if answer is None:
            await asyncio.sleep(3600)
            raise WitnessSilent(self.name)
        return answer


def line_of(name: str, checkpoint: Checkpoint, *, seconds: int = NOW) -> SignatureLine:
    """Returns a genuine cosignature of the named witness."""
    return cosigner(name).sign(checkpoint, seconds)


def log_line(note: str) -> str:
    """Returns the log's own signature line."""
    return parse_note(note).signatures[0].text()
