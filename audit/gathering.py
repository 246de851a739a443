"""When a batch of the log is due: as soon as nobody who is being served could still join it.

Callers run on an event loop. When the loop has come round a few times and nobody has added to the queue meanwhile, all
who could have are waiting already, and waiting longer would only make everybody wait. While callers keep adding, the
first of them waits one window at most. A commit costs the processor about five times what an entry costs, so that few
and large batches are what keeps the evidence cheap; a lone caller waits for a few turns of an idle loop, well under a
tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# A call by itself takes about this many turns from its arrival to the log: it is accepted, its message is received and
# decoded, its handler runs. Fewer, and calls that are nearly there miss the batch (measured: batches a third as large).
# Where many come at once, all of them come in one turn, so that they need no more.
_QUIET_TURNS = 8


class Gathering:
    """Watches one event loop while something waits. Used on that loop only."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        due: Callable[[], None],
        *,
        window_seconds: float,
        quiet_turns: int = _QUIET_TURNS,
    ) -> None:
        self.loop = loop
        self._due = due
        self._window = window_seconds
        self._quiet_turns = quiet_turns
        self._added = False
        self._watching: asyncio.Handle | None = None
        self._quiet = 0
        self._until = 0.0

    def added(self) -> None:
        """Somebody has joined the batch."""
        self._added = True
        if self._watching is None:
            self._quiet = 0
            self._until = self.loop.time() + self._window
            self._watching = self.loop.call_soon(self._turn)

    def gone(self) -> None:
        """Nobody waits any more, and nothing is due."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    def _turn(self) -> None:
        self._quiet = 0 if self._added else self._quiet + 1
        self._added = False
        if self._quiet < self._quiet_turns and self.loop.time() < self._until:
            self._watching = self.loop.call_soon(self._turn)
            return
        self._watching = None
        self._due()
