"""What the local endpoint refuses, what it says of it, and what never gets out."""

import logging
import os
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio
from sqlalchemy import select

from adapters.identity.errors import IncompleteIdentity
from adapters.node import tables
from adapters.node.rpcs import CallFailed, CallFault
from homeward.county.v1 import access_pb2, county_pb2, missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from tests.integration.local_kit import (
    CHECK,
    LOCATE,
    PERSONAL,
    County,
    check,
    county,
    inquiry,
    refusal,
    refused,
)
from tests.unit.local.exchange import (
    CANARY,
    CANARY_BIRTH,
    CANARY_SURNAME,
    Tokens,
)

BAD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "not a message": (b"\xff\xff\xff", ("(message): encoding",)),
    "an unknown field": (
        missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)).SerializeToString() + b"\xfa\x7f\x00",
        ("(message): unknown field",),
    ),
    "nothing": (b"", ("inquiry: required",)),
    "no purpose": (
        missing_pb2.CheckFlagRequest(inquiry=inquiry(codes.PURPOSE_UNSPECIFIED)).SerializeToString(),
        ("inquiry.purpose: enum.not_in",),
    ),
    "a birth date that is no day": (
        missing_pb2.CheckFlagRequest(
            inquiry=inquiry(
                LOCATE,
                youth=county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date="2011-02-30"),
            )
        ).SerializeToString(),
        ("inquiry.youth.birth_date: day of the calendar",),
    ),
    "a birth date to come": (
        missing_pb2.CheckFlagRequest(
            inquiry=inquiry(
                LOCATE,
                youth=county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date="2035-07-19"),
            )
        ).SerializeToString(),
        ("inquiry.youth.birth_date: past",),
    ),
    "a role that is none": (
        missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE, role=CANARY)).SerializeToString(),
        ("inquiry.role: string.pattern",),
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_malformed_request_is_refused_with_field_paths_and_no_values(name: str, tmp_path: Path) -> None:
    data, fields = BAD[name]
    async with county(tmp_path) as at:
        with pytest.raises(aio.AioRpcError) as caught:
            await at.raw(f"/homeward.county.v1.{CHECK}", data, metadata=_bearer(at, "workers"))
        assert at.gateway.calls == []
    found = refused(caught.value)
    assert (found.code, found.text) == (grpc.StatusCode.INVALID_ARGUMENT, "the request is not valid")
    assert (found.reason, found.domain, found.fields) == ("INVALID_REQUEST", "homeward.county", fields)
    assert not any(word in found.everything for word in PERSONAL)


async def test_an_identity_is_named_where_it_lies_in_the_request_that_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an inquiry or in the request itself, whether the endpoint reads it or the tokens are made of it."""

    async def none(*_: Any) -> Any:
        raise IncompleteIdentity(("given_name",))

    unborn = county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date="2035-07-19")
    no_name = county_pb2.YouthIdentity(given_name="?", surname=CANARY_SURNAME, birth_date=CANARY_BIRTH)
    monkeypatch.setattr(Tokens, "__call__", none)
    found = {}
    async with county(tmp_path) as at:
        for youth in (unborn, no_name):
            asked = missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE, youth=youth))
            found["inquiry", youth.given_name] = (await refusal(at, CHECK, asked, "workers")).fields
            read = access_pb2.ListAccessesRequest(youth=youth)
            path = "AccessLogService/ListAccesses"
            found["itself", youth.given_name] = (await refusal(at, path, read, "privacy")).fields
    assert found == {
        ("inquiry", CANARY): ("inquiry.youth.birth_date: past",),
        ("itself", CANARY): ("youth.birth_date: past",),
        ("inquiry", "?"): ("inquiry.youth.given_name: required, with a letter",),
        ("itself", "?"): ("youth.given_name: required, with a letter",),
    }


def _bearer(at: County, *groups: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {at.token(*groups)}"),)


async def test_a_call_without_a_token_or_with_two_is_refused_before_the_request_is_read(tmp_path: Path) -> None:
    path = f"/homeward.county.v1.{CHECK}"
    async with county(tmp_path) as at:
        found = []
        for metadata in ((), 2 * _bearer(at, "workers"), (("authorization", "Bearer x.y.z"),)):
            with pytest.raises(aio.AioRpcError) as caught:
                await at.raw(path, b"\xff", metadata=metadata)
            found.append(refused(caught.value))
    assert {each.code for each in found} == {grpc.StatusCode.UNAUTHENTICATED}
    assert [each.fault for each in found] == ["TOKEN_MISSING", "TOKEN_REPEATED", "TOKEN_MALFORMED"]


async def test_a_role_that_is_not_held_is_refused(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE, role="CWA.supervisor"))
        found = await refusal(at, CHECK, request, "workers")
        nobody = await refusal(at, CHECK, missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)), "no such group")
        unclear = await refusal(
            at, CHECK, missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)), "workers", "placement"
        )
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_HELD")
    assert nobody.code is grpc.StatusCode.PERMISSION_DENIED
    assert (unclear.reason, unclear.fields) == ("INVALID_REQUEST", ("inquiry.role: several_held",))


async def test_only_exact_method_names_are_served(tmp_path: Path) -> None:
    names = (
        "/homeward.county.v1.MissingService/checkflag",
        "/homeward.county.v1.MissingService/CheckFlag/",
        "/homeward.county.v1.MissingService//CheckFlag",
        "/homeward.county.v1.missingservice/CheckFlag",
        "/homeward.county.v1.MissingService/Check%46lag",
        "/homeward.gateway.v1.ExchangeService/CheckFlag",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    )
    async with county(tmp_path) as at:
        for name in names:
            with pytest.raises(aio.AioRpcError) as caught:
                await at.raw(name, b"", metadata=_bearer(at, "workers"))
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED, name


async def test_an_unforeseen_error_becomes_a_constant_and_its_text_stays_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with county(tmp_path) as at:

        def break_down(response: Any) -> None:
            raise RuntimeError(f"while answering about {CANARY} {CANARY_SURNAME}, born {CANARY_BIRTH}")

        at.gateway.after = break_down
        with caplog.at_level(logging.DEBUG):
            found = await refusal(at, CHECK, missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)), "workers")
    assert (found.code, found.text) == (grpc.StatusCode.INTERNAL, "internal error")
    logged = " ".join(f"{record.getMessage()} {vars(record)!r}" for record in caplog.records)
    assert "RuntimeError" in logged
    assert not any(word in found.everything + logged for word in PERSONAL)


async def test_nothing_personal_is_in_what_leaves_or_in_the_adapters_database(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with county(tmp_path) as at:
        shown = county_pb2.EvidenceReference(kind=codes.EVIDENCE_KIND_REPORT_BEING_FILED, reference="REF-77-1234")
        with caplog.at_level(logging.DEBUG):
            await check(at, "workers", evidence=[shown])
        sent = b"".join(payload + repr(claims).encode() for _, payload, claims in at.gateway.calls)
    stored = b"".join((tmp_path / name).read_bytes() for name in os.listdir(tmp_path) if name.startswith("adapter.db"))
    logged = " ".join(f"{record.getMessage()} {vars(record)!r}" for record in caplog.records).encode()
    for word in PERSONAL:
        assert word.encode() not in sent + stored + logged, word
    # The control: what was sent is in the database, and would have been found there.
    assert at.gateway.calls[0][1] in stored


async def test_a_gateway_that_is_away_is_told_as_such_and_never_as_a_negative(tmp_path: Path) -> None:
    async with county(tmp_path) as at:

        async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
            raise CallFailed(CallFault.TIMED_OUT)

        at.gateway.call = call  # type: ignore[method-assign]
        found = await refusal(at, CHECK, missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)), "workers")
    assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "GATEWAY_UNAVAILABLE")
    assert "not a negative answer" in found.text


@pytest.mark.parametrize(
    ("given", "longest"), [(None, 30.0), (20.0, 20.0), (600.0, 60.0)], ids=["none", "short", "long"]
)
async def test_a_call_waits_as_long_as_its_caller_a_minute_at_most_and_half_a_minute_where_none_is_given(
    given: float | None, longest: float, tmp_path: Path
) -> None:
    waited: list[float] = []
    async with county(tmp_path) as at:
        reach = at.gateway.call

        async def call(rpc: Any, request: Any, *, seconds: float) -> Any:
            waited.append(seconds)
            return await reach(rpc, request, seconds=seconds)

        at.gateway.call = call  # type: ignore[method-assign]
        at.gateway.unreachable = 1
        data = missing_pb2.CheckFlagRequest(inquiry=inquiry(LOCATE)).SerializeToString()
        path = f"/homeward.county.v1.{CHECK}"
        answer = await at.raw(path, data, metadata=_bearer(at, "workers"), seconds=given)
    assert missing_pb2.CheckFlagResponse.FromString(answer).outcome == codes.OUTCOME_ANSWERED
    assert len(waited) > 1, "it was tried again"
    # The margin is for a machine that is busy.
    assert all(longest - 10 < seconds < longest for seconds in waited)


async def test_a_shelters_refused_question_leaves_no_trace_outside(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = missing_pb2.CheckFlagRequest(inquiry=inquiry(codes.PURPOSE_VOLUNTARY_SHELTER))
        answer = await at.call(CHECK, request, missing_pb2.CheckFlagResponse, "shelter")
        assert at.gateway.calls == []
        with at.store.read() as connection:
            assert len(connection.execute(select(tables.local_event)).all()) == 1
    assert not answer.HasField("receipt")
    assert answer.duty_line == "+16615550100"


async def test_who_may_not_ask_is_sent_to_the_own_countys_hotline_whoever_is_asked_about(tmp_path: Path) -> None:
    nobody = county_pb2.YouthIdentity(given_name="Nobody", surname="Invented", birth_date="2012-01-31")
    async with county(tmp_path) as at:
        answers = [
            await at.call(
                CHECK,
                missing_pb2.CheckFlagRequest(inquiry=inquiry(codes.PURPOSE_HOTLINE_SCREEN, **changes)),
                missing_pb2.CheckFlagResponse,
                "teachers",
            )
            for changes in ({}, {"youth": nobody})
        ]
    for answer in answers:
        # Refused by the exchange, on record.
        assert answer.receipt.leaf_index
        answer.ClearField("receipt")
    assert answers[0] == answers[1]
    assert answers[0].outcome == codes.OUTCOME_NOT_PERMITTED
    assert (answers[0].handling_code, answers[0].duty_line) == (
        codes.HANDLING_CODE_CALL_OWN_COUNTY_HOTLINE,
        "+16615550100",
    )
    assert {field.name for field, _ in answers[0].ListFields()} == {"outcome", "notices", "handling_code", "duty_line"}
