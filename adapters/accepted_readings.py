"""What the last reading had that counted, kept on disk.

A new reading is compared with it (`falls`), and that must outlive a restart: in memory nothing was read yet, and
everything would count. Decides what is kept: two counts of each source and one of youths, nothing of a row. Does not
decide who may let a reading count that fell too far (`cli_sources`).
"""

import json
from dataclasses import asdict
from typing import Final, Protocol

from adapters.falls import Counts, Reading
from adapters.node.store import Store, get_setting, put_setting

_NAME: Final = "accepted-readings"


class AcceptedReadings(Protocol):
    """Remembers what the last reading had that counted."""

    def last(self) -> Reading:
        """As kept last."""
        ...

    def keep(self, reading: Reading) -> None:
        """This is the last reading from now on; durable, where anything is, when this returns."""
        ...


class RememberedReadings:
    """In memory: for a reading that changes nothing, as `homeward adapter check` makes one."""

    def __init__(self, last: Reading) -> None:
        self._last = last

    def last(self) -> Reading:
        """As given, or as kept since."""
        return self._last

    def keep(self, reading: Reading) -> None:
        """Remembered until the object goes."""
        self._last = reading


class StoredReadings:
    """In the adapter's own database, beside the list that it protects."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def last(self) -> Reading:
        """As kept last, by whichever process."""
        with self._store.read() as connection:
            kept = get_setting(connection, _NAME)
        if kept is None:
            return Reading()
        data = json.loads(kept)
        return Reading({name: Counts(**each) for name, each in data["sources"].items()}, data["in_care"])

    def keep(self, reading: Reading) -> None:
        """On disk when this returns."""
        data = json.dumps(asdict(reading)).encode()
        with self._store.write() as connection:
            put_setting(connection, _NAME, data)
