"""Possible matches that people decide: when two agencies are asked, and what they are told. Pure.

    opened     with the DECISION leaf of the question, in its transaction; no leaf of its own, because a miss has none
    asked      once: a pair that was asked about is not asked about again
    linked     when both agencies say SAME; either's DIFFERENT makes them two youths for good, or until it is withdrawn

A review is opened only where a certain match would have been answered, so that whoever may not learn of a youth is not
told of one that is alike; and never of a sealed youth. Between the two agencies' words the exchange decides nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from audit.entry import YouthKey
from gateway.exchange.locate import Candidate, Verdict
from gateway.ports import Guard, NewAlert, Rows
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.matching.evidence import evidence
from gateway.protocol.matching.score import Comparison
from gateway.protocol.names import AgencyId, RequestId, SubjectHandle
from gateway.protocol.outcomes import Reason
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW

AT_ONCE: Final = 3
"""Reviews one question opens; the likeliest first. More would be a list of namesakes."""
UNCERTAIN: Final = frozenset({Reason.MATCH_TOO_WEAK, Reason.AMBIGUOUS_MATCH, Reason.POSSIBLE_FLAG_MATCH})
"""Reasons for which a person's word can make a difference."""

Pairwise = Callable[[AgencyId, AgencyId, SubjectHandle], bytes]


class Said(StrEnum):
    """What one agency says of a possible match."""

    NOTHING = "NOTHING"
    SAME = "SAME"
    DIFFERENT = "DIFFERENT"


@dataclass(frozen=True, slots=True)
class Review:
    """A possible match and what was said of it."""

    review_id: bytes
    asking: AgencyId
    request_id: RequestId
    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    comparison: Comparison = field(repr=False)
    asking_said: Said = Said.NOTHING
    asking_ms: int = 0
    owner_said: Said = Said.NOTHING
    owner_ms: int = 0
    version: int = field(default=0, compare=False)
    """Grows with every verdict."""

    @property
    def verdict(self) -> Verdict:
        """What both agencies' words amount to."""
        return verdict_of(self.asking_said, self.owner_said)


def verdict_of(asking_said: Said, owner_said: Said) -> Verdict:
    """What both agencies' words amount to."""
    said = {asking_said, owner_said}
    if Said.DIFFERENT in said:
        return Verdict.DIFFERENT
    return Verdict.SAME if said == {Said.SAME} else Verdict.OPEN


STATES: Final = {
    Verdict.OPEN: pb.REVIEW_STATE_OPEN,
    Verdict.SAME: pb.REVIEW_STATE_LINKED,
    Verdict.DIFFERENT: pb.REVIEW_STATE_NOT_LINKED,
}


def to_review(
    unsettled: Sequence[Candidate], reason: Reason, *, asking: AgencyId, would_tell: Callable[[Candidate], bool]
) -> tuple[Candidate, ...]:
    """Of what a question can mean, the youths two agencies are to be asked about."""
    if reason not in UNCERTAIN:
        return ()
    others = (each for each in unsettled if each.owner != asking)
    return tuple(each for each in others if would_tell(each))[:AT_ONCE]


def review_alerts(
    review: Review, *, pairwise: Pairwise, create_ms: int, purpose: str, asked: TokenSet | None = None
) -> tuple[NewAlert, NewAlert]:
    """What the asking and the listing agency are told.

    Of the tokens that were asked about the listing agency gets the digests it knows the youth by.
    """
    task = pb.ReviewTask(
        review_id=review.review_id,
        state=STATES[review.verdict],
        evidence=[
            pb.ReviewEvidence(trait=to_wire(trait), agreement=to_wire(agreement))  # type: ignore[arg-type]
            for trait, agreement in evidence(review.comparison).items()
        ],
    )

    def told(agency: AgencyId, other: AgencyId, handle: bytes, task: pb.ReviewTask) -> NewAlert:
        return NewAlert(
            youth=(review.owner, review.handle),
            agency=agency,
            kind=ALERT_KIND_REVIEW,
            handle=SubjectHandle(handle),
            acting_agency=other,
            create_ms=create_ms,
            purpose=purpose,
            review=task,
        )

    asking, listing = pb.ReviewTask(), pb.ReviewTask()
    for mine, side in ((asking, pb.REVIEW_SIDE_ASKING), (listing, pb.REVIEW_SIDE_LISTING)):
        mine.CopyFrom(task)
        mine.side = side
    asking.request_id = review.request_id
    if asked is not None:
        listing.naming_digests.extend(sorted(naming_digests(asked)))
        listing.epoch = asked.epoch if listing.naming_digests else ""
    between = pairwise(review.asking, review.owner, review.handle)
    return (
        told(review.asking, review.owner, between, asking),
        told(review.owner, review.asking, review.handle, listing),
    )


class Reviews(Protocol):
    """Possible matches on record."""

    async def get(self, review_id: bytes) -> Review | None:
        """The review, or None."""

    def opened(self, review: Review, tokens: TokenSet, key: YouthKey) -> Rows:
        """The two agencies are asked; `tokens` name whom the question was about, `key` is of the youth it may mean."""

    def openable(self, review: Review) -> Guard:
        """Raises `Moved` when the youth that may be meant is listed no longer: removed, or sealed."""

    def judged(self, review: Review, key: YouthKey) -> Rows:
        """The review's verdicts are these; `key` is of the youth that may be meant."""

    def stands(self, review: Review) -> Guard:
        """Raises `Moved` unless the review still is this."""
