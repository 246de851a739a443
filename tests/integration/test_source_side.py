"""The source side with a real database: from a work order to an answer the requester can open, or to a refusal."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from adapters.flag_words import due_lines
from adapters.node import tables
from adapters.node.identifiers import timestamp
from adapters.node.own_flag import looked_for
from adapters.node.refusal import Refusal
from adapters.node.stating import Stating
from adapters.node.work_log import ANSWERED
from adapters.records import (
    CountyFips,
    JurisdictionContact,
    LocalSubjectId,
    OutOfHomeEpisode,
    Placement,
    SettingCode,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from gateway.protocol.decide import CountyNarrowing
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import (
    AgencyId,
    EvidenceKind,
    FieldSet,
    FlagId,
    FlagState,
    HandlingCode,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.sealing import SealBroken, SealContext, open_record
from homeward.county.v1.access_pb2 import FlagDue
from homeward.gateway.v1.authority_pb2 import GRANTOR_PARENT_GUARDIAN, AuthoritySubject, SubjectTokenDigests
from homeward.gateway.v1.codes_pb2 import RESOLUTION_GROUP_RETURNED_SAME
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.link_pb2 import (
    WORK_STATUS_ANSWERED,
    WORK_STATUS_ERROR,
    WORK_STATUS_REFUSED,
    WorkOrder,
    WorkResult,
)
from homeward.gateway.v1.records_pb2 import FlagCasework, FlagLocate, RecordAnswer
from tests.integration.source_kit import Gateway, Side, make_side
from tests.unit.node import world
from tests.unit.node.consents import consented_order
from tests.unit.node.world import ASKER, FLAG, HANDLE, KNOWN, NOW, PAIRWISE, SOURCE, THIRD, Order, keys, stamp

CANARY = "Zzyzxcanary"


def youth(**changes: object) -> Youth:
    """An invented youth with a placement in a shelter."""
    episode = OutOfHomeEpisode(
        removal_date=date(2025, 3, 1),
        exit_date=None,
        exit_group=None,
        court_county=CountyFips("06075"),
        responsible_agency=SOURCE,
        placements=(
            Placement(1, date(2025, 3, 1), date(2026, 11, 20), SettingGroup.FAMILY_HOME, SettingCode.FFA_HOME),
            Placement(2, date(2026, 11, 20), None, SettingGroup.TEMPORARY_SHELTER, SettingCode.TEMP_SHELTER_CARE),
        ),
    )
    made = Youth(
        local_id=LocalSubjectId(f"{CANARY}-77"),
        identity=YouthIdentity(given_name=CANARY, surname=CANARY, birth_date=date(2009, 2, 3)),
        episodes=(episode,),
        jurisdiction=JurisdictionContact(CountyFips("06075"), SOURCE, contact_phone="+14155550123"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
async def side(tmp_path: Path) -> AsyncIterator[Side]:
    made = await make_side(tmp_path, Gateway())
    made.enroll(youth())
    yield made
    made.node.store.close()


def opened(order: WorkOrder, result: WorkResult, asker: AgencyId = ASKER, **changes: object) -> RecordAnswer:
    context = SealContext(
        request_digest=hashlib.sha256(order.request_payload).digest(),
        pairwise_handle=PAIRWISE,
        requester=asker,
        source=SOURCE,
        field_sets=(FieldSet.FS0_ACK, *world.granted(order)),
        recipient_key_id=keys().rings[asker].seal.key_id,
        page=1,
        decision_index=order.decision_receipt.index,
    )
    return open_record(
        result.sealed_record,
        context=replace(context, **changes),  # type: ignore[arg-type]
        seal_key=keys().rings[asker].seal,
        source_key=keys().rings[SOURCE].record.public_bytes,
    )


def refused(side: Side, order: WorkOrder) -> str | None:
    result = side.responder.answer(order)
    assert (result.work_id, result.status) == (order.work_id, WORK_STATUS_REFUSED)
    assert not result.HasField("sealed_record")
    return side.responder.work.result(order.work_id)


def test_the_requester_opens_what_the_source_sealed(side: Side) -> None:
    order = Order().build()
    result = side.responder.answer(order)
    assert result.status == WORK_STATUS_ANSWERED
    answer = opened(order, result)
    (episode,) = answer.placement_history.episodes
    assert [each.start_date for each in episode.placements] == ["2025-03-01", "2026-11-20"]
    # 03:10 on the 24th in California: four days after the day of admission.
    assert answer.placement_history.shelter_day_count == 5
    assert CANARY.encode() not in answer.SerializeToString()


@pytest.mark.parametrize(
    "change",
    [
        {"request_digest": bytes(32)}, {"pairwise_handle": bytes(16)}, {"requester": THIRD}, {"page": 2},
        {"field_sets": (FieldSet.FS0_ACK,)}, {"decision_index": 1},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_an_answer_moved_to_another_exchange_does_not_open(side: Side, change: dict[str, object]) -> None:
    order = Order().build()
    with pytest.raises(SealBroken):
        opened(order, side.responder.answer(order), **change)


def test_the_same_order_is_worked_on_once(side: Side) -> None:
    order = Order().build()
    assert side.responder.answer(order).status == WORK_STATUS_ANSWERED
    assert side.responder.answer(order).status == WORK_STATUS_REFUSED
    assert side.responder.work.result(order.work_id) == ANSWERED


def test_a_refused_order_is_not_worked_on_again_either(side: Side) -> None:
    order = Order(leaf_time=NOW - timedelta(minutes=3)).build()
    assert refused(side, order) == Refusal.RECEIPT_OLD
    assert refused(side, order) == Refusal.RECEIPT_OLD


def test_one_decision_is_answered_once_whatever_order_brings_it(side: Side) -> None:
    order = Order().build()
    assert side.responder.answer(order).status == WORK_STATUS_ANSWERED
    again = WorkOrder()
    again.CopyFrom(order)
    again.work_id = secrets.token_bytes(16)
    assert refused(side, again) == Refusal.DECISION_REPEATED


def test_a_handle_that_is_not_of_this_agency_is_refused(side: Side) -> None:
    order = Order(after_grant=lambda grant: setattr(grant, "subject_handle", bytes(16)))
    assert refused(side, order.build()) == Refusal.SUBJECT_UNKNOWN


def test_a_youth_who_left_the_caseload_is_refused(side: Side) -> None:
    side.source.held.clear()
    assert refused(side, Order().build()) == Refusal.SUBJECT_UNKNOWN


def test_a_youth_who_is_not_listed_is_refused(side: Side) -> None:
    side.subjects.withdraw([SubjectHandle(HANDLE)])
    assert refused(side, Order().build()) == Refusal.SUBJECT_UNKNOWN


def test_a_youth_held_for_a_person_is_refused(side: Side) -> None:
    side.enroll(youth(held_for_human=True))
    assert refused(side, Order().build()) == Refusal.HELD_FOR_HUMAN


def test_a_consent_that_the_youth_outlived_is_refused(side: Side) -> None:
    side.enroll(youth(identity=YouthIdentity(given_name=CANARY, surname=CANARY, birth_date=date(2008, 11, 20))))
    assert side.responder.answer(consented_order().build()).status == WORK_STATUS_ANSWERED
    assert refused(side, consented_order(grantor=GRANTOR_PARENT_GUARDIAN).build()) == Refusal.CONSENT_OUTLIVED


def aged(birth_date: date | None) -> Youth:
    """The youth of the order, born then as far as the county knows."""
    return youth(identity=YouthIdentity(given_name=CANARY, surname=CANARY, birth_date=birth_date))


def test_history_of_a_child_is_not_given_on_the_consent_of_a_nonminor_dependent(
    side: Side, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever recorded it, here or elsewhere, and whenever: the source knows how old the youth is."""
    side.enroll(aged(date(2015, 4, 1)))
    assert refused(side, consented_order().build()) == Refusal.GRANTOR_AGE
    assert "2015" not in caplog.text


@pytest.mark.parametrize(
    ("birthday", "status"),
    [
        (date(2008, 11, 23), WORK_STATUS_ANSWERED),
        (date(2008, 11, 24), WORK_STATUS_REFUSED),
        (None, WORK_STATUS_REFUSED),
    ],
    ids=["on the 18th birthday", "on its eve", "a date nobody knows"],
)
def test_a_nonminor_dependents_consent_counts_from_the_day_it_is_18_in_its_county(
    side: Side, birthday: date | None, status: int
) -> None:
    # One in the morning in Greenwich on the 24th is still the 23rd in California.
    takes_effect = datetime(2026, 11, 24, 1, tzinfo=UTC)
    side.enroll(aged(birthday))
    assert side.responder.answer(consented_order(effective_time=stamp(takes_effect)).build()).status == status


def test_nor_where_another_agency_recorded_it_that_does_not_list_the_youth(side: Side) -> None:
    """An adapter that asks nobody's age, or lies, signs such a consent about anybody whose name it has."""
    digests = SubjectTokenDigests(digests=sorted(naming_digests(Order().tokens)))
    elsewhere = {"issuer_agency": THIRD, "subject": AuthoritySubject(token_digests=digests)}
    side.enroll(aged(date(2008, 11, 20)))
    assert side.responder.answer(consented_order(**elsewhere).build()).status == WORK_STATUS_ANSWERED
    side.enroll(aged(date(2015, 4, 1)))
    assert refused(side, consented_order(**elsewhere).build()) == Refusal.GRANTOR_AGE


def test_a_county_that_narrows_refuses_here(side: Side) -> None:
    narrowing = CountyNarrowing(agencies=frozenset({ASKER}))
    side.responder = replace(side.responder, narrowing=narrowing)
    assert refused(side, Order().build()) == Refusal.DECIDED_OTHERWISE


def test_data_older_than_the_county_tolerates_are_an_error_and_no_negative(side: Side) -> None:
    side.source.stale = True
    order = Order().build()
    assert side.responder.answer(order).status == WORK_STATUS_ERROR
    assert side.responder.work.result(order.work_id) == "SourceUnusable"


def test_a_source_that_was_never_read_is_an_error_and_no_negative(side: Side) -> None:
    side.source.as_of = None
    assert side.responder.answer(Order().build()).status == WORK_STATUS_ERROR


async def test_an_adapter_that_the_directory_does_not_list_is_an_error(tmp_path: Path) -> None:
    def without_source(message: Directory) -> None:
        del message.members[0]

    side = await make_side(tmp_path, Gateway(edit=without_source))
    assert side.responder.answer(Order().build()).status == WORK_STATUS_ERROR
    side.node.store.close()


# --- flags


def raised(side: Side, flag_id: bytes = FLAG, handle: bytes = HANDLE) -> None:
    locate = FlagLocate(missing_since_date="2026-11-22", last_seen_county="06077")
    flag = side.issuer.raised(
        FlagId(flag_id), SubjectHandle(handle), handling_code=HandlingCode.CALL_DUTY_LINE,
        learned=NOW - timedelta(hours=40), locate=locate, now=NOW,
    )  # fmt: skip
    side.flags.keep(flag)


def flag_order(**changes: object) -> Order:
    values: dict[str, object] = {
        "role": Role("CWA.case_worker"),
        "purpose": Purpose.MFC_LOCATE,
        "asked": (FieldSet.FS3_FLAG_CASEWORK,),
        "evidence": (),
        "youth": replace(KNOWN, flag=FlagState.ACTIVE),
        "flag_id": FLAG,
    }
    return Order(**(values | changes))  # type: ignore[arg-type]


def test_flag_details_leave_for_a_caseworker_who_is_looking(side: Side) -> None:
    raised(side)
    order = flag_order().build()
    result = side.responder.answer(order)
    assert result.status == WORK_STATUS_ANSWERED
    answer = opened(order, result, field_sets=(FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS, *world.granted(order)))
    assert answer.flag_locate.missing_since_date == "2026-11-22"
    assert answer.HasField("flag_casework")
    assert not answer.HasField("placement_history")


async def test_flag_details_that_the_exchange_refused_do_not_leave(side: Side) -> None:
    stating = Stating(side.flags, side.issuer, lambda: NOW, lambda _: FLAG)

    async def state(day: str) -> SignedEnvelope:
        statement, _ = await stating.raised(
            SubjectHandle(HANDLE), handling_code=None, learned=NOW, locate=FlagLocate(missing_since_date=day)
        )
        return statement

    def settle(statement: SignedEnvelope, *, recorded: bool) -> None:
        settled = stating.settled(statement, recorded=recorded)
        assert settled is not None
        with side.node.store.write() as connection:
            settled(connection)

    settle(await state("2026-11-22"), recorded=True)
    unheard = await state("2026-11-20")
    settle(await state("2026-11-19"), recorded=False)
    settle(unheard, recorded=False)
    order = flag_order().build()
    result = side.responder.answer(order)
    answer = opened(order, result, field_sets=(FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS, *world.granted(order)))
    assert answer.flag_locate.missing_since_date == "2026-11-22"


def lapse(side: Side) -> None:
    """The owner has not affirmed the flag for as long as a statement holds."""
    with side.node.store.write() as connection:
        connection.execute(tables.own_flag.update().values(statement_expire_ms=milliseconds(NOW)))


def test_a_flag_that_nobody_affirmed_for_a_month_is_no_active_one_to_other_agencies(side: Side) -> None:
    raised(side)
    lapse(side)
    assert refused(side, flag_order().build()) == Refusal.DECIDED_OTHERWISE


def test_a_flag_that_lapsed_or_ended_is_still_shown_to_staff_of_its_own_county(side: Side) -> None:
    raised(side)
    lapse(side)
    own = flag_order(asker=world.SOURCE, flag_id=b"")
    assert shown(side, own).flag_locate.missing_since_date == "2026-11-22"
    flag = side.flags.by_id(FlagId(FLAG))
    assert flag is not None
    casework = FlagCasework(resolved_date="2026-11-25", resolution_group=RESOLUTION_GROUP_RETURNED_SAME)
    side.flags.keep(side.issuer.changed(flag, now=NOW, state=FlagState.RESOLVED, casework=casework))
    waived = {"evidence": (EvidenceKind.REPORT_BEING_FILED,), "flag_id": b""}
    ended = replace(KNOWN, flag=FlagState.RESOLVED)
    assert shown(side, flag_order(asker=world.SOURCE, youth=ended, **waived)).flag_casework == casework
    assert not shown(side, flag_order(youth=ended, **waived)).HasField("flag_casework"), "nor to anybody else"


def shown(side: Side, order: Order) -> RecordAnswer:
    """What the source answers."""
    built = order.build()
    result = side.responder.answer(built)
    assert result.status == WORK_STATUS_ANSWERED
    field_sets = (FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS, *world.granted(built))
    return opened(built, result, order.asker, field_sets=field_sets)


def test_a_flag_the_county_does_not_have_is_refused(side: Side) -> None:
    assert refused(side, flag_order().build()) == Refusal.DECIDED_OTHERWISE


def test_a_flag_of_another_youth_is_refused(side: Side) -> None:
    raised(side)
    side.enroll(youth(local_id=LocalSubjectId("invented-8")), handle=bytes(range(64, 80)))
    raised(side, flag_id=bytes(range(80, 96)), handle=bytes(range(64, 80)))
    order = flag_order(flag_id=bytes(range(80, 96)))
    assert refused(side, order.build()) == Refusal.FLAG_UNKNOWN


def test_a_flags_version_only_grows(side: Side) -> None:
    raised(side)
    flag = side.flags.by_id(FlagId(FLAG))
    assert flag is not None
    newer = side.issuer.changed(flag, now=NOW, state=FlagState.RESOLVED)
    side.flags.keep(newer)
    with pytest.raises(ValueError, match="only grows"):
        side.flags.keep(flag)
    assert side.flags.by_id(FlagId(FLAG)) == newer
    assert looked_for(side.flags.of(SubjectHandle(HANDLE))) is None


def test_a_flag_is_due_for_its_owners_word_before_its_statement_ends(side: Side) -> None:
    raised(side)
    assert side.flags.due(NOW + timedelta(days=19)) == []
    (due,) = side.flags.due(NOW + timedelta(days=21))
    (said,) = due_lines([FlagDue(flag_id=due.flag_id, expire_time=timestamp(due.expires))], NOW + timedelta(days=21))
    assert said.startswith(f"warn  flag {due.flag_id.hex()} lapses")
    (said,) = due_lines([FlagDue(flag_id=due.flag_id, expire_time=timestamp(due.expires))], NOW + timedelta(days=31))
    assert said.startswith(f"FAIL  flag {due.flag_id.hex()} lapsed")
    side.flags.keep(side.issuer.changed(due, now=NOW + timedelta(days=21)))
    assert side.flags.due(NOW + timedelta(days=21)) == []


# --- what is kept and what is said


def test_the_receipt_of_an_answered_order_is_kept_and_no_identity_is(side: Side, tmp_path: Path) -> None:
    order = Order().build()
    side.responder.answer(order)
    refused(side, Order(leaf_time=NOW - timedelta(hours=1)).build())
    side.node.store.close()
    stored = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("adapter.db*")))
    assert order.decision_receipt.digests in stored
    # The county's own number is the one thing about a youth that may lie here.
    assert stored.replace(f"{CANARY}-77".encode(), b"").find(CANARY.encode()) == -1
    assert b"2009-02-03" not in stored


def test_a_refusal_names_its_reason_and_no_value_in_the_log(side: Side, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    refused(side, Order(leaf_time=NOW - timedelta(hours=1)).build())
    assert side.responder.answer(Order().build()).status == WORK_STATUS_ANSWERED
    assert [record.__dict__.get("reason") for record in caplog.records] == [Refusal.RECEIPT_OLD]
    assert CANARY not in caplog.text
