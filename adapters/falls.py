"""What a reading had of each source, and what of it fell too far since the reading before.

An extract that came out empty, or cut off where no control total says so, is complete in itself. It would take youths
off the exchange's list, so that every search for them ended in a negative, or answer with histories that lack what is
missing.

Decides when a source has fallen too far: where it had rows or records and has none now, or has lost a larger share than
the county allows. A few rows more or less are an ordinary day's, so that the share counts only above `FEW`. As many
rows as ever may say that nobody, or hardly anybody, is in care any more, when a column means something else: that is
counted against the source of identities, under whatever name it has now. Pure; names and counts alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.sources.config import Volume

FEW: Final = 20
"""Up to so many, half may go on one day: a table of those who are missing today, or of a county with few in care."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one reading had of a source."""

    rows: int
    """Readable and unreadable ones."""
    records: int
    """What was made of them: a column that means something else now costs these, and no row."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading had of everything; nothing, where none ever counted."""

    sources: Mapping[str, Counts] = field(default_factory=dict)
    in_care: int = 0
    """Youths in care or missing from it: a county that lists everybody in care lists these."""


def fallen(now: Reading, before: Reading, limits: Mapping[str, Volume], *, identity: str) -> Mapping[str, str]:
    """Sources that fell too far since the reading before, and in words by how much. Names and counts alone.

    Rows first: where an extract lost rows, the records that others lose with it are not the fault of those. `identity`
    is the source that says who the youths are.
    """
    both = [(name, before.sources[name], now.sources[name]) for name in now.sources if name in before.sources]
    rows = {name: _words("rows", old.rows, new.rows, limits[name]) for name, old, new in both}
    records = {name: _words("records", old.records, new.records, limits[name]) for name, old, new in both}
    found = rows if any(rows.values()) else records
    if not any(found.values()):
        found = {identity: _words("youths in care", before.in_care, now.in_care, limits[identity])}
    return {name: words for name, words in found.items() if words}


def _words(what: str, before: int, now: int, limits: Volume) -> str:
    """What to say of a fall that is too far; empty where it is not."""
    is_gone = before > 0 and now == 0 and not limits.allow_empty
    is_far = before > FEW and before - now > limits.refuse_if_falls_by * before
    return f"{what}: {before} before, {now or 'none'} now" if is_gone or is_far else ""
