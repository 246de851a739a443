"""The first half of the story: a youth missing from care in A is found in C.

Decides what the two counties do and what each must see. C's desk spells the name its own way; A's file spells it with
accents and an apostrophe.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from deploy.demo.counties import COUNTY_A, COUNTY_C
from deploy.demo.county import CALL_SECONDS, absence, inquiry
from deploy.demo.stage import Alerts, Seen, Stage, Step, Unexpected
from deploy.demo.words import name, names
from deploy.demo.write_csv import COLUMN_COUNT
from deploy.demo.youths import heard
from homeward.county.v1.missing_pb2 import (
    CheckFlagRequest,
    CheckFlagResponse,
    RaiseFlagResponse,
    ReportLocatedRequest,
    ResolveFlagRequest,
    WatchAlertsResponse,
)
from homeward.gateway.v1 import codes_pb2 as codes

_CASEWORKER: Final = "CWA.case_worker"
_INTAKE: Final = "CWA.hotline_screener"
_LEARNED_AGO: Final = timedelta(hours=5)


def raise_flag(stage: Stage) -> Seen:
    """A's case worker reports the youth missing."""
    stage.alerts = Alerts(stage, "A", "CWA.duty_officer")
    response = _raise(stage, stage.sandbox.caseload.cast.runaway)
    stage.flag_id = response.flag_id
    return Seen(
        {"outcome": name(response, "outcome"), "late": response.late, "has_flag_id": len(response.flag_id) == 32},
        ("what crossed   an opaque handle, the flag's state and what a finder is asked to do, signed by A",),
    )


def found(stage: Stage) -> Seen:
    """C's intake desk asks whether anybody looks for the youth in front of it."""
    response = check_flag(stage, stage.sandbox.caseload.cast.runaway)
    state, handling = name(response, "flag_state"), name(response, "handling_code")
    return Seen(
        {
            "outcome": name(response, "outcome"),
            "flag_state": state,
            "handling_code": handling,
            "county": response.county,
            "duty_line": response.duty_line,
            "same_flag": response.flag_id == stage.flag_id,
            "fields": sorted(field.name for field, _ in response.ListFields()),
        },
        (
            "what crossed   blinded tokens, purpose, role, a commitment to C's incident number, C's signature",
            f"C learned      {state}; {handling}; call {response.duty_line}",
            "withheld       since when, why, from where, agency kind, every placement: not this purpose's to give",
            f"never left A   name, birth date and the rest of the {COLUMN_COUNT} columns of A's files",
        ),
    )


def told(stage: Stage) -> Seen:
    """A's duty officer sees at once that C asked."""
    alert, waited = _alert(stage)
    return Seen(
        {
            "kind": name(alert, "kind"),
            "acting_agency": alert.acting_agency,
            "acting_duty_line": alert.acting_duty_line,
            "is_our_youth": alert.local_id == stage.sandbox.caseload.cast.runaway,
        },
        (f"A's screen     asked about by {alert.acting_agency}, call {alert.acting_duty_line}", waited),
    )


def located(stage: Stage) -> Seen:
    """C reports the youth located; A is told where to call."""
    response = stage.at("C").missing.ReportLocated(
        ReportLocatedRequest(
            flag_id=stage.flag_id, purpose=codes.PURPOSE_MFC_HANDOFF, locate_time=_stamp(datetime.now(UTC))
        ),
        metadata=stage.county("C").metadata(_INTAKE),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.receipt)
    alert, waited = _alert(stage)
    return Seen(
        {
            "outcome": name(response, "outcome"),
            "alert": name(alert, "kind"),
            "acting_agency": alert.acting_agency,
            "located_county": alert.located_county,
        },
        (f"A's screen     located by {alert.acting_agency} in county {alert.located_county}", waited),
    )


def resolved(stage: Stage) -> Seen:
    """Only A can end the episode; after that the same question finds no flag, and that clears nobody."""
    response = stage.at("A").missing.ResolveFlag(
        ResolveFlagRequest(flag_id=stage.flag_id, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME),
        metadata=stage.county("A").metadata(_CASEWORKER),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.receipt)
    again = check_flag(stage, stage.sandbox.caseload.cast.runaway)
    return Seen(
        {
            "outcome": name(response, "outcome"),
            "flag_state": name(response, "flag_state"),
            "asked_again": name(again, "outcome"),
            "not_a_clearance": "NOT_A_CLEARANCE" in names(again, "notices"),
            "call": again.duty_line,
        },
        (f"C sees now     {name(again, 'outcome')}, NOT_A_CLEARANCE, call its own hotline {again.duty_line}",),
    )


def lookalikes(stage: Stage) -> Seen:
    """A's twin is missing, and so is a youth of A whose name and birth date another youth, of B, bears too."""
    cast = stage.sandbox.caseload.cast
    raised = [_raise(stage, cast.twin), _raise(stage, cast.namesake)]
    twin, both = check_flag(stage, cast.other_twin), check_flag(stage, cast.other_namesake)
    return Seen(
        {
            "raised": [name(response, "outcome") for response in raised],
            "other_twin": name(twin, "outcome"),
            "same_name_and_birth_date": name(both, "outcome"),
            "flags_told": [bool(twin.flag_id), bool(both.flag_id)],
        },
        (
            f"the other twin {name(twin, 'outcome')}: nobody is told; A's duty line is, and a call settles who",
            f"the namesake   {name(both, 'outcome')}: somebody so named is looked for; a call settles who",
            "               (another county's list cannot hide a flag, by mistake or on purpose)",
        ),
    )


def _raise(stage: Stage, local_id: str) -> RaiseFlagResponse:
    response: RaiseFlagResponse = stage.at("A").missing.RaiseFlag(
        absence(stage.sandbox.caseload.youth(local_id), datetime.now(UTC) - _LEARNED_AGO),
        metadata=stage.county("A").metadata(_CASEWORKER),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.receipt)
    return response


def check_flag(stage: Stage, local_id: str) -> CheckFlagResponse:
    """C's intake desk asks about this youth, as it spells the name."""
    response: CheckFlagResponse = stage.at("C").missing.CheckFlag(
        CheckFlagRequest(
            inquiry=inquiry(
                heard(stage.sandbox.caseload.youth(local_id).person),
                codes.PURPOSE_MFC_HANDOFF,
                evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-INCIDENT-12")],
            )
        ),
        metadata=stage.county("C").metadata(_INTAKE),
        timeout=CALL_SECONDS,
    )
    stage.keep(response.receipt)
    return response


def _alert(stage: Stage) -> tuple[WatchAlertsResponse, str]:
    if stage.alerts is None:
        raise Unexpected("nobody watches A's alerts")
    arrived, alert = stage.alerts.next()
    act = alert.act_time.ToDatetime(tzinfo=UTC).timestamp()
    # The stream's clock is monotonic and the act's is the wall's: compare both at this moment.
    milliseconds = max(0.0, (time.time() - (time.monotonic() - arrived) - act) * 1000)
    return alert, f"latency        {milliseconds:.0f} ms from the entry in the log to A's screen"


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


STEPS: Final = (
    Step(
        "raise",
        "A reports a youth missing from placement",
        {"outcome": "RECORDED", "late": False, "has_flag_id": True},
        raise_flag,
    ),
    Step(
        "found",
        "C's intake desk asks: does anybody look for this youth?",
        {
            "outcome": "ANSWERED",
            "flag_state": "ACTIVE",
            "handling_code": "CALL_DUTY_LINE_AND_KEEP_SAFE",
            "county": COUNTY_A.fips,
            "duty_line": COUNTY_A.duty_line,
            "same_flag": True,
            "fields": [
                "county",
                "duty_line",
                "flag_id",
                "flag_state",
                "handling_code",
                "notices",
                "outcome",
                "receipt",
            ],
        },
        found,
    ),
    Step(
        "told",
        "A is told that C asked",
        {
            "kind": "CHECKED",
            "acting_agency": COUNTY_C.agency_id,
            "acting_duty_line": COUNTY_C.duty_line,
            "is_our_youth": True,
        },
        told,
    ),
    Step(
        "located",
        "C reports the youth located",
        {
            "outcome": "RECORDED",
            "alert": "LOCATED",
            "acting_agency": COUNTY_C.agency_id,
            "located_county": COUNTY_C.fips,
        },
        located,
    ),
    Step(
        "resolved",
        "A brings the youth home and resolves the flag; C asks once more",
        {
            "outcome": "RECORDED",
            "flag_state": "RESOLVED",
            "asked_again": "NO_ACTIVE_FLAG_FOUND",
            "not_a_clearance": True,
            "call": COUNTY_C.hotline,
        },
        resolved,
    ),
    Step(
        "lookalikes",
        "A twin is not told for the other, and a namesake hides nobody",
        {
            "raised": ["RECORDED", "RECORDED"],
            "other_twin": "UNDETERMINED",
            "same_name_and_birth_date": "ANSWERED",
            "flags_told": [False, True],
        },
        lookalikes,
    ),
)
