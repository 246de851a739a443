"""Which reports an adapter keeps to present them after a loss, and that its county's word over their bytes holds."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

from adapters.node import rpcs
from adapters.node.own_reports import OwnReport, OwnReports, make_reports_due
from gateway.protocol.assertion import AssertionRefused, verify_earlier_assertion
from gateway.protocol.names import FlagState, Purpose
from gateway.protocol.wire_names import to_wire
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from tests.integration.local_kit import County, county
from tests.integration.report_kit import absence, raise_own_flag, recorded
from tests.unit.node.world import ASKER, FLAG, NOW, directory, stamp

LOCATED = missing_pb2.ReportLocatedRequest(
    flag_id=FLAG.hex(), purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=stamp(NOW), located_county="06037"
)
RESOLVED = missing_pb2.ResolveFlagRequest(flag_id=FLAG.hex(), resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME)
FINDER_RESOLVED = missing_pb2.ResolveFlagRequest(
    flag_id=FLAG.hex(),
    resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME,
    purpose=codes.PURPOSE_MFC_HANDOFF,
)


def kept(at: County) -> list[OwnReport]:
    """Every report that would be presented after a loss."""
    reports = OwnReports(at.store)
    with at.store.write() as connection:
        make_reports_due(connection)
    found = [reports.find(request_id) for request_id in reports.due()]
    return [each for each in found if each is not None]


async def reported(at: County, method: str, request: Message, *, kind: str) -> None:
    """Staff report it, and it is on record."""
    answers: dict[str, tuple[rpcs.Rpc[Any, Any], Any, dict[str, Any]]] = {
        "RaiseFlag": (rpcs.RAISE_FLAG, missing_pb2.RaiseFlagResponse, {}),
        "ReportLocated": (rpcs.REPORT_LOCATED, missing_pb2.ReportLocatedResponse, {}),
        "ResolveFlag": (
            rpcs.RESOLVE_FLAG,
            missing_pb2.ResolveFlagResponse,
            {"flag_state": to_wire(FlagState.LOCATED_PENDING)},
        ),
    }
    rpc, response, more = answers[method]
    at.gateway.answers[rpc.path] = recorded(at, kind, getattr(gateway_missing, f"{method}Response"), **more)
    done = await at.call(f"MissingService/{method}", request, response, "workers")
    assert done.outcome == codes.OUTCOME_RECORDED


@pytest.mark.parametrize(
    ("method", "request_", "kind", "purpose"),
    [
        ("RaiseFlag", absence(), "flag.raised", Purpose.MFC_LOCATE),
        ("RaiseFlag", absence(), "report.presented", Purpose.MFC_LOCATE),
        ("ReportLocated", LOCATED, "flag.located", Purpose.MFC_HANDOFF),
        ("ReportLocated", LOCATED, "located.presented", Purpose.MFC_HANDOFF),
        ("ResolveFlag", RESOLVED, "flag.located", Purpose.MFC_LOCATE),
        ("ResolveFlag", FINDER_RESOLVED, "flag.located", Purpose.MFC_HANDOFF),
    ],
)
async def test_a_report_about_anothers_episode_is_kept_with_the_countys_word_over_its_bytes(
    tmp_path: Path, method: str, request_: Message, kind: str, purpose: Purpose
) -> None:
    async with county(tmp_path) as at:
        await reported(at, method, request_, kind=kind)
        (report,) = kept(at)
    sent = at.gateway.calls[-1][1]
    assert report.payload == sent
    long_after = NOW + timedelta(days=50)
    claims = verify_earlier_assertion(report.assertion, directory=directory(), payload=report.payload, now=long_after)
    assert (claims.issuer, claims.purpose, claims.issued) == (ASKER, purpose, NOW)
    with pytest.raises(AssertionRefused):
        verify_earlier_assertion(report.assertion, directory=directory(), payload=b"other", now=long_after)


async def test_what_the_agency_states_itself_is_no_report_and_neither_is_what_was_refused(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        own = (await raise_own_flag(at)).flag_id
        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = recorded(
            at, "flag.resolved", gateway_missing.ResolveFlagResponse, flag_state=to_wire(FlagState.RESOLVED)
        )
        request = missing_pb2.ResolveFlagRequest(flag_id=own, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME)
        await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")

        def refused(payload: bytes, claims: Any) -> Any:
            receipt = at.gateway.leaf("access.decision", payload, claims, "NOT_PERMITTED")
            return gateway_missing.ReportLocatedResponse(outcome=codes.OUTCOME_NOT_PERMITTED, receipt=receipt)

        at.gateway.answers[rpcs.REPORT_LOCATED.path] = refused
        await at.call("MissingService/ReportLocated", LOCATED, missing_pb2.ReportLocatedResponse, "workers")
        assert kept(at) == []
