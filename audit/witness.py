"""A witness: it cosigns a checkpoint if, and only if, it continues the last one it cosigned (C2SP tlog-witness).

Decides the order of the checks, that a checkpoint is on disk before its cosignature leaves, and what happens when a log
shows two histories: both notes are kept, and nothing of that log is cosigned any more until a person has looked at it.

A fork is proven, whoever brings it, by two roots of one size: two signed ones, or a signed one and the one from which
a proof leads to a signed larger tree. Any other proof that does not hold is taken for a fork only where nobody but the
log can send requests (`from_log_alone`); elsewhere anybody could stop a witness with a genuine checkpoint and a proof
of noise, so there it is refused and reported, and that is all. A proof from a power of two is always such another one:
it begins with the root that its reader kept, and so does not say what the log takes that root to be.

State is one SQLite file, synchronous=FULL, read back; checking and storing are one transaction. A witness whose file is
restored from a backup has lost what it promised and must get a new key; it cannot notice that by itself.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint, parse_text
from audit.cosignature import Cosigner
from audit.errors import EvidenceError, EvidenceReason
from audit.note import parse_note
from audit.submission import Status, Submission, encode_size, parse_submission

_SETTINGS: Final = (("journal_mode", "wal"), ("synchronous", 2))
_KEY_BYTES: Final = 32
_MAX_SIZE: Final = (1 << 63) - 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS fork (
    origin TEXT PRIMARY KEY, kept TEXT NOT NULL, shown TEXT NOT NULL, time INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Fork:
    """Two statements of one log that cannot both be true of one history: the note cosigned last, and another.

    `shown` is that other note or, where its tree is larger, the whole request with the log's own proof. Out of the two,
    contradiction.py makes a proof for others.
    """

    kept: str = field(repr=False)
    shown: str = field(repr=False)
    seconds: int

    @property
    def size(self) -> int:
        """How many entries the note cosigned last has."""
        return _read(self.kept).size

    def is_proof(self) -> bool:
        """Whether the two alone convince somebody else. From a power of two they do not."""
        if not self.shown.startswith("old "):
            return True
        request = parse_submission(self.shown.encode())
        return _is_fork(_read(self.kept), _read(request.note), request.proof)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness answers. `fork` is set if this very request showed one."""

    status: Status
    body: bytes = field(default=b"", repr=False)
    fork: Fork | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The last checkpoint of a log that was cosigned, with the cosignatures."""

    checkpoint: Checkpoint
    note: str = field(repr=False)
    seconds: int


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
        if not path.exists():
            path.touch(mode=0o600)
        self._cosigners = tuple(cosigners)
        self._log_key = log_key
        self._now = now
        self._from_log_alone = from_log_alone
        self._turn = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        for name, value in _SETTINGS:
            self._connection.execute(f"PRAGMA {name} = {value}")
            if self._connection.execute(f"PRAGMA {name}").fetchone()[0] != value:
                self._connection.close()
                raise EvidenceError(EvidenceReason.STORE, f"the witness's database does not accept {name} = {value}")
        self._connection.executescript(_TABLES)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answers one untrusted request; with 200 only once the checkpoint is on disk. Blocks."""
        with self._turn:
            try:
                submission, checkpoint, text = self._opened(body)
                return self._decided(submission, checkpoint, text)
            except _Refused as refused:
                return refused.answer

    def kept(self, origin: str) -> Kept | None:
        """Returns the last checkpoint of this log that was cosigned."""
        with self._turn:
            return self._kept(origin)

    def forks(self) -> tuple[Fork, ...]:
        """Returns the evidence of every log that showed two histories."""
        with self._turn, closing(self._connection.execute("SELECT kept, shown, time FROM fork")) as cursor:
            return tuple(Fork(*row) for row in cursor.fetchall())

    def close(self) -> None:
        """The file is closed."""
        with self._turn:
            self._connection.close()

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
        # Only the log's own line is kept: others were not looked at.
        own = tuple(line for line in note.signatures if line.is_by(key.verifier))
        return submission, checkpoint, f"{note.text}\n{own[0].text()}"

    def _decided(self, submission: Submission, checkpoint: Checkpoint, note: str) -> Answer:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            answer = self._checked(submission, checkpoint, note)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        return answer

    def _checked(self, submission: Submission, checkpoint: Checkpoint, note: str) -> Answer:
        origin = checkpoint.origin
        before = self._kept(origin)
        if self._row("SELECT 1 FROM fork WHERE origin = ?", origin):
            return Answer(Status.INCONSISTENT)
        if (
            before is not None
            and before.checkpoint.size == checkpoint.size
            and before.checkpoint.root != checkpoint.root
        ):
            return self._forked(before, submission, note, checkpoint=checkpoint, proven=True)
        size = before.checkpoint.size if before is not None else 0
        if submission.old_size != size:
            return Answer(Status.OTHER_SIZE, encode_size(size))
        if (not checkpoint.size and checkpoint.root != merkle.EMPTY_ROOT) or (not size and submission.proof):
            return Answer(Status.INCONSISTENT)
        if before is not None and size and not _continues(before.checkpoint, checkpoint, submission.proof):
            proven = _is_fork(before.checkpoint, checkpoint, submission.proof)
            return self._forked(before, submission, note, checkpoint=checkpoint, proven=proven)
        seconds = max(self._now(), before.seconds if before is not None else 0)
        lines = "".join(cosigner.sign(checkpoint, seconds).text() for cosigner in self._cosigners)
        self._connection.execute(
            "INSERT OR REPLACE INTO cosigned VALUES (?, ?, ?, ?, ?)",
            (origin, checkpoint.size, checkpoint.root, note + lines, seconds),
        )
        return Answer(Status.COSIGNED, lines.encode())

    def _forked(
        self, before: Kept, submission: Submission, note: str, *, checkpoint: Checkpoint, proven: bool
    ) -> Answer:
        same_size = checkpoint.size == before.checkpoint.size
        shown = note if same_size else Submission(submission.old_size, submission.proof, note).encode().decode()
        fork = Fork(before.note, shown, self._now())
        if proven or self._from_log_alone:
            self._connection.execute(
                "INSERT INTO fork VALUES (?, ?, ?, ?)",
                (checkpoint.origin, fork.kept, fork.shown, fork.seconds),
            )
        return Answer(Status.INCONSISTENT, fork=fork)

    def _kept(self, origin: str) -> Kept | None:
        row = self._row("SELECT note, time FROM cosigned WHERE origin = ?", origin)
        return Kept(parse_text(parse_note(row[0]).text, origin), row[0], row[1]) if row else None

    def _row(self, query: str, origin: str) -> tuple[Any, ...] | None:
        with closing(self._connection.execute(query, (origin,))) as cursor:
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row


def _read(note: str) -> Checkpoint:
    text = parse_note(note).text
    return parse_text(text, text.partition("\n")[0])


def _continues(before: Checkpoint, after: Checkpoint, proof: Sequence[bytes]) -> bool:
    try:
        merkle.check_consistency(
            old_size=before.size, old_root=before.root, size=after.size, root=after.root, proof=proof
        )
    except EvidenceError:
        return False
    return True


def _is_fork(before: Checkpoint, after: Checkpoint, proof: Sequence[bytes]) -> bool:
    """The proof leads to the signed larger tree, from another past than the one that was cosigned."""
    roots = merkle.claimed_roots(old_size=before.size, size=after.size, proof=proof)
    return roots is not None and roots[1] == after.root and roots[0] != before.root


def own_cosigner(directory: Path, name: str) -> Cosigner:
    """Returns the Ed25519 cosigner whose key lies in the directory; makes directory and key when there are none."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "witness.key"
    if not path.exists():
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
    raw = path.read_bytes()
    if len(raw) != _KEY_BYTES:
        raise EvidenceError(EvidenceReason.STORE, "witness.key does not hold 32 bytes")
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(raw))
