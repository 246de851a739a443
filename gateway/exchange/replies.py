"""Replies kept for a retry of the very same request.

A retry repeats the identifier and the exact question, by the same worker in the same role, for
the same purpose and under the same authority, under a fresh assertion, and gets the same message:
same decision, same leaf (SECURITY §4.2). Whoever else asks it asks anew: that answer was not
decided for them, and the log would name another. Kept in memory for fifteen minutes, as
bytes, a third of what the message itself takes; a retry after that, or after a restart, is
told to ask anew.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from google.protobuf.message import Message

from audit.hot_value import hot_value
from gateway.errors import Conflict, Error, ErrorReason
from gateway.exchange.call import Caller, Query
from gateway.protocol.names import AgencyId, AuthorityId, Purpose, RequestId, Role

KEPT_FOR: Final = timedelta(minutes=15)
_LIMIT: Final = 20_000
Reply = TypeVar("Reply", bound=Message)


@hot_value
class _Asked:
    """What two calls have in common when the second is a retry of the first."""

    digest: bytes
    worker: str
    role: Role
    purpose: Purpose
    authority_id: AuthorityId | None

    @classmethod
    def by(cls, caller: Caller, query: Query) -> "_Asked":
        claims = caller.claims
        return cls(query.digest, claims.subject, claims.role, claims.purpose, claims.authority_id)


@hot_value
class _Kept:
    asked: _Asked
    assertions: set[str]
    reply: asyncio.Future[bytes]
    until: datetime


class Replies:
    """Replies by agency and request. One event loop uses it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: OrderedDict[tuple[AgencyId, RequestId], _Kept] = OrderedDict()

    async def once(
        self, caller: Caller, query: Query, kind: type[Reply], work: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """The reply to this request: the work's, or the one already given or being worked on.

        Raises `Conflict` when the identifier came with another question or the assertion was used before, and
        whatever the work raises; a request that failed is not kept.
        """
        now = self._now()
        self._forget(now)
        key = (caller.agency, query.request_id)
        assertion = caller.claims.assertion_id
        kept, asked = self._kept.get(key), _Asked.by(caller, query)
        if kept is not None:
            if kept.asked != asked:
                raise Conflict(ErrorReason.ID_REUSED)
            if assertion in kept.assertions:
                raise Conflict(ErrorReason.ASSERTION_REPLAYED)
            kept.assertions.add(assertion)
            return kind.FromString(await asyncio.shield(kept.reply))
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._kept[key] = _Kept(asked, {assertion}, future, now + KEPT_FOR)
        try:
            reply = await work()
        except BaseException as failure:
            del self._kept[key]
            future.set_exception(_for_others(failure))
            # Nobody may be waiting for the same reply; a future that is never awaited must not complain.
            future.exception()
            raise
        future.set_result(reply.SerializeToString())
        return reply

    def _forget(self, now: datetime) -> None:
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if not oldest.reply.done() or (oldest.until > now and len(self._kept) <= _LIMIT):
                return
            del self._kept[key]


def _for_others(failure: BaseException) -> Exception:
    # A canceled first caller must not cancel the second one's call.
    return failure if isinstance(failure, Error) else Conflict(ErrorReason.EXPIRED_REFETCH)
