"""The log and its projections, for members' machine calls and operators' commands.

An append that may not have happened is `Unavailable`, never a refusal and never a success (SECURITY §4.1 rule i;
`log_journal`). Reads see one state of the database and never make the writer wait.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from audit.entry import ClassKeys
from audit.log import Append, Log
from audit.reader import Reader, survey
from audit.transaction import Tx
from gateway.errors import Unavailable
from gateway.exchange.refusals import Refusals
from gateway.store.entries import LogEntries
from gateway.store.log_journal import LogEntered, LogJournal

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Ledger:
    """One open log with a reader of its database."""

    log: Log
    reader: Reader
    now: Callable[[], datetime]
    keys: ClassKeys = field(repr=False)
    entries: LogEntries = field(init=False)
    """What was written before, with proof."""
    _journal: LogJournal = field(init=False, repr=False)
    refusals: Refusals = field(init=False)
    """Of members' machine calls: no member fills the log with them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", LogEntries(self.log, self.reader, self.keys))
        object.__setattr__(self, "_journal", LogJournal(self.log))
        object.__setattr__(self, "refusals", Refusals(self.append, self.now))

    async def append(self, append: Append) -> LogEntered:
        """The entry and all that was to change with it are durable.

        Raises `Unavailable` when they may not be, and whatever the append's own projection raised (nothing written).
        """
        return await self._journal.enter(append)

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
