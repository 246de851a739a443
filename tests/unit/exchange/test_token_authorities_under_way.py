"""A key of an authority leaves with a seal whatever ends the process, and nothing that is under way outlives it."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audit.errors import EvidenceError
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.deed import Moved
from gateway.exchange.journal import Kind
from gateway.ports import Guard, KeptAuthority, Rows
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store import tables
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.seals import SqlSeals
from gateway.store.youth_keys import FileYouthKeys, authority_name, youth_name
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_CONSENT_NEEDED, OUTCOME_RECORDED
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from tests.unit.exchange.members import LA, POLICE, SF, STRTP, Youth
from tests.unit.exchange.row_links import copied
from tests.unit.exchange.seal_desk import ANA, BEN, restrict
from tests.unit.exchange.test_authorities import listed, record, revoke
from tests.unit.exchange.test_row_links import ask_by, every_entry
from tests.unit.exchange.test_seal_forensics import Killed, KilledBeforeTheKeyLeaves
from tests.unit.exchange.token_authority_desk import (
    by_tokens,
    digests,
    lift,
    lived,
    naming,
    replayed,
    sealed,
)
from tests.unit.exchange.world import World

# --- crashes, older copies, lifted seals -------------------------------------------------------


async def test_whoever_is_killed_before_the_key_leaves_takes_it_out_at_the_next_start(world: World) -> None:
    had = await lived(world)
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))
    with pytest.raises(Killed):
        await sealed(world, had)
    assert naming(world, had.authority_id) == had.entries
    world.check_projections()
    for agency in (LA, STRTP):
        with pytest.raises(Invalid):
            await revoke(world, had.authority_id, agency=agency)
    await world.seals.settle(world.setting.journal)
    assert naming(world, had.authority_id) == []
    world.check_projections()
    replayed(world)


async def test_an_order_whose_caller_gives_up_is_carried_out_to_its_end(world: World, tmp_path: Path) -> None:
    for turns in range(24):
        youth = Youth(f"Invented {turns}")
        handle = await world.register(SF, youth)
        message = by_tokens(world, youth)
        await record(world, message)
        before = world.size()
        order = asyncio.create_task(restrict(world, handle, token_digests=digests(world, youth)))
        for _ in range(turns):
            await asyncio.sleep(0.0005)
        order.cancel()
        with suppress(asyncio.CancelledError):
            await order
        while under_way := world.sealing._under_way:
            await asyncio.wait(under_way)
        with closing(sqlite3.connect(tmp_path / "keys.db")) as connection:
            waiting = connection.execute("SELECT count(*) FROM escrow WHERE name IS NOT NULL").fetchone()
        assert waiting == (0,), "nobody is told of a seal that no entry is of"
        names = youth_name(SF, handle), authority_name(AuthorityId(message.authority_id))
        gone = {world.youth_keys.is_sealed(name) for name in names}
        entered = any(entry.kind == Kind.SEAL_RESTRICTED for entry in every_entry(world)[before:])
        assert gone == {entered}, "a key is gone exactly if its seal is on record"
    world.check_projections()
    replayed(world)


async def test_authorities_about_others_hold_up_no_seal(world: World) -> None:
    had = await lived(world)
    _, guard = await world.seals._kept().naming(SF, had.handle, frozenset(digests(world, ANA)))
    await record(world, by_tokens(world, BEN))
    assert world.reader.read(guard) is None
    # The control: one about the youth does.
    await record(world, by_tokens(world, ANA))
    with pytest.raises(Moved):
        world.reader.read(guard)


async def test_a_deposit_that_no_entry_followed_leaves_the_authority_its_key(world: World) -> None:
    had = await lived(world)
    escrow = world.seals.escrow
    custodian = world.custodian.public_bytes
    escrow.deposit(SF, had.handle, b"1" * 16, custodian_key=custodian, authorities=[had.authority_id])
    escrow.settle({})
    assert naming(world, had.authority_id) == had.entries


async def test_an_older_database_and_a_lifted_seal_bring_nothing_of_the_authority_back(
    world: World, tmp_path: Path
) -> None:
    had = await lived(world)
    (row,), parties = world.rows(tables.authority), world.rows(tables.authority_party)
    done = await sealed(world, had)
    await lift(world, done)
    # Which authority the youth's own entry names is the youth's to say, whose key is back.
    about_the_youth = [entry for entry in had.entries if entry.holder == SF]
    assert naming(world, had.authority_id) == about_the_youth
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("UPDATE authority SET sealed = ?", (row["sealed"],))
        database.executemany("INSERT INTO authority_party VALUES (?, ?)", [tuple(each.values()) for each in parties])
    world.check_projections()
    await world.seals.settle(world.setting.journal)
    world.check_projections()
    assert not (await listed(world, LA)).authorities
    with pytest.raises(Invalid):
        await revoke(world, had.authority_id)
    message = by_tokens(world, ANA)
    message.authority_id = had.authority_id
    with pytest.raises(Conflict):
        await record(world, message)
    assert (await ask_by(world, ANA, had.authority_id)).outcome == OUTCOME_CONSENT_NEEDED
    assert naming(world, had.authority_id) == about_the_youth
    # The youth's own entry names one that the log says no more of: a seal follows, and explains it.
    counts = replayed(world)
    assert counts.sealed + counts.closed == len(had.entries) - len(about_the_youth)


async def test_an_edited_row_of_another_authority_is_found_after_the_seal(world: World, tmp_path: Path) -> None:
    had, other = await lived(world), await lived(world, BEN)
    await sealed(world, had)
    world.check_projections()
    for edit in ("revocation = NULL", "issuer = '06077.probation'", "leaf_index = 0"):
        kept = copied(tmp_path / "gateway.db", tmp_path / "kept")
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
            changed = database.execute(f"UPDATE authority SET {edit} WHERE authority_id = ?", (other.authority_id,))  # noqa: S608
            assert changed.rowcount == 1
        with pytest.raises(EvidenceError):
            world.check_projections()
        with closing(sqlite3.connect(kept)) as saved, closing(sqlite3.connect(tmp_path / "gateway.db")) as database:
            saved.backup(database)
        kept.unlink()
    world.check_projections()


# --- what is under way while the youth is sealed -----------------------------------------------


class Meanwhile(SqlAuthorityBook):
    """A book in which something happens before an authority is revoked."""

    happens: ClassVar[list[Callable[[], Awaitable[Any]]]] = []

    async def revoke(self, authority_id: AuthorityId, at_ms: int) -> Rows:
        rows = await super().revoke(authority_id, at_ms)
        while self.happens:
            await self.happens.pop()()
        return rows


async def test_no_revocation_follows_the_seal_that_took_its_authority(world: World) -> None:
    """The key that its entry hangs on leaves in a moment; it would be about a youth that no later seal explains."""
    had = await lived(world)
    escrow = world.seals.escrow
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(escrow))

    async def closed() -> None:
        with pytest.raises(Killed):
            await sealed(world, had)

    book = Meanwhile(world.lookups, world.authority_keys)
    book.happens.append(closed)
    world.records._book = book
    with pytest.raises(Invalid) as refused:
        await revoke(world, had.authority_id)
    assert refused.value.reason is ErrorReason.AUTHORITY_NOT_FOUND
    await world.seals.settle(world.setting.journal)
    replayed(world)


class AskedMeanwhile(SqlAuthorities):
    """Authorities of which one is asked for, and then something happens."""

    happens: ClassVar[list[Callable[[], Awaitable[Any]]]] = []

    async def get(self, authority_id: AuthorityId) -> KeptAuthority | None:
        found = await super().get(authority_id)
        while self.happens:
            await self.happens.pop()()
        return found


async def test_no_refusal_names_an_authority_after_the_seal_that_took_it(world: World) -> None:
    had = await lived(world)
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))

    async def closed() -> None:
        with pytest.raises(Killed):
            # Another peer's call.
            await asyncio.get_running_loop().create_task(sealed(world, had))

    asked = AskedMeanwhile(world.lookups, world.authority_keys)
    asked.happens.append(closed)
    object.__setattr__(world.setting, "authorities", asked)
    assert (await ask_by(world, ANA, had.authority_id)).outcome == OUTCOME_CONSENT_NEEDED
    assert naming(world, had.authority_id) == had.entries
    await world.seals.settle(world.setting.journal)
    replayed(world)


class SlowToOpen(FileAuthorityKeys):
    """Keys of authorities, the first of which is slow to open: so slow that other calls are answered meanwhile."""

    def __init__(self, path: Path, keys: FileYouthKeys) -> None:
        super().__init__(path, keys)
        self.begun, self.answered = threading.Event(), threading.Event()
        self.waited = list[bool]()

    def open(self, authority_id: AuthorityId, sealed: bytes) -> SignedEnvelope | None:
        if not self.waited:
            self.begun.set()
            self.waited.append(self.answered.wait(timeout=5))
        return super().open(authority_id, sealed)


async def test_others_are_answered_while_an_order_looks_through_every_authority(world: World, tmp_path: Path) -> None:
    had = await lived(world)
    await world.raise_flag(SF, ANA, handle=had.handle)
    slow = SlowToOpen(tmp_path / "keys.db", world.youth_keys)
    object.__setattr__(world.sealing._sealing.orders, "seals", SqlSeals(world.lookups, world.youth_keys, slow))
    order = asyncio.create_task(sealed(world, had))
    assert await asyncio.to_thread(slow.begun.wait, 5)
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED
    slow.answered.set()
    assert (await order).outcome == OUTCOME_RECORDED
    assert slow.waited == [True]
    # What was answered meanwhile leaves with the youth, and so does the authority that was found.
    assert naming(world, had.authority_id) == []
    assert world.youth_keys.row_of(SF, had.handle) is None
    slow.close()
    replayed(world)


class RecordedMeanwhile(SqlSeals):
    """Seals among which an authority comes on record while those that name the youth are looked for."""

    happens: ClassVar[list[Callable[[], Awaitable[Any]]]] = []

    async def naming(
        self, owner: AgencyId, handle: SubjectHandle, digests: frozenset[bytes]
    ) -> tuple[Sequence[AuthorityId], Guard]:
        found = await super().naming(owner, handle, digests)
        while self.happens:
            await self.happens.pop()()
        return found


async def test_an_authority_that_comes_on_record_during_the_order_leaves_with_the_seal(world: World) -> None:
    had, late = await lived(world), by_tokens(world, ANA)
    seals = RecordedMeanwhile(world.lookups, world.youth_keys, world.authority_keys)
    seals.happens.append(lambda: record(world, late))
    object.__setattr__(world.sealing._sealing.orders, "seals", seals)
    await sealed(world, had)
    assert naming(world, AuthorityId(late.authority_id)) == []
    assert world.youth_keys.is_sealed(authority_name(AuthorityId(late.authority_id)))
    replayed(world)
