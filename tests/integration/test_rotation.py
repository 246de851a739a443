"""The rotation of the token key at a real gateway and a real custodian: every step, its refusals, and what is left."""

import os
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert

from audit.log import INDEX, Append
from audit.reader import Reader
from audit.statement import Statement
from gateway.config import load_gateway
from gateway.errors import Error, ErrorReason, Invalid
from gateway.exchange.coverage import Coverage
from gateway.exchange.journal import Kind, draft
from gateway.members.assembly import open_members, read_keys
from gateway.protocol.directory import DirectoryView
from gateway.protocol.epochs import EpochState
from gateway.protocol.names import AgencyId, Call, FlagState
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.facts import milliseconds
from gateway.state import StateBroken
from gateway.store import erase_sqlite, tables
from gateway.store.index import SqlIndex
from gateway.store.lookups import Lookups
from gateway.tokens.ceremony import deal
from gateway.tokens.index import Registrations, Signed
from gateway.tokens.share_file import DealtShare
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1 import index_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION
from tests.unit.members.batches import batch, record
from tests.unit.members.world import County, World, make_world
from tests.unit.token_sets import token_set

ANA, BEN = "ana", "ben"
_FLAG = Statement(insert(tables.flag))


async def _nothing(*_: object) -> None:
    return None


@dataclass
class Town:
    """A gateway, its custodian, two counties and what they list."""

    world: World
    counties: list[County] = field(default_factory=list)
    revision: int = 0

    @property
    def view(self) -> DirectoryView:
        """The directory in force."""
        view = self.world.gateway.office.view()
        assert view is not None
        return view

    @property
    def registrations(self) -> Registrations:
        members, view = self.world.gateway, self.view
        return Registrations(
            members.ledger,
            directory=lambda: view,
            at_rest=members.at_rest,
            prepare=_nothing,
            acknowledged=lambda _: 0,
            now=self.world.clock,
        )

    def tokens(self, epoch: str, name: str) -> TokenSet:
        def mint(key: str, pad: int) -> list[bytes]:
            return [sha256(f"{epoch} {key} {name} {place}".encode()).digest()[:16] for place in range(pad)]

        return token_set(epoch, mint)

    async def list_in(self, epoch: str, name: str = ANA, *, county: int = 0) -> bytes:
        """The county lists the youth; its handle."""
        handle = sha256(f"{county} {name}".encode()).digest()[:16]
        subject = pb.Subject(handle=handle, tokens=self.tokens(epoch, name), restriction=pb.RESTRICTION_NONE)
        batch = pb.RegistrationBatch(request_id=os.urandom(16), subjects=[subject])
        agency = AgencyId(self.counties[county].agency)
        await self.registrations.register(Signed(agency, os.urandom(32)), batch)
        return handle

    async def beat(self, *epochs: str, counties: tuple[int, ...] = (0, 1)) -> None:
        """The lists of these counties are complete in these epochs."""
        for county in counties:
            beat = pb.IndexHeartbeat(revision=1, scope=pb.INDEX_SCOPE_ALL_IN_CARE, complete_epochs=epochs)
            beat.log_origin = self.view.message.log_origin
            beat.data_as_of_time.FromDatetime(self.world.clock())
            beat.create_time.FromDatetime(self.world.clock())
            await self.registrations.beat(Signed(AgencyId(self.counties[county].agency), os.urandom(32)), beat)

    async def found(self, epoch: str, name: str = ANA) -> list[bytes]:
        """Handles that a question in this epoch finds."""
        reader = Reader(self.world.gateway.store)
        try:
            index = SqlIndex(Lookups(reader, threaded=False), self.world.gateway.at_rest)
            return [each.handle for each in await index.candidates(self.tokens(epoch, name))]
        finally:
            reader.close()

    async def stale(self, epoch: str) -> tuple[str, ...]:
        """Counties of which a miss in this epoch cannot be believed."""
        reader = Reader(self.world.gateway.store)
        index = SqlIndex(Lookups(reader, threaded=False), self.world.gateway.at_rest)
        coverage = Coverage(
            lambda: [AgencyId(each.agency) for each in self.counties],
            index.listings,
            is_listed_in=lambda name: name in self.view.epochs and self.view.epochs[name].is_listed_in,
        )
        try:
            return await coverage.stale(Call.FLAG_CHECK, epoch=epoch, now=self.world.clock())
        finally:
            reader.close()

    async def raise_flag(self, handle: bytes, *, county: int = 0) -> None:
        """Somebody looks for the youth."""
        now = milliseconds(self.world.clock())
        row = (
            os.urandom(16),
            self.counties[county].agency,
            handle,
            str(FlagState.ACTIVE),
            1,
            b"s",
            now,
            now,
            now,
            INDEX,
        )
        await self.world.gateway.ledger.append(Append(draft(Kind.ALERT_ACKNOWLEDGED, op={}), rows=((_FLAG, row),)))

    async def publish(self) -> bool:
        """One attempt of the directory office; whether the published directory says all there is to say."""
        return await self.world.gateway.office.step()

    async def opened(self, epoch: str = "e2") -> None:
        """The epoch is open and announced."""
        ours, theirs = shares(self.world, epoch)
        await self.world.custodian.administration.add_epoch_share(admin_pb2.AddEpochShareRequest(share=theirs))
        await self.world.gateway.rotation.open(ours)
        assert await self.publish()

    async def cut_over(self) -> None:
        """Both counties list Ana and Ben in e2, which is the current epoch."""
        for epoch in ("e1", "e2"):
            await self.list_in(epoch, ANA)
            await self.list_in(epoch, BEN, county=1)
        await self.beat("e1", "e2")
        await self.world.gateway.rotation.cut_over(frozenset())
        assert await self.publish()

    async def restart(self) -> None:
        """The gateway was stopped and started: every entry was verified, and the projections by them."""
        world, old = self.world, self.world.gateway
        await old.ledger.close()
        config = load_gateway(world.gateway_state.directory)
        keys = read_keys(world.gateway_state, config, world.group, now=world.clock, random_bytes=os.urandom)
        world.gateway = await open_members(
            world.gateway_state,
            config,
            keys,
            policy=load_california(),
            group=world.group,
            signers=world.signers,
            now=world.clock,
            random_bytes=os.urandom,
        )

    def raw(self) -> bytes:
        """The database's files, byte by byte."""
        database = self.world.gateway_state.database
        files = [database, database.with_name(f"{database.name}-wal")]
        return b"".join(file.read_bytes() for file in files if file.exists())

    def resting(self, epoch: str, name: str) -> list[bytes]:
        """The youth's tokens as they rest."""
        present = [token for group in self.tokens(epoch, name).keys if group.present for token in group.tokens]
        return self.world.gateway.at_rest(epoch, present)


def shares(world: World, epoch: str) -> tuple[bytes, bytes]:
    """The gateway's and the custodian's share of a new ceremony."""
    dealing = deal(world.group, threshold=2, holders=2, random_bytes=os.urandom)
    ours, theirs = (DealtShare(epoch, share, dealing.commitments).to_bytes() for share in dealing.shares)
    return ours, theirs


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(await make_world(tmp_path))
    await made.world.trust()
    made.counties = [County(fips=fips, clock=made.world.clock) for fips in ("06029", "06037")]
    for county in made.counties:
        await made.world.enroll(county)
        await made.world.admit(county)
    assert await made.publish()
    yield made
    await made.world.close()


async def refused(step: object) -> tuple[ErrorReason, tuple[str, ...]]:
    with pytest.raises(Error) as caught:
        await step  # type: ignore[misc]
    return caught.value.reason, caught.value.fields


def states(town: Town) -> dict[str, str]:
    connection = sqlite3.connect(town.world.gateway_state.database)
    found = dict(connection.execute("SELECT name, state FROM epoch"))
    connection.close()
    return found


def has_share(place: Path, share: bytes) -> bool:
    secret = share[-96:-64]
    return any(secret in file.read_bytes() for file in (place / "secrets").iterdir())


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
    await rotation.erase()
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


# --- the end of an epoch


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
    assert await refused(world.custodian.administration.finish_epoch_share()) == (
        ErrorReason.EPOCH_STEP,
        ("epoch: named",),
    )
    await world.gateway.rotation.finish()
    await world.gateway.rotation.erase()
    assert all(token in town.raw() for token in old), "a directory in force still names the epoch"
    assert await town.publish()
    await world.gateway.rotation.erase()
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
    assert (await world.custodian.administration.finish_epoch_share()).epoch == "e1"
    assert not has_share(world.directory / "cu", theirs)
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
    await town.world.gateway.rotation.erase()
    after = town.raw()
    assert not [token for token in gone if token in after]
    assert not has_share(town.world.gateway_state.directory, share)
    assert await town.found("e1") == [handle]
    assert (await town.world.custodian.administration.finish_epoch_share()).epoch == "e2"
    await town.opened("e3")


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
    await town.world.gateway.rotation.erase()
    assert states(town) == {"e1": "ENDED", "e2": "CURRENT"}
    await town.restart()
    assert await town.found("e2") == [handle]
    # The next rotation begins where this one ended.
    await town.world.custodian.administration.finish_epoch_share()
    await town.opened("e3")
    await town.list_in("e3")
    assert await town.found("e3") == [handle]


async def test_tokens_that_an_older_copy_of_the_database_brought_back_are_erased_at_the_start(town: Town) -> None:
    await town.opened()
    await town.cut_over()
    old = town.resting("e1", ANA)
    await town.world.gateway.rotation.finish()
    await town.publish()
    await town.world.gateway.rotation.erase()
    connection = sqlite3.connect(town.world.gateway_state.database, timeout=10)
    row = (old[0], town.counties[0].agency, b"h" * 16, "name_dob", "e1")
    connection.execute("INSERT INTO index_token VALUES (?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    assert old[0] in town.raw()
    await town.world.gateway.rotation.erase(at_start=True)
    assert old[0] not in town.raw()


async def ended(town: Town) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The exchange has gone from e1 to e2; its shares and keys of before, and of while both epochs were answered."""
    before = secrets_of(town)
    await town.opened()
    await town.cut_over()
    between = secrets_of(town)
    await town.world.gateway.rotation.finish()
    await town.publish()
    await town.world.gateway.rotation.erase()
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
        await town.world.gateway.rotation.check_secrets()
    put_back(town, after)
    await town.restart()
    await town.world.gateway.rotation.check_secrets()
    assert len(await town.found("e2")) == 1


async def test_shares_and_keys_of_an_ended_epoch_that_came_back_are_erased_at_the_start(town: Town) -> None:
    _, between = await ended(town)
    after = secrets_of(town)
    assert set(between) == {"share.bin", "epoch-e2.bin", "storage-e1.key", "storage-e2.key"}
    assert set(after) == {"share.bin", "storage-e2.key"}
    put_back(town, between)
    await town.restart()
    await town.world.gateway.rotation.check_secrets()
    await town.world.gateway.rotation.erase(at_start=True)
    assert secrets_of(town) == after
    assert town.world.kinds()[-1] == "epoch.erased"
    size = len(town.world.kinds())
    await town.world.gateway.rotation.erase(at_start=True)
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
    await town.world.gateway.rotation.erase()
    assert states(town)["e1"] == "ENDING"
    connection = sqlite3.connect(town.world.gateway_state.database)
    assert connection.execute("SELECT count(*) FROM index_token WHERE epoch = 'e1'").fetchone() == (0,)
    connection.close()
    await town.restart()
    await town.world.gateway.rotation.erase(at_start=True)
    assert states(town)["e1"] == "ENDED"
    assert not [token for token in old if token in town.raw()]
