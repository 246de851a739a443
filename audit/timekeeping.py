"""Which time an entry gets, and when the clock can no longer be believed.

Decides three things (AUDIT 2.3, 4 row 9). Time never decreases: while the clock is behind the newest entry, entries
get that one's time. A step back within the bound is reported once, so that it leaves an entry. A step beyond the bound,
in either direction, stops the log: authorities and statements end by this clock, and one that jumped a day ahead would
later look like one that jumped a day back. A step is seen by comparing with a clock that nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.errors import EvidenceError, EvidenceReason, LogStops, StopReason

BOUND_MS: Final = 5 * 60 * 1000
_TOLERATED_MS: Final = 1000
Steady = Callable[[], float]


def steady_seconds() -> float:
    """Seconds of a clock that nobody sets and that runs on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Reading:
    """The time of the next entries, in milliseconds since 1970. `back_ms`: a step back that is to be reported, or 0."""

    time_ms: int
    back_ms: int


class Timekeeper:
    """Reads the clock for one log. `steady` is None where the clock is invented: then only going back shows."""

    def __init__(self, now: Callable[[], datetime], *, steady: Steady | None, bound_ms: int = BOUND_MS) -> None:
        self._now = now
        self._steady = steady
        self._bound_ms = bound_ms
        self._expected_from: tuple[int, float] | None = None
        self._is_behind = False

    def read(self, last_ms: int) -> Reading:
        """Returns the time after an entry of time `last_ms`. Raises LogStops(CLOCK)."""
        now_ms = int(self._now().timestamp() * 1000)
        step_ms = self._step(now_ms)
        behind_ms = max(0, last_ms - now_ms)
        if max(behind_ms, abs(step_ms)) > self._bound_ms:
            raise LogStops(StopReason.CLOCK, EvidenceReason.TIME, "the clock stepped further than its bound")
        is_news = step_ms < 0 or not self._is_behind
        back_ms = max(behind_ms, -step_ms) if is_news else 0
        self._is_behind = behind_ms > _TOLERATED_MS
        return Reading(max(now_ms, last_ms), back_ms if back_ms > _TOLERATED_MS else 0)

    def _step(self, now_ms: int) -> int:
        if self._steady is None:
            return 0
        steady = self._steady()
        known = self._expected_from
        self._expected_from = (now_ms, steady)
        if known is None:
            return 0
        step_ms = now_ms - known[0] - int((steady - known[1]) * 1000)
        return step_ms if abs(step_ms) > _TOLERATED_MS else 0


def check_clock(now: datetime, last_ms: int) -> None:
    """Holds if the clock is not further behind the newest entry than its bound. Raises EvidenceError(TIME)."""
    if last_ms - int(now.timestamp() * 1000) > BOUND_MS:
        raise EvidenceError(EvidenceReason.TIME, "the clock is behind the newest entry of the log; set it, then start")
