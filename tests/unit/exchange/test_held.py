"""A revocation that arrives while the log was put back is kept, and carried out before anything is disclosed."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.journal import Kind
from gateway.protocol.names import AuthorityId
from gateway.recovery.carry_out import carry_out
from gateway.recovery.held import HeldMember, HeldRevocations
from tests.unit.exchange.members import KERN, LA, STRTP
from tests.unit.exchange.test_authorities import ANA, consent, record, revoke
from tests.unit.exchange.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.register(LA, ANA)
    yield made
    await made.close()


async def _carry_out(world: World) -> int:
    denied: list[str] = []

    async def revoke_member(subject: str) -> None:
        denied.append(subject)

    return await carry_out(world.held, world.exchange, world.records, revoke_member=revoke_member)


async def _is_revoked(world: World, authority_id: bytes) -> bool:
    kept = await world.setting.authorities.get(AuthorityId(authority_id))
    assert kept is not None
    return kept.revoked


@pytest.mark.parametrize("agency", [LA, STRTP])
async def test_a_held_revocation_is_carried_out_once_as_of_the_moment_it_arrived(world: World, agency: str) -> None:
    message, request_id = consent(world), os.urandom(16)
    await record(world, message)
    world.recovering = True
    before = world.size()
    for _ in range(2):
        with pytest.raises(Unavailable) as held:
            await revoke(world, message.authority_id, agency=agency, request_id=request_id)  # type: ignore[arg-type]
        assert held.value.reason is ErrorReason.REVOCATION_HELD
    assert world.size() == before
    assert not await _is_revoked(world, message.authority_id)
    world.recovering = False
    # Longer than any assertion lives: what counts is when it was made.
    world.clock.advance(hours=5)
    assert await _carry_out(world) == 1, "the same again is kept once"
    assert await _is_revoked(world, message.authority_id)
    assert [leaf.kind for leaf in await world.leaves(before)].count(Kind.AUTHORITY_REVOKED) == 1
    assert await _carry_out(world) == 0
    # The adapter sends it again, as after any call without an answer, and gets its receipt.
    assert (await revoke(world, message.authority_id, agency=agency, request_id=request_id)).receipt.checkpoint  # type: ignore[arg-type]


async def test_a_held_revocation_by_a_stranger_revokes_nothing(world: World) -> None:
    message = consent(world)
    await record(world, message)
    world.recovering = True
    with pytest.raises(Unavailable):
        await revoke(world, message.authority_id, agency=KERN)
    world.recovering = False
    assert await _carry_out(world) == 1
    assert not await _is_revoked(world, message.authority_id)


def test_a_line_that_a_crash_cut_short_spoils_neither_those_before_nor_the_next(tmp_path: Path) -> None:
    held = HeldRevocations(tmp_path / "held")
    held.keep_member("06037.cwa", keeps=_always)
    with held.path.open("ab") as file:
        file.write(b'{"member": "0602')
    assert held.all() == [HeldMember("06037.cwa")]
    held.keep_member("06029.cwa", keeps=_always)
    assert held.all() == [HeldMember("06037.cwa"), HeldMember("06029.cwa")]
    assert held.path.stat().st_mode & 0o077 == 0


async def test_what_is_kept_while_others_are_carried_out_is_carried_out_too(world: World) -> None:
    subjects, carried = ["06037.cwa", "06029.cwa", "06019.cwa"], list[str]()
    world.held.keep_member(subjects[0], keeps=_always)

    async def revoke_member(subject: str) -> None:
        carried.append(subject)
        for each in subjects[len(carried) :][:1]:
            assert world.held.keep_member(each, keeps=_always)

    assert await carry_out(world.held, world.exchange, world.records, revoke_member=revoke_member) == 3
    assert (carried, world.held.all()) == (subjects, ())


async def test_whoever_comes_when_nothing_is_kept_any_more_is_told_so_and_leaves_nothing(world: World) -> None:
    assert not world.held.keep_member("06037.cwa", keeps=lambda: False)
    assert world.held.all() == ()


async def test_one_agency_that_fills_its_share_keeps_out_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.recovery.held.MAX_HELD", 2)
    message = consent(world)
    await record(world, message)
    world.recovering = True
    reasons = []
    for agency in (STRTP, STRTP, STRTP, LA):
        with pytest.raises(Unavailable) as refused:
            await revoke(world, message.authority_id, agency=agency)
        reasons.append(refused.value.reason)
    held = ErrorReason.REVOCATION_HELD
    assert reasons == [held, held, ErrorReason.RECOVERING, held]
    assert world.held.keep_member("06037.cwa", keeps=_always)


def _always() -> bool:
    return True
