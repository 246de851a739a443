"""The end of an epoch at a real gateway and a real custodian: what is left, and what older copies bring back."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import ErrorReason, Invalid
from gateway.state import StateBroken
from gateway.store import erase_sqlite
from homeward.gateway.v1.admin_pb2 import AddEpochShareRequest, FinishEpochShareRequest
from tests.integration.rotation_kit import ANA, BEN, Town, has_share, refused, settled, shares, states


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    async with settled(tmp_path) as made:
        yield made


FINISH = FinishEpochShareRequest()


async def test_nothing_of_an_ended_epoch_is_left(town: Town) -> None:
    world = town.world
    first = world.gateway_state.read_secret("share.bin")
    custodians = world.directory / "cu" / "secrets" / "share.bin"
    theirs = custodians.read_bytes()
    key = world.gateway_state.read_secret("storage.key")
    await town.opened()
    await town.cut_over()
    old = [*town.resting("e1", ANA), *town.resting("e1", BEN)]
    kept = [*town.resting("e2", ANA), *town.resting("e2", BEN)]
    before = town.raw()
    assert all(token in before for token in (*old, *kept)), "the search finds what is there"
    assert has_share(world.gateway_state.directory, first)
    assert await refused(world.custodian.administration.finish_epoch_share(FINISH)) == (
        ErrorReason.EPOCH_STEP,
        ("epoch: named",),
    )
    await world.gateway.rotation.finish()
    await world.gateway.ended.erase()
    assert all(token in town.raw() for token in old), "a directory in force still names the epoch"
    assert await town.publish()
    await world.gateway.ended.erase()
    after = town.raw()
    assert not [token for token in old if token in after]
    assert all(token in after for token in kept)
    assert states(town) == {"e1": "ENDED", "e2": "CURRENT"}
    with pytest.raises(Invalid) as caught:
        await town.found("e1")
    assert caught.value.reason is ErrorReason.EPOCH_UNKNOWN
    assert len(await town.found("e2")) == 1
    secrets = [file.read_bytes() for file in (world.gateway_state.directory / "secrets").iterdir()]
    assert key not in secrets
    assert not has_share(world.gateway_state.directory, first)
    assert has_share(world.directory / "cu", theirs)
    assert (await world.custodian.administration.finish_epoch_share(FINISH)).epoch == "e1"
    assert not has_share(world.directory / "cu", theirs)
    card, size = world.directory / "cu" / "card.json", world.custodian.ledger.reader.tree().size
    finished = card.read_bytes()
    again = await world.custodian.administration.finish_epoch_share(FINISH)
    assert (again.epoch, again.kept_epoch) == ("", "e2")
    assert (card.read_bytes(), world.custodian.ledger.reader.tree().size) == (finished, size)
    assert world.kinds()[-1] == "epoch.erased"
    told = [kind for kind in world.kinds() if kind.startswith("epoch.")]
    assert told == ["epoch.opened", "epoch.cut_over", "epoch.ended", "epoch.erased"]
    assert await town.publish()


async def test_an_abandoned_epoch_leaves_nothing_either(town: Town) -> None:
    handle = await town.list_in("e1")
    await town.opened()
    await town.list_in("e2")
    gone, share = town.resting("e2", ANA), town.world.gateway_state.read_secret("epoch-e2.bin")
    assert all(token in town.raw() for token in gone)
    await town.world.gateway.rotation.abandon()
    assert await town.publish()
    await town.world.gateway.ended.erase()
    after = town.raw()
    assert not [token for token in gone if token in after]
    assert not has_share(town.world.gateway_state.directory, share)
    assert await town.found("e1") == [handle]
    assert (await town.world.custodian.administration.finish_epoch_share(FINISH)).epoch == "e2"
    await town.opened("e3")


async def test_a_share_that_waits_for_the_gateway_is_erased_only_by_name(town: Town) -> None:
    custodian = town.world.custodian.administration
    _, share = shares(town.world, "e2")
    await custodian.add_epoch_share(AddEpochShareRequest(share=share))
    for named in ("", "e1", "e3"):
        request = FinishEpochShareRequest(unopened_epoch=named)
        found = await refused(custodian.finish_epoch_share(request))
        assert found == (ErrorReason.EPOCH_STEP, ("epoch: unopened",))
        assert has_share(town.world.directory / "cu", share)
    given_up = await custodian.finish_epoch_share(FinishEpochShareRequest(unopened_epoch="e2"))
    assert (given_up.epoch, given_up.kept_epoch) == ("e2", "e1")
    assert not has_share(town.world.directory / "cu", share)
    # The name alone does not make another key's share one that was open.
    await town.opened("e2")
    await town.world.gateway.rotation.abandon()
    assert await town.publish()
    assert (await custodian.finish_epoch_share(FINISH)).epoch == "e2"
    _, again = shares(town.world, "e2")
    await custodian.add_epoch_share(AddEpochShareRequest(share=again))
    assert await refused(custodian.finish_epoch_share(FINISH)) == (ErrorReason.EPOCH_STEP, ("epoch: unopened",))


async def test_a_restart_at_any_step_goes_on(town: Town) -> None:
    handle = await town.list_in("e1")
    await town.opened()
    await town.restart()
    assert await town.found("e1") == [handle]
    await town.list_in("e2")
    await town.restart()
    assert (await town.found("e1"), await town.found("e2")) == ([handle], [handle])
    await town.beat("e1", "e2")
    await town.world.gateway.rotation.cut_over(frozenset())
    await town.restart()
    assert await town.publish()
    assert (await town.found("e1"), await town.found("e2")) == ([handle], [handle])
    await town.world.gateway.rotation.finish()
    await town.restart()
    assert await town.publish()
    await town.world.gateway.ended.erase()
    assert states(town) == {"e1": "ENDED", "e2": "CURRENT"}
    await town.restart()
    assert await town.found("e2") == [handle]
    # The next rotation begins where this one ended.
    await town.world.custodian.administration.finish_epoch_share(FINISH)
    await town.opened("e3")
    await town.list_in("e3")
    assert await town.found("e3") == [handle]


async def test_tokens_that_an_older_copy_of_the_database_brought_back_are_erased_at_the_start(town: Town) -> None:
    await town.opened()
    await town.cut_over()
    old = town.resting("e1", ANA)
    await town.world.gateway.rotation.finish()
    await town.publish()
    await town.world.gateway.ended.erase()
    connection = sqlite3.connect(town.world.gateway_state.database, timeout=10)
    connection.execute("INSERT INTO index_token VALUES (?, ?, ?, ?)", (old[0], b"r" * 8, 0, "e1"))
    connection.commit()
    connection.close()
    assert old[0] in town.raw()
    await town.world.gateway.ended.erase(at_start=True)
    assert old[0] not in town.raw()


async def ended(town: Town) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The exchange has gone from e1 to e2; its shares and keys of before, and of while both epochs were answered."""
    before = secrets_of(town)
    await town.opened()
    await town.cut_over()
    between = secrets_of(town)
    await town.world.gateway.rotation.finish()
    await town.publish()
    await town.world.gateway.ended.erase()
    assert states(town) == {"e1": "ENDED", "e2": "CURRENT"}
    return before, between


def secrets_of(town: Town) -> dict[str, bytes]:
    """Shares and keys at rest, by the name of their file."""
    files = (town.world.gateway_state.directory / "secrets").iterdir()
    return {file.name: file.read_bytes() for file in files if file.name.startswith(("share", "epoch-", "storage"))}


def put_back(town: Town, kept: dict[str, bytes]) -> None:
    place = town.world.gateway_state.directory / "secrets"
    for name in secrets_of(town):
        (place / name).unlink()
    for name, content in kept.items():
        (place / name).write_bytes(content)
        (place / name).chmod(0o600)


async def test_shares_and_keys_of_before_a_rotation_do_not_make_everybody_a_stranger(town: Town) -> None:
    before, _ = await ended(town)
    after = secrets_of(town)
    assert len(await town.found("e2")) == 1
    put_back(town, before)
    await town.restart()
    # The other holders may still make tokens of e2: under the key of e1 nobody would be found by them.
    with pytest.raises(Invalid) as caught:
        await town.found("e2")
    assert caught.value.reason is ErrorReason.EPOCH_UNKNOWN
    with pytest.raises(StateBroken, match="of before epoch e2, which is the current one"):
        await town.world.gateway.ended.check_secrets()
    put_back(town, after)
    await town.restart()
    await town.world.gateway.ended.check_secrets()
    assert len(await town.found("e2")) == 1


async def test_shares_and_keys_of_an_ended_epoch_that_came_back_are_erased_at_the_start(town: Town) -> None:
    _, between = await ended(town)
    after = secrets_of(town)
    assert set(between) == {"share.bin", "epoch-e2.bin", "storage-e1.key", "storage-e2.key"}
    assert set(after) == {"share.bin", "storage-e2.key"}
    put_back(town, between)
    await town.restart()
    await town.world.gateway.ended.check_secrets()
    await town.world.gateway.ended.erase(at_start=True)
    assert secrets_of(town) == after
    assert town.world.kinds()[-1] == "epoch.erased"
    size = len(town.world.kinds())
    await town.world.gateway.ended.erase(at_start=True)
    assert len(town.world.kinds()) == size, "nothing came back"
    assert len(await town.found("e2")) == 1


async def test_a_large_database_is_rewritten_at_the_next_start_and_not_while_it_serves(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase_sqlite, "SMALL_BYTES", 0)
    await town.opened()
    await town.cut_over()
    old = town.resting("e1", ANA)
    await town.world.gateway.rotation.finish()
    await town.publish()
    await town.world.gateway.ended.erase()
    assert states(town)["e1"] == "ENDING"
    connection = sqlite3.connect(town.world.gateway_state.database)
    assert connection.execute("SELECT count(*) FROM index_token WHERE epoch = 'e1'").fetchone() == (0,)
    connection.close()
    await town.restart()
    await town.world.gateway.ended.erase(at_start=True)
    assert states(town)["e1"] == "ENDED"
    assert not [token for token in old if token in town.raw()]
