"""What agencies list: replaced whole, kept while somebody looks, at rest under a key that is elsewhere."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.node.receipts import Expected, check_receipt, request_digest
from gateway.errors import Conflict, EnvelopeInvalid, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.coverage import Scope
from gateway.exchange.journal import Kind
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import FlagState, Restriction
from gateway.protocol.signing import SigningKey
from gateway.store import tables
from homeward.gateway.v1 import index_pb2 as pb
from homeward.gateway.v1 import missing_pb2
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from tests.unit.exchange.members import LA, POLICE, SF, Youth, handle_of, staff, stamp
from tests.unit.exchange.world import World
from tests.unit.token_sets import SHAPE, withdraw_keys

ANA, OTHER = Youth("Ana Invented"), Youth("Other Invented")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


async def found(world: World, youth: Youth) -> list[tuple[str, bytes, frozenset[str]]]:
    candidates, _ = await world.setting.index.look_up(SF, world.tokens(youth))
    return sorted((each.owner, each.handle, each.agreeing_keys) for each in candidates)


def subject(world: World, youth: Youth, *, handle: bytes = b"") -> pb.Subject:
    return pb.Subject(
        handle=handle or handle_of(SF, youth), tokens=world.tokens(youth), restriction=pb.RESTRICTION_NONE
    )


async def test_a_batch_and_a_heartbeat_bring_the_receipt_of_their_entry(world: World) -> None:
    await world.register(LA, OTHER)
    each, batch_id = subject(world, ANA), os.urandom(16)
    answers = [await world.list_subjects(SF, subjects=[each], request_id=batch_id) for _ in range(2)]
    batch = pb.RegistrationBatch(request_id=batch_id, subjects=[each])
    said = Expected(frozenset({Kind.INDEX_REGISTERED}), request_digest(batch.SerializeToString()))
    first, again = (check_receipt(answer.receipt, world.signer.public, said) for answer in answers)
    assert (first.index, again.index) == (again.index, world.size() - 1)
    beat = await world.heartbeat(SF)
    kept = check_receipt(beat.receipt, world.signer.public, Expected(frozenset({Kind.INDEX_HEARTBEAT}), None))
    assert (kept.index, set(kept.opened)) == (first.index + 1, {"kind", "request"})


async def test_a_listed_youth_is_found_by_its_tokens_and_its_leaf_counts_only(world: World) -> None:
    before = world.size()
    handle = await world.register(SF, ANA, restriction=Restriction.SENSITIVE, placed_in="06029")
    assert await found(world, ANA) == [(SF, handle, CORE_KEYS)]
    (candidate,), _ = await world.setting.index.look_up(SF, world.tokens(ANA))
    assert (candidate.restriction, candidate.placement_county) == (Restriction.SENSITIVE, "06029")
    (leaf,) = await world.leaves(before)
    assert leaf.op == {"kind": Kind.INDEX_REGISTERED, "epoch": "e1", "listed": "1", "removed": "0"}


async def test_no_token_rests_as_it_came(world: World) -> None:
    await world.register(SF, ANA)
    came = set(split_tokens(SHAPE.present(world.tokens(ANA))))
    resting = {row["token"] for row in world.rows(tables.index_token)}
    assert len(resting) == len(came)
    assert came.isdisjoint(resting)


async def test_an_absent_keys_dummies_are_not_kept(world: World) -> None:
    each = subject(world, ANA)
    assert len(each.tokens.tokens) > len(SHAPE.present(each.tokens))
    await world.list_subjects(SF, subjects=[each])
    assert {SHAPE.keys[row["key"]].name for row in world.rows(tables.index_token)} == CORE_KEYS


async def test_a_youth_listed_again_is_found_by_the_new_tokens_only(world: World) -> None:
    handle = await world.register(SF, ANA)
    answer = await world.list_subjects(SF, subjects=[subject(world, OTHER, handle=handle)])
    assert answer.subject_count == 1
    assert await found(world, ANA) == []
    assert [each[1] for each in await found(world, OTHER)] == [handle]


async def test_a_removed_youth_is_gone_and_a_neighbors_is_not(world: World) -> None:
    handle, theirs = await world.register(SF, ANA), await world.register(LA, ANA)
    answer = await world.list_subjects(SF, removed=[handle])
    assert (answer.subject_count, list(answer.kept_handles)) == (0, [])
    assert [each[1] for each in await found(world, ANA)] == [theirs]
    # One agency cannot remove another's.
    await world.list_subjects(SF, removed=[theirs])
    assert [each[1] for each in await found(world, ANA)] == [theirs]


async def test_a_youth_somebody_looks_for_stays_listed_until_the_episode_ends(world: World) -> None:
    handle = await world.register(SF, ANA)
    flag_id = (await world.raise_flag(SF, ANA, handle=handle)).flag_id
    answer = await world.list_subjects(SF, removed=[handle])
    assert (answer.subject_count, list(answer.kept_handles)) == (1, [handle])
    assert await found(world, ANA)
    ended = world.statement(SF, flag_id=flag_id, state=FlagState.RESOLVED, version=2)
    assert FlagStatement.FromString(ended.payload).flag_id == flag_id
    resolution = missing_pb2.FlagResolution(request_id=os.urandom(16), flag_id=flag_id, flag_statement=ended)
    request = world.signed(missing_pb2.ResolveFlagRequest, resolution, staff(SF))
    await world.as_peer(SF, lambda: world.missing.ResolveFlag(request, None))
    assert list((await world.list_subjects(SF, removed=[handle])).kept_handles) == []
    assert await found(world, ANA) == []


async def test_the_same_batch_again_changes_nothing_and_another_under_its_identifier_is_refused(world: World) -> None:
    identifier, each = os.urandom(16), subject(world, ANA)
    first = await world.list_subjects(SF, subjects=[each], request_id=identifier)
    size = world.size()
    assert await world.list_subjects(SF, subjects=[each], request_id=identifier) == first
    assert world.size() == size
    with pytest.raises(Conflict) as refused:
        await world.list_subjects(SF, subjects=[subject(world, OTHER)], request_id=identifier)
    assert refused.value.reason is ErrorReason.ID_REUSED


async def test_a_batch_with_one_bad_youth_is_refused_whole(world: World) -> None:
    good, bad = subject(world, ANA), subject(world, OTHER)
    bad.tokens.epoch = "e0"
    with pytest.raises(Invalid) as refused:
        await world.list_subjects(SF, subjects=[good, bad])
    assert refused.value.reason is ErrorReason.EPOCH_UNKNOWN
    bad = subject(world, OTHER)
    withdraw_keys(bad.tokens, SOUND_KEY)
    with pytest.raises(Invalid) as refused:
        await world.list_subjects(SF, subjects=[good, bad])
    assert (refused.value.reason, refused.value.fields) == (ErrorReason.TOKENS_INCOMPLETE, ("subjects[1].tokens",))
    with pytest.raises(Invalid) as refused:
        await world.list_subjects(SF, subjects=[good], removed=[good.handle])
    assert refused.value.fields == ("subjects.handle: unique",)
    assert not world.rows(tables.subject)


async def test_an_agency_without_sources_lists_nobody(world: World) -> None:
    with pytest.raises(Unauthenticated):
        await world.list_subjects(POLICE, subjects=[subject(world, ANA)])
    with pytest.raises(Unauthenticated):
        await world.heartbeat(POLICE)


async def test_an_envelope_of_another_agency_or_another_key_does_not_count(world: World) -> None:
    batch = pb.RegistrationBatch(request_id=os.urandom(16), subjects=[subject(world, ANA)])
    for key in (world.membership.members[LA].envelope, SigningKey.generate(), world.membership.members[SF].assertion):
        request = pb.RegisterSubjectsRequest(envelope=wrap(batch, key))
        with pytest.raises(EnvelopeInvalid):
            await world.as_peer(SF, lambda request=request: world.index.RegisterSubjects(request, None))
    assert not world.rows(tables.subject)


async def test_a_heartbeat_says_what_is_listed_and_when(world: World) -> None:
    before = world.size()
    answer = await world.heartbeat(SF, scope=pb.INDEX_SCOPE_FLAGGED_ONLY, revision=7)
    assert answer.stale_after_seconds == 900
    (listing,) = await world.setting.index.listings()
    assert (listing.owner, listing.scope, listing.heartbeat) == (SF, Scope.FLAGGED_ONLY, world.clock())
    (leaf,) = await world.leaves(before)
    assert (leaf.kind, leaf.op["revision"], leaf.op["scope"]) == (Kind.INDEX_HEARTBEAT, "7", "FLAGGED_ONLY")
    world.clock.advance(minutes=1)
    await world.heartbeat(SF, revision=1)
    (listing,) = await world.setting.index.listings()
    assert listing.heartbeat == world.clock()


@pytest.mark.parametrize("ahead", [timedelta(seconds=61), timedelta(seconds=-61)])
async def test_a_heartbeat_of_another_time_says_nothing_about_now(world: World, ahead: timedelta) -> None:
    beat = pb.IndexHeartbeat(
        revision=1,
        scope=pb.INDEX_SCOPE_ALL_IN_CARE,
        data_as_of_time=stamp(world.clock()),
        create_time=stamp(world.clock() + ahead),
        complete_epochs=["e1"],
        log_origin=world.directory().message.log_origin,
    )
    request = pb.HeartbeatRequest(envelope=wrap(beat, world.membership.members[SF].envelope))
    with pytest.raises(Invalid) as refused:
        await world.as_peer(SF, lambda: world.index.Heartbeat(request, None))
    assert refused.value.fields == ("create_time: clock",)
    assert not world.rows(tables.listing)


async def test_a_list_that_was_made_under_another_log_does_not_count(world: World) -> None:
    beat = pb.IndexHeartbeat(
        revision=1,
        scope=pb.INDEX_SCOPE_ALL_IN_CARE,
        data_as_of_time=stamp(world.clock()),
        create_time=stamp(world.clock()),
        complete_epochs=["e1"],
        log_origin="log.exchange.example/closed",
    )
    request = pb.HeartbeatRequest(envelope=wrap(beat, world.membership.members[SF].envelope))
    with pytest.raises(Invalid) as refused:
        await world.as_peer(SF, lambda: world.index.Heartbeat(request, None))
    assert refused.value.fields == ("log_origin: in_force",)
    assert not world.rows(tables.listing)


async def test_batches_on_a_stream_are_answered_in_order_and_a_bad_one_ends_it(world: World) -> None:
    key, other = world.membership.members[SF].envelope, world.membership.members[LA].envelope
    batches = [
        pb.RegistrationBatch(request_id=os.urandom(16), subjects=[subject(world, youth)]) for youth in (ANA, OTHER)
    ]
    stranger = pb.RegistrationBatch(request_id=os.urandom(16), removed_handles=[handle_of(SF, ANA)])
    sent, answered = list[bytes](), list[bytes]()

    async def stream() -> AsyncIterator[pb.RegisterAllRequest]:
        for batch, signer in ((batches[0], key), (batches[1], key), (stranger, other)):
            assert answered == sent, "the one before is durable"
            sent.append(batch.request_id)
            yield pb.RegisterAllRequest(envelope=wrap(batch, signer))

    async def answers() -> None:
        async for answer in world.index.RegisterAll(stream(), None):
            answered.append(answer.request_id)
            assert answer.result.subject_count == len(answered)

    with pytest.raises(EnvelopeInvalid):
        await world.as_peer(SF, answers)
    assert answered == [batch.request_id for batch in batches]
    assert len(world.rows(tables.subject)) == 2
