"""Where the high-water record lies: taken over once, never lowered, never made without a word.

On a founded gateway and its custodian; `elsewhere` stands for other storage.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from audit.errors import EvidenceError, StopReason
from audit.highwater import read_high_water
from audit.own_entries import stop_explained
from audit.reader import Reader
from audit.stopping import StopMark
from audit.store_sqlite import SqliteStore
from gateway.cli import status
from gateway.recovery.cli import fsck, recover
from gateway.recovery.due import due_entries, due_file, is_unheard, keep_due, withdraw_unheard
from gateway.recovery.record import RecordRefused, place_of_record, settle_record
from gateway.recovery.record_lines import RecordPlace
from gateway.recovery.repair import known, place_of
from gateway.state import StateBroken
from gateway.tokens.cli import status as custodian_status
from homeward.failure import ExitCode
from tests.unit.members.grown import grow
from tests.unit.members.test_repair import failed, place, said

__all__ = ["place"]
RECORD = "log.checkpoint"
KINDS = {"gw": ("gateway.yaml", status), "cu": ("custodian.yaml", custodian_status)}


def set_elsewhere(directory: Path) -> Path:
    """The settings put the record into a directory that is there."""
    elsewhere = directory.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (name,) = (name for name, _ in KINDS.values() if (directory / name).exists())
    with (directory / name).open("a") as settings:
        settings.write('high_water: "../elsewhere"\n')
    return elsewhere


def settle(directory: Path) -> None:
    found = place_of(directory)
    settle_record(found.state, found.signer.public)


@pytest.mark.parametrize("name", KINDS)
async def test_a_record_is_taken_over_once_with_its_stop_mark(place: Path, name: str) -> None:
    directory, (_, shows) = place / name, KINDS[name]
    elsewhere = set_elsewhere(directory)
    StopMark(directory / RECORD).make(StopReason.CLOCK)
    assert said(shows, directory).exit_code != 0, "a stopped log is not opened by moving its record"
    assert StopMark(elsewhere / RECORD).read() is StopReason.CLOCK
    StopMark(elsewhere / RECORD).clear()
    assert said(shows, directory).exit_code == 0
    reader = place_of(directory).reader()
    size = reader.tree().size
    reader.close()
    assert read_high_water(elsewhere / RECORD, place_of(directory).signer.public).size == size
    assert not list(directory.glob(f"{RECORD}*")), "one that is put back with the directory would tell nothing"
    assert said(fsck, directory).exit_code == 0


async def test_of_two_records_the_larger_counts(place: Path) -> None:
    """The directory of before the setting is put back, beside the record that went on elsewhere."""
    gateway = place / "gw"
    small = (gateway / RECORD).read_bytes()
    database = (gateway / "gateway.db").read_bytes()
    elsewhere = set_elsewhere(gateway)
    settle(gateway)
    grow(gateway)
    size = read_high_water(elsewhere / RECORD, place_of(gateway).signer.public).size
    for left in gateway.glob("gateway.db*"):
        left.unlink()
    (gateway / "gateway.db").write_bytes(database)
    (gateway / RECORD).write_bytes(small)
    found = failed(fsck, gateway)
    assert (found.code, found.exit_code) == ("AUDIT-ROLLBACK", ExitCode.EVIDENCE)
    settle(gateway)
    assert [checkpoint.size for checkpoint in known(place_of(gateway), ())] == [size]
    assert failed(status, gateway).code == "STATE-005"


def _take_away(directory: Path, elsewhere: Path) -> None:
    shutil.rmtree(elsewhere)


def _unlink(directory: Path, elsewhere: Path) -> None:
    (elsewhere / RECORD).unlink()


def _pipe(directory: Path, elsewhere: Path) -> None:
    (elsewhere / RECORD).unlink()
    os.mkfifo(elsewhere / RECORD)


def _unset(directory: Path, elsewhere: Path) -> None:
    settings = directory / "gateway.yaml"
    settings.write_text(settings.read_text().replace("high_water:", "#"))


@pytest.mark.parametrize("damage", [_take_away, _unlink, _pipe, _unset])
async def test_a_log_whose_record_is_not_there_is_not_opened_and_gets_none(
    place: Path, damage: Callable[[Path, Path], None]
) -> None:
    gateway = place / "gw"
    elsewhere = set_elsewhere(gateway)
    settle(gateway)
    damage(gateway, elsewhere)
    left = sorted(elsewhere.parent.iterdir())
    found = failed(status, gateway)
    assert (found.code, found.exit_code) == ("RECORD-001", ExitCode.EVIDENCE)
    assert str(place) in found.why
    with pytest.raises(RecordRefused):
        settle(gateway)
    assert sorted(elsewhere.parent.iterdir()) == left, "storage that is not mounted is not made"
    assert not place_of(gateway).state.high_water.is_file()
    assert not (gateway / RECORD).exists()


async def test_a_lost_record_is_made_anew_by_whoever_explains_it(place: Path) -> None:
    gateway = place / "gw"
    elsewhere = set_elsewhere(gateway)
    settle(gateway)
    (elsewhere / RECORD).unlink()
    reader = Reader(SqliteStore(gateway / "gateway.db"))
    size = reader.tree().size
    mirrored = failed(recover, gateway, "--mirror", place / "nowhere")
    assert mirrored.code == "RECORD-001", "nothing is healed without knowing what was signed"
    explained = said(recover, gateway, "--explain", "the volume was lost", "--json")
    assert json.loads(explained.stdout)["explained"] is True
    assert said(fsck, gateway).exit_code == 0
    assert reader.tree().size == size, "nobody was asked yet what the log has signed"
    reader.close()
    (due,) = due_entries(place_of(gateway).state)
    assert due == stop_explained(StopReason.RECORD, sha256(b"the volume was lost").digest())
    assert "the volume was lost" in (gateway / "explanations.txt").read_text()
    assert StopMark(elsewhere / RECORD).read() is None


async def test_what_a_recovery_left_to_say_is_not_passed_over(place: Path) -> None:
    state = place_of(place / "gw").state
    assert due_entries(state) == []
    due_file(state).write_text('[{"reason": "RECORD"}]')
    with pytest.raises(StateBroken):
        due_entries(state)


def test_what_the_operator_says_of_one_start_is_not_said_of_the_next(place: Path) -> None:
    state = place_of(place / "gw").state
    keep_due(state, reasons=[StopReason.RECORD, StopReason.UNHEARD], digest=bytes(32), healed=None)
    assert is_unheard(state)
    withdraw_unheard(state)
    assert (due_entries(state), is_unheard(state)) == ([stop_explained(StopReason.RECORD, bytes(32))], False)


async def test_an_explanation_cut_short_leaves_the_log_shut(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = place / "gw"
    elsewhere = set_elsewhere(gateway)
    settle(gateway)
    (elsewhere / RECORD).unlink()

    def full(*_: object) -> None:
        raise OSError(28, "no space")

    with monkeypatch.context() as broken:
        broken.setattr("gateway.recovery.repair._write_explanation", full)
        assert said(recover, gateway, "--explain", "the volume was lost").exit_code != 0
    assert StopMark(elsewhere / RECORD).read() is StopReason.RECORD
    assert failed(status, gateway).code == "STATE-005"
    assert said(recover, gateway, "--explain", "the volume was lost").exit_code == 0
    assert said(status, gateway).exit_code == 0


async def test_another_logs_record_is_not_taken(place: Path) -> None:
    gateway, custodian = place / "gw", place / "cu"
    elsewhere = set_elsewhere(gateway)
    shutil.copy(custodian / RECORD, elsewhere / RECORD)
    with pytest.raises(EvidenceError):
        settle(gateway)
    assert (gateway / RECORD).is_file(), "nothing was taken over"


@pytest.mark.parametrize("name", KINDS)
async def test_where_both_can_be_put_back_together_it_is_said(place: Path, name: str) -> None:
    directory, (_, shows) = place / name, KINDS[name]
    for command in (shows, fsck):
        assert "[SAME_FILE_SYSTEM]" in said(command, directory).stdout
        assert json.loads(said(command, directory, "--json").stdout)["high_water"] == "SAME_FILE_SYSTEM"


@pytest.fixture
def other_storage(tmp_path: Path) -> Iterator[Path]:
    """A directory on another file system than the tests' own."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system to write to")
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


async def test_a_record_on_another_file_system_is_not_complained_of(place: Path, other_storage: Path) -> None:
    gateway = place / "gw"
    with (gateway / "gateway.yaml").open("a") as settings:
        settings.write(f'high_water: "{other_storage}"\n')
    settle(gateway)
    assert place_of_record(place_of(gateway).state) is RecordPlace.APART
    for command in (status, fsck):
        assert "SAME_FILE_SYSTEM" not in said(command, gateway).stdout
