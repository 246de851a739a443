"""What a reading had of each source, and what of it fell too far since those that counted before.

An extract that came out empty, or cut off where no control total says so, is complete in itself. It would take youths
off the exchange's list, so that every search for them ended in a negative, or answer with histories that lack what is
missing.

Decides when a source has fallen too far: where it had rows or records and has none now, or has lost a larger share than
the county allows, of the largest reading that counted within a day: a table that is loaded anew may be read at every
stage of it. A source of a new name that is empty counts as fallen where another name is gone. A few rows more or less
are an ordinary day's, so that the share counts only above `FEW`. As many rows as ever may say that nobody, or hardly
anybody, is in care any more, when a column means something else: that is counted against the source of identities,
under whatever name it has now. Where no reading ever counted, whom the exchange lists already are those in care before.
Pure; names, counts and times alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapters.sources.config import Volume

FEW: Final = 20
"""Up to so many, half may go on one day: a table of those who are missing today, or of a county with few in care."""
PEAK_LASTS: Final = timedelta(hours=24)
"""For so long the largest reading counts beside the last one: sources are read every few minutes, and half of a half of
a half is soon nothing."""

Figure = tuple[str, str]
"""What is counted, and of which source; of youths in care no source, whatever name theirs has."""
_ROWS, _RECORDS, _IN_CARE = "rows", "records", "youths in care"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one reading had of a source."""

    rows: int
    """Readable and unreadable ones."""
    records: int
    """What was made of them: a column that means something else now costs these, and no row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading had of everything."""

    sources: Mapping[str, Counts] = field(default_factory=dict)
    in_care: int = 0
    """Youths in care or missing from it: a county that lists everybody in care lists these."""


@dataclass(frozen=True, slots=True)
class Fall:
    """How far a source fell. Names and counts alone."""

    words: str
    now: int
    """What is left of what fell."""


@dataclass(frozen=True, slots=True)
class Peak:
    """How many there were at most, and when that was seen last."""

    count: int
    at: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What counted: the last reading, and the most that any had of a figure within `PEAK_LASTS`."""

    last: Reading = field(default_factory=Reading)
    """Where none ever counted, of no source, and in care are those whom the exchange lists already."""
    peaks: Mapping[Figure, Peak] = field(default_factory=dict)

    def standing(self, now: datetime) -> Mapping[Figure, Peak]:
        """What a reading at `now` is compared with: the peak of each figure, or what the last one had where that is
        over. A peak that a clock which was wrong put into the future is over, too.
        """
        found = {figure: Peak(count, now) for figure, count in _figures(self.last).items()}
        return found | {
            figure: peak
            for figure, peak in self.peaks.items()
            if figure in found and abs(now - peak.at) <= PEAK_LASTS and peak.count > found[figure].count
        }

    def followed_by(self, reading: Reading, now: datetime) -> "Accepted":
        """This reading counts, too, as the last one."""
        before = self.standing(now)
        peaks = {
            figure: before[figure] if figure in before and before[figure].count > count else Peak(count, now)
            for figure, count in _figures(reading).items()
        }
        return Accepted(reading, peaks)


def fallen(
    reading: Reading, before: Accepted, limits: Mapping[str, Volume], *, identity: str, now: datetime
) -> Mapping[str, Fall]:
    """Sources that fell too far since what counted before, and by how much.

    Rows first: where an extract lost rows, the records that others lose with it are not the fault of those. `identity`
    is the source that says who the youths are.
    """
    standing, last = before.standing(now), _figures(before.last)
    found: dict[str, dict[str, Fall]] = {what: {} for what in (_ROWS, _RECORDS, _IN_CARE)}
    for figure, count in _figures(reading).items():
        what, source = figure
        name = source or identity
        if figure in standing and _is_far(standing[figure].count, count, limits[name]):
            peak = standing[figure].count
            since = "before" if peak == last[figure] else "within 24 hours"
            since = since if before.last.sources else "listed"
            found[what][name] = Fall(f"{what}: {peak} {since}, {count or 'none'} now", count)
    found[_ROWS] |= _renamed(reading, before.last, limits)
    return next((falls for falls in found.values() if falls), {})


def _renamed(reading: Reading, last: Reading, limits: Mapping[str, Volume]) -> Mapping[str, Fall]:
    """Sources of a new name that bring nothing, where a name is gone: they may be the ones that had something under it.

    With names alone nobody can tell; a new source beside all the others may begin empty.
    """
    gone = ", ".join(name for name, counts in last.sources.items() if name not in reading.sources and counts.rows)
    return {
        name: Fall(f"{_ROWS}: none, under the new name {name}, and nothing is read as {gone} any more", 0)
        for name, counts in reading.sources.items()
        if gone and name not in last.sources and counts.rows == 0 and not limits[name].allow_empty
    }


def _figures(reading: Reading) -> Mapping[Figure, int]:
    rows = {(_ROWS, name): counts.rows for name, counts in reading.sources.items()}
    records = {(_RECORDS, name): counts.records for name, counts in reading.sources.items()}
    return {**rows, **records, (_IN_CARE, ""): reading.in_care}


def _is_far(before: int, now: int, limits: Volume) -> bool:
    is_gone = before > 0 and now == 0 and not limits.allow_empty
    return is_gone or (before > FEW and before - now > limits.refuse_if_falls_by * before)
