"""Keys for questions that all ask at one moment: `ports.YouthKeys.ask` and `at_hand`.

Counters are reserved in blocks, and a block can run out in the middle of many questions about one youth. Decides that
then everybody waits who asks, about whomever, until it is filled: a question that waits alone, and is overtaken by one
that came after it, tells that its youth is listed, whatever it is answered.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

from audit.entry import YouthKey
from gateway.exchange.deed import Moved
from gateway.protocol.names import AgencyId, SubjectHandle


class KeysMissing(Exception):
    """A key is missing, or does not open."""


class KeySupply:
    """One event loop uses it."""

    def __init__(
        self,
        *,
        name_of: Callable[[AgencyId, SubjectHandle], bytes],
        take: Callable[[bytes], YouthKey | None],
        reserve: Callable[[Sequence[bytes], int], None],
        block: int,
    ) -> None:
        """`take` gives a key from a block that is there, `reserve` makes one durable and blocks."""
        self._name_of = name_of
        self._take = take
        self._reserve = reserve
        self._block = block
        self._waiting: dict[bytes, list[asyncio.Future[YouthKey]]] = {}
        self._supplies: dict[bytes, asyncio.Task[None]] = {}

    def ask(self, owner: AgencyId, handle: SubjectHandle) -> asyncio.Future[YouthKey]:
        """The youth's next key, once `at_hand` lets pass. Its result raises `Moved` for a youth that was sealed."""
        name, answer = self._name_of(owner, handle), asyncio.get_running_loop().create_future()
        key = None if name in self._waiting else self._take(name)
        if key is not None:
            answer.set_result(key)
            return answer
        self._waiting.setdefault(name, []).append(answer)
        if name not in self._supplies:
            self._supplies[name] = asyncio.create_task(self._supply(name))
        return answer

    async def at_hand(self) -> None:
        """Whoever asked so far has its key."""
        if self._supplies:
            await asyncio.wait(set(self._supplies.values()))

    def close(self) -> None:
        """Nobody gets any more."""
        for task in self._supplies.values():
            task.cancel()

    async def _supply(self, name: bytes) -> None:
        waiting = self._waiting[name]
        try:
            while waiting:
                await asyncio.to_thread(self._reserve, [name], self._block + len(waiting))
                self._hand_out(name, waiting)
        except (Moved, KeysMissing, sqlite3.Error) as failure:
            for each in waiting:
                if not each.done():
                    each.set_exception(failure)
        finally:
            for each in waiting:
                # Of a process that stops: nobody waits for ever.
                each.cancel()
            del self._waiting[name], self._supplies[name]

    def _hand_out(self, name: bytes, waiting: list[asyncio.Future[YouthKey]]) -> None:
        key = self._take(name)
        if key is None:
            # Taken out of memory at this moment: it leaves with a seal.
            raise Moved
        while waiting and key is not None:
            answer = waiting.pop(0)
            # Whoever gave up meanwhile leaves a gap.
            if not answer.done():
                answer.set_result(key)
            key = self._take(name) if waiting else None
