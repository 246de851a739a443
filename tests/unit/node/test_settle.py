"""The source decides last, on its own facts: less than the grant perhaps, never more."""

from dataclasses import replace

import pytest

from adapters.node.order import VerifiedOrder, verify_order
from adapters.node.refusal import OrderRefused, Refusal
from adapters.node.settle import OwnFacts, agreeing_keys, settle
from gateway.protocol.decide import CountyNarrowing
from gateway.protocol.directory import DirectoryView
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.names import FieldSet, FlagState, Purpose, Restriction, Role, SubjectHandle
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.directory_pb2 import Directory
from tests.unit.node.consents import consented_order
from tests.unit.node.world import ASKER, HANDLE, YOUTH_TOKENS, Order, directory, here, tokens_of


def own(**changes: object) -> OwnFacts:
    facts = OwnFacts(
        handle=SubjectHandle(HANDLE),
        tokens=tokens_of(*YOUTH_TOKENS),
        flag=None,
        restriction=Restriction.NONE,
        placement_county="06075",
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def settled(order: Order, facts: OwnFacts, **narrowing: object) -> tuple[FieldSet, ...]:
    at = here()
    verified = verify_order(order.build(), at)
    return settle(verified, facts, at, CountyNarrowing(**narrowing)).field_sets  # type: ignore[arg-type]


def unsettled(order: Order, facts: OwnFacts, at: DirectoryView | None = None, **narrowing: object) -> Refusal:
    with pytest.raises(OrderRefused) as caught:
        verified: VerifiedOrder = verify_order(order.build(), here())
        settle(verified, facts, here(directory=at or directory()), CountyNarrowing(**narrowing))  # type: ignore[arg-type]
    return caught.value.refusal


def test_own_facts_that_agree_leave_the_whole_grant() -> None:
    assert settled(Order(), own()) == (FieldSet.FS4_PLACEMENT_SUMMARY, FieldSet.FS5_PLACEMENT_DETAIL)


@pytest.mark.parametrize(
    "tokens",
    [
        tokens_of(*(f"{key}:somebody else" for key in CORE_KEYS)),
        tokens_of(f"{SOUND_KEY}:invented youth"),
        tokens_of("name_dob:invented youth"),
        tokens_of(*YOUTH_TOKENS, epoch="e0"),
    ],
    ids=["nothing", "sound only", "name only", "other epoch"],
)
def test_a_handle_whose_registration_does_not_agree_with_the_question_is_refused(tokens: object) -> None:
    assert unsettled(Order(), own(tokens=tokens)) is Refusal.TOKENS_DIFFER


def test_a_youth_written_differently_is_settled_by_the_score_of_what_agrees() -> None:
    misspelled = tuple(each for each in YOUTH_TOKENS if not each.startswith(("name_dob:", "name_year:")))
    assert settled(Order(), own(tokens=tokens_of(*misspelled)))


@pytest.mark.parametrize("key", ["further_given_dob", "further_initial_dob", "ssn4_dob"])
def test_a_twin_of_one_name_is_refused_here_too_and_told_where_one_record_says_nothing(key: str) -> None:
    order = Order(tokens=tokens_of(*YOUTH_TOKENS, f"{key}:one twin"))
    assert settled(order, own())
    assert settled(order, own(tokens=tokens_of(*YOUTH_TOKENS, f"{key}:one twin")))
    assert unsettled(order, own(tokens=tokens_of(*YOUTH_TOKENS, f"{key}:the other"))) is Refusal.TOKENS_DIFFER


def test_what_this_agency_confirmed_needs_no_score_and_nothing_else_does_without() -> None:
    weak = tokens_of(f"{SOUND_KEY}:invented youth")
    assert settled(Order(), own(tokens=weak, confirmed=True))
    assert unsettled(Order(), own(tokens=weak)) is Refusal.TOKENS_DIFFER


def test_a_number_that_differs_on_both_sides_is_another_youth_whatever_the_gateway_says() -> None:
    numbered = Order(tokens=tokens_of(*YOUTH_TOKENS, "ssn4_dob:1234"))
    assert settled(numbered, own())
    assert settled(numbered, own(tokens=tokens_of(*YOUTH_TOKENS, "ssn4_dob:1234")))
    other = own(tokens=tokens_of(*YOUTH_TOKENS, "ssn4_dob:4321"))
    assert unsettled(numbered, other) is Refusal.TOKENS_DIFFER
    assert settled(numbered, replace(other, confirmed=True))


def test_dummies_alone_agree_with_nothing() -> None:
    absent = tokens_of(*YOUTH_TOKENS)
    absent.presence = 0
    assert agreeing_keys(absent, tokens_of(*YOUTH_TOKENS)) == frozenset()


@pytest.mark.parametrize("restriction", [Restriction.SEALED, Restriction.SENSITIVE])
def test_a_record_that_was_restricted_since_the_index_knew_it_is_refused(restriction: Restriction) -> None:
    assert unsettled(Order(), own(restriction=restriction)) is Refusal.DECIDED_OTHERWISE


def located_order() -> Order:
    return Order(
        role=Role("CWA.case_worker"),
        purpose=Purpose.MFC_LOCATE,
        asked=(FieldSet.FS3_FLAG_CASEWORK,),
        evidence=(),
        youth=replace(Order().youth, flag=FlagState.ACTIVE),
    )


def test_a_flag_that_ended_here_is_not_disclosed_although_the_index_still_has_it() -> None:
    assert settled(located_order(), own(flag=FlagState.LOCATED_PENDING)) == (
        FieldSet.FS2_FLAG_LOCATE,
        FieldSet.FS3_FLAG_CASEWORK,
    )
    assert unsettled(located_order(), own(flag=FlagState.RESOLVED)) is Refusal.DECIDED_OTHERWISE


def test_an_agreement_that_the_directory_lost_is_missed_here_too() -> None:
    def without(message: Directory) -> None:
        message.counties_without_agreement.append("06029/06075")

    assert unsettled(Order(), own(), directory(without)) is Refusal.DECIDED_OTHERWISE


def test_a_consent_for_another_youth_is_refused_by_the_owner_of_the_handle() -> None:
    order = consented_order(subject=AuthoritySubject(handle=bytes(16)))
    assert unsettled(order, own()) is Refusal.DECIDED_OTHERWISE


@pytest.mark.parametrize(
    "narrowing",
    [
        {"agencies": frozenset({ASKER})},
        {"purposes": frozenset({Purpose.PLACEMENT_PLANNING})},
        {"roles": frozenset({Role("CWA.placement_worker")})},
        {"field_sets": frozenset({FieldSet.FS4_PLACEMENT_SUMMARY})},
    ],
    ids=["agency", "purpose", "role", "field set"],
)
def test_what_the_county_never_answers_is_refused(narrowing: dict[str, object]) -> None:
    assert unsettled(Order(), own(), **narrowing) is Refusal.DECIDED_OTHERWISE


def test_a_county_that_gives_less_gives_less() -> None:
    narrowing = {"field_sets": frozenset({FieldSet.FS5_PLACEMENT_DETAIL})}
    assert settled(Order(), own(), **narrowing) == (FieldSet.FS4_PLACEMENT_SUMMARY,)
