"""One agency, one adapter, one state directory: what a redemption must be next to what the agency has.

The exchange knows a youth by a handle that only the adapter's state directory leads back to the county's own number.
A second adapter, or the same one with a new directory, gives every youth another handle: then no question has one
answer any more, and nobody can end a flag that stands under the first. So, before a ticket is spent:

1. another adapter of the agency that was not revoked      ADAPTER_ENROLLED; two would also end each other's link
2. the agency has no list                                  whichever directory brings the line is the agency's, and
                                                           what it had counts no more, keys and certificates: of two
                                                           directories the one joined last stands. The county root
                                                           vouches for it, nobody is listed, so nothing is lost, and
                                                           who lost a directory before listing need not be revoked
3. it has a list, and the adapter has the private keys of the directory that made it, and sources: it comes back
4. it has a list, and was not revoked                      YOUTHS_LISTED
5. it was revoked, and a flag of it is open                FLAGS_OPEN: the youth must stay findable. Any flag key that
                                                           the county root certified may end the flag, but that youth's
                                                           handle is known to the directory alone that raised it. Until
                                                           every statement has ended: none was taken once the agency's
                                                           last certificate had, and each lives for 31 days at most
6. it was revoked                                          the list goes with the redemption, and what its heartbeats
                                                           said: until the new one is complete the county is stale

A revocation is the operator's word that the former directory does not come back; nothing less lets its list go. That
the private keys are there was proved before (`gateway.protocol.enrollment_proof`). A directory that comes back keeps
its keys, so one that may have been copied or stolen must not: its agency joins in a new one (6).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, delete, func, literal_column, select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason
from gateway.members import roster
from gateway.members.certificates import last_expiry_ms, last_identity
from gateway.members.statements import StatedKey
from gateway.missing.statement import LONGEST_LIFE
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId
from gateway.protocol.policy.facts import milliseconds
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE

_D, _S, _T = tables.denied.c, tables.subject.c, tables.index_token.c
_F, _L = tables.flag.c, tables.listing.c
_DENIED: Final = Statement(select(_D.name).where(_D.name == bindparam("name_")))
_LISTED: Final = Statement(select(func.count()).select_from(tables.subject).where(_S.owner == bindparam("owner_")))
_BEATEN: Final = Statement(select(_L.owner).where(_L.owner == bindparam("owner_")))
_FLAGGED: Final = Statement(
    select(_F.flag_id)
    .where(
        and_(
            _F.owner == bindparam("owner_"),
            _F.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)]),
        )
    )
    .limit(1)
)
_DROP_TOKENS: Final = Statement(
    delete(tables.index_token).where(_T.ref.in_(select(_S.ref).where(_S.owner == bindparam("owner_")))), "owner_"
)
_DROP_SUBJECTS: Final = Statement(delete(tables.subject).where(_S.owner == bindparam("owner_")), "owner_")
_DROP_LISTING: Final = Statement(delete(tables.listing).where(_L.owner == bindparam("owner_")), "owner_")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who redeems a line."""

    agency: AgencyId
    identity: str
    """Channel identity of the adapter."""
    keys: tuple[StatedKey, ...]
    has_sources: bool


def check_newcomer(tx: Tx, newcomer: Newcomer, at: datetime) -> int | None:
    """How many youths leave the index with this redemption; None where the agency's list stays as it is.

    Raises `Conflict`: ADAPTER_ENROLLED, YOUTHS_LISTED, FLAGS_OPEN.
    """
    agency = newcomer.agency
    is_revoked = tx.one(_DENIED, (agency,)) is not None
    other = last_identity(tx, newcomer.identity)
    if other not in (None, newcomer.identity) and not is_revoked and tx.one(_DENIED, (other,)) is None:
        raise Conflict(ErrorReason.ADAPTER_ENROLLED)
    counted = tx.one(_LISTED, (agency,))
    listed = int(counted[0]) if counted else 0
    has_list = listed > 0 or tx.one(_BEATEN, (agency,)) is not None
    if not has_list or (newcomer.has_sources and _is_known(tx, agency, newcomer.keys)):
        return None
    if not is_revoked:
        raise Conflict(ErrorReason.YOUTHS_LISTED)
    ended_ms = last_expiry_ms(tx, newcomer.identity)
    may_count = ended_ms is not None and milliseconds(at - LONGEST_LIFE) < ended_ms
    if may_count and tx.one(_FLAGGED, (agency,)) is not None:
        raise Conflict(ErrorReason.FLAGS_OPEN)
    return listed


def forget_list(tx: Tx, agency: AgencyId) -> None:
    """The agency lists nobody, in no epoch, and its list counts as current in none."""
    for statement in (_DROP_TOKENS, _DROP_SUBJECTS, _DROP_LISTING):
        tx.run(statement, (agency,))


def _is_known(tx: Tx, agency: AgencyId, keys: Iterable[StatedKey]) -> bool:
    """Whether these are the keys of the directory that the agency has: one signs all that a list is made of."""
    rows = [roster.find_key(tx, key.key_id) for key in keys if key.use == KEY_USE_ENVELOPE]
    return bool(rows) and all(row is not None and row.agency == agency for row in rows)
