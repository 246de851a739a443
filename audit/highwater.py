"""The high-water record: the newest checkpoint this log has signed, in a file kept apart from the database.

A database restored from an older backup is internally sound; only something outside it can tell that it has gone back.
The file holds two slots that are written in turn, each a signed note padded with NUL, so that a write cut short by a
power failure leaves the other slot readable. It is a lower bound: after a crash it may be behind the database, never
ahead of it, because a note is written only after its state is durable.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint
from audit.errors import EvidenceError, EvidenceReason

SLOT_BYTES = 4096
_SYNC_SECONDS = 1.0


class HighWater:
    """Writes the record of one log. One writer per file."""

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._monotonic = monotonic
        self._file = -1
        self._slot = 0
        self._synced_at = float("-inf")

    def create(self, note: str) -> None:
        """The file exists with this first note. Raises EvidenceError if there was one: two logs must not share it."""
        try:
            self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        except FileExistsError:
            raise EvidenceError(EvidenceReason.STORE, "there is already a high-water record of a log") from None
        self.write(note)
        self.close()

    def open(self) -> None:
        """Notes can be written. Raises EvidenceError(ROLLBACK) if the file is missing: it is never made silently."""
        try:
            self._file = os.open(self.path, os.O_RDWR)
        except OSError as exc:
            raise EvidenceError(EvidenceReason.ROLLBACK, "the high-water record is missing or unreadable") from exc

    def write(self, note: str) -> None:
        """The note is in the file, and survives the end of this process; a power failure may undo the last second."""
        raw = note.encode()
        if len(raw) > SLOT_BYTES:
            raise EvidenceError(EvidenceReason.FORMAT, "the note does not fit the high-water record")
        os.pwrite(self._file, raw.ljust(SLOT_BYTES, b"\0"), self._slot * SLOT_BYTES)
        self._slot ^= 1
        now = self._monotonic()
        if now - self._synced_at >= _SYNC_SECONDS:
            os.fsync(self._file)
            self._synced_at = now

    def close(self) -> None:
        """The file is on disk and closed."""
        if self._file >= 0:
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1


def read_high_water(path: Path, key: LogKey) -> Checkpoint:
    """Returns the largest checkpoint of `newest_note`; raises what it raises."""
    return newest_note(path, key)[0]


def newest_note(path: Path, key: LogKey) -> tuple[Checkpoint, str]:
    """Returns the largest checkpoint in the file that the key has signed, and its note; one plain note will do as well.

    Raises EvidenceError(ROLLBACK) if the file cannot be read, or with the note's fault if no slot holds a good one.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise EvidenceError(EvidenceReason.ROLLBACK, "the high-water record is missing or unreadable") from exc
    slots = [data[:SLOT_BYTES], data[SLOT_BYTES : 2 * SLOT_BYTES]] if len(data) > SLOT_BYTES else [data]
    found: list[tuple[Checkpoint, str]] = []
    fault = EvidenceError(EvidenceReason.FORMAT, f"{path.name} is empty")
    for slot in slots:
        text = slot.rstrip(b"\0")
        if not text:
            continue
        try:
            note = text.decode("utf-8", "replace")
            found.append((parse_checkpoint(note, key), note))
        except EvidenceError as exc:
            fault = exc
    if not found:
        raise fault
    return max(found, key=lambda each: each[0].size)
