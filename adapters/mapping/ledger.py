"""What was found in the rows: counted whole, remembered in samples.

Decides what is kept of a finding: rule, column, the code it is about, the reason of a county's own rule, how often, and
the first places; and which rows made no record, each once, however many rules it broke or mappings read it. A value is
kept apart from `repr`, and only for columns that hold codes. Bounded, whatever the data: by a number for each row.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from adapters.mapping.rule import Severity
from adapters.mapping.rules import RULES
from adapters.sources.port import Row, UnreadableRow

SAMPLES: Final = 5
MAX_VALUES: Final = 50
"""Different codes kept per rule and column; what follows is counted together."""
MAX_VALUE_LENGTH: Final = 40


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: number from 1 without the header; the file's line and base name, None for a query."""

    number: int
    line: int | None
    file: str | None = None

    @classmethod
    def of(cls, row: Row | UnreadableRow) -> Self:
        """The row's place."""
        return cls(row.number, row.line, row.file)


@dataclass(frozen=True, slots=True)
class Key:
    """Findings with the same key are counted together."""

    source: str
    code: str
    column: str | None = None
    because: str | None = None
    value: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class Count:
    """How often, and the first places."""

    count: int = 0
    places: list[Place] = field(default_factory=list)


class Ledger:
    """Findings of one mapping run. Not shared between threads."""

    def __init__(self) -> None:
        self.counts: dict[Key, Count] = {}
        self.records: dict[str, int] = {}
        """Records made from each source."""
        self._refused: dict[str, set[int]] = {}
        self._values: dict[tuple[str, str, str | None], set[str]] = {}

    def find(
        self,
        code: str,
        source: str,
        row: Row | UnreadableRow | Place,
        *,
        column: str | None = None,
        because: str | None = None,
        value: str | None = None,
    ) -> None:
        """One finding is counted."""
        key = Key(source, code, column, because, self._kept(source, code, column, value))
        count = self.counts.setdefault(key, Count())
        count.count += 1
        if RULES[code].severity is Severity.RECORD_REFUSED:
            self._refused.setdefault(source, set()).add(row.number)
        if len(count.places) < SAMPLES:
            count.places.append(row if isinstance(row, Place) else Place.of(row))

    def made(self, source: str) -> None:
        """One record was made from the source."""
        self.records[source] = self.records.get(source, 0) + 1

    def rows_refused(self, source: str) -> int:
        """How many rows of the source made no record, because a rule refused them."""
        return len(self._refused.get(source, ()))

    def _kept(self, source: str, code: str, column: str | None, value: str | None) -> str | None:
        if value is None:
            return None
        known = self._values.setdefault((source, code, column), set())
        shown = value[:MAX_VALUE_LENGTH]
        if shown in known or len(known) < MAX_VALUES:
            known.add(shown)
            return shown
        return None
