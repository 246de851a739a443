"""Several flag checks under one assertion: each is answered by itself and can be told from the others in the log."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.errors import Conflict, Invalid
from gateway.protocol.names import EvidenceKind, FlagState
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import Evidence
from tests.unit.exchange.spine_parts import ASKER, FINDER, tokens_of
from tests.unit.exchange.spine_world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


def batch_of(*youths: str) -> bytes:
    """The signed bytes of a batch that asks about these invented names."""
    present = to_wire(EvidenceKind.YOUTH_PRESENT)
    return pb.FlagQueryBatch(
        queries=[
            pb.FlagQuery(
                request_id=sha256(f"{place} {youth}".encode()).digest()[:16],
                tokens=tokens_of(youth),
                evidence=[Evidence(kind=present, reference_commitment=bytes(32))],  # type: ignore[arg-type]
            )
            for place, youth in enumerate(youths)
        ]
    ).SerializeToString()


async def ask(world: World, payload: bytes) -> pb.CheckFlagsResponse:
    """The answers to a batch."""
    request = pb.CheckFlagsRequest(payload=payload, user_assertion=world.assertion(FINDER, payload))
    with world.speaking(ASKER):
        return await world.servicer.CheckFlags(request, None)


async def test_each_question_of_a_batch_has_its_own_answer_and_its_own_leaf(world: World) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    response = await ask(world, batch_of("nobody", "ada", "nobody else"))
    outcomes = [from_wire(Outcome, each.answer.outcome) for each in response.responses]
    assert outcomes == [Outcome.NO_ACTIVE_FLAG_FOUND, Outcome.ANSWERED, Outcome.NO_ACTIVE_FLAG_FOUND]
    assert len({each.receipt.index for each in response.responses}) == 3


async def test_a_receipt_names_its_question_by_the_signed_bytes_and_its_place(world: World) -> None:
    payload = batch_of("one", "another", "a third")
    response = await ask(world, payload)
    named = [
        next(opening.value for opening in each.receipt.openings if opening.name == "request")
        for each in response.responses
    ]
    label, whole = b"homeward/batch-item/v1\0", sha256(payload).digest()
    assert named == [sha256(label + whole + place.to_bytes(4, "big")).digest() for place in range(3)]


async def test_a_batch_that_comes_again_is_not_answered_again(world: World) -> None:
    payload = batch_of("one", "another")
    await ask(world, payload)
    size = world.size()
    with pytest.raises(Conflict):
        await ask(world, payload)
    assert world.size() <= size + 1


async def test_a_batch_with_one_identifier_twice_asks_nothing(world: World) -> None:
    batch = pb.FlagQueryBatch.FromString(batch_of("one", "another"))
    batch.queries[1].request_id = batch.queries[0].request_id
    with pytest.raises(Invalid):
        await ask(world, batch.SerializeToString())
    assert [entry.kind for entry in world.entries(0)] == ["access.refused"]
