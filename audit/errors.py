"""What can go wrong with evidence and with the log that writes it.

AuditError
├── EvidenceError     stored or received evidence does not verify; `reason` says in which respect
├── DraftError        the caller asked for an entry that the format cannot hold
├── LogBusy           the queue is full; nothing was written, try again later
└── LogUnavailable    the log has stopped; nothing may be disclosed until it is started again and has checked itself
"""

from __future__ import annotations

from enum import StrEnum


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
    WITNESS = "WITNESS"
    STALE = "STALE"
    CONSISTENT = "CONSISTENT"


class AuditError(Exception):
    """Root of this room's errors."""


class EvidenceError(AuditError):
    """Evidence does not verify. The text names positions and sizes, never the value of a field."""

    def __init__(self, reason: EvidenceReason, text: str, *, index: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.index = index


class DraftError(AuditError, ValueError):
    """The draft does not fit the leaf format. The text names the field, never its value."""


class LogBusy(AuditError):
    """The queue is full. Nothing was written."""


class LogUnavailable(AuditError):
    """The log has stopped, or was closed. Whether the entry was written is unknown; it must not be acted upon."""
