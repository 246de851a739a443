"""The owner's statement about a flag: when one counts. Pure.

In this order: a flag key of the caller's own county signed it, it is about that county, it has
begun, and it ends within 31 days, so that a forgotten flag ends by itself. The exchange keeps
the very envelope and hands it on; it can neither make nor change one.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.exchange.moments import LEEWAY
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import FlagId, FlagState
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.statement_rules import StatementRule
from gateway.protocol.wire_names import from_wire
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement

LONGEST_LIFE: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that counts."""

    flag_id: FlagId
    state: FlagState
    version: int
    expires: datetime
    envelope: bytes = field(repr=False)
    """Serialized, as signed."""


def open_statement(envelope: SignedEnvelope, *, county: str, directory: DirectoryView, at: datetime) -> Statement:
    """The statement in an unverified envelope, after everything this module decides held. Raises `Invalid`."""
    try:
        message = unwrap(envelope, FlagStatement, directory.flag_key(county, envelope.key_id, at))
    except KeyUnknown as exc:
        raise statement_invalid(StatementRule.KEY_ID) from exc
    except SignatureInvalid as exc:
        raise statement_invalid(StatementRule.SIGNATURE) from exc
    except MalformedMessage as exc:
        raise statement_invalid(StatementRule.PAYLOAD) from exc
    if message.county != county:
        raise statement_invalid(StatementRule.COUNTY)
    try:
        issued, expires = message.issue_time.ToDatetime(UTC), message.expire_time.ToDatetime(UTC)
    except ValueError as exc:
        raise statement_invalid(StatementRule.TIMESTAMP) from exc
    if issued > at + LEEWAY:
        raise statement_invalid(StatementRule.ISSUE_TIME)
    if not at < expires <= at + LONGEST_LIFE:
        raise statement_invalid(StatementRule.EXPIRE_TIME)
    return Statement(
        flag_id=FlagId(message.flag_id),
        state=from_wire(FlagState, message.state),
        version=message.version,
        expires=expires,
        envelope=envelope.SerializeToString(),
    )


def statement_invalid(rule: StatementRule) -> Invalid:
    """The refusal of a statement that breaks this rule."""
    return Invalid(ErrorReason.STATEMENT_INVALID, fields=(str(rule),))
