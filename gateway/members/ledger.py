"""The log and its projections, as the rooms use them.

Decides one thing: an append that may not have happened is `Unavailable`, never a refusal and never a success
(SECURITY §4.1 rule i). Reads see one state of the database and never make the writer wait.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from audit.errors import LogBusy, LogRecovering, LogUnavailable
from audit.log import Append, Appended, Log
from audit.reader import Reader, survey
from audit.transaction import Tx
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.refusals import Refusals

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ledger:
    """One open log with a reader of its database."""

    log: Log
    reader: Reader
    now: Callable[[], datetime]
    refusals: Refusals = field(init=False)
    """Of members' machine calls: no member fills the log with them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "refusals", Refusals(self.append, self.now))

    async def append(self, append: Append) -> Appended:
        """The entry and all that was to change with it are durable.

        Raises `Unavailable` when they may not be, and whatever the append's own projection raised (nothing written).
        """
        try:
            return await self.log.append(append)
        except LogRecovering as exc:
            raise Unavailable(ErrorReason.RECOVERING) from exc
        except (LogBusy, LogUnavailable) as exc:
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE) from exc

    async def read(self, work: Callable[[Tx], Result]) -> Result:
        """What `work` makes of one state of the database; it runs in a thread."""
        return await asyncio.to_thread(self.reader.read, work)

    async def survey(self, work: Callable[[Tx], Result]) -> Result:
        """As `read`, for work over a whole table: no question waits for it (`audit.reader.survey`)."""
        return await asyncio.to_thread(survey, self.reader, work)

    async def close(self) -> None:
        """Everything that waited, or was only counted, is written; log and reader are closed."""
        with suppress(Unavailable):
            await self.refusals.close()
        # Readers first: one that is open keeps the log from being settled into its main file.
        self.reader.close()
        await self.log.close()
