"""Whether an agency lists a youth, in the database: asked before something is done, and again in its transaction."""

from typing import Final

from sqlalchemy import and_, bindparam, select

from audit.entry import Draft
from audit.statement import Statement
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.ports import Guard
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store.tables import subject

_LISTED: Final = Statement(
    select(subject.c.restriction).where(
        and_(subject.c.owner == bindparam("owner_"), subject.c.handle == bindparam("handle_"))
    ),
    "owner_",
    "handle_",
)


def is_listed(tx: Tx, owner: AgencyId, handle: SubjectHandle) -> bool:
    """Whether the agency lists a youth under this handle."""
    return tx.one(_LISTED, (owner, handle)) is not None


def stays_listed(owner: AgencyId, handle: SubjectHandle) -> Guard:
    """Raises `Moved` when the agency lists the youth no longer: removed, or sealed."""

    def guard(tx: Tx) -> Draft | None:
        if not is_listed(tx, owner, handle):
            raise Moved
        return None

    return guard
