"""Entries of seals alone, as an exchange would write them that seals nobody."""

import os
from typing import Final

from audit.log import INDEX, Append
from audit.statement import upsert
from gateway.exchange.journal import draft
from gateway.exchange.notices import SealState
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId
from gateway.store import tables

_PUT: Final = upsert(tables.seal, "seal_id")


def bare_seal(owner: AgencyId, *, is_destruction: bool = False) -> Append:
    """An order to seal, or to destroy, on record."""
    seal_id = os.urandom(16)
    kind, state = Kind.SEAL_RESTRICTED, SealState.RESTRICTED
    if is_destruction:
        kind, state = Kind.SEAL_DESTROYED, SealState.DESTROYED
    leaf = draft(kind, requester=owner, op={"outcome": "RECORDED", "notice": seal_id.hex(), "notices": 0})
    return Append(leaf, rows=((_PUT, (seal_id, owner, str(state), INDEX)),))
