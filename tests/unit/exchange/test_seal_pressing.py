"""Orders about seals while others ask without a pause, and old orders given again."""

import asyncio
import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from audit.errors import EvidenceError, EvidenceReason
from audit.followed import Contradiction, Rule
from audit.log import Append
from gateway.errors import Error
from gateway.exchange.journal import draft
from gateway.exchange.notices import SealState
from gateway.protocol.escrow import release
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, AuthorityId
from gateway.store.youth_keys import YouthKeysBroken
from homeward.gateway.v1 import sealing_pb2 as pb
from tests.unit.exchange import seal_desk
from tests.unit.exchange.members import POLICE, SF, Youth
from tests.unit.exchange.seal_desk import ANA, BEN, order, restrict
from tests.unit.exchange.test_authorities import record
from tests.unit.exchange.test_row_links import ask_by
from tests.unit.exchange.test_seal_gap import is_listed, list_again
from tests.unit.exchange.token_authority_desk import by_tokens, digests, replayed
from tests.unit.exchange.world import World


@pytest.mark.parametrize("askers", [1, 4])
@pytest.mark.parametrize("about", ["the youth", "nobody, by the youth's consent"])
async def test_whoever_asks_without_a_pause_does_not_keep_an_order_from_being_carried_out(
    world: World, about: str, askers: int
) -> None:
    handles = await seal_desk.lived(world)
    authority = by_tokens(world, ANA)
    await record(world, authority, agency=AgencyId(authority.issuer_agency))

    async def ask() -> None:
        if about == "the youth":
            await world.check_flag(POLICE, ANA)
        else:
            await ask_by(world, Youth("Nobody"), AuthorityId(authority.authority_id))

    stop, asked = asyncio.Event(), [0]
    tasks = [asyncio.create_task(_without_pause(ask, stop, asked)) for _ in range(askers)]
    await asyncio.sleep(0.3)
    before = asked[0]
    assert before > 0
    done = await restrict(world, handles[ANA], token_digests=digests(world, ANA))
    await asyncio.sleep(0.2)
    assert asked[0] > before, "and they are answered again"
    stop.set()
    await asyncio.gather(*tasks)
    assert done.seal_id
    assert world.youth_keys.row_of(SF, handles[ANA]) is None


async def _without_pause(ask: Callable[[], Awaitable[None]], stop: asyncio.Event, asked: list[int]) -> None:
    while not stop.is_set():
        try:
            await ask()
        except Error:
            # After the seal the consent is gone.
            await asyncio.sleep(0)
        asked[0] += 1


@pytest.mark.parametrize("later", ["restrict", "destroy"])
async def test_an_old_order_to_lift_given_again_brings_back_nothing_that_a_later_order_took(
    world: World, later: str
) -> None:
    handles = await seal_desk.lived(world)
    sealed = await restrict(world, handles[ANA])
    copy = world.seals.escrow.copy_of(sealed.seal_id) or b""
    released = release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=sealed.seal_id)
    lift = {"operation": pb.SEAL_OPERATION_LIFT, "seal_id": sealed.seal_id, "released_key": released}
    request_id = os.urandom(16)
    await order(world, request_id=request_id, **lift)
    assert world.youth_keys.row_of(SF, handles[ANA]) is not None
    # Again at once: a lost answer.
    await order(world, request_id=request_id, **lift)
    await list_again(world, ANA)
    if later == "restrict":
        await restrict(world, handles[ANA])
    else:
        await order(world, operation=pb.SEAL_OPERATION_DESTROY, subject_handle=handles[ANA])
    size = world.size()
    await order(world, request_id=request_id, **lift)
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    assert world.size() == size
    assert list((await list_again(world, ANA)).sealed_handles) == [handles[ANA]]
    assert not is_listed(world, handles[ANA])
    replayed(world)


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE seal SET state = 'LIFTED'",
        "UPDATE seal SET state = 'DESTROYED'",
        "UPDATE seal SET owner = '06037.cwa'",
        "UPDATE seal SET leaf_index = 999999",
        "DELETE FROM seal",
    ],
)
async def test_a_seal_that_somebody_edits_in_the_database_is_found_at_the_start(
    world: World, tmp_path: Path, edit: str
) -> None:
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    world.check_projections()
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        before = database.execute("SELECT * FROM seal").fetchall()
        database.execute(edit)
    with pytest.raises(EvidenceError, match="a seal is not in the database as the log says") as found:
        world.check_projections()
    assert found.value.reason is EvidenceReason.PROJECTION
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("DELETE FROM seal")
        database.executemany("INSERT INTO seal VALUES (?, ?, ?, ?)", before)


@pytest.mark.parametrize("kind", [Kind.SEAL_LIFTED, Kind.SEAL_DESTROYED, Kind.SEAL_RESTRICTED])
async def test_an_order_about_a_seal_that_does_not_stand_contradicts_the_log(world: World, kind: Kind) -> None:
    """As of an exchange whose operator edited how a destroyed seal stands, and lifted it."""
    handles = await seal_desk.lived(world)
    done = await restrict(world, handles[ANA])
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)
    replayed(world)
    state = {
        Kind.SEAL_LIFTED: SealState.LIFTED,
        Kind.SEAL_DESTROYED: SealState.DESTROYED,
        Kind.SEAL_RESTRICTED: SealState.RESTRICTED,
    }[kind]
    leaf = draft(kind, requester=SF, op={"notice": done.seal_id.hex()})
    await world.log.append(Append(leaf, rows=world.seals._kept().put(done.seal_id, SF, state)))
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert (found.value.rule, found.value.index) == (Rule.SEALED, world.size() - 1)


async def test_a_count_that_somebody_changed_is_built_on_by_no_order(world: World, tmp_path: Path) -> None:
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        keys.execute("UPDATE closed_count SET count = count + 2")
    with pytest.raises(YouthKeysBroken):
        await world.seals.settle(world.setting.journal)
    with pytest.raises(YouthKeysBroken):
        await restrict(world, handles[BEN])
    assert world.youth_keys.row_of(SF, handles[BEN]) is not None
