"""Recorded authorities in the database."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, bindparam, case, false, func, or_, select

from audit.statement import Statement
from gateway.ports import KeptAuthority
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
