"""Errors a caller can act on, in one tree.

    Error
    +-- Unauthenticated        who speaks is not established
    |   +-- AssertionInvalid   ... because the user assertion does not count
    |   +-- EnvelopeInvalid    ... because the signed envelope does not count
    +-- Invalid                the request is not well-formed, or names what does not exist
    +-- Conflict               the same identifier with other content, or already spent
    +-- Exhausted              a budget or a queue is full
    +-- Unavailable            no answer can be given now; never a negative, never a disclosure

Decides reasons: each is a constant of `ErrorReason` and reaches the caller as
`google.rpc.ErrorInfo.reason`. Anything that is not an `Error` becomes INTERNAL without text
(`rpc/status`). A refusal by policy is an answer and no error (`protocol/outcomes`).
"""

from enum import StrEnum
from typing import Final


class ErrorReason(StrEnum):
    """Machine-readable reason of an error; part of the documented protocol."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    MEMBER_UNKNOWN = "MEMBER_UNKNOWN"
    ASSERTION_MALFORMED = "ASSERTION_MALFORMED"
    ASSERTION_KEY = "ASSERTION_KEY"
    ASSERTION_SIGNATURE = "ASSERTION_SIGNATURE"
    ASSERTION_EXPIRED = "ASSERTION_EXPIRED"
    ASSERTION_NOT_YET = "ASSERTION_NOT_YET"
    ASSERTION_LIFETIME = "ASSERTION_LIFETIME"
    ASSERTION_AUDIENCE = "ASSERTION_AUDIENCE"
    ASSERTION_REQUEST = "ASSERTION_REQUEST"
    ASSERTION_BINDING = "ASSERTION_BINDING"
    ASSERTION_REPLAYED = "ASSERTION_REPLAYED"
    ENVELOPE_INVALID = "ENVELOPE_INVALID"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    INVALID_REQUEST = "INVALID_REQUEST"
    DEADLINE_REQUIRED = "DEADLINE_REQUIRED"
    EPOCH_UNKNOWN = "EPOCH_UNKNOWN"
    EPOCH_STEP = "EPOCH_STEP"
    """The rotation of the token key cannot take this step now; the field path says why."""
    EPOCH_INCOMPLETE = "EPOCH_INCOMPLETE"
    """... because the counties in the field paths have not listed everybody in the following epoch."""
    TOKENS_INCOMPLETE = "TOKENS_INCOMPLETE"
    ELEMENT_INVALID = "ELEMENT_INVALID"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    STATEMENT_INVALID = "STATEMENT_INVALID"
    AUTHORITY_INVALID = "AUTHORITY_INVALID"
    AUTHORITY_NOT_FOUND = "AUTHORITY_NOT_FOUND"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    NOT_FLAG_OWNER = "NOT_FLAG_OWNER"
    DIRECTORY_INVALID = "DIRECTORY_INVALID"
    TICKET_UNKNOWN = "TICKET_UNKNOWN"
    TICKET_USED = "TICKET_USED"
    TICKET_EXPIRED = "TICKET_EXPIRED"
    COUNTY_ROOT_DIFFERS = "COUNTY_ROOT_DIFFERS"
    ADAPTER_ENROLLED = "ADAPTER_ENROLLED"
    """The agency has another adapter, which was not revoked; it has one at a time."""
    YOUTHS_LISTED = "YOUTHS_LISTED"
    """The agency has a list, and another state directory than the one that would join made it."""
    FLAGS_OPEN = "FLAGS_OPEN"
    """... and though that was revoked, somebody looks for one of them: only that directory can end the flag."""
    HOLDER_MISSING = "HOLDER_MISSING"
    HOLDER_CONFLICT = "HOLDER_CONFLICT"
    IDENTITY_LOCKED = "IDENTITY_LOCKED"
    PEPPER_CONFLICT = "PEPPER_CONFLICT"
    ID_REUSED = "ID_REUSED"
    EXPIRED_REFETCH = "EXPIRED_REFETCH"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    QUESTIONS_EXHAUSTED = "QUESTIONS_EXHAUSTED"
    """The agency, or the worker, asked as many questions as it may on one day."""
    LOOKUPS_HELD = "LOOKUPS_HELD"
    LOOKUPS_NOT_HELD = "LOOKUPS_NOT_HELD"
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    LINK_REPLACED = "LINK_REPLACED"
    OVERLOADED = "OVERLOADED"
    LOG_UNAVAILABLE = "LOG_UNAVAILABLE"
    UNWITNESSED = "UNWITNESSED"
    RECOVERING = "RECOVERING"
    """The log's database was put back to an older state; nothing is disclosed until it is healed."""
    REVOCATION_HELD = "REVOCATION_HELD"
    """... or a start has not heard who would tell; this revocation is kept, and takes effect before any disclosure."""
    NOT_READY = "NOT_READY"


LOG_REFUSES: Final = frozenset({ErrorReason.LOG_UNAVAILABLE, ErrorReason.RECOVERING, ErrorReason.REVOCATION_HELD})
"""Reasons that cannot be put on record, because it is the log that does not answer."""


class Error(Exception):
    """Root. `fields` are message paths with rule names; never values."""

    def __init__(self, reason: ErrorReason, *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = fields
        self.on_record = False
        """Whether whoever refused has seen to the log. What a member is refused otherwise, the edge puts there."""


class Unauthenticated(Error):
    """Who speaks is not established."""


class AssertionInvalid(Unauthenticated):
    """The user assertion does not count."""


class EnvelopeInvalid(Unauthenticated):
    """The signed envelope does not count."""


class Invalid(Error):
    """The request is not well-formed, or names what does not exist."""


class Conflict(Error):
    """The same identifier came with other content, or is spent."""


class Exhausted(Error):
    """A budget or a queue is full."""


class Unavailable(Error):
    """No answer can be given now."""
