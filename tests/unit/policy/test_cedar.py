"""Two readings of one bundle must agree: ours, and a Cedar rendering decided by Cedar's own engine."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.decide import RequestFacts, YouthFacts, decide_request, decide_youth
from gateway.protocol.names import (
    ROLES,
    AgencyKind,
    EvidenceKind,
    FieldSet,
    FlagAct,
    Purpose,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.conditions import flag_act_gap
from gateway.protocol.policy.fieldsets import mask_of
from gateway.protocol.policy.rules import Policy, Rule
from tests.unit.policy.cedar import asked, cedar_requests, flag_act_request, render, render_flag_acts
from tests.unit.policy.facts import sampled, with_rules

POLICY = load_california()
RENDERED = cedarpy.PolicySet.from_str(render(POLICY))
# Reasons that `decide` itself can give; the rest belong to the stages after it and to flag reports.
DECIDED = {reason for reason in Reason if reason.name.startswith(("CONSENT_", "AUTHORITY_", "EMERGENCY_"))} - {
    Reason.AUTHORITY_ENDED_BEFORE_RELEASE,
    Reason.AUTHORITY_ENDED_BETWEEN_PAGES,
    Reason.CONSENT_REVOKED_BETWEEN_PAGES,
} | {
    Reason.PERMITTED,
    Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE,
    Reason.FIELD_SET_BEYOND_PURPOSE,
    Reason.EVIDENCE_MISSING,
    Reason.KIND_ROLE_MISMATCH,
    Reason.OVERSEER_ONLY_REVIEWS,
    Reason.NO_MATCH,
    Reason.AMBIGUOUS_MATCH,
    Reason.MATCH_TOO_WEAK,
    Reason.POSSIBLE_FLAG_MATCH,
    Reason.NO_ACTIVE_FLAG,
    Reason.RECORD_SEALED,
    Reason.RECORD_SENSITIVE,
    Reason.PURPOSE_PRECONDITION_FAILED,
    Reason.AGREEMENT_MISSING,
}
SEEDS = st.integers(0, 2**63 - 1)
PAIRS_A_SEED = 50


def pairs_of(seed: int) -> Iterator[tuple[RequestFacts, YouthFacts]]:
    rng = Random(seed)
    return (sampled(POLICY, rng) for _ in range(PAIRS_A_SEED))


def ours(policy: Policy, request: RequestFacts, youth: YouthFacts) -> set[FieldSet]:
    decision = decide_youth(policy, request, youth, decide_request(policy, request))
    return set(decision.field_sets) - {FieldSet.FS0_ACK}


def cedars(rendered: cedarpy.PolicySet, request: RequestFacts, youth: YouthFacts) -> set[FieldSet]:
    results = cedarpy.is_authorized_batch(cedar_requests(request, youth), rendered, [])
    assert not [error for result in results for error in result.diagnostics.errors]
    return {each for each, result in zip(asked(request), results, strict=True) if result.allowed}


@settings(max_examples=100)
@given(SEEDS)
def test_our_decision_and_cedars_agree_on_every_field_set(seed: int) -> None:
    for request, youth in pairs_of(seed):
        assert ours(POLICY, request, youth) == cedars(RENDERED, request, youth)


def test_the_compared_requests_reach_every_rule_and_most_reasons() -> None:
    rules, reasons = Counter[str](), Counter[Reason]()
    for request, youth in (pair for seed in range(300) for pair in pairs_of(seed)):
        decision = decide_youth(POLICY, request, youth, decide_request(POLICY, request))
        reasons[decision.reason] += 1
        rules[str(decision.rule_id)] += decision.permit
    assert {rule_id for rule_id, count in rules.items() if count} == set(POLICY.by_id)
    assert set(reasons) >= DECIDED


def flag_acts_that_differ(policy: Policy) -> list[tuple[AgencyKind, FlagAct, Role, Purpose]]:
    """Where policy and rendering of the shipped bundle disagree, over every kind of agency, act, role and purpose."""
    rendered = cedarpy.PolicySet.from_str(render_flag_acts(POLICY))
    cases = [
        (kind, act, role, purpose) for kind in AgencyKind for act in FlagAct for role in ROLES for purpose in Purpose
    ]
    requests = [flag_act_request(act, kind=kind, role=role, purpose=purpose) for kind, act, role, purpose in cases]
    results = cedarpy.is_authorized_batch(requests, rendered, [])
    return [
        (kind, act, role, purpose)
        for (kind, act, role, purpose), result in zip(cases, results, strict=True)
        if result.allowed is not (flag_act_gap(policy, act, kind=kind, role=role, purpose=purpose) is None)
    ]


def test_ours_and_cedars_agree_on_all_that_anybody_may_say_of_a_missing_youth() -> None:
    assert flag_acts_that_differ(POLICY) == []


def test_one_role_more_among_those_who_keep_flags_is_noticed() -> None:
    key = FlagAct.KEEP_OWN_FLAG, Purpose.MFC_LOCATE
    officer = Role("COUNTY.privacy_officer")
    wider = POLICY.flag_act_roles | {key: POLICY.flag_act_roles[key] | {officer}}  # type: ignore[operator]
    assert flag_acts_that_differ(replace(POLICY, flag_act_roles=wider)) == [
        (kind, *key[:1], officer, key[1]) for kind in (AgencyKind.CWA, AgencyKind.PROB, AgencyKind.COUNTY)
    ]


def without_evidence(rule: Rule) -> Rule:
    return replace(rule, evidence_all=frozenset())


def with_more_fields(rule: Rule) -> Rule:
    return replace(rule, mask=rule.mask | mask_of([FieldSet.FS6_JURISDICTION_CONTACT]))


def without_agreement(rule: Rule) -> Rule:
    return replace(rule, youth_all=rule.youth_all - {YouthPrecondition.AGREEMENT_WITH_OWNER})


def with_a_waiver(rule: Rule) -> Rule:
    return replace(rule, youth_waived_by=frozenset({EvidenceKind.OPEN_CASE}))


@pytest.mark.parametrize(
    ("rule_id", "mutate"),
    [
        ("MFC_HANDOFF.finder", without_evidence),
        ("CFT_COORDINATION.member", with_more_fields),
        ("PLACEMENT_PLANNING.child_welfare", without_agreement),
        ("MFC_LOCATE.casework", with_a_waiver),
    ],
)
def test_one_altered_row_is_noticed(rule_id: str, mutate: Callable[[Rule], Rule]) -> None:
    altered = with_rules(POLICY, tuple(mutate(rule) if rule.rule_id == rule_id else rule for rule in POLICY.rules))
    pairs = (pair for seed in range(60) for pair in pairs_of(seed))
    assert any(ours(altered, *pair) != cedars(RENDERED, *pair) for pair in pairs)
