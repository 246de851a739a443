"""The second half: what B's placement worker receives, and five questions that are refused.

Decides the questions and what each asker must see. Refusals that depend on the youth must look like an unknown youth;
why they were refused is told by the owner's view of the log (`story_evidence`).
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from deploy.demo.counties import COUNTY_A
from deploy.demo.county import CALL_SECONDS, inquiry
from deploy.demo.stage import Seen, Stage, Step
from deploy.demo.words import name, names
from deploy.demo.youths import Person
from homeward.county.v1.county_pb2 import Inquiry
from homeward.county.v1.missing_pb2 import GetFlagDetailsRequest, GetFlagDetailsResponse
from homeward.county.v1.placement_pb2 import GetPlacementHistoryRequest, HistoryPage
from homeward.gateway.v1 import codes_pb2 as codes

PLACEMENT_WORKER: Final = "CWA.placement_worker"
_SIZE_CLASS: Final = 256


def history(stage: Stage) -> Seen:
    """B's worker has an open referral and sees where the youth has lived, and not what the hospital was."""
    referral = stage.sandbox.caseload.referral
    page = ask_history(stage, "B", PLACEMENT_WORKER, open_referral(referral.person))
    placements = [placement for episode in page.placement_history.episodes for placement in episode.placements]
    groups = [name(placement, "setting_group") for placement in placements]
    withheld = [f"{name(item, 'field')}: {name(item, 'reason')}" for item in page.withheld]
    return Seen(
        {
            "outcome": name(page, "outcome"),
            "source": page.source_agency,
            "mode": name(page, "mode"),
            "setting_groups": groups,
            "hospital_has_no_code": [
                name(p, "setting_code") for p in placements if name(p, "setting_group") == "OTHER_SETTING"
            ],
            "has_data_as_of": page.HasField("data_as_of_time"),
            "says_what_was_withheld": bool(withheld),
            "has_release_receipt": page.release_receipt.leaf_index > page.receipt.leaf_index,
        },
        (
            "B spelled      the name from its own referral: capitals, no accents, a hyphen",
            f"B learned      {len(placements)} placements: {', '.join(groups)}",
            "               (OTHER_SETTING was a hospital; the exchange has no word that would say so)",
            f"data as of     {page.data_as_of_time.ToDatetime():%Y-%m-%d %H:%M} UTC",
            f"withheld       {'; '.join(withheld)}",
            "what crossed   one sealed record from A's adapter to B's; the gateway carried it and cannot open it",
        ),
    )


def refused_by_request(stage: Stage) -> Seen:
    """Refusals that need no look at any youth say what is missing."""
    person = stage.sandbox.caseload.referral.person
    curious = ask_history(stage, "B", PLACEMENT_WORKER, inquiry(person, codes.PURPOSE_PLACEMENT_PLANNING))
    screener = ask_history(stage, "C", "CWA.hotline_screener", open_referral(person))
    return Seen(
        {"curious": name(curious, "outcome"), "wrong_role": name(screener, "outcome")},
        (
            f"B, no case     {name(curious, 'outcome')}: show the referral or case that makes it your work",
            f"C's screener   {name(screener, 'outcome')}: this role may not claim this purpose",
        ),
    )


def sealed_like_unknown(stage: Stage) -> Seen:
    """A sealed youth, a sensitive one, one without a flag and one nobody knows: one answer, field by field."""
    caseload = stage.sandbox.caseload
    people = {
        "sealed": caseload.youth(caseload.cast.sealed).person,
        "sensitive": caseload.youth(caseload.cast.sensitive).person,
        "unknown": caseload.cast.stranger,
    }
    # At once: each waits for its own slot.
    with ThreadPoolExecutor(max_workers=len(people)) as pool:
        asked = {who: pool.submit(_timed, stage, open_referral(person)) for who, person in people.items()}
        answers = {who: answer.result() for who, answer in asked.items()}
    unknown = answers["unknown"]
    return Seen(
        {
            "outcomes": {who: name(answer.page, "outcome") for who, answer in answers.items()},
            "same_fields": [_shape(answer.page) == _shape(unknown.page) for answer in answers.values()],
            "same_size_class": [answer.size_class == unknown.size_class for answer in answers.values()],
            "not_a_clearance": ["NOT_A_CLEARANCE" in names(answer.page, "notices") for answer in answers.values()],
            "record_fields": sum(answer.page.HasField("placement_history") for answer in answers.values()),
        },
        (
            *(
                f"{who:<14} {name(seen.page, 'outcome')}, {seen.size} bytes and proofs, {seen.milliseconds:.0f} ms"
                for who, seen in answers.items()
            ),
            "               same fields, same size class; times fall on the same fixed slots",
        ),
    )


def no_flag(stage: Stage) -> Seen:
    """B asks under the missing-youth purpose about a youth nobody reported missing."""
    caseload = stage.sandbox.caseload
    response: GetFlagDetailsResponse = stage.at("B").missing.GetFlagDetails(
        GetFlagDetailsRequest(inquiry=inquiry(caseload.youth(caseload.cast.moved).person, codes.PURPOSE_MFC_LOCATE)),
        metadata=stage.county("B").metadata("CWA.case_worker"),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.receipt)
    return Seen(
        {"outcome": name(response, "outcome"), "has_record": response.HasField("flag_locate")},
        (f"B sees         {name(response, 'outcome')}: not even that A knows the youth",),
    )


def ask_history(stage: Stage, letter: str, role: str, question: Inquiry, *, detail: bool = True) -> HistoryPage:
    """One page of placement history, as staff of this agency in this role."""
    response = stage.at(letter).placement.GetPlacementHistory(
        GetPlacementHistoryRequest(inquiry=question, detail=detail),
        metadata=stage.county(letter).metadata(role),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.page.receipt)
    page: HistoryPage = response.page
    return page


@dataclass(frozen=True, slots=True)
class _Answer:
    page: HistoryPage
    milliseconds: float

    @property
    def size_class(self) -> int:
        """Size in steps of `_SIZE_CLASS`."""
        return self.size // _SIZE_CLASS

    @property
    def size(self) -> int:
        """Bytes without the proof, whose length grows with the log and not with the answer."""
        bare = HistoryPage()
        bare.CopyFrom(self.page)
        for receipt in (bare.receipt, bare.release_receipt):
            receipt.proof = receipt.checkpoint = ""
        return bare.ByteSize()


def _timed(stage: Stage, question: Inquiry) -> _Answer:
    started = time.monotonic()
    page = ask_history(stage, "B", PLACEMENT_WORKER, question)
    return _Answer(page, (time.monotonic() - started) * 1000)


def _shape(page: HistoryPage) -> tuple[Sequence[str], Sequence[str], bytes]:
    """Which fields are set, at both levels, and every value outside the receipts."""
    bare = HistoryPage()
    bare.CopyFrom(page)
    receipts = [field.name for field, _ in page.receipt.ListFields()]
    receipts += [field.name for field, _ in page.release_receipt.ListFields()]
    bare.ClearField("receipt")
    bare.ClearField("release_receipt")
    return [field.name for field, _ in page.ListFields()], receipts, bare.SerializeToString(deterministic=True)


def open_referral(person: Person) -> Inquiry:
    """B's question about a youth of its own open referral."""
    return inquiry(
        person,
        codes.PURPOSE_PLACEMENT_PLANNING,
        evidence=[(codes.EVIDENCE_KIND_OPEN_REFERRAL, "TEST-REF-0451")],
    )


STEPS: Final = (
    Step(
        "history",
        "B's placement worker has an open referral and asks for a placement history",
        {
            "outcome": "ANSWERED",
            "source": COUNTY_A.agency_id,
            "mode": "COPY_PERMITTED",
            "setting_groups": ["TEMPORARY_SHELTER", "CONGREGATE_CARE", "OTHER_SETTING", "FAMILY_HOME"],
            "hospital_has_no_code": ["UNSPECIFIED"],
            "has_data_as_of": True,
            "says_what_was_withheld": True,
            "has_release_receipt": True,
        },
        history,
    ),
    Step(
        "refused_by_request",
        "Two questions without the right to ask them",
        {"curious": "EVIDENCE_NEEDED", "wrong_role": "NOT_PERMITTED"},
        refused_by_request,
    ),
    Step(
        "sealed_like_unknown",
        "A sealed record answers exactly like a youth nobody knows",
        {
            "outcomes": dict.fromkeys(("sealed", "sensitive", "unknown"), "NO_DISCLOSABLE_RECORD"),
            "same_fields": [True, True, True],
            "same_size_class": [True, True, True],
            "not_a_clearance": [True, True, True],
            "record_fields": 0,
        },
        sealed_like_unknown,
    ),
    Step(
        "no_flag",
        "B asks about a youth nobody is looking for",
        {"outcome": "NO_DISCLOSABLE_RECORD", "has_record": False},
        no_flag,
    ),
)
