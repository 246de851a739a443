"""The example of a county's file: it loads, and shows every section there is."""

from pathlib import Path

import pytest

from adapters.config import AdapterConfig, read_config
from adapters.mapping.sections import mappings
from adapters.sources.config import CsvSourceConfig, SqlSourceConfig
from gateway.protocol.strict_yaml import DocumentErrors, load

FILE = Path(__file__).resolve().parents[2] / "deploy" / "county.example.yaml"


def test_the_example_of_a_county_file_is_valid_and_reads_every_source_it_names() -> None:
    config = read_config(FILE)
    assert {type(source) for source in config.sources.values()} == {CsvSourceConfig, SqlSourceConfig}
    assert {getattr(mapping, "from_") for _, mapping in mappings(config)} == set(config.sources)  # noqa: B009


def test_the_example_names_every_section_and_departs_from_no_default_by_accident() -> None:
    text = FILE.read_text(encoding="utf-8")
    lacking = [name for name in AdapterConfig.model_fields if f"\n{name}:" not in text and f"# {name}:" not in text]
    # `sandbox` is left out: it is for invented youths only.
    assert lacking == ["sandbox"]
    config = read_config(FILE)
    defaults = AdapterConfig.model_validate({"version": 1, "name": "x", "staff": config.staff})
    for section in (
        "index",
        "names",
        "alerts",
        "never",
        "listen",
        "state",
        "zone",
        "refresh",
        "allow_other_hosts",
        "telemetry",
    ):
        assert getattr(config, section) == getattr(defaults, section)


def test_a_slip_in_the_example_is_found_at_its_line() -> None:
    text = FILE.read_text(encoding="utf-8").replace("[CWA.case_worker]", "[CWA.case_wroker]")
    with pytest.raises(DocumentErrors) as caught:
        load(text, AdapterConfig, origin="adapter.yaml")
    (problem,) = caught.value.problems
    assert 'no such role "CWA.case_wroker"' in problem.sentence
    assert "caseworkers:" in problem.source_line
