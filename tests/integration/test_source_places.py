"""Names of files in a county's file count from that file, wherever the command was started."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.caseload import open_sources
from adapters.mapping.sections import CountySections
from adapters.sources.config import SecretRef
from adapters.sources.port import SourceRefused
from adapters.sources.secret import resolve
from gateway.protocol.strict_yaml import load

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SECTIONS = """\
sources:
  drop:
    kind: csv
    path: in/CLIENTS_*.csv
    columns_required: [ID]
    freshness: { from: file_time, warn_after: 26h, error_after: 50h }
  database:
    kind: sql
    url: "sqlite:///in/county.db"
    query: select ID from clients
    freshness: { from: poll, warn_after: 26h, error_after: 50h }
identity:
  client: { from: drop, key: ID, last_name: ID, first_name: ID, birth_date: { column: ID, format: "%m/%d/%Y" } }
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another directory, from which everything is called."""
    (tmp_path / "county" / "in").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


@pytest.mark.parametrize("relative", [True, False])
def test_the_files_of_sources_are_found_beside_the_countys_file(elsewhere: Path, relative: bool) -> None:
    county = elsewhere / "county"
    (county / "in" / "CLIENTS_1.csv").write_text("ID\n1\n")
    with sqlite3.connect(county / "in" / "county.db") as connection:
        connection.execute("create table clients (ID)")
        connection.execute("insert into clients values ('1')")
    connection.close()
    base = Path("../county") if relative else county
    sections = load(SECTIONS, CountySections, origin="adapter.yaml")
    for source in open_sources(sections, base=base, environment={}, now=lambda: NOW, monotonic=lambda: 0.0):
        assert source.check().columns == ("ID",)
        assert len(list(source.read().items)) == 1


def test_a_file_that_is_not_there_is_told_with_the_place_where_it_was_sought(elsewhere: Path) -> None:
    """Of the path alone nobody could tell from where it counts."""
    sections = load(SECTIONS, CountySections, origin="adapter.yaml")
    (drop, _) = open_sources(
        sections,
        base=Path("../county"),
        environment={},
        now=lambda: NOW,
        monotonic=lambda: 0.0,
    )
    with pytest.raises(SourceRefused) as refused:
        drop.read()
    assert refused.value.code == "SRC-007"
    sought = Path(refused.value.detail.removeprefix("no file matches "))
    assert (sought.is_absolute(), sought.name) == (True, "CLIENTS_*.csv")
    assert sought.parent.resolve() == (elsewhere / "county" / "in").resolve()


def test_a_secret_in_a_file_is_found_beside_the_countys_file(elsewhere: Path) -> None:
    (elsewhere / "county" / "password").write_text("invented\n")
    assert resolve(SecretRef(file="password"), environment={}, base=elsewhere / "county") == "invented"
