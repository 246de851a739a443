"""What can go wrong with evidence and with the log that writes it.

AuditError
├── EvidenceError     stored or received evidence does not verify; `reason` says in which respect
│   ├── CopyBroken    ... in a copy of the log, and not in the log
│   ├── LogStops      ... and the log that writes it must stop for good; `stop` says why
│   └── LogBehind     ... because the store knows less of the log than was signed: it was put back
├── DraftError        the caller asked for an entry that the format cannot hold
├── LogBusy           the queue is full; nothing was written, try again later
└── LogUnavailable    the log has stopped; nothing may be disclosed until it is started again and has checked itself
    └── LogRecovering ... because its store was put back; nothing may be written until it is healed
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class EvidenceReason(StrEnum):
    """In which respect evidence does not verify."""

    FORMAT = "FORMAT"
    LEAF = "LEAF"
    BODY = "BODY"
    TIME = "TIME"
    GAP = "GAP"
    NODE = "NODE"
    ROOT = "ROOT"
    SIZE = "SIZE"
    SIGNATURE = "SIGNATURE"
    ORIGIN = "ORIGIN"
    INCLUSION = "INCLUSION"
    CONSISTENCY = "CONSISTENCY"
    OPENING = "OPENING"
    SEQUENCE = "SEQUENCE"
    ROLLBACK = "ROLLBACK"
    STORE = "STORE"
    UNREACHABLE = "UNREACHABLE"
    """Nobody answered: nothing was found about the evidence."""
    WITNESS = "WITNESS"
    STALE = "STALE"
    CONSISTENT = "CONSISTENT"
    UNPROVEN = "UNPROVEN"
    PROJECTION = "PROJECTION"
    STOPPED = "STOPPED"


class StopReason(StrEnum):
    """Why a log stopped for good. A closed list: it stands in file names, statuses and entries."""

    IO = "IO"
    """The disk or the database failed: what was acknowledged may not be there."""
    FILE = "FILE"
    """The database's file was removed, replaced or changed while in use."""
    MOVED = "MOVED"
    """Somebody else wrote to the log."""
    ROOT = "ROOT"
    """Stored rows do not lead to what was signed."""
    CLOCK = "CLOCK"
    """The clock stepped further than its bound."""
    RECORD = "RECORD"
    """The high-water record was gone, and was made anew from what is stored."""
    UNHEARD = "UNHEARD"
    """Nobody who knows the log could be heard at a start, and its operator let it go on all the same."""


class AuditError(Exception):
    """Root of this room's errors."""


class EvidenceError(AuditError):
    """Evidence does not verify. The text names positions and sizes, never the value of a field."""

    def __init__(self, reason: EvidenceReason, text: str, *, index: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.index = index


class Copy(StrEnum):
    """What lies beside a log's database."""

    MIRROR = "mirror"
    PUBLISHED = "published"


class CopyBroken(EvidenceError):
    """A copy of the log does not verify. Nothing is said of the log itself."""

    def __init__(self, fault: EvidenceError, copy: Copy, directory: Path) -> None:
        super().__init__(fault.reason, f"{directory}: {fault}", index=fault.index)
        self.copy = copy
        self.directory = directory


class LogStops(EvidenceError):
    """The log must stop for good."""

    def __init__(self, stop: StopReason, reason: EvidenceReason, text: str) -> None:
        super().__init__(reason, text)
        self.stop = stop


class LogBehind(EvidenceError):
    """The store is sound but older than a checkpoint that the log signed: it was restored from a backup."""

    def __init__(self, text: str, *, size: int, known_size: int) -> None:
        super().__init__(EvidenceReason.ROLLBACK, text, index=size)
        self.size = size
        self.known_size = known_size


class DraftError(AuditError, ValueError):
    """The draft does not fit the leaf format. The text names the field, never its value."""


class LogBusy(AuditError):
    """The queue is full. Nothing was written."""


class LogUnavailable(AuditError):
    """The log has stopped, or was closed. Whether the entry was written is unknown; it must not be acted upon."""


class LogRecovering(LogUnavailable):
    """The log's store was put back to an older state. Nothing was written and nothing can be until it is healed."""
