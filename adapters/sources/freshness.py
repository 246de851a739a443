"""As of when a source's data count, and whether that is too long ago.

Decides the moment from a column (`newest(COLUMN)`) and the three states of freshness. Does not read files or clocks.
"""

from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from adapters.sources.config import Freshness
from adapters.sources.port import Cell


class FreshnessState(StrEnum):
    """How old the data are, by the county's own limits."""

    OK = "ok"
    WARN = "warn"
    STALE = "stale"
    """Also when no moment is known: age that cannot be told is not youth."""


def state_of(as_of: datetime | None, now: datetime, limits: Freshness) -> FreshnessState:
    """The state at `now` (UTC) of data as of `as_of` (UTC)."""
    if as_of is None or now - as_of > limits.error_after:
        return FreshnessState.STALE
    return FreshnessState.WARN if now - as_of > limits.warn_after else FreshnessState.OK


def moment(cell: Cell, *, format: str, zone: ZoneInfo) -> datetime | None:
    """The cell as a moment in UTC; None when it is not one. A naive value is of the zone."""
    if isinstance(cell, datetime):
        value = cell
    elif isinstance(cell, date):
        value = datetime.combine(cell, time.min)
    else:
        try:
            value = datetime.strptime(cell.strip(), format)  # noqa: DTZ007 - the zone is given below
        except ValueError:
            return None
    try:
        return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)
    except (OverflowError, ValueError):
        # Years 1 and 9999 have moments outside the calendar in UTC.
        return None


class NewestMoment:
    """The latest moment of a column, over the rows seen."""

    def __init__(self, freshness: Freshness) -> None:
        self.column = freshness.newest_column
        self.value: datetime | None = None
        self._format = freshness.format
        self._zone = ZoneInfo(freshness.zone)

    def see(self, cell: Cell) -> None:
        """The cell is taken into account; a cell that is no moment is not."""
        found = moment(cell, format=self._format, zone=self._zone)
        if found is not None and (self.value is None or found > self.value):
            self.value = found
