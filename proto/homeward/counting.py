"""Counters of what a process did, and the figures of the moment, both read from outside.

Decides how counting is cheap and bounded: a call costs a few dictionary increments, because an instrument of the
OpenTelemetry SDK in its path would cost ten times as much (PERFORMANCE §2); and a word that is not of the closed list a
counter was made with counts as `OTHER`. One event loop writes. Another thread may read at any time: it takes a copy,
which the interpreter makes in one step.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Protocol

from homeward.observed import (
    CALL_SECONDS,
    CALLS,
    CALLS_WITHIN,
    LATE_REPORTS,
    MISUSE_SIGNALS,
    OTHER,
    OUTCOMES,
    Attribute,
    Labels,
    Metric,
    NotObservable,
    labels,
)

OK: Final = "OK"
INTERNAL: Final = "INTERNAL"
"""Something that nobody foresaw."""
CANCELLED: Final = "CANCELLED"
"""The caller went away, or its deadline passed."""
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds. 0.5 is the goal for an answer at night; below 5 ms nobody waits."""
MAX_SERIES: Final = 600
"""Of calls. All combinations of methods and reasons would be more; a peer that provokes them gets no more."""
_BOUND_NAMES: Final = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
Points = Mapping[Labels, float]
Readings = Mapping[Metric, Callable[[], Points]]
"""How each metric is read."""
Figures = Mapping[Metric, Points]
"""Values of gauges at one moment."""


class CallRecorder(Protocol):
    """Where finished calls are counted."""

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call. `method` is a full method name, `reason` OK or a constant reason."""


def words(attribute: Attribute, values: Iterable[str]) -> frozenset[str]:
    """The values as a closed list. Raises `NotObservable` for one that has not the attribute's shape."""
    listed = frozenset(values)
    for value in listed:
        labels({attribute: value})
    return listed


@dataclass(slots=True)
class _Calls:
    """Calls of one method that ended for one reason."""

    count: int = 0
    seconds: float = 0.0
    within: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    """How many took longer than the bound before and at most this one."""


class CallCounts:
    """Calls by method and reason: how many, how long, and how many were how fast."""

    def __init__(self, *, methods: Iterable[str], reasons: Iterable[str]) -> None:
        """`methods` and `reasons` are all that can occur, besides OK, INTERNAL and CANCELLED."""
        self._methods = words(Attribute.METHOD, methods)
        self._reasons = words(Attribute.REASON, (OK, INTERNAL, CANCELLED, *reasons))
        self._calls: dict[tuple[str, str], _Calls] = {}

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call."""
        calls = self._calls.get((method, reason)) or self._of(*self.known(method, reason))
        calls.count += 1
        calls.seconds += seconds
        calls.within[bisect_left(BOUNDS, seconds)] += 1

    def known(self, method: str, reason: str) -> tuple[str, str]:
        """Method and reason as they are counted."""
        return method if method in self._methods else OTHER, reason if reason in self._reasons else OTHER

    def readings(self) -> Readings:
        """How the metrics of calls are read."""
        return {CALLS: self._counts, CALL_SECONDS: self._seconds, CALLS_WITHIN: self._within}

    def _of(self, method: str, reason: str) -> _Calls:
        # Only listed words arrive here, so the dictionary cannot be made to grow from outside.
        key = (method, reason)
        if key not in self._calls and len(self._calls) >= MAX_SERIES:
            key = (OTHER, OTHER)
        return self._calls.setdefault(key, _Calls())

    def _counts(self) -> Points:
        return {
            labels({Attribute.METHOD: method, Attribute.REASON: reason}): calls.count
            for (method, reason), calls in self._calls.copy().items()
        }

    def _seconds(self) -> Points:
        points: dict[Labels, float] = defaultdict(float)
        for (method, _), calls in self._calls.copy().items():
            points[labels({Attribute.METHOD: method})] += calls.seconds
        return points

    def _within(self) -> Points:
        points: dict[Labels, float] = defaultdict(float)
        for (method, _), calls in self._calls.copy().items():
            for bound, so_far in zip(_BOUND_NAMES, accumulate(calls.within), strict=True):
                points[labels({Attribute.METHOD: method, Attribute.AT_MOST: bound})] += so_far
        return points


class AgencyCounts:
    """How often something was because of an agency: an office that is a member, never a person."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._sums: dict[str, int] = {}

    def record(self, agency: str) -> None:
        """Counts once. Only members reach what is counted, so that the series are as many as they."""
        self._sums[agency] = self._sums.get(agency, 0) + 1

    def readings(self) -> Readings:
        """How the metric is read."""
        return {self._metric: self._points}

    def _points(self) -> Points:
        return {labels({Attribute.AGENCY: agency}): number for agency, number in self._sums.copy().items()}


class OutcomeCounts:
    """Decisions by purpose and external outcome; by agency what its own officers must look into."""

    def __init__(self, *, purposes: Iterable[str], outcomes: Iterable[str]) -> None:
        self.misuse, self.late = AgencyCounts(MISUSE_SIGNALS), AgencyCounts(LATE_REPORTS)
        self._purposes = words(Attribute.PURPOSE, purposes)
        self._outcomes = words(Attribute.OUTCOME, outcomes)
        self._sums: dict[tuple[str, str], int] = {}

    def record(self, purpose: str, outcome: str) -> None:
        """Counts one decision."""
        key = (purpose if purpose in self._purposes else OTHER, outcome if outcome in self._outcomes else OTHER)
        self._sums[key] = self._sums.get(key, 0) + 1

    def readings(self) -> Readings:
        """How the metrics are read."""
        return {OUTCOMES: self._points, **self.misuse.readings(), **self.late.readings()}

    def _points(self) -> Points:
        return {
            labels({Attribute.PURPOSE: purpose, Attribute.OUTCOME: outcome}): number
            for (purpose, outcome), number in self._sums.copy().items()
        }


class Board:
    """The figures of the moment, as they were last shown; none before."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._shown: dict[Metric, Points] = {metric: {} for metric in metrics}

    def show(self, figures: Figures) -> None:
        """These replace what was shown of the same metrics. Raises `NotObservable`, and nothing changed then."""
        for metric, points in figures.items():
            if metric not in self._shown or metric.is_sum:
                raise NotObservable(f"{metric.name} is not on this board")
            if any(frozenset(name for name, _ in each) != metric.attributes for each in points):
                raise NotObservable(f"{metric.name} has other attributes")
        self._shown.update({metric: dict(points) for metric, points in figures.items()})

    def readings(self) -> Readings:
        """How its metrics are read."""
        return {metric: self._reader(metric) for metric in self._shown}

    def _reader(self, metric: Metric) -> Callable[[], Points]:
        return lambda: self._shown[metric]


@dataclass(frozen=True, slots=True)
class SampledCalls:
    """Counts every call, and shows a few.

    The sample is drawn before anything is made for the call: a span of the SDK for each would cost a fifth of the
    throughput (PERFORMANCE §2).
    """

    counts: CallCounts
    show: Callable[[str, str, float], None]
    """Takes method, reason and seconds of a call that has just ended."""
    ratio: float
    """Share of calls shown, 0 to 1."""
    draw: Callable[[], float]
    """A number in [0, 1)."""

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call."""
        self.counts.record(method, reason, seconds)
        if self.draw() < self.ratio:
            known_method, known_reason = self.counts.known(method, reason)
            self.show(known_method, known_reason, seconds)
