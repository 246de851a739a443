"""`ports.Journal` on the audit log."""

from dataclasses import dataclass
from typing import Final

from audit.entry import ClassKeys, FieldClass, Opening, open_class
from audit.errors import LogBusy, LogUnavailable
from audit.log import Append, Appended, Log
from audit.receipt import Receipt
from gateway.errors import ErrorReason, Unavailable

_OPENED: Final = (FieldClass.OP, FieldClass.REQ)


@dataclass(frozen=True, slots=True)
class LogEntered:
    """`ports.Entered`. Opens fields of the classes `op` and `req` only: the log's own keys open no other here."""

    appended: Appended
    keys: ClassKeys

    @property
    def index(self) -> int:
        """Position in the log."""
        return self.appended.index

    @property
    def guarded(self) -> bool:
        """Whether the guard put a refusal in the entry's place."""
        return self.appended.guarded

    def receipt(self, names: frozenset[str]) -> Receipt:
        """Proof of the entry, with those of its fields open whose names are given."""
        entry = self.appended.entry
        opened: list[Opening] = []
        for cls in _OPENED:
            key = self.keys.op if cls is FieldClass.OP else self.keys.req
            opened += [opening for opening in open_class(entry, cls, key) if opening.name in names]
        opened.sort(key=lambda opening: opening.slot)
        return self.appended.receipt(opened)


@dataclass(frozen=True, slots=True)
class LogJournal:
    """The open log."""

    log: Log
    keys: ClassKeys

    async def enter(self, append: Append) -> LogEntered:
        """The entry is durable. Raises `Unavailable` when it may not be."""
        try:
            return LogEntered(await self.log.append(append), self.keys)
        except (LogBusy, LogUnavailable) as exc:
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE) from exc
