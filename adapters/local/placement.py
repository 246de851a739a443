"""PlacementService: placement history and responsibility, for county systems. Parse, ask, build."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from adapters.local.interceptor import LocalCall, current_call
from adapters.local.wire import Reading, number, page_id, page_position, receipt, withheld
from adapters.node.answers import RecordResult
from adapters.node.request import Page, Question, Requester, content_digest
from gateway.protocol.names import FieldSet
from gateway.protocol.outcomes import Outcome
from homeward.county.v1 import placement_pb2, placement_pb2_grpc

SUMMARY: Final = (FieldSet.FS4_PLACEMENT_SUMMARY,)
DETAIL: Final = (FieldSet.FS5_PLACEMENT_DETAIL,)
CONTACT: Final = (FieldSet.FS6_JURISDICTION_CONTACT,)
DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGES: Final = 999


@dataclass(frozen=True, slots=True)
class PlacementEdge:
    """What the service needs."""

    reading: Reading = field(repr=False)
    requester: Requester = field(repr=False)
    policy_version: Callable[[], str]


class PlacementServicer(placement_pb2_grpc.PlacementServiceServicer):
    """Serves `homeward.county.v1.PlacementService`."""

    def __init__(self, edge: PlacementEdge) -> None:
        self._at = edge

    async def GetPlacementHistory(
        self, request: placement_pb2.GetPlacementHistoryRequest, context: Any
    ) -> placement_pb2.GetPlacementHistoryResponse:
        """One page of placement history."""
        call = current_call()
        asked = DETAIL if request.detail else SUMMARY
        number_ = page_position(request.page_token, lowest=2, highest=MAX_PAGES) or 1
        page = Page(number_, request.page_size or DEFAULT_PAGE_SIZE)
        question = self._at.reading.question(request.inquiry, call, asked)
        built, _ = await self._page(question, page, call)
        return placement_pb2.GetPlacementHistoryResponse(page=built)

    async def StreamPlacementHistory(
        self, request: placement_pb2.StreamPlacementHistoryRequest, context: Any
    ) -> AsyncIterator[placement_pb2.StreamPlacementHistoryResponse]:
        """Page after page; each is decided and released on its own, and the first refusal is the last page."""
        call = current_call()
        asked = DETAIL if request.detail else SUMMARY
        question = self._at.reading.question(request.inquiry, call, asked)
        for number_ in range(1, MAX_PAGES + 1):
            page = Page(number_, request.page_size or DEFAULT_PAGE_SIZE)
            built, result = await self._page(question, page, call)
            yield placement_pb2.StreamPlacementHistoryResponse(page=built)
            if result.answer is None or not result.answer.more_pages:
                return

    async def GetJurisdictionContact(
        self, request: placement_pb2.GetJurisdictionContactRequest, context: Any
    ) -> placement_pb2.GetJurisdictionContactResponse:
        """Who is responsible and whom to call."""
        call = current_call()
        question = self._at.reading.question(request.inquiry, call, CONTACT)
        result = await self._at.requester.ask_records(question, Page(), call.deadline)
        response = placement_pb2.GetJurisdictionContactResponse(
            outcome=number(result.outcome),
            notices=[number(notice) for notice in result.notices],
            duties=[number(duty) for duty in result.duties],
            withheld=withheld(result, CONTACT),
            stale_counties=result.stale_counties,
            receipt=receipt(result.decision, question.request_id, self._at.policy_version()),
        )
        if result.answer is not None:
            response.jurisdiction_contact.CopyFrom(result.answer.jurisdiction_contact)
            response.data_as_of_time.CopyFrom(result.answer.data_as_of_time)
        return response

    async def _page(
        self, question: Question, page: Page, call: LocalCall
    ) -> tuple[placement_pb2.HistoryPage, RecordResult]:
        key = self._at.reading.commitment_key
        question = replace(
            question,
            request_id=page_id(question.request_id, page.number, key=key),
            content=content_digest(key, question.content, f"{page.number}/{page.size}".encode()),
        )
        result = await self._at.requester.ask_records(question, page, call.deadline)
        return self._built(question, page, result), result

    def _built(self, question: Question, page: Page, result: RecordResult) -> placement_pb2.HistoryPage:
        version = self._at.policy_version()
        built = placement_pb2.HistoryPage(
            outcome=number(result.outcome),
            notices=[number(notice) for notice in result.notices],
            duties=[number(duty) for duty in result.duties],
            source_agency=result.source,
            withheld=withheld(result, question.field_sets),
            stale_counties=result.stale_counties,
            receipt=receipt(result.decision, question.request_id, version),
            release_receipt=receipt(result.release, question.request_id, version),
        )
        if result.outcome is Outcome.ANSWERED and result.answer is not None:
            built.mode = result.answer.mode
            built.placement_history.CopyFrom(result.answer.placement_history)
            built.data_as_of_time.CopyFrom(result.answer.data_as_of_time)
            built.next_page_token = str(page.number + 1) if result.answer.more_pages else ""
        return built
