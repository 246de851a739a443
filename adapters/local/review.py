"""ReviewService: possible matches, for county systems. Parse, ask, build; what is decided is decided elsewhere."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from adapters.local.interceptor import current_call
from adapters.local.wire import receipt
from adapters.node.reviews import KeptReview, Reviewer
from adapters.node.store import Store
from adapters.node.tables import subject
from adapters.staff import choose_role
from gateway.protocol.matching.evidence import Agreement, Trait, sentence
from gateway.protocol.wire_names import from_wire
from homeward.county.v1 import review_pb2, review_pb2_grpc
from homeward.gateway.v1.review_pb2 import REVIEW_SIDE_LISTING


@dataclass(frozen=True, slots=True)
class ReviewEdge:
    """What the service needs."""

    reviewer: Reviewer = field(repr=False)
    store: Store = field(repr=False)
    policy_version: Callable[[], str]


class ReviewServicer(review_pb2_grpc.ReviewServiceServicer):
    """Serves `homeward.county.v1.ReviewService`."""

    def __init__(self, edge: ReviewEdge) -> None:
        self._at = edge

    async def ListReviews(self, request: review_pb2.ListReviewsRequest, context: Any) -> review_pb2.ListReviewsResponse:
        """Possible matches that concern this agency."""
        kept = await asyncio.to_thread(self._at.reviewer.reviews.listed, open_only=request.open_only)
        return review_pb2.ListReviewsResponse(
            reviews=await asyncio.to_thread(lambda: [self._review(each) for each in kept])
        )

    async def GiveVerdict(self, request: review_pb2.GiveVerdictRequest, context: Any) -> review_pb2.GiveVerdictResponse:
        """The agency's verdict."""
        call = current_call()
        role = choose_role(call.staff, request.role)
        given = await self._at.reviewer.give(
            bytes.fromhex(request.review_id),
            request.verdict,
            worker=f"{call.staff.pseudonym} {role}",
            deadline=call.deadline,
        )
        return review_pb2.GiveVerdictResponse(
            state=given.state,  # type: ignore[arg-type]
            receipt=receipt(given.receipt, None, self._at.policy_version()),
        )

    def _review(self, kept: KeptReview) -> review_pb2.Review:
        task, alert = kept.task, kept.alert
        found = {from_wire(Trait, each.trait): from_wire(Agreement, each.agreement) for each in task.evidence}
        return review_pb2.Review(
            review_id=task.review_id.hex(),
            side=task.side,
            state=kept.state,  # type: ignore[arg-type]
            evidence=task.evidence,
            sentence=sentence(found),
            other_agency=alert.acting_agency,
            other_duty_line=alert.acting_duty_line,
            local_id=self._local_id(alert.subject_handle) if task.side == REVIEW_SIDE_LISTING else "",
            request_id=str(uuid.UUID(bytes=task.request_id)) if task.request_id else "",
            verdict=kept.verdict,  # type: ignore[arg-type]
            act_time=alert.leaf.create_time,
        )

    def _local_id(self, handle: bytes) -> str:
        with self._at.store.read() as connection:
            return connection.scalar(select(subject.c.local_id).where(subject.c.handle == handle)) or ""
