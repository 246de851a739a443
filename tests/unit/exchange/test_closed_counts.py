"""Seals say how many entries they have closed, all together, and a replay finds what else was closed."""

import random
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from audit.entry import StoredEntry
from audit.followed import Contradiction, Rule
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.closing import Closing
from gateway.exchange.journal import Kind
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.closed_counts import ClosedCount, closed_counts
from gateway.store.youth_keys import YouthKeysBroken, authority_name, youth_name
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.unit.exchange import seal_desk
from tests.unit.exchange.bare_seals import bare_seal
from tests.unit.exchange.members import KERN, POLICE, SF, STRTP, Youth
from tests.unit.exchange.seal_desk import ANA, BEN, answers, everything, order, restrict
from tests.unit.exchange.test_authorities import record, revoke
from tests.unit.exchange.test_presented import lose
from tests.unit.exchange.test_row_links import ask_by
from tests.unit.exchange.test_seal_forensics import Killed, KilledBeforeTheKeyLeaves, restrict_from_inside
from tests.unit.exchange.test_seal_gap import interrupt
from tests.unit.exchange.token_authority_desk import by_handle, by_tokens, digests, lift, lived, replayed, sealed
from tests.unit.exchange.world import World


def take_out(world: World, directory: Path, name: bytes) -> None:
    """Somebody takes a key out of keys.db, and leaves what a seal would leave."""
    with closing(sqlite3.connect(directory / "keys.db")) as keys, keys:
        keys.execute("INSERT INTO sealed_name VALUES (?)", (world.youth_keys.sealed_digest(name),))
        assert keys.execute("DELETE FROM youth_key WHERE name = ?", (name,)).rowcount == 1


def kept(world: World) -> ClosedCount:
    (count,) = closed_counts(world.seals.escrow.path)
    return count


def check_found(world: World) -> int:
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert found.value.rule is Rule.SEALED
    return found.value.index


# --- what it finds -----------------------------------------------------------------------------


async def test_a_genuine_seal_hides_no_key_of_another_youth_that_was_taken_out_before(
    world: World, tmp_path: Path
) -> None:
    handles = await seal_desk.lived(world)
    take_out(world, tmp_path, youth_name(SF, handles[BEN]))
    done = await restrict(world, handles[ANA])
    assert check_found(world) == done.receipt.index


async def test_a_genuine_seal_hides_no_key_of_another_authority_that_was_taken_out_before(
    world: World, tmp_path: Path
) -> None:
    had, other = await lived(world), await lived(world, BEN)
    take_out(world, tmp_path, authority_name(other.authority_id))
    done = await sealed(world, had)
    assert check_found(world) == done.receipt.index


async def test_nor_does_a_seal_that_was_there_before(world: World, tmp_path: Path) -> None:
    """As long as none follows, that the last seal came first finds it; between two, the number does."""
    handles = await seal_desk.lived(world)
    done = await restrict(world, handles[ANA])
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)
    replayed(world)
    take_out(world, tmp_path, youth_name(SF, handles[BEN]))
    assert check_found(world) == world.size() - 1


async def test_the_number_that_is_kept_is_the_one_that_the_entry_commits_to(world: World, tmp_path: Path) -> None:
    handles = await seal_desk.lived(world)
    take_out(world, tmp_path, youth_name(SF, handles[BEN]))
    done = await restrict(world, handles[ANA])
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        assert keys.execute("UPDATE closed_count SET count = count * 2").rowcount == 1
    assert check_found(world) == done.receipt.index
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        keys.execute("DELETE FROM closed_count")
    assert check_found(world) == done.receipt.index


async def test_no_later_order_leaves_the_number_out(world: World) -> None:
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    await world.log.append(bare_seal(SF))
    assert check_found(world) == world.size() - 1


class Conniving(Closing):
    """An exchange that counts with a genuine seal what somebody else's key closes."""

    also: ClassVar[list[StoredEntry]] = []

    async def closes(self, entries: Iterable[StoredEntry]) -> bytes:
        return await super().closes([*entries, *self.also])


async def test_a_key_that_the_exchange_counts_with_a_genuine_seal_is_not_found(world: World, tmp_path: Path) -> None:
    """What remains possible (audit/README.md, "Replay")."""
    handles = await seal_desk.lived(world)
    Conniving.also[:] = await seal_desk.entries_of(world, BEN)
    closes = world.sealing._sealing.closing
    conniving = Conniving(closes.counts, closes.keys, closes.random_bytes)
    object.__setattr__(world.sealing._sealing, "closing", conniving)
    take_out(world, tmp_path, youth_name(SF, handles[BEN]))
    await restrict(world, handles[ANA])
    assert replayed(world).sealed > 0, "and nothing is found"
    assert kept(world).count == 4, "two youths' releases for one seal"


# --- what it does not tell ---------------------------------------------------------------------


async def test_nobody_can_open_how_many_entries_one_seal_closed(world: World, tmp_path: Path) -> None:
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    before = kept(world)
    assert before.count == 2
    assert before.salt in everything(tmp_path)
    await restrict(world, handles[BEN])
    assert kept(world).count == 4
    assert before.salt not in everything(tmp_path)
    said = [leaf.op["closed"] for leaf in await world.leaves() if leaf.kind == Kind.SEAL_RESTRICTED]
    assert said == [before.digest.hex(), kept(world).digest.hex()]
    # A guess at the number is no help without the salt, which nobody has.
    guesses = {ClosedCount(kept(world).salt, 0, number).digest.hex() for number in range(1000)}
    assert guesses.intersection(said) == {said[1]}


# --- what an honest exchange does --------------------------------------------------------------


async def test_a_lifted_seal_gives_back_what_opens_again(world: World) -> None:
    had = await lived(world)
    done = await sealed(world, had)
    before = kept(world).count
    assert before == len(had.entries)
    replayed(world)
    await lift(world, done)
    # The authority's own key never comes back; of the youth's own entries one was a release.
    assert kept(world).count == before - 1
    replayed(world)


async def test_after_a_loss_the_number_of_an_order_that_is_lost_keeps_nobody_from_starting(
    world: World, tmp_path: Path
) -> None:
    """keys.db is newer than what is left of the log: the number is the lost order's."""
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    of_a_lost_order(tmp_path)
    with pytest.raises(YouthKeysBroken):
        await world.seals.settle(world.setting.journal)
    await lose(world)
    await world.seals.settle(world.setting.journal)
    await restrict(world, handles[BEN])
    await world.seals.settle(world.setting.journal)


@pytest.mark.parametrize("entries", [0, 5])
async def test_after_a_loss_behind_the_last_order_what_is_closed_is_counted_on(world: World, entries: int) -> None:
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    await lose(world, entries=entries)
    replayed(world)
    world.clock.advance(seconds=60)
    await world.all_current()
    await world.check_flag(POLICE, BEN)
    await restrict(world, handles[BEN])
    assert (kept(world).since, kept(world).count) == (0, 5)
    replayed(world)


async def test_after_a_loss_of_the_last_order_what_is_closed_is_counted_anew(world: World, tmp_path: Path) -> None:
    """What lost seals had closed nobody can count."""
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    of_a_lost_order(tmp_path)
    await lose(world)
    await world.seals.check()
    replayed(world)
    lost = world.size()
    world.clock.advance(seconds=60)
    await world.all_current()
    await world.check_flag(POLICE, BEN)
    await restrict(world, handles[BEN])
    assert (kept(world).since, kept(world).count) == (lost, 1)
    replayed(world)


@pytest.mark.parametrize("entries", [0, 5])
async def test_no_loss_makes_a_file_of_before_the_last_order_good(world: World, tmp_path: Path, entries: int) -> None:
    """A sealed youth's key is in it. Rows were lost and no entry, or entries behind the order."""
    handles = await seal_desk.lived(world)
    await restrict(world, handles[BEN])
    copied(tmp_path / "keys.db", tmp_path / "older.db")
    await restrict(world, handles[ANA])
    await lose(world, entries=entries)
    await world.seals.check()
    copied(tmp_path / "keys.db", tmp_path / "newest.db")
    copied(tmp_path / "older.db", tmp_path / "keys.db")
    with pytest.raises(YouthKeysBroken):
        await world.seals.check()
    with pytest.raises(YouthKeysBroken):
        await world.seals.settle(world.setting.journal)
    order = max(leaf.entry.index for leaf in await world.leaves() if leaf.kind == Kind.SEAL_RESTRICTED)
    assert check_found(world) == order
    # What the refusal asks for.
    copied(tmp_path / "newest.db", tmp_path / "keys.db")
    await world.seals.settle(world.setting.journal)


async def test_a_loss_of_rows_alone_excuses_no_key_that_is_gone(world: World, tmp_path: Path) -> None:
    handles = await seal_desk.lived(world)
    take_out(world, tmp_path, youth_name(SF, handles[BEN]))
    await lose(world, entries=0)
    check_found(world)


async def test_nor_the_number_of_a_lost_order(world: World, tmp_path: Path) -> None:
    """Where rows alone were lost there is no lost order."""
    handles = await seal_desk.lived(world)
    await restrict(world, handles[ANA])
    of_a_lost_order(tmp_path)
    await lose(world, entries=0)
    with pytest.raises(YouthKeysBroken):
        await world.seals.check()


def of_a_lost_order(directory: Path) -> None:
    """What is kept is the number of a further order, which the log has not."""
    with closing(sqlite3.connect(directory / "keys.db")) as keys, keys:
        keys.execute("UPDATE closed_count SET count = count + 1, salt = ?", (b"s" * 32,))


def copied(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def killed_before_the_key_leaves(world: World) -> None:
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))


class KilledAfterTheEntry(Closing):
    """The process is killed once the entry is durable."""

    async def done(self, commitment: bytes) -> None:
        raise Killed


def killed_after_the_entry(world: World) -> None:
    closes = world.sealing._sealing.closing
    killed = KilledAfterTheEntry(closes.counts, closes.keys, closes.random_bytes)
    object.__setattr__(world.sealing._sealing, "closing", killed)


@pytest.mark.parametrize("kill", [killed_before_the_key_leaves, killed_after_the_entry])
async def test_whoever_is_killed_during_an_order_counts_it_at_the_next_start(
    world: World, kill: Callable[[World], None]
) -> None:
    handles = await seal_desk.lived(world)
    escrow, closes = world.seals.escrow, world.sealing._sealing.closing
    kill(world)
    with pytest.raises(Killed):
        await restrict(world, handles[ANA])
    object.__setattr__(world.sealing._sealing, "escrow", escrow)
    object.__setattr__(world.sealing._sealing, "closing", closes)
    await world.seals.settle(world.setting.journal)
    replayed(world)
    await restrict(world, handles[BEN])
    assert kept(world).count == 4
    replayed(world)


async def test_an_order_that_was_not_written_counts_nothing(world: World) -> None:
    handles = await seal_desk.lived(world)

    async def ended() -> None:
        raise Unavailable(ErrorReason.LOG_UNAVAILABLE)

    interrupt(world, ended)
    with pytest.raises(Unavailable):
        await restrict(world, handles[ANA])
    object.__setattr__(world.sealing._sealing, "escrow", world.seals.escrow)
    await restrict(world, handles[BEN])
    assert kept(world).count == 2
    replayed(world)


async def test_what_was_under_way_and_was_refused_after_the_seal_counts_nothing(world: World) -> None:
    handles = await seal_desk.lived(world)

    async def seal_meanwhile(agency: AgencyId, work: WorkOrder) -> WorkResult:
        await restrict_from_inside(world, handles[ANA])
        return answers(agency, work)

    world.sources.meanwhile = seal_meanwhile
    await world.ask_records(KERN, ANA)
    world.sources.meanwhile = None
    replayed(world)
    assert kept(world).count == 2, "what the seal closed, and nothing of the request that it refused"
    await restrict(world, handles[BEN])
    replayed(world)
    assert kept(world).count == 4


class Life:
    """What an exchange may live through, in any order."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.listed = dict[Youth, SubjectHandle]()
        self.authorities = list[AuthorityId]()
        self.restricted = list[pb.SealResponse]()

    async def list_youth(self) -> None:
        youth = Youth(f"Invented {len(self.listed) + len(self.restricted)} {self.chance.random()}")
        self.listed[youth] = await self.world.register(SF, youth, placed_in=KERN[:5])
        await self.world.all_current()
        if self.chance.random() < 0.5:
            await self.world.raise_flag(SF, youth, handle=self.listed[youth])

    async def ask(self) -> None:
        await self.world.all_current()
        youth = self._anybody()
        await self.world.check_flag(POLICE, youth)
        await self.world.ask_records(KERN, youth)

    async def consent(self) -> None:
        youth = self._anybody()
        named = by_handle if youth in self.listed and self.chance.random() < 0.5 else by_tokens
        message = named(self.world, youth)
        await record(self.world, message, agency=AgencyId(message.issuer_agency))
        await self.world.all_current()
        await ask_by(self.world, youth, AuthorityId(message.authority_id))
        await ask_by(self.world, Youth("Nobody"), AuthorityId(message.authority_id))
        if self.chance.random() < 0.5:
            await revoke(self.world, message.authority_id, agency=STRTP)
            await ask_by(self.world, youth, AuthorityId(message.authority_id))

    async def seal(self) -> None:
        if self.listed:
            youth = self.chance.choice(list(self.listed))
            handle = self.listed.pop(youth)
            if self.chance.random() < 0.7:
                done = await restrict(self.world, handle, token_digests=digests(self.world, youth))
                self.restricted.append(done)
            else:
                await order(self.world, operation=pb.SEAL_OPERATION_DESTROY, subject_handle=handle)

    async def end_seal(self) -> None:
        if self.restricted:
            done = self.restricted.pop(self.chance.randrange(len(self.restricted)))
            if self.chance.random() < 0.5:
                await lift(self.world, done)
            else:
                await order(self.world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)

    async def lose(self) -> None:
        await lose(self.world)

    def _anybody(self) -> Youth:
        return self.chance.choice([*self.listed, Youth("Nobody")])


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_an_honest_exchange_lives_through_adds_up(world: World, seed: int) -> None:
    world.sources.answer = answers
    life = Life(world, random.Random(seed))
    await life.list_youth()
    acts = [life.list_youth, life.ask, life.consent, life.seal, life.end_seal, life.ask, life.consent, life.seal]
    for turn in range(24):
        world.clock.advance(seconds=60)
        await (life.lose() if turn == 15 and seed % 2 else life.chance.choice(acts)())
        replayed(world)
    assert any(leaf.op.get("closed") for leaf in await world.leaves())
    world.check_projections()
