"""What a log, the exchange's or a holder's, keeps of messages of known callers that are refused before any decision.

Decides that one member cannot make the log grow as fast as it can send: each refusal is an entry of its own, up to
`MOST` a minute of one member and reason (one of those that a program repeats by itself); those above are counted, and
one entry says how many there were. By reason, so that nobody hides a refusal that matters behind many that do not. What
a refusal tells its caller is the same above the limit as below; nothing is disclosed with either, so nothing waits for
the entry of the count.

The entry of a minute is written when the minute is over. A process that is killed before loses that count, and the
`MOST` entries before it stay.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from audit.entry import Draft
from audit.sequencer import Append
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange import leaves
from gateway.exchange.call import Call
from gateway.protocol.names import AgencyId

MOST: Final = 60
"""A minute, of one member, for one reason: more than any mistake of a person makes, less than fills a disk."""
_MOST_OF: Final = {ErrorReason.CERTIFICATE_REFUSED: 1, ErrorReason.MEMBER_UNKNOWN: 1}
"""Of what an adapter goes on trying by itself: one that is shut out, or one that waits to be admitted."""
_MINUTE: Final = 60
_LOOK_SECONDS: Final = 5.0

Likeness = tuple[AgencyId, ErrorReason]


@dataclass(slots=True)
class Refusals:
    """Records refusals. One event loop uses it."""

    enter: Callable[[Append], Awaitable[object]]
    """The entry is durable. Raises `Unavailable`."""
    now: Callable[[], datetime]
    _minute: int = 0
    _seen: Counter[Likeness] = field(default_factory=Counter)
    _owed: Counter[Likeness] = field(default_factory=Counter)
    """What was counted in minutes that are over, and is not yet on record."""
    _paying: set["asyncio.Task[None]"] = field(default_factory=set)

    async def record(self, call: Call, reason: ErrorReason) -> None:
        """The refusal is on record, or counted. Raises `Unavailable` when the log cannot be written."""
        await self.take(call.agency, reason, leaves.refused_leaf(call, reason))

    async def take(self, agency: AgencyId, reason: ErrorReason, leaf: Draft) -> None:
        """As `record`, with an entry that says more."""
        await self.settle()
        is_counted = self.is_full(agency, reason)
        self.seen(agency, reason)
        if not is_counted:
            await self.enter(Append(leaf))

    def is_full(self, agency: AgencyId, reason: ErrorReason) -> bool:
        """The next one in this minute is only counted."""
        return self._seen[agency, reason] >= _most(reason) and self._minute == _minute_of(self.now())

    def seen(self, agency: AgencyId, reason: ErrorReason) -> None:
        """One more was refused; its entry, up to the limit, is the caller's."""
        self._seen[agency, reason] += 1

    async def settle(self) -> None:
        """Whatever was counted in minutes that are over is on record. Raises as `record`."""
        minute = _minute_of(self.now())
        if minute != self._minute:
            self._minute = minute
            self._owe()
        await self._pay()

    async def close(self) -> None:
        """Whatever was counted is on record, though the minute is not over. Raises as `record`."""
        await asyncio.gather(*self._paying, return_exceptions=True)
        self._owe()
        await self._pay()

    async def run(self) -> None:
        """Settles every minute, until cancelled; also of a member that has fallen silent."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.settle()
            except Unavailable:
                # Still owed; that the log cannot be written is said where it is.
                continue

    def _owe(self) -> None:
        above = {like: seen - _most(like[1]) for like, seen in self._seen.items()}
        self._owed.update({like: more for like, more in above.items() if more > 0})
        self._seen.clear()

    async def _pay(self) -> None:
        for like in list(self._owed):
            paying = asyncio.create_task(self._pay_one(like, self._owed.pop(like, 0)))
            self._paying.add(paying)
            paying.add_done_callback(self._paying.discard)
            # Whoever gives up meanwhile, and it may be the member these are counted of, does not take the count along.
            await asyncio.shield(paying)

    async def _pay_one(self, like: Likeness, more: int) -> None:
        if not more:
            return
        try:
            await self.enter(Append(leaves.more_refused_leaf(*like, more)))
        except Unavailable:
            self._owed[like] += more
            raise


def _most(reason: ErrorReason) -> int:
    return _MOST_OF.get(reason, MOST)


def _minute_of(moment: datetime) -> int:
    return int(moment.timestamp()) // _MINUTE
