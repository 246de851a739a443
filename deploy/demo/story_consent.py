"""Consent: recorded by the owner, relied on by an agency outside government, withdrawn, and then worth nothing.

Decides who does what. The foster family agency has no statute to stand on (WIC 832): without the consent it gets
nothing, and what it gets ends with it.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from deploy.demo.counties import COUNTY_A, FOSTER_AGENCY
from deploy.demo.county import CALL_SECONDS, inquiry
from deploy.demo.stage import Seen, Stage, Step
from deploy.demo.story_records import ask_history
from deploy.demo.tamper import copy_database
from deploy.demo.words import name
from homeward.county.v1.authority_pb2 import RecordAuthorityRequest, RevokeAuthorityRequest
from homeward.county.v1.county_pb2 import Inquiry
from homeward.county.v1.placement_pb2 import HistoryPage
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.authority_pb2 import GRANTOR_MINOR_COUNSEL

BACKUP: Final = "backup.db"
TEAM_ROLE: Final = "FFA.social_worker"
_CASEWORKER: Final = "CWA.case_worker"
_LANGUAGE: Final = "Invented plain-language text of a child and family team release."


def recorded(stage: Stage) -> Seen:
    """A records the consent that the youth's counsel signed; the agency relies on it."""
    caseload = stage.sandbox.caseload
    youth = caseload.youth(caseload.cast.teammate)
    stage.newcomer.result()
    before = ask_with_consent(stage, authority_id="")
    expires = Timestamp()
    expires.FromDatetime(datetime.now(UTC) + timedelta(days=90))
    done = stage.at("A").authority.RecordAuthority(
        RecordAuthorityRequest(
            youth=inquiry(youth.person, codes.PURPOSE_CFT_COORDINATION).youth,
            local_id=youth.local_id,
            basis=codes.BASIS_CONSENT,
            grantor=GRANTOR_MINOR_COUNSEL,
            purposes=[codes.PURPOSE_CFT_COORDINATION],
            field_sets=[codes.FIELD_SET_FS4_PLACEMENT_SUMMARY],
            recipient_agencies=[FOSTER_AGENCY.agency_id],
            expire_time=expires,
            evidence_reference="TEST-FORM-0012",
            language_text=_LANGUAGE,
            copy_given_to_youth=True,
        ),
        metadata=stage.county("A").metadata(_CASEWORKER),
        timeout=CALL_SECONDS,
    )
    stage.authority_id = done.authority_id
    stage.keep(done.receipt)
    page = ask_with_consent(stage, authority_id=done.authority_id)
    back_up(stage)
    placements = sum(len(episode.placements) for episode in page.placement_history.episodes)
    return Seen(
        {
            "without_consent": name(before, "outcome"),
            "recorded": name(done, "outcome"),
            "with_consent": name(page, "outcome"),
            "source": page.source_agency,
            "mode": name(page, "mode"),
            "current_episode_only": len(page.placement_history.episodes) == 1,
            "has_placements": placements > 0,
        },
        (
            f"without it     {name(before, 'outcome')}",
            f"with it        {name(page, 'outcome')}: summary of the current episode, to inspect and not to copy",
            "what crossed   A's signature over the scope of the consent; the signed form stays in A",
        ),
    )


def revoked(stage: Stage) -> Seen:
    """The consent is withdrawn; the next question is refused."""
    done = stage.at("A").authority.RevokeAuthority(
        RevokeAuthorityRequest(authority_id=stage.authority_id),
        metadata=stage.county("A").metadata(_CASEWORKER),
        timeout=CALL_SECONDS,
    )
    stage.keep(done.receipt)
    page = ask_with_consent(stage, authority_id=stage.authority_id)
    return Seen(
        {
            "revoked": name(done, "outcome"),
            "asked_again": name(page, "outcome"),
            "record_fields": int(page.HasField("placement_history")),
        },
        (f"asked again    {name(page, 'outcome')}, 0 record fields, at once",),
    )


def back_up(stage: Stage) -> None:
    """The gateway's operator backs up the database, as every night; here while the consent stands."""
    copy_database(stage.sandbox.layout.gateway / "gateway.db", stage.scratch / BACKUP)


def ask_with_consent(stage: Stage, *, authority_id: str) -> HistoryPage:
    """The foster family agency asks for what the consent covers; empty: without it."""
    caseload = stage.sandbox.caseload
    question: Inquiry = inquiry(
        caseload.youth(caseload.cast.teammate).person,
        codes.PURPOSE_CFT_COORDINATION,
        evidence=[(codes.EVIDENCE_KIND_TEAM_MEMBERSHIP, "TEST-TEAM-3")],
        authority_id=authority_id,
    )
    return ask_history(stage, FOSTER_AGENCY.letter, TEAM_ROLE, question, detail=False)


STEPS: Final = (
    Step(
        "consent_recorded",
        "A foster family agency in B's county needs a consent; A records one, and it is used",
        {
            "without_consent": "CONSENT_NEEDED",
            "recorded": "RECORDED",
            "with_consent": "ANSWERED",
            "source": COUNTY_A.agency_id,
            "mode": "VIEW_ONLY",
            "current_episode_only": True,
            "has_placements": True,
        },
        recorded,
    ),
    Step(
        "consent_revoked",
        "The consent is withdrawn; the agency asks again",
        {"revoked": "RECORDED", "asked_again": "CONSENT_NEEDED", "record_fields": 0},
        revoked,
    ),
)
