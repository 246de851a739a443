"""Kinds of the log's entries, and the form of what a permit grants: one list for who writes, who reads and who tells.

Decides the words alone. Which fields an entry of a kind has, and who can open them, is decided where it is written.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from gateway.protocol.names import Basis, FieldSet, Obligation


class Kind(StrEnum):
    """Kind of an entry; op field `kind`."""

    DECISION = "access.decision"
    OUTCOME = "access.outcome"
    RECEIPT = "access.receipt"
    REFUSED = "access.refused"
    """A known caller's message was refused before any decision: bad assertion, malformed, replayed."""
    FLAG_RAISED = "flag.raised"
    FLAG_UPDATED = "flag.updated"
    FLAG_LOCATED = "flag.located"
    FLAG_RESOLVED = "flag.resolved"
    FLAG_PRESENTED = "flag.presented"
    """After a declared loss its owner's adapter presented it again; it is as stated."""
    REPORT_PRESENTED = "report.presented"
    """After a declared loss an adapter presented again that its agency reported a youth missing."""
    LOCATED_PRESENTED = "located.presented"
    """Likewise that it reported a flagged youth located, or tried to end another owner's episode."""
    AUTHORITY_RECORDED = "authority.recorded"
    AUTHORITY_REVOKED = "authority.revoked"
    AUTHORITY_PRESENTED = "authority.presented"
    """After a declared loss its issuer's adapter presented it again; it stands."""
    AUTHORITY_LISTED = "authority.listed"
    AUDIT_READ = "audit.read"
    SEAL_RESTRICTED = "seal.restricted"
    SEAL_DESTROYED = "seal.destroyed"
    SEAL_LIFTED = "seal.lifted"
    SEAL_ENFORCED = "seal.enforced"
    """Sealed youths that an older copy of the database had brought back are gone again."""
    NOTICE_SENT = "notice.sent"
    NOTICE_ACKNOWLEDGED = "notice.acknowledged"
    NOTICE_LISTED = "notice.listed"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    INDEX_REGISTERED = "index.registered"
    INDEX_HEARTBEAT = "index.heartbeat"
    REVIEW_JUDGED = "review.judged"
    TOKEN_EVALUATED = "token.evaluated"
    ENROLL_INVITED = "enroll.invited"
    ENROLL_REDEEMED = "enroll.redeemed"
    CERTIFICATE_RENEWED = "certificate.renewed"
    IDENTITY_LOCKED = "identity.locked"
    MEMBER_REVOKED = "member.revoked"
    HOLDER_TRUSTED = "holder.trusted"
    DIRECTORY_SIGNED = "directory.signed"
    COUNTY_ADMITTED = "county.admitted"
    PEPPER_OFFERED = "pepper.offered"
    CLOCK_STEPPED = "clock.stepped"
    LOG_EXPLAINED = "log.explained"
    LOG_RECOVERED = "log.recovered"
    LOG_SUCCEEDED = "log.succeeded"
    TABLES_MENDED = "tables.mended"
    """After a declared loss rows were written anew from entries; of how many others nobody knows what they said."""
    LOSS_SIGNED = "loss.signed"
    """A holder's operator signed that entries of the gateway's log are lost."""
    ATTESTATION_ALARM = "attestation.alarm"
    """An agency's adapter says that entries are withheld from it, or what it says is not what the log holds."""
    CASELOAD_DECLARED = "caseload.declared"
    BUDGET_ALARM = "budget.alarm"
    LOOKUPS_HELD = "lookups.held"
    LOOKUPS_RELEASED = "lookups.released"
    EPOCH_OPENED = "epoch.opened"
    EPOCH_CUT_OVER = "epoch.cut_over"
    EPOCH_ABANDONED = "epoch.abandoned"
    EPOCH_ENDED = "epoch.ended"
    """Nothing is answered in it any more; what is left of it is being erased."""
    EPOCH_ERASED = "epoch.erased"
    EPOCH_SHARE_ADDED = "epoch.share_added"
    EPOCH_SHARE_ERASED = "epoch.share_erased"


REFUSAL_REASONS: Final = frozenset(
    {
        "UNAUTHENTICATED",
        "CERTIFICATE_REFUSED",
        "MEMBER_UNKNOWN",
        "ASSERTION_MALFORMED",
        "ASSERTION_KEY",
        "ASSERTION_SIGNATURE",
        "ASSERTION_EXPIRED",
        "ASSERTION_NOT_YET",
        "ASSERTION_LIFETIME",
        "ASSERTION_AUDIENCE",
        "ASSERTION_REQUEST",
        "ASSERTION_BINDING",
        "ASSERTION_REPLAYED",
        "ENVELOPE_INVALID",
        "METHOD_NOT_ALLOWED",
        "INVALID_REQUEST",
        "DEADLINE_REQUIRED",
        "EPOCH_UNKNOWN",
        "EPOCH_STEP",
        "EPOCH_INCOMPLETE",
        "TOKENS_INCOMPLETE",
        "ELEMENT_INVALID",
        "KEY_UNKNOWN",
        "STATEMENT_INVALID",
        "AUTHORITY_INVALID",
        "AUTHORITY_NOT_FOUND",
        "FLAG_NOT_FOUND",
        "NOT_FLAG_OWNER",
        "DIRECTORY_INVALID",
        "TICKET_UNKNOWN",
        "TICKET_USED",
        "TICKET_EXPIRED",
        "COUNTY_ROOT_DIFFERS",
        "ADAPTER_ENROLLED",
        "YOUTHS_LISTED",
        "FLAGS_OPEN",
        "HOLDER_MISSING",
        "HOLDER_CONFLICT",
        "IDENTITY_LOCKED",
        "PEPPER_CONFLICT",
        "ID_REUSED",
        "EXPIRED_REFETCH",
        "BUDGET_EXHAUSTED",
        "QUESTIONS_EXHAUSTED",
        "LOOKUPS_HELD",
        "LOOKUPS_NOT_HELD",
        "PROTOCOL_ERROR",
        "LINK_REPLACED",
        "OVERLOADED",
        "LOG_UNAVAILABLE",
        "UNWITNESSED",
        "RECOVERING",
        "REVOCATION_HELD",
        "NOT_READY",
    }
)
"""Reasons of the exchange for refusing a message before any decision; field `reason` of such an entry holds one."""


def grant_text(field_sets: Iterable[FieldSet], basis: Basis, obligations: Iterable[Obligation]) -> str:
    """What a permit granted, on what it rests and to what it obliges, as field `fields` holds it.

    `FS0,FS4,FS5 STATUTE ACCOUNT,ALERT_OWNER`; without the third word where it obliges to nothing.
    """
    granted = ",".join(field_set.partition("_")[0] for field_set in field_sets)
    return " ".join(part for part in (granted, basis, ",".join(obligations)) if part)


def parse_grant(text: str) -> tuple[tuple[str, ...], str]:
    """The granted field sets in short, and the basis, from the text of field `fields`; both empty for none."""
    granted, _, rest = text.partition(" ")
    return tuple(granted.split(",")) if granted else (), rest.partition(" ")[0]


def parse_obligations(text: str) -> tuple[Obligation, ...]:
    """To what the permit obliged, from the text of field `fields`; what this release does not know is left out."""
    said = text.partition(" ")[2].partition(" ")[2].split(",")
    return tuple(Obligation(each) for each in said if each in Obligation.__members__)
