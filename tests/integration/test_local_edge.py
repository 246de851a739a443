"""The local endpoint over real gRPC and TLS: what county systems can ask, and what they read."""

import asyncio
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from grpc import aio

from adapters.local.tls import LIFE, RENEW_BEFORE, local_tls
from audit.receipt import parse_receipt
from gateway.protocol.names import FlagState
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import to_wire
from homeward.county.v1 import county_pb2, missing_pb2, placement_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import (
    check,
    county,
    inquiry,
)
from tests.unit.local.exchange import (
    KNOWN,
    UNKNOWN,
    FakeGateway,
)
from tests.unit.node.world import FLAG, NOW, keys


async def test_a_county_system_learns_of_a_flag_and_keeps_evidence_that_anybody_can_verify(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        answer = await check(at, "workers")
    assert answer.outcome == codes.OUTCOME_ANSWERED
    assert (answer.county, answer.duty_line, answer.flag_id) == ("06075", "+14155550100", FLAG.hex())
    assert parse_receipt(answer.receipt.proof).verify(keys().log.public).size == answer.receipt.leaf_index + 1


async def test_what_a_county_system_reads_of_a_negative_is_the_same_for_unknown_and_known(tmp_path: Path) -> None:
    shown = []
    for number, youth in enumerate((UNKNOWN, KNOWN)):
        place = tmp_path / str(number)
        place.mkdir()
        gateway = FakeGateway(youth=youth)
        if youth is KNOWN:
            gateway.youth = type(KNOWN)(
                **{name: getattr(KNOWN, name) for name in KNOWN.__slots__ if name != "flag"}
                | {"flag": FlagState.RESOLVED}
            )
        async with county(place, gateway) as at:
            answer = await check(
                at,
                "workers",
                evidence=[
                    county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_REPORT_BEING_FILED, reference="REF-77-1234")
                ],
            )
        size = len(answer.receipt.proof)
        answer.ClearField("receipt")
        shown.append((answer, size))
    assert shown[0] == shown[1]
    assert shown[0][0].outcome == codes.OUTCOME_NO_ACTIVE_FLAG_FOUND
    assert list(shown[0][0].notices) == [codes.NOTICE_NOT_A_CLEARANCE]
    assert shown[0][0].duty_line == "+16615550100"


async def test_a_history_is_streamed_page_by_page_and_a_revocation_ends_it(tmp_path: Path) -> None:
    gateway = FakeGateway(more_pages=5)
    gateway.record.placement_history.episodes.add(removal_date="2026-01-05")
    pages: list[placement_pb2.HistoryPage] = []

    def after(response: Any) -> None:
        if len(pages) == 2:
            response.outcome = to_wire(Outcome.CONSENT_REVOKED)

    def edit(said: dict[str, bytes]) -> None:
        if len(pages) == 2 and said["kind"] == b"access.outcome":
            said["outcome"] = b"CONSENT_REVOKED"

    gateway.after, gateway.edit_leaf = after, edit
    request = placement_pb2.StreamPlacementHistoryRequest(
        inquiry=inquiry(
            codes.PURPOSE_PLACEMENT_PLANNING,
            evidence=[county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_OPEN_CASE, reference="REF-77-1234")],
        )
    )
    async with county(tmp_path, gateway) as at, at.channel() as channel:
        stream = channel.unary_stream(
            "/homeward.county.v1.PlacementService/StreamPlacementHistory",
            request_serializer=placement_pb2.StreamPlacementHistoryRequest.SerializeToString,
            response_deserializer=placement_pb2.StreamPlacementHistoryResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {at.token('placement')}"),)
        async for message in stream(request, timeout=20, metadata=metadata):
            # One by one: the gateway's answers depend on how many there are.
            pages.append(message.page)  # noqa: PERF401
    assert [page.outcome for page in pages] == [*[codes.OUTCOME_ANSWERED] * 2, codes.OUTCOME_CONSENT_REVOKED]
    assert pages[0].HasField("placement_history")
    assert not pages[2].HasField("placement_history")
    assert [page.next_page_token for page in pages] == ["2", "3", ""]
    assert len({page.receipt.request_id for page in pages}) == 3
    assert pages[0].data_as_of_time.ToDatetime(UTC) == NOW - timedelta(hours=3)


async def test_what_was_asked_for_and_not_granted_is_named_with_its_reason(tmp_path: Path) -> None:
    gateway = FakeGateway()
    gateway.record.flag_locate.CopyFrom(FlagLocate(missing_since_date="2026-11-20"))
    async with county(tmp_path, gateway) as at:
        request = missing_pb2.GetFlagDetailsRequest(
            inquiry=inquiry(
                codes.PURPOSE_CASE_TRANSFER,
                evidence=[
                    county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_TRANSFER_ORDER, reference="REF-77-1234")
                ],
            )
        )
        answer = await at.call("MissingService/GetFlagDetails", request, missing_pb2.GetFlagDetailsResponse, "workers")
    assert answer.outcome == codes.OUTCOME_NOT_PERMITTED
    assert not answer.HasField("flag_locate")


async def test_the_endpoint_is_tls_with_its_own_ca_and_its_key_is_private(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        with pytest.raises(aio.AioRpcError) as caught:
            async with aio.insecure_channel(at.server.address) as channel:
                await channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5)
        context = ssl.create_default_context(cadata=at.ca.decode())
        host, port = at.server.address.split(":")
        _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
        writer.close()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    modes = {stat.S_IMODE((tmp_path / "local-tls" / name).stat().st_mode) for name in ("server.key",)}
    assert modes == {0o600}


def test_the_local_certificate_is_kept_until_it_ends_or_the_host_changes(tmp_path: Path) -> None:
    first = local_tls(tmp_path, host="127.0.0.1", now=NOW)
    assert local_tls(tmp_path, host="127.0.0.1", now=NOW + timedelta(days=30)) == first
    named = local_tls(tmp_path, host="adapter.county-b.example", now=NOW)
    assert named.ca != first.ca
    later = local_tls(tmp_path, host="adapter.county-b.example", now=NOW + LIFE - RENEW_BEFORE + timedelta(days=1))
    assert later.ca != named.ca
    parsed = x509.load_pem_x509_certificate(later.certificate)
    assert parsed.not_valid_before_utc < datetime.now(UTC) + LIFE


async def test_reflection_is_offered_in_a_sandbox_alone(tmp_path: Path) -> None:
    async with county(tmp_path, sandbox=True) as at, at.channel() as channel:
        stream = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
        await stream.write(b"\x3a\x01*")
        assert b"homeward.county.v1.MissingService" in await stream.read()
        stream.cancel()
