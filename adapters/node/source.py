"""What the node needs of the county's records: the port that `adapters.caseload` fills."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from adapters.caseload import Caseload
from adapters.records import LocalSubjectId, OutOfState, Youth
from adapters.sources.freshness import FreshnessState


class SourceUnusable(Exception):
    """The county's own systems cannot vouch for their data now. Never a negative answer."""


class Source(Protocol):
    """The caseload as it stood at the last reading. Each method answers from one consistent reading."""

    def youths(self) -> Sequence[Youth]:
        """Everybody in it. Raises `SourceUnusable` before the first good reading."""
        ...

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        """The youth the county's system numbers so, or None. Raises `SourceUnusable`."""
        ...

    def data_as_of(self) -> datetime:
        """The moment (UTC) as of which all of it stands: the oldest of its parts. Raises `SourceUnusable`."""
        ...

    def is_stale(self, now: datetime) -> bool:
        """Whether any part is older than the county itself tolerates, or was never read."""
        ...


def placement_county_of(youth: Youth) -> str:
    """Five-digit FIPS of the county the youth is placed in now; empty where that is not known or not in the state."""
    current = youth.current_episode
    placement = current.open_placement if current is not None else None
    county = placement.placement_county if placement is not None else None
    return "" if county is None or county is OutOfState.OUT_OF_STATE else str(county)


class CaseloadSource:
    """The port, filled by the county's caseload."""

    def __init__(self, caseload: Caseload) -> None:
        self._caseload = caseload

    def youths(self) -> Sequence[Youth]:
        """Everybody in the reading in use. Raises `SourceUnusable` while there is none."""
        self._check()
        return self._caseload.youths()

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        """The youth, or None. Raises `SourceUnusable` while nothing was read."""
        self._check()
        return self._caseload.by_local_id(local_id)

    def data_as_of(self) -> datetime:
        """The oldest part's moment. Raises `SourceUnusable` where any part does not say."""
        moment = self._caseload.oldest_data_as_of()
        if moment is None:
            raise SourceUnusable
        return moment

    def is_stale(self, now: datetime) -> bool:
        """Whether any source is older than its own `error_after`, or nothing was read."""
        return self._caseload.freshness(now) is FreshnessState.STALE

    def _check(self) -> None:
        if not self._caseload.is_ready:
            raise SourceUnusable
