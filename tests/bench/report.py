"""What a run of the benchmark found, as tables and as raw samples.

Decides which figures stand for many samples: medians of rounds, and medians of the ratios within each round, because
two rounds of a shared machine can differ by half while their ratios hold.
"""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Self

from tests.bench.load import Load
from tests.bench.rounds import Sample, Subject, median, ratios
from tests.bench.subjects import ECHO
from tests.bench.verify import LogFound

_PACKAGES = ("grpcio", "protobuf", "cryptography", "sqlalchemy", "pyjwt")


def machine() -> Mapping[str, str]:
    """What this was measured on."""
    found = {"python": platform.python_version(), "system": platform.system(), "cores": str(os.cpu_count())}
    return found | {name: version(name) for name in _PACKAGES}


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Latency of calls that come at fixed ticks, milliseconds."""

    subject: str
    a_second: float
    calls: int
    p50: float
    p99: float

    @classmethod
    def of(cls, subject: Subject, a_second: float, load: Load) -> Self:
        """What this load found."""
        return cls(subject.name, a_second, len(load.replies), load.percentile(0.50), load.percentile(0.99))


@dataclass(slots=True)
class Report:
    """One run."""

    machine: Mapping[str, str]
    listed: int
    """Youths in the index."""
    samples: Sequence[Sample]
    arrivals: Sequence[Arrivals]
    log: LogFound
    pieces: Mapping[str, float] = field(default_factory=dict)
    """Processor microseconds of each stage of a flag check in a loop of its own."""

    def raw(self) -> Mapping[str, Any]:
        """Every sample."""
        return {
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": dict(self.machine),
            "listed": self.listed,
            "samples": [asdict(sample) for sample in self.samples],
            "arrivals": [asdict(arrival) for arrival in self.arrivals],
            "log": asdict(self.log),
            "pieces_us": dict(self.pieces),
        }

    def text(self) -> str:
        """The tables, in Markdown."""
        return "\n".join([*self._closed(), "", *self._open(), "", *self._pieces(), ""])

    def _closed(self) -> Iterator[str]:
        told = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        count = 1 + max(sample.round for sample in self.samples)
        yield f"Closed loop, {count} rounds, {self.listed} youths listed; {told}."
        yield "Ratio: to the bare echo in the same round, medians. CPU: of the answering process, per question. The log"
        yield f"verified: one decision for each of {self.log.decisions} questions, {self.log.size} entries in all."
        yield ""
        yield "| what | outstanding | questions/s | ratio | p50 ms | p99 ms | CPU us | CPU / echo |"
        yield "|---|---|---|---|---|---|---|---|"
        by_rate = ratios(self.samples, ECHO)
        for key in sorted(by_rate, key=lambda each: (each[0] != ECHO, each)):
            yield self._row(*key, median(by_rate[key]))

    def _row(self, subject: str, outstanding: int, ratio: float) -> str:
        samples = self._cell(subject, outstanding)
        echoes = {sample.round: _cpu(sample) for sample in self._cell(ECHO, outstanding)}
        dearer = median([_cpu(sample) / echoes[sample.round] for sample in samples])
        rate, p50, p99 = (median([getattr(each, name) for each in samples]) for name in ("rate", "p50", "p99"))
        cpu = median([_cpu(sample) for sample in samples])
        cells = (subject, outstanding, f"{rate:.0f}", f"{ratio:.3f}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.0f}")
        return "| " + " | ".join(map(str, (*cells, f"{dearer:.2f}"))) + " |"

    def _cell(self, subject: str, outstanding: int) -> list[Sample]:
        return [each for each in self.samples if (each.subject, each.outstanding) == (subject, outstanding)]

    def _open(self) -> Iterator[str]:
        yield "Open loop: calls come at fixed ticks; a call's time runs from its tick."
        yield ""
        yield "| what | calls/s | p50 ms | p99 ms |"
        yield "|---|---|---|---|"
        for each in self.arrivals:
            yield f"| {each.subject} | {each.a_second:.0f} | {each.p50:.2f} | {each.p99:.2f} |"

    def _pieces(self) -> Iterator[str]:
        yield "Where the time of a flag check goes: each stage in a loop of its own. A server needs about twice that."
        yield ""
        yield "| stage | CPU us |"
        yield "|---|---|"
        for name, microseconds in self.pieces.items():
            yield f"| {name} | {microseconds:.1f} |"


def _cpu(sample: Sample) -> float:
    return next(iter(sample.cpu_us.values()))
