"""The youths this adapter can answer about: read from the sources, mapped, held in memory, replaced as a whole.

Decides that readers always see one complete reading, that a reading in which any source refused, or has far less than
in those that counted before (`falls`), is not used (the one before stays, and grows old by the county's own
limits), and how old each source's data are. An adapter that has not read its sources since it started is not ready: it
has no youths to deny. Does not decide what may be answered.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, assert_never
from zoneinfo import ZoneInfo

from adapters.accepted_readings import AcceptedReadings, RememberedReadings
from adapters.falls import Accepted, Counts, Fall, Reading, fallen
from adapters.mapping.ledger import Ledger
from adapters.mapping.map_rows import Mapped, map_rows
from adapters.mapping.report import Refusal, Report, SourceReport, entries_of
from adapters.mapping.sections import CountySections, columns_of, mappings, volumes
from adapters.records import LocalSubjectId, Youth
from adapters.sources.config import CsvSourceConfig, SourceConfig, SqlSourceConfig
from adapters.sources.csv_source import CsvSource
from adapters.sources.freshness import FreshnessState, state_of
from adapters.sources.port import ReadingSummary, Row, Source, SourceRefused, UnreadableRow
from adapters.sources.secret import SecretUnavailable, resolve
from adapters.sources.sql_source import SqlSource

_GRAVITY: Final = (FreshnessState.OK, FreshnessState.WARN, FreshnessState.STALE)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete reading. Immutable."""

    by_local_id: Mapping[LocalSubjectId, Youth] = field(repr=False)
    data_as_of: Mapping[str, datetime | None]
    """By source; UTC."""


def open_sources(
    sections: CountySections,
    *,
    base: Path,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> tuple[Source, ...]:
    """Sources of the file, each asked for the columns its mappings read. Nothing is opened yet.

    `base` is the file's directory, from which the names of files in it count.
    """
    needed: dict[str, list[str]] = {name: [] for name in sections.sources}
    for _, mapping in mappings(sections):
        needed[getattr(mapping, "from_")].extend(columns_of(mapping))  # noqa: B009 - every mapping has one
    made: list[Source] = []
    for name, config in sections.sources.items():
        match config:
            case CsvSourceConfig():
                made.append(CsvSource(name, config, columns=needed[name], base=base))
            case SqlSourceConfig():
                password = _password(sections, config, environment, base)
                columns = needed[name]
                made.append(
                    SqlSource(name, config, password=password, columns=columns, base=base, now=now, monotonic=monotonic)
                )
            case _:
                # A kind that the file may name and nothing here reads must not be taken for another.
                assert_never(config)
    return tuple(made)


def _password(
    sections: CountySections, config: SqlSourceConfig, environment: Mapping[str, str], base: Path
) -> Callable[[], str] | None:
    if config.password is None:
        return None
    ref = sections.secrets[config.password.secret]

    def look_up() -> str:
        try:
            return resolve(ref, environment=environment, base=base)
        except SecretUnavailable as exc:
            raise SourceRefused("SRC-011", origin="secrets", detail=str(exc)) from None

    return look_up


class Caseload:
    """The county's youths. Reading is safe from any thread; refreshes wait for each other.

    `accepted` is what the last readings that counted had; without it, this one's first reading always counts.
    """

    def __init__(
        self,
        sections: CountySections,
        sources: Sequence[Source],
        *,
        zone: ZoneInfo,
        accepted: AcceptedReadings | None = None,
    ) -> None:
        self._accepted = accepted if accepted is not None else RememberedReadings(Accepted())
        self._sections = sections
        self._sources = tuple(sources)
        self._zone = zone
        self._refreshing = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._report: Report | None = None
        self._used: Report | None = None

    @property
    def is_ready(self) -> bool:
        """A complete reading is in memory. Never so for an agency without sources: it has no records to answer from."""
        return self._snapshot is not None

    @property
    def last_report(self) -> Report | None:
        """Of the latest attempt, used or not."""
        return self._report

    @property
    def report_in_use(self) -> Report | None:
        """Of the reading whose youths are in memory."""
        return self._used

    def youths(self) -> tuple[Youth, ...]:
        """All youths of the reading in use, sealed ones too, in the order of the identity rows."""
        snapshot = self._snapshot
        return tuple(snapshot.by_local_id.values()) if snapshot is not None else ()

    def by_local_id(self, local_id: LocalSubjectId) -> Youth | None:
        """The youth with the county's own number."""
        snapshot = self._snapshot
        return snapshot.by_local_id.get(local_id) if snapshot is not None else None

    def data_as_of(self) -> Mapping[str, datetime | None]:
        """By source, the moment (UTC) as of which its data count."""
        snapshot = self._snapshot
        return snapshot.data_as_of if snapshot is not None else MappingProxyType({})

    def oldest_data_as_of(self) -> datetime | None:
        """The moment as of which the whole counts: its oldest part; None while any part does not say."""
        moments = list(self.data_as_of().values())
        known = [moment for moment in moments if moment is not None]
        return min(known) if known and len(known) == len(moments) else None

    def freshness(self, now: datetime) -> FreshnessState:
        """The gravest state of any source at `now` (UTC); STALE while nothing was read."""
        snapshot = self._snapshot
        if snapshot is None:
            return FreshnessState.STALE
        states = [
            state_of(as_of, now, self._sections.sources[name].freshness) for name, as_of in snapshot.data_as_of.items()
        ]
        return max(states, key=_GRAVITY.index, default=FreshnessState.OK)

    def refresh(self, now: datetime) -> Report:
        """The sources were read and their youths replace the ones before, or a source was refused and nothing changed.

        Blocks for as long as the sources take; call it off the event loop. `now` is UTC.
        """
        with self._refreshing:
            report, snapshot = self._read(now)
            self._report = report
            if snapshot is not None:
                self._snapshot, self._used = snapshot, report
            return report

    def _read(self, now: datetime) -> tuple[Report, Snapshot | None]:
        identity = self._sections.identity
        if identity is None or not self._sources:
            return Report(now, (), 0, is_in_use=False), None
        opened: dict[str, ReadingSummary] = {}
        refused: dict[str, SourceRefused] = {}
        readings = {source.name: _rows(source, opened, refused) for source in self._sources}
        try:
            mapped = map_rows(
                readings,
                identity=identity,
                records=self._sections.records,
                release=self._sections.release,
                today=now.astimezone(self._zone).date(),
            )
        except SourceRefused:
            return Report(now, _refusals(self._sources, refused), len(self.youths()), is_in_use=False), None
        before = self._accepted.last()
        reading = _reading(mapped, opened)
        fell = fallen(reading, before, volumes(self._sections), identity=identity.client.from_, now=now)
        sources = tuple(
            _source_report(
                name,
                summary,
                mapped.ledger,
                self._sections.sources[name],
                before=before.last.sources.get(name),
                fell=fell.get(name),
                now=now,
            )
            for name, summary in opened.items()
        )
        if fell:
            return Report(now, sources, len(self.youths()), is_in_use=False, had=reading, fell=fell), None
        # Before anybody is served from it: a crash in between must not leave it uncompared.
        self._accepted.keep(before.followed_by(reading, now))
        snapshot = Snapshot(
            MappingProxyType({youth.local_id: youth for youth in mapped.youths}),
            MappingProxyType({name: summary.as_of for name, summary in opened.items()}),
        )
        return Report(now, sources, len(mapped.youths), is_in_use=True), snapshot


def open_caseload(
    sections: CountySections,
    *,
    base: Path,
    zone: ZoneInfo,
    accepted: AcceptedReadings,
    environment: Mapping[str, str],
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Caseload:
    """The caseload of the file's sources, as `open_sources`. Nothing is read yet."""
    sources = open_sources(sections, base=base, environment=environment, now=now, monotonic=monotonic)
    return Caseload(sections, sources, zone=zone, accepted=accepted)


def _reading(mapped: Mapped, opened: Mapping[str, ReadingSummary]) -> Reading:
    """What the complete reading had."""
    records = mapped.ledger.records
    return Reading(
        {name: Counts(summary.rows, records.get(name, 0)) for name, summary in opened.items()},
        sum(youth.is_in_care for youth in mapped.youths),
    )


def _source_report(
    name: str,
    summary: ReadingSummary,
    ledger: Ledger,
    config: SourceConfig,
    *,
    before: Counts | None,
    fell: Fall | None,
    now: datetime,
) -> SourceReport:
    """What became of one source's rows; `before` is what the last reading had, where one counted, and `fell` a fall
    that is too far.
    """
    limit = config.volume.warn_if_changes_by
    is_other = before is not None and limit is not None and abs(summary.rows - before.rows) > limit * before.rows
    return SourceReport(
        name,
        summary.origin,
        rows=summary.rows,
        records=ledger.records.get(name, 0),
        as_of=summary.as_of,
        freshness=state_of(summary.as_of, now, config.freshness),
        control_total=summary.control_total,
        rows_before=before.rows if before is not None and is_other else None,
        refusal=Refusal("SRC-016", fell.words, None) if fell is not None else None,
        rows_refused=ledger.rows_refused(name),
        entries=entries_of(ledger, name),
    )


def _refusals(sources: Sequence[Source], refused: dict[str, SourceRefused]) -> tuple[SourceReport, ...]:
    """Which sources refuse: the one that ended the reading, and any other that cannot be opened."""
    for source in sources:
        if source.name not in refused:
            try:
                source.check()
            except SourceRefused as exc:
                refused[source.name] = exc
    return tuple(
        SourceReport(name, exc.origin, refusal=Refusal(exc.code, exc.detail, exc.line)) for name, exc in refused.items()
    )


def _rows(
    source: Source, opened: dict[str, ReadingSummary], refused: dict[str, SourceRefused]
) -> Iterator[Row | UnreadableRow]:
    """The source's rows; remembers its summary, or by name that it refused."""
    try:
        reading = source.read()
        opened[source.name] = reading.summary
        yield from reading.items
    except SourceRefused as exc:
        refused[source.name] = exc
        raise
