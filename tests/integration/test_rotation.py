"""The rotation of the token key at a real gateway and a real custodian: opening, both epochs, and every refusal."""

import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import ErrorReason
from gateway.protocol.epochs import EpochState
from gateway.protocol.names import AgencyId
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION
from tests.integration.rotation_kit import ANA, BEN, Town, refused, settled, shares
from tests.unit.members.batches import batch, record
from tests.unit.members.world import County


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with settled(tmp_path) as made:
        yield made


# --- opening


async def test_an_epoch_is_announced_once_every_holder_has_a_share_and_holds_up_nobody_until_then(town: Town) -> None:
    world = town.world
    ours, theirs = shares(world, "e2")
    step = await world.gateway.rotation.open(ours)
    assert world.leaf(step.leaf_index)["kind"] == b"epoch.opened"
    newcomer = County(fips="06075", clock=world.clock)
    await world.enroll(newcomer)
    await world.admit(newcomer)
    assert not await town.publish()
    view = world.gateway.office.view()
    assert view is not None
    assert (view.member(AgencyId(newcomer.agency)) is not None, tuple(view.epochs)) == (True, ("e1",))
    size = len(world.kinds())
    assert not await town.publish()
    # Asked again and again, the silent announcement does not fill the log.
    assert len(world.kinds()) - size <= 1
    assert not await town.publish()
    assert len(world.kinds()) - size <= 1
    await world.custodian.administration.add_epoch_share(admin_pb2.AddEpochShareRequest(share=theirs))
    assert await town.publish()
    view = world.gateway.office.view()
    assert view is not None
    assert {name: each.state for name, each in view.epochs.items()} == {
        "e1": EpochState.CURRENT,
        "e2": EpochState.FOLLOWING,
    }


async def test_one_rotation_at_a_time_and_no_epoch_twice(town: Town) -> None:
    rotation = town.world.gateway.rotation
    assert await refused(rotation.abandon()) == (ErrorReason.EPOCH_STEP, ("epoch: none_following",))
    assert await refused(rotation.finish()) == (ErrorReason.EPOCH_STEP, ("epoch: none_preceding",))
    assert await refused(rotation.open(b"junk")) == (ErrorReason.INVALID_REQUEST, ("share: file",))
    own = town.world.gateway_state.read_secret("share.bin")
    assert await refused(rotation.open(own)) == (ErrorReason.EPOCH_STEP, ("share: same_key",))
    _, theirs = shares(town.world, "e2")
    assert await refused(rotation.open(theirs)) == (ErrorReason.EPOCH_STEP, ("share: share_index",))
    await town.opened()
    assert await refused(rotation.open(shares(town.world, "e3")[0])) == (
        ErrorReason.EPOCH_STEP,
        ("epoch: another_open",),
    )
    await rotation.abandon()
    await town.publish()
    await town.world.gateway.ended.erase()
    assert await refused(rotation.open(shares(town.world, "e2")[0])) == (
        ErrorReason.EPOCH_STEP,
        ("share: used_before",),
    )


async def test_a_directory_that_takes_members_to_a_key_nobody_announced_is_not_countersigned(town: Town) -> None:
    ours, theirs = shares(town.world, "e2")
    await town.world.custodian.administration.add_epoch_share(admin_pb2.AddEpochShareRequest(share=theirs))
    view = town.world.gateway.office.view()
    assert view is not None
    await town.world.gateway.rotation.open(ours)
    # An operator who writes the step into the database instead of taking it.
    connection = sqlite3.connect(town.world.gateway_state.database, timeout=10)
    connection.execute("UPDATE epoch SET state = CASE name WHEN 'e2' THEN 'CURRENT' ELSE 'ENDED' END")
    connection.commit()
    connection.close()
    with pytest.raises(Exception, match="DIRECTORY_INVALID"):
        await town.publish()


# --- both epochs


async def test_a_youth_is_one_handle_in_both_epochs_and_each_is_answered(town: Town) -> None:
    handle = await town.list_in("e1")
    await town.raise_flag(handle)
    await town.opened()
    assert (await town.found("e1"), await town.found("e2")) == ([handle], [])
    assert await town.list_in("e2") == handle
    assert (await town.found("e1"), await town.found("e2")) == ([handle], [handle])
    # Changed in the current epoch, the following one stays until it is listed there again.
    await town.list_in("e1")
    assert (await town.found("e1"), await town.found("e2")) == ([handle], [handle])
    assert not set(town.resting("e1", ANA)) & set(town.resting("e2", ANA))


async def test_a_county_that_does_not_list_anew_makes_every_miss_in_the_epoch_undetermined(town: Town) -> None:
    await town.opened()
    await town.beat("e1", "e2", counties=(0,))
    await town.beat("e1", counties=(1,))
    assert (await town.stale("e1"), await town.stale("e2")) == ((), ("06037",))
    assert await refused(town.world.gateway.rotation.cut_over(frozenset())) == (
        ErrorReason.EPOCH_INCOMPLETE,
        ("06037",),
    )
    await town.world.gateway.rotation.cut_over(frozenset({"06037"}))
    await town.publish()
    assert await town.stale("e2") == ("06037",)
    await town.list_in("e2", BEN, county=1)
    await town.beat("e2", counties=(1,))
    assert await town.stale("e2") == ()


async def test_of_an_epoch_in_which_nobody_is_listed_any_more_no_county_is_called_incomplete(town: Town) -> None:
    rotation = town.world.gateway.rotation

    async def incomplete() -> dict[str, list[str]]:
        return {each.epoch: list(each.incomplete_counties) for each in await rotation.status()}

    await town.opened()
    await town.beat("e1")
    assert await incomplete() == {"e1": [], "e2": ["06029", "06037"]}
    await town.cut_over()
    # Heartbeats cannot name the epoch before; `epoch status --wait` must not wait for that.
    await town.beat("e2")
    assert await incomplete() == {"e1": [], "e2": []}
    await town.beat("e2", counties=(0,))
    town.world.clock.advance(timedelta(minutes=16))
    assert await incomplete() == {"e1": [], "e2": ["06029", "06037"]}


async def test_no_cut_over_leaves_a_youth_behind_whom_somebody_looks_for(town: Town) -> None:
    handle = await town.list_in("e1")
    await town.raise_flag(handle)
    await town.opened()
    await town.beat("e1", "e2")
    assert await refused(town.world.gateway.rotation.cut_over(frozenset())) == (
        ErrorReason.EPOCH_INCOMPLETE,
        ("06029",),
    )
    await town.list_in("e2")
    assert await town.found("e2") == [handle]
    await town.world.gateway.rotation.cut_over(frozenset())


async def test_what_is_said_of_another_epoch_is_refused(town: Town) -> None:
    for epoch in ("e0", "e2"):
        for work in (town.list_in(epoch), town.beat(epoch)):
            assert (await refused(work))[0] is ErrorReason.EPOCH_UNKNOWN
    await town.opened()
    await town.cut_over()
    # Still answered, and nothing new is listed in it.
    assert await town.found("e1")
    assert (await refused(town.list_in("e1")))[0] is ErrorReason.EPOCH_UNKNOWN
    assert (await refused(town.beat("e1")))[0] is ErrorReason.EPOCH_UNKNOWN
    await town.list_in("e2")
    assert await town.found("e1") == []


async def test_no_holder_evaluates_a_registration_in_the_epoch_before(town: Town) -> None:
    county, agency = town.counties[0], AgencyId(town.counties[0].agency)
    left_over = lambda epoch: batch(county, record(), use=EVALUATION_USE_REGISTRATION, epoch=epoch)  # noqa: E731
    for holder in (town.world.gateway, town.world.custodian):
        await holder.evaluator.evaluate(agency, left_over("e1"))
    await town.opened()
    await town.cut_over()
    for holder in (town.world.gateway, town.world.custodian):
        assert (await refused(holder.evaluator.evaluate(agency, left_over("e1"))))[0] is ErrorReason.EPOCH_UNKNOWN
        await holder.evaluator.evaluate(agency, left_over("e2"))
        await holder.evaluator.evaluate(agency, batch(county, record()))
