"""Kinds of the log's entries: one list for who writes them, who reads them and who puts them into words.

Decides the words alone. Which fields an entry of a kind has, and who can open them, is decided where it is written.
"""

from enum import StrEnum
from typing import Final


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
    AUTHORITY_RECORDED = "authority.recorded"
    AUTHORITY_REVOKED = "authority.revoked"
    AUTHORITY_LISTED = "authority.listed"
    AUDIT_READ = "audit.read"
    ALERT_ACKNOWLEDGED = "alert.acknowledged"
    INDEX_REGISTERED = "index.registered"
    INDEX_HEARTBEAT = "index.heartbeat"
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
        "HOLDER_MISSING",
        "HOLDER_CONFLICT",
        "IDENTITY_LOCKED",
        "PEPPER_CONFLICT",
        "ID_REUSED",
        "EXPIRED_REFETCH",
        "BUDGET_EXHAUSTED",
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
