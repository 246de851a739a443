"""What the last reading had that counted, and the largest of a day, kept on disk.

A new reading is compared with it (`falls`), and that must outlive a restart: in memory nothing was read yet, and
everything would count. Decides what is kept: two counts of each source and one of youths, each with its peak and the
time of that, nothing of a row. An adapter that was upgraded from one that kept nothing is compared with its list. Does
not decide who may let a reading count that fell too far (`cli_sources`).
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final, Protocol

from adapters.falls import Accepted, Counts, Peak, Reading
from adapters.node.store import Store, get_setting, put_setting
from adapters.node.subjects import ever_listed

_NAME: Final = "accepted-readings"


class AcceptedReadings(Protocol):
    """Remembers what counted."""

    def last(self) -> Accepted:
        """As kept last."""
        ...

    def keep(self, accepted: Accepted) -> None:
        """This is what counts from now on; durable, where anything is, when this returns."""
        ...


class RememberedReadings:
    """In memory: for a reading that changes nothing, as `homeward adapter check` makes one."""

    def __init__(self, last: Accepted) -> None:
        self._last = last

    def last(self) -> Accepted:
        """As given, or as kept since."""
        return self._last

    def keep(self, accepted: Accepted) -> None:
        """Remembered until the object goes."""
        self._last = accepted


class StoredReadings:
    """In the adapter's own database, beside the list that it protects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def last(self) -> Accepted:
        """As kept last, by whichever process; of an adapter that never kept anything, whom it has listed."""
        with self._store.read() as connection:
            kept = get_setting(connection, _NAME)
            return Accepted(Reading(in_care=ever_listed(connection))) if kept is None else _parsed(kept)

    def keep(self, accepted: Accepted) -> None:
        """On disk when this returns."""
        peaks = [[*figure, peak.count, int(peak.at.timestamp())] for figure, peak in accepted.peaks.items()]
        data = json.dumps({**asdict(accepted.last), "peaks": peaks}).encode()
        with self._store.write() as connection:
            put_setting(connection, _NAME, data)


def _parsed(kept: bytes) -> Accepted:
    """As an adapter kept it that may have known of no peaks."""
    data = json.loads(kept)
    sources = {name: Counts(**each) for name, each in data["sources"].items()}
    peaks = {
        (what, source): Peak(count, datetime.fromtimestamp(at, UTC))
        for what, source, count, at in data.get("peaks", ())
    }
    return Accepted(Reading(sources, data["in_care"]), peaks)
