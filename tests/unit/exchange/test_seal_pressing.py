"""Orders about seals while others ask without a pause, and old orders given again."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import Error
from gateway.protocol.escrow import release
from gateway.protocol.names import AgencyId, AuthorityId
from homeward.gateway.v1 import sealing_pb2 as pb
from tests.unit.exchange import seal_desk
from tests.unit.exchange.members import POLICE, SF, Youth
from tests.unit.exchange.seal_desk import ANA, order, restrict
from tests.unit.exchange.test_authorities import record
from tests.unit.exchange.test_row_links import ask_by
from tests.unit.exchange.test_seal_gap import is_listed, list_again
from tests.unit.exchange.token_authority_desk import by_tokens, digests, replayed
from tests.unit.exchange.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


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
