"""What may be observed: a closed list of attribute names, and the counters behind it.

Decides which words can ever stand in a metric, span or log line of the gateway. No token,
handle, name, identifier of a request or free text is among them (ARCHITECTURE §5 row 14).
Counting is a dictionary increment; the SDK reads it by callback, because an SDK instrument
in the call path costs tens of microseconds (PERFORMANCE §2).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, Protocol

ATTRIBUTES: Final = frozenset(
    {"rpc.method", "homeward.reason", "homeward.outcome", "homeward.purpose", "homeward.agency", "exception.type"}
)
"""Every attribute name that may be recorded; a test scans for others."""


class CallRecorder(Protocol):
    """Where finished calls are counted."""

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call. `method` is a full method name, `reason` OK or an `ErrorReason`."""


class CallCounts:
    """Counts of calls by method and reason, and the time they took. Not thread-safe: one event loop writes."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = defaultdict(int)
        self._seconds: dict[tuple[str, str], float] = defaultdict(float)

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call."""
        self._counts[method, reason] += 1
        self._seconds[method, reason] += seconds

    def totals(self) -> Mapping[tuple[str, str], tuple[int, float]]:
        """Number and total seconds of calls by method and reason, so far."""
        return {key: (count, self._seconds[key]) for key, count in self._counts.items()}
