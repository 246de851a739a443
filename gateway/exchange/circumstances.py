"""What an answer rests on besides the question, the directory and what is listed, as a moment knows it."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.exchange.coverage import Coverage, Listing, sources_of
from gateway.exchange.index_size import IndexSize
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import Call

_KNOWN_FOR: Final = timedelta(seconds=1)
"""Of flag checks. What is settled by older ones is settled again by the spine (`_standing`)."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Of questions of one family; to be read before the index is."""

    stale: Mapping[str, tuple[str, ...]]
    """By epoch, the counties of whose lists a miss cannot be believed (`coverage`)."""
    records: int
    """Youths in the index."""
    auto: bool
    """`Search.auto`."""


class Known:
    """Circumstances as they are now."""

    def __init__(
        self,
        directory: Callable[[], DirectoryView],
        *,
        listings: Callable[[], Awaitable[Sequence[Listing]]],
        records: Callable[[], Awaitable[int]],
        auto: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._directory = directory
        self._coverage = Coverage(lambda: sources_of(directory()), listings, is_listed_in=self.is_listed_in)
        self._size = IndexSize(records)
        self._auto = auto
        self._now = now
        self._newest: tuple[DirectoryView, datetime, Circumstances] | None = None

    async def of(self, family: Call, epochs: Iterable[str]) -> Circumstances:
        """Of questions of this family in these epochs, each of which is answered."""
        now = self._now()
        stale = {epoch: await self._coverage.stale(family, epoch=epoch, now=now) for epoch in epochs}
        return Circumstances(stale, await self._size.at(now), self._auto)

    async def stale(self, family: Call, epoch: str) -> tuple[str, ...]:
        """As `of` would know it, of one epoch alone."""
        return await self._coverage.stale(family, epoch=epoch, now=self._now())

    async def of_flag_checks(self) -> Circumstances:
        """Of any flag check that may come, as the last second knew them. Raises `Unavailable` as `directory`."""
        directory, now = self._directory(), self._now()
        if self._newest is not None:
            known_by, since, known = self._newest
            if known_by is directory and timedelta(0) <= now - since < _KNOWN_FOR:
                return known
        found = await self.of(Call.FLAG_CHECK, directory.epochs)
        self._newest = (directory, now, found)
        return found

    def is_listed_in(self, epoch: str) -> bool:
        """Whether members list their youths in this epoch now."""
        named = self._directory().epochs.get(epoch)
        return named is not None and named.is_listed_in
