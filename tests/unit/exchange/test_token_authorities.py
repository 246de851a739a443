"""After a youth's seal nobody can tell which entries were about one authority, though that may name it by tokens, and
nobody here knows whose they are.

Each search has its control: what would tie them is planted, and found.
"""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from audit.followed import Contradiction, Rule
from audit.sequencer import Append
from gateway.exchange.journal import Kind, draft
from gateway.protocol.names import AgencyId, AuthorityId
from gateway.store import tables
from gateway.store.youth_keys import authority_name
from homeward.audit.v1.log_pb2 import EntryFilter
from tests.unit.exchange.bare_seals import bare_seal
from tests.unit.exchange.members import LA, SF, STRTP, officer
from tests.unit.exchange.row_links import copied, held_together, led_to
from tests.unit.exchange.seal_desk import ANA, BEN, every_key, everything, opens, restrict
from tests.unit.exchange.test_access import fields
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.test_presented import lose, present, revocation, signed
from tests.unit.exchange.test_row_links import every_entry, shared
from tests.unit.exchange.token_authority_desk import (
    Consent,
    by_handle,
    by_tokens,
    digests,
    lift,
    lived,
    naming,
    replayed,
    sealed,
)
from tests.unit.exchange.world import World


@pytest.mark.parametrize("named", [by_handle, by_tokens])
async def test_nothing_ties_the_entries_of_an_authority_after_the_seal(
    world: World, tmp_path: Path, named: Consent
) -> None:
    had = await lived(world, named=named)
    assert [len(had.of(kind)) for kind in (Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_REVOKED, Kind.DECISION)] == [2, 1, 3]
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    await sealed(world, had)
    assert shared(had.entries, world) == set()
    for database in (backup, tmp_path / "gateway.db"):
        assert held_together(database, had.entries) == {}
        # What is left of its row, and what an older copy has of it, leads to the entry that recorded it alone.
        led = led_to(database, every_entry(world), world.class_keys, had.authority_id)
        assert led.keys() == {had.of(Kind.AUTHORITY_RECORDED)[0].index}
    assert naming(world, had.authority_id) == []
    # The control: an authority that two entries name in class `req`, as they once did, is seen.
    for _ in range(2):
        leaf = draft(Kind.DECISION, requester=LA, req={"authority": had.authority_id.hex()})
        await world.log.append(Append(leaf))
    planted = [entry for entry in every_entry(world) if entry.index >= world.size() - 2]
    assert shared([*had.entries, *planted], world) == {(world.size() - 2, world.size() - 1)}
    led = led_to(tmp_path / "gateway.db", every_entry(world), world.class_keys, had.authority_id)
    assert led.keys() > {entry.index for entry in planted}


@pytest.mark.parametrize("named", [by_handle, by_tokens])
async def test_nothing_ties_what_was_presented_again_after_a_loss_to_what_was_recorded(
    world: World, tmp_path: Path, named: Consent
) -> None:
    handle, message = await world.register(SF, ANA), named(world, ANA)
    issuer, authority_id = AgencyId(message.issuer_agency), AuthorityId(message.authority_id)
    await record(world, message, agency=issuer)
    await lose(world)
    world.clock.advance(seconds=60)
    await present(world, issuer, authority=signed(world, message))
    world.clock.advance(seconds=60)
    await present(world, STRTP, revocation=revocation(world, authority_id))
    entries = naming(world, authority_id)
    kinds = [Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_PRESENTED, Kind.AUTHORITY_REVOKED]
    assert [entry.kind for entry in entries] == kinds
    world.check_projections()
    world.clock.advance(seconds=60)
    await restrict(world, handle, token_digests=digests(world, ANA))
    assert naming(world, authority_id) == []
    assert shared(entries, world) == set()
    assert held_together(tmp_path / "gateway.db", entries) == {}
    counts = replayed(world)
    assert counts.sealed + counts.closed == 3


async def test_no_file_holds_the_key_of_an_authority_that_left_or_its_name(world: World, tmp_path: Path) -> None:
    had, other = await lived(world), await lived(world, BEN)
    name, backup = authority_name(had.authority_id), tmp_path.with_name("backup")
    key = world.youth_keys.named(name) or b""
    (wrapped,) = (row[1] for row in _key_rows(tmp_path) if row[0] == name)
    assert wrapped in everything(tmp_path)
    assert name in everything(tmp_path)
    shutil.copytree(tmp_path, backup, ignore=shutil.ignore_patterns("keys.db*"))
    await sealed(world, had)
    for directory in (tmp_path, backup):
        assert not any(secret in everything(directory) for secret in (key, wrapped, name))
    assert authority_name(other.authority_id) in everything(tmp_path)
    keys = every_key(tmp_path)
    assert not any(opens(entry, keys) for entry in had.entries)
    assert all(opens(entry, keys) for entry in other.entries)
    assert world.youth_keys.named(name) is None
    shutil.rmtree(backup)


def _key_rows(directory: Path) -> list[tuple[bytes, bytes]]:
    with closing(sqlite3.connect(directory / "keys.db")) as connection:
        return [(bytes(a), bytes(b)) for a, b in connection.execute("SELECT name, wrapped FROM youth_key")]


async def test_entries_do_not_say_whether_an_authority_names_its_youth_by_handle_or_by_tokens(world: World) -> None:
    await world.register(LA, ANA)
    seen = []
    for message in (consent(world), by_tokens(world, BEN)):
        before, alerted = world.size(), len(world.rows(tables.alert))
        await record(world, message)
        await revoke(world, message.authority_id, agency=STRTP)
        entries = [entry for entry in every_entry(world) if entry.index >= before]
        alerts = world.rows(tables.alert)[alerted:]
        seen.append(
            (
                [(each.kind, each.requester, each.holder, len(each.tag), *map(len, each.boxes)) for each in entries],
                [(each["kind"], len(each["mark"]), len(each["sealed"])) for each in alerts],  # type: ignore[arg-type]
            )
        )
    assert seen[0] == seen[1]
    assert [len(each) for each in seen[0]] == [2, 1]


# --- replay, and who reads what ----------------------------------------------------------------


@pytest.mark.parametrize("named", [by_handle, by_tokens])
async def test_a_replay_follows_an_authority_until_its_youth_is_sealed(world: World, named: Consent) -> None:
    had = await lived(world, named=named)
    before = replayed(world)
    assert (before.sealed, before.recomputed) == (0, before.decided)
    done = await sealed(world, had)
    after = replayed(world)
    # What was recorded and revoked, and the three decisions.
    assert (after.sealed + after.closed, after.recomputed) == (6, before.recomputed - 3)
    assert after.sealed == 3
    assert after.released == before.released
    await lift(world, done)
    assert replayed(world).released == before.released


async def used(world: World) -> tuple[AuthorityId, int]:
    """An authority, and the last of its entries: a refusal."""
    had = await lived(world)
    return had.authority_id, had.entries[-1].index


async def unused(world: World) -> tuple[AuthorityId, int]:
    """An authority, and the last of its entries: its revocation."""
    message = by_tokens(world, ANA)
    await record(world, message)
    return AuthorityId(message.authority_id), (await revoke(world, message.authority_id)).receipt.index


@pytest.mark.parametrize("happened", [used, unused])
async def test_a_key_of_an_authority_that_left_without_a_seal_contradicts_the_log(
    world: World, tmp_path: Path, happened: Callable[[World], Awaitable[tuple[AuthorityId, int]]]
) -> None:
    await world.log.append(bare_seal(AgencyId("06999.cwa")))
    authority_id, last = await happened(world)
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection, connection:
        name = authority_name(authority_id)
        connection.execute("INSERT INTO sealed_name VALUES (?)", (world.youth_keys.sealed_digest(name),))
        assert connection.execute("DELETE FROM youth_key WHERE name = ?", (name,)).rowcount == 1
    with pytest.raises(Contradiction) as found:
        replayed(world)
    assert (found.value.rule, found.value.index) == (Rule.SEALED, last)
    # Whose youth it was nobody knows: anybody's seal may have taken it.
    await world.log.append(bare_seal(AgencyId("06999.cwa")))
    replayed(world)


async def test_the_issuer_reads_which_of_its_authorities_was_revoked_until_the_seal(world: World) -> None:
    had = await lived(world)

    async def read(agency: AgencyId) -> dict[str, bytes]:
        page = await world.read_log(officer(agency), wanted=EntryFilter(kinds=[Kind.AUTHORITY_REVOKED]))
        (entry,) = page.entries
        return fields(entry)

    said = await read(LA)
    assert (said["authority"], said["requester"]) == (had.authority_id.hex().encode(), STRTP.encode())
    assert {"handle", "worker", "request"}.isdisjoint(said)
    await sealed(world, had)
    assert {"authority", "handle"}.isdisjoint(await read(LA))
    assert (await read(LA))["requester"] == STRTP.encode()


async def test_who_was_told_to_stop_hears_of_no_youth_by_name(world: World) -> None:
    had = await lived(world)
    (alert,) = await world.alerts(LA)
    assert (alert.subject_handle, alert.acting_agency) == (bytes(16), STRTP)
    await sealed(world, had)
    assert (await world.alerts(LA))[0] == alert
