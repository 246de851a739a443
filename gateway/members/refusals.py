"""Refusals of known callers are entries too.

Decides what stands in them: which agency, which method, why. Of machine calls whatever the agency was refused for,
unless the refusing code wrote an entry that says more; of all others what was refused before or beside their handlers
(`rpc/interceptor`). A log that cannot be written is no refusal. Above a limit a minute they are counted
(`exchange.refusals`).
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from gateway.errors import Conflict, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.journal import DENY, Kind, draft
from gateway.members.ledger import Ledger
from gateway.protocol.names import AgencyId

Work = TypeVar("Work")
_RECORDED_WHERE_DECIDED: Final = frozenset({ErrorReason.IDENTITY_LOCKED})


def keeping_refusals(ledger: Ledger) -> Callable[[AgencyId, str, ErrorReason], Awaitable[None]]:
    """What puts a refusal of an agency on record, given the method it called. Raises `Unavailable`."""

    async def keep(agency: AgencyId, asked: str, reason: ErrorReason) -> None:
        op = {"decision": DENY, "reason": reason, "agency": agency, "asked": asked}
        await ledger.refusals.take(agency, reason, draft(Kind.REFUSED, requester=agency, op=op))

    return keep


async def on_record(ledger: Ledger, agency: AgencyId, *, asked: str, work: Awaitable[Work]) -> Work:
    """What the work gives; its refusal is in the log before it goes to the caller. `asked` names the method."""
    try:
        return await work
    except (Unauthenticated, Invalid, Conflict) as refusal:
        if refusal.reason not in _RECORDED_WHERE_DECIDED:
            await keeping_refusals(ledger)(agency, asked, refusal.reason)
        refusal.on_record = True
        raise
