"""The way of one disclosure, step by step, on a real log."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.sequencer import Append
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.asked import next_slot
from gateway.ports import Entered, Journal
from gateway.protocol.names import AuthorityId, EvidenceKind, FieldSet, FlagState, Grantor, Purpose, Restriction, Role
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1 import exchange_pb2
from tests.unit.exchange.spine_checks import SOURCE_FAILED, check_records_answer, receipt_of
from tests.unit.exchange.spine_parts import ASKER, OWNER, SHELTER, SLOT, START, TEAM, Answered, Question
from tests.unit.exchange.spine_world import World

PLACEMENT = Question("ada")
FINDER = Question(
    "ada",
    purpose=Purpose.MFC_HANDOFF,
    role=Role("CWA.er_worker"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(EvidenceKind.YOUTH_PRESENT,),
)
TEAM_RECORDS = Question(
    "ada",
    purpose=Purpose.CFT_COORDINATION,
    role=Role("FFA.social_worker"),
    field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
    evidence=(EvidenceKind.TEAM_MEMBERSHIP,),
    by=TEAM,
)
INTAKE = Question(
    "ada",
    purpose=Purpose.VOLUNTARY_SHELTER,
    role=Role("SHELTER.yhpc_intake"),
    field_sets=(FieldSet.FS1_FLAG_STATUS,),
    evidence=(),
    by=SHELTER,
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


def outcome(answered: Answered) -> Outcome:
    response = answered.response
    told = response.answer.outcome if isinstance(response, exchange_pb2.CheckFlagResponse) else response.outcome
    return from_wire(Outcome, told)


# --- what is written before what leaves ---


async def test_a_record_leaves_after_its_decision_and_its_release_are_in_the_log(world: World) -> None:
    world.register("ada")
    sizes: list[int] = []

    async def measure() -> None:
        sizes.append(world.size())

    world.sources.meanwhile = measure
    answered = await world.records(PLACEMENT)
    assert outcome(answered) is Outcome.ANSWERED
    assert [(entry.index, entry.kind) for entry in answered.entries] == [(0, "access.decision"), (1, "access.outcome")]
    # The source was asked when the log held the decision and nothing more.
    assert sizes == [1]
    assert world.sources.checked == ["ok"]
    check_records_answer(world, PLACEMENT, answered, world.sources.orders)


async def test_a_flag_check_is_answered_from_its_one_decision_leaf(world: World) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    answered = await world.flag(FINDER)
    assert isinstance(answered.response, exchange_pb2.CheckFlagResponse)
    assert outcome(answered) is Outcome.ANSWERED
    assert answered.response.answer.HasField("flag_statement")
    assert [entry.kind for entry in answered.entries] == ["access.decision"]
    assert receipt_of(world, answered.response.receipt).index == answered.entries[0].index
    assert world.sources.orders == []
    assert world.sources.alerts == [OWNER]


async def test_a_flag_of_a_sensitive_youth_is_told_and_nothing_deeper(world: World) -> None:
    world.register("ada", restriction=Restriction.SENSITIVE, flag=FlagState.ACTIVE)
    assert outcome(await world.flag(FINDER)) is Outcome.ANSWERED
    assert outcome(await world.records(replace(PLACEMENT, number=1))) is Outcome.NO_DISCLOSABLE_RECORD


async def test_a_refusal_of_the_request_alone_looks_for_nobody(world: World) -> None:
    world.register("ada")
    known = await world.records(replace(PLACEMENT, evidence=()))
    nobody = await world.records(replace(PLACEMENT, evidence=(), youth="nobody"))
    for answered in (known, nobody):
        assert outcome(answered) is Outcome.EVIDENCE_NEEDED
        assert [(entry.kind, entry.holder) for entry in answered.entries] == [("access.decision", "")]
        assert answered.seconds == 0
    assert world.clock.slots == []


async def test_the_owner_hears_of_a_record_that_left_and_of_nothing_else(world: World) -> None:
    world.register("ada")
    world.register("sealed", restriction=Restriction.SEALED)
    await world.records(replace(PLACEMENT, youth="sealed"))
    world.sources.mode = "refuse"
    await world.records(PLACEMENT)
    assert world.sources.alerts == []
    world.sources.mode = "answer"
    await world.records(replace(PLACEMENT, number=1))
    assert world.sources.alerts == [OWNER]


# --- time ---


async def test_every_negative_of_a_record_call_leaves_on_the_slot(world: World) -> None:
    world.register("ada")
    world.sources.mode = "refuse"
    for seconds in (0.0, 0.1, 0.39):
        world.sources.seconds = seconds
        refused = await world.records(replace(PLACEMENT, number=int(seconds * 100)))
        assert refused.seconds == pytest.approx(SLOT)
    assert (await world.records(replace(PLACEMENT, youth="nobody"))).seconds == pytest.approx(SLOT)


async def test_an_answer_does_not_wait_for_the_slot(world: World) -> None:
    world.register("ada")
    answered = await world.records(PLACEMENT)
    assert answered.seconds == pytest.approx(world.sources.seconds)
    assert world.clock.slots == []


@given(st.integers(0, 60_000), st.integers(1, 5_000))
def test_a_slot_is_a_multiple_after_receipt_that_is_not_over(passed_ms: int, slot_ms: int) -> None:
    now = START + timedelta(milliseconds=passed_ms)
    slot = next_slot(START, now, slot_ms / 1000)
    multiple = (slot - START) / timedelta(milliseconds=slot_ms)
    assert multiple == pytest.approx(round(multiple))
    assert now - timedelta(microseconds=2) < slot <= now + timedelta(milliseconds=slot_ms, microseconds=2)


# --- sources that fail ---


@pytest.mark.parametrize("mode", SOURCE_FAILED)
async def test_a_source_that_fails_is_named_as_such_and_never_a_negative(world: World, mode: str) -> None:
    world.register("ada")
    world.sources.mode = mode
    answered = await world.records(PLACEMENT)
    assert outcome(answered) is Outcome.SOURCE_UNAVAILABLE
    assert isinstance(answered.response, exchange_pb2.RequestRecordsResponse)
    (row,) = answered.response.sources
    assert (row.agency, row.HasField("sealed_record")) == (OWNER, False)
    assert row.status in {
        exchange_pb2.SOURCE_STATUS_OFFLINE,
        exchange_pb2.SOURCE_STATUS_TIMED_OUT,
        exchange_pb2.SOURCE_STATUS_BUSY,
        exchange_pb2.SOURCE_STATUS_ERROR,
    }
    assert [(entry.kind, entry.fields["outcome"]) for entry in answered.entries] == [
        ("access.decision", "ANSWERED"),
        ("access.outcome", "SOURCE_UNAVAILABLE"),
    ]


# --- authorities that end ---


async def consented(world: World, *, for_intake: bool = False) -> AuthorityId:
    world.register("ada", flag=FlagState.ACTIVE)
    if not for_intake:
        return world.record_authority(subject="ada")
    return world.record_authority(
        subject="ada",
        issuer=SHELTER,
        to=SHELTER,
        purposes=(Purpose.VOLUNTARY_SHELTER,),
        field_sets=(FieldSet.FS1_FLAG_STATUS,),
        grantor=Grantor.MINOR_SELF,
    )


async def test_a_revoked_consent_opens_nothing_from_then_on(world: World) -> None:
    consent = await consented(world)
    assert outcome(await world.records(replace(TEAM_RECORDS, authority=consent))) is Outcome.ANSWERED
    await world.revoke(consent)
    again = await world.records(replace(TEAM_RECORDS, authority=consent, number=1))
    assert outcome(again) is Outcome.CONSENT_NEEDED
    later = await world.records(replace(TEAM_RECORDS, authority=consent, number=2, page=2))
    assert outcome(later) is Outcome.CONSENT_REVOKED
    assert later.entries[0].fields["reason"] == Reason.CONSENT_REVOKED_BETWEEN_PAGES


async def test_a_consent_revoked_while_the_source_works_stops_the_sealed_answer(world: World) -> None:
    consent = await consented(world)
    revoked: list[int] = []

    async def revoke() -> None:
        revoked.append(await world.revoke(consent))

    world.sources.meanwhile = revoke
    answered = await world.records(replace(TEAM_RECORDS, authority=consent))
    assert world.sources.checked == ["ok"]
    assert outcome(answered) is Outcome.NO_DISCLOSABLE_RECORD
    ended = answered.entries[-1]
    assert ended.index > revoked[0]
    assert (ended.allows, ended.fields["reason"], ended.fields["sealed"]) == (
        False,
        Reason.AUTHORITY_ENDED_BEFORE_RELEASE,
        "",
    )
    check_records_answer(world, replace(TEAM_RECORDS, authority=consent), answered, world.sources.orders)


async def test_a_consent_revoked_after_it_was_read_stops_a_flag_check(world: World) -> None:
    consent = await consented(world, for_intake=True)
    assert outcome(await world.flag(replace(INTAKE, authority=consent))) is Outcome.ANSWERED
    index = world.setting.index

    class Slow:
        """The index, with a revocation that is acknowledged while it is read."""

        async def look_up(self, asking: object, tokens: object) -> object:
            await world.revoke(consent)
            return await index.look_up(asking, tokens)  # type: ignore[arg-type]

        async def statement(self, candidate: object) -> object:
            return await index.statement(candidate)  # type: ignore[arg-type]

        async def listings(self) -> object:
            return await index.listings()

        async def records(self) -> int:
            return await index.records()

    world.use(replace(world.setting, index=Slow()))  # type: ignore[arg-type]
    world.sources.alerts.clear()
    answered = await world.flag(replace(INTAKE, authority=consent, number=1))
    assert outcome(answered) is Outcome.NO_ACTIVE_FLAG_FOUND
    assert isinstance(answered.response, exchange_pb2.CheckFlagResponse)
    assert not answered.response.answer.HasField("flag_statement")
    assert answered.entries[-1].fields["reason"] == Reason.AUTHORITY_ENDED_BEFORE_RELEASE
    assert world.sources.alerts == []


async def test_a_statutory_disclosure_outlives_the_revocation_of_a_consent_named_beside_it(world: World) -> None:
    consent = await consented(world)
    await world.revoke(consent)
    answered = await world.records(replace(PLACEMENT, authority=consent))
    assert outcome(answered) is Outcome.ANSWERED


async def test_a_member_denied_while_the_source_works_receives_nothing(world: World) -> None:
    world.register("ada")

    async def deny() -> None:
        await world.deny(ASKER)

    world.sources.meanwhile = deny
    answered = await world.records(PLACEMENT)
    assert outcome(answered) is Outcome.NO_DISCLOSABLE_RECORD
    assert answered.entries[-1].fields["reason"] == Reason.MEMBER_DENIED_BEFORE_RELEASE


# --- a log that fails ---


async def test_when_the_log_fails_nothing_is_asked_of_a_source(world: World) -> None:
    world.register("ada")
    world.path.unlink()
    with pytest.raises(Unavailable) as failed:
        await world.records(PLACEMENT)
    assert failed.value.reason is ErrorReason.LOG_UNAVAILABLE
    assert world.sources.orders == []


async def test_when_the_log_fails_before_the_release_the_sealed_answer_stays(world: World) -> None:
    world.register("ada")

    async def lose_the_file() -> None:
        world.path.unlink()

    world.sources.meanwhile = lose_the_file
    with pytest.raises(Unavailable):
        await world.records(PLACEMENT)
    assert world.sources.checked == ["ok"]
    assert world.sources.alerts == []


async def test_when_the_log_fails_a_flag_is_not_told(world: World) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    world.path.unlink()
    with pytest.raises(Unavailable):
        await world.flag(FINDER)
    assert world.sources.alerts == []


# --- keys of youths ---


class Counting:
    """The journal, which also keeps what it was given."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.appends: list[Append] = []

    async def enter(self, append: Append) -> Entered:
        self.appends.append(append)
        return await self._journal.enter(append)


async def test_youth_fields_hang_on_the_youths_own_key_and_a_fresh_counter_each(world: World) -> None:
    world.register("ada")
    counting = Counting(world.journal)
    world.use(replace(world.setting, journal=counting))
    await world.records(PLACEMENT)
    await world.records(replace(PLACEMENT, youth="nobody"))
    known = [append.draft.youth for append in counting.appends[:2]]
    assert all(key is not None for key in known)
    assert len({(key.key, key.counter) for key in known if key is not None}) == 2
    # An entry about nobody has a key as well, which nobody keeps: it takes as long to make.
    unknown = [append.draft.youth for append in counting.appends[2:]]
    assert len({key.key for key in (*known, *unknown) if key is not None}) == 3
