"""Who may ask, and that nothing is asked or used twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.errors import AssertionInvalid, Conflict, ErrorReason, Invalid
from gateway.protocol.match_keys import SOUND_KEY
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.envelope_pb2 import TokenSet
from tests.unit.exchange.spine_parts import ASKER, TEAM, Answered, Question, tokens_of
from tests.unit.exchange.spine_world import World
from tests.unit.token_sets import withdraw_keys

PLACEMENT = Question("ada")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


# --- the same thing twice ---


async def test_a_retry_under_a_fresh_assertion_gets_the_very_same_answer(world: World) -> None:
    world.register("ada")
    first = await world.records(PLACEMENT)
    again = await world.records(replace(PLACEMENT, assertion="fresh"))
    assert again.response == first.response
    assert again.entries == []
    assert len(world.sources.orders) == 1


async def test_an_assertion_is_good_once(world: World) -> None:
    world.register("ada")
    await world.records(replace(PLACEMENT, assertion="once"))
    for replay in (replace(PLACEMENT, assertion="once"), replace(PLACEMENT, assertion="once", number=1)):
        with pytest.raises(Conflict) as refused:
            await world.records(replay)
        assert refused.value.reason is ErrorReason.ASSERTION_REPLAYED
        assert world.entries()[-1].kind == "access.refused"
    assert len(world.sources.orders) == 1


async def test_an_identifier_stands_for_one_question(world: World) -> None:
    world.register("ada")
    await world.records(PLACEMENT)
    with pytest.raises(Conflict) as refused:
        await world.records(replace(PLACEMENT, page=2, assertion="fresh"))
    assert refused.value.reason is ErrorReason.ID_REUSED
    assert len(world.sources.orders) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"assertion": "fresh"}, ErrorReason.EXPIRED_REFETCH),
        ({"assertion": "fresh", "page": 2}, ErrorReason.ID_REUSED),
        ({"number": 1}, ErrorReason.ASSERTION_REPLAYED),
    ],
)
async def test_what_was_used_before_a_restart_stays_used(
    world: World, change: dict[str, object], reason: ErrorReason
) -> None:
    world.register("ada")
    await world.records(replace(PLACEMENT, assertion="before"))
    world.use(world.setting)
    with pytest.raises(Conflict) as refused:
        await world.records(replace(PLACEMENT, **{"assertion": "before"} | change))  # type: ignore[arg-type]
    assert refused.value.reason is reason
    assert len(world.sources.orders) == 1


async def test_two_calls_with_one_assertion_at_once_disclose_once(world: World) -> None:
    world.register("ada")
    asked = [world.records(replace(PLACEMENT, assertion="once", number=number)) for number in range(4)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, Answered) for result in results) == 1
    refusals = [result for result in results if not isinstance(result, Answered)]
    assert all(isinstance(each, Conflict) and each.reason is ErrorReason.ASSERTION_REPLAYED for each in refusals)
    assert len(world.sources.orders) == 1


# --- who asks, and with what ---


async def test_an_assertion_for_other_bytes_is_refused_and_on_record(world: World) -> None:
    world.register("ada")
    payload = exchange_pb2.RecordsQuery(request_id=bytes(16)).SerializeToString()
    call = world.call(PLACEMENT, payload)
    with pytest.raises(AssertionInvalid) as refused:
        await world.exchange.admit(replace(call, payload=payload + b"\0"), exchange_pb2.RecordsQuery)
    assert refused.value.reason is ErrorReason.ASSERTION_REQUEST
    (entry,) = world.entries()
    assert (entry.kind, entry.requester) == ("access.refused", ASKER)
    assert "worker" not in entry.fields


async def test_an_assertion_through_another_agencys_channel_is_refused(world: World) -> None:
    call = world.call(PLACEMENT, b"bytes")
    with pytest.raises(AssertionInvalid) as refused:
        await world.exchange.admit(replace(call, agency=TEAM), exchange_pb2.RecordsQuery)
    assert refused.value.reason is ErrorReason.ASSERTION_BINDING


async def test_a_question_without_the_whole_core_group_is_not_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.register("ada")
    monkeypatch.setattr("tests.unit.exchange.spine_parts.tokens_of", half)
    with pytest.raises(Invalid) as refused:
        await world.records(PLACEMENT)
    assert refused.value.reason is ErrorReason.TOKENS_INCOMPLETE
    assert world.entries()[-1].kind == "access.refused"


def half(youth: str) -> TokenSet:
    tokens = tokens_of(youth)
    withdraw_keys(tokens, SOUND_KEY)
    return tokens
