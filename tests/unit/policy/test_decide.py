"""What holds of every decision, whatever the facts."""

import timeit
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.decide import (
    CountyNarrowing,
    DecisionInput,
    Located,
    PolicyMismatch,
    RequestFacts,
    YouthFacts,
    between_pages,
    decide,
    decide_request,
    decide_youth,
    narrow,
    withdraw,
)
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    ROLES,
    AgencyKind,
    Basis,
    Call,
    EvidenceKind,
    FieldSet,
    FlagState,
    Notice,
    Obligation,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.outcomes import REASONS, UNIFORM_NEGATIVE, Outcome, Phase, Reason, notices_of
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.fieldsets import expand, mask_of, members
from tests.unit.policy.facts import AGENCIES, authorities, requests, youths
from tests.unit.policy.worker import POLICY, UNKNOWN, both, found, request

REQUESTS = requests(POLICY)


@settings(max_examples=200)
@given(REQUESTS, youths())
def test_what_is_granted_was_asked_for_and_belongs_to_the_purpose(asked: RequestFacts, youth: YouthFacts) -> None:
    decision = both(asked, youth)
    granted = mask_of(decision.field_sets)
    purpose_mask = mask_of(
        field_set for rule in POLICY.rules if rule.purpose is asked.purpose for field_set in members(rule.mask)
    )
    if decision.basis is Basis.EMERGENCY:
        purpose_mask = POLICY.emergency.mask
    assert granted & ~mask_of(asked.field_sets) == 0
    assert granted & ~purpose_mask == 0
    assert set(decision.withheld) == set(expand(asked.field_sets)) - set(decision.field_sets)


@settings(max_examples=200)
@given(REQUESTS, youths())
def test_every_path_has_a_reason_whose_row_fits_the_decision(asked: RequestFacts, youth: YouthFacts) -> None:
    first, decision = decide_request(POLICY, asked), both(asked, youth)
    for each in (first, decision):
        assert each.permit == (each.reason is Reason.PERMITTED) == (each.outcome is Outcome.ANSWERED)
        assert (each.basis is not None) == each.permit
        assert each.permit or each.field_sets == (FieldSet.FS0_ACK,)
        assert (Notice.NOT_A_CLEARANCE in each.notices) != each.permit
    if not first.permit:
        assert REASONS[first.reason].phase is Phase.REQUEST
        assert decision == first
    elif not decision.permit:
        assert REASONS[decision.reason].phase is Phase.YOUTH


@settings(max_examples=200)
@given(REQUESTS, youths())
def test_a_refusal_after_locating_looks_like_an_unknown_youth(asked: RequestFacts, youth: YouthFacts) -> None:
    decision = both(asked, youth)
    unknown = both(asked, replace(UNKNOWN, coverage_complete=youth.coverage_complete))
    if not decision.permit and decision.reason is not Reason.POSSIBLE_FLAG_MATCH:
        assert decision.public == unknown.public
    if decision.reason is Reason.POSSIBLE_FLAG_MATCH:
        assert youth.flag in OPEN_FLAG_STATES


@settings(max_examples=120)
@given(REQUESTS, youths())
def test_while_a_source_is_stale_no_miss_is_a_negative(asked: RequestFacts, youth: YouthFacts) -> None:
    decision = both(asked, replace(youth, coverage_complete=False))
    assert decision.outcome not in UNIFORM_NEGATIVE.values()


@settings(max_examples=120)
@given(REQUESTS, youths())
def test_a_sealed_matter_is_never_released_and_a_sensitive_one_gives_flag_status_at_most(
    asked: RequestFacts, youth: YouthFacts
) -> None:
    assert not both(asked, replace(youth, restriction=Restriction.SEALED)).permit
    sensitive = both(asked, replace(youth, restriction=Restriction.SENSITIVE))
    assert set(sensitive.field_sets) <= {FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS}
    assert not sensitive.permit or youth.flag in OPEN_FLAG_STATES


@settings(max_examples=120)
@given(REQUESTS, youths())
def test_only_a_certain_match_opens_more_than_flag_status(asked: RequestFacts, youth: YouthFacts) -> None:
    decision = both(asked, youth)
    if youth.located is not Located.ONE:
        assert set(decision.field_sets) <= {FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS}
    if youth.located not in (Located.ONE, Located.ONE_FOR_FLAG):
        assert not decision.permit


@settings(max_examples=200)
@given(REQUESTS, youths(), st.one_of(st.none(), authorities()))
def test_no_consent_or_order_changes_what_rests_on_statute(
    asked: RequestFacts, youth: YouthFacts, other: AuthorityFacts | None
) -> None:
    plain = replace(asked, authority=None)
    decision = both(plain, youth)
    if decision.basis is not Basis.STATUTE:
        return
    assert both(replace(plain, authority=other), replace(youth, authority_covers_youth=False)) == decision


def test_a_revoked_consent_stops_a_disclosure_that_rests_on_consent() -> None:
    live = AuthorityFacts(AuthorityStatus.LIVE, Basis.CONSENT, tuple(FieldSet))
    team = request(
        agency_kind=AgencyKind.FFA,
        role=Role("FFA.social_worker"),
        purpose=Purpose.CFT_COORDINATION,
        field_sets=(FieldSet.FS4_PLACEMENT_SUMMARY,),
        evidence=frozenset({EvidenceKind.TEAM_MEMBERSHIP}),
        authority=live,
    )
    youth = found(authority_covers_youth=True)
    assert both(team, youth).permit
    revoked = replace(team, authority=replace(live, status=AuthorityStatus.REVOKED))
    assert both(revoked, youth).outcome is Outcome.CONSENT_NEEDED


def test_an_authority_for_another_youth_is_refused_like_an_unknown_youth() -> None:
    order = AuthorityFacts(AuthorityStatus.LIVE, Basis.COURT_ORDER, (FieldSet.FS5_PLACEMENT_DETAIL,))
    asked = request(agency_kind=AgencyKind.PROB, role=Role("PROB.placement_officer"), authority=order)
    assert both(asked, found(authority_covers_youth=True)).permit
    decision = both(asked, found(authority_covers_youth=False))
    assert decision.reason is Reason.AUTHORITY_OTHER_SUBJECT
    assert decision.public == both(asked, UNKNOWN).public


@settings(max_examples=200)
@given(REQUESTS, youths())
def test_an_emergency_keeps_its_limits(asked: RequestFacts, youth: YouthFacts) -> None:
    decision = both(asked, youth)
    if decision.basis is not Basis.EMERGENCY:
        return
    authority = asked.authority
    assert authority is not None
    assert authority.status is AuthorityStatus.LIVE
    assert authority.life_seconds <= 4 * 3600
    assert asked.agency_kind in (AgencyKind.CWA, AgencyKind.PROB, AgencyKind.LEA)
    assert set(decision.field_sets).isdisjoint({FieldSet.FS4_PLACEMENT_SUMMARY, FieldSet.FS5_PLACEMENT_DETAIL})
    assert youth.restriction is Restriction.NONE
    assert Obligation.REVIEW_5_BUSINESS_DAYS in decision.obligations


def test_an_emergency_claim_limits_itself() -> None:
    claim = AuthorityFacts(AuthorityStatus.LIVE, Basis.EMERGENCY, (FieldSet.FS6_JURISDICTION_CONTACT,), 3600)
    asked = request(
        agency_kind=AgencyKind.LEA,
        role=Role("LEA.patrol"),
        field_sets=(FieldSet.FS2_FLAG_LOCATE, FieldSet.FS6_JURISDICTION_CONTACT),
        evidence=frozenset({EvidenceKind.IMMINENT_HARM}),
        authority=claim,
        login_age_seconds=10,
    )
    decision = both(asked, found(flag=FlagState.ACTIVE, authority_covers_youth=True))
    assert decision.field_sets == expand([FieldSet.FS6_JURISDICTION_CONTACT])


@pytest.mark.parametrize("restriction", [Restriction.SENSITIVE, Restriction.SEALED])
def test_no_emergency_replaces_a_missing_agreement_on_a_restricted_case(restriction: Restriction) -> None:
    asked = request(
        field_sets=(FieldSet.FS2_FLAG_LOCATE, FieldSet.FS5_PLACEMENT_DETAIL),
        evidence=frozenset({EvidenceKind.OPEN_CASE, EvidenceKind.IMMINENT_HARM}),
        authority=AuthorityFacts(AuthorityStatus.LIVE, Basis.EMERGENCY, tuple(FieldSet), 3600),
        login_age_seconds=10,
    )
    missing = found(agreement_with_owner=False, flag=FlagState.ACTIVE, authority_covers_youth=True)
    assert both(asked, missing).basis is Basis.EMERGENCY
    assert not both(asked, replace(missing, restriction=restriction)).permit
    assert not both(asked, replace(missing, located=Located.POSSIBLE)).permit
    assert not both(asked, replace(missing, authority_covers_youth=False)).permit


def test_reading_an_own_youth_is_internal_use_and_not_accounted() -> None:
    asked = request()
    own = both(asked, found(owner=asked.agency, agreement_with_owner=False))
    assert own.permit
    assert Obligation.INTERNAL_USE in own.obligations
    assert Obligation.ACCOUNT not in own.obligations
    assert Obligation.ACCOUNT in both(asked, found()).obligations


@settings(max_examples=120)
@given(
    REQUESTS,
    youths(),
    st.builds(
        CountyNarrowing,
        purposes=st.frozensets(st.sampled_from(list(Purpose)), max_size=2),
        roles=st.frozensets(st.sampled_from(ROLES), max_size=3),
        agencies=st.frozensets(st.sampled_from(AGENCIES), max_size=1),
        field_sets=st.frozensets(st.sampled_from(list(FieldSet)), max_size=3),
    ),
)
def test_a_county_can_only_remove(asked: RequestFacts, youth: YouthFacts, narrowing: CountyNarrowing) -> None:
    before = both(asked, youth)
    after = narrow(before, asked, youth, narrowing)
    assert set(after.field_sets) <= set(before.field_sets)
    assert after.permit <= before.permit
    assert narrowing.field_sets - {FieldSet.FS0_ACK} <= set(FieldSet) - set(after.field_sets)
    if before.permit and not after.permit:
        unknown = both(asked, replace(UNKNOWN, coverage_complete=youth.coverage_complete))
        assert after.public == unknown.public


def test_narrowing_that_leaves_only_the_fact_of_a_match_is_a_refusal() -> None:
    asked = request(
        role=Role("CWA.hotline_screener"),
        purpose=Purpose.HOTLINE_SCREEN,
        field_sets=(FieldSet.FS1_FLAG_STATUS, FieldSet.FS6_JURISDICTION_CONTACT),
        evidence=frozenset({EvidenceKind.ABUSE_REPORT}),
    )
    no_contact = CountyNarrowing(field_sets=frozenset({FieldSet.FS6_JURISDICTION_CONTACT}))
    check = replace(asked, field_sets=(FieldSet.FS1_FLAG_STATUS,))
    unflagged, flagged = found(), found(flag=FlagState.ACTIVE)
    for youth in (unflagged, flagged):
        assert narrow(both(asked, youth), asked, youth, no_contact).reason is Reason.REFUSED_BY_SOURCE
    assert narrow(both(check, flagged), check, flagged, no_contact).field_sets == expand([FieldSet.FS1_FLAG_STATUS])
    assert narrow(both(asked, unflagged), asked, unflagged, CountyNarrowing()) == both(asked, unflagged)


@pytest.mark.parametrize(
    "reason",
    [Reason.REFUSED_BY_SOURCE, Reason.AUTHORITY_ENDED_BEFORE_RELEASE, Reason.MEMBER_DENIED_BEFORE_RELEASE],
)
def test_a_permit_withdrawn_before_release_looks_like_an_unknown_youth(reason: Reason) -> None:
    asked, youth = request(), found()
    withdrawn = withdraw(both(asked, youth), asked, youth, reason=reason)
    assert withdrawn.reason is reason
    assert withdrawn.public == both(asked, UNKNOWN).public


@pytest.mark.parametrize(
    ("reason", "ended", "outcome"),
    [
        (Reason.CONSENT_REVOKED, Reason.CONSENT_REVOKED_BETWEEN_PAGES, Outcome.CONSENT_REVOKED),
        (Reason.AUTHORITY_REVOKED, Reason.AUTHORITY_ENDED_BETWEEN_PAGES, Outcome.AUTHORITY_NEEDED),
    ],
)
def test_a_revocation_is_named_to_whoever_reads_on(reason: Reason, ended: Reason, outcome: Outcome) -> None:
    refused = replace(decide_request(POLICY, request(role=Role("PUBLIC.anyone"))), reason=reason)
    later = between_pages(refused)
    assert (later.reason, later.outcome) == (ended, outcome) == (ended, REASONS[ended].outcome)
    assert later.notices == notices_of(outcome)
    assert not later.permit


@pytest.mark.parametrize(
    "reason", [each for each in Reason if REASONS[each].phase is Phase.YOUTH and REASONS[each].outcome is None]
)
def test_on_a_later_page_too_every_refusal_about_the_youth_is_that_of_an_unknown_one(reason: Reason) -> None:
    asked, youth = request(), found()
    later = between_pages(withdraw(both(asked, youth), asked, youth, reason=reason))
    assert later.reason is reason
    assert later.public == both(asked, UNKNOWN).public


@settings(max_examples=120)
@given(REQUESTS, youths())
def test_deciding_twice_from_the_committed_bytes_gives_the_same_decision(
    asked: RequestFacts, youth: YouthFacts
) -> None:
    committed = DecisionInput(POLICY.digest, asked, youth).to_bytes()
    assert decide(load_california(), DecisionInput.from_bytes(committed)) == both(asked, youth)


def test_a_decision_is_not_replayed_under_another_bundle() -> None:
    with pytest.raises(PolicyMismatch):
        decide(POLICY, DecisionInput(bytes(32), request(), None))


def test_a_first_decision_of_another_bundle_is_refused() -> None:
    first = replace(decide_request(POLICY, request()), rule_id=None)
    with pytest.raises(PolicyMismatch):
        decide_youth(POLICY, request(), found(), first)


def test_a_flag_check_and_a_record_call_have_their_own_negative() -> None:
    search = request(purpose=Purpose.MFC_LOCATE)
    flag = replace(search, field_sets=(FieldSet.FS1_FLAG_STATUS,))
    record = replace(search, field_sets=(FieldSet.FS3_FLAG_CASEWORK,))
    assert (flag.call, record.call) == (Call.FLAG_CHECK, Call.RECORD)
    assert both(flag, UNKNOWN).outcome is Outcome.NO_ACTIVE_FLAG_FOUND
    assert both(record, UNKNOWN).outcome is Outcome.NO_DISCLOSABLE_RECORD


def test_the_time_of_a_decision_is_printed() -> None:
    asked, youth = request(), found()
    each = timeit.timeit(lambda: both(asked, youth), number=2000) / 2000
    print(f"decide_request + decide_youth: {each * 1e6:.1f} us")
    assert both(asked, youth).permit


@settings(max_examples=200)
@given(REQUESTS, youths(), st.sampled_from(list(EvidenceKind)))
def test_showing_more_evidence_never_gives_less(asked: RequestFacts, youth: YouthFacts, more: EvidenceKind) -> None:
    less = both(asked, youth)
    richer = both(replace(asked, evidence=asked.evidence | {more}), youth)
    if less.basis is not Basis.EMERGENCY:
        assert set(less.field_sets) <= set(richer.field_sets)


def test_a_missing_agreement_does_not_outweigh_a_live_consent() -> None:
    consent = AuthorityFacts(AuthorityStatus.LIVE, Basis.CONSENT, tuple(FieldSet))
    asked = request(
        agency_kind=AgencyKind.PROB,
        role=Role("PROB.placement_officer"),
        evidence=frozenset({EvidenceKind.SUPERVISING}),
        authority=consent,
    )
    decision = both(asked, found(agreement_with_owner=False, authority_covers_youth=True))
    assert (decision.permit, decision.basis) == (True, Basis.CONSENT)


@pytest.mark.parametrize("kind", [AgencyKind.CWA, AgencyKind.PROB, AgencyKind.COUNTY])
def test_a_countys_privacy_officer_may_review_and_nothing_else(kind: AgencyKind) -> None:
    officer = replace(
        request(agency_kind=kind, role=Role("COUNTY.privacy_officer"), purpose=Purpose.OVERSIGHT_AUDIT),
        field_sets=(FieldSet.FS7_ACCOUNTING,),
        evidence=frozenset(EvidenceKind),
    )
    assert decide_request(POLICY, officer).permit
    for purpose in set(Purpose) - {Purpose.OVERSIGHT_AUDIT}:
        other = replace(officer, purpose=purpose, field_sets=tuple(FieldSet))
        assert decide_request(POLICY, other).reason is Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE
    police = replace(officer, agency_kind=AgencyKind.LEA)
    assert decide_request(POLICY, police).reason is Reason.KIND_ROLE_MISMATCH
