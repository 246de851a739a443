"""Tables that somebody edited: no stop is explained over them, no mirror forgets what they were, one heals them.

On a founded gateway and its custodian that do not serve, by the commands an operator types.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.errors import StopReason
from audit.mirror import write_mirror
from audit.stopping import StopMark
from gateway.recovery.cli import fsck, mirror, recover
from gateway.recovery.mirror_round import bring_up_to_date
from gateway.recovery.repair import place_of
from gateway.state import State
from homeward.failure import ExitCode
from tests.unit.members.grown import grow
from tests.unit.members.test_repair import failed, place, said

__all__ = ["place"]
DAMAGE = {
    "gateway": ("INSERT INTO denied VALUES ('06037.cwa', 0)", "AUDIT-PROJECTION"),
    # Beside the tree: what a start looks at before it lets anybody write is whole.
    "custodian": ("INSERT INTO log_node VALUES (9, 9, zeroblob(32))", "AUDIT-NODE"),
}
SETTINGS = "\nmirror: { directory: ../kept, same_file_system: true }\n"


def state_of(place: Path, kind: str) -> State:
    return State(place / {"gateway": "gw", "custodian": "cu"}[kind], kind)


def run(state: State, statement: str) -> None:
    with closing(sqlite3.connect(state.database)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def rows(state: State, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(state.database)) as connection:
        return connection.execute(query).fetchall()


def contents(directory: Path) -> dict[Path, bytes]:
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def take_away(state: State) -> None:
    for left in state.directory.glob(f"{state.database.name}*"):
        left.unlink()


@pytest.mark.parametrize("kind", DAMAGE)
async def test_no_stop_is_explained_over_a_log_that_does_not_verify_whole(place: Path, kind: str) -> None:
    state, (statement, code) = state_of(place, kind), DAMAGE[kind]
    for _ in range(3):
        grow(state.directory)
    state.explanations.write_text("of an earlier stop")
    StopMark(state.high_water).make(StopReason.IO)
    run(state, statement)
    size = rows(state, "SELECT size FROM log_tree")
    found = failed(recover, state.directory, "--explain", "somebody thought that all is well")
    assert (found.code, found.exit_code) == (code, ExitCode.EVIDENCE)
    assert StopMark(state.high_water).read() is StopReason.IO
    assert rows(state, "SELECT size FROM log_tree") == size
    assert state.explanations.read_text() == "of an earlier stop"


@pytest.mark.parametrize("grown", [False, True], ids=["of the same size", "that has grown"])
async def test_a_round_over_edited_tables_is_refused_and_the_mirror_heals_what_it_healed(
    place: Path, grown: bool
) -> None:
    state, kept = state_of(place, "gateway"), place / "kept"
    kept.mkdir()
    with (state.directory / "gateway.yaml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    grow(state.directory)
    assert said(mirror, state.directory).exit_code == 0
    if grown:
        grow(state.directory)
    before = contents(kept)
    run(state, DAMAGE["gateway"][0])
    found = failed(mirror, state.directory)
    assert (found.code, found.where) == ("AUDIT-PROJECTION", f"entry 0, {state.directory}")
    assert f"homeward audit recover {state.directory} --mirror MIRROR" in found.fix
    assert bring_up_to_date(state.directory) == {"fault": "EVIDENCE"}
    assert contents(kept) == before
    if not grown:
        assert said(recover, state.directory, "--mirror", kept).exit_code == 0
        assert rows(state, "SELECT count(*) FROM denied") == [(0,)]
    else:
        run(state, "DELETE FROM denied")
    assert "size" in bring_up_to_date(state.directory)
    assert said(fsck, state.directory, "--mirror", kept).exit_code == 0


async def test_a_check_of_a_mirror_says_which_tables_it_would_heal_with(place: Path) -> None:
    state, kept = state_of(place, "gateway"), place / "kept"
    grow(state.directory)
    assert said(mirror, state.directory, kept).exit_code == 0
    # Of what no entry says: a set of its own for the same size.
    run(state, "INSERT INTO duty VALUES (zeroblob(16), 1)")
    assert said(mirror, state.directory, kept).exit_code == 0
    checked = said(fsck, state.directory, "--mirror", kept)
    assert "it heals with its tables of that size, set 1" in checked.stdout
    assert json.loads(said(fsck, state.directory, "--mirror", kept, "--json").stdout)["mirror"]["tables"] == 1


async def test_a_mirror_of_edited_tables_replaces_none(place: Path) -> None:
    """As one that an earlier version made: its tables are no better than what may be left in the database."""
    state, kept = state_of(place, "gateway"), place / "kept"
    grow(state.directory)
    run(state, DAMAGE["gateway"][0])
    at = place_of(state.directory)
    with closing(at.reader()) as reader:
        write_mirror(
            reader, kept, signer=at.signer, key=at.mirror_key(), also=at.tables, check_tables=lambda _: None,
            random_bytes=os.urandom,
        )  # fmt: skip
    run(state, "DELETE FROM denied")
    run(state, "INSERT INTO denied VALUES ('06075.cwa', 0)")
    found = failed(recover, state.directory, "--mirror", kept)
    assert (found.code, found.where.endswith(str(kept))) == ("AUDIT-PROJECTION", True)
    assert rows(state, "SELECT name FROM denied") == [("06075.cwa",)]


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_database_that_is_gone_is_made_again_from_a_mirror(place: Path, kind: str) -> None:
    state, kept = state_of(place, kind), place / "kept"
    grow(state.directory)
    assert said(mirror, state.directory, kept).exit_code == 0
    entries = rows(state, "SELECT idx, leaf_hash FROM log_entry ORDER BY idx")
    take_away(state)
    assert failed(fsck, state.directory).code == "AUDIT-STORE"
    healed = said(recover, state.directory, "--mirror", kept)
    assert healed.exit_code == 0, healed.output
    assert rows(state, "SELECT idx, leaf_hash FROM log_entry ORDER BY idx")[: len(entries)] == entries
    assert said(fsck, state.directory).exit_code == 0


async def test_of_a_mirror_that_lacks_entries_no_database_is_made_until_they_are_declared_lost(place: Path) -> None:
    state, kept, loss = state_of(place, "gateway"), place / "kept", place / "loss.pb"
    grow(state.directory)
    size = json.loads(said(mirror, state.directory, kept, "--json").stdout)["size"]
    grow(state.directory)
    take_away(state)
    refused = failed(recover, state.directory, "--mirror", kept)
    assert refused.code == "AUDIT-ROLLBACK"
    assert f"homeward audit recover {state.directory} --declare-loss FILE, with --mirror" in refused.fix
    assert not state.database.exists()
    declared = said(recover, state.directory, "--declare-loss", loss, "--mirror", kept)
    assert declared.stdout.startswith(f"lost 1 entries: {size} of {size + 1} are left\n"), declared.output
    assert loss.is_file()


async def test_a_declaration_is_written_over_nothing(place: Path) -> None:
    state, loss = state_of(place, "gateway"), place / "loss.pb"
    loss.write_bytes(b"an earlier one")
    refused = said(recover, state.directory, "--declare-loss", loss)
    assert refused.exit_code == 2
    assert loss.read_bytes() == b"an earlier one"


async def test_a_custodians_operator_is_sent_to_no_command_that_a_gateway_alone_has(place: Path) -> None:
    state, kept = state_of(place, "custodian"), place / "kept"
    grow(state.directory)
    assert said(mirror, state.directory, kept).exit_code == 0
    grow(state.directory)
    take_away(state)
    refused = failed(recover, state.directory, "--mirror", kept)
    assert (refused.code, "--declare-loss" in refused.fix) == ("AUDIT-ROLLBACK", False)
    assert not state.database.exists()
