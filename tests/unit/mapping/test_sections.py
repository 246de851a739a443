"""The county's file: every fault at once, each at its place."""

from datetime import date

import pytest

from adapters.mapping.config import IdentityMapping, RecordMappings
from adapters.mapping.examples import COUNTY_FILE
from adapters.mapping.release import PlacementRelease
from adapters.mapping.sections import CountySections, columns_of
from gateway.protocol.strict_yaml import DocumentErrors, load

FILE = """\
secrets:
  sql_password: { credential: sql_password }
sources:
  placements:
    kind: csv
    path: /data/in/PLC_EXTRACT_*.csv
    newest_only: true
    encoding: cp1252
    delimiter: ","
    columns_required: [CLIENT_ID, LAST_NM, FIRST_NM, BIRTH_DT, PLC_BEG_DT, PLC_END_DT, FAC_TYPE_CD, FAC_COUNTY_CD]
    footer_rows: 1
    control_total: { pattern: 'ROW COUNT: (\\d+)' }
    freshness: { from: file_time, warn_after: 26h, error_after: 50h }
    volume: { warn_if_changes_by: 30% }
  missing:
    kind: sql
    url: postgresql://sqlcws/CWS_RPT
    username: svc_homeward
    password: { secret: sql_password }
    query: |
      select CLIENT_ID, EPISODE_ID, REPORTED_DT, RETURNED_DT, STATUS_CD from rpt.v_missing_episode
    timeout: 30s
    freshness: { from: newest(REPORTED_DT), warn_after: 2h, error_after: 6h }
identity:
  client:
    from: placements
    key: CLIENT_ID
    last_name: LAST_NM
    first_name: FIRST_NM
    birth_date: { column: BIRTH_DT, format: "%m/%d/%Y" }
records:
  jurisdiction: { court_county: "06037", responsible_agency: 06037.cwa }
  placement:
    from: placements
    id: [CLIENT_ID, PLC_BEG_DT]
    subject: CLIENT_ID
    fields:
      start_date: { column: PLC_BEG_DT, type: date, format: "%m/%d/%Y" }
      end_date: { column: PLC_END_DT, type: date, format: "%m/%d/%Y", empty_means: open, not_before: start_date }
      facility_type: { column: FAC_TYPE_CD, map: { FFH: foster_home, GH: group_home }, unknown: refuse_value }
      county: { column: FAC_COUNTY_CD, type: county_code }
release:
  placement: { fields: [start_date, end_date, setting_group, county], history: 24 months }
  missing_episode: { fields: [status, reported_at] }
  hold_for_human: { when: [sealed], queue: privacy@county.example, answer_within: 4h }
"""


def faults(*edits: tuple[str, str]) -> str:
    text = FILE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(DocumentErrors) as caught:
        load(text, CountySections, origin="county.yaml")
    return str(caught.value)


def test_the_example_files_are_valid() -> None:
    sections = load(FILE, CountySections, origin="county.yaml")
    assert sections.release.placement.record_fields == {"start_date", "end_date", "setting_group", "placement_county"}
    assert load(COUNTY_FILE, CountySections, origin="county.yaml").records is not None


def test_every_fault_of_a_section_is_reported_at_once_with_its_place() -> None:
    report = faults(
        ("encoding: cp1252", "encodng: cp1252"),
        ('court_county: "06037"', "court_county: 06037"),
        ("GH: group_home", "GH: grup_home"),
        ("warn_after: 2h", "warn_after: soon"),
        ("unknown: refuse_value", "unknown: x"),
        ('BIRTH_DT, format: "%m/%d/%Y"', 'BIRTH_DT, format: "mm/dd/yyyy"'),
    )
    assert 'county.yaml:8:5: error: sources.placements.encodng: unknown key "encodng" - did you mean' in report
    assert 'records.jurisdiction.court_county: write county codes in quotes: court_county: "06037"' in report
    assert "county.yaml:40:70: error: records.placement.fields.facility_type.map.GH: unknown facility type" in report
    assert "sources.missing.freshness.warn_after: write a duration" in report
    assert "records.placement.fields.facility_type.unknown: unknown value" in report
    assert "identity.client.birth_date.format: a date format with %d, %m and %Y" in report
    assert report.count(": error: ") == 6


def test_references_between_sections_are_checked_together() -> None:
    report = faults(
        ("    from: placements\n    id:", "    from: placement\n    id:"),
        ("secret: sql_password }", "secret: sql_pass }"),
        ("when: [sealed]", "when: [sealed, tribal]"),
        ("not_before: start_date", "not_before: begin"),
        ("key: CLIENT_ID", "key: CLIENT_NO"),
    )
    assert "records.placement.from: no such source; defined: placements, missing" in report
    assert "sources.missing.password.secret: not defined under secrets" in report
    assert "release.hold_for_human.when.1: not defined under identity.client.marks" in report
    assert "records.placement.fields.end_date.not_before: names a field" in report
    assert "identity.client: columns not in columns_required of its source: CLIENT_NO" in report


def test_a_fault_of_one_setting_hides_no_reference_that_does_not_hold() -> None:
    report = faults(
        ("    from: placements\n    id:", "    from: nowhere\n    id:"),
        ('PLC_BEG_DT, type: date, format: "%m/%d/%Y"', "PLC_BEG_DT, type: date, format: day"),
        ("timeout: 30s", "timeout: soon"),
        ("select CLIENT_ID", "delete from x; select CLIENT_ID"),
        ("secret: sql_password }", "secret: sql_pass }"),
        ("when: [sealed]", "when: [sealed, tribal]"),
        ("not_before: start_date", "not_before: begin"),
        ("key: CLIENT_ID", "key: CLIENT_NO"),
        ("error_after: 50h", "error_after: 5h"),
        ("footer_rows: 1", "footer_rows: 0"),
        ("warn_if_changes_by: 30%", "warn_if_changes_by: 3"),
    )
    assert "county.yaml:34:5: error: records.placement.from: no such source; defined: placements, missing" in report
    assert "records.placement.fields.start_date.format: a date format" in report
    assert "sources.missing.query: one select statement" in report
    assert "sources.missing.password.secret: not defined under secrets" in report
    assert "release.hold_for_human.when.1: not defined under identity.client.marks" in report
    assert "records.placement.fields.end_date.not_before: names a field" in report
    assert "identity.client: columns not in columns_required of its source: CLIENT_NO" in report
    assert "sources.placements.freshness.error_after: must not be shorter" in report
    assert "sources.placements.control_total: needs footer_rows" in report
    assert report.count(": error: ") == 11


@pytest.mark.parametrize(
    "misspelled", [("sources:", "sorces:"), ("  client:\n", "  cleint:\n"), ("secrets:", "secrts:")]
)
def test_a_misspelled_section_is_told_once_and_not_by_all_that_refers_to_it(misspelled: tuple[str, str]) -> None:
    report = faults(misspelled, ("when: [sealed]", "when: [sealed]"))
    assert "unknown key" in report
    assert all("unknown key" in each or "missing" in each for each in report.split("county.yaml:")[1:])


@pytest.mark.parametrize(
    "line", ["sources: none", "records: []", "release: { hold_for_human: 4 }", "secrets:", "identity: 1"]
)
def test_a_section_that_is_none_is_refused_whatever_refers_to_it(line: str) -> None:
    name = line.partition(":")[0]
    with pytest.raises(DocumentErrors) as caught:
        load(f"{line}\n", CountySections, origin="county.yaml")
    assert f"county.yaml:1:1: error: {name}: " in str(caught.value) or "hold_for_human" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("postgresql://sqlcws", "postgresql://u:hunter2@sqlcws", "no password in the address"),
        ("postgresql://sqlcws", "mysql://sqlcws", "reads from: postgresql"),
        ("select CLIENT_ID", "delete from x; select CLIENT_ID", "one select statement"),
        ("newest(REPORTED_DT)", "file_time", "a query has no file"),
        ("encoding: cp1252", "encoding: cp99999", "not an encoding"),
        ("(\\d+)", "\\d+", "exactly one ( )"),
        ("error_after: 50h", "error_after: 5h", "must not be shorter"),
        ("30%", "0.3", "percentage"),
        ("{ credential: sql_password }", "{ credential: a, env: B }", "exactly one of"),
        ("{ credential: sql_password }", "hunter2", "must hold settings of its own"),
        ("24 months", "two years", "24 months"),
        ("start_date: {", "street: { column: X }\n      start_date: {", 'unknown key "street"'),
        ("footer_rows: 1", "footer_rows: 0", "needs footer_rows"),
    ],
)
def test_what_a_county_file_may_not_say_is_refused(old: str, new: str, sentence: str) -> None:
    report = faults((old, new))
    assert sentence in report
    assert "u:hunter2" not in report


def test_every_column_a_mapping_reads_is_known_to_the_source() -> None:
    sections = load(FILE, CountySections, origin="county.yaml")
    assert isinstance(sections.identity, IdentityMapping)
    assert isinstance(sections.records, RecordMappings)
    assert sections.records.placement is not None
    assert set(columns_of(sections.identity.client)) == {"CLIENT_ID", "LAST_NM", "FIRST_NM", "BIRTH_DT"}
    assert set(columns_of(sections.records.placement)) == {
        "CLIENT_ID",
        "PLC_BEG_DT",
        "PLC_END_DT",
        "FAC_TYPE_CD",
        "FAC_COUNTY_CD",
    }


def test_an_agency_without_records_needs_no_sources() -> None:
    assert load("release: {}\n", CountySections, origin="x").sources == {}


def test_history_reaches_back_whole_months() -> None:
    release = PlacementRelease.model_validate({"history": "24 months"})
    assert release.history_starts(date(2026, 3, 31)) == date(2024, 3, 28)
    assert PlacementRelease().history_starts(date(2026, 1, 2)) == date(2021, 1, 2)
