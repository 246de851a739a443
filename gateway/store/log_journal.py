"""`ports.Journal` on the audit log."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Final

from audit.entry import FieldClass
from audit.errors import LogBusy, LogRecovering, LogUnavailable
from audit.hot_value import hot_value
from audit.log import Append, Appended, Log
from audit.receipt import Receipt
from gateway.errors import ErrorReason, Unavailable
from gateway.store.entrance import Entrance

# Of class `youth` a source gets the digest of the argument in its work order; `leaves` names what receipts open.
_OPENED: Final = frozenset((FieldClass.OP, FieldClass.REQ, FieldClass.YOUTH))


@hot_value
class LogEntered:
    """`ports.Entered`. Opens fields of the classes `op` and `req` only."""

    appended: Appended

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
        return self.appended.receipt(_OPENED, names)


@dataclass(frozen=True, slots=True)
class LogJournal:
    """The open log."""

    log: Log
    entrance: Entrance = field(default_factory=Entrance, repr=False)

    async def enter(self, append: Append) -> LogEntered:
        """The entry is durable. Raises `Unavailable` when it may not be."""
        try:
            async with self.entrance.entering():
                return LogEntered(await self.log.append(append))
        except LogRecovering as exc:
            raise Unavailable(ErrorReason.RECOVERING) from exc
        except (LogBusy, LogUnavailable) as exc:
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE) from exc

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """As the port says."""
        return self.entrance.quiet()
