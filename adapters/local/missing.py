"""MissingService: flags, for county systems. Parse, ask, build; what is decided is decided elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from adapters.errors import ErrorReason, Invalid
from adapters.local.interceptor import current_call
from adapters.local.wire import Reading, county_code, moment, number, past_day, person, receipt, stamp, withheld
from adapters.node.alerts import Alerts, Told
from adapters.node.reports import Absence, Change, Reporter
from adapters.node.request import Page, Requester
from adapters.node.store import Store
from adapters.node.tables import subject
from adapters.records import LocalSubjectId
from gateway.protocol.names import FieldSet, FlagId, HandlingCode, Purpose
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.wire_names import from_wire
from homeward.county.v1 import missing_pb2, missing_pb2_grpc
from homeward.gateway.v1.records_pb2 import FlagLocate

FLAG: Final = (FieldSet.FS1_FLAG_STATUS,)
DETAILS: Final = (FieldSet.FS2_FLAG_LOCATE, FieldSet.FS3_FLAG_CASEWORK)
POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class MissingEdge:
    """What the service needs."""

    reading: Reading = field(repr=False)
    requester: Requester = field(repr=False)
    reporter: Reporter = field(repr=False)
    alerts: Alerts = field(repr=False)
    store: Store = field(repr=False)
    policy_version: Callable[[], str]


class MissingServicer(missing_pb2_grpc.MissingServiceServicer):
    """Serves `homeward.county.v1.MissingService`."""

    def __init__(self, edge: MissingEdge) -> None:
        self._at = edge

    async def CheckFlag(self, request: missing_pb2.CheckFlagRequest, context: Any) -> missing_pb2.CheckFlagResponse:
        """Flag status of one youth."""
        call = current_call()
        question = self._at.reading.question(request.inquiry, call, FLAG)
        result = await self._at.requester.ask_flag(question, call.deadline)
        return missing_pb2.CheckFlagResponse(
            outcome=number(result.outcome),
            notices=[number(notice) for notice in result.notices],
            duties=[number(duty) for duty in result.duties],
            handling_code=number(result.handling_code),
            duty_line=result.duty_line,
            county=result.county,
            flag_id=result.flag_id.hex(),
            flag_state=number(result.flag_state),
            stale_counties=result.stale_counties,
            receipt=receipt(result.receipt, question.request_id, self._at.policy_version()),
        )

    async def GetFlagDetails(
        self, request: missing_pb2.GetFlagDetailsRequest, context: Any
    ) -> missing_pb2.GetFlagDetailsResponse:
        """What helps to locate a flagged youth."""
        call = current_call()
        question = self._at.reading.question(request.inquiry, call, DETAILS)
        result = await self._at.requester.ask_records(question, Page(), call.deadline)
        answer = result.answer
        response = missing_pb2.GetFlagDetailsResponse(
            outcome=number(result.outcome),
            notices=[number(notice) for notice in result.notices],
            duties=[number(duty) for duty in result.duties],
            withheld=withheld(result, DETAILS),
            receipt=receipt(result.decision, question.request_id, self._at.policy_version()),
        )
        if answer is not None:
            _copy(answer, response, "flag_locate", "flag_casework", "data_as_of_time")
        return response

    async def RaiseFlag(self, request: missing_pb2.RaiseFlagRequest, context: Any) -> missing_pb2.RaiseFlagResponse:
        """A youth is reported missing."""
        call, inquiry = current_call(), request.inquiry
        entry = self._at.reading.entry(
            request,
            call,
            request_id=inquiry.request_id,
            role=inquiry.role,
            purpose=from_wire(Purpose, inquiry.purpose),
            authority_id=inquiry.authority_id,
        )
        absence = Absence(
            youth=person(inquiry.youth, self._at.reading.now()),
            local_id=LocalSubjectId(request.local_id) if request.local_id else None,
            learned=moment(request.learn_time, "learn_time"),
            handling_code=_handling(request.handling_code),
            locate=_locate(request, self._at.reading.now()),
            of_another_agency=request.of_another_agency,
        )
        done = await self._at.reporter.raise_flag(entry, absence, call.deadline)
        return missing_pb2.RaiseFlagResponse(
            outcome=number(done.outcome),
            flag_id=done.flag_id.hex(),
            late=done.late,
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def UpdateFlag(self, request: missing_pb2.UpdateFlagRequest, context: Any) -> missing_pb2.UpdateFlagResponse:
        """The owner changes or re-affirms a flag."""
        call = current_call()
        entry = self._at.reading.entry(
            request, call, request_id=request.request_id, role=request.role, purpose=Purpose.MFC_LOCATE
        )
        for each in request.duties:
            if each.HasField("done_time"):
                moment(each.done_time, "duties.done_time")
        change = Change(
            duties=tuple(request.duties),
            handling_code=_handling(request.handling_code),
            locate=_locate(request, self._at.reading.now()) if request.HasField("flag_locate") else None,
            return_conversation_done=request.return_conversation_done,
            still_missing=request.still_missing,
        )
        done = await self._at.reporter.update_flag(entry, _flag(request.flag_id), change, call.deadline)
        return missing_pb2.UpdateFlagResponse(
            outcome=number(done.outcome),
            open_duties=done.open_duties,
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def ReportLocated(
        self, request: missing_pb2.ReportLocatedRequest, context: Any
    ) -> missing_pb2.ReportLocatedResponse:
        """A flagged youth is reported located."""
        call = current_call()
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=from_wire(Purpose, request.purpose),
        )
        done = await self._at.reporter.report_located(
            entry,
            _flag(request.flag_id),
            located=moment(request.locate_time, "locate_time"),
            county=county_code(request.located_county, "located_county"),
            deadline=call.deadline,
        )
        return missing_pb2.ReportLocatedResponse(
            outcome=number(done.outcome),
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def ResolveFlag(
        self, request: missing_pb2.ResolveFlagRequest, context: Any
    ) -> missing_pb2.ResolveFlagResponse:
        """A flag is resolved by its owner, or reported as located by another."""
        call = current_call()
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=from_wire(Purpose, request.purpose) if request.purpose else Purpose.MFC_LOCATE,
        )
        done = await self._at.reporter.resolve_flag(
            entry,
            _flag(request.flag_id),
            resolution=request.resolution_group,
            entered_in_error=request.entered_in_error,
            deadline=call.deadline,
        )
        return missing_pb2.ResolveFlagResponse(
            outcome=number(done.outcome),
            flag_state=number(done.flag_state),
            open_duties=done.open_duties,
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def WatchAlerts(
        self, request: missing_pb2.WatchAlertsRequest, context: Any
    ) -> AsyncIterator[missing_pb2.WatchAlertsResponse]:
        """Alerts after a cursor, and with `follow` those to come."""
        cursor = request.cursor
        await self._check_given("cursor", cursor)
        while True:
            told = await asyncio.to_thread(self._at.alerts.told_after, cursor)
            for each in told:
                yield await asyncio.to_thread(self._alert, each)
                cursor = each.message.sequence
            if not told:
                if not request.follow:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def AcknowledgeAlerts(
        self, request: missing_pb2.AcknowledgeAlertsRequest, context: Any
    ) -> missing_pb2.AcknowledgeAlertsResponse:
        """A person took note of alerts."""
        await self._check_given("sequence", request.sequence)
        await asyncio.to_thread(self._at.alerts.note, request.sequence)
        count = await asyncio.to_thread(self._at.alerts.open_count)
        return missing_pb2.AcknowledgeAlertsResponse(open_count=count)

    async def _check_given(self, name: str, sequence: int) -> None:
        """Raises `Invalid` for a number above every alert that came here: one of another adapter, or of this one before
        it was put back. What came since would be passed over without a word.
        """
        if sequence > await asyncio.to_thread(self._at.alerts.cursor):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{name}: none that was given here",))

    def _alert(self, told: Told) -> missing_pb2.WatchAlertsResponse:
        alert, run = told.message, told.run
        with self._at.store.read() as connection:
            local_id = connection.scalar(select(subject.c.local_id).where(subject.c.handle == alert.subject_handle))
        return missing_pb2.WatchAlertsResponse(
            sequence=alert.sequence,
            # The two lists have the same numbers (test_alert_kinds_agree).
            kind=int(alert.kind),  # type: ignore[arg-type]
            local_id=local_id or "",
            flag_id=alert.flag_id.hex(),
            acting_agency=alert.acting_agency,
            acting_duty_line=alert.acting_duty_line,
            located_county=alert.located_county,
            purpose=alert.purpose,
            act_time=alert.leaf.create_time,
            leaf_index=alert.leaf.index,
            act_count=run.count if run is not None else 1,
            first_act_time=stamp(moment_of(run.first_ms)) if run is not None else alert.leaf.create_time,
            duties=alert.duties,
            report_time=alert.report_time if alert.HasField("report_time") else None,
            last_act_time=stamp(moment_of(run.last_ms)) if run is not None else alert.leaf.create_time,
        )


def _handling(number: int) -> HandlingCode | None:
    return from_wire(HandlingCode, number) if number else None


def _locate(request: missing_pb2.RaiseFlagRequest | missing_pb2.UpdateFlagRequest, now: datetime) -> FlagLocate:
    """What helps to locate. Raises `Invalid` for what others must not be told: a day that is none or is yet to come,
    a county that is none.
    """
    if request.HasField("flag_locate"):
        county_code(request.flag_locate.last_seen_county, "flag_locate.last_seen_county")
        past_day(request.flag_locate.missing_since_date, "flag_locate.missing_since_date", now)
    return request.flag_locate


def _flag(text: str) -> FlagId:
    return FlagId(bytes.fromhex(text))


def _copy(source: Any, target: Any, *names: str) -> None:
    for name in names:
        if source.HasField(name):
            getattr(target, name).CopyFrom(getattr(source, name))
