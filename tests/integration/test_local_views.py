"""The county's own view through the local endpoint: the log in words, alerts, the adapter's state."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2
from sqlalchemy import Connection

from adapters.node import rpcs, tables
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.match_keys import CORE_KEYS
from homeward.audit.v1 import service_pb2 as audit
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.county.v1 import access_pb2, authority_pb2, county_pb2, missing_pb2, placement_pb2
from homeward.gateway.v1 import codes_pb2, link_pb2
from tests.integration.local_kit import (
    LOCATE,
    OWN_HANDLE,
    OWN_YOUTH,
    County,
    county,
    inquiry,
    refusal,
    refused,
)
from tests.unit.node.world import ASKER, NOW, SOURCE, receipt_of, tokens_of


def entry(index: int, **said: bytes) -> Any:
    return receipt_of({"kind": b"access.decision", "request": bytes(32), **said}, index=index, time=NOW)


def entries_of(at: County, entries: list[Any], **changes: Any) -> None:
    def answer(payload: bytes, claims: Any) -> Any:
        assert claims.purpose == "OVERSIGHT_AUDIT"
        assert audit.EntryQuery.FromString(payload).filter.agency == ASKER
        receipt = at.gateway.leaf("audit.read", payload, claims, "ANSWERED")
        made = {"permitted": True, "entries": entries, "next_after_index": -1, "receipt": receipt}
        return audit.ListEntriesResponse(**(made | changes))

    at.gateway.answers[rpcs.LIST_ENTRIES.path] = answer


async def test_the_privacy_officer_reads_verified_entries_in_words(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        with at.store.write() as connection:
            connection.execute(tables.subject.insert().values(local_id=OWN_YOUTH, handle=OWN_HANDLE))
        said = {
            "decision": b"DENY",
            "outcome": b"NO_DISCLOSABLE_RECORD",
            "reason": b"RECORD_SENSITIVE",
            "purpose": b"PLACEMENT_PLANNING",
            "handle": OWN_HANDLE,
        }
        entries_of(at, [entry(5, **said), entry(9)])
        request = access_pb2.ListAccessesRequest(filter=EntryFilter(reason="RECORD_SENSITIVE"))
        page = await at.call("AccessLogService/ListAccesses", request, access_pb2.ListAccessesResponse, "privacy")
        found = await refusal(at, "AccessLogService/ListAccesses", request, "workers")
    first, second = page.entries
    assert (first.index, first.local_id, second.local_id) == (5, OWN_YOUTH, "")
    assert first.sentence.startswith("2026-11-24 11:10:00 UTC: a question was decided")
    assert "the requester was told NO_DISCLOSABLE_RECORD" in first.sentence
    assert "The owner limits access to this case" in first.sentence
    assert {field.name: field.value for field in first.fields}["handle"] == OWN_HANDLE.hex()
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_HELD")


@pytest.mark.parametrize("token", ["9999999999999999999", "007", "900000"])
async def test_a_page_token_of_entries_that_the_log_does_not_have_is_no_empty_page(token: str, tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        entries_of(at, [])
        request = access_pb2.ListAccessesRequest(page_token=token)
        found = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
        first = await at.call(
            "AccessLogService/ListAccesses",
            access_pb2.ListAccessesRequest(),
            access_pb2.ListAccessesResponse,
            "privacy",
        )
        newest = first.receipt.leaf_index
        request = access_pb2.ListAccessesRequest(page_token=str(newest))
        page = await at.call("AccessLogService/ListAccesses", request, access_pb2.ListAccessesResponse, "privacy")
        # The reading's own entry is none of those that it can go on from.
        request = access_pb2.ListAccessesRequest(page_token=str(page.receipt.leaf_index + 1))
        own = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
    assert own.fields == ("page_token: own",)
    assert (found.code, found.reason, found.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ("page_token: own",)
    )  # fmt: skip
    assert (len(page.entries), page.next_page_token) == (0, ""), "after the last entry there are none"


@pytest.mark.parametrize("token", ["0", "1", "02"])
async def test_a_page_token_that_no_history_brings_is_refused_before_anything_is_asked(
    token: str, tmp_path: Path
) -> None:
    async with county(tmp_path) as at:
        request = placement_pb2.GetPlacementHistoryRequest(inquiry=inquiry(LOCATE), page_token=token)
        found = await refusal(at, "PlacementService/GetPlacementHistory", request, "workers")
        assert at.gateway.calls == []
    assert (found.reason, found.fields) == ("INVALID_REQUEST", ("page_token: own",))


async def test_a_page_token_of_no_list_of_authorities_is_named(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        fields = []
        for token, said in (("abc", ""), ("ff" * 8, "page_token: own"), ("ff" * 20, "page_token: bytes.max_len")):

            def refuse(payload: bytes, claims: Any, said: str = said) -> Any:
                raise CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=(said,))

            at.gateway.answers[rpcs.LIST_AUTHORITIES.path] = refuse
            request = authority_pb2.ListAuthoritiesRequest(page_token=token)
            fields.append((await refusal(at, "AuthorityService/ListAuthorities", request, "workers")).fields)
    assert fields == [("page_token: own",)] * 3


async def test_one_entry_that_does_not_verify_spoils_the_page(tmp_path: Path) -> None:
    altered, request = entry(9), access_pb2.ListAccessesRequest()
    altered.openings[0].value = b"access.outcome"
    async with county(tmp_path) as at:
        entries_of(at, [entry(5), altered])
        first = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
        entries_of(at, [entry(9), entry(5)])
        second = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
        entries_of(at, [], permitted=False)
        third = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
    assert (first.code, first.fault) == (grpc.StatusCode.DATA_LOSS, "receipt")
    assert (second.code, second.fault) == (grpc.StatusCode.DATA_LOSS, "entries_order")
    assert third.code is grpc.StatusCode.PERMISSION_DENIED


async def test_who_asked_whom_is_told_unless_it_contradicts_what_is_open(tmp_path: Path) -> None:
    asked, held = entry(5), receipt_of({"kind": b"access.decision", "requester": SOURCE.encode()}, index=9, time=NOW)
    pairs = [
        audit.EntryParties(requester_agency=ASKER, holder_agency=SOURCE),
        audit.EntryParties(requester_agency=SOURCE, holder_agency=ASKER),
    ]
    wrong = {
        "another than the field says": [pairs[0], audit.EntryParties(requester_agency="06077.pd", holder_agency=ASKER)],
        "of neither side": [audit.EntryParties(requester_agency=SOURCE), pairs[1]],
        "of fewer entries": pairs[:1],
    }
    request = access_pb2.ListAccessesRequest()
    async with county(tmp_path) as at:
        entries_of(at, [asked, held], parties=pairs)
        page = await at.call("AccessLogService/ListAccesses", request, access_pb2.ListAccessesResponse, "privacy")
        refused = {}
        for name, parties in wrong.items():
            entries_of(at, [asked, held], parties=parties)
            refused[name] = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
    first, second = page.entries
    assert (first.requester_agency, first.holder_agency) == (ASKER, SOURCE)
    assert (second.requester_agency, second.holder_agency) == (SOURCE, ASKER)
    assert f"about a youth of {SOURCE}, by {ASKER}" in first.sentence
    assert f"about a youth of {ASKER}, by {SOURCE}" in second.sentence
    assert {name: each.fault for name, each in refused.items()} == dict.fromkeys(wrong, "entries_parties")


async def test_who_took_part_is_what_the_entry_proves_or_nothing_is_shown(tmp_path: Path) -> None:
    proved = receipt_of({"kind": b"access.decision"}, index=5, time=NOW, to_overseer=True)
    true = audit.EntryParties(requester_agency=ASKER, holder_agency=SOURCE)
    forged = receipt_of({"kind": b"access.decision"}, index=5, time=NOW, to_overseer=True)
    forged.openings[-1].value = f"{ASKER} 1 06077.pd 1".encode()
    request = access_pb2.ListAccessesRequest()
    async with county(tmp_path) as at:
        entries_of(at, [proved], parties=[true])
        page = await at.call("AccessLogService/ListAccesses", request, access_pb2.ListAccessesResponse, "privacy")
        entries_of(at, [proved], parties=[audit.EntryParties(requester_agency=ASKER, holder_agency="06077.pd")])
        told = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
        entries_of(at, [forged], parties=[true])
        opened = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
    assert {field.name: field.value for field in page.entries[0].fields}["parties"] == f"{ASKER} 1 {SOURCE} 1"
    assert (told.code, told.fault) == (grpc.StatusCode.DATA_LOSS, "entries_parties")
    assert (opened.code, opened.fault) == (grpc.StatusCode.DATA_LOSS, "receipt")


def list_as_ana(connection: Connection, local_id: str, handle: bytes) -> None:
    """A youth of the county is registered with the tokens of an invented Ana."""
    tokens = tokens_of(*(f"{key}:Ana" for key in CORE_KEYS))
    connection.execute(tables.subject.insert().values(local_id=local_id, handle=handle))
    row = {"handle": handle, "epoch": tokens.epoch, "fingerprint": bytes(32), "tokens": tokens.SerializeToString()}
    connection.execute(tables.registration.insert().values(**row))


def youth_of(given_name: str) -> county_pb2.YouthIdentity:
    return county_pb2.YouthIdentity(given_name=given_name, surname="Invented", birth_date="2010-05-04")


async def test_a_youth_is_named_by_number_or_identity_and_leaves_the_county_as_a_handle(tmp_path: Path) -> None:
    asked: list[tuple[bytes, audit.EntryQuery]] = []

    def answer(payload: bytes, claims: Any) -> Any:
        asked.append((payload, audit.EntryQuery.FromString(payload)))
        receipt = at.gateway.leaf("audit.read", payload, claims, "ANSWERED")
        return audit.ListEntriesResponse(permitted=True, next_after_index=-1, receipt=receipt)

    async with county(tmp_path) as at:
        with at.store.write() as connection:
            list_as_ana(connection, OWN_YOUTH, OWN_HANDLE)
        at.gateway.answers[rpcs.LIST_ENTRIES.path] = answer
        method = "AccessLogService/ListAccesses"
        for request in (
            access_pb2.ListAccessesRequest(local_id=OWN_YOUTH),
            access_pb2.ListAccessesRequest(youth=youth_of("Ana")),
        ):
            await at.call(method, request, access_pb2.ListAccessesResponse, "privacy")
        refused = [
            await refusal(at, method, access_pb2.ListAccessesRequest(**wanted), "privacy")
            for wanted in (
                {"local_id": "nobody-1"},
                {"youth": youth_of("Bea")},
                {"local_id": OWN_YOUTH, "youth": youth_of("Ana")},
            )
        ]
    assert [query.youth_handle for _, query in asked] == [OWN_HANDLE, OWN_HANDLE]
    assert all(word not in payload for payload, _ in asked for word in (OWN_YOUTH.encode(), b"Ana", b"Invented"))
    assert [each.reason for each in refused] == ["YOUTH_NOT_IN_CASELOAD", "YOUTH_NOT_IN_CASELOAD", "INVALID_REQUEST"]


async def test_two_youths_who_answer_to_one_identity_are_not_told_as_one(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        with at.store.write() as connection:
            for number in range(2):
                list_as_ana(connection, f"invented-{number}", bytes([number]) * 16)
        request = access_pb2.ListAccessesRequest(youth=youth_of("Ana"))
        refused = await refusal(at, "AccessLogService/ListAccesses", request, "privacy")
    assert refused.reason == "INVALID_REQUEST"


async def test_alerts_are_followed_from_a_cursor_and_noted_by_a_person(tmp_path: Path) -> None:
    seen: list[missing_pb2.WatchAlertsResponse] = []
    async with county(tmp_path) as at, at.channel() as channel:
        with at.store.write() as connection:
            connection.execute(tables.subject.insert().values(local_id=OWN_YOUTH, handle=OWN_HANDLE))
        at.alerts.accept(alert(1), NOW)
        at.alerts.accept(alert(2), NOW)
        watch = channel.unary_stream(
            "/homeward.county.v1.MissingService/WatchAlerts",
            request_serializer=missing_pb2.WatchAlertsRequest.SerializeToString,
            response_deserializer=missing_pb2.WatchAlertsResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {at.token('workers')}"),)
        stream = watch(missing_pb2.WatchAlertsRequest(cursor=1, follow=True), metadata=metadata)
        seen.append(await stream.read())
        at.alerts.accept(alert(3), NOW)
        seen.append(await asyncio.wait_for(stream.read(), 5))
        stream.cancel()
        note = missing_pb2.AcknowledgeAlertsRequest(sequence=2)
        noted = await at.call(
            "MissingService/AcknowledgeAlerts", note, missing_pb2.AcknowledgeAlertsResponse, "workers"
        )
    assert [(each.sequence, each.local_id) for each in seen] == [(2, OWN_YOUTH), (3, OWN_YOUTH)]
    assert seen[0].kind == missing_pb2.ALERT_KIND_LOCATED
    assert noted.open_count == 1


@pytest.mark.parametrize("sequence", [4, 1 << 62])
async def test_a_number_above_every_alert_that_came_is_refused_and_passes_over_none(
    tmp_path: Path, sequence: int
) -> None:
    """A county system that kept the number of another adapter would hear of no youth that is found."""
    async with county(tmp_path) as at, at.channel() as channel:
        for number in (1, 2, 3):
            at.alerts.accept(alert(number), NOW)
        watch = channel.unary_stream(
            "/homeward.county.v1.MissingService/WatchAlerts",
            request_serializer=missing_pb2.WatchAlertsRequest.SerializeToString,
            response_deserializer=missing_pb2.WatchAlertsResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {at.token('workers')}"),)
        with pytest.raises(aio.AioRpcError) as caught:
            await watch(missing_pb2.WatchAlertsRequest(cursor=sequence, follow=True), metadata=metadata).read()
        note = missing_pb2.AcknowledgeAlertsRequest(sequence=sequence)
        found = [refused(caught.value), await refusal(at, "MissingService/AcknowledgeAlerts", note, "workers")]
        assert at.alerts.open_count() == 3
        newest = watch(missing_pb2.WatchAlertsRequest(cursor=3), metadata=metadata)
        assert [each async for each in newest] == []
    assert [(each.reason, each.fields) for each in found] == [
        ("INVALID_REQUEST", (f"{name}: none that was given here",)) for name in ("cursor", "sequence")
    ]


async def test_a_privacy_officer_reads_of_an_emergency_and_takes_no_alert_off_the_list(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at, at.channel() as channel:
        used = alert(1)
        used.kind = link_pb2.ALERT_KIND_EMERGENCY_USED
        used.duties.append(codes_pb2.OBLIGATION_NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS)
        at.alerts.accept(used, NOW)
        watch = channel.unary_stream(
            "/homeward.county.v1.MissingService/WatchAlerts",
            request_serializer=missing_pb2.WatchAlertsRequest.SerializeToString,
            response_deserializer=missing_pb2.WatchAlertsResponse.FromString,
        )
        metadata = (("authorization", f"Bearer {at.token('privacy')}"),)
        seen = [each async for each in watch(missing_pb2.WatchAlertsRequest(), metadata=metadata)]
        note = missing_pb2.AcknowledgeAlertsRequest(sequence=1)
        refused = await refusal(at, "MissingService/AcknowledgeAlerts", note, "privacy")
    assert [each.kind for each in seen] == [missing_pb2.ALERT_KIND_EMERGENCY_USED]
    assert list(seen[0].duties) == [codes_pb2.OBLIGATION_NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS]
    assert refused.reason == "ROLE_NOT_HELD"


def alert(sequence: int) -> link_pb2.Alert:
    return link_pb2.Alert(
        sequence=sequence,
        kind=link_pb2.ALERT_KIND_LOCATED,
        subject_handle=OWN_HANDLE,
        acting_agency=SOURCE,
        acting_duty_line="+14155550100",
        purpose=LOCATE,
    )


def test_alert_kinds_agree() -> None:
    assert dict(missing_pb2.AlertKind.items()) == dict(link_pb2.AlertKind.items())


async def test_the_state_is_told_to_anybody_on_the_machine_and_health_is_served(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        state = access_pb2.GetStatusResponse.FromString(
            await at.raw("/homeward.county.v1.StatusService/GetStatus", b"")
        )
        health = health_pb2.HealthCheckResponse.FromString(await at.raw("/grpc.health.v1.Health/Check", b""))
    assert (state.agency, state.link_up) == (ASKER, True)
    assert health.status == health_pb2.HealthCheckResponse.SERVING
