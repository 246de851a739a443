"""Possible matches this agency was asked about: what waits for a person, and what this agency said.

Decides what the agency's own word is worth at home: a question of the other agency that names the same youth may be
answered on a link only where this agency itself said SAME, whatever the exchange holds of it. A word that ends a link
counts here before the exchange has heard of it; one that makes a link counts once the exchange has recorded it.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, select

from adapters.errors import ErrorReason, NotFound
from adapters.node.identifiers import timestamp
from adapters.node.node import Node
from adapters.node.receipts import Kept
from adapters.node.rpcs import GIVE_VERDICT
from adapters.node.send import Deadline
from adapters.node.store import Store
from adapters.node.tables import review, review_epoch
from adapters.node.translate import county_errors
from gateway.protocol.envelope import wrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.link_pb2 import Alert

PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class KeptReview:
    """One possible match as this agency knows it."""

    alert: Alert = field(repr=False)
    """That opened it."""
    state: int
    """`ReviewState` as last heard."""
    verdict: int
    """`Verdict` of this agency; 0 for none."""

    @property
    def task(self) -> pb.ReviewTask:
        """What is asked."""
        return self.alert.review


class Reviews:
    """The reviews on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def listed(self, *, open_only: bool = False) -> Sequence[KeptReview]:
        """The newest `PAGE` reviews, newest first."""
        query = select(review).order_by(review.c.sequence.desc()).limit(PAGE)
        if open_only:
            query = query.where(review.c.verdict == pb.VERDICT_UNSPECIFIED)
        with self._store.read() as connection:
            return [_kept(row.opened, row.state, row.verdict) for row in connection.execute(query)]

    def get(self, review_id: bytes) -> KeptReview | None:
        """The review, or None."""
        with self._store.read() as connection:
            row = connection.execute(select(review).where(review.c.review_id == review_id)).one_or_none()
        return None if row is None else _kept(row.opened, row.state, row.verdict)

    def say(self, review_id: bytes, verdict: int, now: datetime) -> None:
        """This agency's verdict is this; WITHDRAWN leaves none."""
        said = pb.VERDICT_UNSPECIFIED if verdict == pb.VERDICT_WITHDRAWN else verdict
        values = {"verdict": said, "verdict_ms": milliseconds(now)}
        with self._store.write() as connection:
            connection.execute(review.update().where(review.c.review_id == review_id).values(**values))

    def hear(self, review_id: bytes, state: int) -> None:
        """What both verdicts amount to is this."""
        with self._store.write() as connection:
            connection.execute(review.update().where(review.c.review_id == review_id).values(state=state))

    def is_confirmed(self, handle: SubjectHandle, asking: AgencyId, digests: Collection[bytes]) -> bool:
        """Whether this agency said that the youth `asking` names by one of these digests is the one of this handle."""
        query = select(review.c.opened).where(and_(review.c.handle == handle, review.c.verdict == pb.VERDICT_SAME))
        with self._store.read() as connection:
            opened = [Alert.FromString(row.opened) for row in connection.execute(query)]
        return any(
            each.acting_agency == asking
            and each.review.side == pb.REVIEW_SIDE_LISTING
            and not frozenset(each.review.naming_digests).isdisjoint(digests)
            for each in opened
        )


def keep_review(connection: Connection, alert: Alert) -> None:
    """The review that the alert opens is on disk, or the state of a known one is what the alert says."""
    task = alert.review
    if task.naming_digests:
        connection.execute(review_epoch.insert().values(sequence=alert.sequence, epoch=task.epoch))
    known = connection.scalar(select(review.c.sequence).where(review.c.review_id == task.review_id))
    if known is not None:
        connection.execute(review.update().where(review.c.review_id == task.review_id).values(state=task.state))
        return
    connection.execute(
        review.insert().values(
            review_id=task.review_id,
            sequence=alert.sequence,
            handle=alert.subject_handle,
            opened=alert.SerializeToString(),
            state=task.state,
            verdict=pb.VERDICT_UNSPECIFIED,
            verdict_ms=0,
        )
    )


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict of this agency that is on record."""

    state: int
    """`ReviewState`: what both agencies' verdicts amount to."""
    receipt: Kept


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Gives this agency's verdicts."""

    node: Node
    reviews: Reviews

    async def give(self, review_id: bytes, verdict: int, *, worker: str, deadline: Deadline) -> Given:
        """The verdict is on record. Raises `adapters.errors.Error`."""
        if await asyncio.to_thread(self.reviews.get, review_id) is None:
            raise NotFound(ErrorReason.REVIEW_NOT_FOUND)
        now = self.node.now()
        if verdict != pb.VERDICT_SAME:
            await asyncio.to_thread(self.reviews.say, review_id, verdict, now)
        said = pb.ReviewVerdict(review_id=review_id, create_time=timestamp(now), worker=worker)
        said.verdict = verdict  # type: ignore[assignment]
        envelope = wrap(said, self.node.keyring.envelope)
        request = pb.GiveVerdictRequest(envelope=envelope)
        with county_errors():
            answer = await self.node.gateway.call(GIVE_VERDICT, request, seconds=deadline.left())
            kept = await self.node.acts.proven(answer.receipt, Kind.REVIEW_JUDGED, envelope)
        if verdict == pb.VERDICT_SAME:
            await asyncio.to_thread(self.reviews.say, review_id, verdict, now)
        await asyncio.to_thread(self.reviews.hear, review_id, answer.state)
        return Given(answer.state, kept)


def _kept(opened: bytes, state: int, verdict: int) -> KeptReview:
    return KeptReview(Alert.FromString(opened), state, verdict)
