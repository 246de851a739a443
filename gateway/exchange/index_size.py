"""How many youths are listed, as the last minute knew it.

The number is part of every score's prior, and counting takes time that grows with it. It enters by its logarithm and
never as less than a floor (`protocol/matching/weights`): a minute in which a county lists its caseload moves no score
by as much as one key. A clock that goes back counts anew.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

KNOWN_FOR: Final = timedelta(minutes=1)


class IndexSize:
    """Counts with `count`, at most once a minute."""

    def __init__(self, count: Callable[[], Awaitable[int]]) -> None:
        self._count = count
        self._known: tuple[datetime, int] | None = None

    async def at(self, now: datetime) -> int:
        """Youths in the index."""
        if self._known is None or not timedelta(0) <= now - self._known[0] < KNOWN_FOR:
            self._known = (now, await self._count())
        return self._known[1]
