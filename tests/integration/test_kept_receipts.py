"""The receipts of an adapter's database as files: found by time and request, verified by a stranger, never lost."""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.audit_entries import receipt_of as read_receipt
from adapters.cli import adapter
from adapters.node import tables
from adapters.node.receipts import Kept, Requests
from adapters.node.store import FILE_NAME, Store, open_store
from adapters.node.work_log import ANSWERED, WorkLog
from audit.__main__ import main
from audit.receipt import parse_receipt
from gateway.protocol.names import AgencyId, RequestId
from homeward.failure import CommandFailure
from tests.integration.test_local_commands import FILE
from tests.unit.node.world import NOW, keys, receipt_of

FIRST, SECOND = RequestId(b"\x01" * 16), RequestId(b"\x02" * 16)
ORDER = b"\x03" * 16
SAID = {"kind": b"access.outcome", "outcome": b"ANSWERED", "worker": b"w-1 CWA.case_worker"}


@pytest.fixture
def county(tmp_path: Path) -> Iterator[Store]:
    """An adapter that asked twice, a day apart, and answered once."""
    (tmp_path / "adapter.yaml").write_text(FILE)
    store = open_store(tmp_path / FILE_NAME)
    requests = Requests(store)
    for request_id, index, age in ((FIRST, 5, 1), (FIRST, 7, 1), (SECOND, 9, 0)):
        requests.keep(request_id, [kept(index, age)], now=NOW)
    orders = WorkLog(store)
    orders.start(ORDER, NOW)
    orders.claim(
        ORDER, decision_index=11, requester=AgencyId("06037.cwa"), receipt=receipt_of(SAID, index=11, time=NOW)
    )
    orders.finish(ORDER, ANSWERED)
    yield store
    store.close()


def kept(index: int, days_ago: int) -> Kept:
    read = read_receipt(receipt_of(SAID, index=index, time=NOW - timedelta(days=days_ago)))
    return Kept(read, read.verify(keys().log.public), {each.name: each.value for each in read.openings})


def taken(directory: Path, *words: str, out: str = "out") -> Result:
    place = ("--dir", str(directory), "--out", str(directory / out))
    return CliRunner().invoke(adapter, ["receipts", *place, *words], standalone_mode=False)


def names(directory: Path, out: str = "out") -> set[str]:
    return {each.name for each in (directory / out).iterdir()}


A, B, C = f"request-{FIRST.hex()}-5", f"request-{FIRST.hex()}-7", f"request-{SECOND.hex()}-9"
D = f"order-{ORDER.hex()}-11"


def test_every_receipt_becomes_a_file_that_a_stranger_verifies(
    county: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = taken(tmp_path)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"4 receipts in {tmp_path / 'out'}\n")
    assert names(tmp_path) == {f"{each}.tlog-proof" for each in (A, B, C, D)}
    key = tmp_path / "log.vkey"
    key.write_text(keys().log.public.vkey())
    for file in (tmp_path / "out").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
        assert main(["verify", str(file), "--log-key", str(key)]) == 0
    assert "entry 11 is in the first 12 entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("--request", FIRST.hex()), {A, B}),
        (("--request", "02020202-0202-0202-0202-020202020202"), {C}),
        (("--since", (NOW - timedelta(hours=1)).isoformat()), {C, D}),
        (("--until", (NOW - timedelta(hours=1)).isoformat()), {A, B}),
        (("--since", NOW.isoformat(), "--until", (NOW + timedelta(seconds=1)).isoformat()), {C, D}),
        (("--since", (NOW + timedelta(days=1)).isoformat()), set()),
    ],
)
def test_receipts_are_taken_by_time_and_by_request(
    words: tuple[str, ...], found: set[str], county: Store, tmp_path: Path
) -> None:
    done = taken(tmp_path, *words, "--json")
    assert json.loads(done.output)["files"] == sorted(f"{each}.tlog-proof" for each in found)
    assert names(tmp_path) == {f"{each}.tlog-proof" for each in found}


def test_what_is_there_stays_and_another_file_of_the_name_is_never_written_over(county: Store, tmp_path: Path) -> None:
    assert taken(tmp_path).exit_code == 0
    again = json.loads(taken(tmp_path, "--json").output)
    assert (again["written"], len(again["files"])) == (0, 4)
    changed = tmp_path / "out" / f"{B}.tlog-proof"
    changed.write_text("somebody's own")
    refused = taken(tmp_path).exception
    assert isinstance(refused, CommandFailure)
    assert (refused.code, refused.where) == ("RECEIPTS-002", str(changed))
    assert changed.read_text() == "somebody's own"


def test_a_request_without_a_receipt_and_an_adapter_that_never_ran_are_said(county: Store, tmp_path: Path) -> None:
    refused = taken(tmp_path, "--request", secrets.token_hex(16)).exception
    assert isinstance(refused, CommandFailure)
    assert refused.code == "RECEIPTS-001"
    assert taken(tmp_path, "--request", "no identifier").exit_code != 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "adapter.yaml").write_text(FILE)
    refused = taken(elsewhere).exception
    assert isinstance(refused, CommandFailure)
    assert refused.code == "RECEIPTS-003"
    assert not (elsewhere / FILE_NAME).exists(), "reading makes no database"


def test_the_database_is_read_while_an_adapter_writes_it_and_stays_as_it_is(county: Store, tmp_path: Path) -> None:
    with county.write() as connection:
        connection.execute(tables.receipt.delete().where(tables.receipt.c.request_id == SECOND))
        # Not committed yet: whoever reads meanwhile sees what was there before, and waits for nobody.
        assert taken(tmp_path).exit_code == 0
    assert f"{C}.tlog-proof" in names(tmp_path)
    assert parse_receipt((tmp_path / "out" / f"{C}.tlog-proof").read_text()).index == 9
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("SELECT count(*) FROM receipt").fetchone() == (2,)
    connection.close()
