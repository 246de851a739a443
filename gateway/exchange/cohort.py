"""Questions that come at the same moment take each step together.

What one step touches, of code and of data, fits the processor's caches; what all of them touch does not. Sixteen
questions of which each goes the whole way by itself cost half as much again as sixteen that take each step one after
another (tests/bench). So a question waits at the entrance until nobody who is on the way there could still join, as
entries wait for their batch (audit/gathering), and every few steps until the others have come as far.
A question that comes while no other is under way, or was shortly before, waits for nobody. One that comes while many
are waits for some of them, who ask again once they are answered: by itself it would cost the log a batch of its own.

Decides when a question goes on and never what becomes of it. What was read before such a moment may have changed after
it, as after any other wait: what a decision rests on is checked again with its leaf (`deed`).
"""

import asyncio
from collections.abc import Awaitable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Final

from audit.gathering import Gathering

_QUIET_TURNS: Final = 24
"""Three times what a call takes from its arrival to the entrance: whoever was just answered may ask again at once."""
_WINDOW_SECONDS: Final = 0.05
"""How long the first of a cohort waits at most, whether others keep joining or those it waits for take long: about as
long as sixty are under way. With 6 ms sixty-four who ask at once went in cohorts of nine, at a quarter more of the
processor for each."""
_MOST: Final = 16
"""How many make a cohort: while one waits for its entries and another for work that is done elsewhere, two more of
sixty-four go on."""
_LARGEST: Final = 3 / 2
"""So many times as many go together where the others would be fewer than half a cohort: few who are left stay few."""
_FEW: Final = 4
"""Those who wait are few while they are less than one in so many who call at this moment, or of a cohort."""
_COMPANY_SECONDS: Final = 0.02
"""How long after two were under way at once more are expected: who was answered together asks again together."""


class _Turns(Awaitable[None]):
    """So many turns of the loop; without the coroutines of `asyncio.sleep`, because a question waits so ten times."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __await__(self) -> Generator[None, None, None]:
        for _ in range(self._count):
            # All of a cohort go on in one turn; those behind in it come here before the next.
            yield


_AT_ONCE: Final = _Turns(0)
_NEXT_TURN: Final = _Turns(1)


class Cohorts:
    """Lets questions in, so many at once as came at once. One event loop uses it."""

    def __init__(self, *, window_seconds: float = _WINDOW_SECONDS, most: int = _MOST) -> None:
        self._window = window_seconds
        self._most = most
        self._under_way = 0
        # A batch asks many questions and waits in one place.
        self._callers = 0
        self._company_until = 0.0
        self._waiting: list[asyncio.Future[None]] = []
        self._gathering: Gathering | None = None
        self._window_ends: asyncio.TimerHandle | None = None

    def member(self, questions: int = 1) -> AbstractAsyncContextManager[None]:
        """Within, so many questions are under way; they begin when whoever asks at this moment has come, too."""
        return _Member(self, questions)

    async def come(self, questions: int) -> None:
        """So many are under way from now on, and may begin; they `go` whatever becomes of this."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._under_way:
            self._company_until = now + _COMPANY_SECONDS
        self._under_way += questions
        self._callers += 1
        if now < self._company_until:
            await self._gathered(loop)

    def go(self, questions: int) -> None:
        """So many are under way no longer."""
        self._under_way -= questions
        self._callers -= 1
        if self._waiting and self._gathering is not None:
            # Whoever waits for some of many may have nobody left to wait for.
            self._gathering.added()

    def abreast(self) -> Awaitable[None]:
        """Once awaited, whoever entered at the same moment has come as far."""
        return _NEXT_TURN if self._under_way > 1 else _AT_ONCE

    async def _gathered(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._gathering is None or self._gathering.loop is not loop:
            due, window = self._nobody_joined, self._window
            self._gathering = Gathering(loop, due, window_seconds=window, quiet_turns=_QUIET_TURNS)
            self._waiting, self._window_ends = [], None
        place = loop.create_future()
        self._waiting.append(place)
        if self._window_ends is None:
            self._window_ends = loop.call_later(self._window, self._enter)
        if len(self._waiting) == self._most:
            # Whoever comes in the same turn joins.
            loop.call_soon(self._enter)
        else:
            self._gathering.added()
        try:
            await place
        finally:
            if place.cancelled() and place in self._waiting:
                self._waiting.remove(place)

    def _nobody_joined(self) -> None:
        if len(self._waiting) * _FEW >= min(self._callers, self._most):
            self._enter()

    def _enter(self) -> None:
        if self._window_ends is not None:
            self._window_ends.cancel()
            self._window_ends = None
        count = len(self._waiting) if len(self._waiting) <= self._most * _LARGEST else self._most
        cohort, self._waiting = self._waiting[:count], self._waiting[count:]
        for place in cohort:
            # Whoever gave up meanwhile holds up nobody.
            if not place.done():
                place.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._enter)
        elif self._gathering is not None:
            self._gathering.gone()


class _Member(AbstractAsyncContextManager[None]):
    """`Cohorts.member`: no generator, which would cost each question more than its place in the cohort."""

    def __init__(self, cohorts: Cohorts, questions: int) -> None:
        self._cohorts = cohorts
        self._questions = questions

    async def __aenter__(self) -> None:
        try:
            await self._cohorts.come(self._questions)
        except BaseException:
            self._cohorts.go(self._questions)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._cohorts.go(self._questions)
