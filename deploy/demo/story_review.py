"""A youth written otherwise: short form, half the surname, day and month that changed places.

Decides who does what. The exchange tells nobody; two people, who see which kinds of evidence agree and nothing else,
settle it by voice, and only the word of both brings the record.
"""

import time
from typing import Final

from deploy.demo.county import CALL_SECONDS, inquiry
from deploy.demo.stage import Seen, Stage, Step, Unexpected
from deploy.demo.story_records import PLACEMENT_WORKER, ask_history
from deploy.demo.words import name
from homeward.county.v1.county_pb2 import Inquiry
from homeward.county.v1.review_pb2 import GiveVerdictRequest, ListReviewsRequest, Review
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import review_pb2 as pb

_TOLD_SECONDS: Final = 10.0
_CASEWORKER: Final = "CWA.case_worker"


def written_otherwise(stage: Stage) -> Seen:
    """B asks under its own spelling; A and B are asked; both say it is one youth; B asks again."""
    before = ask_history(stage, "B", PLACEMENT_WORKER, _question(stage))
    review, mine = _told(stage, "A", _CASEWORKER), _told(stage, "B", PLACEMENT_WORKER)
    states = [
        _say(stage, "A", _CASEWORKER, review.review_id),
        _say(stage, "B", PLACEMENT_WORKER, mine.review_id),
    ]
    after = ask_history(stage, "B", PLACEMENT_WORKER, _question(stage))
    return Seen(
        {
            "at_first": name(before, "outcome"),
            "evidence": review.sentence,
            "our_youth": review.local_id == stage.sandbox.caseload.cast.renamed,
            "the_other_side_names_nobody": (mine.local_id, bool(mine.request_id)) == ("", True),
            "states": states,
            "then": name(after, "outcome"),
        },
        (
            f"B sees         {name(before, 'outcome')}: the answer about a youth nobody knows",
            f"A and B read   {review.sentence}; call each other",
            "what crossed   five words on kinds of evidence; no name, no date, no record",
            f"both say same  {states[-1]}; asked again: {name(after, 'outcome')}",
        ),
    )


def _question(stage: Stage) -> Inquiry:
    return inquiry(
        stage.sandbox.caseload.cast.written_otherwise,
        codes.PURPOSE_PLACEMENT_PLANNING,
        evidence=[(codes.EVIDENCE_KIND_OPEN_REFERRAL, "TEST-REF-0452")],
    )


def _told(stage: Stage, letter: str, role: str) -> Review:
    """The review the agency's adapter was told of; it comes over the link, and not with any answer."""
    until = time.monotonic() + _TOLD_SECONDS
    while time.monotonic() < until:
        listed = stage.at(letter).review.ListReviews(
            ListReviewsRequest(open_only=True), metadata=stage.county(letter).metadata(role), timeout=CALL_SECONDS
        )
        if listed.reviews:
            review: Review = listed.reviews[0]
            return review
        time.sleep(0.05)
    raise Unexpected("no review arrived")


def _say(stage: Stage, letter: str, role: str, review_id: str) -> str:
    answer = stage.at(letter).review.GiveVerdict(
        GiveVerdictRequest(review_id=review_id, verdict=pb.VERDICT_SAME),
        metadata=stage.county(letter).metadata(role),
        timeout=CALL_SECONDS,
    )
    return name(answer, "state")


STEPS: Final = (
    Step(
        "written_otherwise",
        "B writes a youth of A otherwise: possible, asked about, confirmed by both",
        {
            "at_first": "NO_DISCLOSABLE_RECORD",
            "evidence": "given name, surname and birth date are close",
            "our_youth": True,
            "the_other_side_names_nobody": True,
            "states": ["OPEN", "LINKED"],
            "then": "ANSWERED",
        },
        written_otherwise,
    ),
)
