"""Every rule, by its own good and bad example, through the real readers."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from adapters.mapping.examples import COUNTY_FILE, TODAY, expand
from adapters.mapping.ledger import Ledger
from adapters.mapping.map_rows import map_rows
from adapters.mapping.rule import Changes, Rule, Severity
from adapters.mapping.rules import RULES
from adapters.mapping.sections import CountySections
from adapters.sources.config import CsvSourceConfig
from adapters.sources.csv_source import CsvSource
from adapters.sources.port import Row, SourceRefused, UnreadableRow
from gateway.protocol.strict_yaml import load

SECTIONS = load(COUNTY_FILE, CountySections, origin="county.yaml")
BY_ROWS = [rule for rule in RULES.values() if isinstance(rule.bad, tuple)]
BY_FILE = [rule for rule in RULES.values() if isinstance(rule.bad, str)]


def mapped(changes: Changes, rule: Rule) -> Ledger:
    assert rule.edit[0] in COUNTY_FILE
    sections = load(COUNTY_FILE.replace(*rule.edit), CountySections, origin="county.yaml") if rule.edit[0] else SECTIONS
    tables = expand(changes)
    readings = {
        table: iter([Row(number, number + 1, cells) for number, cells in enumerate(rows, start=1)])
        for table, rows in tables.items()
    }
    records = sections.records
    assert sections.identity is not None
    assert records is not None
    if "episodes" not in tables:
        records = records.model_copy(update={"episode": None})
    return map_rows(
        readings, identity=sections.identity, records=records, release=sections.release, today=date(*TODAY)
    ).ledger


def codes(ledger: Ledger) -> set[str]:
    return {key.code for key in ledger.counts}


@pytest.mark.parametrize("rule", BY_ROWS, ids=lambda rule: rule.code)
def test_a_bad_example_breaks_its_rule_and_the_good_one_does_not(rule: Rule) -> None:
    assert isinstance(rule.good, tuple)
    assert isinstance(rule.bad, tuple)
    assert rule.code in codes(mapped(rule.bad, rule))
    assert rule.code not in codes(mapped(rule.good, rule))


@pytest.mark.parametrize("rule", BY_ROWS, ids=lambda rule: rule.code)
def test_a_good_example_breaks_no_rule_that_costs_data(rule: Rule) -> None:
    assert isinstance(rule.good, tuple)
    costly = {code for code in codes(mapped(rule.good, rule)) if RULES[code].severity is not Severity.NOTE}
    assert not costly


def read(text: str, folder: Path) -> Iterator[str]:
    config = CsvSourceConfig.model_validate(
        {
            "kind": "csv",
            "path": str(folder / "*.csv"),
            "footer_rows": 1,
            "control_total": {"pattern": r"ROWS (\d+)"},
            "columns_required": ("ID", "FIRST", "LAST"),
            "freshness": {"from": "file_time", "warn_after": "1h", "error_after": "2h"},
        }
    )
    if text:
        (folder / "x.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    try:
        for item in CsvSource("x", config).read().items:
            if isinstance(item, UnreadableRow):
                yield item.code
    except SourceRefused as exc:
        yield exc.code


@pytest.mark.parametrize("rule", BY_FILE, ids=lambda rule: rule.code)
def test_a_bad_file_breaks_its_rule_and_the_good_one_breaks_none(rule: Rule, tmp_path: Path) -> None:
    assert isinstance(rule.good, str)
    assert isinstance(rule.bad, str)
    (tmp_path / "bad").mkdir()
    (tmp_path / "good").mkdir()
    assert set(read(rule.bad, tmp_path / "bad")) == {rule.code}
    assert set(read(rule.good, tmp_path / "good")) == set()


def test_only_rules_that_rows_of_the_example_cannot_show_have_none() -> None:
    assert {rule.code for rule in RULES.values() if rule.bad is None} == {
        *("SRC-010", "SRC-011", "SRC-012"),  # of a database
        *("SRC-014", "SRC-015"),  # of a file with other settings: test_csv_source
        "SRC-016",  # of two readings: test_caseload
        "SRC-017",  # of a reading and the clock: test_caseload
    }


def test_every_code_in_the_source_is_in_the_table() -> None:
    root = Path(__file__).resolve().parents[3] / "adapters"
    text = "\n".join(
        path.read_text(encoding="utf-8")
        for path in root.rglob("*.py")
        if path.name not in {"rules.py", "source_rules.py"}
    )
    written = set(re.findall(r'"((?:SRC|IDN|PLC|EPS|MIS|CON)-\d{3})"', text))
    assert written
    assert written <= set(RULES)
