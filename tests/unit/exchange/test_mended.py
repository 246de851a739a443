"""After a declared loss tables are what the log says again, whichever was edited; what was revoked stays revoked."""

import asyncio
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.errors import EvidenceError, EvidenceReason
from audit.followed import Contradiction, Rule
from audit.sequencer import Append
from gateway.errors import Error, ErrorReason
from gateway.exchange.journal import Kind, draft
from gateway.members.whole import opened_with
from gateway.protocol.names import AuthorityId
from gateway.store import tables
from gateway.store.mended import Mending, plan_mending
from homeward.gateway.v1 import authority_pb2
from tests.unit.exchange.members import LA, STRTP
from tests.unit.exchange.test_authorities import ANA, consent, record, revoke
from tests.unit.exchange.test_presented import is_live, lose, present, refused, revocation, signed
from tests.unit.exchange.test_projections import EDITS
from tests.unit.exchange.test_projections import world as filled
from tests.unit.exchange.token_authority_desk import replayed
from tests.unit.exchange.world import World

__all__ = ["filled"]
WIPED = {
    "every authority is gone": "DELETE FROM authority",
    "every party is gone": "DELETE FROM authority_party",
    "every flag is gone": "DELETE FROM flag",
}
COUNTED = {"the list of youths is emptied", "the index is emptied", "what was spent is emptied"}
"""Of these entries hold a number and nothing that a row could be written from; counties list again."""
MENDED = {name: damage for name, damage in (EDITS | WIPED).items() if name not in COUNTED}


def edit(directory: Path, statement: str) -> int:
    with closing(sqlite3.connect(directory / "gateway.db")) as connection, connection:
        return connection.execute(statement).rowcount


def plan(world: World, directory: Path) -> Mending | None:
    opened = opened_with(directory / "keys.db", world.class_keys, world.youth_keys, world.authority_keys)
    return world.reader.read(lambda tx: plan_mending(tx, opened, world.authority_keys.seal_moment))


async def mend(world: World, directory: Path) -> Mending:
    """What carrying out a declared loss does about tables."""
    await lose(world)
    mending = plan(world, directory)
    assert mending is not None
    await world.log.append(mending.append())
    world.check_projections()
    assert plan(world, directory) is None, "done once"
    return mending


def at_odds(world: World) -> None:
    """A start would be refused."""
    with pytest.raises(EvidenceError) as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION


@pytest.mark.parametrize("damage", [EDITS[name] for name in sorted(COUNTED)], ids=sorted(COUNTED))
async def test_what_was_counted_before_a_loss_keeps_no_gateway_shut(filled: World, tmp_path: Path, damage: str) -> None:
    assert edit(tmp_path, damage) > 0
    at_odds(filled)
    await lose(filled)
    filled.check_projections()
    assert plan(filled, tmp_path) is None


@pytest.mark.parametrize("damage", MENDED.values(), ids=MENDED.keys())
async def test_whatever_was_edited_the_tables_are_what_the_log_says_again(
    filled: World, tmp_path: Path, damage: str
) -> None:
    revoked = {bytes(row["authority_id"]) for row in filled.rows(tables.authority) if row["revocation"] is not None}
    assert edit(tmp_path, damage) > 0
    at_odds(filled)
    await mend(filled, tmp_path)
    (leaf,) = await filled.leaves(filled.size() - 1)
    assert leaf.kind == Kind.TABLES_MENDED
    still = {bytes(row["authority_id"]) for row in filled.rows(tables.authority) if row["revocation"] is not None}
    assert revoked <= still, "of a revoked authority nothing may be left but that it is revoked"


@pytest.mark.parametrize("is_behind_a_loss", [False, True])
async def test_an_operator_alone_excuses_no_missing_row(filled: World, tmp_path: Path, is_behind_a_loss: bool) -> None:
    """An entry that says rows are lost, where nobody else has signed that any is."""
    if is_behind_a_loss:
        await lose(filled)
        await record(filled, consent(filled))
    assert edit(tmp_path, "DELETE FROM flag") > 0
    await filled.log.append(Append(draft(Kind.TABLES_MENDED, op={"authorities": 100, "flags": 100, "rows": 0})))
    at_odds(filled)
    with pytest.raises(Contradiction) as found:
        replayed(filled)
    assert (found.value.rule, found.value.index) == (Rule.MENDED, filled.size() - 1)


async def test_tables_that_hold_are_left_alone_after_a_loss(filled: World, tmp_path: Path) -> None:
    await lose(filled)
    assert plan(filled, tmp_path) is None


async def test_a_row_that_is_taken_out_after_the_mending_is_found(filled: World, tmp_path: Path) -> None:
    """How many are missing is in the log: a declared loss excuses no row more."""
    edit(tmp_path, "DELETE FROM authority WHERE revocation IS NULL")
    mending = await mend(filled, tmp_path)
    assert (mending.authorities, mending.flags) == (1, 0)
    assert edit(tmp_path, "DELETE FROM flag") > 0
    at_odds(filled)


async def test_a_command_that_was_cut_short_counts_again_what_it_finds_then(filled: World, tmp_path: Path) -> None:
    """Between its two runs somebody edits once more: both losses are in the count that a start goes by."""
    edit(tmp_path, "DELETE FROM authority WHERE revocation IS NULL")
    await mend(filled, tmp_path)
    edit(tmp_path, "UPDATE flag SET state = 'RESOLVED'")
    mending = plan(filled, tmp_path)
    assert mending is not None
    assert (mending.authorities, mending.flags) == (1, 1)
    await filled.log.append(mending.append())
    filled.check_projections()


async def test_a_revoked_authority_stays_revoked_and_one_that_stood_is_presented_again(
    filled: World, tmp_path: Path
) -> None:
    stood, ended = await _two(filled)
    edit(tmp_path, "DELETE FROM authority")
    edit(tmp_path, "DELETE FROM authority_party")
    mending = await mend(filled, tmp_path)
    assert mending.authorities == 2, "one of the fixture's, and one of these"
    assert await refused(filled, LA, authority=signed(filled, ended)) is ErrorReason.ID_REUSED
    await present(filled, LA, authority=signed(filled, stood))
    assert [await is_live(filled, each.authority_id) for each in (stood, ended)] == [True, False]
    filled.check_projections()
    await revoke(filled, stood.authority_id)
    assert not await is_live(filled, stood.authority_id)
    filled.check_projections()


async def test_a_revocation_that_was_edited_out_is_in_force_again(filled: World, tmp_path: Path) -> None:
    _, ended = await _two(filled)
    edit(tmp_path, "UPDATE authority SET revocation = NULL")
    mending = await mend(filled, tmp_path)
    assert mending.authorities == 0
    assert not await is_live(filled, ended.authority_id)
    assert await refused(filled, LA, authority=signed(filled, ended)) is ErrorReason.ID_REUSED


async def test_an_authority_whose_row_was_lost_may_be_recorded_anew(filled: World, tmp_path: Path) -> None:
    """By a person who does not wait for the adapter: the row is on record by another entry then."""
    stood, _ = await _two(filled)
    edit(tmp_path, "DELETE FROM authority WHERE revocation IS NULL")
    await mend(filled, tmp_path)
    await record(filled, stood)
    assert await is_live(filled, stood.authority_id)
    filled.check_projections()
    await revoke(filled, stood.authority_id)
    filled.check_projections()


async def test_a_file_of_keys_that_is_older_than_the_log_is_not_mended_over(filled: World, tmp_path: Path) -> None:
    """What the entries say could not be read: rows must not be made to say less."""
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection, connection:
        connection.execute("UPDATE youth_key SET reserved = 1")
    await lose(filled)
    with pytest.raises(EvidenceError) as found:
        plan(filled, tmp_path)
    assert found.value.reason is EvidenceReason.PROJECTION


async def _two(world: World) -> tuple[authority_pb2.Authority, authority_pb2.Authority]:
    """One that stands, and one that was revoked."""
    made = consent(world), consent(world)
    for message in made:
        await record(world, message)
    await revoke(world, made[1].authority_id)
    assert await is_live(world, AuthorityId(made[0].authority_id))
    return made


Act = Literal["record", "revoke", "lose", "lose rows", "present", "present revocation"]
ACTS: tuple[Act, ...] = ("record", "revoke", "lose", "lose rows", "present", "present revocation")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(ACTS), min_size=2, max_size=9))
def test_in_no_order_does_a_lost_row_bring_back_what_was_revoked(acts: list[Act]) -> None:
    asyncio.run(_play(acts))


async def _play(acts: list[Act]) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        world = World(directory)
        await world.register(LA, ANA)
        message, was_revoked = consent(world), False
        for act in acts:
            try:
                if act == "record":
                    await record(world, message)
                elif act == "revoke":
                    await revoke(world, message.authority_id)
                    was_revoked = True
                elif act == "present":
                    await present(world, LA, authority=signed(world, message))
                elif act == "present revocation":
                    answer = await present(world, STRTP, revocation=revocation(world, message.authority_id))
                    was_revoked = was_revoked or answer.HasField("receipt")
                else:
                    await lose(world)
                    if act == "lose rows":
                        await _lose_rows(world, directory)
            except Error:
                continue
            world.check_projections()
            assert not (was_revoked and await is_live(world, message.authority_id)), acts
        await world.close()


async def _lose_rows(world: World, directory: Path) -> None:
    for statement in ("DELETE FROM authority", "DELETE FROM authority_party"):
        edit(directory, statement)
    mending = plan(world, directory)
    if mending is not None:
        await world.log.append(mending.append())
