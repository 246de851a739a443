"""Rounds: everything that is compared is measured in turn, many times, and only medians of ratios count.

Decides what is measured (`Subject`), in which order, and how often. In every round the concurrencies come in random
order, and at each the subjects in random order, the echo among them; so a slow minute of a shared machine slows all of
them. The ratio of a subject is taken to the echo of the same round and concurrency.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench.asker import Prepared
from tests.bench.exchange import cpu_seconds, wait_quiet
from tests.bench.load import Generator, Load, Peer, connections_for

Judgment = Callable[[Sequence[Prepared], Sequence[bytes]], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that is measured."""

    name: str
    path: str
    """Full method name."""
    peer: Peer
    prepare: Callable[[int], Sequence[Prepared]]
    judge: Judgment
    pids: Mapping[str, int]
    """Processes whose processor time is counted; the first is the server."""
    outstanding: tuple[int, ...]
    items: int = 1
    """Questions in one call."""
    streamed: bool = False
    """Whether questions go over one stream, as an adapter's do."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One subject at one concurrency in one round."""

    subject: str
    outstanding: int
    round: int
    calls: int
    rate: float
    """Questions a second."""
    p50: float
    p99: float
    """Milliseconds a call."""
    cpu_us: Mapping[str, float]
    """Processor microseconds a question, by process, while the load ran."""
    after_us: Mapping[str, float]
    """The same for what was left to do afterwards (alerts that were still on their way)."""
    generator_us: float


@dataclass(slots=True)
class Rounds:
    """Measures subjects against each other."""

    echo: Subject
    subjects: Sequence[Subject]
    seconds: float
    """How long one measurement should take, about."""
    samples: list[Sample] = field(default_factory=list)
    source: random.Random = field(default_factory=lambda: random.Random(20261))
    _rates: dict[tuple[str, int], float] = field(default_factory=dict)

    def warm_up(self) -> None:
        """Every cell has run shortly and its rate is known roughly. Not counted."""
        for outstanding in self._concurrencies():
            for subject in self._at(outstanding):
                sample = self._measure(subject, outstanding, round_number=-1, calls=max(40, 6 * outstanding))
                self._rates[subject.name, outstanding] = sample.rate / subject.items

    def run(self, count: int) -> Iterator[Sample]:
        """So many rounds; yields each sample as it is taken."""
        for number in range(count):
            concurrencies = self._concurrencies()
            self.source.shuffle(concurrencies)
            for outstanding in concurrencies:
                subjects = self._at(outstanding)
                self.source.shuffle(subjects)
                for subject in subjects:
                    calls = int(self._rates[subject.name, outstanding] * self.seconds)
                    sample = self._measure(subject, outstanding, round_number=number, calls=max(calls, outstanding * 4))
                    self._rates[subject.name, outstanding] = sample.rate / subject.items
                    self.samples.append(sample)
                    yield sample

    def _concurrencies(self) -> list[int]:
        return sorted({each for subject in self.subjects for each in subject.outstanding})

    def _at(self, outstanding: int) -> list[Subject]:
        return [self.echo, *(subject for subject in self.subjects if outstanding in subject.outstanding)]

    def _measure(self, subject: Subject, outstanding: int, *, round_number: int, calls: int) -> Sample:
        prepared = subject.prepare(calls)
        connections = 1 if subject.streamed else connections_for(outstanding)
        with Generator(subject.peer, subject.path, connections=connections, streamed=subject.streamed) as generator:
            before = {name: cpu_seconds(pid) for name, pid in subject.pids.items()}
            load = generator.closed_loop([each.message for each in prepared], outstanding=outstanding)
            during = {name: cpu_seconds(pid) for name, pid in subject.pids.items()}
            wait_quiet(subject.pids)
            after = {name: cpu_seconds(pid) for name, pid in subject.pids.items()}
        subject.judge(prepared, load.replies)
        questions = calls * subject.items
        return Sample(
            subject=subject.name,
            outstanding=outstanding,
            round=round_number,
            calls=calls,
            rate=load.rate * subject.items,
            p50=load.percentile(0.50),
            p99=load.percentile(0.99),
            cpu_us={name: (during[name] - before[name]) / questions * 1e6 for name in before},
            after_us={name: (after[name] - during[name]) / questions * 1e6 for name in before},
            generator_us=load.own_cpu / questions * 1e6,
        )


def open_loop(subject: Subject, *, a_second: float, seconds: float) -> Load:
    """Calls that come at fixed ticks, whether or not earlier ones were answered."""
    prepared = subject.prepare(int(a_second * seconds))
    connections = 1 if subject.streamed else 8
    with Generator(subject.peer, subject.path, connections=connections, streamed=subject.streamed) as generator:
        load = generator.open_loop([each.message for each in prepared], a_second=a_second)
    subject.judge(prepared, load.replies)
    wait_quiet(subject.pids)
    return load


def ratios(samples: Sequence[Sample], echo: str) -> Mapping[tuple[str, int], Sequence[float]]:
    """Rate of each subject over that of the echo in the same round, by subject and concurrency."""
    base = {(sample.round, sample.outstanding): sample.rate for sample in samples if sample.subject == echo}
    found: dict[tuple[str, int], list[float]] = {}
    for sample in samples:
        ratio = sample.rate / base[sample.round, sample.outstanding]
        found.setdefault((sample.subject, sample.outstanding), []).append(ratio)
    return found


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)
