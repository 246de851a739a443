"""The caseload: one complete reading at a time, and the report an operator reads. Youths are invented."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.caseload import Caseload, open_sources
from adapters.mapping.examples import BASE_ROWS, COUNTY_FILE
from adapters.mapping.ledger import Ledger
from adapters.mapping.report import Report, SourceReport, as_data, entries_of, render
from adapters.mapping.sections import CountySections
from adapters.records import LocalSubjectId
from adapters.service import refresh
from adapters.source_states import source_states
from adapters.source_words import source_faults, source_lines
from adapters.sources.config import CsvSourceConfig
from adapters.sources.csv_source import CsvSource
from adapters.sources.freshness import FreshnessState
from adapters.sources.port import ReadingSummary, Row, SourceDescription, SourceRefused, SourceRows, UnreadableRow
from gateway.protocol.strict_yaml import DocumentErrors, StrictModel, load
from homeward.county.v1.access_pb2 import SourceState
from homeward.logs import JsonLines

NOW = datetime(2026, 5, 1, 18, 0, tzinfo=UTC)
ZONE = ZoneInfo("America/Los_Angeles")
SECTIONS = load(
    COUNTY_FILE.replace(
        "query: select * from placements", "query: select * from placements\n    volume: { warn_if_changes_by: 30% }"
    ),
    CountySections,
    origin="county.yaml",
)


class Table:
    """A source that holds its rows and refuses when told to, at the start or after its rows."""

    def __init__(self, name: str, rows: list[dict[str, str]], *, as_of: datetime | None = NOW) -> None:
        self.name = name
        self.rows = rows
        self.as_of = as_of
        self.refuses = ""

    def check(self) -> SourceDescription:
        if self.refuses:
            raise SourceRefused(self.refuses, origin="query", detail="told to")
        return SourceDescription("query", ())

    def read(self) -> SourceRows:
        summary = ReadingSummary("query")
        return SourceRows(self._items(summary), summary)

    def _items(self, summary: ReadingSummary) -> Iterator[Row | UnreadableRow]:
        for number, cells in enumerate(self.rows, start=1):
            summary.rows = number
            yield Row(number, None, BASE_ROWS[self.name] | cells)
        self.check()
        summary.as_of = self.as_of


def tables(*, placements: list[dict[str, str]] | None = None) -> dict[str, Table]:
    rows: dict[str, list[dict[str, str]]] = {
        "clients": [{}],
        "placements": placements if placements is not None else [{}],
        "episodes": [{}],
        "absences": [],
        "contacts": [{}],
    }
    return {name: Table(name, changes) for name, changes in rows.items()}


def caseload(sources: dict[str, Table]) -> Caseload:
    return Caseload(SECTIONS, tuple(sources.values()), zone=ZONE)


def test_nothing_is_ready_before_the_first_complete_reading() -> None:
    sources = tables()
    sources["placements"].refuses = "SRC-010"
    load_ = caseload(sources)
    assert not load_.is_ready
    report = load_.refresh(NOW)
    assert not load_.is_ready
    assert (report.has_failed, report.is_in_use) == (True, False)
    assert load_.freshness(NOW) is FreshnessState.STALE


def test_a_reading_that_refuses_after_its_rows_changes_nothing_and_the_old_one_grows_stale() -> None:
    sources = tables()
    load_ = caseload(sources)
    load_.refresh(NOW)
    sources["clients"].rows = []
    sources["episodes"].refuses = "SRC-002"
    sources["contacts"].refuses = "SRC-010"
    report = load_.refresh(NOW + timedelta(hours=60))
    assert load_.by_local_id(LocalSubjectId("0012")) is not None
    assert load_.freshness(NOW) is FreshnessState.OK
    assert load_.freshness(NOW + timedelta(hours=30)) is FreshnessState.WARN
    assert load_.freshness(NOW + timedelta(hours=60)) is FreshnessState.STALE
    assert {source.name for source in report.sources} == {"episodes", "contacts"}


def test_every_source_is_told_with_the_reading_in_use_and_its_age_now() -> None:
    sources = tables(placements=[{}, {"CLIENT_ID": ""}])
    load_ = caseload(sources)
    told = source_states(load_, SECTIONS.sources, NOW)
    assert {(each.freshness, each.record_count) for each in told} == {("stale", 0)}, "nothing was read yet"
    assert [each.name for each in told] == list(sources)
    load_.refresh(NOW)
    before = source_states(load_, SECTIONS.sources, NOW)
    assert {each.freshness for each in before} == {"ok"}
    later = NOW + timedelta(hours=30)
    sources["episodes"].refuses = "SRC-002"
    load_.refresh(later)
    after = source_states(load_, SECTIONS.sources, later)
    assert {each.name: each.freshness for each in after} == dict.fromkeys(sources, "warn") | {"episodes": "stale"}
    assert [each.record_count for each in after] == [each.record_count for each in before]
    too_old = source_states(load_, SECTIONS.sources, NOW + timedelta(hours=60))
    assert {each.freshness for each in too_old} == {"stale"}


def test_status_tells_what_was_refused_from_what_is_too_old_and_from_what_waits_for_another_source() -> None:
    def codes(at: datetime) -> dict[str, str]:
        return {each.name: each.code for each in source_states(load_, SECTIONS.sources, at)}

    sources = tables()
    sources["episodes"].refuses = "SRC-002"
    load_ = caseload(sources)
    load_.refresh(NOW)
    assert codes(NOW) == dict.fromkeys(sources, "") | {"episodes": "SRC-002"}
    words = source_lines(source_states(load_, SECTIONS.sources, NOW))
    assert "another source was refused" in words[1]
    assert (
        "SRC-002  control total and rows differ"
        in words[words.index("FAIL  source episodes: 0 records of 0 rows, 0 refused, stale") + 1]
    )
    sources["episodes"].refuses = ""
    load_.refresh(NOW)
    assert codes(NOW) == dict.fromkeys(sources, "")
    assert codes(NOW + timedelta(hours=60)) == dict.fromkeys(sources, "SRC-017")
    sources["contacts"].refuses = "SRC-010"
    load_.refresh(NOW)
    assert codes(NOW + timedelta(hours=60)) == dict.fromkeys(sources, "SRC-017") | {"contacts": "SRC-010"}
    faults = source_faults(source_states(load_, SECTIONS.sources, NOW))
    assert [(each["source"], each["code"]) for each in faults] == [("contacts", "SRC-010")]
    assert source_faults([SourceState(name="x", freshness="stale", code="SRC-999")])[0]["fix"]


def test_a_row_is_counted_once_and_one_that_is_served_is_not_refused() -> None:
    """Of four rows one is served, one is sealed and served, one breaks two rules, and one has no number."""
    rows = [{}, {"CLIENT_ID": "2", "LMT": "?"}, {"CLIENT_ID": "3", "LMT": "?", "FIRST_NM": ""}, {"CLIENT_ID": ""}]
    sources = tables()
    sources["clients"].rows = rows
    load_ = caseload(sources)
    report = load_.refresh(NOW)
    state = source_states(load_, SECTIONS.sources, NOW)[0]
    assert (state.row_count, state.record_count, state.refused_count) == (4, 2, 2)
    text = render(report, zone=ZONE)
    assert "clients              3 problems in 4 rows, 2 refused  ->  2 records\n" in text
    assert "  FAIL  youth sealed     IDN-007  limited-access code is not in the map" in text
    assert as_data(report)["sources"][0]["rows_refused"] == 2  # type: ignore[index]
    ledger = Ledger()
    for code in ("IDN-001", "PLC-001"):
        ledger.find(code, "both", Row(7, 8, {}))
    assert ledger.rows_refused("both") == 1


def test_a_reading_that_leaves_nobody_is_not_used() -> None:
    """An empty extract with its header is complete in itself; it would take everybody off the exchange's list."""
    sources = tables()
    load_ = caseload(sources)
    assert load_.refresh(NOW).is_in_use
    for rows in ([], [{"CLIENT_ID": ""}]):
        sources["clients"].rows = rows
        report = load_.refresh(NOW)
        assert (report.is_in_use, len(load_.youths()), report.youths) == (False, 1, 1)
        assert "clients              FAIL  file refused  SRC-016  far fewer rows, records" in render(report, zone=ZONE)
    sources["clients"].rows = [{}]
    assert load_.refresh(NOW).is_in_use
    sources["clients"].rows = []
    fresh = caseload(sources)
    assert fresh.refresh(NOW).is_in_use, "a county in which nobody is in care can start"


@dataclass
class Running:
    """What `refresh` asks of an adapter."""

    caseload: Caseload
    has_sources: bool = True

    @property
    def node(self) -> "Running":
        return self

    def now(self) -> datetime:
        return NOW


def test_the_log_of_a_running_adapter_names_source_and_rule(caplog: pytest.LogCaptureFixture) -> None:
    sources = tables()
    sources["clients"].refuses = "SRC-010"
    refresh(Running(caseload(sources)))  # type: ignore[arg-type]
    (line,) = (json.loads(JsonLines().format(record)) for record in caplog.records)
    assert (line["level"], line["source"], line["rule"]) == ("error", "clients", "SRC-010")


def test_the_whole_is_as_old_as_its_oldest_source_and_of_no_age_when_one_does_not_say() -> None:
    sources = tables()
    sources["episodes"].as_of = NOW - timedelta(hours=5)
    load_ = caseload(sources)
    load_.refresh(NOW)
    assert load_.oldest_data_as_of() == NOW - timedelta(hours=5)
    sources["contacts"].as_of = None
    load_.refresh(NOW)
    assert load_.oldest_data_as_of() is None
    assert load_.freshness(NOW) is FreshnessState.STALE


def test_an_agency_without_sources_is_never_ready() -> None:
    load_ = Caseload(load("release: {}\n", CountySections, origin="x"), (), zone=ZONE)
    assert not load_.refresh(NOW).is_in_use
    assert load_.youths() == ()
    assert not load_.is_ready


def test_readers_see_one_whole_reading_while_another_is_made() -> None:
    sources = tables()
    load_ = caseload(sources)
    load_.refresh(NOW)
    seen: set[int] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(len(load_.youths()))

    thread = threading.Thread(target=look)
    thread.start()
    for _ in range(20):
        sources["clients"].rows = [{"CLIENT_ID": f"{number:04}"} for number in range(20)]
        load_.refresh(NOW)
        sources["clients"].rows = [{}]
        load_.refresh(NOW)
    done.set()
    thread.join()
    assert seen <= {1, 20}
    assert seen


def test_the_report_reads_like_the_manual_says() -> None:
    sources = tables(
        placements=[
            {"PLC_BEG_DT": "04/20/2026", "PLC_END_DT": "04/02/2026"},
            {"FAC_TYPE_CD": "SILP"},
            {"ADOPT_FLG": "Y"},
            {"PLC_BEG_DT": "03/05/2026"},
        ]
    )
    text = render(caseload(sources).refresh(NOW), zone=ZONE)
    assert "placements           2 problems in 4 rows, 1 refused  ->  2 records\n" in text
    assert "  FAIL  record refused   PLC-004  end date before start date  1 row  row 1\n" in text
    assert '  warn  value dropped    PLC-011  facility code not in the map ("***"), column FAC_TYPE_CD' in text
    assert '  note  PLC-020  left out by your rule "sealed adoption"  1 row  row 3\n' in text
    assert "  ok    data as of 11:00 -0700 today (query)\n" in text
    assert text.isascii()


def test_a_report_names_lines_and_files_where_a_source_has_them(tmp_path: Path) -> None:
    """A blank line, a cell of two lines and a second file put row numbers and lines apart."""
    header, good = "CLIENT_ID,LAST_NM,FIRST_NM,BIRTH_DT,LMT,ADOPT,ZIP\n", "{},Muster,Toni,01/15/2011,N,N,94103\n"
    nobody = ",Muster,Toni,01/15/2011,N,N,94103\n"
    (tmp_path / "C_1.csv").write_text(header + "\n" + good.format('"00\n01"') + nobody + good.format("2") + nobody)
    (tmp_path / "C_2.csv").write_text(header + nobody)
    config = CsvSourceConfig.model_validate(
        {
            "kind": "csv",
            "path": str(tmp_path / "C_*.csv"),
            "newest_only": False,
            "freshness": {"from": "file_time", "warn_after": "26h", "error_after": "50h"},
        }
    )
    ledger = Ledger()
    for item in CsvSource("clients", config, columns=("CLIENT_ID",)).read().items:
        ledger.find("IDN-001", "clients", item, column="CLIENT_ID")
    report = Report(
        NOW, (SourceReport("clients", "C_2.csv", entries=entries_of(ledger, "clients")),), 0, is_in_use=True
    )
    assert "5 rows  C_1.csv:3, 5, 6, 7; C_2.csv:2\n" in render(report, zone=ZONE)
    (entry,) = as_data(report)["sources"][0]["entries"]  # type: ignore[index]
    assert entry["places"][1] == {"row": 2, "line": 5, "file": "C_1.csv"}


def test_codes_are_masked_until_they_stand_in_eleven_rows() -> None:
    def shown(count: int, *, show_values: bool = False) -> bool:
        rows = [
            {"PLC_BEG_DT": f"04/{day:02}/2026", "PLC_END_DT": f"04/{day:02}/2026", "FAC_TYPE_CD": "SILP"}
            for day in range(1, count + 1)
        ]
        report = caseload(tables(placements=rows)).refresh(NOW)
        text = render(report, zone=ZONE, show_values=show_values)
        assert ("SILP" in str(as_data(report, show_values=show_values))) == ("SILP" in text)
        return "SILP" in text

    assert not shown(10)
    assert shown(11)
    assert shown(1, show_values=True)


def test_a_change_of_volume_is_a_warning() -> None:
    sources = tables(placements=[{"PLC_NO": str(number)} for number in range(10)])
    load_ = caseload(sources)
    load_.refresh(NOW)
    sources["placements"].rows = sources["placements"].rows[:6]
    report = load_.refresh(NOW)
    assert report.has_warnings
    assert "  warn  6 rows, the reading before had 10" in render(report, zone=ZONE)


def test_a_refused_source_is_told_with_its_place_and_fix() -> None:
    sources = tables()
    sources["clients"].refuses = "SRC-010"
    text = render(caseload(sources).refresh(NOW), zone=ZONE)
    assert "clients              FAIL  file refused  SRC-010  the database did not answer the query" in text
    assert text.endswith(
        "FAIL  this reading is not used; an adapter that runs keeps the one before, one that starts has none"
    )


def test_every_source_is_asked_for_the_columns_its_mappings_read(tmp_path: Path) -> None:
    text = COUNTY_FILE.replace("sqlite:///county.db", f"sqlite:///{tmp_path}/county.db")
    sections = load(text, CountySections, origin="x")
    connection = sqlite3.connect(f"{tmp_path}/county.db")
    for table, cells in BASE_ROWS.items():
        columns = [name for name in cells if name != "EXIT_CD"]
        connection.execute(f"create table {table} ({', '.join(columns)})")
        connection.execute(
            f"insert into {table} values ({', '.join('?' * len(columns))})",  # noqa: S608 - names of the example
            [cells[name] for name in columns],
        )
    connection.commit()
    connection.close()
    sources = open_sources(sections, base=Path(), environment={}, now=lambda: NOW, monotonic=lambda: 0.0)
    report = Caseload(sections, sources, zone=ZONE).refresh(NOW)
    assert [(item.name, item.refusal.detail) for item in report.sources if item.refusal] == [
        ("episodes", "no column EXIT_CD")
    ]


class Feed(StrictModel):
    """A kind of source that nothing here reads, as a later release may have."""

    kind: str = "feed"
    columns_required: tuple[str, ...] = ()


def test_a_kind_of_source_that_nothing_reads_is_taken_for_no_other() -> None:
    sections = SECTIONS.model_copy(update={"sources": {**SECTIONS.sources, "contacts": Feed()}})
    with pytest.raises(AssertionError):
        open_sources(sections, base=Path(), environment={}, now=lambda: NOW, monotonic=lambda: 0.0)


@pytest.mark.parametrize("kind", ["rest", "SQL", ""])
def test_a_file_that_names_another_kind_is_refused_at_its_place(kind: str) -> None:
    with pytest.raises(DocumentErrors) as caught:
        load(COUNTY_FILE.replace("kind: sql", f'kind: "{kind}"', 1), CountySections, origin="county.yaml")
    assert str(caught.value).startswith(f'county.yaml:3:5: error: sources.clients.kind: unknown value "{kind}"')
