"""Who receives what: one pure function over one policy bundle, with a reason on every path.

Runs three times for one disclosure (ARCHITECTURE §6, One rule): the requester's adapter runs
`decide_request`; the gateway and the source run `decide_request` and then `decide_youth`; the
source may then `narrow`. Replay runs `decide` on the committed `DecisionInput`.

Decides permit or refusal, the granted field sets and what comes with them. Does not verify who
asks, whether an authority is genuine, or which youth is meant: those arrive as facts. Rules
are data; nothing here knows one purpose from another.

Order: (a) the caller's kind and role; each rule of the purpose for the role: field sets,
evidence, authority; the emergency modality, where the policy lets it override the refusal.
(b) what was found: match, sealing, the authority's subject, strength of the match and
sensitivity, preconditions, agreement, open flag.

In every step a grant counts only if it answers the call (`fieldsets.answers`): FS1 alone is an
answer to a flag check and a refusal of a record call.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from gateway.protocol.names import (
    OPEN_FLAG_STATES,
    AgencyId,
    Basis,
    DisclosureMode,
    FieldSet,
    Notice,
    Obligation,
    Purpose,
    Retention,
    Role,
)
from gateway.protocol.outcomes import REASONS, Outcome, Reason, notices_of, outcome_of
from gateway.protocol.policy.conditions import (
    caller_gap,
    claims_emergency,
    emergency_gap,
    emergency_grant,
    limit,
    precondition_gap,
    rule_gap,
)
from gateway.protocol.policy.facts import DecisionInput, DecisionInputError, Located, RequestFacts, YouthFacts
from gateway.protocol.policy.fieldsets import ACK, FLAG_STATUS, answers, mask_of, members, without
from gateway.protocol.policy.rules import EmergencyRule, Policy, Rule, RuleId

__all__ = [
    "CountyNarrowing",
    "Decision",
    "DecisionInput",
    "DecisionInputError",
    "Located",
    "PolicyMismatch",
    "PublicDecision",
    "RequestFacts",
    "YouthFacts",
    "between_pages",
    "decide",
    "decide_request",
    "decide_youth",
    "narrow",
    "withdraw",
]


class PolicyMismatch(ValueError):
    """The decision was made under another policy bundle than the one at hand."""


@dataclass(frozen=True, slots=True)
class PublicDecision:
    """The part of a decision that may reach the caller; equal for all that must look alike."""

    outcome: Outcome
    field_sets: tuple[FieldSet, ...]
    withheld: tuple[FieldSet, ...]
    mode: DisclosureMode | None
    retention: Retention | None
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of deciding. Between the two phases `permit` means: nothing in the request forbids it."""

    permit: bool
    outcome: Outcome
    reason: Reason
    """Internal; for the log and the owner, never for the caller after a youth was looked for."""
    rule_id: RuleId | None
    """The rule that permitted, or the last one that was tried; None when the caller's role has none."""
    field_sets: tuple[FieldSet, ...]
    """Granted, with all they include, ascending; FS0 alone in a refusal."""
    withheld: tuple[FieldSet, ...]
    """Asked for and not granted, ascending."""
    basis: Basis | None
    mode: DisclosureMode | None
    retention: Retention | None
    notices: tuple[Notice, ...]
    obligations: tuple[Obligation, ...]

    @property
    def public(self) -> PublicDecision:
        """What the caller may be told."""
        return PublicDecision(self.outcome, self.field_sets, self.withheld, self.mode, self.retention, self.notices)


@dataclass(frozen=True, slots=True)
class CountyNarrowing:
    """An owner county's own release rules. It has no way to say more than the policy, only less."""

    purposes: frozenset[Purpose] = frozenset()
    roles: frozenset[Role] = frozenset()
    agencies: frozenset[AgencyId] = frozenset()
    """Requests that name one of these are refused."""
    field_sets: frozenset[FieldSet] = frozenset()
    """Never released, with whatever includes them."""


def decide(policy: Policy, given: DecisionInput) -> Decision:
    """The decision that these facts lead to; what replay recomputes from a log entry.

    Raises `PolicyMismatch` when the facts were committed to under another bundle.
    """
    if given.policy_digest != policy.digest:
        raise PolicyMismatch("the facts name another policy bundle")
    first = decide_request(policy, given.request)
    return first if given.youth is None else decide_youth(policy, given.request, given.youth, first)


def decide_request(policy: Policy, request: RequestFacts) -> Decision:
    """Phase (a): what the request alone settles. A refusal here may name its cause to the caller."""
    asked = mask_of(request.field_sets)
    reason = caller_gap(policy, request, asked)
    if reason is not None:
        return _refusal(request, None, reason)
    found = _first_rule(policy, request, asked)
    if isinstance(found, Rule):
        return _permit(found, _basis(found, request), asked, granted=_granted(found, request, asked))
    if found.reason not in policy.emergency.overrides or not claims_emergency(request):
        return _refusal(request, found.rule_id, found.reason)
    reason = emergency_gap(policy.emergency, request, asked)
    if reason is not None:
        return _refusal(request, policy.emergency.rule_id, reason)
    emergency = policy.emergency
    return _permit(emergency, Basis.EMERGENCY, asked, granted=_granted(emergency, request, asked))


def decide_youth(policy: Policy, request: RequestFacts, youth: YouthFacts, first: Decision) -> Decision:
    """Phase (b): what was found settles the rest. Every refusal here looks like an unknown youth.

    `first` is the result of `decide_request` for the same policy and request; a refusal is returned as it is.
    """
    if not first.permit:
        return first
    asked = mask_of(request.field_sets)
    gap: Reason | None = None
    for rule in _standing_rules(policy, request, first, asked):
        granted, reason = _settle(rule, request, youth, asked)
        if reason is None:
            own = youth.owner == request.agency
            return _permit(rule, _basis(rule, request), asked, granted=granted, own=own)
        gap = gap or reason
    if gap is None:
        raise PolicyMismatch("the first phase was decided under another policy bundle")
    if gap is Reason.AGREEMENT_MISSING:
        override = _agreement_override(policy.emergency, request, youth, asked)
        if override is not None:
            return override
    return _refusal(request, first.rule_id, gap, coverage_complete=youth.coverage_complete)


def withdraw(decision: Decision, request: RequestFacts, youth: YouthFacts, *, reason: Reason) -> Decision:
    """The refusal that replaces a permit when a later stage refuses; a refusal is returned as it is.

    For what happens between the decision and the release: the source's own check, a revocation, a suspended member.
    """
    if not decision.permit:
        return decision
    return _refusal(request, decision.rule_id, reason, coverage_complete=youth.coverage_complete)


# Reasons of the request alone: which page is asked for is the caller's word, so a refusal about the youth must not
# depend on it.
_BETWEEN_PAGES: Final[dict[Reason, tuple[Reason, Outcome]]] = {
    Reason.CONSENT_REVOKED: (Reason.CONSENT_REVOKED_BETWEEN_PAGES, Outcome.CONSENT_REVOKED),
    Reason.AUTHORITY_REVOKED: (Reason.AUTHORITY_ENDED_BETWEEN_PAGES, Outcome.AUTHORITY_NEEDED),
}


def between_pages(decision: Decision) -> Decision:
    """The decision for a page after the first: a revocation is named as such, so that the reader stops.

    A permit, and a refusal for any other reason, is returned as it is.
    """
    ended = _BETWEEN_PAGES.get(decision.reason)
    if ended is None:
        return decision
    reason, outcome = ended
    return replace(decision, reason=reason, outcome=outcome, notices=notices_of(outcome))


def narrow(decision: Decision, request: RequestFacts, youth: YouthFacts, narrowing: CountyNarrowing) -> Decision:
    """The decision less what the owner county's rules take away; never more than before."""
    if not decision.permit:
        return decision
    asked, granted = mask_of(request.field_sets), without(mask_of(decision.field_sets), narrowing.field_sets)
    if request.purpose in narrowing.purposes or request.role in narrowing.roles or request.agency in narrowing.agencies:
        return withdraw(decision, request, youth, reason=Reason.REFUSED_BY_SOURCE)
    if not answers(asked, granted) or (_is_flag_only(granted) and youth.flag not in OPEN_FLAG_STATES):
        # What is left would only say that the youth is known.
        return withdraw(decision, request, youth, reason=Reason.REFUSED_BY_SOURCE)
    return replace(decision, field_sets=members(granted), withheld=members(asked & ~granted))


@dataclass(frozen=True, slots=True)
class _Gap:
    reason: Reason
    rule_id: RuleId | None


def _first_rule(policy: Policy, request: RequestFacts, asked: int) -> Rule | _Gap:
    """The first rule that the request satisfies; else what it lacks for the last one tried."""
    gap = _Gap(Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE, None)
    for rule in policy.index.get((request.purpose, request.role), ()):
        reason = rule_gap(rule, request, asked)
        if reason is None:
            return rule
        gap = _Gap(reason, rule.rule_id)
    return gap


def _standing_rules(
    policy: Policy, request: RequestFacts, first: Decision, asked: int
) -> Iterator[Rule | EmergencyRule]:
    """The rule of the first phase, then later ones the request satisfies too: showing more never gives less."""
    if first.rule_id == policy.emergency.rule_id:
        yield policy.emergency
        return
    started = False
    for rule in policy.index.get((request.purpose, request.role), ()):
        if rule.rule_id == first.rule_id or (started and rule_gap(rule, request, asked) is None):
            started = True
            yield rule


def _settle(
    rule: Rule | EmergencyRule, request: RequestFacts, youth: YouthFacts, asked: int
) -> tuple[int, Reason | None]:
    """What the rule grants of what is asked for, as far as it is left for this youth, or why nothing is."""
    granted, reason = limit(rule, youth, asked=asked, granted=_granted(rule, request, asked))
    if reason is None and isinstance(rule, Rule):
        reason = precondition_gap(rule, request, youth)
    if reason is None and _is_flag_only(granted) and youth.flag not in OPEN_FLAG_STATES:
        reason = Reason.NO_ACTIVE_FLAG
    return granted, reason


def _granted(rule: Rule | EmergencyRule, request: RequestFacts, asked: int) -> int:
    if isinstance(rule, EmergencyRule):
        return emergency_grant(rule, request.authority, asked)
    granted = asked & rule.mask
    if rule.needs_authority and request.authority is not None:
        granted &= mask_of(request.authority.field_sets)
    return granted


def _basis(rule: Rule | EmergencyRule, request: RequestFacts) -> Basis:
    if isinstance(rule, Rule) and not rule.needs_authority:
        return Basis.STATUTE
    return Basis.EMERGENCY if request.authority is None else request.authority.basis


def _is_flag_only(granted: int) -> bool:
    return not granted & ~FLAG_STATUS


def _agreement_override(rule: EmergencyRule, request: RequestFacts, youth: YouthFacts, asked: int) -> Decision | None:
    """The emergency grant in place of a missing agreement; None when no emergency stands for this youth."""
    if Reason.AGREEMENT_MISSING not in rule.overrides or not claims_emergency(request):
        return None
    if emergency_gap(rule, request, asked) is not None:
        return None
    granted, reason = _settle(rule, request, youth, asked)
    return _permit(rule, Basis.EMERGENCY, asked, granted=granted) if reason is None else None


def _permit(rule: Rule | EmergencyRule, basis: Basis, asked: int, *, granted: int, own: bool = False) -> Decision:
    return Decision(
        permit=True,
        outcome=Outcome.ANSWERED,
        reason=Reason.PERMITTED,
        rule_id=rule.rule_id,
        field_sets=members(granted),
        withheld=members(asked & ~granted),
        basis=basis,
        mode=rule.mode,
        retention=rule.retention,
        notices=(*rule.notices, Notice.CONSENTED_DISCLOSURE) if basis is Basis.CONSENT else rule.notices,
        obligations=_own_obligations(rule.obligations) if own else rule.obligations,
    )


def _own_obligations(obligations: tuple[Obligation, ...]) -> tuple[Obligation, ...]:
    """An agency that reads its own youth discloses to nobody: no accounting, no alert to itself (S12)."""
    kept = (each for each in obligations if each not in (Obligation.ACCOUNT, Obligation.ALERT_OWNER))
    return (Obligation.INTERNAL_USE, *kept)


def _refusal(
    request: RequestFacts, rule_id: RuleId | None, reason: Reason, *, coverage_complete: bool = True
) -> Decision:
    outcome = outcome_of(reason, request.call, coverage_complete=coverage_complete)
    return Decision(
        permit=False,
        outcome=outcome,
        reason=reason,
        rule_id=rule_id,
        field_sets=members(ACK),
        withheld=members(mask_of(request.field_sets) & ~ACK),
        basis=None,
        mode=None,
        retention=None,
        notices=notices_of(outcome),
        obligations=REASONS[reason].obligations,
    )
