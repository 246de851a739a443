"""What the log says of each event: kinds, field names, and who can open which field.

Decides the words of the log. A field stands in class `op` (both counties), `req` (the
requesting county), `hold` (the holding county) or `youth` (whoever holds that youth's key);
see audit/README.md. How entries are ordered, stored and proved is the log's matter.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from audit.entry import Draft, Field, FieldClass, YouthKey
from gateway.protocol.names import AgencyId

Value = str | bytes | int


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


ALLOW: Final = "ALLOW"
DENY: Final = "DENY"


def draft(
    kind: str,
    *,
    requester: AgencyId | None = None,
    holder: AgencyId | None = None,
    op: Mapping[str, Value] | None = None,
    req: Mapping[str, Value] | None = None,
    hold: Mapping[str, Value] | None = None,
    youth: Mapping[str, Value] | None = None,
    youth_key: YouthKey | None = None,
) -> Draft:
    """An entry to append. Text is stored as UTF-8 and numbers as decimal text, so that an auditor can read them."""
    fields = [Field(FieldClass.OP, "kind", kind.encode())]
    for cls, values in (
        (FieldClass.OP, op),
        (FieldClass.REQ, req),
        (FieldClass.HOLD, hold),
        (FieldClass.YOUTH, youth),
    ):
        fields += [Field(cls, name, _bytes(value)) for name, value in (values or {}).items()]
    return Draft(fields=tuple(fields), youth=youth_key, requester=requester, holder=holder)


def _bytes(value: Value) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
