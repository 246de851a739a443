"""A witness: it cosigns a checkpoint if, and only if, it continues the last one it cosigned (C2SP tlog-witness).

Decides the order of the checks, that a checkpoint is on disk before its cosignature leaves, and what happens when a log
shows two histories: both notes are kept, and nothing of that log is cosigned any more until a person has looked at it.

A fork is proven, whoever brings it, by two roots of one size (`fork`). Any other larger checkpoint with a proof that
does not hold is taken for one where nobody but the log can send requests (`from_log_alone`). Elsewhere it may be noise
of a stranger's: the log must first show that it is (`suspicion`), and nothing is cosigned until it has.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.cosignature import Cosigner
from audit.errors import EvidenceError, EvidenceReason
from audit.fork import Fork, continues, differ, proves_fork
from audit.note import parse_note
from audit.submission import Status, Submission, encode_size, parse_submission
from audit.suspicion import Suspicion, weigh
from audit.witness_state import Kept, WitnessState

_KEY_BYTES: Final = 32
_MAX_SIZE: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness answers. `fork` is set if this very request showed one, or what may be one."""

    status: Status
    body: bytes = field(default=b"", repr=False)
    fork: Fork | None = None


class _Refused(Exception):
    """The request gets this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Witness:
    """One witness with its state. Usable from any thread; requests take turns."""

    def __init__(
        self,
        path: Path,
        cosigners: Sequence[Cosigner],
        *,
        log_key: Callable[[str], LogKey | None],
        now: Callable[[], int],
        from_log_alone: bool,
    ) -> None:
        """`log_key` gives the key of a known origin, `now` seconds since 1970.

        The file is made (mode 0600) if there is none. Raises EvidenceError(STORE) where SQLite does not promise
        durability.
        """
        self._cosigners = tuple(cosigners)
        self._log_key = log_key
        self._now = now
        self._from_log_alone = from_log_alone
        self._turn = threading.Lock()
        self._state = WitnessState(path)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answers one untrusted request; with 200 only once the checkpoint is on disk. Blocks."""
        with self._turn:
            try:
                submission, checkpoint, text = self._opened(body)
                with self._state.transaction():
                    return self._checked(submission, checkpoint, text)
            except _Refused as refused:
                return refused.answer

    def kept(self, origin: str) -> Kept | None:
        """Returns the last checkpoint of this log that was cosigned."""
        with self._turn:
            return self._state.kept(origin)

    def forks(self) -> tuple[Fork, ...]:
        """Returns the evidence of every log that showed two histories."""
        with self._turn:
            return self._state.forks()

    def suspicions(self) -> tuple[Fork, ...]:
        """Returns what may be such evidence: nothing of those logs is cosigned until they show that it is not."""
        with self._turn:
            return self._state.suspicions()

    def close(self) -> None:
        """The file is closed."""
        with self._turn:
            self._state.close()

    def _opened(self, body: bytes) -> tuple[Submission, Checkpoint, str]:
        """The request with its checkpoint, which a known log signed; `text` is the note."""
        try:
            submission = parse_submission(body)
            note = parse_note(submission.note)
        except EvidenceError:
            raise _Refused(Answer(Status.MALFORMED)) from None
        origin = note.text.partition("\n")[0]
        key = self._log_key(origin)
        if key is None:
            raise _Refused(Answer(Status.UNKNOWN_LOG))
        try:
            checkpoint = parse_checkpoint(submission.note, key)
        except EvidenceError as fault:
            unsigned = fault.reason is EvidenceReason.SIGNATURE
            raise _Refused(Answer(Status.NOT_SIGNED if unsigned else Status.MALFORMED)) from None
        if submission.old_size > checkpoint.size or checkpoint.size > _MAX_SIZE:
            raise _Refused(Answer(Status.MALFORMED))
        return submission, checkpoint, note.only_by(key.verifier)

    def _checked(self, submission: Submission, checkpoint: Checkpoint, note: str) -> Answer:
        origin = checkpoint.origin
        before = self._state.kept(origin)
        if self._state.is_forked(origin):
            return Answer(Status.INCONSISTENT)
        if before is not None and differ(before.checkpoint, checkpoint):
            return _forked(self._state, origin, Fork(before.note, note, self._now()))
        doubt = self._state.suspicion(origin)
        if before is not None and doubt is not None:
            return self._suspected(doubt, before, submission, note, checkpoint=checkpoint)
        size = before.checkpoint.size if before is not None else 0
        if submission.old_size != size:
            return Answer(Status.OTHER_SIZE, encode_size(size))
        if (not checkpoint.size and checkpoint.root != merkle.EMPTY_ROOT) or (not size and submission.proof):
            return Answer(Status.INCONSISTENT)
        if before is not None and size and not continues(before.checkpoint, checkpoint, submission.proof):
            return self._not_continued(before, submission, note, checkpoint=checkpoint)
        return self._cosigned(checkpoint, note, before)

    def _cosigned(self, checkpoint: Checkpoint, note: str, before: Kept | None) -> Answer:
        seconds = max(self._now(), before.seconds if before is not None else 0)
        lines = "".join(cosigner.sign(checkpoint, seconds).text() for cosigner in self._cosigners)
        self._state.keep(Kept(checkpoint, note + lines, seconds))
        return Answer(Status.COSIGNED, lines.encode())

    def _not_continued(self, before: Kept, submission: Submission, note: str, *, checkpoint: Checkpoint) -> Answer:
        doubt = Suspicion(before.note, submission.with_note(note).encode().decode(), self._now())
        proven = proves_fork(before.checkpoint, checkpoint, submission.proof)
        if proven or self._from_log_alone:
            return _forked(self._state, checkpoint.origin, doubt.fork())
        if checkpoint.size == before.checkpoint.size:
            # The very tree that was cosigned: whatever is sent with it shows no other.
            return Answer(Status.INCONSISTENT)
        self._state.put_suspicion(checkpoint.origin, doubt)
        return Answer(Status.INCONSISTENT, fork=doubt.fork())

    def _suspected(
        self, doubt: Suspicion, before: Kept, submission: Submission, note: str, *, checkpoint: Checkpoint
    ) -> Answer:
        found = weigh(doubt, submission, checkpoint, note, now=self._now())
        if isinstance(found, Fork):
            return _forked(self._state, checkpoint.origin, found)
        self._state.put_suspicion(checkpoint.origin, found.suspicion)
        if found.suspicion is None:
            return self._cosigned(checkpoint, note, before)
        return Answer(Status.OTHER_SIZE, encode_size(found.size)) if found.size else Answer(Status.INCONSISTENT)


def _forked(state: WitnessState, origin: str, fork: Fork) -> Answer:
    state.put_fork(origin, fork)
    return Answer(Status.INCONSISTENT, fork=fork)


def own_cosigner(directory: Path, name: str) -> Cosigner:
    """Returns the Ed25519 cosigner whose key lies in the directory; makes directory and key when there are none."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "witness.key"
    make_key(path)
    raw = path.read_bytes()
    if len(raw) != _KEY_BYTES:
        raise EvidenceError(EvidenceReason.STORE, "witness.key does not hold 32 bytes")
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(raw))


def make_key(path: Path) -> None:
    """The file holds a key of 32 random bytes, whole and durable (mode 0600); one that is there stays as it is.

    Of two processes that make it at once both find the same key: linking puts a whole file there or none.
    """
    if path.exists():
        return
    descriptor, made = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)
