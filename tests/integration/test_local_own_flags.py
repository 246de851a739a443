"""Flags of the county's own youths: what is stated, taken over, and taken back when the exchange refuses it."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from adapters.identity.errors import IncompleteIdentity
from adapters.node import rpcs, tables
from adapters.node.duties import OwnDuties
from adapters.node.own_flag import OwnFlag
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.names import FlagId
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import (
    OWN_HANDLE,
    county,
    refusal,
    refused,
)
from tests.integration.report_kit import absence, hears_nothing, raise_own_flag, recorded, refuses
from tests.unit.local.exchange import (
    Tokens,
)
from tests.unit.node.world import NOW, stamp

BAD_ABSENCES: dict[str, tuple[dict[str, Any], str]] = {
    "an empty day": ({"flag_locate": FlagLocate()}, "flag_locate.missing_since_date: string.pattern"),
    "no word of the day": ({"flag_locate": None}, "flag_locate.missing_since_date: required"),
    "no day": (
        {"flag_locate": FlagLocate(missing_since_date="2026-02-30")},
        "flag_locate.missing_since_date: day of the calendar",
    ),
    "a day to come": (
        {"flag_locate": FlagLocate(missing_since_date="2030-01-01")},
        "flag_locate.missing_since_date: past",
    ),
    "no county": (
        {"flag_locate": FlagLocate(missing_since_date="2026-11-20", last_seen_county="99999")},
        "flag_locate.last_seen_county: a county's FIPS code",
    ),
    "milliseconds for seconds": (
        {"learn_time": Timestamp(seconds=int(NOW.timestamp()) * 1000)},
        "learn_time: timestamp",
    ),
    "a negative fraction": ({"learn_time": Timestamp(seconds=int(NOW.timestamp()), nanos=-1)}, "learn_time: timestamp"),
}


@pytest.mark.parametrize("name", BAD_ABSENCES)
async def test_an_absence_with_a_day_time_or_county_that_is_none_is_named_and_nothing_is_stated(
    name: str, tmp_path: Path
) -> None:
    changes, field = BAD_ABSENCES[name]
    async with county(tmp_path) as at:
        with pytest.raises(aio.AioRpcError) as caught:
            await at.call("MissingService/RaiseFlag", absence(**changes), missing_pb2.RaiseFlagResponse, "workers")
        assert (at.gateway.calls, at.flags.of(OWN_HANDLE)) == ([], [])
    found = refused(caught.value)
    assert (found.code, found.reason, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", (field,))


async def test_a_flag_that_the_exchange_refuses_for_its_identity_is_gone_here_too(tmp_path: Path) -> None:
    async with county(tmp_path) as at:

        def refuse(payload: bytes, claims: Any) -> Any:
            raise CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=("subject_handle: another youth as listed",))

        at.gateway.answers[rpcs.RAISE_FLAG.path] = refuse
        with pytest.raises(aio.AioRpcError) as caught:
            await at.call("MissingService/RaiseFlag", absence(), missing_pb2.RaiseFlagResponse, "workers")
        assert at.flags.of(OWN_HANDLE) == []
    assert refused(caught.value).fields == ("local_id: another youth than the identity, as this agency lists it",)


async def test_a_refused_report_that_is_right_later_states_the_flag_that_is_kept_here(tmp_path: Path) -> None:
    """The county corrects its source: the request is the same."""
    async with county(tmp_path) as at:
        request = absence(request_id=str(UUID(int=7)))
        at.gateway.answers[rpcs.RAISE_FLAG.path] = refuses
        with pytest.raises(aio.AioRpcError):
            await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
        answer = await raise_own_flag(at, request=request)
        (flag,) = at.flags.of(OWN_HANDLE)
    assert (answer.flag_id, flag.recorded) == (flag.flag_id.hex(), True)


async def test_an_identity_that_makes_no_tokens_leaves_no_flag_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: Any) -> Any:
        raise IncompleteIdentity(("given_name",))

    monkeypatch.setattr(Tokens, "__call__", none)
    async with county(tmp_path) as at:
        with pytest.raises(aio.AioRpcError) as caught:
            await at.call("MissingService/RaiseFlag", absence(), missing_pb2.RaiseFlagResponse, "workers")
        assert at.flags.of(OWN_HANDLE) == []
    assert refused(caught.value).reason == "IDENTITY_INCOMPLETE"


async def test_a_first_report_that_was_never_answered_is_repeated_as_it_was(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RAISE_FLAG.path] = hears_nothing
        with pytest.raises(aio.AioRpcError):
            await at.call("MissingService/RaiseFlag", absence(), missing_pb2.RaiseFlagResponse, "workers")
        (first,) = at.flags.of(OWN_HANDLE)
        at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(at, "flag.raised", gateway_missing.RaiseFlagResponse)
        other = absence(handling_code=codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE)
        await at.call("MissingService/RaiseFlag", other, missing_pb2.RaiseFlagResponse, "workers")
        assert at.flags.of(OWN_HANDLE) == [], "it supports another owner's flag: this agency states none"
        said = [gateway_missing.FlagReport.FromString(payload) for _, payload, _ in at.gateway.calls]
    assert {each.flag_statement.SerializeToString() for each in said} == {first.statement.SerializeToString()}


async def test_what_the_exchange_refuses_of_a_change_is_taken_back(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (before,) = at.flags.of(OWN_HANDLE)
        done = gateway_missing.DutyDone(duty=gateway_missing.DUTY_NCMEC_REPORT, done_time=stamp(NOW))
        calls: list[tuple[str, Any, Any]] = [
            (
                rpcs.UPDATE_FLAG.path,
                missing_pb2.UpdateFlagRequest(flag_id=before.flag_id.hex(), duties=[done]),
                missing_pb2.UpdateFlagResponse,
            ),
            (
                rpcs.RESOLVE_FLAG.path,
                missing_pb2.ResolveFlagRequest(
                    flag_id=before.flag_id.hex(), resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME
                ),
                missing_pb2.ResolveFlagResponse,
            ),
        ]
        for path, request, response in calls:
            at.gateway.answers[path] = refuses
            with pytest.raises(aio.AioRpcError):
                await at.call(path.removeprefix("/homeward.gateway.v1."), request, response, "workers")
            (after,) = at.flags.of(OWN_HANDLE)
            assert (after.state, after.casework) == (before.state, before.casework)


async def test_a_report_that_waits_for_key_holders_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        asked, never = asyncio.Event(), asyncio.Event()

        async def hang(*_: Any) -> Any:
            asked.set()
            await never.wait()

        monkeypatch.setattr(Tokens, "__call__", hang)
        waiting = asyncio.ensure_future(
            at.call("MissingService/RaiseFlag", absence(), missing_pb2.RaiseFlagResponse, "workers")
        )
        await asked.wait()
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
        request = missing_pb2.UpdateFlagRequest(flag_id=flag.flag_id.hex())
        async with asyncio.timeout(5):
            answer = await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        assert (answer.outcome, waiting.done()) == (codes.OUTCOME_RECORDED, False)
        waiting.cancel()


async def test_a_report_that_only_supports_another_owners_flag_leaves_no_flag_here(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(at, "flag.raised", gateway_missing.RaiseFlagResponse)
        answer = await at.call("MissingService/RaiseFlag", absence(), missing_pb2.RaiseFlagResponse, "workers")
        assert at.flags.of(OWN_HANDLE) == []
    assert answer.flag_id == ""


async def test_a_report_that_cannot_be_repeated_leaves_no_flag_here(tmp_path: Path) -> None:
    """Its bytes are kept no longer, or its identifier stood for another report."""
    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(at, "flag.raised", gateway_missing.RaiseFlagResponse)
        request = absence(request_id=str(UUID(int=7)))
        await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
        with at.store.write() as connection:
            connection.execute(tables.request.update().values(payload=b""))
        reasons = [(await refusal(at, "MissingService/RaiseFlag", request, "workers")).reason]
        request.learn_time.CopyFrom(stamp(NOW - timedelta(hours=1)))
        reasons.append((await refusal(at, "MissingService/RaiseFlag", request, "workers")).reason)
        assert at.flags.of(OWN_HANDLE) == []
        assert len(at.gateway.calls) == 1
    assert reasons == ["EXPIRED_REFETCH", "ID_REUSED"]


async def test_a_flag_the_exchange_refuses_is_gone_and_one_it_did_not_hear_of_stays(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        kept = []
        for fault in (CallFault.REFUSED, CallFault.TIMED_OUT):

            def answer(payload: bytes, claims: Any, fault: CallFault = fault) -> Any:
                raise CallFailed(fault, "STATEMENT_INVALID" if fault is CallFault.REFUSED else "")

            at.gateway.answers[rpcs.RAISE_FLAG.path] = answer
            await refusal(at, "MissingService/RaiseFlag", absence(), "workers")
            kept.append(at.flags.of(OWN_HANDLE))
        (unheard,) = kept[1]
        raised = await raise_own_flag(at)
    assert kept[0] == []
    assert not unheard.recorded
    assert raised.flag_id == unheard.flag_id.hex()


async def test_a_flag_whose_statement_ended_is_stated_anew_by_whoever_reports_the_youth_again(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        first = await raise_own_flag(at)
        with at.store.write() as connection:
            connection.execute(tables.own_flag.update().values(statement_expire_ms=1))

        def refusing(payload: bytes, claims: Any) -> Any:
            raise CallFailed(CallFault.REFUSED, "STATEMENT_INVALID")

        at.gateway.answers[rpcs.RAISE_FLAG.path] = refusing
        await refusal(at, "MissingService/RaiseFlag", absence(), "workers")
        assert len(at.flags.of(OWN_HANDLE)) == 1, "the exchange has the version before"
        again = await raise_own_flag(at, kind="flag.updated")
        (flag,) = at.flags.of(OWN_HANDLE)
    assert again.flag_id == first.flag_id == flag.flag_id.hex()
    assert (flag.version, flag.recorded, flag.unheard) == (3, True, 0), "what was refused is not said again"
    assert flag.expires > NOW


def more_known(*, request_id: str = "") -> missing_pb2.RaiseFlagRequest:
    """Another report of the same absence: an earlier day, another code, a later time of learning."""
    request = absence(request_id=request_id)
    request.handling_code = codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE
    request.flag_locate.missing_since_date = "2026-11-18"
    request.learn_time.CopyFrom(stamp(NOW + timedelta(minutes=1)))
    return request


def stated(flag: OwnFlag) -> FlagStatement:
    """What is signed of it."""
    return FlagStatement.FromString(flag.statement.payload)


async def test_what_another_report_says_of_an_open_flag_is_taken_over_and_the_rest_stays(tmp_path: Path) -> None:
    sent: list[FlagStatement] = []

    def flag_of(payload: bytes) -> bytes:
        sent.append(FlagStatement.FromString(gateway_missing.FlagReport.FromString(payload).flag_statement.payload))
        return sent[-1].flag_id

    async with county(tmp_path) as at:
        first = absence()
        first.flag_locate.last_seen_county = "06037"
        for request, kind in ((first, "flag.raised"), (more_known(), "flag.updated"), (absence(), "flag.updated")):
            at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(
                at, kind, gateway_missing.RaiseFlagResponse, flag_id=flag_of
            )
            await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    code = codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE
    assert [each.handling_code for each in sent] == [codes.HANDLING_CODE_CALL_DUTY_LINE, code, code]
    assert [each.version for each in sent] == [1, 2, 3]
    assert len({each.flag_id for each in sent}) == 1
    assert flag.locate == FlagLocate(missing_since_date="2026-11-20", last_seen_county="06037")
    assert (flag.version, flag.recorded, flag.learned) == (3, True, NOW)


async def test_a_report_that_says_nothing_new_of_an_open_flag_states_nothing_anew(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        await raise_own_flag(at)
        assert at.flags.of(OWN_HANDLE) == [flag]


@pytest.mark.parametrize("by_policy", [True, False])
async def test_what_the_exchange_refuses_of_an_open_flag_is_not_taken_over(by_policy: bool, tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (before,) = at.flags.of(OWN_HANDLE)

        def refusing(payload: bytes, claims: Any) -> Any:
            if not by_policy:
                raise CallFailed(
                    CallFault.REFUSED, "INVALID_REQUEST", fields=("subject_handle: another youth as listed",)
                )
            receipt = at.gateway.leaf("access.decision", payload, claims, "NOT_PERMITTED")
            return gateway_missing.RaiseFlagResponse(outcome=codes.OUTCOME_NOT_PERMITTED, receipt=receipt)

        at.gateway.answers[rpcs.RAISE_FLAG.path] = refusing
        if by_policy:
            await at.call("MissingService/RaiseFlag", more_known(), missing_pb2.RaiseFlagResponse, "workers")
        else:
            await refusal(at, "MissingService/RaiseFlag", more_known(), "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    assert (flag.locate, flag.handling_code) == (before.locate, before.handling_code)
    assert (flag.version, stated(flag).handling_code) == (3, codes.HANDLING_CODE_CALL_DUTY_LINE)


async def test_what_the_exchange_did_not_hear_of_an_open_flag_is_said_by_the_next_report(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)

        def silent(payload: bytes, claims: Any) -> Any:
            raise CallFailed(CallFault.TIMED_OUT)

        at.gateway.answers[rpcs.RAISE_FLAG.path] = silent
        await refusal(at, "MissingService/RaiseFlag", more_known(), "workers")
        (unheard,) = at.flags.of(OWN_HANDLE)
        await raise_own_flag(at, more_known(), kind="flag.updated")
        (flag,) = at.flags.of(OWN_HANDLE)
    assert (unheard.version, unheard.recorded) == (2, False)
    assert (flag.version, flag.recorded) == (2, True)


async def test_a_retry_of_the_first_report_takes_nothing_back(tmp_path: Path) -> None:
    first = absence(request_id=str(UUID(int=7)))
    async with county(tmp_path) as at:
        await raise_own_flag(at, first)
        await raise_own_flag(at, more_known(), kind="flag.updated")
        (flag,) = at.flags.of(OWN_HANDLE)
        await raise_own_flag(at, first)
        assert at.flags.of(OWN_HANDLE) == [flag]
    assert flag.locate.missing_since_date == "2026-11-18"


async def test_a_youth_outside_the_caseload_cannot_be_flagged_as_an_own_one(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = absence(local_id="invented-9999")
        found = await refusal(at, "MissingService/RaiseFlag", request, "workers")
        assert at.gateway.calls == []
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "YOUTH_NOT_IN_CASELOAD")


async def test_a_duty_done_raises_the_version_and_an_unknown_flag_is_not_found(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
        done = gateway_missing.DutyDone(duty=gateway_missing.DUTY_NCMEC_REPORT, done_time=stamp(NOW))
        request = missing_pb2.UpdateFlagRequest(flag_id=flag.flag_id.hex(), duties=[done])
        answer = await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        (changed,) = at.flags.of(OWN_HANDLE)
        unknown = missing_pb2.UpdateFlagRequest(flag_id="f" * 32)
        found = await refusal(at, "MissingService/UpdateFlag", unknown, "workers")
    assert answer.outcome == codes.OUTCOME_RECORDED
    assert (changed.version, changed.recorded) == (2, True)
    assert changed.casework.ncmec_report_time == stamp(NOW)
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "FLAG_NOT_FOUND")


async def test_reports_about_one_flag_at_one_moment_follow_each_other(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
        codes_in_turn = [codes.HANDLING_CODE_CALL_DUTY_LINE, codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE] * 3
        requests = [
            missing_pb2.UpdateFlagRequest(flag_id=flag.flag_id.hex(), handling_code=code) for code in codes_in_turn
        ]
        answers = await asyncio.gather(
            *(
                at.call("MissingService/UpdateFlag", each, missing_pb2.UpdateFlagResponse, "workers")
                for each in requests
            )
        )
        (changed,) = at.flags.of(OWN_HANDLE)
        said = [
            gateway_missing.FlagUpdate.FromString(payload) for path, payload, _ in at.gateway.calls if "Update" in path
        ]
    assert {each.outcome for each in answers} == {codes.OUTCOME_RECORDED}
    assert changed.version == flag.version + len(requests)
    versions = [FlagStatement.FromString(each.flag_statement.payload).version for each in said]
    assert versions == list(range(flag.version + 1, changed.version + 1))


async def test_that_a_youth_is_still_missing_is_said_in_so_many_words_or_not_at_all(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        flag_id = (await raise_own_flag(at)).flag_id
        duties, said = OwnDuties(at.store), []
        duties.found(FlagId(bytes.fromhex(flag_id)), NOW - timedelta(hours=48))
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
        for still_missing in (False, True):
            request = missing_pb2.UpdateFlagRequest(flag_id=flag_id, still_missing=still_missing)
            await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
            update = gateway_missing.FlagUpdate.FromString(at.gateway.calls[-1][1])
            overdue = {each.duty for each in duties.overdue(NOW)}
            said.append((update.still_missing, gateway_missing.DUTY_FOUND_REPORT in overdue))
            assert FlagStatement.FromString(update.flag_statement.payload).state == codes.FLAG_STATE_ACTIVE
    assert said == [(False, True), (True, False)]
