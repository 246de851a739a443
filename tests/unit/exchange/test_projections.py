"""Tables are a cache of the log: at every start an edited one is found, whichever it is."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason
from gateway.protocol.names import AuthorityId
from gateway.store import tables
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, Subject
from homeward.gateway.v1.sealing_pb2 import NOTICE_KIND_WRONG_YOUTH
from tests.unit.exchange.bare_seals import bare_seal
from tests.unit.exchange.key_files import destroy_keys
from tests.unit.exchange.members import LA, POLICE, Youth, handle_of, officer
from tests.unit.exchange.seal_desk import recall
from tests.unit.exchange.test_authorities import ANA, consent, record, revoke
from tests.unit.exchange.world import World

BEN = Youth("Ben Invented")
UNDONE = "UPDATE authority SET revocation = NULL"
EDITS = {
    "a revocation is taken back": UNDONE,
    "a revocation is made up": "UPDATE authority SET revocation = zeroblob(36) WHERE revocation IS NOT NULL",
    "a revocation is another authority's": (
        "UPDATE authority SET revocation = (SELECT revocation FROM authority WHERE revocation IS NOT NULL) "
        "WHERE revocation IS NULL"
    ),
    "an authority is taken out": "DELETE FROM authority WHERE revocation IS NOT NULL",
    "an authority is somebody else's": "UPDATE authority SET issuer = '06077.probation' WHERE revocation IS NULL",
    "another envelope lies under an authority": (
        "UPDATE authority SET sealed = (SELECT sealed FROM authority WHERE revocation IS NULL) "
        "WHERE revocation IS NOT NULL"
    ),
    "an authority has one more party": (
        "INSERT INTO authority_party SELECT '06077.probation', authority_id FROM authority LIMIT 1"
    ),
    "an authority has lost a party": "DELETE FROM authority_party WHERE agency <> '06037.cwa'",
    "an authority was never recorded": (
        "INSERT INTO authority SELECT zeroblob(16), issuer, sealed, NULL, leaf_index FROM authority LIMIT 1"
    ),
    "a flag is closed": "UPDATE flag SET state = 'RESOLVED'",
    "a flag is taken out": "DELETE FROM flag",
    "a flag is of another youth": "UPDATE flag SET handle = zeroblob(16)",
    "a list counts as complete": "UPDATE listing SET scope = 'FLAGGED_ONLY'",
    "a list's heartbeat is taken out": "DELETE FROM listing",
    "a youth is listed by another agency": "UPDATE subject SET owner = '06077.probation'",
    "the list of youths is emptied": "DELETE FROM subject",
    "the index is emptied": "DELETE FROM index_token",
    "what was spent is emptied": "DELETE FROM spent",
    "a name is denied by nobody": "INSERT INTO denied VALUES ('06077.probation', 0)",
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    handle = await made.register(LA, ANA)
    await made.register(LA, BEN)
    await made.heartbeat(LA)
    for is_revoked in (True, False):
        message = consent(made)
        await record(made, message)
        if is_revoked:
            await revoke(made, message.authority_id)
    await made.raise_flag(LA, ANA, handle=handle)
    await made.raise_flag(POLICE, ANA)
    yield made
    await made.log.close()
    made.reader.close()
    made.authority_keys.close()
    made.youth_keys.close()


async def test_what_the_exchange_wrote_is_what_the_log_says(world: World) -> None:
    world.check_projections()


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
async def test_an_edited_table_is_found(world: World, tmp_path: Path, edit: str) -> None:
    connection = sqlite3.connect(tmp_path / "gateway.db")
    with connection:
        assert connection.execute(edit).rowcount > 0
    connection.close()
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION


def _run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path / "gateway.db")) as connection, connection:
        assert connection.execute(statement).rowcount > 0


async def _check_missing(world: World, what: str) -> None:
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert (found.value.reason, what in str(found.value)) == (EvidenceReason.PROJECTION, True)


async def test_fewer_youths_than_one_registration_listed_are_found(world: World, tmp_path: Path) -> None:
    three = [
        Subject(handle=os.urandom(16), tokens=world.tokens(Youth(f"{name} Invented")), restriction=RESTRICTION_NONE)
        for name in ("Cal", "Dee", "Eve")
    ]
    await world.list_subjects(LA, subjects=three)
    await world.list_subjects(LA, removed=[three[0].handle])
    world.check_projections()
    # Four are listed now, in three registrations; of so many as one of them listed the log is sure.
    for _ in range(2):
        _run(tmp_path, "DELETE FROM index_token WHERE ref = (SELECT min(ref) FROM subject)")
        _run(tmp_path, "DELETE FROM subject WHERE ref = (SELECT min(ref) FROM subject)")
        world.check_projections()
    _run(tmp_path, "DELETE FROM subject WHERE ref = (SELECT min(ref) FROM subject)")
    await _check_missing(world, "a listed youth")


async def test_an_alert_that_is_missing_among_others_is_found(world: World, tmp_path: Path) -> None:
    await world.raise_flag(POLICE, ANA)
    world.check_projections()
    _run(tmp_path, "DELETE FROM alert WHERE sequence = 1")
    await _check_missing(world, "an alert")


async def test_a_notice_without_its_alert_is_found(world: World, tmp_path: Path) -> None:
    await world.check_flag(POLICE, ANA)
    await recall(world, handle_of(LA, ANA), NOTICE_KIND_WRONG_YOUTH, act=officer(LA))
    world.check_projections()
    _run(tmp_path, "DELETE FROM alert WHERE notice_id != x''")
    await _check_missing(world, "an alert")


@pytest.mark.parametrize("by_ms", [-60_000, -1, 1])
async def test_a_revocation_that_is_dated_otherwise_is_found(world: World, tmp_path: Path, by_ms: int) -> None:
    """Whoever has the keys as well can seal another time; the entry says which it was."""
    (row,) = (row for row in world.rows(tables.authority) if row["revocation"] is not None)
    authority_id = AuthorityId(row["authority_id"])
    at_ms = world.authority_keys.open_moment(authority_id, row["revocation"])
    assert at_ms is not None
    for moment, is_found in ((at_ms, False), (at_ms + by_ms, True)):
        planted = world.authority_keys.seal_moment(authority_id, moment)
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
            connection.execute("UPDATE authority SET revocation = ? WHERE revocation IS NOT NULL", (planted,))
        if not is_found:
            world.check_projections()
            continue
        with pytest.raises(EvidenceError) as found:
            world.check_projections()
        assert found.value.reason is EvidenceReason.PROJECTION


async def test_a_count_that_was_lowered_hides_no_revocation(world: World, tmp_path: Path) -> None:
    """Else the entries beyond it would look as if their key had left with a seal."""
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection, connection:
        connection.execute("UPDATE youth_key SET reserved = 1")
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION


async def test_a_youth_whose_key_was_destroyed_leaves_no_flag_and_no_fault(world: World, tmp_path: Path) -> None:
    destroy_keys(world, tmp_path)
    # Whoever takes a key out, and with it a revocation, cannot say that a seal did.
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION
    await world.log.append(bare_seal(LA, is_destruction=True))
    world.check_projections()
    # Nor where an older copy of the database has all of it, or the entry of the seal took it away.
    for statement in ("UPDATE authority SET sealed = x''", "DELETE FROM authority_party", "DELETE FROM flag"):
        connection = sqlite3.connect(tmp_path / "gateway.db")
        with connection:
            connection.execute(statement)
        connection.close()
    world.check_projections()
