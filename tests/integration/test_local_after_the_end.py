"""What the owner still owes once an episode has ended: recorded, and kept by the county."""

from datetime import timedelta
from pathlib import Path

import pytest
from grpc import aio

from adapters.node import rpcs
from adapters.node.duties import OwnDuties
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.missing_pb2 import (
    DUTY_COURT_NOTICE,
    DUTY_FOUND_REPORT,
    DUTY_LAW_ENFORCEMENT_REPORT,
    DUTY_NCMEC_REPORT,
    DUTY_PARTIES_NOTICE,
    DUTY_TRIBE_NOTICE,
    DutyDone,
)
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.integration.local_kit import OWN_HANDLE, County, county, refusal
from tests.integration.report_kit import raise_own_flag, recorded, refuses
from tests.unit.node.world import NOW, stamp

ALL = (
    DUTY_LAW_ENFORCEMENT_REPORT, DUTY_NCMEC_REPORT, DUTY_PARTIES_NOTICE, DUTY_COURT_NOTICE, DUTY_TRIBE_NOTICE,
    DUTY_FOUND_REPORT,
)  # fmt: skip


async def ended(at: County) -> str:
    """A flag that its owner has ended, on record."""
    raised = await raise_own_flag(at)
    at.gateway.answers[rpcs.RESOLVE_FLAG.path] = recorded(
        at, "flag.resolved", gateway_missing.ResolveFlagResponse, flag_state=codes.FLAG_STATE_RESOLVED
    )
    request = missing_pb2.ResolveFlagRequest(
        flag_id=raised.flag_id, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME
    )
    await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
    at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
    return raised.flag_id  # type: ignore[no-any-return]


async def test_duties_done_after_the_end_are_recorded_without_another_statement(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        flag_id, duties = await ended(at), OwnDuties(at.store)
        (before,) = at.flags.of(OWN_HANDLE)
        later = NOW + timedelta(days=2)
        assert DUTY_FOUND_REPORT in {each.duty for each in duties.overdue(later)}
        done = [DutyDone(duty=each, done_time=stamp(NOW)) for each in ALL]
        request = missing_pb2.UpdateFlagRequest(flag_id=flag_id, duties=done)
        answer = await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        sent = gateway_missing.FlagUpdate.FromString(at.gateway.calls[-1][1])
        assert duties.overdue(later) == []
        (after,) = at.flags.of(OWN_HANDLE)
    assert answer.outcome == codes.OUTCOME_RECORDED
    assert (list(sent.duties), sent.HasField("flag_statement")) == (done, False)
    assert (after.version, after.state, after.recorded) == (before.version, before.state, True)
    assert after.casework.parties_notice_time == stamp(NOW)
    assert after.casework.resolution_group == codes.RESOLUTION_GROUP_RETURNED_SAME


async def test_that_the_return_conversation_took_place_is_the_countys_to_keep(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        request = missing_pb2.UpdateFlagRequest(flag_id=await ended(at), return_conversation_done=True)
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = refuses
        with pytest.raises(aio.AioRpcError):
            await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        assert not at.flags.of(OWN_HANDLE)[0].casework.return_conversation_done, "nothing that was refused"
        at.gateway.answers[rpcs.UPDATE_FLAG.path] = recorded(at, "flag.updated", gateway_missing.UpdateFlagResponse)
        await at.call("MissingService/UpdateFlag", request, missing_pb2.UpdateFlagResponse, "workers")
        assert at.flags.of(OWN_HANDLE)[0].casework.return_conversation_done


@pytest.mark.parametrize(
    "change",
    [
        {"handling_code": codes.HANDLING_CODE_CALL_DUTY_LINE},
        {"flag_locate": FlagLocate(missing_since_date="2026-11-20")},
    ],
    ids=["handling", "locate"],
)
async def test_what_an_open_episode_says_cannot_be_changed_of_an_ended_one(
    tmp_path: Path, change: dict[str, object]
) -> None:
    async with county(tmp_path) as at:
        request = missing_pb2.UpdateFlagRequest(flag_id=await ended(at), **change)  # type: ignore[arg-type]
        count = len(at.gateway.calls)
        found = await refusal(at, "MissingService/UpdateFlag", request, "workers")
        assert len(at.gateway.calls) == count
    assert (found.reason, found.fields) == ("INVALID_REQUEST", ("flag_id: an episode that is open, or duties alone",))


async def test_an_own_flag_is_not_ended_here_for_a_purpose_that_the_exchange_refuses(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        raised = await raise_own_flag(at)
        request = missing_pb2.ResolveFlagRequest(
            flag_id=raised.flag_id,
            resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME,
            purpose=codes.PURPOSE_MFC_HANDOFF,
        )
        count = len(at.gateway.calls)
        found = await refusal(at, "MissingService/ResolveFlag", request, "workers")
        assert (len(at.gateway.calls), at.flags.of(OWN_HANDLE)[0].is_open) == (count, True)
    assert found.fields == ("purpose: MFC_LOCATE for a flag of this agency",)
