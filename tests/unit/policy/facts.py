"""Strategies of invented decision facts, biased toward requests that get somewhere, and policies with other rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.decide import Located, RequestFacts, YouthFacts
from gateway.protocol.names import (
    ROLES,
    AgencyId,
    AgencyKind,
    Basis,
    EvidenceKind,
    FieldSet,
    FlagState,
    Purpose,
    Restriction,
    Role,
)
from gateway.protocol.policy.fieldsets import FLAG_STATUS
from gateway.protocol.policy.rules import Policy, Rule

AGENCIES = tuple(AgencyId(name) for name in ("06001.cwa", "06037.cwa", "06037.probation", "06075.example-pd"))
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
FLAG_CHECK = (FieldSet.FS1_FLAG_STATUS,)
FIELD_SETS = st.one_of(
    st.just(FLAG_CHECK),
    *[st.lists(st.sampled_from(list(FieldSet)), unique=True, max_size=4).map(tuple)] * 3,
)
EVIDENCE = st.one_of(
    st.just(frozenset(EvidenceKind)),
    st.frozensets(st.sampled_from(list(EvidenceKind)), max_size=6),
)


def kind_of(role: Role) -> AgencyKind:
    return AgencyKind(role.partition(".")[0])


@st.composite
def authorities(draw: st.DrawFn) -> AuthorityFacts:
    return AuthorityFacts(
        status=draw(st.one_of(st.just(AuthorityStatus.LIVE), st.sampled_from(list(AuthorityStatus)))),
        basis=draw(st.sampled_from(list(Basis))),
        field_sets=draw(st.one_of(st.just(tuple(FieldSet)), FIELD_SETS)),
        life_seconds=draw(st.sampled_from([60, 14_400, 14_401, 86_400])),
        redisclosure_prohibited=draw(st.booleans()),
    )


@st.composite
def requests(draw: st.DrawFn, policy: Policy) -> RequestFacts:
    rule = draw(st.sampled_from(policy.rules))
    role = draw(st.one_of(st.sampled_from(rule.roles), st.sampled_from(rule.roles), st.sampled_from(ROLES)))
    kind = draw(st.sampled_from([kind_of(role)] * 9 + [AgencyKind.FED, AgencyKind.LEA]))
    return RequestFacts(
        agency=draw(st.sampled_from(AGENCIES)),
        agency_kind=kind,
        role=role,
        purpose=draw(st.sampled_from([rule.purpose] * 4 + list(Purpose))),
        field_sets=draw(FIELD_SETS),
        evidence=draw(EVIDENCE),
        authority=draw(st.one_of(st.none(), authorities())),
        received_at=EPOCH + timedelta(milliseconds=draw(st.integers(0, 10**10))),
        login_age_seconds=draw(st.sampled_from([0, 60, 300, 301, None])),
        emergency_uses=draw(st.sampled_from([0, 2, 3])),
    )


@st.composite
def youths(draw: st.DrawFn) -> YouthFacts:
    located = draw(st.sampled_from([Located.ONE] * 4 + list(Located)))
    has_owner = located not in (Located.NONE, Located.AMBIGUOUS)
    return YouthFacts(
        located=located,
        coverage_complete=draw(st.sampled_from([True, True, False])),
        owner=draw(st.sampled_from(AGENCIES)) if has_owner else None,
        flag=draw(st.sampled_from([None, *FlagState])),
        restriction=draw(st.sampled_from([Restriction.NONE] * 3 + list(Restriction))),
        placed_in_callers_county=draw(st.booleans()),
        agreement_with_owner=draw(st.booleans()),
        authority_covers_youth=draw(st.booleans()),
    )


def sampled(policy: Policy, rng: Random) -> tuple[RequestFacts, YouthFacts]:
    """One request and what was found, near the edge of some rule: most conditions hold, any may not."""
    rule = rng.choice(policy.rules)
    role = rng.choice(rule.roles) if rng.random() < 0.9 else rng.choice(ROLES)
    evidence = set(rule.evidence_all | rule.evidence_any)
    if rng.random() < 0.8:
        evidence.add(EvidenceKind.IMMINENT_HARM)
    evidence ^= set(rng.sample(list(EvidenceKind), rng.choice((0, 0, 0, 1, 2))))
    if rule.evidence_all and rng.random() < 0.1:
        evidence.discard(rng.choice(sorted(rule.evidence_all)))
    request = RequestFacts(
        agency=rng.choice(AGENCIES),
        agency_kind=kind_of(role) if rng.random() < 0.97 else rng.choice(list(AgencyKind)),
        role=role,
        purpose=rule.purpose if rng.random() < 0.9 else rng.choice(list(Purpose)),
        field_sets=_sampled_field_sets(rule, rng),
        evidence=frozenset(evidence),
        authority=_sampled_authority(rule.bases, rng),
        received_at=EPOCH,
        login_age_seconds=rng.choice((10, 10, 10, 10, 300, 301, None)),
        emergency_uses=rng.choice((0, 0, 0, 2, 3)),
    )
    return request, _sampled_youth(rng)


def _sampled_field_sets(rule: Rule, rng: Random) -> tuple[FieldSet, ...]:
    if rng.random() < (0.6 if rule.mask == FLAG_STATUS else 0.2):
        return FLAG_CHECK
    return tuple(rng.sample(list(FieldSet), rng.choice((1, 1, 2, 3, 8))))


def _sampled_authority(bases: tuple[Basis, ...], rng: Random) -> AuthorityFacts | None:
    if rng.random() < 0.2:
        return None
    scope = tuple(FieldSet) if rng.random() < 0.7 else tuple(rng.sample(list(FieldSet), 2))
    return AuthorityFacts(
        status=AuthorityStatus.LIVE if rng.random() < 0.85 else rng.choice(list(AuthorityStatus)),
        basis=rng.choice((*bases, Basis.EMERGENCY, rng.choice(list(Basis)))),
        field_sets=scope,
        life_seconds=rng.choice((3600, 3600, 3600, 14_400, 14_401)),
    )


def _sampled_youth(rng: Random) -> YouthFacts:
    located = Located.ONE if rng.random() < 0.8 else rng.choice(list(Located))
    return YouthFacts(
        located=located,
        coverage_complete=rng.random() < 0.8,
        owner=None if located in (Located.NONE, Located.AMBIGUOUS) else rng.choice(AGENCIES),
        flag=rng.choice((FlagState.ACTIVE, FlagState.LOCATED_PENDING, FlagState.RESOLVED, None)),
        restriction=Restriction.NONE if rng.random() < 0.8 else rng.choice(list(Restriction)),
        placed_in_callers_county=rng.random() < 0.7,
        agreement_with_owner=rng.random() < 0.6,
        authority_covers_youth=rng.random() < 0.85,
    )


def with_rules(policy: Policy, rules: tuple[Rule, ...]) -> Policy:
    """The policy with these rules in place of its own, indexed again."""
    index: dict[object, tuple[Rule, ...]] = {}
    for rule in rules:
        for role in rule.roles:
            index[rule.purpose, role] = (*index.get((rule.purpose, role), ()), rule)
    by_id = {policy.emergency.rule_id: policy.emergency, **{rule.rule_id: rule for rule in rules}}
    return replace(policy, rules=rules, index=index, by_id=by_id)  # type: ignore[arg-type]
