"""The kind of a member, which may not pass from one that asks to one that oversees, nor back.

Decides that an agency which asked is never shown as an overseer what its answers hid, nor asks about what it oversaw:
which entries a holder took part in is open to overseers alone (`exchange.openings`), of every time.
"""

from typing import Final

from sqlalchemy import bindparam, select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import ErrorReason, Invalid
from gateway.protocol.names import OVERSEERS, AgencyId, AgencyKind
from gateway.store import tables

_M: Final = tables.member.c
_KIND: Final = Statement(select(_M.kind).where(_M.agency == bindparam("agency_")))
OTHER_KIND: Final = "kind: oversees_or_asks"
"""The rule that an invitation of an agency under the other sort of kind breaks."""


def check_kind(tx: Tx, agency: AgencyId, kind: AgencyKind) -> None:
    """Holds unless the agency is a member that may ask and would oversee, or the other way round. Raises `Invalid`."""
    row = tx.one(_KIND, (agency,))
    if row is not None and (AgencyKind(row[0]) in OVERSEERS) != (kind in OVERSEERS):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(OTHER_KIND,))
