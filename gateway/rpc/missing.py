"""MissingService: thin skin on `gateway.missing`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.receipts import receipt_message
from gateway.missing.flags import FlagReports
from gateway.missing.recording import Recorded
from gateway.protocol.names import FlagState
from gateway.protocol.outcomes import Outcome
from gateway.protocol.reporting_duties import DueDuty
from gateway.protocol.wire_names import to_wire
from gateway.rpc.incoming import Admission, admitted, call_of, on_record
from gateway.rpc.interceptor import current_peer
from homeward.audit.v1.log_pb2 import Receipt
from homeward.counting import OutcomeCounts
from homeward.gateway.v1 import missing_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.missing_pb2_grpc import MissingServiceServicer


class MissingServicer(MissingServiceServicer):
    """Parses, records, builds."""

    def __init__(
        self, reports: FlagReports, admission: Admission, *, outcomes: OutcomeCounts, now: Callable[[], datetime]
    ) -> None:
        self._reports = reports
        self._outcomes = outcomes
        self._admission = admission
        self._now = now

    async def RaiseFlag(self, request: pb.RaiseFlagRequest, context: Any) -> pb.RaiseFlagResponse:
        """A youth is missing."""
        call = call_of(request, current_peer(), self._now())
        caller, report = await admitted(request, call, self._admission, pb.FlagReport)
        recorded = await on_record(call, self._admission, lambda: self._reports.raise_flag(caller, report))
        if recorded.late:
            self._outcomes.late.record(caller.agency)
        return pb.RaiseFlagResponse(
            outcome=to_wire(recorded.outcome),  # type: ignore[arg-type]
            flag_id=recorded.flag_id,
            late=recorded.late,
            receipt=_receipt(recorded),
            standing_statement=SignedEnvelope.FromString(recorded.standing) if recorded.standing else None,
        )

    async def UpdateFlag(self, request: pb.UpdateFlagRequest, context: Any) -> pb.UpdateFlagResponse:
        """The owner changes its flag, or did a duty."""
        call = call_of(request, current_peer(), self._now())
        caller, update = await admitted(request, call, self._admission, pb.FlagUpdate)
        recorded = await on_record(call, self._admission, lambda: self._reports.update_flag(caller, update))
        return pb.UpdateFlagResponse(
            outcome=to_wire(recorded.outcome),  # type: ignore[arg-type]
            open_duties=[_due(each) for each in recorded.duties],
            receipt=_receipt(recorded),
        )

    async def ReportLocated(self, request: pb.ReportLocatedRequest, context: Any) -> pb.ReportLocatedResponse:
        """A flagged youth was located."""
        call = call_of(request, current_peer(), self._now())
        caller, report = await admitted(request, call, self._admission, pb.LocatedReport)
        recorded = await on_record(call, self._admission, lambda: self._reports.report_located(caller, report))
        return pb.ReportLocatedResponse(
            outcome=to_wire(recorded.outcome),  # type: ignore[arg-type]
            receipt=_receipt(recorded),
        )

    async def ResolveFlag(self, request: pb.ResolveFlagRequest, context: Any) -> pb.ResolveFlagResponse:
        """An episode ended."""
        call = call_of(request, current_peer(), self._now())
        caller, resolution = await admitted(request, call, self._admission, pb.FlagResolution)
        recorded = await on_record(call, self._admission, lambda: self._reports.resolve_flag(caller, resolution))
        response = pb.ResolveFlagResponse(
            outcome=to_wire(recorded.outcome),  # type: ignore[arg-type]
            open_duties=[_due(each) for each in recorded.duties],
            receipt=_receipt(recorded),
        )
        if recorded.outcome is Outcome.RECORDED:
            # To anybody but the owner it is pending, whatever the owner has said since.
            response.flag_state = to_wire(recorded.state or FlagState.LOCATED_PENDING)  # type: ignore[assignment]
        return response


def _receipt(recorded: Recorded) -> Receipt:
    return receipt_message(recorded.entered.receipt(REQUESTER_OPENS))


def _due(duty: DueDuty) -> pb.DutyDue:
    message = pb.DutyDue(duty=duty.duty, overdue=duty.overdue)  # type: ignore[arg-type]
    message.due_time.FromDatetime(duty.due)
    return message
