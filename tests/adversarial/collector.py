"""A collector of OTLP over gRPC that keeps every export as the bytes that arrived."""

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from grpc import aio, method_handlers_generic_handler, unary_unary_rpc_method_handler
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"


@dataclass
class Collector:
    """What was exported, by service of OTLP."""

    address: str
    arrived: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def everything(self) -> bytes:
        """All exports, and their text form."""
        spans = [str(ExportTraceServiceRequest.FromString(each)).encode() for each in self.arrived[TRACES]]
        metrics = [str(ExportMetricsServiceRequest.FromString(each)).encode() for each in self.arrived[METRICS]]
        return b"\n".join([*self.arrived[TRACES], *self.arrived[METRICS], *spans, *metrics])

    def spans(self, service: str) -> list[Span]:
        """The spans of one service."""
        return [
            span
            for data in self.arrived[TRACES]
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans
            if values(resource.resource.attributes)["service.name"] == service
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def points(self, service: str) -> dict[str, list[NumberDataPoint]]:
        """The last export of one service: its points by metric."""
        found: dict[str, list[NumberDataPoint]] = {}
        for data in self.arrived[METRICS]:
            for resource in ExportMetricsServiceRequest.FromString(data).resource_metrics:
                if values(resource.resource.attributes)["service.name"] == service:
                    found = {
                        metric.name: list(metric.sum.data_points or metric.gauge.data_points)
                        for scope in resource.scope_metrics
                        for metric in scope.metrics
                    }
        return found

    def attribute_names(self) -> set[str]:
        """Every name of an attribute of a resource, a span or a point."""
        names: set[str] = set()
        for data in self.arrived[TRACES]:
            for resource in ExportTraceServiceRequest.FromString(data).resource_spans:
                names |= values(resource.resource.attributes).keys()
                names |= {
                    key for scope in resource.scope_spans for span in scope.spans for key in values(span.attributes)
                }
        for data in self.arrived[METRICS]:
            for resources in ExportMetricsServiceRequest.FromString(data).resource_metrics:
                metrics = [metric for scope in resources.scope_metrics for metric in scope.metrics]
                points = [point for each in metrics for point in (*each.sum.data_points, *each.gauge.data_points)]
                names |= {key for point in points for key in values(point.attributes)}
        return names


def values(attributes: Any) -> dict[str, str]:
    """Attributes by name."""
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: pair.value.string_value for pair in pairs}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector listens on a free port of loopback."""
    server = aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    collector = Collector(f"http://127.0.0.1:{port}")
    for service in (TRACES, METRICS):

        async def export(data: bytes, context: Any, service: str = service) -> bytes:
            collector.arrived[service].append(data)
            return b""

        handler = unary_unary_rpc_method_handler(export)  # type: ignore[arg-type]
        server.add_generic_rpc_handlers((method_handlers_generic_handler(service, {"Export": handler}),))
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(None)
