"""How far the log is witnessed, and what that means for disclosure.

Decides two things. With `release = witnessed` an entry that discloses counts only once it stands under a checkpoint
with the policy's quorum. And whatever the mode: when the oldest entry that does not stand under one is older than the
limit, nothing is disclosed any more (X-Road's precedent for time stamps), while revocations, flags and administration
go on. The same at once when a quorum of witnesses says that it knows a longer log, as after a restored backup, or
another one. All are the same for every question, so that none tells a known youth from an unknown one.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from audit.sequencer import Append
from gateway.errors import ErrorReason, Unavailable
from gateway.ports import Entered, Journal
from gateway.protocol.log_kinds import Kind
from gateway.protocol.policy.facts import milliseconds

DISCLOSING: Final = frozenset({Kind.DECISION, Kind.OUTCOME})
WAIT_SECONDS: Final = 8.0
_LOG: Final = logging.getLogger(__name__)


class Witnessed:
    """The witnessed size of the log. One event loop uses it."""

    def __init__(self, *, waits: bool, limit: timedelta, now: Callable[[], datetime]) -> None:
        """`waits`: a disclosure waits until it is witnessed."""
        self.waits = waits
        self.size = 0
        self._late = False
        self._contradicted = False
        self.wanted = asyncio.Event()
        """Set while somebody waits for the next checkpoint."""
        self._limit = limit
        self._now = now
        self._oldest_ms: int | None = None
        self._changed = asyncio.Event()

    def advance(self, size: int) -> None:
        """The first `size` entries are published under a checkpoint that the policy accepts."""
        self.size = max(self.size, size)
        previous, self._changed = self._changed, asyncio.Event()
        previous.set()

    def observe(self, oldest_ms: int | None) -> None:
        """The oldest entry beyond the witnessed size is of this time; None: there is none."""
        self._oldest_ms = oldest_ms
        late = self.age() > self._limit
        if late and not self._late:
            _LOG.critical("disclosure stopped: entries of the log stay unwitnessed")
        elif self._late and not late:
            _LOG.warning("disclosure goes on: the log is witnessed again")
        self._late = late

    def contradict(self, contradicted: bool) -> None:
        """Whether as many witnesses as make a quorum know a longer log than this one, or another."""
        if contradicted and not self._contradicted:
            _LOG.critical("disclosure stopped: a quorum of witnesses knows another log than this one")
        elif self._contradicted and not contradicted:
            _LOG.warning("disclosure goes on: no quorum of witnesses contradicts this log")
        self._contradicted = contradicted

    @property
    def stopped(self) -> bool:
        """Nothing is disclosed."""
        return self._late or self._contradicted

    def age(self) -> timedelta:
        """How long the oldest unwitnessed entry has been waiting."""
        if self._oldest_ms is None:
            return timedelta(0)
        return timedelta(milliseconds=max(0, milliseconds(self._now()) - self._oldest_ms))

    def check(self) -> None:
        """Holds while disclosing is allowed. Raises `Unavailable` (UNWITNESSED)."""
        if self.stopped or self.age() > self._limit:
            raise Unavailable(ErrorReason.UNWITNESSED)

    async def cover(self, size: int, *, seconds: float = WAIT_SECONDS) -> None:
        """The first `size` entries are witnessed. Raises `Unavailable` (UNWITNESSED) if they are not in time."""
        try:
            async with asyncio.timeout(seconds):
                while self.size < size:
                    self.wanted.set()
                    await self._changed.wait()
        except TimeoutError as exc:
            raise Unavailable(ErrorReason.UNWITNESSED) from exc


@dataclass(frozen=True, slots=True)
class WitnessedJournal:
    """`ports.Journal` on another one: what discloses waits for its witnesses, or does not happen."""

    journal: Journal
    witnessed: Witnessed

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """As the other's."""
        return self.journal.quiet()

    async def enter(self, append: Append) -> Entered:
        """The entry is durable, and witnessed where that is asked for. Raises `Unavailable` as documented."""
        kind = append.draft.kind
        if kind == Kind.DECISION:
            self.witnessed.check()
        entered = await self.journal.enter(append)
        if self.witnessed.waits and kind in DISCLOSING:
            await self.witnessed.cover(entered.index + 1)
        return entered
