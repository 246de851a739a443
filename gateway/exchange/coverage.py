"""Which sources a miss can be believed of.

A county that is silent, lists only flagged youths when history is asked, or has not listed
everybody in the epoch of the question's tokens, turns every miss into UNDETERMINED and is
named, whatever the tokens were: staleness must neither read as "nobody looks" nor tell known
from unknown (ARCHITECTURE §6, UNDETERMINED).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, Call, county_of

STALE_AFTER: Final = timedelta(minutes=15)
KNOWN_FOR: Final = timedelta(seconds=1)


class Scope(StrEnum):
    """What an agency lists."""

    FLAGGED_ONLY = "FLAGGED_ONLY"
    ALL_IN_CARE = "ALL_IN_CARE"


@dataclass(frozen=True, slots=True)
class Listing:
    """The last heartbeat of an agency's list."""

    owner: AgencyId
    scope: Scope
    heartbeat: datetime
    epochs: frozenset[str]
    """In which everybody of the scope is listed."""


def sources_of(directory: DirectoryView) -> tuple[AgencyId, ...]:
    """Members that hold sources and are not suspended: whose lists a miss rests on."""
    return tuple(each.agency for each in directory.members() if each.has_sources and not each.suspended)


def stale_counties(
    sources: Iterable[AgencyId], listings: Iterable[Listing], *, call: Call, epoch: str, now: datetime
) -> tuple[str, ...]:
    """Five-digit FIPS of counties whose list cannot support a miss for this call in this epoch, ascending.

    `sources` are those of `sources_of`.
    """
    good = {
        listing.owner
        for listing in listings
        if now - listing.heartbeat < STALE_AFTER
        and epoch in listing.epochs
        and (call is Call.FLAG_CHECK or listing.scope is Scope.ALL_IN_CARE)
    }
    return tuple(sorted({county_of(agency) for agency in sources if agency not in good}))


class Coverage:
    """Stale counties as the last second knew them.

    Which counties are stale changes with a heartbeat or a directory, not with a question, and working it out takes as
    long as all the rest of a flag check once fifty-eight counties have joined. A second is nothing beside
    `STALE_AFTER`; a clock that goes back makes it anew.
    """

    def __init__(
        self,
        sources: Callable[[], Iterable[AgencyId]],
        listings: Callable[[], Awaitable[Sequence[Listing]]],
        *,
        is_listed_in: Callable[[str], bool],
    ) -> None:
        """`is_listed_in`: whether members list their youths in this epoch now."""
        self._is_listed_in = is_listed_in
        self._sources = sources
        self._listings = listings
        self._known: dict[tuple[Call, str], tuple[datetime, tuple[str, ...]]] = {}

    async def stale(self, call: Call, *, epoch: str, now: datetime) -> tuple[str, ...]:
        """`stale_counties` for this call and epoch; `epoch` is one that is answered."""
        if not self._is_listed_in(epoch):
            # Whoever was listed since the cut-over is not in the epoch before, and whoever changed is there no more,
            # whatever was said of it until then.
            return stale_counties(self._sources(), (), call=call, epoch=epoch, now=now)
        known = self._known.get((call, epoch))
        if known is not None and timedelta(0) <= now - known[0] < KNOWN_FOR:
            return known[1]
        found = stale_counties(self._sources(), await self._listings(), call=call, epoch=epoch, now=now)
        self._known[call, epoch] = (now, found)
        return found
