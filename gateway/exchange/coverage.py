"""Which sources a miss can be believed of.

A county that is silent, or lists only flagged youths when history is asked, turns every miss
into UNDETERMINED and is named, whatever the tokens were: staleness must neither read as
"nobody looks" nor tell known from unknown (ARCHITECTURE §6, UNDETERMINED).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.protocol.names import AgencyId, Call, county_of

STALE_AFTER: Final = timedelta(minutes=15)


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


def stale_counties(
    sources: Iterable[AgencyId], listings: Iterable[Listing], *, call: Call, now: datetime
) -> tuple[str, ...]:
    """Five-digit FIPS of counties whose list cannot support a miss for this call, ascending.

    `sources` are the members that hold sources and are not suspended.
    """
    good = {
        listing.owner
        for listing in listings
        if now - listing.heartbeat < STALE_AFTER and (call is Call.FLAG_CHECK or listing.scope is Scope.ALL_IN_CARE)
    }
    return tuple(sorted({county_of(agency) for agency in sources if agency not in good}))
