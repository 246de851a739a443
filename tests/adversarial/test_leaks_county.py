"""An attacker who makes an adapter fail and reads what comes back, and whoever reads its logs, spans and metrics.

Here the planted values are the real thing: names, a birth date, a reference, a staff token, rows of the county's own
systems. A county system must see one of the constant texts of `adapters/local/status`; the exchange must see nothing.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc import aio

from adapters.local import status as local_status
from adapters.mapping.examples import BASE_ROWS
from adapters.mapping.report import as_data, render
from adapters.node import answers as adapter_answers
from adapters.node.tables import metadata
from adapters.telemetry import call_counts as adapter_counts
from homeward.command import report_unexpected
from homeward.county.v1 import county_pb2, missing_pb2, placement_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.adversarial import canaries
from tests.adversarial.canaries import planted, sentence
from tests.adversarial.leaky_gateway import Seen, assert_internal, seen
from tests.adversarial.poison import KINDS, Poisoned
from tests.adversarial.watch import Watch, assert_watched, leaks, watch
from tests.integration.channel_kit import Authority
from tests.integration.local_kit import County, county, inquiry
from tests.integration.test_source_link import Visit
from tests.integration.test_source_link import order as link_order
from tests.integration.test_source_link import running as running_link
from tests.integration.test_source_link import welcome as link_welcome
from tests.unit.local.exchange import FakeGateway
from tests.unit.sources import test_caseload as example

CANARIES = planted()
COUNTY_TEXTS = {text for _, text in local_status.CODES.values()} | {"internal error"}


# --- the adapter's own listener -----------------------------------------------------------


@asynccontextmanager
async def adapter(directory: Path, made: FakeGateway | None = None) -> AsyncIterator[tuple[County, Watch]]:
    with watch(adapter_counts()) as watching:
        async with county(directory, made, recorder=watching.recorder) as at:
            yield at, watching


def youth_of_canaries() -> county_pb2.YouthIdentity:
    return county_pb2.YouthIdentity(
        given_name=canaries.GIVEN_NAME, surname=canaries.SURNAME, birth_date=canaries.BIRTH.isoformat()
    )


def check() -> missing_pb2.CheckFlagRequest:
    shown = county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_REPORT_BEING_FILED, reference=canaries.REFERENCE)
    asked = inquiry(codes.PURPOSE_MFC_LOCATE, youth=youth_of_canaries(), evidence=[shown])
    return missing_pb2.CheckFlagRequest(inquiry=asked)


def history() -> placement_pb2.GetPlacementHistoryRequest:
    shown = county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_OPEN_REFERRAL, reference=canaries.REFERENCE)
    asked = inquiry(codes.PURPOSE_PLACEMENT_PLANNING, youth=youth_of_canaries(), evidence=[shown])
    return placement_pb2.GetPlacementHistoryRequest(inquiry=asked)


async def refused(at: County, path: str, request: Any, *groups: str, **claims: Any) -> Seen:
    """What the county system sees; the test fails where the call does not."""
    metadata = [("authorization", f"Bearer {at.token(*groups, **claims)}")]
    with pytest.raises(aio.AioRpcError) as caught:
        await at.raw(f"/homeward.county.v1.{path}", request.SerializeToString(), metadata=metadata)
    return seen(caught.value)


def in_the_call(at: County, poison: Any) -> None:
    at.gateway.call = poison  # type: ignore[method-assign]


def in_the_answer(at: County, poison: Any) -> None:
    at.gateway.after = poison


def in_the_tokens(at: County, poison: Any) -> None:
    at.tokens.people = poison


FAULTS: dict[str, Callable[[County, Any], None]] = {
    "call": in_the_call,
    "answer": in_the_answer,
    "tokens": in_the_tokens,
}
ASKED = (("MissingService/CheckFlag", check, "workers"), ("PlacementService/GetPlacementHistory", history, "placement"))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_in_the_adapter_is_a_constant_for_the_county_system(
    fault: str, kind: str, tmp_path: Path
) -> None:
    async with adapter(tmp_path) as (at, watching):
        poison = Poisoned(KINDS[kind]())
        FAULTS[fault](at, poison)
        for path, request, group in ASKED:
            found = await refused(at, path, request(), group)
            assert_internal(found)
            assert leaks(watching, found.everything, CANARIES) == []
        assert_watched(watching, "handler failed")
    assert len(poison.touched) == len(ASKED)


async def test_a_database_that_fails_quotes_no_statement_and_no_parameter(tmp_path: Path) -> None:
    async with adapter(tmp_path) as (at, watching):
        with at.store.write() as connection:
            metadata.drop_all(connection)
        for path, request, group in ASKED:
            found = await refused(at, path, request(), group)
            assert_internal(found)
            assert leaks(watching, found.everything, CANARIES) == []
            assert not any(word in found.everything for word in ("sqlite", "INSERT", "SELECT", "no such table"))
        assert_watched(watching, "OperationalError")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_seal_that_cannot_be_opened_is_a_constant(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = Poisoned(KINDS[kind]())
    monkeypatch.setattr(adapter_answers, "open_record", poison)
    async with adapter(tmp_path) as (at, watching):
        found = await refused(at, "PlacementService/GetPlacementHistory", history(), "placement")
        assert_internal(found)
        assert leaks(watching, found.everything, CANARIES) == []
    assert poison.touched


async def test_a_record_that_was_changed_on_the_way_is_told_as_a_constant(tmp_path: Path) -> None:
    made = FakeGateway()

    def changed(sealed: exchange_pb2.SealedRecord) -> None:
        sealed.sealed = sealed.sealed[:-1] + bytes([sealed.sealed[-1] ^ 1])

    made.after_seal = changed
    async with adapter(tmp_path, made) as (at, watching):
        found = await refused(at, "PlacementService/GetPlacementHistory", history(), "placement")
        assert (found.code, found.text in COUNTY_TEXTS) == (grpc.StatusCode.DATA_LOSS, True)
        assert leaks(watching, found.everything, CANARIES) == []


@pytest.mark.parametrize("token", [canaries.STAFF_TOKEN, sentence(), ""])
async def test_a_staff_token_is_refused_without_being_repeated(token: str, tmp_path: Path) -> None:
    async with adapter(tmp_path) as (at, watching):
        shown = [("authorization", f"Bearer {token.encode('ascii', 'replace').decode()}")]
        with pytest.raises(aio.AioRpcError) as caught:
            await at.raw("/homeward.county.v1.MissingService/CheckFlag", check().SerializeToString(), metadata=shown)
        found = seen(caught.value)
        assert (found.code, found.text in COUNTY_TEXTS) == (grpc.StatusCode.UNAUTHENTICATED, True)
        assert leaks(watching, found.everything, CANARIES) == []


async def test_a_request_that_breaks_a_rule_is_refused_by_the_field_and_not_by_its_value(tmp_path: Path) -> None:
    youth = county_pb2.YouthIdentity(
        given_name=canaries.GIVEN_NAME, surname=f"{canaries.SURNAME}\x00", birth_date=f"{canaries.BIRTH} about"
    )
    asked = missing_pb2.CheckFlagRequest(inquiry=inquiry(codes.PURPOSE_MFC_LOCATE, youth=youth, role=canaries.WORKER))
    async with adapter(tmp_path) as (at, watching):
        for data in (asked.SerializeToString(), asked.SerializeToString() + b"\xfa\x7f\x00", sentence().encode()):
            with pytest.raises(aio.AioRpcError) as caught:
                metadata_ = [("authorization", f"Bearer {at.token('workers')}")]
                await at.raw("/homeward.county.v1.MissingService/CheckFlag", data, metadata=metadata_)
            found = seen(caught.value)
            assert (found.code, found.text in COUNTY_TEXTS) == (grpc.StatusCode.INVALID_ARGUMENT, True)
            assert leaks(watching, found.everything, CANARIES) == []


async def test_of_answered_calls_too_nothing_personal_is_in_a_log_line_span_or_metric(tmp_path: Path) -> None:
    async with adapter(tmp_path) as (at, watching):
        subject = {"sub": canaries.WORKER}
        for path, request, group in ASKED:
            await at.raw(
                f"/homeward.county.v1.{path}", request().SerializeToString(),
                metadata=[("authorization", f"Bearer {at.token(group, **subject)}")],
            )  # fmt: skip
        sent = b"".join(payload + repr(claims).encode() for _, payload, claims in at.gateway.calls)
        assert len(at.gateway.calls) == len(ASKED)
        assert CANARIES.scan(sent, "what left the county") == []
        assert leaks(watching, "", CANARIES) == []
        assert_watched(watching, '"reason": "OK"')
    # The adapter's own database is in the county; names and references are not even there.
    assert CANARIES.scan_tree(tmp_path) == []


# --- the county's own systems -------------------------------------------------------------


def spoiled(table: str, number: int) -> dict[str, str]:
    """A row whose every column but its keys holds something that cannot be mapped."""
    keep = {"CLIENT_ID", "PLC_NO", "EPS_NO", "EPISODE_ID"}
    worded = (canaries.GIVEN_NAME, canaries.SURNAME, canaries.BIRTH.isoformat(), canaries.LOCAL_ID, canaries.REFERENCE)
    columns = [column for column in BASE_ROWS[table] if column not in keep]
    return {column: worded[(place + number) % len(worded)] for place, column in enumerate(columns)}


def test_rows_that_cannot_be_mapped_are_reported_without_their_values() -> None:
    rows = {table: [spoiled(table, number) for number in range(5)] for table in ("clients", "placements", "episodes")}
    with watch(adapter_counts()) as watching:
        sources = example.tables()
        for table, spoiled_rows in rows.items():
            sources[table].rows = spoiled_rows
        load = example.caseload(sources)
        report = load.refresh(example.NOW)
        told = render(report, zone=example.ZONE) + repr(as_data(report)) + repr(report)
        assert leaks(watching, told, CANARIES) == []
    # The control: the rows were read, and what is wrong with them is told.
    assert sum(entry.count for source in report.sources for entry in source.entries) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_fails_at_any_row_is_told_by_type_alone(kind: str) -> None:
    """What ends a reading unforeseen ends the process; what it prints then is `report_unexpected`."""
    sources = example.tables()
    sources["placements"].rows = Poisoned(KINDS[kind]())  # type: ignore[assignment]
    with watch(adapter_counts()) as watching, pytest.raises(Exception) as caught:
        example.caseload(sources).refresh(example.NOW)
    assert type(caught.value) is type(KINDS[kind]())
    assert watching.findings(CANARIES) == []


def test_what_ends_a_process_unforeseen_is_printed_by_its_type_and_place(capfd: pytest.CaptureFixture[str]) -> None:
    for made in KINDS.values():
        failure = made()
        try:
            raise failure
        except type(failure):
            report_unexpected(*cast(Any, sys.exc_info()))
        printed = "".join(capfd.readouterr())
        assert "BUG-001" in printed
        assert type(failure).__name__ in printed
        assert CANARIES.scan_text(printed, "terminal") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_a_work_order_that_makes_the_adapter_fail_tells_the_exchange_nothing(kind: str, tmp_path: Path) -> None:
    received: list[bytes] = []

    async def script(visit: Visit) -> None:
        await link_welcome(visit)
        await visit.send(work_order=link_order())
        received.extend([message.SerializeToString() async for message in visit.requests])

    def fails(_: WorkOrder) -> WorkResult:
        raise KINDS[kind]()

    with watch(adapter_counts()) as watching:
        async with running_link(tmp_path, Authority(), script, work=fails) as run:
            with pytest.raises(Exception) as caught:
                await run.task
        assert type(caught.value) is type(KINDS[kind]())
        assert watching.findings(CANARIES) == []
        assert CANARIES.scan(b"".join(received), "gateway") == []
        assert "link up" in watching.lines.getvalue()
