"""The queue in front of the writer, and the rule when a batch is due.

A batch is due at once when the batch before it held at most one entry. Otherwise the writer waits until as many entries
are waiting as last time, but at most one window: under load, fewer and larger batches cost less than the wait.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from audit.errors import LogBusy, LogUnavailable

Item = TypeVar("Item")


class Pending(Generic[Item]):
    """A bounded queue from many threads to one."""

    def __init__(self, *, limit: int, batch: int, window_seconds: float) -> None:
        self._limit = limit
        self._batch = batch
        self._window = window_seconds
        self._items: deque[Item] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._target = 1
        self._previous = 0
        self._stopped = False

    def put(self, item: Item) -> None:
        """The item will be taken, or be among what `stop` returns. Raises LogBusy or LogUnavailable at once if not."""
        with self._changed:
            if self._stopped:
                raise LogUnavailable("the log has stopped")
            if len(self._items) >= self._limit:
                raise LogBusy("too many entries are waiting to be written")
            self._items.append(item)
            if len(self._items) == self._target:
                self._changed.notify()

    def take(self) -> list[Item]:
        """Waits for the next batch and returns it, oldest first; empty exactly if the queue is stopped and drained."""
        with self._changed:
            self._wait(1, None)
            if self._previous > 1:
                self._wait(min(self._previous, self._batch), self._window)
            taken = [self._items.popleft() for _ in range(min(len(self._items), self._batch))]
            self._previous = len(taken)
            return taken

    def stop(self) -> None:
        """Nothing more is accepted; what is waiting can still be taken."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _wait(self, target: int, timeout: float | None) -> None:
        self._target = target
        self._changed.wait_for(lambda: len(self._items) >= target or self._stopped, timeout)
