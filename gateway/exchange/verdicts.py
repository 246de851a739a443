"""What two agencies say of a possible match: taken once each, revocable, on record.

In this order:

1. the verdict is of now
2. the review is one of the agency's own; any other is as unknown as none
3. the verdict is not older than the agency's last one
4. one transaction: a leaf, the verdict, and an alert to both agencies where the two verdicts now amount to something
   else; where a link ends, a recall to exactly those who were told on its account (`link_recall`)

The same message again is another entry and changes nothing: what led from it to the first entry would lead a thief of
the database from the review, and so from the youth, there.

The leaf says that an agency decided and what the two verdicts amount to; whom it is about, and which review, opens with
the key of the youth that may be meant alone: the review's row names that youth in every backup.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from audit.sequencer import Append
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.alerting import tell
from gateway.exchange.deed import on_what_stands
from gateway.exchange.journal import Kind, Value, draft
from gateway.exchange.link_recall import LinkRecall, guarded
from gateway.exchange.locate import Verdict
from gateway.exchange.moments import past_moment
from gateway.exchange.reviews import STATES, Pairwise, Review, Reviews, Said, review_alerts
from gateway.ports import Entered, Journal, NewAlert, Projections, Rows, Sources, YouthKeys
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1 import review_pb2 as pb

FRESHNESS: Final = timedelta(seconds=60)
"""A verdict whose own time is further off is refused; played again before that, it changes nothing."""
_SAID: Final = {
    pb.VERDICT_SAME: Said.SAME,
    pb.VERDICT_DIFFERENT: Said.DIFFERENT,
    pb.VERDICT_WITHDRAWN: Said.NOTHING,
}


@dataclass(frozen=True, slots=True)
class Given:
    """A verdict on record."""

    state: "pb.ReviewState"
    """What both agencies' verdicts amount to."""
    entered: Entered


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Takes what agencies say of possible matches."""

    journal: Journal
    projections: Projections
    youth_keys: YouthKeys
    reviews: Reviews
    sources: Sources
    pairwise: Pairwise
    recall: LinkRecall
    now: Callable[[], datetime]

    async def give(self, agency: AgencyId, digest: bytes, said: pb.ReviewVerdict) -> Given:
        """The agency's verdict is on record and both agencies hear what the two amount to. `said` is verified.

        `digest` is that of the bytes that were signed. Raises `Invalid`, `Unavailable`.
        """
        now = self.now()
        created = past_moment(said.create_time, now, field="create_time")
        if abs(now - created) > FRESHNESS:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("create_time: clock",))
        return await on_what_stands(lambda: self._give(agency, digest, said, milliseconds(created)))

    async def _give(self, agency: AgencyId, digest: bytes, said: pb.ReviewVerdict, created_ms: int) -> Given:
        before = await self.reviews.get(said.review_id)
        if before is None or agency not in (before.asking, before.owner):
            # Another agency's review is as unknown as none.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("review_id: unknown",))
        after = _with(before, agency, _SAID[said.verdict], created_ms)
        op: dict[str, Value] = {"verdict": pb.Verdict.Name(said.verdict), "state": after.verdict}
        recalled, rows = None, Rows()
        if before.verdict is Verdict.SAME and after.verdict is not Verdict.SAME:
            recalled = await self.recall.of(before, self.now())
            op |= {"notice": recalled.notice_id.hex(), "notices": recalled.count}
            rows = recalled.rows
        key = await self.youth_keys.next(before.owner, before.handle)
        leaf = draft(
            Kind.REVIEW_JUDGED,
            requester=agency,
            op=op,
            req={"worker": said.worker, "request": digest},
            youth={"review": said.review_id},
            youth_key=key,
        )
        rows += self.reviews.judged(after, key)
        alerts: tuple[NewAlert, ...] = recalled.alerts if recalled is not None else ()
        if after.verdict is not before.verdict:
            alerts += review_alerts(after, pairwise=self.pairwise, create_ms=created_ms, purpose="")
        told = await tell(self.projections, self.youth_keys, self.sources, alerts)
        guard = guarded(self.reviews.stands(before), recalled)
        entered = await self.journal.enter(Append(leaf, guard, rows, says=told.says, then=told.then))
        return Given(STATES[after.verdict], entered)


def _with(review: Review, agency: AgencyId, said: Said, created_ms: int) -> Review:
    last = review.asking_ms if agency == review.asking else review.owner_ms
    if created_ms < last:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("create_time: order",))
    if agency == review.asking:
        return replace(review, asking_said=said, asking_ms=created_ms, version=review.version + 1)
    return replace(review, owner_said=said, owner_ms=created_ms, version=review.version + 1)
