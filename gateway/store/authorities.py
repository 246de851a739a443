"""Recorded authorities in the database."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, bindparam, case, false, func, or_, select

from audit.entry import Draft
from audit.statement import Statement
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.ports import Guard, KeptAuthority
from gateway.protocol.names import AgencyId, AuthorityId
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.lookups import Lookups
from gateway.store.succession import last_loss
from gateway.store.tables import authority, emergency_use

# Among entries that were lost may be the revocation of what was recorded before: a declared loss ends it all.
ENDED: Final = or_(authority.c.revocation.is_not(None), func.coalesce(authority.c.leaf_index < last_loss(), false()))
"""Whether an authority was revoked, or recorded before the last declared loss."""
_GET: Final = Statement(
    select(authority.c.sealed, case((ENDED, 1), else_=0)).where(authority.c.authority_id == bindparam("authority")),
    "authority",
)
EMERGENCY_USES: Final = Statement(
    select(func.count())
    .select_from(emergency_use)
    .where(
        and_(
            emergency_use.c.agency == bindparam("agency_"),
            emergency_use.c.worker == bindparam("worker_"),
            emergency_use.c.create_ms >= bindparam("since"),
        )
    ),
    "agency_",
    "worker_",
    "since",
)
"""How many emergencies a user of an agency invoked since a moment."""


_SPEAKS: Final = Statement(
    select(authority.c.leaf_index).where(
        and_(authority.c.authority_id == bindparam("authority_"), authority.c.sealed != bindparam("blank_", b""))
    ),
    "authority_",
)
_NEWEST: Final = Statement(select(func.coalesce(func.max(authority.c.leaf_index), -1)))
_SPEAKING: Final = Statement(select(authority.c.authority_id).where(authority.c.sealed != bindparam("blank_", b"")))


@dataclass(frozen=True, slots=True)
class SqlAuthorities:
    """`ports.Authorities` on the database."""

    lookups: Lookups
    authority_keys: FileAuthorityKeys = field(repr=False)

    async def get(self, authority_id: AuthorityId) -> KeptAuthority | None:
        """The authority with the log's latest word on it, or None."""
        row = await self.lookups.read(lambda tx: tx.one(_GET, (authority_id,)))
        if row is None:
            return None
        sealed, ended = row
        envelope = self.authority_keys.open(authority_id, sealed)
        return None if envelope is None else KeptAuthority(envelope, revoked=bool(ended))

    async def emergency_uses(self, agency: AgencyId, subject: str, since_ms: int) -> int:
        """Emergencies this user invoked since then."""
        row = await self.lookups.read(lambda tx: tx.one(EMERGENCY_USES, (agency, subject, since_ms)))
        return int(row[0]) if row else 0

    def speaks(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` when a seal took away what the authority says: its key leaves, and no entry may follow."""

        def guard(tx: Tx) -> Draft | None:
            if tx.one(_SPEAKS, (authority_id,)) is None:
                raise Moved
            return None

        return guard


def speaking_authorities(tx: Tx) -> list[AuthorityId]:
    """Every authority on record, revoked or not, of which no seal took away what it says."""
    return [AuthorityId(bytes(authority_id)) for (authority_id,) in tx.all(_SPEAKING)]


def newest_authority(tx: Tx) -> int:
    """Index of the last entry by which an authority came on record; -1 before the first."""
    row = tx.one(_NEWEST)
    return int(row[0]) if row is not None else -1
