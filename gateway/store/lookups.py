"""Reading projections on the way of a call.

Decides where a look-up runs. SQLite answers from its page cache in tens of microseconds, less
than a hop to a thread costs, so there it runs on the loop; a database across a network runs
in a thread. The connection is the exchange's own: a long read elsewhere never holds it up.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from audit.reader import Reader, survey
from audit.statement import Params, Statement
from audit.transaction import Tx

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Lookups:
    """A reader for short queries."""

    reader: Reader
    threaded: bool

    async def read(self, work: Callable[[Tx], Result]) -> Result:
        """What `work` makes of one state of the database."""
        if self.threaded:
            return await asyncio.to_thread(self.reader.read, work)
        return self.reader.read(work)

    async def survey(self, work: Callable[[Tx], Result]) -> Result:
        """As `read`, for work over a whole table: always in a thread, and no question waits for it."""
        return await asyncio.to_thread(survey, self.reader, work)

    async def all(self, statement: Statement, params: Params = ()) -> list[tuple[Any, ...]]:
        """Every row of one query."""
        if self.threaded:
            return await asyncio.to_thread(self.reader.all, statement, params)
        return self.reader.all(statement, params)
