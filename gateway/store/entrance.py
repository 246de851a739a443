"""Who may write to the log now: everybody, or one who must come through.

An order to seal rests on all entries about a youth, and is made anew when another is written meanwhile. Whoever asks
about that youth without a pause could keep it from ever being carried out. So its last try is made alone (`quiet`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager


class Entrance:
    """One event loop uses it."""

    def __init__(self) -> None:
        self._alone: asyncio.Task[object] | None = None
        self._inside = 0
        self._changed = asyncio.Condition()

    def entering(self) -> AbstractAsyncContextManager[None]:
        """Within, an entry is being written; not before whoever is alone has done."""
        return _Entering(self)

    async def come(self) -> None:
        """One more writes, as soon as nobody is alone."""
        if self._alone is not None:
            async with self._changed:
                await self._changed.wait_for(self._is_open)
        self._inside += 1

    async def go(self) -> None:
        """One less."""
        self._inside -= 1
        if self._alone is not None:
            async with self._changed:
                self._changed.notify_all()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Within, only this task writes, and nobody else is about to."""
        async with self._changed:
            await self._changed.wait_for(self._is_open)
            self._alone = asyncio.current_task()
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._inside)
            yield
        finally:
            # Given up while it waited, too: else nobody would ever write again.
            self._alone = None
            async with self._changed:
                self._changed.notify_all()

    def _is_open(self) -> bool:
        return self._alone is None or self._alone is asyncio.current_task()


class _Entering(AbstractAsyncContextManager[None]):
    """`Entrance.entering`: no generator, for what that costs each entry (`exchange/cohort`)."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance

    async def __aenter__(self) -> None:
        await self._entrance.come()

    async def __aexit__(self, *_: object) -> None:
        await self._entrance.go()
