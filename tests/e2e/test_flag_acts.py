"""Real processes: who cannot call off the search for a child, and whose word brings it back.

A county's reviewer cannot touch a flag, nor does anybody raise one for a purpose other than the search. A mistaken
report makes a flag pending, and its owner's word has the child looked for again. A consent "of a nonminor dependent"
for a child is not recorded.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.node.signing_ages import SIGNING_AGES
from deploy.demo.counties import COUNTY_B, FOSTER_AGENCY
from deploy.demo.county import absence, inquiry
from deploy.demo.sandbox import Sandbox
from deploy.demo.stage import Stage
from deploy.demo.story_missing import raise_flag
from deploy.demo.words import name
from deploy.demo.youths import heard
from gateway.protocol.names import Grantor
from homeward.county.v1.authority_pb2 import RecordAuthorityRequest
from homeward.county.v1.missing_pb2 import (
    CheckFlagRequest,
    ReportLocatedRequest,
    ResolveFlagRequest,
    UpdateFlagRequest,
)
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.authority_pb2 import GRANTOR_NMD_SELF
from tests.commands import commands
from tests.integration.local_kit import refused

OFFICER, CASEWORKER, PLACING, INTAKE = (
    "COUNTY.privacy_officer",
    "CWA.case_worker",
    "CWA.placement_worker",
    "CWA.hotline_screener",
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    tmp_path, warm = tmp_path_factory.mktemp("flag-acts"), commands()
    with Sandbox.up(tmp_path / "box", commands=warm) as sandbox, ThreadPoolExecutor(max_workers=1) as pool:
        made = Stage(sandbox, warm, tmp_path, pool.submit(sandbox.enlist, FOSTER_AGENCY, warm, beside=COUNTY_B))
        try:
            made.newcomer.result()
            raise_flag(made)
            yield made
        finally:
            made.close()


def now() -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC))
    return moment


def seen_by_c(stage: Stage) -> str:
    """The state of the flag as C's intake desk is told it."""
    caseload = stage.sandbox.caseload
    question = CheckFlagRequest(
        inquiry=inquiry(
            heard(caseload.youth(caseload.cast.runaway).person),
            codes.PURPOSE_MFC_HANDOFF,
            evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-INCIDENT-1")],
        )
    )
    answer = stage.at("C").missing.CheckFlag(question, metadata=stage.county("C").metadata(INTAKE), timeout=10)
    return name(answer, "flag_state")


def said(stage: Stage, letter: str, method: str, request: object, role: str) -> str:
    """The outcome of a call in this role, or the reason for which it fails."""
    call = getattr(stage.at(letter).missing, method)
    try:
        return name(call(request, metadata=stage.county(letter).metadata(role), timeout=10), "outcome")
    except grpc.RpcError as error:
        return refused(error).reason  # type: ignore[arg-type]


def located(flag_id: str, purpose: codes.Purpose.ValueType) -> ReportLocatedRequest:
    return ReportLocatedRequest(flag_id=flag_id, purpose=purpose, locate_time=now())


def test_nobody_calls_off_the_search_but_its_owner_who_takes_it_up_again(stage: Stage) -> None:
    flag_id, caseload = stage.flag_id, stage.sandbox.caseload
    ended = ResolveFlagRequest(flag_id=flag_id, resolution_group=codes.RESOLUTION_GROUP_OTHER, entered_in_error=True)
    anew = absence(caseload.youth(caseload.cast.runaway), datetime.now(UTC) - timedelta(hours=1))
    by_officer = {
        "UpdateFlag": UpdateFlagRequest(flag_id=flag_id),
        "RaiseFlag": anew,
        "ResolveFlag": ended,
        "ReportLocated": located(flag_id, codes.PURPOSE_OVERSIGHT_AUDIT),
    }
    for letter in ("A", "C"):
        for method, request in by_officer.items():
            assert said(stage, letter, method, request, OFFICER) == "ROLE_NOT_HELD", (letter, method)
    handoff = located(flag_id, codes.PURPOSE_MFC_HANDOFF)
    anew.inquiry.purpose = codes.PURPOSE_PLACEMENT_PLANNING
    anew.local_id = ""
    assert said(stage, "C", "RaiseFlag", anew, PLACING) == "NOT_PERMITTED"
    assert seen_by_c(stage) == "ACTIVE"
    # The owner, too, ends its flag for the purpose of the search alone, which its adapter says before anybody is asked.
    ended.purpose = codes.PURPOSE_MFC_HANDOFF
    assert said(stage, "A", "ResolveFlag", ended, CASEWORKER) == "INVALID_REQUEST"
    assert seen_by_c(stage) == "ACTIVE"
    assert said(stage, "C", "ReportLocated", handoff, INTAKE) == "RECORDED"
    assert said(stage, "A", "UpdateFlag", UpdateFlagRequest(flag_id=flag_id), CASEWORKER) == "RECORDED"
    assert seen_by_c(stage) == "LOCATED_PENDING"
    mistaken = UpdateFlagRequest(flag_id=flag_id, still_missing=True)
    assert said(stage, "A", "UpdateFlag", mistaken, CASEWORKER) == "RECORDED"
    assert seen_by_c(stage) == "ACTIVE"


def test_nobody_under_age_consents_as_an_adult(stage: Stage) -> None:
    caseload, expires = stage.sandbox.caseload, Timestamp()
    youth = caseload.youth(caseload.cast.teammate)
    expires.FromDatetime(datetime.now(UTC) + timedelta(days=90))
    consent = RecordAuthorityRequest(
        youth=inquiry(youth.person, codes.PURPOSE_CFT_COORDINATION).youth,
        local_id=youth.local_id,
        basis=codes.BASIS_CONSENT,
        grantor=GRANTOR_NMD_SELF,
        purposes=[codes.PURPOSE_CFT_COORDINATION],
        field_sets=[codes.FIELD_SET_FS4_PLACEMENT_SUMMARY],
        recipient_agencies=[FOSTER_AGENCY.agency_id],
        expire_time=expires,
        evidence_reference="TEST-FORM-0099",
        language_text="Invented plain-language text.",
        copy_given_to_youth=True,
    )
    with pytest.raises(grpc.RpcError) as failed:
        stage.at("A").authority.RecordAuthority(consent, metadata=stage.county("A").metadata(CASEWORKER), timeout=10)
    found = refused(failed.value)  # type: ignore[arg-type]
    assert (found.reason, found.fields) == ("INVALID_REQUEST", (f"grantor: {SIGNING_AGES[Grantor.NMD_SELF].rule}",))
