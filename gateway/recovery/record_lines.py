"""What `status`, `fsck` and a start say of where the log's high-water record lies. Decides the words."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final


class RecordPlace(StrEnum):
    """Where it lies. A closed list: it stands in statuses and log lines."""

    APART = "APART"
    SAME_FILE_SYSTEM = "SAME_FILE_SYSTEM"
    """With the log's database: both can be lost, or put back, together."""
    MISSING = "MISSING"
    """Its directory is not there now: its storage is not mounted any more."""


_WORDS: Final = {
    RecordPlace.SAME_FILE_SYSTEM: (
        "the high-water record lies on the database's file system: put back together, neither tells; "
        "set high_water: (audit/README.md)"
    ),
    RecordPlace.MISSING: "the directory of the high-water record is not there; mount its storage",
}


def record_lines(place: RecordPlace, *, lead: str) -> Iterator[str]:
    """One line of warning that begins with `lead`; none where the record is apart."""
    if place in _WORDS:
        yield f"{lead}[{place}] {_WORDS[place]}"
