"""`homeward audit fsck`, `mirror` and `recover` on a founded gateway and its custodian, in words and exit status."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from audit.errors import EvidenceError, EvidenceReason, StopReason
from audit.failpoints import arm
from audit.publish import Publisher
from audit.stopping import StopMark
from gateway.acting import BROKEN, broken
from gateway.cli import status
from gateway.recovery.cli import fsck, mirror, recover
from gateway.recovery.due import due_entries
from gateway.recovery.faults import does_not_hold
from gateway.recovery.repair import place_of
from gateway.state import State
from homeward.command import run
from homeward.failure import CommandFailure, ExitCode
from tests.unit.members.grown import grow, say_due
from tests.unit.members.world import County, make_world


@pytest.fixture
async def place(tmp_path: Path) -> Path:
    """Directories of a gateway, `gw`, and a custodian, `cu`, that do not serve."""
    world = await make_world(tmp_path)
    await world.gateway.ledger.close()
    await world.custodian.ledger.close()
    return tmp_path


def said(command: object, *words: object) -> Result:
    # In a process of its own every command runs its own event loop; here one is running.
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(CliRunner().invoke, command, [str(word) for word in words]).result(60)  # type: ignore[arg-type]


def _edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe in the place of the database": (lambda gw: _pipe(gw / "gateway.db"), "STORE"),
    "a pipe in the place of the record": (lambda gw: _pipe(gw / "log.checkpoint"), "STORE"),
    "no database": (lambda gw: (gw / "gateway.db").unlink(), "STORE"),
    "no database but bytes": (lambda gw: _garbage(gw / "gateway.db"), "STORE"),
    "no record": (lambda gw: (gw / "log.checkpoint").unlink(), "STORE"),
    "a denied name too many": (
        lambda gw: _edit(gw / "gateway.db", "INSERT INTO denied VALUES ('06037.cwa', 0)"),
        "PROJECTION",
    ),
    "a table is gone": (lambda gw: _edit(gw / "gateway.db", "DROP TABLE authority"), "STORE"),
    "it had stopped": (lambda gw: StopMark(gw / "log.checkpoint").make(StopReason.CLOCK), "STOPPED"),
    "a mark that cannot be read": (lambda gw: (gw / "log.checkpoint.stopped").write_text("?"), "STOPPED"),
}


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(8192))


def failed(command: object, *words: object) -> CommandFailure:
    """How the command failed; anything else that goes wrong is a bug of ours and fails the test."""
    failure = said(command, *words).exception
    assert isinstance(failure, CommandFailure), failure
    assert all((failure.what, failure.where, failure.why, failure.fix))
    return failure


@pytest.mark.parametrize("damage", DAMAGES)
async def test_fsck_says_what_does_not_hold_and_what_to_do(place: Path, damage: str) -> None:
    assert said(fsck, place / "gw").exit_code == 0
    do, reason = DAMAGES[damage]
    do(place / "gw")
    found = failed(fsck, place / "gw")
    assert (found.exit_code, found.code) == (ExitCode.EVIDENCE, f"AUDIT-{reason}")
    assert found.where.endswith(str(place / "gw"))


async def test_fsck_tells_a_database_that_is_none_from_one_that_is_missing(place: Path) -> None:
    database = place / "gw" / "gateway.db"
    database.write_text("notes of a meeting\n")
    assert failed(fsck, place / "gw").why == (
        "gateway.db is there, and is no database: another kind of file, or its beginning was overwritten"
    )
    database.unlink()
    assert failed(fsck, place / "gw").why == "gateway.db is missing, or no file"


async def test_a_member_that_joined_and_is_taken_out_is_missed(tmp_path: Path) -> None:
    world = await make_world(tmp_path)
    await world.trust()
    await world.enroll(County(clock=world.clock))
    await world.gateway.ledger.close()
    await world.custodian.ledger.close()
    assert said(fsck, tmp_path / "gw").exit_code == 0
    _edit(tmp_path / "gw" / "gateway.db", "DELETE FROM member")
    found = failed(fsck, tmp_path / "gw")
    assert (found.code, found.why.split(" is missing")[0]) == ("AUDIT-PROJECTION", "a member")


async def test_an_erasing_that_waits_is_said_of_a_gateway_that_does_not_serve(place: Path) -> None:
    gateway = place / "gw"

    def shown() -> tuple[bool, bool, bool, bool]:
        checked, state = said(fsck, gateway, "--json"), said(status, gateway, "--json")
        told = json.loads(checked.stdout)["erasing_waits"], json.loads(state.stdout)["erasing_waits"]
        return (*told, "an erasing waits" in said(fsck, gateway).stdout, "ERASING" in said(status, gateway).stdout)

    assert shown() == (False,) * 4
    # What an order leaves behind that found somebody reading, and one that was cut short before the key left.
    for left, done in (
        ("INSERT INTO unscrubbed VALUES (1)", "DELETE FROM unscrubbed"),
        ("INSERT INTO escrow VALUES (zeroblob(16), zeroblob(40), x'')", "DELETE FROM escrow"),
        ("INSERT INTO returning_key VALUES (zeroblob(16), zeroblob(32), x'', 0)", "DELETE FROM returning_key"),
    ):
        _edit(gateway / "keys.db", left)
        assert shown() == (True,) * 4
        _edit(gateway / "keys.db", done)
    assert shown() == (False,) * 4
    # A custodian seals nobody.
    assert json.loads(said(fsck, place / "cu", "--json").stdout)["erasing_waits"] is False


@pytest.mark.parametrize("reason", EvidenceReason)
def test_every_way_of_not_verifying_says_what_an_operator_does(reason: EvidenceReason) -> None:
    failure = does_not_hold(EvidenceError(reason, "why", index=17), Path("/there"))
    assert (failure.code, failure.exit_code) == (f"AUDIT-{reason}", ExitCode.EVIDENCE)
    assert (failure.where, failure.why) == ("entry 17, /there", "why")
    assert len(failure.what) > 10
    assert len(failure.fix) > 10
    assert not set("{}\n") & set(failure.fix)


@pytest.mark.parametrize("kind", BROKEN)
def test_every_state_that_cannot_be_used_says_what_to_do(kind: type[Exception]) -> None:
    fault = EvidenceError(EvidenceReason.STORE, "why") if kind is EvidenceError else kind.__new__(kind)
    failure = broken(State(Path("/there"), "gateway"), fault)
    assert all((failure.code, failure.what, failure.where, failure.why, failure.fix))
    assert not {"DIR", "{dir}"} & set(failure.fix.replace(",", "").split())


async def test_a_full_disk_while_the_log_is_explained_says_what_to_do(place: Path) -> None:
    StopMark(place / "cu" / "log.checkpoint").make(StopReason.IO)
    arm("append.prepared:enospc")
    try:
        failure = failed(recover, place / "cu", "--explain", "there was room, one thought")
    finally:
        arm("")
    assert (failure.code, failure.exit_code) == ("ADMIN-001", ExitCode.UNREACHABLE)
    assert "check the disk" in failure.fix
    assert said(recover, place / "cu", "--explain", "now there is room").exit_code == 0


async def test_a_mirror_that_is_not_configured_or_not_there_says_what_to_do(place: Path) -> None:
    unnamed = failed(mirror, place / "gw")
    assert (unnamed.code, unnamed.exit_code) == ("USAGE-001", ExitCode.USAGE)
    assert f"homeward audit mirror {place / 'gw'} MIRROR" in unnamed.fix
    nowhere = place / "nowhere"
    for command in (fsck, recover):
        missing = failed(command, place / "gw", "--mirror", nowhere)
        assert (missing.code, missing.why.startswith(f"{nowhere}: ")) == ("AUDIT-STORE", True)
    assert said(recover, place / "cu", "--declare-loss", place / "loss").exit_code == ExitCode.USAGE


def _flip(path: Path, at: int = 20) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def _bundles(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("tile/entries/**/*") if path.is_file()]


def _publish(gateway: Path) -> Path:
    """What a serving gateway publishes of its log."""
    at = place_of(gateway)
    assert at.published is not None
    reader = at.reader()
    publisher = Publisher(reader, at.published, signer=at.signer)
    publisher.open()
    prepared = publisher.prepare()
    if prepared is not None:
        publisher.publish(prepared, prepared.note)
    publisher.close()
    reader.close()
    return at.published


async def test_damage_to_what_is_published_asks_for_a_start_and_for_no_backup(place: Path) -> None:
    gateway = place / "gw"
    grow(gateway)
    published = _publish(gateway)
    assert said(fsck, gateway).exit_code == 0
    (bundle,) = _bundles(published)
    _flip(bundle)
    found = failed(fsck, gateway)
    assert found.where.endswith(str(published))
    assert "start the gateway again" in found.fix
    assert "backup" not in found.fix
    # As the words promise: beginning to publish writes it anew.
    _publish(gateway)
    assert said(fsck, gateway).exit_code == 0


async def test_damage_to_a_mirror_names_the_mirror_and_does_not_heal_from_it(place: Path) -> None:
    gateway, kept = place / "gw", place / "mirror"
    grow(gateway)
    assert said(mirror, gateway, kept).exit_code == 0
    (bundle,) = _bundles(kept)
    _flip(bundle)
    for command in (fsck, recover):
        found = failed(command, gateway, "--mirror", kept)
        assert found.where.endswith(str(kept))
        assert "begin another" in found.fix
    assert said(fsck, gateway).exit_code == 0


async def test_an_empty_record_is_named(place: Path) -> None:
    (place / "gw" / "log.checkpoint").write_bytes(b"")
    assert failed(fsck, place / "gw").why == "log.checkpoint is empty"


async def test_as_words_and_as_json_it_has_the_parts_of_every_failure(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "gw" / "log.checkpoint").unlink()
    assert run(["audit", "fsck", str(place / "gw")]) == ExitCode.EVIDENCE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert [line.split()[0] for line in printed.err.splitlines()] == ["FAIL", "where", "why", "fix"]
    assert run(["audit", "fsck", str(place / "gw"), "--json"]) == ExitCode.EVIDENCE
    said = json.loads(capsys.readouterr().out)
    assert (said["exit_code"], said["error"]["code"]) == (6, "AUDIT-STORE")


async def test_a_stop_is_explained_once_and_the_words_stay_outside_the_log(place: Path) -> None:
    gateway = place / "gw"
    StopMark(gateway / "log.checkpoint").make(StopReason.IO)
    assert failed(recover, gateway, "--mirror", place / "nowhere").exit_code == ExitCode.EVIDENCE
    assert said(recover, gateway, "--explain", "the volume was full").exit_code == 0
    say_due(gateway)
    assert said(fsck, gateway).exit_code == 0
    assert "the volume was full" in (gateway / "explanations.txt").read_text()
    connection = sqlite3.connect(gateway / "gateway.db")
    kinds = [kind for (kind,) in connection.execute("SELECT kind FROM log_entry")]
    connection.close()
    assert kinds[-1] == "log.explained"
    assert b"the volume was full" not in (gateway / "gateway.db").read_bytes()
    again = said(recover, gateway, "--explain", "once more")
    assert (again.exit_code, "the explanation was not kept" in again.output) == (0, True)
    assert json.loads(said(recover, gateway, "--explain", "once more", "--json").output)["explained"] is False
    assert "once more" not in (gateway / "explanations.txt").read_text()
    alone = said(recover, gateway)
    assert (alone.exit_code, "--declare-loss" in alone.output) == (2, True)


@pytest.mark.parametrize("kind", ["gateway", "custodian"])
async def test_a_log_of_either_kind_is_mirrored_put_back_and_healed(place: Path, kind: str) -> None:
    directory, kept = place / kind[:2].replace("ga", "gw"), place / "mirror"
    database, backup = directory / f"{kind}.db", place / "backup.db"
    shutil.copy(database, backup)
    # An entry of the log's own, so that there is something to lose.
    grow(directory)
    grow(directory)
    made = said(mirror, directory, kept)
    assert made.exit_code == 0, made.output
    assert said(fsck, directory, "--mirror", kept).exit_code == 0
    for left in directory.glob(f"{kind}.db*"):
        left.unlink()
    shutil.copy(backup, database)
    assert failed(fsck, directory).code == "AUDIT-ROLLBACK"
    healed = said(recover, directory, "--mirror", kept)
    assert healed.exit_code == 0, healed.output
    assert said(fsck, directory).exit_code == 0
    assert len(due_entries(place_of(directory).state)) == (1 if kind == "gateway" else 0), "its next start says so"


def _mirror_and_put_back(gateway: Path, kept: Path, *, entries: int = 1) -> None:
    """The mirror has entries that the database, put back together with its record, has not."""
    before = {name: (gateway / name).read_bytes() for name in ("gateway.db", "log.checkpoint")}
    for _ in range(entries):
        grow(gateway)
    assert said(mirror, gateway, kept).exit_code == 0
    for left in gateway.glob("gateway.db*"):
        left.unlink()
    for name, content in before.items():
        (gateway / name).write_bytes(content)


async def test_a_mirror_that_lags_holds_and_is_said_to_lag_by_how_much_and_since_when(place: Path) -> None:
    gateway, kept = place / "gw", place / "mirror"
    grow(gateway)
    made = json.loads(said(mirror, gateway, kept, "--json").output)
    grow(gateway)
    grow(gateway)
    found = said(fsck, gateway, "--mirror", kept)
    assert found.exit_code == 0, found.output
    (line,) = [line for line in found.output.splitlines() if "mirror" in line]
    assert line.startswith(f"note the mirror holds {made['size']} entries, 2 behind: it lacks what was written since ")
    assert line.endswith(f"; next: homeward audit mirror {gateway} {kept}")
    standing = json.loads(said(fsck, gateway, "--mirror", kept, "--json").output)["mirror"]
    assert (standing["size"], standing["behind"]) == (made["size"], 2)
    assert standing["lacks_since"] in line
    # Being behind excuses nothing of what it does hold.
    bodies = kept / "sealed" / "bodies" / "000000" / "000"
    *before, last = bodies.read_bytes()
    # Another byte whatever it was: sealed bytes may end in any.
    bodies.write_bytes(bytes([*before, last ^ 1]))
    assert failed(fsck, gateway, "--mirror", kept).code == "AUDIT-OPENING"


async def test_a_mirror_that_is_ahead_tells_of_a_store_put_back_with_its_own_record(place: Path) -> None:
    gateway, kept = place / "gw", place / "mirror"
    _mirror_and_put_back(gateway, kept)
    assert said(fsck, gateway).exit_code == 0, "nothing beside the mirror knows of more"
    assert failed(fsck, gateway, "--mirror", kept).code == "AUDIT-ROLLBACK"


async def test_a_mirror_of_another_history_is_found_though_it_is_shorter(place: Path) -> None:
    gateway, kept = place / "gw", place / "mirror"
    _mirror_and_put_back(gateway, kept)
    grow(gateway)
    grow(gateway)
    assert failed(fsck, gateway, "--mirror", kept).code == "AUDIT-CONSISTENCY"


@pytest.mark.parametrize("is_named", [True, False])
async def test_what_grew_a_second_history_is_not_declared_to_be_what_is_left(place: Path, is_named: bool) -> None:
    gateway, kept, loss = place / "gw", place / "mirror", place / "loss"
    _mirror_and_put_back(gateway, kept, entries=3)
    if not is_named:
        with (gateway / "gateway.yaml").open("a") as settings:
            settings.write("\nmirror: { directory: ../mirror, same_file_system: true }\n")
    way = ("--mirror", kept) if is_named else ("--checkpoint", kept / "checkpoint")
    grow(gateway)
    refused = failed(recover, gateway, "--declare-loss", loss, *way)
    assert (refused.code, kept.name in refused.why, loss.exists()) == ("AUDIT-CONSISTENCY", True, False)
