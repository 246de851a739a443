"""What a request, or what was found, lacks for a rule: one function per group of conditions.

Each returns the reason, or None when its conditions hold. Decides conditions only; their order,
and what follows from a gap, is `decide`.
"""

from typing import Final

from gateway.protocol.authority import AuthorityFacts, AuthorityStatus
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    OVERSEERS,
    REPORT_IN_ROLES,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    Basis,
    FlagAct,
    Purpose,
    Restriction,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.facts import Located, RequestFacts, YouthFacts
from gateway.protocol.policy.fieldsets import ACK, FLAG_STATUS, REVIEW, answers, mask_of
from gateway.protocol.policy.rules import EmergencyRule, Policy, Rule


def caller_gap(policy: Policy, request: RequestFacts, asked: int) -> Reason | None:
    """Why this caller may ask nothing at all; no modality overrides it."""
    reason = staff_gap(policy, request.agency_kind, request.role)
    if reason is None and not (request.purpose is Purpose.OVERSIGHT_AUDIT and asked == REVIEW):
        reason = overseer_gap(request.agency_kind)
    if reason is not None:
        return reason
    if request.role in REPORT_IN_ROLES:
        return Reason.ROLE_NOT_PERMITTED
    return Reason.NO_FIELD_SET_ASKED if asked == ACK else None


def staff_gap(policy: Policy, kind: AgencyKind, role: Role) -> Reason | None:
    """Why a role of this kind of agency counts for nothing at all, not even for a report."""
    if kind in policy.prohibited_kinds:
        return Reason.PROHIBITED_RECIPIENT
    return None if role in ROLES_HELD_BY_KIND[kind] else Reason.KIND_ROLE_MISMATCH


def overseer_gap(kind: AgencyKind) -> Reason | None:
    """Why this kind of agency may do nothing but review. No bundle allows it more."""
    return Reason.OVERSEER_ONLY_REVIEWS if kind in OVERSEERS else None


def flag_act_gap(policy: Policy, act: FlagAct, *, kind: AgencyKind, role: Role, purpose: Purpose) -> Reason | None:
    """Why this may not be said of a missing youth; None when it may. Depends on the request alone."""
    reason = staff_gap(policy, kind, role) or overseer_gap(kind)
    if reason is not None:
        return reason
    listed = role in policy.flag_act_roles.get((act, purpose), frozenset())
    return None if listed else Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE


def rule_gap(rule: Rule, request: RequestFacts, asked: int) -> Reason | None:
    """What the request lacks for this rule: field sets, the caller's evidence, then the authority.

    A rule that rests on statute never looks at the authority, live or revoked.
    """
    if not answers(asked, asked & rule.mask):
        return Reason.FIELD_SET_BEYOND_PURPOSE
    if not rule.evidence_all <= request.evidence:
        return Reason.EVIDENCE_MISSING
    if rule.evidence_any and rule.evidence_any.isdisjoint(request.evidence):
        return Reason.EVIDENCE_MISSING
    return _authority_gap(rule, request.authority, asked) if rule.needs_authority else None


def _authority_gap(rule: Rule, authority: AuthorityFacts | None, asked: int) -> Reason | None:
    if authority is None or authority.basis not in rule.bases:
        return Reason.CONSENT_ABSENT if Basis.CONSENT in rule.bases else Reason.AUTHORITY_ABSENT
    consent, other = _AUTHORITY_GAPS[authority.status]
    reason = consent if authority.basis is Basis.CONSENT else other
    if reason is None and not answers(asked, asked & rule.mask & mask_of(authority.field_sets)):
        return Reason.CONSENT_OUT_OF_SCOPE if authority.basis is Basis.CONSENT else Reason.AUTHORITY_OUT_OF_SCOPE
    return reason


def claims_emergency(request: RequestFacts) -> bool:
    """Whether the request names an emergency, standing or not."""
    return request.authority is not None and request.authority.basis is Basis.EMERGENCY


def emergency_gap(rule: EmergencyRule, request: RequestFacts, asked: int) -> Reason | None:
    """What the emergency claim lacks; None when it stands."""
    authority = request.authority
    login_age = request.login_age_seconds
    if request.role not in rule.roles:
        return Reason.EMERGENCY_ROLE_NOT_ALLOWED
    if authority is None or authority.status is not AuthorityStatus.LIVE:
        return Reason.EMERGENCY_NOT_LIVE
    if authority.life_seconds > rule.max_life_seconds:
        return Reason.EMERGENCY_TOO_LONG
    if not rule.evidence_all <= request.evidence:
        return Reason.EMERGENCY_EVIDENCE_MISSING
    if login_age is None or login_age > rule.max_login_age_seconds:
        return Reason.EMERGENCY_LOGIN_NOT_FRESH
    if request.emergency_uses >= rule.max_uses:
        return Reason.EMERGENCY_QUOTA_SPENT
    return None if answers(asked, emergency_grant(rule, authority, asked)) else Reason.EMERGENCY_FIELDS_BEYOND_LIMIT


def emergency_grant(rule: EmergencyRule, authority: AuthorityFacts | None, asked: int) -> int:
    """What a standing emergency gives of what is asked: the modality's limit, and the claim's own scope."""
    return asked & rule.mask & mask_of(() if authority is None else authority.field_sets)


def limit(rule: Rule | EmergencyRule, youth: YouthFacts, *, asked: int, granted: int) -> tuple[int, Reason | None]:
    """The most that the match and the owner's restriction leave, and why when that answers nothing."""
    if youth.located is Located.NONE:
        return ACK, Reason.NO_MATCH
    if youth.restriction is Restriction.SEALED:
        return ACK, Reason.RECORD_SEALED
    emergency = isinstance(rule, EmergencyRule)
    if _rests_on_authority(rule) and not youth.authority_covers_youth:
        return ACK, Reason.AUTHORITY_OTHER_SUBJECT
    flag_released = bool(granted & FLAG_STATUS & ~ACK) and youth.flag in OPEN_FLAG_STATES
    if youth.located in _UNCERTAIN:
        return ACK, Reason.POSSIBLE_FLAG_MATCH if flag_released else _UNCERTAIN[youth.located]
    flag_suffices = flag_released and answers(asked, FLAG_STATUS)
    if youth.restriction is Restriction.SENSITIVE:
        # An owner that raises a flag releases FS1 whatever the restriction; an emergency adds nothing to that.
        return (FLAG_STATUS, None) if flag_suffices and not emergency else (ACK, Reason.RECORD_SENSITIVE)
    if youth.located is Located.ONE_FOR_FLAG:
        return (FLAG_STATUS, None) if flag_suffices else (ACK, Reason.MATCH_TOO_WEAK)
    return granted, None


def _rests_on_authority(rule: Rule | EmergencyRule) -> bool:
    return isinstance(rule, EmergencyRule) or rule.needs_authority


def precondition_gap(rule: Rule, request: RequestFacts, youth: YouthFacts) -> Reason | None:
    """Which of the rule's conditions on the youth fails; the agreement last, since it alone can be overridden."""
    needed = rule.youth_all
    if (
        YouthPrecondition.ACTIVE_FLAG in needed
        and youth.flag not in OPEN_FLAG_STATES
        and rule.youth_waived_by.isdisjoint(request.evidence)
    ):
        return Reason.PURPOSE_PRECONDITION_FAILED
    if YouthPrecondition.PLACED_IN_CALLERS_COUNTY in needed and not youth.placed_in_callers_county:
        return Reason.PURPOSE_PRECONDITION_FAILED
    own = youth.owner == request.agency
    if YouthPrecondition.AGREEMENT_WITH_OWNER in needed and not own and not youth.agreement_with_owner:
        return Reason.AGREEMENT_MISSING
    return None


_UNCERTAIN: Final[dict[Located, Reason]] = {
    Located.POSSIBLE: Reason.MATCH_TOO_WEAK,
    Located.AMBIGUOUS: Reason.AMBIGUOUS_MATCH,
}

_AUTHORITY_GAPS: Final[dict[AuthorityStatus, tuple[Reason | None, Reason | None]]] = {
    AuthorityStatus.LIVE: (None, None),
    AuthorityStatus.ABSENT: (Reason.CONSENT_ABSENT, Reason.AUTHORITY_ABSENT),
    AuthorityStatus.REVOKED: (Reason.CONSENT_REVOKED, Reason.AUTHORITY_REVOKED),
    AuthorityStatus.NOT_YET: (Reason.CONSENT_NOT_YET_EFFECTIVE, Reason.AUTHORITY_NOT_YET_EFFECTIVE),
    AuthorityStatus.EXPIRED: (Reason.CONSENT_EXPIRED, Reason.AUTHORITY_EXPIRED),
    AuthorityStatus.LAPSED_MAJORITY: (Reason.CONSENT_LAPSED_MAJORITY, Reason.AUTHORITY_EXPIRED),
    AuthorityStatus.LAPSED_TEAM_ENDED: (Reason.CONSENT_LAPSED_TEAM_ENDED, Reason.AUTHORITY_EXPIRED),
    AuthorityStatus.GRANTOR_LACKS_POWER: (
        Reason.CONSENT_GRANTOR_LACKS_POWER,
        Reason.AUTHORITY_GRANTOR_LACKS_POWER,
    ),
    AuthorityStatus.OUT_OF_SCOPE_PURPOSE: (Reason.CONSENT_OUT_OF_SCOPE, Reason.AUTHORITY_OUT_OF_SCOPE),
    AuthorityStatus.OUT_OF_SCOPE_RECIPIENT: (Reason.CONSENT_OUT_OF_SCOPE, Reason.AUTHORITY_OUT_OF_SCOPE),
    AuthorityStatus.OUT_OF_SCOPE_SUBJECT: (Reason.CONSENT_OUT_OF_SCOPE, Reason.AUTHORITY_OUT_OF_SCOPE),
    AuthorityStatus.OUT_OF_SCOPE_FIELDS: (Reason.CONSENT_OUT_OF_SCOPE, Reason.AUTHORITY_OUT_OF_SCOPE),
}
"""Reason for each status, for a consent and for any other kind."""
