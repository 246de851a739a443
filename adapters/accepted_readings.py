"""How much the last reading that counted had of each source, kept on disk, and what of a new reading fell too far.

An extract that came out empty, or cut off where no control total says so, is complete in itself. It would take youths
off the exchange's list, so that every search for them ended in a negative, or answer with histories that lack what is
missing. What it is compared with must outlive a restart: in memory nothing was read yet, and everything would count.

Decides what is kept (two counts of each source, nothing of a row) and when a source has fallen too far: where it had
rows or records and has none now, or has lost a larger share than the county allows. A few rows more or less are an
ordinary day's, so that the share counts only above `FEW`. Does not decide who accepts such a reading (`cli_sources`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Protocol

from adapters.node.store import Store, get_setting, put_setting
from adapters.sources.config import Volume

FEW: Final = 20
"""Up to so many, half may go on one day: a table of those who are missing today, or of a county with few in care."""
_NAME: Final = "accepted-readings"


@dataclass(frozen=True, slots=True)
class Counts:
    """What one reading had of a source."""

    rows: int
    """Readable and unreadable ones."""
    records: int
    """What was made of them: a column that means something else now costs these, and no row."""


class AcceptedReadings(Protocol):
    """Remembers the counts of the last reading that counted."""

    def counts(self) -> Mapping[str, Counts]:
        """By source; empty where none ever counted."""
        ...

    def keep(self, counts: Mapping[str, Counts]) -> None:
        """These are the counts from now on; durable, where anything is, when this returns."""
        ...


class RememberedReadings:
    """In memory: for a reading that changes nothing, as `homeward adapter check` makes one."""

    def __init__(self, counts: Mapping[str, Counts]) -> None:
        self._counts = counts

    def counts(self) -> Mapping[str, Counts]:
        """As given, or as kept since."""
        return self._counts

    def keep(self, counts: Mapping[str, Counts]) -> None:
        """Remembered until the object goes."""
        self._counts = counts


class StoredReadings:
    """In the adapter's own database, beside the list that it protects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def counts(self) -> Mapping[str, Counts]:
        """As kept last, by whichever process."""
        with self._store.read() as connection:
            kept = get_setting(connection, _NAME)
        return {} if kept is None else {name: Counts(**each) for name, each in json.loads(kept).items()}

    def keep(self, counts: Mapping[str, Counts]) -> None:
        """On disk when this returns."""
        data = json.dumps({name: asdict(each) for name, each in counts.items()}).encode()
        with self._store.write() as connection:
            put_setting(connection, _NAME, data)


def fallen(now: Mapping[str, Counts], before: Mapping[str, Counts], limits: Mapping[str, Volume]) -> Mapping[str, str]:
    """Sources that fell too far since the reading before, and in words by how much. Names and counts alone.

    Rows first: where an extract lost rows, the records that others lose with it are not the fault of those.
    """
    both = [name for name in now if name in before]
    rows = {name: _words("row", before[name].rows, now[name].rows, limits[name]) for name in both}
    records = {name: _words("record", before[name].records, now[name].records, limits[name]) for name in both}
    found = rows if any(rows.values()) else records
    return {name: words for name, words in found.items() if words}


def _words(what: str, before: int, now: int, limits: Volume) -> str:
    """What to say of a fall that is too far; empty where it is not."""
    is_gone = before > 0 and now == 0 and not limits.allow_empty
    is_far = before > FEW and before - now > limits.refuse_if_falls_by * before
    if not is_gone and not is_far:
        return ""
    return f"{before} {what}{'' if before == 1 else 's'} before, {now or 'none'} now"
