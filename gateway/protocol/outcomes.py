"""The two layers of every answer, and the one table between them.

`Outcome` is all that a caller learns; `Reason` is what the log keeps. Decides which
outcome each reason becomes. Does not decide when a reason applies (`decide`, `authority`,
the exchange's stages).

Three rules the table must keep (ARCHITECTURE §6, Outcomes):

1. A reason that can arise only after a youth was looked for (`Phase.YOUTH`) and refuses
   becomes the uniform negative of its call, so that unknown, sealed and not permitted to
   know are one answer.
2. While any source in scope is stale, every such refusal becomes UNDETERMINED, known
   youth or not; otherwise staleness would tell them apart.
3. Everything but an answer carries NOT_A_CLEARANCE.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.protocol.names import Call, Notice, Obligation


class Outcome(StrEnum):
    """External result: what the caller sees."""

    ANSWERED = "ANSWERED"
    RECORDED = "RECORDED"
    NO_ACTIVE_FLAG_FOUND = "NO_ACTIVE_FLAG_FOUND"
    NO_DISCLOSABLE_RECORD = "NO_DISCLOSABLE_RECORD"
    UNDETERMINED = "UNDETERMINED"
    NOT_PERMITTED = "NOT_PERMITTED"
    REPORT_IN_ONLY = "REPORT_IN_ONLY"
    EVIDENCE_NEEDED = "EVIDENCE_NEEDED"
    CONSENT_NEEDED = "CONSENT_NEEDED"
    AUTHORITY_NEEDED = "AUTHORITY_NEEDED"
    CONSENT_REVOKED = "CONSENT_REVOKED"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"


class Phase(StrEnum):
    """What a reason depends on."""

    REQUEST = "REQUEST"
    """The request and the caller's own evidence alone; nothing was looked up."""
    YOUTH = "YOUTH"
    """What was found, or not found, about a youth."""
    RELEASE = "RELEASE"
    """What happened after a permit that the caller knows of."""


class Reason(StrEnum):
    """Internal reason: precise, kept in the log, shown to the agencies it concerns."""

    PERMITTED = "PERMITTED"
    RECORDED = "RECORDED"
    RECORDED_LATE = "RECORDED_LATE"
    PRESENTED_AGAIN = "PRESENTED_AGAIN"
    NOT_FLAG_OWNER = "NOT_FLAG_OWNER"
    KIND_ROLE_MISMATCH = "KIND_ROLE_MISMATCH"
    PROHIBITED_RECIPIENT = "PROHIBITED_RECIPIENT"
    OVERSEER_ONLY_REVIEWS = "OVERSEER_ONLY_REVIEWS"
    ROLE_NOT_PERMITTED = "ROLE_NOT_PERMITTED"
    ROLE_NOT_PERMITTED_FOR_PURPOSE = "ROLE_NOT_PERMITTED_FOR_PURPOSE"
    NO_FIELD_SET_ASKED = "NO_FIELD_SET_ASKED"
    FIELD_SET_BEYOND_PURPOSE = "FIELD_SET_BEYOND_PURPOSE"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    CONSENT_ABSENT = "CONSENT_ABSENT"
    CONSENT_EXPIRED = "CONSENT_EXPIRED"
    CONSENT_REVOKED = "CONSENT_REVOKED"
    CONSENT_NOT_YET_EFFECTIVE = "CONSENT_NOT_YET_EFFECTIVE"
    CONSENT_LAPSED_MAJORITY = "CONSENT_LAPSED_MAJORITY"
    CONSENT_LAPSED_TEAM_ENDED = "CONSENT_LAPSED_TEAM_ENDED"
    CONSENT_GRANTOR_LACKS_POWER = "CONSENT_GRANTOR_LACKS_POWER"
    CONSENT_OUT_OF_SCOPE = "CONSENT_OUT_OF_SCOPE"
    AUTHORITY_ABSENT = "AUTHORITY_ABSENT"
    AUTHORITY_EXPIRED = "AUTHORITY_EXPIRED"
    AUTHORITY_REVOKED = "AUTHORITY_REVOKED"
    AUTHORITY_NOT_YET_EFFECTIVE = "AUTHORITY_NOT_YET_EFFECTIVE"
    AUTHORITY_GRANTOR_LACKS_POWER = "AUTHORITY_GRANTOR_LACKS_POWER"
    AUTHORITY_OUT_OF_SCOPE = "AUTHORITY_OUT_OF_SCOPE"
    EMERGENCY_ROLE_NOT_ALLOWED = "EMERGENCY_ROLE_NOT_ALLOWED"
    EMERGENCY_EVIDENCE_MISSING = "EMERGENCY_EVIDENCE_MISSING"
    EMERGENCY_NOT_LIVE = "EMERGENCY_NOT_LIVE"
    EMERGENCY_TOO_LONG = "EMERGENCY_TOO_LONG"
    EMERGENCY_LOGIN_NOT_FRESH = "EMERGENCY_LOGIN_NOT_FRESH"
    EMERGENCY_QUOTA_SPENT = "EMERGENCY_QUOTA_SPENT"
    EMERGENCY_FIELDS_BEYOND_LIMIT = "EMERGENCY_FIELDS_BEYOND_LIMIT"
    NO_MATCH = "NO_MATCH"
    AMBIGUOUS_MATCH = "AMBIGUOUS_MATCH"
    MATCH_TOO_WEAK = "MATCH_TOO_WEAK"
    POSSIBLE_FLAG_MATCH = "POSSIBLE_FLAG_MATCH"
    NO_ACTIVE_FLAG = "NO_ACTIVE_FLAG"
    RECORD_SEALED = "RECORD_SEALED"
    RECORD_SENSITIVE = "RECORD_SENSITIVE"
    PURPOSE_PRECONDITION_FAILED = "PURPOSE_PRECONDITION_FAILED"
    AGREEMENT_MISSING = "AGREEMENT_MISSING"
    AUTHORITY_OTHER_SUBJECT = "AUTHORITY_OTHER_SUBJECT"
    REFUSED_BY_SOURCE = "REFUSED_BY_SOURCE"
    AUTHORITY_ENDED_BEFORE_RELEASE = "AUTHORITY_ENDED_BEFORE_RELEASE"
    MEMBER_DENIED_BEFORE_RELEASE = "MEMBER_DENIED_BEFORE_RELEASE"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    CONSENT_REVOKED_BETWEEN_PAGES = "CONSENT_REVOKED_BETWEEN_PAGES"
    AUTHORITY_ENDED_BETWEEN_PAGES = "AUTHORITY_ENDED_BETWEEN_PAGES"


UNIFORM_NEGATIVE: Final[dict[Call, Outcome]] = {
    Call.FLAG_CHECK: Outcome.NO_ACTIVE_FLAG_FOUND,
    Call.RECORD: Outcome.NO_DISCLOSABLE_RECORD,
}
"""The one answer of a call for unknown, sealed and not permitted to know."""


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One line of the table between reasons and outcomes."""

    phase: Phase
    outcome: Outcome | None
    """What the caller sees; None stands for the uniform negative of the call."""
    sentence: str
    """What happened, for the agencies entitled to read the log. Never sent to a caller when the phase is YOUTH."""
    fix: str
    """What a person can do about it."""
    obligations: tuple[Obligation, ...] = ()


def _request(outcome: Outcome, sentence: str, fix: str, *obligations: Obligation) -> ReasonRow:
    return ReasonRow(Phase.REQUEST, outcome, sentence, fix, obligations)


def _negative(sentence: str, fix: str, *obligations: Obligation) -> ReasonRow:
    return ReasonRow(Phase.YOUTH, None, sentence, fix, obligations)


_RENEW: Final = "Ask the person with the power to consent for a new consent and name it in the request."
_NONE: Final = "Nothing to do."

REASONS: Final[dict[Reason, ReasonRow]] = {
    Reason.PERMITTED: ReasonRow(Phase.YOUTH, Outcome.ANSWERED, "The policy permits this disclosure.", _NONE),
    Reason.RECORDED: _request(Outcome.RECORDED, "The report was recorded.", _NONE),
    Reason.RECORDED_LATE: _request(
        Outcome.RECORDED,
        "The report was recorded after its deadline and is marked late.",
        "Say why it was late in the case system; a late report is never refused.",
    ),
    Reason.PRESENTED_AGAIN: _request(
        Outcome.RECORDED,
        "An adapter presented again what a declared loss may have taken from the log.",
        _NONE,
    ),
    Reason.NOT_FLAG_OWNER: _request(
        Outcome.RECORDED,
        "Only the owner can end a missing episode; the report counts as located, awaiting the owner.",
        "The owner confirms the youth's safety and resolves the flag.",
    ),
    Reason.KIND_ROLE_MISMATCH: _request(
        Outcome.NOT_PERMITTED,
        "The claimed role does not exist in the kind of agency the caller was enrolled as.",
        "Correct the role mapping of the caller's identity provider groups.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.PROHIBITED_RECIPIENT: _request(
        Outcome.NOT_PERMITTED,
        "This kind of agency may not receive juvenile information through the exchange.",
        "Petition the juvenile court (WIC 831); the exchange cannot serve this request.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.OVERSEER_ONLY_REVIEWS: _request(
        Outcome.NOT_PERMITTED,
        "A member that oversees would read in everybody's entries what an answer to itself hid: it may only review.",
        "Ask as another member, of the kind that does the casework, with its own keys and staff.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.ROLE_NOT_PERMITTED: _request(
        Outcome.REPORT_IN_ONLY,
        "This role gives reports and receives no answer about a youth.",
        "Report to the county hotline; the hotline's screener may ask.",
    ),
    Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE: _request(
        Outcome.NOT_PERMITTED,
        "The policy lists no rule under which this role may claim this purpose.",
        "Ask under a purpose that the role may claim, or have a permitted role ask.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.NO_FIELD_SET_ASKED: _request(
        Outcome.NOT_PERMITTED, "The request names no field set.", "Name each field set that is needed."
    ),
    Reason.FIELD_SET_BEYOND_PURPOSE: _request(
        Outcome.NOT_PERMITTED,
        "No field set that could answer this call belongs to this purpose.",
        "Ask for the field sets of the purpose, flag status alone as a flag check, or use the purpose that fits.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.EVIDENCE_MISSING: _request(
        Outcome.EVIDENCE_NEEDED,
        "The request lacks the evidence that this purpose requires of the caller.",
        "Attach the report, referral, case, order or appointment that the purpose requires.",
    ),
    Reason.CONSENT_ABSENT: _request(
        Outcome.CONSENT_NEEDED, "The purpose rests on consent and the request names none.", _RENEW
    ),
    Reason.CONSENT_EXPIRED: _request(Outcome.CONSENT_NEEDED, "The named consent has expired.", _RENEW),
    Reason.CONSENT_REVOKED: _request(
        Outcome.CONSENT_NEEDED, "The named consent was revoked.", "Respect the revocation; offer alternatives."
    ),
    Reason.CONSENT_NOT_YET_EFFECTIVE: _request(
        Outcome.CONSENT_NEEDED, "The named consent is not yet in effect.", "Ask again once it is in effect."
    ),
    Reason.CONSENT_LAPSED_MAJORITY: _request(
        Outcome.CONSENT_NEEDED,
        "The consent was signed by a parent or guardian and the youth has turned 18.",
        "Ask the young adult for a consent of their own.",
    ),
    Reason.CONSENT_LAPSED_TEAM_ENDED: _request(
        Outcome.CONSENT_NEEDED, "The child and family team that the consent rests on has ended (WIC 832).", _RENEW
    ),
    Reason.CONSENT_GRANTOR_LACKS_POWER: _request(
        Outcome.CONSENT_NEEDED, "The signer of the consent has no power to grant it for this purpose.", _RENEW
    ),
    Reason.CONSENT_OUT_OF_SCOPE: _request(
        Outcome.CONSENT_NEEDED,
        "The named consent does not cover this youth, purpose, recipient or field set.",
        "Name a consent that covers the request, or ask for less.",
    ),
    Reason.AUTHORITY_ABSENT: _request(
        Outcome.AUTHORITY_NEEDED,
        "The purpose rests on an order or agreement and the request names none.",
        "Name the order or agreement in the request.",
    ),
    Reason.AUTHORITY_EXPIRED: _request(
        Outcome.AUTHORITY_NEEDED, "The named order or agreement has expired.", "Obtain and name a current one."
    ),
    Reason.AUTHORITY_REVOKED: _request(
        Outcome.AUTHORITY_NEEDED, "The named order or agreement was withdrawn.", "Obtain and name a current one."
    ),
    Reason.AUTHORITY_NOT_YET_EFFECTIVE: _request(
        Outcome.AUTHORITY_NEEDED, "The named order or agreement is not yet in effect.", "Ask again once it is."
    ),
    Reason.AUTHORITY_GRANTOR_LACKS_POWER: _request(
        Outcome.AUTHORITY_NEEDED,
        "The named order or agreement was not given by anybody with the power to give it.",
        "Obtain and name one given by the court or by the agencies' signatories.",
    ),
    Reason.AUTHORITY_OUT_OF_SCOPE: _request(
        Outcome.AUTHORITY_NEEDED,
        "The named order or agreement does not cover this youth, purpose, recipient or field set.",
        "Name one that covers the request, or ask for less.",
    ),
    Reason.EMERGENCY_ROLE_NOT_ALLOWED: _request(
        Outcome.NOT_PERMITTED,
        "This role cannot invoke the emergency modality.",
        "Call the duty line of the responsible county.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.EMERGENCY_EVIDENCE_MISSING: _request(
        Outcome.EVIDENCE_NEEDED,
        "The emergency was invoked without stating the imminent harm.",
        "State the category and the reason in the caller's own system and attach the reference.",
    ),
    Reason.EMERGENCY_NOT_LIVE: _request(
        Outcome.AUTHORITY_NEEDED,
        "The named emergency is over, withdrawn or does not cover this request.",
        "Declare a new emergency if the harm is still imminent.",
    ),
    Reason.EMERGENCY_TOO_LONG: _request(
        Outcome.AUTHORITY_NEEDED,
        "The named emergency claims more time than the policy allows.",
        "Declare an emergency within the time limit.",
    ),
    Reason.EMERGENCY_LOGIN_NOT_FRESH: _request(
        Outcome.AUTHORITY_NEEDED,
        "The user did not authenticate again for the emergency.",
        "Authenticate again and repeat the request.",
    ),
    Reason.EMERGENCY_QUOTA_SPENT: _request(
        Outcome.NOT_PERMITTED,
        "The user has spent the number of emergencies the policy allows in its period.",
        "Call the duty line of the responsible county; have a supervisor review.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.EMERGENCY_FIELDS_BEYOND_LIMIT: _request(
        Outcome.NOT_PERMITTED,
        "An emergency gives no more than flag status, what helps to locate, and the duty contact.",
        "Ask for FS1, FS2 or FS6.",
    ),
    Reason.NO_MATCH: _negative("No youth in scope matches.", "Check the identity; then call the county hotline."),
    Reason.AMBIGUOUS_MATCH: _negative(
        "More than one youth could be meant.", "A person at each owner compares the cases.", Obligation.OWNER_REVIEW
    ),
    Reason.MATCH_TOO_WEAK: _negative(
        "The match is too weak for a record to be released.",
        "The owner confirms the link by hand.",
        Obligation.OWNER_REVIEW,
    ),
    Reason.POSSIBLE_FLAG_MATCH: ReasonRow(
        Phase.YOUTH,
        Outcome.UNDETERMINED,
        "A youth somebody is looking for could be meant, but it is not certain.",
        "Both duty lines are paged and settle it by voice.",
        (Obligation.PAGE_BOTH_DUTY_LINES, Obligation.OWNER_REVIEW),
    ),
    Reason.NO_ACTIVE_FLAG: _negative("The youth is known and nobody has an open flag.", _NONE),
    Reason.RECORD_SEALED: _negative(
        "The matter is sealed and is treated as if it did not exist (WIC 389, 781, 786).", _NONE
    ),
    Reason.RECORD_SENSITIVE: _negative(
        "The owner limits access to this case.",
        "A person at the owner decides by hand.",
        Obligation.OWNER_REVIEW,
    ),
    Reason.PURPOSE_PRECONDITION_FAILED: _negative(
        "What the purpose requires to hold of the youth does not hold.",
        "Use the purpose that fits, or attach a report being filed.",
    ),
    Reason.AGREEMENT_MISSING: _negative(
        "The caller's agency and the owner have no agreement on file.",
        "Sign the agreement, or call the owner's duty line.",
    ),
    Reason.AUTHORITY_OTHER_SUBJECT: _negative(
        "The named authority is for another youth.",
        "Name the authority that is for this youth.",
        Obligation.MISUSE_SIGNAL,
    ),
    Reason.REFUSED_BY_SOURCE: _negative(
        "The owner's own release rules, or its own check of the request, refuse.",
        "Ask the owner's privacy officer.",
    ),
    Reason.AUTHORITY_ENDED_BEFORE_RELEASE: _negative(
        "The authority was revoked after the decision and before anything left.",
        "Respect the revocation; offer alternatives.",
    ),
    Reason.MEMBER_DENIED_BEFORE_RELEASE: _negative(
        "The caller's agency was suspended after the decision and before anything left.",
        "The caller's agency contacts the exchange.",
    ),
    Reason.SOURCE_UNAVAILABLE: ReasonRow(
        Phase.RELEASE,
        Outcome.SOURCE_UNAVAILABLE,
        "The disclosure is permitted but the owner's source did not answer in time.",
        "Ask again, or call the owner's duty line. This is not an empty history.",
    ),
    Reason.CONSENT_REVOKED_BETWEEN_PAGES: ReasonRow(
        Phase.RELEASE,
        Outcome.CONSENT_REVOKED,
        "The consent was revoked after earlier pages had been released; no further page leaves.",
        "Stop using what was received; offer alternatives.",
    ),
    Reason.AUTHORITY_ENDED_BETWEEN_PAGES: ReasonRow(
        Phase.RELEASE,
        Outcome.AUTHORITY_NEEDED,
        "The order or agreement ended after earlier pages had been released; no further page leaves.",
        "Obtain and name a current one.",
    ),
}
"""The table. Every reason has exactly one row."""

OUTCOME_TEXT: Final[dict[Outcome, str]] = {
    Outcome.ANSWERED: "Answered.",
    Outcome.RECORDED: "Recorded.",
    Outcome.NO_ACTIVE_FLAG_FOUND: "No active flag was found. This is not a clearance: protect the youth in any case.",
    Outcome.NO_DISCLOSABLE_RECORD: "There is no record that can be disclosed to you. This is not a clearance.",
    Outcome.UNDETERMINED: "It cannot be determined now. This is not a clearance: call the duty line.",
    Outcome.NOT_PERMITTED: "Your role may not receive this for this purpose.",
    Outcome.REPORT_IN_ONLY: "Your role can report and cannot query. Call your county's hotline.",
    Outcome.EVIDENCE_NEEDED: "The request lacks evidence that the purpose requires of you.",
    Outcome.CONSENT_NEEDED: "A current consent that covers this request is needed.",
    Outcome.AUTHORITY_NEEDED: "A current order, agreement or emergency that covers this request is needed.",
    Outcome.CONSENT_REVOKED: "The consent was revoked. Stop using what you received under it.",
    Outcome.SOURCE_UNAVAILABLE: "The responsible county's source did not answer. This is not an empty history.",
}
"""The constant English message of each outcome; safe to show to any caller."""


def outcome_of(reason: Reason, call: Call, *, coverage_complete: bool = True) -> Outcome:
    """What the caller sees for this reason.

    `coverage_complete` is whether every source in scope is fresh enough for a miss to mean
    anything. It turns uniform negatives, and only those, into UNDETERMINED.
    """
    outcome = REASONS[reason].outcome
    if outcome is not None:
        return outcome
    return UNIFORM_NEGATIVE[call] if coverage_complete else Outcome.UNDETERMINED


def notices_of(outcome: Outcome) -> tuple[Notice, ...]:
    """Notices that every decision with this outcome carries, before those of its rule."""
    return _NOTICES[outcome]


_SILENT: Final = (Outcome.ANSWERED, Outcome.RECORDED)
_NOTICES: Final[dict[Outcome, tuple[Notice, ...]]] = {
    outcome: () if outcome in _SILENT else (Notice.NOT_A_CLEARANCE,) for outcome in Outcome
} | {Outcome.REPORT_IN_ONLY: (Notice.NOT_A_CLEARANCE, Notice.MANDATED_REPORT_STILL_DUE)}
