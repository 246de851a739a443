"""Real processes that export: gateway, custodian and adapter, read at the collector and on their standard error.

The exchange is attacked with planted values while it exports every call; neither an export nor a log line may hold one.
"""

import asyncio
import json
import time
from pathlib import Path

import grpc
import pytest

from deploy.demo.issuer import make_issuer
from gateway.protocol.names import AgencyKind
from gateway.telemetry import call_counts
from homeward.counting import SampledCalls
from homeward.gateway.v1.directory_pb2 import GetDirectoryRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.observed import METRICS as LISTED_METRICS
from homeward.observed import Attribute
from homeward.otlp import Service, otlp_sinks, start
from tests.adversarial import canaries
from tests.adversarial.canaries import planted, sentence
from tests.adversarial.collector import Collector, collecting
from tests.adversarial.resident import Resident
from tests.adversarial.town import Town
from tests.adversarial.watch import watch
from tests.commands import Process

CANARIES = planted()
AGENCY = "06037.cwa"
WAITING_SECONDS = 30.0
COUNTY_FILE = """
version: 1
name: an invented county
listen: 127.0.0.1:0
staff:
  issuer: https://login.county.example
  audience: homeward-adapter
  jwks: { file: jwks.json }
  roles_claim: groups
  roles: { workers: [CWA.case_worker] }
"""


def settings(endpoint: str) -> str:
    return f"\ntelemetry: {{ otlp_endpoint: '{endpoint}', sample_ratio: 1.0, every: 1s }}\n"


async def until(collector: Collector, service: str, *metrics: str) -> None:
    """The service has exported points of all these."""
    async with asyncio.timeout(30):
        while not all(collector.points(service).get(metric) for metric in metrics):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def attack(resident: Resident) -> None:
    """Calls with planted values wherever a caller can put some."""
    metadata = (("baggage", f"youth={canaries.SURNAME}"), ("tracestate", f"x={canaries.LOCAL_ID}"))
    for method in ("ExchangeService/CheckFlag", "MissingService/RaiseFlag", "IndexService/RegisterSubjects"):
        call = resident.channel.unary_unary(f"/homeward.gateway.v1.{method}")
        for data in (b"\xff", b"\x0a\x05" + sentence().encode(), sentence().encode()):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(data, timeout=5, metadata=metadata)
            assert CANARIES.scan_text(repr(caught.value), "peer") == []
    await MembershipServiceStub(resident.channel).GetDirectory(GetDirectoryRequest(), timeout=5, metadata=metadata)


def start_adapter(place: Path, more: str = "") -> Process:
    """The agency's adapter runs on the identity that joined. `more` are more lines of its file."""
    make_issuer(place)
    (place / "adapter.yaml").write_text(COUNTY_FILE + more, encoding="utf-8")
    return Process.start("adapter", "adapter", "run", "--config", place / "adapter.yaml", directory=place.parent)


async def test_what_three_processes_export_and_log_holds_listed_words_only(tmp_path: Path) -> None:
    async with collecting() as collector:
        town = Town.found(tmp_path)
        for name, directory in (("gateway", town.gateway), ("custodian", town.custodian)):
            town.processes[name].terminate()
            await asyncio.to_thread(town.processes[name].wait, 30)
            with (directory / f"{name}.yaml").open("a", encoding="utf-8") as file:
                file.write(settings(collector.address))
            town.start(name)
        try:
            resident = await town.settle(AGENCY, AgencyKind.CWA)
            await town.listed(resident.membership.agency)
            town.processes["adapter"] = await asyncio.to_thread(
                start_adapter, tmp_path / AGENCY, settings(collector.address)
            )
            await attack(resident)
            await until(collector, "homeward-gateway", "homeward.calls", "homeward.log.size", "homeward.link.up")
            await until(collector, "homeward-custodian", "homeward.calls", "homeward.certificate.life")
            await until(collector, "homeward-adapter", "homeward.link.up", "homeward.certificate.life")
        finally:
            await town.close()
        # Stopping exports what was still waiting.
        check_exports(collector)
        check_logs(tmp_path)


def check_exports(collector: Collector) -> None:
    assert CANARIES.scan(collector.everything(), "exports") == []
    assert collector.attribute_names() <= {attribute.value for attribute in Attribute}
    listed = {metric.name for metric in LISTED_METRICS}
    for service in ("homeward-gateway", "homeward-custodian", "homeward-adapter"):
        assert set(collector.points(service)) <= listed
    spans = collector.spans("homeward-gateway")
    refused = [span for span in spans if span.name == "/homeward.gateway.v1.ExchangeService/CheckFlag"]
    assert len(refused) == 3
    for span in spans:
        assert (span.parent_span_id, list(span.events), list(span.links), span.status.message) == (b"", [], [], "")
        assert span.trace_state == ""
    assert collector.spans("homeward-custodian")


def check_logs(root: Path) -> None:
    for name in ("gateway", "custodian", "adapter"):
        text = (root / f"{name}.log").read_text(encoding="utf-8")
        assert CANARIES.scan_text(text, name) == []
        for line in text.splitlines():
            assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
    assert '"call refused"' in (root / "gateway.log").read_text(encoding="utf-8")
    assert '"link up"' in (root / "adapter.log").read_text(encoding="utf-8")


def test_a_collector_that_is_away_costs_a_call_nothing_and_is_told_in_constants() -> None:
    counts = call_counts()
    with watch(call_counts()) as watching:
        # Port 9 of loopback: nobody listens.
        sinks = otlp_sinks("http://127.0.0.1:9", every_seconds=1)
        telemetry = start(sinks, service=Service("homeward-gateway", "0.1.0"), readings=counts.readings())
        recorder = SampledCalls(counts, telemetry.show, 1.0, lambda: 0.0)
        began = time.monotonic()
        try:
            for _ in range(1_000):
                recorder.record(canaries.SURNAME, canaries.LOCAL_ID, 0.001)
            # A thousand that waited for the collector, which is tried again for seconds each time, would take hours.
            assert time.monotonic() - began < WAITING_SECONDS
        finally:
            # What goes on trying in this process would disturb other tests.
            telemetry.stop()
        assert time.monotonic() - began < 2 * WAITING_SECONDS
        lines = [json.loads(line) for line in watching.lines.getvalue().splitlines()]
        assert watching.findings(CANARIES) == []
    told = [line for line in lines if line["logger"].startswith("opentelemetry.")]
    assert told
    assert {line["message"] for line in told} == {"a library's message, withheld"}
