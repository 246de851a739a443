"""Carrying out, after the log was healed, the revocations that were held meanwhile.

Decides the order: as they arrived, all of them, before the gateway answers anybody; the file goes last, so that a crash
repeats what was done, which changes nothing. What the policy or the membership no longer allows is refused here as it
would have been then, and that refusal is in the log.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.errors import Error, Unavailable
from gateway.exchange.authorities import AuthorityRecords
from gateway.exchange.call import Call
from gateway.protocol.parse import MalformedMessage
from gateway.recovery.held import HeldMember, HeldRevocations
from gateway.rpc.incoming import Admission, on_record
from homeward.gateway.v1.authority_pb2 import AuthorityRevocation

_LOG: Final = logging.getLogger(__name__)


async def carry_out(
    held: HeldRevocations,
    admission: Admission,
    records: AuthorityRecords,
    *,
    revoke_member: Callable[[str], Awaitable[object]],
) -> int:
    """Every held revocation is in the log, or its refusal is; returns how many there were. Raises `Unavailable`.

    Of those that were kept until no more are (`keeps` of the file), so that this comes to an end.
    """
    count = 0
    while waiting := held.all():
        await _carry_out(waiting, admission, records, revoke_member)
        count += len(waiting)
        if held.clear(len(waiting)):
            break
    if count:
        _LOG.warning("held revocations carried out", extra={"count": count})
    return count


async def _carry_out(
    waiting: Sequence[Call | HeldMember],
    admission: Admission,
    records: AuthorityRecords,
    revoke_member: Callable[[str], Awaitable[object]],
) -> None:
    for each in waiting:
        try:
            if isinstance(each, HeldMember):
                await revoke_member(each.subject)
            else:
                await _revoke(each, admission, records)
        except Unavailable:
            raise
        except (Error, MalformedMessage) as refusal:
            _LOG.warning("held revocation refused", extra={"kind": type(refusal).__name__})


async def _revoke(call: Call, admission: Admission, records: AuthorityRecords) -> None:
    caller, message = await admission.admit(call, AuthorityRevocation)
    await on_record(call, admission, lambda: records.revoke(caller, message))
