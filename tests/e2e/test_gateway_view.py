"""Nothing of a youth is in anything that gateway and custodian hold; and the search that says so can see.

The search looks at raw bytes, so SQLite pages, write-ahead logs, recorded messages and log lines are all covered.
"""

from datetime import datetime
from pathlib import Path

import pytest

from deploy.demo.scan import Scanner, make_scanner, scan_tree
from deploy.demo.youths import Caseload, make_caseload
from tests.e2e.conftest import DemoRun


@pytest.fixture(scope="module")
def caseload() -> Caseload:
    return make_caseload(datetime.now().astimezone().date())


@pytest.fixture(scope="module")
def scanner(caseload: Caseload) -> Scanner:
    return make_scanner(caseload, today=datetime.now().astimezone().date())


@pytest.fixture(scope="module")
def view(demo_run: DemoRun) -> Path:
    taken = demo_run.output / "gateway-view"
    # A search of nothing finds nothing: no view is a failure of every test here.
    assert sum(path.stat().st_size for path in taken.rglob("*.db")) > 100_000, demo_run.printed + demo_run.errors
    return taken


def test_no_identity_and_no_record_value_is_in_what_the_holders_have(view: Path, scanner: Scanner) -> None:
    assert scan_tree(scanner, view) == []


def test_the_view_holds_the_files_log_lines_and_messages_of_both_holders(view: Path) -> None:
    for holder in ("gateway", "custodian"):
        assert (view / holder / "files" / f"{holder}.db").stat().st_size > 4096
        assert (view / holder / "log" / f"{holder}.log").exists()
        assert any((view / holder / "received").iterdir())
    methods = {path.stem.rpartition(".")[2] for path in (view / "gateway" / "received").iterdir()}
    assert {"StreamFlagChecks", "RequestRecords", "RaiseFlag", "RegisterAll"} <= methods


def test_the_view_holds_the_sealed_record_that_crossed(view: Path) -> None:
    """Otherwise its silence would prove nothing: the record must have been in the gateway's hands."""
    links = [path for path in (view / "gateway" / "received").iterdir() if path.stem.endswith(".Connect")]
    assert max(path.stat().st_size for path in links) > 1024


def test_private_keys_are_listed_and_not_copied(view: Path) -> None:
    assert not any("secrets" in path.parts for path in view.rglob("*"))
    summary = (view / "README.txt").read_text()
    assert "gateway/secrets/log.key" in summary


@pytest.mark.parametrize(
    "plant",
    [
        pytest.param(lambda person: person.given_name.encode(), id="a name in UTF-8"),
        pytest.param(lambda person: person.surname.upper().encode(), id="a surname in capitals"),
        pytest.param(lambda person: person.birth_date.isoformat().encode(), id="a birth date"),
        pytest.param(lambda person: person.birth_date.strftime("%m/%d/%Y").encode(), id="a birth date as in the file"),
    ],
)
def test_a_name_planted_in_a_received_message_is_found(
    view: Path, scanner: Scanner, caseload: Caseload, plant: object, tmp_path: Path
) -> None:
    message = next(
        path for path in sorted((view / "gateway" / "received").iterdir()) if "StreamFlagChecks" in path.stem
    )
    person = caseload.youth(caseload.cast.runaway).person
    assert callable(plant)
    (tmp_path / message.name).write_bytes(message.read_bytes() + plant(person))
    assert [finding.file for finding in scan_tree(scanner, tmp_path)][:1] == [message.name]


def test_a_number_planted_in_a_database_page_is_found(
    view: Path, scanner: Scanner, caseload: Caseload, tmp_path: Path
) -> None:
    data = bytearray((view / "gateway" / "files" / "gateway.db").read_bytes())
    number = caseload.cast.sealed.encode()
    data[-2048 : -2048 + len(number)] = number
    (tmp_path / "gateway.db").write_bytes(bytes(data))
    assert [(finding.file, finding.what) for finding in scan_tree(scanner, tmp_path)] == [
        ("gateway.db", "number of a youth, as it stands")
    ]


def test_a_name_in_the_name_of_a_file_is_found(scanner: Scanner, caseload: Caseload, tmp_path: Path) -> None:
    (tmp_path / f"{caseload.youth(caseload.cast.moved).person.given_name}.bin").write_bytes(b"")
    assert scan_tree(scanner, tmp_path) != []
