"""Errors a county system can act on, in one tree.

    Error
    +-- Unauthenticated    the token of the county's identity provider does not count
    +-- Denied             the user does not hold the role
    +-- Invalid            the request is not well-formed, or lacks what a search needs
    +-- NotFound           a flag, an authority or a youth of the own caseload that does not exist
    |   +-- Sealed         a youth whose records a court sealed; told to reviewers and privacy officers alone
    +-- Conflict           the same request identifier with other content
    +-- Exhausted          a budget of the exchange is spent, or look-ups of this agency are held
    +-- Unavailable        no answer can be given now; never a negative
    +-- EvidenceInvalid    an answer came whose evidence does not hold; nothing of it was used

Decides the reasons; each reaches a county system as `google.rpc.ErrorInfo.reason` of the domain
`homeward.county`. Which gRPC code belongs to which class is decided in `local/status`. A refusal by policy is an
answer and no error. No text here holds a value of a request.
"""

from enum import StrEnum


class ErrorReason(StrEnum):
    """Machine-readable reason; part of the documented protocol (proto/homeward/county/v1)."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    ROLE_NOT_HELD = "ROLE_NOT_HELD"
    INVALID_REQUEST = "INVALID_REQUEST"
    IDENTITY_INCOMPLETE = "IDENTITY_INCOMPLETE"
    YOUTH_NOT_IN_CASELOAD = "YOUTH_NOT_IN_CASELOAD"
    YOUTH_SEALED = "YOUTH_SEALED"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    AUTHORITY_NOT_FOUND = "AUTHORITY_NOT_FOUND"
    REVIEW_NOT_FOUND = "REVIEW_NOT_FOUND"
    ID_REUSED = "ID_REUSED"
    EXPIRED_REFETCH = "EXPIRED_REFETCH"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    QUESTIONS_EXHAUSTED = "QUESTIONS_EXHAUSTED"
    LOOKUPS_HELD = "LOOKUPS_HELD"
    GATEWAY_UNAVAILABLE = "GATEWAY_UNAVAILABLE"
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    NOT_READY = "NOT_READY"
    EVIDENCE_INVALID = "EVIDENCE_INVALID"


class Error(Exception):
    """Root. `fields` are message paths with rule names; `fault` is a constant word; neither holds a value."""

    def __init__(self, reason: ErrorReason, *, fields: tuple[str, ...] = (), fault: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = fields
        self.fault = fault


class Unauthenticated(Error):
    """The token does not count. `fault` says in which respect."""

    def __init__(self, fault: str) -> None:
        super().__init__(ErrorReason.UNAUTHENTICATED, fault=fault)


class Denied(Error):
    """The user does not hold the role that was named, or none that may call this."""

    def __init__(self) -> None:
        super().__init__(ErrorReason.ROLE_NOT_HELD)


class Invalid(Error):
    """The request is not well-formed, or lacks what a search needs."""


class NotFound(Error):
    """What the request names does not exist for this agency."""


class Sealed(NotFound):
    """A court sealed the youth's records. To everybody else such a youth is one that is not there."""

    def __init__(self) -> None:
        super().__init__(ErrorReason.YOUTH_SEALED)


class Conflict(Error):
    """The request identifier is taken by other content, or its answer is no longer kept."""


class Exhausted(Error):
    """A budget of the exchange is spent."""


class Unavailable(Error):
    """No answer can be given now."""


class EvidenceInvalid(Error):
    """The evidence of an answer does not hold. `fault` names the part: receipt, statement, record, policy."""

    def __init__(self, fault: str) -> None:
        super().__init__(ErrorReason.EVIDENCE_INVALID, fault=fault)
