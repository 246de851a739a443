"""The report of one reading: what was refused, dropped and noted, where, and how to repair it.

Decides the form an operator reads and the same as data. Values are masked: a code is shown only where it stands in so
many rows that it cannot be one youth's (a mapping that points at the wrong column would otherwise print names).
`show_values` lifts that, on the machine where the data are anyway. Plain ASCII words, for any terminal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from adapters.falls import Fall, Reading
from adapters.mapping.ledger import Ledger, Place
from adapters.mapping.rule import Severity
from adapters.mapping.rules import RULES
from adapters.sources.freshness import FreshnessState

SHOWN_FROM: Final = 11
"""Rows in which a code must stand to be shown; the masking limit of CDSS (DOMAIN §2.5)."""
_CODE: Final = re.compile(r"[\w ./+-]{1,12}", re.ASCII)
_ORDER: Final = list(Severity)
_WORD: Final = {
    Severity.FILE_REFUSED: "FAIL",
    Severity.RECORD_REFUSED: "FAIL",
    Severity.YOUTH_SEALED: "FAIL",
    Severity.VALUE_DROPPED: "warn",
    Severity.NOTE: "note",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """Findings of one kind in one source."""

    code: str
    severity: Severity
    column: str | None
    because: str | None
    """The county's own words for its rule."""
    count: int
    places: tuple[Place, ...]
    """The first ones."""
    value: str | None = field(default=None, repr=False)

    def sentence(self, *, show_values: bool = False) -> str:
        """What happened, with the code it happened to where that may be shown."""
        text = RULES[self.code].sentence
        if self.because is not None:
            text += f' "{self.because}"'
        elif self.value is not None:
            is_shown = show_values or (self.count >= SHOWN_FROM and _CODE.fullmatch(self.value) is not None)
            text += f' ("{self.value if is_shown else "***"}")'
        return text if self.column is None or self.because is not None else f"{text}, column {self.column}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A source that could not be used as a whole."""

    code: str
    detail: str
    line: int | None


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source."""

    name: str
    origin: str
    rows: int = 0
    rows_refused: int = 0
    """Each once, whatever it broke; some rows that are not refused make no record of their own (duplicates, rows left
    out by a rule of the county)."""
    records: int = 0
    as_of: datetime | None = None
    freshness: FreshnessState = FreshnessState.OK
    control_total: int | None = None
    rows_before: int | None = None
    """Rows of the reading before, where their number changed by more than the county allows."""
    refusal: Refusal | None = None
    entries: tuple[Entry, ...] = ()

    @property
    def has_failed(self) -> bool:
        """Something was refused, or the data are too old."""
        return (
            self.refusal is not None
            or self.freshness is FreshnessState.STALE
            or any(_WORD[entry.severity] == "FAIL" for entry in self.entries)
        )

    @property
    def has_warnings(self) -> bool:
        """Something was dropped, or the data are getting old, or their number changed."""
        return (
            self.freshness is FreshnessState.WARN
            or self.rows_before is not None
            or any(_WORD[entry.severity] == "warn" for entry in self.entries)
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One reading of all sources."""

    made_at: datetime
    sources: tuple[SourceReport, ...]
    youths: int
    is_in_use: bool
    """The reading became the data that are served; False: a source was refused and the reading before stays."""
    had: Reading | None = None
    """What was read, of a reading that is not used because it has far less than the one before."""
    fell: Mapping[str, Fall] = field(default_factory=dict)
    """Which sources of it have."""

    @property
    def has_failed(self) -> bool:
        """A source has failed."""
        return any(source.has_failed for source in self.sources)

    @property
    def has_warnings(self) -> bool:
        """A source has warnings."""
        return any(source.has_warnings for source in self.sources)


def entries_of(ledger: Ledger, source: str) -> tuple[Entry, ...]:
    """The ledger's findings of one source: gravest first, then by rule, then the most frequent."""
    found = [
        Entry(key.code, RULES[key.code].severity, key.column, key.because, count.count, tuple(count.places), key.value)
        for key, count in ledger.counts.items()
        if key.source == source
    ]
    return tuple(sorted(found, key=lambda entry: (_ORDER.index(entry.severity), entry.code, -entry.count)))


def render(report: Report, *, zone: ZoneInfo, show_values: bool = False) -> str:
    """The report as lines of plain text."""
    lines: list[str] = []
    for source in report.sources:
        lines.extend(_source_lines(source, report.made_at, zone, show_values))
    if report.had is not None:
        # Whoever accepts the rows takes everybody else off the list.
        lines.append(f"      by this reading {_count(report.had.in_care, 'youth is', 'youths are')} in care")
    lines.append(
        f"{_count(report.youths, 'youth', 'youths')} in the adapter's memory"
        if report.is_in_use
        else "FAIL  this reading is not used; an adapter that runs keeps the one before, one that starts has none"
    )
    return "\n".join(lines)


def as_data(report: Report, *, show_values: bool = False) -> dict[str, object]:
    """The report for `--json`; values masked like in text."""
    return {
        "made_at": report.made_at.isoformat(),
        "in_use": report.is_in_use,
        "youths": report.youths,
        "in_care_refused": report.had.in_care if report.had is not None else None,
        "sources": [_source_data(source, show_values) for source in report.sources],
    }


def _source_lines(source: SourceReport, now: datetime, zone: ZoneInfo, show_values: bool) -> Iterator[str]:
    if source.refusal is not None:
        where = source.origin if source.refusal.line is None else f"{source.origin}:{source.refusal.line}"
        rule = RULES[source.refusal.code]
        yield f"{source.name:<20} FAIL  {rule.severity}  {rule.code}  {rule.sentence}"
        yield f"  {where}: {source.refusal.detail}"
        yield f"  fix: {rule.fix}"
    else:
        problems = sum(1 for entry in source.entries if entry.severity is not Severity.NOTE)
        refused = f", {_number(source.rows_refused)} refused" if source.rows_refused else ""
        found = f"{_count(problems, 'problem', 'problems')} in {_count(source.rows, 'row', 'rows')}{refused}"
        yield f"{source.name:<20} {found}  ->  {_count(source.records, 'record', 'records')}"
    # Of a reading that fell too far they may be the reason.
    for entry in source.entries:
        yield _entry_line(entry, show_values)
        if entry.severity is not Severity.NOTE:
            yield f"        fix: {RULES[entry.code].fix}"
    if source.refusal is None:
        yield from _whole_lines(source, now, zone)


def _entry_line(entry: Entry, show_values: bool) -> str:
    what = f"{entry.severity:<15}  " if entry.severity is not Severity.NOTE else ""
    first = "first " if entry.count > len(entry.places) else ""
    sentence = entry.sentence(show_values=show_values)
    rows = _count(entry.count, "row", "rows")
    return f"  {_WORD[entry.severity]}  {what}{entry.code}  {sentence}  {rows}  {first}{_where(entry.places)}"


def _where(places: Sequence[Place]) -> str:
    """Lines by file, `a.csv:3, 7; b.csv:2`; of a query the numbers of its rows."""
    by_file: dict[str | None, list[int]] = {}
    for place in places:
        by_file.setdefault(place.file, []).append(place.number if place.line is None else place.line)
    return "; ".join(
        ("row " if file is None else f"{file}:") + ", ".join(map(str, numbers)) for file, numbers in by_file.items()
    )


def _whole_lines(source: SourceReport, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    said = []
    if source.control_total is not None:
        said.append(f"control total {_number(source.control_total)} = rows {_number(source.rows)}")
    if source.as_of is not None:
        said.append(f"data as of {_when(source.as_of, now, zone)} ({source.origin})")
    else:
        said.append(f"as of when the data count is not known ({source.origin})")
    word = {FreshnessState.OK: "ok  ", FreshnessState.WARN: "warn", FreshnessState.STALE: "FAIL"}[source.freshness]
    old = {FreshnessState.OK: "", FreshnessState.WARN: "; getting old", FreshnessState.STALE: "; too old (SRC-017)"}
    yield f"  {word}  {'; '.join(said)}{old[source.freshness]}"
    if source.freshness is FreshnessState.STALE:
        yield f"        fix: {RULES['SRC-017'].fix}"
    if source.rows_before is not None:
        yield f"  warn  {_number(source.rows)} rows, the reading before had {_number(source.rows_before)}"


def _when(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    local, today = moment.astimezone(zone), now.astimezone(zone).date()
    day = {today: "today", today - timedelta(days=1): "yesterday"}.get(local.date(), local.date().isoformat())
    return f"{local:%H:%M %z} {day}"


def _number(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def _count(value: int, one: str, many: str) -> str:
    return f"{_number(value)} {one if value == 1 else many}"


def _source_data(source: SourceReport, show_values: bool) -> dict[str, object]:
    refusal = source.refusal
    return {
        "name": source.name,
        "origin": source.origin,
        "rows": source.rows,
        "rows_refused": source.rows_refused,
        "records": source.records,
        "as_of": source.as_of.isoformat() if source.as_of else None,
        "freshness": source.freshness.value,
        "control_total": source.control_total,
        "rows_before": source.rows_before,
        "refusal": {"code": refusal.code, "detail": refusal.detail, "line": refusal.line} if refusal else None,
        "entries": [_entry_data(entry, show_values) for entry in source.entries],
    }


def _entry_data(entry: Entry, show_values: bool) -> dict[str, object]:
    places = [{"row": place.number, "line": place.line, "file": place.file} for place in entry.places]
    return {
        "code": entry.code,
        "severity": entry.severity.value,
        "sentence": entry.sentence(show_values=show_values),
        "fix": RULES[entry.code].fix,
        "column": entry.column,
        "count": entry.count,
        "places": places,
    }
