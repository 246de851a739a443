"""The OpenTelemetry SDK, wired: spans of sampled calls and all metrics, by OTLP over gRPC.

Decides everything the SDK would otherwise decide by itself: no global provider, no resource from the environment, no
propagation. A span has no parent and hands on no context, so nothing that a caller sent along (`traceparent`,
`baggage`, `tracestate`) is kept or travels to another county. No exception ever reaches a span: it is made after its
call ended, from constant words. Needs the extra `otel`; only `observing` imports this module.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, Status, StatusCode

from homeward.counting import OK, Points, Readings
from homeward.observed import Attribute, Labels, Metric, labels

SCOPE: Final = "homeward"
TIMEOUT_SECONDS: Final = 2.0
"""Of one export. A process that stops waits for two at most: its collector must not hold up a restart."""
_NANOSECONDS: Final = 1_000_000_000
_QUEUED_SPANS: Final = 512


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where spans and metrics go."""

    spans: SpanProcessor
    metrics: MetricReader


def otlp_sinks(endpoint: str, *, every_seconds: float) -> Sinks:
    """Sinks that export to the collector at `endpoint` (`http://` without TLS, `https://` with)."""
    insecure = endpoint.startswith("http://")
    spans = OTLPSpanExporter(endpoint=endpoint, insecure=insecure, timeout=TIMEOUT_SECONDS)
    metrics = OTLPMetricExporter(endpoint=endpoint, insecure=insecure, timeout=TIMEOUT_SECONDS)
    batch = BatchSpanProcessor(
        spans, max_queue_size=_QUEUED_SPANS, max_export_batch_size=_QUEUED_SPANS, schedule_delay_millis=5_000,
        export_timeout_millis=TIMEOUT_SECONDS * 1000,
    )  # fmt: skip
    reader = PeriodicExportingMetricReader(
        metrics, export_interval_millis=every_seconds * 1000, export_timeout_millis=TIMEOUT_SECONDS * 1000
    )
    return Sinks(batch, reader)


@dataclass(frozen=True, slots=True)
class Service:
    """Which process this is, as every export says."""

    name: str
    version: str
    agency: str = ""
    """Of an adapter."""

    def labels(self) -> Labels:
        """As attributes of the resource. Raises `NotObservable`."""
        named: dict[str, str] = {Attribute.SERVICE: self.name, Attribute.VERSION: self.version}
        if self.agency:
            named[Attribute.AGENCY] = self.agency
        return labels(named)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The SDK of one process, exporting."""

    tracers: TracerProvider = field(repr=False)
    meters: MeterProvider = field(repr=False)
    nanoseconds: Callable[[], int] = field(repr=False, default=time.time_ns)
    """Time since 1970."""

    def show(self, method: str, reason: str, seconds: float) -> None:
        """The call that has just ended is a span. Raises `NotObservable`."""
        marks = labels({Attribute.METHOD: method, Attribute.REASON: reason})
        end = self.nanoseconds()
        span = self.tracers.get_tracer(SCOPE).start_span(
            method,
            # An empty context: what a caller sent is no parent, and nothing of it is handed on.
            context=Context(),
            kind=SpanKind.SERVER,
            attributes=_plain(marks),
            start_time=end - int(seconds * _NANOSECONDS),
            record_exception=False,
            set_status_on_exception=False,
        )
        if reason != OK:
            span.set_status(Status(StatusCode.ERROR))
        span.end(end)

    def stop(self) -> None:
        """What waited was exported, or given up after a few seconds. Blocks."""
        self.tracers.shutdown()
        self.meters.shutdown(timeout_millis=TIMEOUT_SECONDS * 1000)


def start(sinks: Sinks, *, service: Service, readings: Readings) -> Telemetry:
    """Exports begin. Raises `NotObservable`."""
    resource = Resource(_plain(service.labels()))
    tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(sinks.spans)
    meters = MeterProvider(
        [sinks.metrics], resource=resource, exemplar_filter=AlwaysOffExemplarFilter(), shutdown_on_exit=False
    )
    for metric, read in readings.items():
        _register(meters, metric, read)
    return Telemetry(tracers, meters)


def _register(meters: MeterProvider, metric: Metric, read: Callable[[], Points]) -> None:
    meter = meters.get_meter(SCOPE)
    create = meter.create_observable_counter if metric.is_sum else meter.create_observable_gauge
    create(metric.name, callbacks=[_callback(read)], unit=metric.unit, description=metric.text)


def _callback(read: Callable[[], Points]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: [Observation(value, _plain(each)) for each, value in read().items()]


def _plain(pairs: Labels) -> Mapping[str, str]:
    return {attribute.value: value for attribute, value in pairs}
