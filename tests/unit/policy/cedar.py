"""The bundle rendered as Cedar policies: a second, independent reading of the same table.

Cedar answers permit or deny for one field set at a time, so a request becomes one Cedar request per field set it
names (with those it includes). The rendering reads the rule values only; it shares no decision code.
"""

from collections.abc import Iterable
from typing import Any

from gateway.protocol.decide import Located, RequestFacts, YouthFacts
from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    OVERSEERS,
    REPORT_IN_ROLES,
    ROLES,
    ROLES_HELD_BY_KIND,
    AgencyKind,
    Basis,
    FieldSet,
    FlagAct,
    Purpose,
    Restriction,
    YouthPrecondition,
)
from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.fieldsets import expand, members
from gateway.protocol.policy.rules import EmergencyRule, Policy, Rule


def render(policy: Policy) -> str:
    """Cedar policies that permit a field set exactly when the bundle grants it."""
    statements = [_rule(rule) for rule in policy.rules]
    statements += _emergency(policy)
    statements += [_forbid(policy)]
    return "\n".join(statements)


def cedar_requests(request: RequestFacts, youth: YouthFacts) -> list[dict[str, Any]]:
    """One Cedar request per field set beyond FS0 that the request names or implies."""
    context = _context(request, youth)
    return [
        {
            "principal": {"type": "Caller", "id": "asking"},
            "action": {"type": "Action", "id": request.purpose.value},
            "resource": {"type": "FieldSet", "id": field_set.value},
            "context": context,
        }
        for field_set in asked(request)
    ]


def render_flag_acts(policy: Policy) -> str:
    """Cedar policies that permit exactly what the bundle lets staff say of a missing youth."""
    permits = [
        f'permit(principal, action == Action::"{rule.act}", resource) when {{ '
        f"{_set(rule.purposes)}.contains(context.purpose) && {_set(rule.roles)}.contains(context.role) }};"
        for rule in policy.flag_acts
    ]
    barred = _set([*policy.prohibited_kinds, *OVERSEERS])
    held = f"{barred}.contains(context.kind) || !context.kindRoles.contains(context.role)"
    return "\n".join([*permits, f"forbid(principal, action, resource) when {{ {held} }};"])


def flag_act_request(act: FlagAct, *, kind: AgencyKind, role: str, purpose: Purpose) -> dict[str, Any]:
    """One Cedar request: may staff of this kind of agency, in this role, for this purpose, do it."""
    return {
        "principal": {"type": "Caller", "id": "saying"},
        "action": {"type": "Action", "id": act.value},
        "resource": {"type": "Flag", "id": "flag"},
        "context": {
            "role": role,
            "kind": kind.value,
            "kindRoles": sorted(ROLES_HELD_BY_KIND[kind]),
            "purpose": purpose.value,
        },
    }


def asked(request: RequestFacts) -> list[FieldSet]:
    """Field sets the request names or implies, without FS0."""
    return [each for each in expand(request.field_sets) if each is not FieldSet.FS0_ACK]


def _context(request: RequestFacts, youth: YouthFacts) -> dict[str, Any]:
    authority = request.authority
    return {
        "role": str(request.role),
        "kind": request.agency_kind.value,
        "kindRoles": sorted(ROLES_HELD_BY_KIND[request.agency_kind]),
        "evidence": sorted(request.evidence),
        "asked": [each.value for each in asked(request)],
        "basis": "NONE" if authority is None else authority.basis.value,
        "live": authority is not None and authority.status.value == "LIVE",
        "scope": [] if authority is None else [each.value for each in expand(authority.field_sets)],
        "life": 0 if authority is None else authority.life_seconds,
        "loginAge": 10**9 if request.login_age_seconds is None else request.login_age_seconds,
        "uses": request.emergency_uses,
        "own": youth.owner == request.agency,
        "located": youth.located.value,
        "flag": youth.flag in OPEN_FLAG_STATES,
        "restriction": youth.restriction.value,
        "placedHere": youth.placed_in_callers_county,
        "agreement": youth.agreement_with_owner,
        "covers": youth.authority_covers_youth,
    }


def _set(values: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{value}"' for value in sorted(values)) + "]"


def _resources(field_sets: Iterable[FieldSet]) -> str:
    return "[" + ", ".join(f'FieldSet::"{each}"' for each in field_sets) + "]"


def _gives(mask: int) -> list[FieldSet]:
    return [each for each in members(mask) if each is not FieldSet.FS0_ACK]


def _permit(action: str, gives: list[FieldSet], conditions: list[str]) -> str:
    when = " &&\n  ".join(f"({each})" for each in conditions)
    return f"permit(principal, {action}, resource) when {{\n  {_resources(gives)}.contains(resource) &&\n  {when}\n}};"


def _evidence(rule: Rule | EmergencyRule) -> list[str]:
    conditions = [f"context.evidence.containsAll({_set(rule.evidence_all)})"] if rule.evidence_all else []
    if isinstance(rule, Rule) and rule.evidence_any:
        conditions.append(f"context.evidence.containsAny({_set(rule.evidence_any)})")
    return conditions


def _scoped(rule: Rule) -> list[str]:
    """Conditions of the authority; FS1 stays a name in the scope like any other."""
    if rule.bases == (Basis.STATUTE,):
        return []
    return [f"{_set(rule.bases)}.contains(context.basis)", "context.live", "context.covers", _IN_SCOPE]


_IN_SCOPE = " || ".join(f'(resource == FieldSet::"{each}" && context.scope.contains("{each}"))' for each in FieldSet)
_REVIEW = f'action == Action::"{Purpose.OVERSIGHT_AUDIT}" && ["{FieldSet.FS7_ACCOUNTING}"].containsAll(context.asked)'
_FLAG = f'FieldSet::"{FieldSet.FS1_FLAG_STATUS}"'
_DEEPER = [each for each in FieldSet if each not in (FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS)]
_FLAG_CHECK = f"!context.asked.containsAny({_set(_DEEPER)})"


def _certainty(sensitive_flag: bool) -> str:
    """How sure the match must be, and how free the case, for this resource."""
    sure = f'context.located == "{Located.ONE}" && context.restriction == "{Restriction.NONE}"'
    if not sensitive_flag:
        return f'context.restriction == "{Restriction.NONE}" && {_sure_or_flag()}'
    return f"({sure}) || ({_flag_released()})"


def _flag_released() -> str:
    """Status of an open flag where nothing deeper is free: an answer to whoever asked for nothing deeper."""
    located = f'["{Located.ONE}", "{Located.ONE_FOR_FLAG}"].contains(context.located)'
    free = f'{located} && context.restriction != "{Restriction.SEALED}"'
    return f"{free} && context.flag && {_FLAG_CHECK} && resource == {_FLAG}"


def _sure_or_flag() -> str:
    return f'(context.located == "{Located.ONE}" || ({_flag_released()}))'


def _says_something(gives: list[FieldSet], scoped: bool) -> str:
    """FS1 alone is given to a flag check, of an open flag; beside anything deeper it may say that there is none."""
    given = [
        f'(context.asked.contains("{each}")' + (f' && context.scope.contains("{each}"))' if scoped else ")")
        for each in gives
        if each is not FieldSet.FS1_FLAG_STATUS
    ]
    return " || ".join([f"resource != {_FLAG}", f"(context.flag && {_FLAG_CHECK})", *given])


def _youth(rule: Rule, *, agreement: bool) -> list[str]:
    conditions = []
    if YouthPrecondition.ACTIVE_FLAG in rule.youth_all:
        waived = f"context.evidence.containsAny({_set(rule.youth_waived_by)})" if rule.youth_waived_by else "false"
        conditions.append(f"context.flag || {waived}")
    if YouthPrecondition.PLACED_IN_CALLERS_COUNTY in rule.youth_all:
        conditions.append("context.placedHere")
    if YouthPrecondition.AGREEMENT_WITH_OWNER in rule.youth_all:
        conditions.append("context.agreement || context.own" if agreement else "!(context.agreement || context.own)")
    return conditions


def _rule(rule: Rule) -> str:
    gives = _gives(rule.mask)
    conditions = [
        f"{_set(rule.roles)}.contains(context.role)",
        *_evidence(rule),
        *_scoped(rule),
        *_youth(rule, agreement=True),
        _certainty(sensitive_flag=True),
        _says_something(gives, rule.needs_authority),
    ]
    return _permit(f'action == Action::"{rule.purpose}"', gives, conditions)


def _emergency(policy: Policy) -> list[str]:
    """The modality once for each thing it may stand in for: a role, an authority, an agreement."""
    rule = policy.emergency
    gives = _gives(rule.mask)
    standing = [
        'context.basis == "EMERGENCY"',
        "context.live",
        "context.covers",
        _IN_SCOPE,
        f"{_set(rule.roles)}.contains(context.role)",
        *_evidence(rule),
        f"context.life <= {rule.max_life_seconds}",
        f"context.loginAge <= {rule.max_login_age_seconds}",
        f"context.uses < {rule.max_uses}",
        _certainty(sensitive_flag=False),
        _says_something(gives, scoped=True),
    ]
    statements = []
    if Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE in rule.overrides:
        for purpose in Purpose:
            ruled = {role for each in policy.rules if each.purpose is purpose for role in each.roles}
            lacking = f"!{_set(ruled)}.contains(context.role)"
            statements.append(_permit(f'action == Action::"{purpose}"', gives, [lacking, *standing]))
    for each in policy.rules:
        statements += _in_place_of(each, rule, gives, standing)
    return statements


def _in_place_of(rule: Rule, emergency: EmergencyRule, gives: list[FieldSet], standing: list[str]) -> list[str]:
    action = f'action == Action::"{rule.purpose}"'
    applies = [f"{_set(rule.roles)}.contains(context.role)", *_evidence(rule), _asks_of(_gives(rule.mask))]
    statements = []
    if Basis.CONSENT in rule.bases and Reason.CONSENT_ABSENT in emergency.overrides:
        statements.append(_permit(action, gives, [*applies, *standing]))
    if YouthPrecondition.AGREEMENT_WITH_OWNER in rule.youth_all and Reason.AGREEMENT_MISSING in emergency.overrides:
        certain = f'context.located == "{Located.ONE}"'
        youth = _youth(rule, agreement=False)
        statements.append(_permit(action, gives, [*applies, *youth, certain, *standing]))
    return statements


def _asks_of(gives: list[FieldSet]) -> str:
    """Whether the rule gives what would answer: anything it gives to a flag check, something deeper to others."""
    deeper = [each for each in gives if each is not FieldSet.FS1_FLAG_STATUS]
    return f"context.asked.containsAny({_set(deeper)}) || ({_FLAG_CHECK} && context.asked.containsAny({_set(gives)}))"


def _forbid(policy: Policy) -> str:
    """What no permit overcomes."""
    reasons = [
        f"{_set(policy.prohibited_kinds)}.contains(context.kind)",
        "!context.kindRoles.contains(context.role)",
        f"{_set(OVERSEERS)}.contains(context.kind) && !({_REVIEW})",
        f"{_set(REPORT_IN_ROLES)}.contains(context.role)",
        f'context.restriction == "{Restriction.SEALED}"',
        f'["{Located.NONE}", "{Located.POSSIBLE}", "{Located.AMBIGUOUS}"].contains(context.located)',
        f"!{_set(ROLES)}.contains(context.role)",
    ]
    return f"forbid(principal, action, resource) when {{ {' || '.join(f'({each})' for each in reasons)} }};"
