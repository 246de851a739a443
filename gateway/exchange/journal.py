"""What the log says of each event: field names, and who can open which field. The kinds are in `protocol.log_kinds`.

Decides the words of the log. A field stands in class `op` (both counties), `req` (the
requesting county), `hold` (the holding county) or `youth` (whoever holds that youth's key);
see audit/README.md. How entries are ordered, stored and proved is the log's matter.
"""

from collections.abc import Mapping
from typing import Final

from audit.entry import Draft, Field, FieldClass, YouthKey
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId

__all__ = ["ALLOW", "DENY", "Kind", "Value", "draft"]

Value = str | bytes | int


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
