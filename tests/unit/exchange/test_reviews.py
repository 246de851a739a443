"""Possible matches: both agencies are asked, once, without any data; their verdicts decide, and can be taken back."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.node.receipts import Expected, check_receipt
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import Kind
from gateway.exchange.receipts import act_receipt
from gateway.protocol.match_keys import SOUND_KEY, naming_digests
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import EvidenceKind, FieldSet, FlagState, Purpose, Restriction, Role
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from gateway.store.alerts import Alerts
from gateway.store.lookups import Lookups
from gateway.store.reviews import judged_pairs
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED
from tests.unit.exchange.review_desk import desk, say, told
from tests.unit.exchange.row_links import copied, rows_of
from tests.unit.exchange.spine_parts import ASKER, FAR_OWNER, OWNER, Question, pairwise, stamp, tokens_of
from tests.unit.exchange.spine_world import World

PLACEMENT = Question("known")
FINDER = replace(
    PLACEMENT,
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)
SOUND = (SOUND_KEY,)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path, auto=False)
    yield made
    await made.close()


async def asked(world: World, number: int = 0) -> Outcome:
    """The outcome of one more question for the youth's records."""
    answered = await world.records(replace(PLACEMENT, number=number))
    return from_wire(Outcome, answered.response.outcome)


async def test_a_possible_match_is_told_like_nobody_and_both_agencies_are_asked(world: World) -> None:
    handle = world.register("known", keys=SOUND)
    answered = await world.records(PLACEMENT)
    assert from_wire(Outcome, answered.response.outcome) is Outcome.NO_DISCLOSABLE_RECORD
    assert world.sources.orders == []
    (mine,), (theirs,) = await told(world, ASKER), await told(world, OWNER)
    assert mine.review.review_id == theirs.review.review_id
    assert (mine.review.side, theirs.review.side) == (pb.REVIEW_SIDE_ASKING, pb.REVIEW_SIDE_LISTING)
    assert (mine.acting_agency, theirs.acting_agency) == (OWNER, ASKER)
    assert (mine.review.request_id, theirs.review.request_id) == (PLACEMENT.request_id, b"")
    # The asking agency never sees the owner's own handle.
    assert (mine.subject_handle, theirs.subject_handle) == (pairwise(ASKER, OWNER, handle), handle)
    assert set(theirs.review.naming_digests) == naming_digests(tokens_of("known"))
    assert theirs.review.epoch == tokens_of("known").epoch
    assert (list(mine.review.naming_digests), mine.review.epoch) == ([], "")


async def test_a_task_says_which_evidence_agrees_and_nothing_else(world: World) -> None:
    world.register("known", keys=("given_nick_dob", "given_edit1_dob", "surname_edit1_dob", SOUND_KEY))
    await asked(world)
    (task,) = [each.review for each in await told(world, OWNER)]
    found = {pb.EvidenceTrait.Name(each.trait): pb.Agreement.Name(each.agreement) for each in task.evidence}
    assert found == {
        "EVIDENCE_TRAIT_GIVEN_NAME": "AGREEMENT_CLOSE",
        "EVIDENCE_TRAIT_SURNAME": "AGREEMENT_CLOSE",
        "EVIDENCE_TRAIT_BIRTH_DATE": "AGREEMENT_AGREES",
        "EVIDENCE_TRAIT_NUMBER": "AGREEMENT_UNKNOWN",
        "EVIDENCE_TRAIT_ADDRESS": "AGREEMENT_UNKNOWN",
    }
    sent = task.SerializeToString()
    assert not any(token in sent for token in split_tokens(tokens_of("known").tokens))


async def test_nobody_is_asked_twice(world: World) -> None:
    world.register("known", keys=SOUND)
    for number in range(3):
        assert await asked(world, number) is Outcome.NO_DISCLOSABLE_RECORD
    assert len(await told(world, ASKER)) == len(await told(world, OWNER)) == 1


async def test_only_the_word_of_both_agencies_releases_a_record_and_each_can_take_it_back(world: World) -> None:
    world.register("known", keys=SOUND)
    await asked(world)
    assert await say(world, OWNER, pb.VERDICT_SAME) == pb.REVIEW_STATE_OPEN
    assert await asked(world, 1) is Outcome.NO_DISCLOSABLE_RECORD
    assert await say(world, ASKER, pb.VERDICT_SAME) == pb.REVIEW_STATE_LINKED
    assert await asked(world, 2) is Outcome.ANSWERED
    assert await say(world, ASKER, pb.VERDICT_WITHDRAWN) == pb.REVIEW_STATE_OPEN
    assert await asked(world, 3) is Outcome.NO_DISCLOSABLE_RECORD
    states = [each.review.state for each in await told(world, OWNER)]
    assert states == [pb.REVIEW_STATE_OPEN, pb.REVIEW_STATE_LINKED, pb.REVIEW_STATE_OPEN]


async def test_the_same_verdict_again_is_another_entry_and_changes_nothing(world: World) -> None:
    world.register("known", keys=SOUND)
    await asked(world)
    review_id = (await told(world, OWNER))[-1].review.review_id
    said = pb.ReviewVerdict(review_id=review_id, verdict=pb.VERDICT_SAME, worker="worker-1 CWA.case_worker")
    said.create_time.CopyFrom(stamp(world.clock()))
    digest = sha256(said.SerializeToString()).digest()
    before = len(await told(world, OWNER))
    both = await asyncio.gather(*(desk(world).give(OWNER, digest, said) for _ in range(2)))
    expected = Expected(frozenset({Kind.REVIEW_JUDGED}), digest)
    kept = [check_receipt(act_receipt(each.entered), world.signer.public, expected) for each in both]
    assert len({each.index for each in kept}) == 2
    assert {each.state for each in both} == {pb.REVIEW_STATE_OPEN}
    assert len(await told(world, OWNER)) == before
    # Of another word of the agency since, what it said before is not heard again.
    assert await say(world, OWNER, pb.VERDICT_WITHDRAWN) == pb.REVIEW_STATE_OPEN
    with pytest.raises(Invalid) as refused:
        await desk(world).give(OWNER, digest, said)
    assert refused.value.fields == ("create_time: order",)


async def test_a_verdict_leaves_no_row_that_leads_from_the_review_to_its_entry(world: World, tmp_path: Path) -> None:
    world.register("known", keys=SOUND)
    await asked(world)

    def rows(name: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in rows_of(copied(world.path, tmp_path / name)):
            found.setdefault(row.table, []).append(repr(row.cells))
        return found

    before = rows("before")
    await say(world, OWNER, pb.VERDICT_SAME)
    after = rows("after")
    assert {name for name in after if after[name] != before.get(name)} == {"review"}


async def test_a_link_is_good_for_the_agency_that_asked_and_for_the_youth_it_asked_about(world: World) -> None:
    world.register("known", keys=SOUND)
    await asked(world)
    for agency in (OWNER, ASKER):
        await say(world, agency, pb.VERDICT_SAME)
    named = tokens_of("known")
    assert (await world.setting.index.look_up(ASKER, named))[1]
    assert not (await world.setting.index.look_up(FAR_OWNER, named))[1]
    # `half:` shares the sound of the name alone: it is another youth of the same agency's.
    answered = await world.records(replace(PLACEMENT, youth="half:known"))
    assert from_wire(Outcome, answered.response.outcome) is Outcome.NO_DISCLOSABLE_RECORD


async def test_one_agencys_no_makes_two_youths_until_it_is_withdrawn(world: World) -> None:
    world.register("known", keys=SOUND, flag=FlagState.ACTIVE)
    first = await world.flag(FINDER)
    assert from_wire(Outcome, first.response.answer.outcome) is Outcome.UNDETERMINED  # type: ignore[union-attr]
    assert await say(world, OWNER, pb.VERDICT_DIFFERENT) == pb.REVIEW_STATE_NOT_LINKED
    assert await say(world, ASKER, pb.VERDICT_SAME) == pb.REVIEW_STATE_NOT_LINKED
    again = await world.flag(replace(FINDER, number=1))
    assert from_wire(Outcome, again.response.answer.outcome) is Outcome.NO_ACTIVE_FLAG_FOUND  # type: ignore[union-attr]
    assert await say(world, OWNER, pb.VERDICT_WITHDRAWN) == pb.REVIEW_STATE_OPEN
    last = await world.flag(replace(FINDER, number=2))
    assert from_wire(Outcome, last.response.answer.outcome) is Outcome.UNDETERMINED  # type: ignore[union-attr]


async def test_a_possible_flag_pages_the_owner_each_time_and_is_reviewed_once(world: World) -> None:
    world.register("known", keys=SOUND, flag=FlagState.ACTIVE, restriction=Restriction.SENSITIVE)
    for number in range(2):
        await world.flag(replace(FINDER, number=number))
    alerts = await Alerts(Lookups(world.reader, threaded=False), world.alert_keys).after(OWNER, 0)
    assert [each.kind for each in alerts].count(ALERT_KIND_CHECKED) == 2
    assert len(await told(world, OWNER)) == 1


@pytest.mark.parametrize(
    "listed",
    [
        {"restriction": Restriction.SEALED},
        {"restriction": Restriction.SENSITIVE},
        {"owner": FAR_OWNER},
        {"restriction": Restriction.SEALED, "flag": FlagState.ACTIVE},
    ],
    ids=["sealed", "sensitive", "without an agreement", "sealed and flagged"],
)
async def test_of_a_youth_whose_record_would_not_be_told_nobody_is_asked(
    world: World, listed: dict[str, object]
) -> None:
    world.register("known", keys=SOUND, **listed)  # type: ignore[arg-type]
    await asked(world)
    await world.flag(replace(FINDER, number=1))
    for agency in (ASKER, OWNER, FAR_OWNER):
        assert await told(world, agency) == []


async def test_with_auto_off_a_whole_agreement_is_asked_about_before_records_are_told(world: World) -> None:
    world.register("known")
    assert await asked(world) is Outcome.NO_DISCLOSABLE_RECORD
    for agency in (OWNER, ASKER):
        await say(world, agency, pb.VERDICT_SAME)
    assert await asked(world, 1) is Outcome.ANSWERED


async def test_a_verdict_of_a_stranger_of_another_time_or_out_of_order_does_not_count(world: World) -> None:
    world.register("known", keys=SOUND)
    await asked(world)
    review_id = (await told(world, OWNER))[0].review.review_id
    said = pb.ReviewVerdict(review_id=review_id, verdict=pb.VERDICT_SAME, worker="w r")
    said.create_time.CopyFrom(stamp(world.clock()))
    with pytest.raises(Invalid) as stranger:
        await desk(world).give(FAR_OWNER, b"", said)
    said.review_id = os.urandom(16)
    with pytest.raises(Invalid) as unknown:
        await desk(world).give(OWNER, b"", said)
    assert stranger.value.fields == unknown.value.fields == ("review_id: unknown",)
    with pytest.raises(Invalid) as late:
        await say(world, OWNER, pb.VERDICT_SAME, late=-61)
    assert late.value.reason is ErrorReason.INVALID_REQUEST
    await say(world, OWNER, pb.VERDICT_DIFFERENT)
    with pytest.raises(Invalid) as older:
        await say(world, OWNER, pb.VERDICT_SAME, late=-30)
    assert older.value.fields == ("create_time: order",)
    assert await asked(world, 1) is Outcome.NO_DISCLOSABLE_RECORD


async def test_a_verdict_is_on_record_with_who_gave_it_and_not_about_whom(world: World) -> None:
    world.register("known", keys=SOUND)
    await asked(world)
    before = world.size()
    await say(world, OWNER, pb.VERDICT_SAME)
    (leaf,) = world.entries(before)
    assert leaf.kind == Kind.REVIEW_JUDGED
    assert {name: leaf.fields[name] for name in ("verdict", "state", "worker")} == {
        "verdict": "VERDICT_SAME",
        "state": "OPEN",
        "worker": "worker-1 CWA.case_worker",
    }
    assert world.setting.reviews is not None
    assert list(world.reader.read(judged_pairs_of)) == []
    await say(world, ASKER, pb.VERDICT_SAME)
    ((comparison, same),) = world.reader.read(judged_pairs_of)
    assert same
    assert comparison.agreeing == {SOUND_KEY}
    assert json.dumps(sorted(leaf.fields)).count("known") == 0


def judged_pairs_of(tx: object) -> list[object]:
    return list(judged_pairs(tx))  # type: ignore[arg-type]
