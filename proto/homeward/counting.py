"""Counters of what a process did, and the figures of the moment, both read from outside.

Decides how counting is cheap and bounded: a call costs a few dictionary increments, because an instrument of the
OpenTelemetry SDK in its path would cost ten times as much (PERFORMANCE §2); and a word that is not of the closed list a
counter was made with counts as `OTHER`. One event loop writes. Another thread may read at any time: it takes a copy,
which the interpreter makes in one step.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from homeward.observed import (
    CALL_SECONDS,
    CALLS,
    CALLS_WITHIN,
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
"""Of one tally. All combinations of methods and reasons would be more; a peer that provokes them gets no more."""
Points = Mapping[Labels, float]
Readings = Mapping[Metric, Callable[[], Points]]
"""How each metric is read."""
Figures = Mapping[Metric, Points]
"""Values of gauges at one moment."""


class CallRecorder(Protocol):
    """Where finished calls are counted."""

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call. `method` is a full method name, `reason` OK or a constant reason."""


class Tally:
    """Sums of one metric, by the words of its attributes."""

    def __init__(self, metric: Metric, words: Mapping[Attribute, Iterable[str]]) -> None:
        """`words` are all values of each attribute. There are no more series than `MAX_SERIES`, and one of OTHER.

        Raises `NotObservable` when they are not the metric's attributes, or a word has not the shape of its attribute.
        """
        if frozenset(words) != metric.attributes:
            raise NotObservable(f"{metric.name} has other attributes")
        self._order = tuple(words)
        self._words = tuple(frozenset(values) for values in words.values())
        for attribute, values in zip(self._order, self._words, strict=True):
            for value in values:
                labels({attribute: value})
        self._sums: dict[tuple[str, ...], float] = {}

    def add(self, *values: str, amount: float = 1) -> None:
        """Adds to the sum of these values, given in the order of the words."""
        key = self.known(*values)
        if key not in self._sums and len(self._sums) >= MAX_SERIES:
            key = (OTHER,) * len(self._order)
        self._sums[key] = self._sums.get(key, 0) + amount

    def known(self, *values: str) -> tuple[str, ...]:
        """The values, OTHER for each that is no word of this tally."""
        return tuple(value if value in words else OTHER for value, words in zip(values, self._words, strict=True))

    def sums(self) -> Mapping[tuple[str, ...], float]:
        """A copy of all sums so far."""
        return self._sums.copy()

    def points(self) -> Points:
        """All sums so far, labelled."""
        return {labels(dict(zip(self._order, key, strict=True))): value for key, value in self.sums().items()}


class CallCounts:
    """Calls by method and reason: how many, how long, and how many were how fast."""

    def __init__(self, *, methods: Collection[str], reasons: Collection[str]) -> None:
        """`methods` and `reasons` are all that can occur, besides OK, INTERNAL and CANCELLED."""
        pair = {Attribute.METHOD: methods, Attribute.REASON: (OK, INTERNAL, CANCELLED, *reasons)}
        self._calls = Tally(CALLS, pair)
        self._seconds = Tally(CALL_SECONDS, {Attribute.METHOD: methods})
        self._bounds = (*(f"{bound:g}" for bound in BOUNDS), "+Inf")
        self._within = Tally(CALLS_WITHIN, {Attribute.METHOD: methods, Attribute.AT_MOST: self._bounds})

    def record(self, method: str, reason: str, seconds: float) -> None:
        """Counts one call."""
        self._calls.add(method, reason)
        self._seconds.add(method, amount=seconds)
        self._within.add(method, self._bounds[bisect_left(BOUNDS, seconds)])

    def known(self, method: str, reason: str) -> tuple[str, ...]:
        """Method and reason as they are counted."""
        return self._calls.known(method, reason)

    def readings(self) -> Readings:
        """How the metrics of calls are read."""
        return {CALLS: self._calls.points, CALL_SECONDS: self._seconds.points, CALLS_WITHIN: self._cumulative}

    def _cumulative(self) -> Points:
        sums = self._within.sums()
        points: dict[Labels, float] = {}
        for method in {method for method, _ in sums}:
            so_far = 0.0
            for bound in self._bounds:
                so_far += sums.get((method, bound), 0)
                points[labels({Attribute.METHOD: method, Attribute.AT_MOST: bound})] = so_far
        return points


class OutcomeCounts:
    """Decisions by purpose and external outcome."""

    def __init__(self, *, purposes: Collection[str], outcomes: Collection[str]) -> None:
        self._tally = Tally(OUTCOMES, {Attribute.PURPOSE: purposes, Attribute.OUTCOME: outcomes})

    def record(self, purpose: str, outcome: str) -> None:
        """Counts one decision."""
        self._tally.add(purpose, outcome)

    def readings(self) -> Readings:
        """How the metric is read."""
        return {OUTCOMES: self._tally.points}


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
