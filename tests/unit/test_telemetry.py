"""What is observed: the closed lists, the counters, the gauges, the samples, and what the SDK makes of them."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from adapters import telemetry as adapter_telemetry
from gateway import telemetry as gateway_telemetry
from gateway.errors import ErrorReason
from gateway.members.ca import make_intermediate, make_root
from gateway.protocol.names import AgencyId, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.protocol.strict_yaml import DocumentErrors, load
from gateway.protocol.telemetry_settings import TelemetrySettings
from gateway.rpc.methods import METHODS
from gateway.store.figures import IndexFigures, ListFigures
from homeward import observed
from homeward.counting import BOUNDS, Board, CallCounts, OutcomeCounts, Points, SampledCalls
from homeward.county.v1.access_pb2 import GetStatusResponse, SourceState
from homeward.gateway.v1.admin_pb2 import MirrorStatus
from homeward.observed import CALL_SECONDS, CALLS, CALLS_WITHIN, OTHER, Attribute, NotObservable, labels
from homeward.otlp import Service, Sinks, Telemetry, start

CHECK = "/homeward.gateway.v1.ExchangeService/CheckFlag"
RECORDS = "/homeward.gateway.v1.ExchangeService/RequestRecords"
NOW = datetime(2026, 11, 24, 3, 10, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def by(points: Points) -> dict[tuple[str, ...], float]:
    """Points by the values of their labels alone, in the order of the attributes' names."""
    return {tuple(value for _, value in each): number for each, number in points.items()}


def counts() -> CallCounts:
    return CallCounts(methods=(CHECK, RECORDS), reasons=("INVALID_REQUEST",))


# --- the closed lists ---------------------------------------------------------------------


def test_an_attribute_that_is_not_on_the_list_is_refused() -> None:
    with pytest.raises(NotObservable) as caught:
        labels({"homeward.youth": "Zzyzx"})
    assert "Zzyzx" not in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.METHOD, "CheckFlag of Zzyzx"),
        (Attribute.REASON, "Zzyzx"),
        (Attribute.AGENCY, "Zzyzx"),
        (Attribute.SOURCE, "Zzyzx, born 2011-07-19"),
        (Attribute.CERTIFICATE, "zzyzx"),
        (Attribute.AT_MOST, "2011-07-19"),
        (Attribute.SERVICE, "homeward-zzyzx"),
        (Attribute.VERSION, "zzyzx"),
    ],
)
def test_a_value_without_the_shape_of_its_attribute_is_refused(attribute: Attribute, value: str) -> None:
    with pytest.raises(NotObservable) as caught:
        labels({attribute: value})
    assert value not in str(caught.value)


def test_every_attribute_has_a_shape_and_no_metric_has_another() -> None:
    for attribute in Attribute:
        with pytest.raises(NotObservable):
            labels({attribute: "a value that\nfits nothing"})
    assert {attribute for metric in observed.METRICS for attribute in metric.attributes} <= set(Attribute)


def test_no_attribute_is_of_a_youth_a_request_or_a_member_of_staff() -> None:
    # A control: the list is read here in full, so that a new name is a change of this test too.
    assert {attribute.value for attribute in Attribute} == {
        "rpc.method", "homeward.reason", "homeward.outcome", "homeward.purpose", "homeward.agency", "homeward.source",
        "homeward.duty",
        "homeward.certificate", "le", "service.name", "service.version",
    }  # fmt: skip


def test_metric_names_are_unique_and_all_listed() -> None:
    declared = [value for value in vars(observed).values() if isinstance(value, observed.Metric)]
    assert sorted(each.name for each in declared) == sorted(each.name for each in observed.METRICS)
    assert len({each.name for each in declared}) == len(declared)


def test_only_the_wiring_names_an_attribute_that_the_sdk_gets() -> None:
    """Nobody hands a bare dictionary to a span or a metric: OpenTelemetry is imported in one module alone."""
    importing = [
        path.relative_to(ROOT).as_posix()
        for room in ("gateway", "adapters", "audit", "deploy", "proto/homeward")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"^\s*(from|import) opentelemetry", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == ["proto/homeward/otlp.py"]


# --- counting -----------------------------------------------------------------------------


def test_calls_are_counted_by_method_and_reason() -> None:
    made = counts()
    for seconds in (0.5, 0.25):
        made.record(CHECK, "OK", seconds)
    made.record(CHECK, "INVALID_REQUEST", 0.125)
    readings = made.readings()
    assert by(readings[CALLS]()) == {("OK", CHECK): 2, ("INVALID_REQUEST", CHECK): 1}
    assert by(readings[CALL_SECONDS]()) == {(CHECK,): 0.875}


def test_what_is_no_word_of_the_protocol_is_counted_as_other() -> None:
    made = counts()
    made.record("/Zzyzx", "born 2011-07-19", 0.1)
    assert by(made.readings()[CALLS]()) == {(OTHER, OTHER): 1}


def test_durations_are_counted_cumulatively_and_a_bound_counts_what_equals_it() -> None:
    made = counts()
    for seconds in (0.001, BOUNDS[0], 0.3, 99.0):
        made.record(CHECK, "OK", seconds)
    found = {bound: number for (bound, _), number in by(made.readings()[CALLS_WITHIN]()).items()}
    assert (found["0.005"], found["0.25"], found["0.5"], found["10"], found["+Inf"]) == (2, 2, 3, 3, 4)
    assert list(found.values()) == sorted(found.values())


def test_outcomes_are_counted_by_purpose() -> None:
    made = OutcomeCounts(purposes=("MFC_LOCATE",), outcomes=("ANSWERED", "NO_ACTIVE_FLAG_FOUND"))
    made.record("MFC_LOCATE", "ANSWERED")
    made.record("MFC_LOCATE", "SEALED_FOR_ZZYZX")
    assert by(made.readings()[observed.OUTCOMES]()) == {("ANSWERED", "MFC_LOCATE"): 1, (OTHER, "MFC_LOCATE"): 1}


def test_counters_are_not_made_with_words_that_could_not_be_exported() -> None:
    with pytest.raises(NotObservable):
        CallCounts(methods=(CHECK,), reasons=("not a reason",))
    with pytest.raises(NotObservable):
        CallCounts(methods=("Zzyzx",), reasons=())
    with pytest.raises(NotObservable):
        OutcomeCounts(purposes=("MFC_LOCATE",), outcomes=("Zzyzx",))


def test_ten_thousand_youths_make_no_series_of_their_own() -> None:
    """PL-04, on the counters every call passes: whatever a caller could smuggle into a word, the series stay few."""
    calls, outcomes = gateway_telemetry.call_counts(), gateway_telemetry.outcome_counts()
    drawn = random.Random(11)
    for number in range(10_000):
        youth = f"Zzyzx-{number}"
        calls.record(drawn.choice((CHECK, RECORDS, youth)), drawn.choice(("OK", "INVALID_REQUEST", youth)), 0.01)
        outcomes.record(drawn.choice(("MFC_LOCATE", youth)), drawn.choice(("ANSWERED", youth)))
    points = [point for read in {**calls.readings(), **outcomes.readings()}.values() for point in read()]
    assert len(points) < 2_000
    assert not any("Zzyzx" in value for point in points for _, value in point)
    assert sum(by(calls.readings()[CALLS]()).values()) == 10_000


def test_every_combination_of_words_together_stays_below_the_limit_of_series() -> None:
    calls, outcomes = gateway_telemetry.call_counts(), gateway_telemetry.outcome_counts()
    for method in METHODS:
        for number, reason in enumerate(("OK", "INTERNAL", "CANCELLED", *ErrorReason)):
            calls.record(method, reason, 10.0 ** (number % 6 - 3))
    for purpose in Purpose:
        for outcome in Outcome:
            outcomes.record(purpose, outcome)
    readings = {**calls.readings(), **outcomes.readings()}
    assert sum(len(read()) for read in readings.values()) < 2_000
    assert sum(by(readings[CALLS]()).values()) == len(METHODS) * (len(ErrorReason) + 3)


# --- gauges -------------------------------------------------------------------------------


def test_a_board_shows_the_last_figures_and_forgets_who_is_gone() -> None:
    board = Board([observed.LINK_UP])
    read = board.readings()[observed.LINK_UP]
    assert read() == {}
    first, second = (labels({Attribute.AGENCY: agency}) for agency in ("06037.cwa", "06029.cwa"))
    board.show({observed.LINK_UP: {first: 1, second: 1}})
    board.show({observed.LINK_UP: {second: 0}})
    assert read() == {second: 0}


def test_a_board_refuses_figures_with_other_attributes() -> None:
    board = Board([observed.LINK_UP])
    with pytest.raises(NotObservable):
        board.show({observed.LINK_UP: {labels({Attribute.SOURCE: "csv"}): 1}})
    with pytest.raises(NotObservable):
        board.show({observed.LOG_SIZE: {(): 1}})
    assert board.readings()[observed.LINK_UP]() == {}


def test_the_gateways_gauges_say_sizes_ages_and_lives() -> None:
    linked, silent = AgencyId("06037.cwa"), AgencyId("06029.cwa")
    lists = (ListFigures(silent, NOW - timedelta(hours=2), NOW - timedelta(minutes=20)),)
    root = make_root("test", now=NOW, random_bytes=random.Random(1).randbytes)
    chain = make_intermediate("test", root, now=NOW, random_bytes=random.Random(2).randbytes)
    pem = b"".join(each.public_bytes(Encoding.PEM) for each in (chain.certificate, root.certificate))
    figures = {
        **gateway_telemetry.holder_figures(log_size=7, chain=pem, ready=True, now=NOW),
        **gateway_telemetry.index_figures(IndexFigures(3, lists), linked=[linked], now=NOW),
        **gateway_telemetry.published_figures(size=5, age=timedelta(seconds=90)),
        **gateway_telemetry.mirror_figures(MirrorStatus(behind_count=3, fault="FULL", failing_seconds=60)),
    }
    Board(figures).show(figures)
    assert figures[observed.LOG_SIZE] == {(): 7}
    assert figures[observed.LOG_WITNESSED] == {(): 5}
    assert figures[observed.UNWITNESSED_AGE] == {(): 90.0}
    assert figures[observed.MIRROR_BEHIND] == {(): 3}
    assert figures[observed.MIRROR_FAILING] == {(): 60}
    assert gateway_telemetry.mirror_figures(None) == {}, "no series where no mirror is kept"
    assert by(figures[observed.LINK_UP]) == {("06037.cwa",): 1, ("06029.cwa",): 0}
    assert by(figures[observed.LIST_AGE]) == {("06029.cwa",): 7200}
    assert by(figures[observed.HEARTBEAT_AGE]) == {("06029.cwa",): 1200}
    lives = by(figures[observed.CERTIFICATE_LIFE])
    assert lives["channel",] == (chain.certificate.not_valid_after_utc - NOW).total_seconds() > 0
    assert lives["intermediate",] == (root.certificate.not_valid_after_utc - NOW).total_seconds()


def test_the_adapters_gauges_are_what_its_status_says() -> None:
    status = GetStatusResponse(agency="06037.cwa", link_up=True, listed_count=4, open_alert_count=2)
    status.certificate_expire_time.FromDatetime(NOW + timedelta(hours=8))
    status.sources.append(SourceState(name="casework", record_count=9, refused_count=1))
    status.sources[0].data_as_of_time.FromDatetime(NOW - timedelta(hours=1))
    status.sources.append(SourceState(name="Zzyzx, 2011-07-19"))
    figures = adapter_telemetry.figures(status, now=NOW)
    Board(figures).show(figures)
    assert by(figures[observed.SOURCE_AGE]) == {("casework",): 3600}
    assert by(figures[observed.SOURCE_RECORDS]) == {("casework",): 9, (OTHER,): 0}
    assert figures[observed.READY] == {(): 0}
    assert by(figures[observed.CERTIFICATE_LIFE]) == {("channel",): 8 * 3600}


# --- what the SDK makes of it -------------------------------------------------------------


class Exported:
    """Telemetry whose exports stay in memory."""

    def __init__(self, made: CallCounts) -> None:
        self.spans = InMemorySpanExporter()
        self.metrics = InMemoryMetricReader()
        self.telemetry: Telemetry = start(
            Sinks(SimpleSpanProcessor(self.spans), self.metrics),
            service=Service("homeward-gateway", "0.1.0"),
            readings=made.readings(),
        )

    def points(self) -> dict[str, list[tuple[dict[str, object], float]]]:
        data = self.metrics.get_metrics_data()
        return {
            metric.name: [(dict(point.attributes or {}), point.value) for point in metric.data.data_points]
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def made() -> CallCounts:
    return counts()


@pytest.fixture
def exported(made: CallCounts) -> Iterator[Exported]:
    exported = Exported(made)
    yield exported
    exported.telemetry.stop()


def sampled(made: CallCounts, exported: Exported, *, ratio: float, seed: int = 5) -> SampledCalls:
    return SampledCalls(made, exported.telemetry.show, ratio, random.Random(seed).random)


def test_counters_are_exported_as_they_stand(made: CallCounts, exported: Exported) -> None:
    made.record(CHECK, "OK", 0.5)
    points = exported.points()
    assert points["homeward.calls"] == [({"homeward.reason": "OK", "rpc.method": CHECK}, 1)]
    made.record(CHECK, "OK", 0.5)
    assert exported.points()["homeward.call.seconds"][0][1] == 1.0


def test_one_call_in_a_hundred_becomes_a_span(made: CallCounts, exported: Exported) -> None:
    recorder = sampled(made, exported, ratio=0.01)
    for _ in range(10_000):
        recorder.record(CHECK, "OK", 0.001)
    assert 60 < len(exported.spans.get_finished_spans()) < 140


def test_no_call_becomes_a_span_at_ratio_zero_and_every_call_at_one(made: CallCounts, exported: Exported) -> None:
    sampled(made, exported, ratio=0.0).record(CHECK, "OK", 0.001)
    assert exported.spans.get_finished_spans() == ()
    sampled(made, exported, ratio=1.0).record(CHECK, "OK", 0.001)
    assert len(exported.spans.get_finished_spans()) == 1


def one_span(exported: Exported) -> ReadableSpan:
    (span,) = exported.spans.get_finished_spans()
    return span


def test_a_span_holds_method_reason_and_time_and_nothing_else(made: CallCounts, exported: Exported) -> None:
    sampled(made, exported, ratio=1.0).record(CHECK, "INVALID_REQUEST", 0.25)
    span = one_span(exported)
    assert (span.name, span.kind) == (CHECK, SpanKind.SERVER)
    assert dict(span.attributes or {}) == {"rpc.method": CHECK, "homeward.reason": "INVALID_REQUEST"}
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert (span.events, span.links) == ((), ())
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 250_000_000
    assert dict(span.resource.attributes) == {"service.name": "homeward-gateway", "service.version": "0.1.0"}


def test_a_span_of_an_unknown_word_says_other(made: CallCounts, exported: Exported) -> None:
    sampled(made, exported, ratio=1.0).record("/Zzyzx", "Zzyzx", 0.25)
    assert one_span(exported).name == OTHER


def test_what_a_caller_sent_along_is_no_parent_and_is_not_kept(made: CallCounts, exported: Exported) -> None:
    sent = trace.SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C, span_id=0x00F067AA0BA902B7, is_remote=True,
        trace_flags=trace.TraceFlags(1), trace_state=trace.TraceState([("zzyzx", "canary")]),
    )  # fmt: skip
    carried = baggage.set_baggage("youth", "Zzyzx", trace.set_span_in_context(trace.NonRecordingSpan(sent)))
    token = context.attach(carried)
    try:
        sampled(made, exported, ratio=1.0).record(CHECK, "OK", 0.25)
    finally:
        context.detach(token)
    span = one_span(exported)
    assert span.parent is None
    assert span.get_span_context().trace_id != sent.trace_id
    assert "zzyzx" not in span.to_json().lower()


def test_the_environment_adds_nothing_to_what_is_exported(made: CallCounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "youth=Zzyzx")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "Zzyzx")
    exported = Exported(made)
    sampled(made, exported, ratio=1.0).record(CHECK, "OK", 0.25)
    assert "Zzyzx" not in one_span(exported).to_json()
    exported.telemetry.stop()


def test_a_service_names_itself_from_a_closed_list() -> None:
    with pytest.raises(NotObservable):
        Service("homeward-of-zzyzx", "0.1.0").labels()
    assert dict(Service("homeward-adapter", "0.1.0", "06037.cwa").labels())[Attribute.AGENCY] == "06037.cwa"


# --- settings -----------------------------------------------------------------------------


def test_telemetry_is_off_unless_an_endpoint_is_named() -> None:
    assert TelemetrySettings().otlp_endpoint is None
    assert TelemetrySettings().sample_ratio == 0.01


@pytest.mark.parametrize(
    "text",
    [
        "otlp_endpoint: collector:4317", "otlp_endpoint: http://user:secret@collector:4317", "sample_ratio: 1.5",
        "every: 0s", "every: 1h", "attributes: {youth: name}",
    ],
)  # fmt: skip
def test_a_setting_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(DocumentErrors):
        load(text, TelemetrySettings, origin="test")
