"""From what stops the node to what a county system is told: one table, one place.

Decides the mapping only. A gateway's own reason travels on as the fault where it is one of a closed list; anything else
a peer says is dropped, because it is the peer's text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from adapters.errors import Conflict, Error, ErrorReason, EvidenceInvalid, Exhausted, Invalid, NotFound, Unavailable
from adapters.identity.errors import IncompleteIdentity, InvalidIdentity
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.source import SourceUnusable
from gateway.protocol.directory import KeyUnknown
from gateway.protocol.parse import MalformedMessage

_BUDGET: Final = "BUDGET_EXHAUSTED"
"""With which a budget is refused, at the gateway and at the other holders of the token key."""

_BY_REASON: Final[dict[str, tuple[type[Error], ErrorReason]]] = {
    "INVALID_REQUEST": (Invalid, ErrorReason.INVALID_REQUEST),
    "STATEMENT_INVALID": (Invalid, ErrorReason.INVALID_REQUEST),
    "AUTHORITY_INVALID": (Invalid, ErrorReason.INVALID_REQUEST),
    "ID_REUSED": (Conflict, ErrorReason.ID_REUSED),
    "EXPIRED_REFETCH": (Conflict, ErrorReason.EXPIRED_REFETCH),
    _BUDGET: (Exhausted, ErrorReason.BUDGET_EXHAUSTED),
    "QUESTIONS_EXHAUSTED": (Exhausted, ErrorReason.QUESTIONS_EXHAUSTED),
    "LOOKUPS_HELD": (Exhausted, ErrorReason.LOOKUPS_HELD),
    "FLAG_NOT_FOUND": (NotFound, ErrorReason.FLAG_NOT_FOUND),
    # To anybody but its owner a flag is known by its answer alone.
    "NOT_FLAG_OWNER": (NotFound, ErrorReason.FLAG_NOT_FOUND),
    "AUTHORITY_NOT_FOUND": (NotFound, ErrorReason.AUTHORITY_NOT_FOUND),
    "EPOCH_UNKNOWN": (Unavailable, ErrorReason.NOT_READY),
    "TOKENS_INCOMPLETE": (Unavailable, ErrorReason.NOT_READY),
    "KEY_UNKNOWN": (Unavailable, ErrorReason.NOT_READY),
    # More is under way than it takes at once: again in a moment.
    "OVERLOADED": (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    "UNWITNESSED": (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    "RECOVERING": (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    # Kept by the exchange and carried out before it discloses again; the same request brings the receipt then.
    "REVOCATION_HELD": (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
}
"""What the gateway's reason for refusing a request becomes."""

_BY_FAULT: Final[dict[CallFault, tuple[type[Error], ErrorReason]]] = {
    CallFault.UNAVAILABLE: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    CallFault.TIMED_OUT: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    # A limit of the transport: a budget is refused with its reason.
    CallFault.EXHAUSTED: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    # The gateway does not accept this adapter or its keys: nothing the county system can change.
    CallFault.UNAUTHENTICATED: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    CallFault.REFUSED: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
    CallFault.BROKEN: (Unavailable, ErrorReason.GATEWAY_UNAVAILABLE),
}
"""What a call without an answer becomes, where the reason does not decide."""

_FIELDS: Final[dict[str, str]] = {
    "released_key: opens": "release: opens",
    "seal_id: yours": "seal_id: yours",
    "page_token: own": "page_token: own",
    "page_token: bytes.max_len": "page_token: own",
    "subject_handle: yours": "local_id: yours",
    "subject_handle: required": "local_id: required for a youth of this agency, else of_another_agency",
    "subject_handle: another youth as listed": "local_id: another youth than the identity, as this agency lists it",
    "authority.evidence_commitment: required": "evidence_reference: required for a consent",
    "authority.language_version_hash: required": "language_text: required for a consent",
    "authority.copy_given_to_youth: required": "copy_given_to_youth: required for a consent",
    "authority.grantor: power": "grantor: none who can grant this basis",
    "authority.expire_time: future": "expire_time: to come",
    "authority.expire_time: emergency": "expire_time: longer than an emergency may last",
    **{
        word: word
        for name in ("learn_time", "locate_time", "duties.done_time")
        for word in (f"{name}: past", f"{name}: too long ago", f"{name}: timestamp")
    },
}
"""What a field that the gateway found at fault is called in a county's request; of any other its word is dropped."""

_IDENTITY_FIELDS: Final[dict[str, str]] = {
    "given_name": "youth.given_name",
    "surname": "youth.surname",
    "date_of_birth": "youth.birth_date",
}
_LACKS: Final[dict[str, str]] = {
    "given_name": "required, with a letter",
    "surname": "required, with a letter",
    "date_of_birth": "required, a day that is past",
}
"""What a search needs of them."""


@contextmanager
def county_errors() -> Iterator[None]:
    """Inside, what stops the node leaves as an `adapters.errors.Error`."""
    try:
        yield
    except CallFailed as failed:
        raise of_call(failed) from failed
    except NotReady as missing:
        if missing.missing is Missing.SUBJECT:
            raise NotFound(ErrorReason.YOUTH_NOT_IN_CASELOAD) from missing
        raise Unavailable(ErrorReason.NOT_READY, fault=missing.missing) from missing
    except HolderUnavailable as failed:
        if any(each.reason == _BUDGET for each in failed.faults):
            raise Exhausted(ErrorReason.BUDGET_EXHAUSTED) from failed
        raise Unavailable(ErrorReason.GATEWAY_UNAVAILABLE, fault="TOKEN_HOLDERS") from failed
    except SourceUnusable as unusable:
        raise Unavailable(ErrorReason.SOURCE_UNAVAILABLE) from unusable
    except KeyUnknown as unknown:
        raise Unavailable(ErrorReason.NOT_READY, fault="KEY") from unknown
    except IncompleteIdentity as incomplete:
        fields = tuple(
            f"{_IDENTITY_FIELDS.get(name, 'youth')}: {_LACKS.get(name, 'required')}" for name in incomplete.missing
        )
        raise Invalid(ErrorReason.IDENTITY_INCOMPLETE, fields=fields) from incomplete
    except InvalidIdentity as invalid:
        fields = tuple(f"{_IDENTITY_FIELDS.get(name, 'youth')}: max_len" for name in invalid.fields)
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=fields) from invalid
    except MalformedMessage as malformed:
        # Of the peer: what a county system sent was checked before.
        raise EvidenceInvalid("answer_malformed") from malformed


def of_call(failed: CallFailed) -> Error:
    """The county's error for a call that brought no answer."""
    known = _BY_REASON.get(failed.reason)
    kind, reason = known or _BY_FAULT[failed.fault]
    fields = tuple(_FIELDS[each] for each in failed.fields if each in _FIELDS)
    fault = failed.reason if known else failed.fault
    return kind(reason, fault="" if fault == reason else fault, fields=fields)
