"""Everything that leaves a process besides its answers: log lines as they are written, spans and metrics as exported,
and whatever is written to standard output and standard error by any other way.

Decides that it is the product's own path which is watched: the formatter of `homeward.logs` on every record of every
logger at every level, and the SDK as `homeward.otlp` wires it, every call sampled, encoded as the exporter encodes; and
of the two descriptors what the operating system was handed, whoever wrote it.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import FileIO, StringIO, TextIOWrapper
from tempfile import TemporaryFile
from typing import Final

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from homeward.counting import CallCounts, CallRecorder, Readings, SampledCalls
from homeward.logs import JsonLines
from homeward.otlp import Service, Sinks, start
from tests.adversarial.canaries import Canaries, Finding

PRINTED: Final = "standard output and standard error"
"""The one way out that honest code leaves empty."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What has left so far."""

    recorder: CallRecorder
    lines: StringIO
    spans: InMemorySpanExporter
    encoded_metrics: Callable[[], bytes]
    printed: Callable[[], bytes]

    def everything(self) -> dict[str, bytes]:
        """By way out, the bytes; spans and metrics also as text, as a collector's console shows them."""
        spans = encode_spans(self.spans.get_finished_spans())
        return {
            "log lines": self.lines.getvalue().encode(),
            "spans": spans.SerializeToString(),
            "spans as text": str(spans).encode(),
            "metrics": self.encoded_metrics(),
            PRINTED: self.printed(),
        }

    def findings(self, canaries: Canaries) -> list[Finding]:
        """What of the canaries has left."""
        return [found for way, data in self.everything().items() for found in canaries.scan(data, way)]


@contextmanager
def watch(counts: CallCounts, others: Readings | None = None) -> Iterator[Watch]:
    """Watches while the context lasts."""
    spans, metrics, lines = InMemorySpanExporter(), InMemoryMetricReader(), StringIO()
    telemetry = start(
        Sinks(SimpleSpanProcessor(spans), metrics),
        service=Service("homeward-gateway", "0.1.0"),
        readings={**counts.readings(), **(others or {})},
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    def encoded() -> bytes:
        data = metrics.get_metrics_data()
        return encode_metrics(data).SerializeToString() if data is not None else b""

    try:
        with descriptors() as printed:
            yield Watch(SampledCalls(counts, telemetry.show, 1.0, lambda: 0.0), lines, spans, encoded, printed)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        telemetry.stop()


@contextmanager
def descriptors() -> Iterator[Callable[[], bytes]]:
    """What is written to descriptors 1 and 2 while the context lasts, through Python's streams or past them.

    It can be asked for afterwards, too.
    """
    whole: list[bytes] = []
    with TemporaryFile() as file, _through(1) as out, _through(2) as error:
        _flush()
        kept = {number: os.dup(number) for number in (1, 2)}
        for number in kept:
            os.dup2(file.fileno(), number)

        def printed() -> bytes:
            if whole:
                return whole[0]
            _flush()
            return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)

        try:
            with redirect_stdout(out), redirect_stderr(error):
                yield printed
        finally:
            whole.append(printed())
            for number, before in kept.items():
                os.dup2(before, number)
                os.close(before)


def _through(descriptor: int) -> TextIOWrapper:
    # The streams of the test runner do not end in the descriptors.
    return TextIOWrapper(FileIO(descriptor, "w", closefd=False), write_through=True)  # type: ignore[type-var]


def _flush() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()


def leaks(watching: Watch, shown: str, looked_for: Canaries) -> list[Finding]:
    """What got out: to the peer, and by every other way."""
    return looked_for.scan_text(shown, "peer") + watching.findings(looked_for)


def assert_watched(watching: Watch, *words: str) -> None:
    """The control: something did leave, and it is what a reader needs."""
    everything = watching.everything()
    assert all(data for way, data in everything.items() if way != PRINTED)
    for word in words:
        assert word.encode() in everything["log lines"], word
