"""The quota of emergencies: spent by whoever invokes one, whatever it led to, and never passed by asking at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from gateway.protocol.names import Basis, EvidenceKind, FieldSet, Grantor, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, Answered, Question
from tests.unit.exchange.spine_world import World

NUMBERS = count(1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.register("far", owner=FAR_OWNER)
    yield made
    await made.close()


def emergency_about(world: World, youth: str) -> Question:
    """A question that only an emergency answers: the role has no such purpose, and the counties have no agreement."""
    named = world.record_authority(
        next(NUMBERS),
        subject=youth,
        issuer=ASKER,
        to=ASKER,
        basis=Basis.EMERGENCY,
        grantor=Grantor.EMERGENCY_CLAIMANT,
        purposes=(Purpose.HOTLINE_SCREEN,),
        field_sets=(FieldSet.FS6_JURISDICTION_CONTACT,),
        life=timedelta(hours=3),
    )
    return Question(
        youth,
        purpose=Purpose.HOTLINE_SCREEN,
        field_sets=(FieldSet.FS6_JURISDICTION_CONTACT,),
        evidence=(EvidenceKind.IMMINENT_HARM,),
        authority=named,
    )


def told(answer: Answered) -> Outcome:
    return from_wire(Outcome, answer.response.outcome)  # type: ignore[union-attr]


async def test_asking_at_once_does_not_pass_the_quota(world: World) -> None:
    asked, quota = emergency_about(world, "far"), world.policy.emergency.max_uses
    answers = await asyncio.gather(*(world.records(replace(asked, number=number)) for number in range(quota + 5)))
    assert Counter(map(told, answers)) == {Outcome.ANSWERED: quota, Outcome.NOT_PERMITTED: 5}
    assert len(world.sources.orders) == quota


async def test_a_quota_that_is_spent_on_nobody_is_spent_like_one_on_a_youth(world: World) -> None:
    asked, quota = emergency_about(world, "nobody"), world.policy.emergency.max_uses
    answers = [await world.records(replace(asked, number=number)) for number in range(quota + 1)]
    assert list(map(told, answers)) == [Outcome.NO_DISCLOSABLE_RECORD] * quota + [Outcome.NOT_PERMITTED]
    assert [entry.fields.get("reason") for entry in world.entries()][-1] == "EMERGENCY_QUOTA_SPENT"
