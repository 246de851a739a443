"""What rests on an authority that a seal closed: a replay follows it, and finds one that nobody ever recorded.

The permit about a youth whose seal was lifted names the authority again; the authority's own entries never say again
which they are about. What the exchange keeps of it (`Kept`) is all that leads from the one to the other.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from audit.errors import EvidenceError
from audit.followed import Contradiction, Counted, Counts, Kept, Rule, Step
from audit.replay import Replay
from gateway.exchange.journal import Kind
from gateway.protocol.log_kinds import parse_grant
from gateway.protocol.names import AgencyId, AuthorityId
from gateway.replay import _decide_with, _kept, _steps
from gateway.store import tables
from gateway.store.youth_keys import authority_name
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.unit.exchange.members import KERN, LA, SF, STRTP
from tests.unit.exchange.seal_desk import ANA, answers, restrict
from tests.unit.exchange.test_authorities import record, revoke
from tests.unit.exchange.test_presented import lose, present, signed
from tests.unit.exchange.test_row_links import ask_by
from tests.unit.exchange.token_authority_desk import (
    Lived,
    by_tokens,
    digests,
    lift,
    lived,
    naming,
    replay_keys,
    replayed,
    sealed,
)
from tests.unit.exchange.world import World

INVENTED = AuthorityId(b"invented here :)")


async def closed(world: World) -> Lived:
    """A youth whose seal was lifted: its permit names an authority whose own entries stay closed."""
    had = await lived(world)
    await lift(world, await sealed(world, had))
    return had


def read(world: World) -> tuple[list[Step], dict[str, Kept]]:
    """The log as a replay opens it, and what the exchange keeps of authorities that were closed."""
    with world.reader.snapshot() as tx:
        return list(_steps(tx, replay_keys(world))), _kept(tx, replay_keys(world))


def follow(world: World, told: Iterable[Step], kept: dict[str, Kept]) -> Counts:
    replay = Replay(_decide_with({world.policy.digest: world.policy}), granted=parse_grant, kept=kept)
    for step in told:
        replay.follow(step)
    counted = [Counted(each.digest.hex(), each.since, each.count) for each in replay_keys(world).closed]
    replay.authorities.check_ended(counted, [])
    return replay.counts


def resting_on(told: list[Step], authority_id: AuthorityId) -> list[int]:
    return [step.index for step in told if step.fields.get("authority") == authority_id.hex()]


def naming_another(told: list[Step], had: Lived, authority_id: AuthorityId) -> list[Step]:
    """The log as it would be if its permit named this authority."""
    (permit,) = resting_on(told, had.authority_id)
    named = replace(told[permit], fields={**told[permit].fields, "authority": authority_id.hex()})
    return [*told[:permit], named, *told[permit + 1 :]]


def check_found(world: World, told: list[Step], kept: dict[str, Kept], index: int) -> None:
    with pytest.raises(Contradiction) as found:
        follow(world, told, kept)
    assert (found.value.rule, found.value.index) == (Rule.AUTHORITY, index)


async def test_a_permit_names_an_authority_that_nobody_recorded(world: World) -> None:
    had = await closed(world)
    told, kept = read(world)
    follow(world, told, kept)
    (permit,) = resting_on(told, had.authority_id)
    check_found(world, naming_another(told, had, INVENTED), kept, permit)
    # Nor does it help that something is kept of it, at an entry that records nothing, or another agency's authority.
    (recorded,) = {each.index for each in kept.values()}
    for claimed in (Kept(permit, LA, is_revoked=False), Kept(recorded, STRTP, is_revoked=False)):
        check_found(world, naming_another(told, had, INVENTED), {INVENTED.hex(): claimed}, permit)


async def test_a_permit_names_an_authority_that_was_recorded_after_it(world: World) -> None:
    had = await lived(world)
    late = by_tokens(world, ANA)
    await record(world, late)
    await lift(world, await sealed(world, had))
    told, kept = read(world)
    follow(world, told, kept)
    (permit,) = resting_on(told, had.authority_id)
    check_found(world, naming_another(told, had, AuthorityId(late.authority_id)), kept, permit)


def plant(directory: Path, world: World, *, in_place_of: AuthorityId | None, index: int) -> None:
    """Somebody who holds every key of the exchange keeps an invented authority as one that a seal closed."""
    with closing(sqlite3.connect(directory / "keys.db")) as keys, keys:
        digest = world.youth_keys.sealed_digest(authority_name(INVENTED))
        keys.execute("INSERT INTO sealed_name VALUES (?)", (digest,))
    with closing(sqlite3.connect(directory / "gateway.db")) as database, database:
        if in_place_of is not None:
            database.execute("DELETE FROM authority WHERE authority_id = ?", (in_place_of,))
        database.execute("INSERT INTO authority VALUES (?, ?, x'', NULL, ?)", (INVENTED, LA, index))


def unplant(directory: Path) -> None:
    with closing(sqlite3.connect(directory / "gateway.db")) as database, database:
        database.execute("DELETE FROM authority WHERE authority_id = ?", (INVENTED,))


async def test_what_is_kept_of_an_invented_authority_beside_the_true_one_is_found(world: World, tmp_path: Path) -> None:
    had = await closed(world)
    (row,) = world.rows(tables.authority)
    plant(tmp_path, world, in_place_of=None, index=int(str(row["leaf_index"])))
    told, kept = read(world)
    (permit,) = resting_on(told, had.authority_id)
    check_found(world, naming_another(told, had, INVENTED), kept, permit)
    with pytest.raises(EvidenceError):
        world.check_projections()
    unplant(tmp_path)


@pytest.mark.parametrize("where", ["a revocation", "the issuer's of another agency", "without a key that left"])
async def test_a_start_finds_what_is_kept_of_an_invented_authority(world: World, tmp_path: Path, where: str) -> None:
    had = await closed(world)
    world.check_projections()
    (revoked,) = had.of(Kind.AUTHORITY_REVOKED)
    again = had.of(Kind.AUTHORITY_RECORDED)[1].index
    plant(tmp_path, world, in_place_of=None, index=revoked.index if where == "a revocation" else again)
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        if where == "the issuer's of another agency":
            database.execute("UPDATE authority SET issuer = ? WHERE authority_id = ?", (SF, INVENTED))
    with closing(sqlite3.connect(tmp_path / "keys.db")) as keys, keys:
        if where == "without a key that left":
            keys.execute(
                "DELETE FROM sealed_name WHERE digest = ?",
                (world.youth_keys.sealed_digest(authority_name(INVENTED)),),
            )
    with pytest.raises(EvidenceError):
        world.check_projections()
    unplant(tmp_path)


@pytest.mark.parametrize("place", ["in its place", "where it was recorded again"])
async def test_an_invented_authority_in_the_very_place_of_a_closed_one_is_not_found_here(
    world: World, tmp_path: Path, place: str
) -> None:
    """What remains possible (audit/README.md, "Replay"): which authority an entry was about left with the key.

    Its issuer, which signed no such authority, can tell; nobody else.
    """
    world.sources.answer = answers
    handle, message = await world.register(SF, ANA), by_tokens(world, ANA)
    await world.all_current()
    for _ in range(2):
        await record(world, message)
    authority_id = AuthorityId(message.authority_id)
    assert (await ask_by(world, ANA, authority_id)).outcome == OUTCOME_ANSWERED
    had = Lived(handle, authority_id, naming(world, authority_id))
    await lift(world, await sealed(world, had))
    first, again = (entry.index for entry in had.of(Kind.AUTHORITY_RECORDED))
    is_first = place == "in its place"
    plant(tmp_path, world, in_place_of=had.authority_id if is_first else None, index=first if is_first else again)
    told, kept = read(world)
    follow(world, naming_another(told, had, INVENTED), kept)
    world.check_projections()


async def test_a_permit_withdrawn_by_a_revocation_is_followed_when_both_were_closed(
    world: World, tmp_path: Path
) -> None:
    handle, message = await world.register(SF, ANA), by_tokens(world, ANA)
    await world.all_current()
    await record(world, message)

    async def revoked_meanwhile(agency: AgencyId, work: WorkOrder) -> WorkResult:
        await revoke(world, message.authority_id, agency=LA)
        return answers(agency, work)

    world.sources.meanwhile = revoked_meanwhile
    assert (await ask_by(world, ANA, AuthorityId(message.authority_id))).outcome != OUTCOME_ANSWERED
    await lift(world, await restrict(world, handle, token_digests=digests(world, ANA)))
    replayed(world)


async def test_what_rests_on_an_authority_before_and_after_a_loss_is_followed_when_it_was_closed(world: World) -> None:
    world.sources.answer = answers
    handle, message = await world.register(SF, ANA), by_tokens(world, ANA)
    authority_id = AuthorityId(message.authority_id)
    await world.all_current()
    await record(world, message)
    assert (await ask_by(world, ANA, authority_id)).outcome == OUTCOME_ANSWERED
    await lose(world)
    world.clock.advance(seconds=60)
    await present(world, LA, authority=signed(world, message))
    await world.all_current()
    assert (await ask_by(world, ANA, authority_id)).outcome == OUTCOME_ANSWERED
    await lift(world, await restrict(world, handle, token_digests=digests(world, ANA)))
    told, kept = read(world)
    before, after = resting_on(told, authority_id)
    assert before < kept[authority_id.hex()].index < after
    assert follow(world, told, kept).released == 2
    # Without the loss nothing explains why the first rests on what was recorded after it.
    check_found(world, [step for step in told if step.kind != Kind.LOG_SUCCEEDED], kept, before)
    # Nor with it, if the entry that would present the authority again never comes, or is another agency's.
    presented = kept[authority_id.hex()].index
    for index, issuer, found in ((len(told), LA, after), (presented, STRTP, before)):
        check_found(world, told, {authority_id.hex(): Kept(index, issuer, is_revoked=False)}, found)


async def test_what_rests_on_a_closed_authority_about_another_countys_youth_is_followed(world: World) -> None:
    """The youth moved; the county it left has it sealed, and the authority by tokens named it at both."""
    world.sources.answer = answers
    handle, message = await world.register(SF, ANA), by_tokens(world, ANA)
    authority_id = AuthorityId(message.authority_id)
    await world.all_current()
    await record(world, message)
    assert (await ask_by(world, ANA, authority_id)).outcome == OUTCOME_ANSWERED
    await world.list_subjects(SF, removed=[handle])
    await world.register(KERN, ANA)
    await world.all_current()
    assert (await ask_by(world, ANA, authority_id)).outcome == OUTCOME_ANSWERED
    await restrict(world, handle, token_digests=digests(world, ANA))
    counts = replayed(world)
    assert (counts.released, counts.sealed) == (2, 1)
    told, _ = read(world)
    (permit,) = resting_on(told, authority_id)
    assert told[permit].holder == KERN
    check_found(world, told, {}, permit)
