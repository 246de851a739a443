"""The policy in English: one sentence per rule, and why a request gets what it gets.

Decides wording only. Every sentence is built from the rule's data, so that what counsel reads
is what the gateway applies.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.protocol.decide import Decision
from gateway.protocol.names import (
    Basis,
    DisclosureMode,
    EvidenceKind,
    FieldSet,
    FlagAct,
    Notice,
    Obligation,
    Retention,
    Role,
    YouthPrecondition,
)
from gateway.protocol.outcomes import REASONS
from gateway.protocol.policy.duties import COUNTY_DUTIES, Side
from gateway.protocol.policy.fieldsets import members
from gateway.protocol.policy.rules import EmergencyRule, FlagActRule, Policy, Rule

FIELD_SETS: Final[dict[FieldSet, str]] = {
    FieldSet.FS0_ACK: "the outcome, its time and its notices",
    FieldSet.FS1_FLAG_STATUS: "flag status and duty line (FS1)",
    FieldSet.FS2_FLAG_LOCATE: "what helps to locate the youth (FS2)",
    FieldSet.FS3_FLAG_CASEWORK: "the casework dates of the episode (FS3)",
    FieldSet.FS4_PLACEMENT_SUMMARY: "placements of the current episode (FS4)",
    FieldSet.FS5_PLACEMENT_DETAIL: "placement history in detail (FS5)",
    FieldSet.FS6_JURISDICTION_CONTACT: "the responsible county and its contact (FS6)",
    FieldSet.FS7_ACCOUNTING: "the accounting of disclosures (FS7)",
}
EVIDENCE: Final[dict[EvidenceKind, str]] = {
    EvidenceKind.LE_REPORT: "a police report number",
    EvidenceKind.REPORT_BEING_FILED: "a missing report being filed",
    EvidenceKind.YOUTH_PRESENT: "that the youth is present",
    EvidenceKind.ABUSE_REPORT: "a report of abuse or neglect received",
    EvidenceKind.OPEN_REFERRAL: "an open referral",
    EvidenceKind.OPEN_CASE: "an open case",
    EvidenceKind.SUPERVISING: "that they supervise this youth",
    EvidenceKind.HOST_COUNTY: "that theirs is the host county",
    EvidenceKind.TRANSFER_ORDER: "a transfer-out order",
    EvidenceKind.TRANSFER_MOTION: "a motion to transfer",
    EvidenceKind.ICPC_REQUEST: "an interstate placement request",
    EvidenceKind.CHILDS_TRIBE: "that theirs is the child's tribe",
    EvidenceKind.TEAM_MEMBERSHIP: "membership of the named team",
    EvidenceKind.APPOINTMENT: "their appointment by the court",
    EvidenceKind.IDENTITY_PROOF: "proof of identity",
    EvidenceKind.REVIEW_MANDATE: "a mandate for the review",
    EvidenceKind.IMMINENT_HARM: "the imminent serious harm",
}
AUTHORITIES: Final[dict[Basis, str]] = {
    Basis.STATUTE: "statute",
    Basis.CONSENT: "a consent",
    Basis.COURT_ORDER: "a court order",
    Basis.AGREEMENT: "an agreement",
    Basis.EMERGENCY: "an emergency",
}
PRECONDITIONS: Final[dict[YouthPrecondition, str]] = {
    YouthPrecondition.ACTIVE_FLAG: "the youth has an open flag",
    YouthPrecondition.PLACED_IN_CALLERS_COUNTY: "the youth is placed in the caller's county",
    YouthPrecondition.AGREEMENT_WITH_OWNER: "the two agencies have an agreement on file",
}
FLAG_ACTS: Final[dict[FlagAct, str]] = {
    FlagAct.KEEP_OWN_FLAG: "raise, change and end the flag of a youth of their own agency",
    FlagAct.REPORT_MISSING: "report a youth missing, which supports the flag of its owner or awaits one",
    FlagAct.REPORT_LOCATED: "report a flagged youth located, which ends no flag",
}
MODES: Final[dict[DisclosureMode, str]] = {
    DisclosureMode.VIEW_ONLY: "View only",
    DisclosureMode.COPY_PERMITTED: "Copying permitted",
}
RETENTIONS: Final[dict[Retention, str]] = {
    Retention.NONE: "nothing is kept",
    Retention.INCIDENT_RECORD_ONLY: "nothing is kept beyond the incident record",
    Retention.PURGE_90_DAYS_AFTER_RESOLUTION: "copies are purged 90 days after the episode is resolved",
    Retention.REFERRAL_FILE: "kept with the referral",
    Retention.CASE_FILE: "kept with the case file",
    Retention.UNTIL_PLACEMENT_ENDS: "kept until the placement ends",
    Retention.UNTIL_TEAM_ENDS: "kept until the team ends",
    Retention.OWN_RECORD: "the record is their own",
    Retention.SEVEN_YEARS: "kept seven years",
}
NOTICES: Final[dict[Notice, str]] = {
    Notice.NOT_A_CLEARANCE: "This answer is not a clearance; it is no reason to leave a youth unprotected.",
    Notice.NO_REDISCLOSURE: "Do not pass this on except as the law allows you to.",
    Notice.INSPECT_ONLY: "You may inspect this; inspecting is not copying.",
    Notice.CONSENTED_DISCLOSURE: "This was disclosed under a consent, within its scope, until it ends or is revoked.",
    Notice.MANDATED_REPORT_STILL_DUE: "This does not replace a report you are required to make: call the hotline.",
    Notice.EMERGENCY_UNDER_REVIEW: "This emergency use is reported to the owner and will be reviewed.",
}
OBLIGATIONS: Final[dict[Obligation, str]] = {
    Obligation.ACCOUNT: "it appears in the youth's accounting of disclosures",
    Obligation.INTERNAL_USE: "it is logged as the owner's internal use, not as a disclosure",
    Obligation.ALERT_OWNER: "the owner is told at once",
    Obligation.OWNER_REVIEW: "a person at the owner looks at it",
    Obligation.PAGE_BOTH_DUTY_LINES: "both duty lines are paged",
    Obligation.MISUSE_SIGNAL: "it counts toward the caller's misuse alert",
    Obligation.CURRENT_PLACEMENT_ONLY: "only the open placement is given",
    Obligation.DUTY_CONTACT_ONLY: "of FS6 only the county and its duty contact are given",
    Obligation.WITHHOLD_SETTING_CODE: "the detailed setting is withheld",
    Obligation.WITHHOLD_AGENCY_KIND: "the kind of the responsible agency is withheld",
    Obligation.TELL_YOUTH: "the youth is told at the time",
    Obligation.COPY_CONSENT_TO_YOUTH: "the youth receives a copy of the consent",
    Obligation.OFFER_NOTICE_TO_MINORS_COUNSEL: "the owner county may notify the minor's counsel",
    Obligation.LOG_THE_REVIEW: "the review is itself logged",
    Obligation.MASK_SMALL_CELLS: "counts from 1 to 10 are masked",
    Obligation.ALERT_PRIVACY_OFFICER: "the owner's privacy officer is alerted",
    Obligation.SUPERVISOR_ACK_24_HOURS: "a supervisor acknowledges it within 24 hours",
    Obligation.REVIEW_5_BUSINESS_DAYS: "it is reviewed in writing within 5 business days",
    Obligation.NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS: (
        "the minor's counsel is notified within 5 business days unless that endangers the youth"
    ),
}
_STAFF: Final[dict[Side, str]] = {Side.ASKING: "the county that asked", Side.OWNER: "the owner county"}


def banner(policy: Policy) -> str:
    """One line that says which policy this is and whether counsel has confirmed it."""
    confirmed = "confirmed by counsel" if policy.counsel_confirmed else "NOT CONFIRMED BY COUNSEL"
    return f"Policy {policy.version} ({policy.jurisdiction}, from {policy.effective_date}): {confirmed}"


def sentence(rule: Rule, policy: Policy) -> str:
    """The rule in English, as one paragraph of short sentences."""
    label, citations = policy.labels[rule.purpose], "; ".join(rule.citations)
    first = f"{_listed(role_text(role) for role in rule.roles)} may receive {field_sets_text(rule.mask)}"
    parts = [f'{first} for "{label}" on the basis of {basis_text(rule)} ({citations}).']
    if rule.evidence_all or rule.evidence_any:
        parts.append(f"They must show {evidence_text(rule)}.")
    if rule.youth_all:
        parts.append(f"It must hold that {_preconditions(rule)}.")
    if not rule.needs_authority:
        parts.append("No consent is needed, and a revoked one stops nothing.")
    return " ".join([*parts, *_afterwards(rule)])


def flag_act_sentence(rule: FlagActRule, policy: Policy) -> str:
    """What may be said of a missing youth, and by whom, in one sentence."""
    labels = _listed((f'"{policy.labels[purpose]}"' for purpose in rule.purposes), word="or")
    roles = _listed(role_text(role) for role in rule.roles)
    return f"{roles} may {FLAG_ACTS[rule.act]}, for {labels} ({'; '.join(rule.citations)})."


def emergency_sentence(rule: EmergencyRule) -> str:
    """The break-glass modality in English."""
    roles = _listed(role_text(role) for role in sorted(rule.roles))
    first = (
        f"In an emergency {roles} may receive at most {field_sets_text(rule.mask)}, for any purpose, "
        f"where an agreement, a consent or the role is what is missing ({'; '.join(rule.citations)})."
    )
    limits = (
        f"They must show {_listed(EVIDENCE[each] for each in sorted(rule.evidence_all))}, authenticate again within "
        f"{rule.max_login_age_seconds} seconds and declare it for at most {rule.max_life_seconds // 3600} hours, "
        f"at most {rule.max_uses} times in {rule.uses_period_days} days."
    )
    never = "It never gives placement history and never opens a sealed or limited-access case."
    return " ".join([first, limits, never, *_afterwards(rule)])


def explanation(decision: Decision) -> tuple[str, ...]:
    """Why, for a person entitled to the internal reason: what happened, then what can be done, then what follows."""
    row = REASONS[decision.reason]
    lines = [row.sentence]
    if not decision.permit:
        lines.append(f"To do: {row.fix}")
    lines += [NOTICES[notice] for notice in decision.notices]
    lines += _obligations(decision.obligations)
    return tuple(lines)


def _obligations(obligations: Iterable[Obligation]) -> Iterator[str]:
    """What the exchange does, then what is left to staff: nobody may take the second for the first."""
    due: Sequence[Obligation] = tuple(obligations)
    done = _joined(OBLIGATIONS[each] for each in due if each not in COUNTY_DUTIES)
    if done:
        yield _capital(done) + "."
    for side, whose in _STAFF.items():
        left = _joined(OBLIGATIONS[each] for each in due if COUNTY_DUTIES.get(each) is side)
        if left:
            yield f"Left to the staff of {whose}: {left}."


def role_text(role: Role) -> str:
    """A role as people read it; for example `CWA placement worker`."""
    kind, _, name = role.partition(".")
    return f"{kind} {name.replace('_', ' ')}"


def field_sets_text(mask: int) -> str:
    """The field sets of a mask, without FS0, which every answer has."""
    return _listed(FIELD_SETS[each] for each in members(mask) if each is not FieldSet.FS0_ACK)


def basis_text(rule: Rule) -> str:
    """What the rule rests on."""
    return _listed((AUTHORITIES[basis] for basis in rule.bases), word="or")


def evidence_text(rule: Rule) -> str:
    """The evidence the rule requires of the caller; `nothing` when it requires none."""
    parts = [EVIDENCE[each] for each in sorted(rule.evidence_all)]
    if rule.evidence_any:
        parts.append(_listed((EVIDENCE[each] for each in sorted(rule.evidence_any)), word="or"))
    return _listed(parts) or "nothing"


def _preconditions(rule: Rule) -> str:
    parts = []
    for each in sorted(rule.youth_all):
        text = PRECONDITIONS[each]
        if each is YouthPrecondition.ACTIVE_FLAG and rule.youth_waived_by:
            waived = _listed((EVIDENCE[kind] for kind in sorted(rule.youth_waived_by)), word="or")
            text += f", or the caller shows {waived}"
        parts.append(text)
    return _listed(parts)


def _afterwards(rule: Rule | EmergencyRule) -> list[str]:
    return [f"{MODES[rule.mode]}; {RETENTIONS[rule.retention]}.", *_obligations(rule.obligations)]


def _listed(items: Iterable[str], word: str = "and") -> str:
    found: Sequence[str] = tuple(items)
    if len(found) < 2:
        return "".join(found)
    return f"{', '.join(found[:-1])} {word} {found[-1]}"


def _joined(items: Iterable[str]) -> str:
    return "; ".join(items)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
