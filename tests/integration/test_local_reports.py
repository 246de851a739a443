"""Reports and authorities through the local endpoint: what is stated here, and what leaves."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from adapters.identity.errors import IncompleteIdentity
from adapters.node import rpcs
from adapters.node import store as tables
from adapters.node.flags import OwnFlag
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.authority_wire import open_authority
from gateway.protocol.match_keys import DECISIVE_KEY
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import AuthorityId, FlagState
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import to_wire
from homeward.county.v1 import authority_pb2, county_pb2, missing_pb2
from homeward.gateway.v1 import authority_pb2 as gateway_authority
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import (
    LOCATE,
    OWN_HANDLE,
    OWN_YOUTH,
    PERSONAL,
    County,
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
from tests.unit.node.world import ASKER, FLAG, NOW, directory, stamp


def recorded(at: County, kind: str, response: Any, **fields: Any) -> Any:
    """An answer of the exchange that records something."""

    def answer(payload: bytes, claims: Any) -> Any:
        made = response(outcome=to_wire(Outcome.RECORDED), receipt=at.gateway.leaf(kind, payload, claims, "RECORDED"))
        for name, value in fields.items():
            setattr(made, name, value(payload) if callable(value) else value)
        return made

    return answer


async def test_a_flag_of_an_own_youth_is_signed_here_and_its_details_stay_here(tmp_path: Path) -> None:
    sent: list[gateway_missing.FlagReport] = []

    def flag_of(payload: bytes) -> bytes:
        report = gateway_missing.FlagReport.FromString(payload)
        sent.append(report)
        return FlagStatement.FromString(report.flag_statement.payload).flag_id

    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(
            at, "flag.raised", gateway_missing.RaiseFlagResponse, flag_id=flag_of, late=True
        )
        request = missing_pb2.RaiseFlagRequest(
            inquiry=inquiry(LOCATE),
            local_id=OWN_YOUTH,
            learn_time=stamp(NOW - timedelta(hours=31)),
            flag_locate=FlagLocate(missing_since_date="2026-11-20", last_seen_county="06037"),
        )
        answer = await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    assert (answer.outcome, answer.late) == (codes.OUTCOME_RECORDED, True)
    assert answer.flag_id == flag.flag_id.hex()
    assert flag.recorded
    (report,) = sent
    assert report.subject_handle == OWN_HANDLE
    assert b"06037" not in report.SerializeToString()
    assert flag.locate.last_seen_county == "06037"


def absence(*, request_id: str = "", **changes: Any) -> missing_pb2.RaiseFlagRequest:
    """A report that a youth of this agency is missing."""
    fields: dict[str, Any] = {
        "local_id": OWN_YOUTH,
        "learn_time": stamp(NOW),
        "flag_locate": FlagLocate(missing_since_date="2026-11-20"),
    }
    return missing_pb2.RaiseFlagRequest(inquiry=inquiry(LOCATE, request_id=request_id), **fields | changes)


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


def refuses(payload: bytes, claims: Any) -> Any:
    """An exchange that does not take what is stated."""
    raise CallFailed(CallFault.REFUSED, "INVALID_REQUEST", fields=("subject_handle: another youth as listed",))


def hears_nothing(payload: bytes, claims: Any) -> Any:
    """An exchange whose answer does not come."""
    raise CallFailed(CallFault.TIMED_OUT)


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
            await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        waiting.cancel()


async def raise_own_flag(
    at: County, request: missing_pb2.RaiseFlagRequest | None = None, *, kind: str = "flag.raised"
) -> missing_pb2.RaiseFlagResponse:
    """A flag of this agency's own youth, recorded at the exchange."""

    def flag_of(payload: bytes) -> bytes:
        report = gateway_missing.FlagReport.FromString(payload)
        return FlagStatement.FromString(report.flag_statement.payload).flag_id

    at.gateway.answers[rpcs.RAISE_FLAG.path] = recorded(at, kind, gateway_missing.RaiseFlagResponse, flag_id=flag_of)
    answer = await at.call("MissingService/RaiseFlag", request or absence(), missing_pb2.RaiseFlagResponse, "workers")
    return cast(missing_pb2.RaiseFlagResponse, answer)


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
    assert (flag.version, flag.recorded, flag.unheard) == (2, True, 0)
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


async def test_only_the_owner_ends_a_flag_and_anybody_else_reports_the_youth_located(tmp_path: Path) -> None:
    sent: list[gateway_missing.FlagResolution] = []

    def state(payload: bytes) -> int:
        sent.append(gateway_missing.FlagResolution.FromString(payload))
        return to_wire(FlagState.RESOLVED if sent[-1].HasField("flag_statement") else FlagState.LOCATED_PENDING)

    async with county(tmp_path) as at:
        own = (await raise_own_flag(at)).flag_id
        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = recorded(
            at, "flag.resolved", gateway_missing.ResolveFlagResponse, flag_state=state
        )
        answers = []
        for flag_id in (own, FLAG.hex()):
            request = missing_pb2.ResolveFlagRequest(
                flag_id=flag_id, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME
            )
            answers.append(
                await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
            )
        (flag,) = at.flags.of(OWN_HANDLE)
    assert [each.flag_state for each in answers] == [codes.FLAG_STATE_RESOLVED, codes.FLAG_STATE_LOCATED_PENDING]
    assert flag.state is FlagState.RESOLVED
    assert flag.casework.resolution_group == codes.RESOLUTION_GROUP_RETURNED_SAME


async def test_an_end_that_the_policy_refuses_ends_no_flag_here(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        own = (await raise_own_flag(at)).flag_id

        def refused(payload: bytes, claims: Any) -> Any:
            receipt = at.gateway.leaf("access.decision", payload, claims, "NOT_PERMITTED")
            return gateway_missing.ResolveFlagResponse(outcome=codes.OUTCOME_NOT_PERMITTED, receipt=receipt)

        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = refused
        group = codes.RESOLUTION_GROUP_RETURNED_SAME
        request = missing_pb2.ResolveFlagRequest(flag_id=own, resolution_group=group)
        await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
        (flag,) = at.flags.of(OWN_HANDLE)
    stated = FlagStatement.FromString(flag.statement.payload)
    assert (flag.state, flag.version, stated.state) == (FlagState.ACTIVE, 3, to_wire(FlagState.ACTIVE))
    assert not flag.casework.resolved_date


async def test_a_located_report_names_the_callers_county_unless_it_says_otherwise(tmp_path: Path) -> None:
    sent: list[str] = []

    def located(payload: bytes) -> bytes:
        sent.append(gateway_missing.LocatedReport.FromString(payload).located_county)
        return b""

    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            located(payload)
            receipt = at.gateway.leaf("flag.located", payload, claims, "RECORDED")
            return gateway_missing.ReportLocatedResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.REPORT_LOCATED.path] = answer
        for where in ("", "06037"):
            request = missing_pb2.ReportLocatedRequest(
                flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW), located_county=where
            )
            done = await at.call("MissingService/ReportLocated", request, missing_pb2.ReportLocatedResponse, "workers")
            assert done.outcome == codes.OUTCOME_RECORDED
    assert sent == ["06029", "06037"]


@pytest.mark.parametrize("code", ["00000", "99999", "06002"])
async def test_a_county_that_is_none_is_told_to_nobody(code: str, tmp_path: Path) -> None:
    located = missing_pb2.ReportLocatedRequest(
        flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW), located_county=code
    )
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        (flag,) = at.flags.of(OWN_HANDLE)
        locate = FlagLocate(missing_since_date="2026-11-20", last_seen_county=code)
        update = missing_pb2.UpdateFlagRequest(flag_id=flag.flag_id.hex(), flag_locate=locate)
        at.gateway.calls.clear()
        found = [
            await refusal(at, "MissingService/ReportLocated", located, "workers"),
            await refusal(at, "MissingService/UpdateFlag", update, "workers"),
        ]
        assert at.gateway.calls == []
        assert at.flags.of(OWN_HANDLE) == [flag]
    assert [each.fields for each in found] == [
        ("located_county: a county's FIPS code",),
        ("flag_locate.last_seen_county: a county's FIPS code",),
    ]
    assert not any(code in str(each) for each in found)


async def test_a_report_whose_receipt_is_about_something_else_is_refused(tmp_path: Path) -> None:
    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            receipt = at.gateway.leaf("flag.located", b"another request", claims, "RECORDED")
            return gateway_missing.ReportLocatedResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.REPORT_LOCATED.path] = answer
        request = missing_pb2.ReportLocatedRequest(
            flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW)
        )
        found = await refusal(at, "MissingService/ReportLocated", request, "workers")
    assert (found.code, found.reason) == (grpc.StatusCode.DATA_LOSS, "EVIDENCE_INVALID")
    assert found.fault == "receipt_request"


def consent_request(**changes: Any) -> authority_pb2.RecordAuthorityRequest:
    given: dict[str, Any] = {
        "youth": county_pb2.YouthIdentity(given_name=CANARY, surname=CANARY_SURNAME, birth_date=CANARY_BIRTH),
        "basis": codes.BASIS_CONSENT,
        "grantor": gateway_authority.GRANTOR_PARENT_GUARDIAN,
        "purposes": [codes.PURPOSE_CFT_COORDINATION],
        "field_sets": [codes.FIELD_SET_FS4_PLACEMENT_SUMMARY],
        "recipient_agencies": ["06037.prob"],
        "expire_time": stamp(NOW + timedelta(days=300)),
        "evidence_reference": "REF-77-1234",
        "language_text": f"I, the parent of {CANARY}, agree.",
        "copy_given_to_youth": True,
    }
    return authority_pb2.RecordAuthorityRequest(**(given | changes))


async def test_what_is_revoked_while_the_exchange_does_not_know_it_is_never_presented_as_standing(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = recorded(
            at, "authority.recorded", gateway_authority.RecordAuthorityResponse
        )
        done = await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )

        def unknown(payload: bytes, claims: Any) -> Any:
            raise CallFailed(CallFault.REFUSED, "AUTHORITY_NOT_FOUND")

        at.gateway.answers[rpcs.REVOKE_AUTHORITY.path] = unknown
        request = authority_pb2.RevokeAuthorityRequest(authority_id=done.authority_id)
        found = await refusal(at, "AuthorityService/RevokeAuthority", request, "workers")
        assert found.reason == "AUTHORITY_NOT_FOUND"
        kept = OwnAuthorities(at.store).find(AuthorityId(bytes.fromhex(done.authority_id)))
    assert kept is not None
    assert kept.revoke_ms is not None


async def test_a_consent_is_signed_here_and_names_nobody(tmp_path: Path) -> None:
    sent: list[SignedEnvelope] = []

    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            sent.append(gateway_authority.AuthorityRecord.FromString(payload).authority)
            receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
            return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = answer
        done = await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )
    (envelope,) = sent
    kept = open_authority(envelope, directory(), NOW)
    assert done.authority_id == kept.authority_id.hex()
    assert kept.issuer_agency == ASKER
    assert kept.subject is not None
    assert len(kept.subject.token_digests) == next(
        rule.pad for rule in load_key_scheme().keys if rule.name == DECISIVE_KEY
    )
    assert not any(word.encode() in envelope.payload for word in PERSONAL)
    # 18 in 2029: the life of this consent ends long before.
    assert not gateway_authority.Authority.FromString(envelope.payload).expires_at_majority


async def test_an_own_youth_is_named_by_its_handle(tmp_path: Path) -> None:
    sent: list[gateway_authority.Authority] = []

    async with county(tmp_path) as at:

        def answer(payload: bytes, claims: Any) -> Any:
            record = gateway_authority.AuthorityRecord.FromString(payload)
            sent.append(gateway_authority.Authority.FromString(record.authority.payload))
            receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
            return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        at.gateway.answers[rpcs.RECORD_AUTHORITY.path] = answer
        request = consent_request(local_id=OWN_YOUTH)
        await at.call("AuthorityService/RecordAuthority", request, authority_pb2.RecordAuthorityResponse, "workers")
        assert at.tokens.people == []
    assert sent[0].subject.handle == OWN_HANDLE


async def test_listed_authorities_are_verified_and_come_without_their_subject(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        stored: list[SignedEnvelope] = []

        def record(payload: bytes, claims: Any) -> Any:
            stored.append(gateway_authority.AuthorityRecord.FromString(payload).authority)
            receipt = at.gateway.leaf("authority.recorded", payload, claims, "RECORDED")
            return gateway_authority.RecordAuthorityResponse(outcome=codes.OUTCOME_RECORDED, receipt=receipt)

        def listing(payload: bytes, claims: Any) -> Any:
            item = gateway_authority.ListedAuthority(authority=stored[0], revoke_time=stamp(NOW))
            item.recorded.create_time.CopyFrom(stamp(NOW))
            return gateway_authority.ListAuthoritiesResponse(
                outcome=codes.OUTCOME_ANSWERED,
                authorities=[item],
                receipt=at.gateway.leaf("authority.listed", payload, claims, "ANSWERED"),
            )

        at.gateway.answers |= {rpcs.RECORD_AUTHORITY.path: record, rpcs.LIST_AUTHORITIES.path: listing}
        await at.call(
            "AuthorityService/RecordAuthority", consent_request(), authority_pb2.RecordAuthorityResponse, "workers"
        )
        request = authority_pb2.ListAuthoritiesRequest()
        page = await at.call(
            "AuthorityService/ListAuthorities", request, authority_pb2.ListAuthoritiesResponse, "workers"
        )
        stored[0].signature = bytes(64)
        found = await refusal(at, "AuthorityService/ListAuthorities", request, "workers")
    (item,) = page.authorities
    assert not item.authority.HasField("subject")
    assert item.revoke_time == stamp(NOW)
    assert (found.reason, found.fault) == ("EVIDENCE_INVALID", "authority")


async def test_a_teacher_cannot_record_a_consent(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        found = await refusal(at, "AuthorityService/RecordAuthority", consent_request(), "teachers")
        assert at.gateway.calls == []
    assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_HELD")
