"""Refusals of known callers are entries too.

Decides which: whatever an authenticated agency was refused for, unless the refusing code wrote an entry that says more.
A log that cannot be written is no refusal. Above a limit a minute they are counted (`exchange.refusals`).
"""

from collections.abc import Awaitable
from typing import Final, TypeVar

from gateway.errors import Conflict, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.journal import DENY, Kind, draft
from gateway.members.ledger import Ledger
from gateway.protocol.names import AgencyId

Work = TypeVar("Work")
_RECORDED_WHERE_DECIDED: Final = frozenset({ErrorReason.IDENTITY_LOCKED})


async def on_record(ledger: Ledger, agency: AgencyId, *, asked: str, work: Awaitable[Work]) -> Work:
    """What the work gives; its refusal is in the log before it goes to the caller. `asked` names the method."""
    try:
        return await work
    except (Unauthenticated, Invalid, Conflict) as refusal:
        if refusal.reason not in _RECORDED_WHERE_DECIDED:
            op = {"decision": DENY, "reason": refusal.reason, "agency": agency, "asked": asked}
            await ledger.refusals.take(agency, refusal.reason, draft(Kind.REFUSED, requester=agency, op=op))
        raise
