"""A record call is left with something a source answers, or it is refused; flag status alone answers a flag check."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol import decide
from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.decide import CountyNarrowing, Decision, Located, RequestFacts, YouthFacts, decide_request, narrow
from gateway.protocol.names import (
    AgencyId,
    AgencyKind,
    Basis,
    Call,
    EvidenceKind,
    FieldSet,
    FlagState,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy import conditions
from gateway.protocol.policy.fieldsets import ACK, expand
from gateway.protocol.policy.rules import Policy
from tests.unit.policy.facts import requests, sampled, with_rules, youths
from tests.unit.policy.worker import POLICY, UNKNOWN, both, found, request

STATUS = frozenset({FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS})
NARROWINGS = st.builds(CountyNarrowing, field_sets=st.frozensets(st.sampled_from(list(FieldSet)), max_size=3))


def is_silent_record(asked: RequestFacts, decision: Decision) -> bool:
    """Whether a record call is permitted with nothing for a source to answer."""
    return decision.permit and asked.call is Call.RECORD and STATUS.issuperset(decision.field_sets)


@settings(max_examples=300)
@given(requests(POLICY), youths(), NARROWINGS)
def test_no_record_call_is_permitted_without_anything_for_a_source_to_answer(
    asked: RequestFacts, youth: YouthFacts, narrowing: CountyNarrowing
) -> None:
    decision = both(asked, youth)
    for each in (decide_request(POLICY, asked), decision, narrow(decision, asked, youth, narrowing)):
        assert not is_silent_record(asked, each)


@pytest.mark.parametrize(("forgetful", "phase"), [(conditions, "request"), (conditions, "youth"), (decide, "narrow")])
def test_a_step_that_counts_flag_status_as_a_record_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch, forgetful: ModuleType, phase: str
) -> None:
    monkeypatch.setattr(forgetful, "answers", lambda asked, granted: granted != ACK)
    rng = Random(1)
    no_depth = CountyNarrowing(field_sets=frozenset(FieldSet) - STATUS)
    steps: dict[str, Callable[[RequestFacts, YouthFacts], Decision]] = {
        "request": lambda asked, youth: decide_request(POLICY, asked),
        "youth": both,
        "narrow": lambda asked, youth: narrow(both(asked, youth), asked, youth, no_depth),
    }
    pairs = [sampled(POLICY, rng) for _ in range(2000)]
    assert any(is_silent_record(asked, steps[phase](asked, youth)) for asked, youth in pairs)


SEARCH = (FieldSet.FS1_FLAG_STATUS, FieldSet.FS3_FLAG_CASEWORK)


@pytest.mark.parametrize(
    ("purpose", "sets", "evidence", "youth", "reason"),
    [
        (Purpose.MFC_LOCATE, SEARCH, (), {"restriction": Restriction.SENSITIVE}, Reason.RECORD_SENSITIVE),
        (Purpose.MFC_LOCATE, SEARCH, (), {"located": Located.ONE_FOR_FLAG}, Reason.MATCH_TOO_WEAK),
        (
            Purpose.MFC_HANDOFF,
            (FieldSet.FS2_FLAG_LOCATE,),
            (EvidenceKind.YOUTH_PRESENT,),
            {"restriction": Restriction.SENSITIVE, "located": Located.ONE_FOR_FLAG},
            Reason.FIELD_SET_BEYOND_PURPOSE,
        ),
    ],
)
def test_where_only_flag_status_is_left_a_record_call_is_refused_and_a_flag_check_answered(
    purpose: Purpose,
    sets: tuple[FieldSet, ...],
    evidence: tuple[EvidenceKind, ...],
    youth: dict[str, object],
    reason: Reason,
) -> None:
    asked = request(purpose=purpose, field_sets=sets, evidence=frozenset(evidence))
    meant = found(flag=FlagState.ACTIVE, **youth)
    decision = both(asked, meant)
    assert (decision.permit, decision.reason) == (False, reason)
    # What tells the two youths apart must not be told: neither a grant, nor an order to a source that may be down.
    assert decision.public == both(asked, UNKNOWN).public
    check = both(replace(asked, field_sets=(FieldSet.FS1_FLAG_STATUS,)), meant)
    assert (check.permit, check.field_sets) == (True, expand([FieldSet.FS1_FLAG_STATUS]))


@pytest.mark.parametrize("located", [Located.POSSIBLE, Located.AMBIGUOUS])
def test_a_possible_flag_is_paged_about_whichever_call_asked(located: Located) -> None:
    owner = None if located is Located.AMBIGUOUS else AgencyId("06075.cwa")
    meant = found(flag=FlagState.ACTIVE, located=located, owner=owner)
    for sets in ((FieldSet.FS1_FLAG_STATUS,), (FieldSet.FS3_FLAG_CASEWORK,)):
        decision = both(request(purpose=Purpose.MFC_LOCATE, field_sets=sets), meant)
        assert decision.reason is Reason.POSSIBLE_FLAG_MATCH


def resting_on(basis: Basis) -> Policy:
    """The policy with the placement worker's search resting on an authority."""
    return with_rules(
        POLICY,
        tuple(
            replace(rule, bases=(basis,)) if rule.rule_id == "MFC_LOCATE.casework" else rule for rule in POLICY.rules
        ),
    )


@pytest.mark.parametrize(
    ("basis", "reason"),
    [(Basis.CONSENT, Reason.CONSENT_OUT_OF_SCOPE), (Basis.COURT_ORDER, Reason.AUTHORITY_OUT_OF_SCOPE)],
)
def test_an_authority_for_flag_status_alone_covers_a_flag_check_and_no_record_call(
    basis: Basis, reason: Reason
) -> None:
    policy = resting_on(basis)
    status_only = AuthorityFacts(AuthorityStatus.LIVE, basis, (FieldSet.FS1_FLAG_STATUS,))
    record = request(purpose=Purpose.MFC_LOCATE, field_sets=(FieldSet.FS3_FLAG_CASEWORK,), authority=status_only)
    assert decide_request(policy, record).reason is reason
    check = replace(record, field_sets=(FieldSet.FS1_FLAG_STATUS,))
    assert both(check, found(flag=FlagState.ACTIVE, authority_covers_youth=True), policy).permit
    deeper = replace(status_only, field_sets=(FieldSet.FS2_FLAG_LOCATE,))
    assert decide_request(policy, replace(record, authority=deeper)).permit


def emergency(*sets: FieldSet, scope: tuple[FieldSet, ...]) -> RequestFacts:
    """A patrol officer's emergency in place of a role."""
    return request(
        agency_kind=AgencyKind.LEA,
        role=Role("LEA.patrol"),
        field_sets=sets,
        evidence=frozenset({EvidenceKind.IMMINENT_HARM}),
        authority=AuthorityFacts(AuthorityStatus.LIVE, Basis.EMERGENCY, scope, 3600),
        login_age_seconds=10,
    )


def test_an_emergency_too_gives_flag_status_alone_to_a_flag_check_only() -> None:
    weak = found(flag=FlagState.ACTIVE, located=Located.ONE_FOR_FLAG, authority_covers_youth=True)
    status = (FieldSet.FS1_FLAG_STATUS,)
    assert both(emergency(*status, scope=tuple(FieldSet)), weak).field_sets == expand(status)
    record = emergency(FieldSet.FS2_FLAG_LOCATE, scope=tuple(FieldSet))
    assert both(record, weak).reason is Reason.MATCH_TOO_WEAK
    assert both(record, replace(weak, located=Located.ONE)).field_sets == expand([FieldSet.FS2_FLAG_LOCATE])
    narrow_claim = emergency(FieldSet.FS2_FLAG_LOCATE, scope=status)
    assert decide_request(POLICY, narrow_claim).reason is Reason.EMERGENCY_FIELDS_BEYOND_LIMIT


def test_an_emergency_that_leaves_only_flag_status_does_not_replace_a_missing_agreement() -> None:
    record = request(
        field_sets=(FieldSet.FS2_FLAG_LOCATE, FieldSet.FS5_PLACEMENT_DETAIL),
        evidence=frozenset({EvidenceKind.OPEN_CASE, EvidenceKind.IMMINENT_HARM}),
        authority=AuthorityFacts(AuthorityStatus.LIVE, Basis.EMERGENCY, (FieldSet.FS1_FLAG_STATUS,), 3600),
        login_age_seconds=10,
    )
    meant = found(agreement_with_owner=False, flag=FlagState.ACTIVE, authority_covers_youth=True)
    decision = both(record, meant)
    assert decision.reason is Reason.AGREEMENT_MISSING
    assert decision.public == both(record, UNKNOWN).public
