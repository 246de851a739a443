"""An exchange loses the entries that recorded a consent, raised a flag and reported of it. Nobody types anything again.

Real processes. The adapters follow to the log that goes on and present again what their counties had signed: the youth
is found, and was located, the consent that stands permits, the one that was withdrawn does not.
"""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapters.node.receipts import origin_of
from audit.reader import Reader, Selection
from audit.store_sqlite import SqliteStore
from deploy.demo.counties import COUNTY_B, FOSTER_AGENCY
from deploy.demo.county import Calls, inquiry
from deploy.demo.sandbox import Sandbox
from deploy.demo.stage import Stage
from deploy.demo.story_consent import ask_with_consent, recorded, revoked
from deploy.demo.story_missing import located, raise_flag
from deploy.demo.tamper import copy_database
from deploy.demo.words import name
from deploy.demo.youths import Person, heard
from homeward.county.v1.access_pb2 import GetStatusRequest
from homeward.county.v1.missing_pb2 import (
    ALERT_KIND_LOCATED,
    ALERT_KIND_SUPPORTING_REPORT,
    AcknowledgeAlertsRequest,
    CheckFlagRequest,
    CheckFlagResponse,
    RaiseFlagRequest,
    WatchAlertsRequest,
)
from homeward.gateway.v1 import codes_pb2 as codes
from tests.commands import commands

PATIENCE_SECONDS = 60.0


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    warm = commands()
    with Sandbox.up(tmp_path / "box", commands=warm) as sandbox, ThreadPoolExecutor(max_workers=1) as pool:
        made = Stage(sandbox, warm, tmp_path, pool.submit(sandbox.enlist, FOSTER_AGENCY, warm, beside=COUNTY_B))
        try:
            yield made
        finally:
            made.close()


def said(stage: Stage, *words: str) -> dict[str, Any]:
    done = stage.commands.ask(*words, "--json")
    assert done.exit == 0, done.out + done.err
    told: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return told


def lose(stage: Stage, backup: Path) -> None:
    """The database of before is all that is left, and two operators say so. The record was just put elsewhere."""
    sandbox, layout, loss = stage.sandbox, stage.sandbox.layout, stage.scratch / "loss.pb"
    elsewhere = stage.scratch / "elsewhere"
    sandbox.end("gateway")
    elsewhere.mkdir()
    with (layout.gateway / "gateway.yaml").open("a") as settings:
        settings.write(f'high_water: "{elsewhere}"\n')
    for left in layout.gateway.glob("gateway.db*"):
        left.unlink()
    shutil.copy(backup, layout.gateway / "gateway.db")
    said(stage, "audit", "recover", str(layout.gateway), "--declare-loss", str(loss))
    sandbox.end("custodian")
    said(stage, "custodian", "sign-loss", str(layout.custodian), str(loss))
    sandbox.restart("custodian")
    said(stage, "audit", "recover", str(layout.gateway), "--declared", str(loss))
    # The closed log's record was set aside on its own storage, from which a file cannot be renamed to another.
    left = sorted(str(path.relative_to(elsewhere)) for path in elsewhere.rglob("*") if path.is_file())
    assert left == ["closed-1/log.checkpoint", "log.checkpoint"]
    # What witnesses cosigned of the closed log is evidence of that alone.
    assert (layout.gateway / "closed-1" / "cosigned.sizes").is_file()
    assert not (layout.gateway / "cosigned.sizes").exists()
    sandbox.restart("gateway")


def checked(stage: Stage, person: Person) -> CheckFlagResponse:
    """What C's intake desk reads about this person."""
    county = stage.county("C")
    question = CheckFlagRequest(
        inquiry=inquiry(
            person, codes.PURPOSE_MFC_HANDOFF, evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-LOSS-1")]
        )
    )
    with county.channel() as channel:
        answer: CheckFlagResponse = Calls(channel).missing.CheckFlag(
            question, metadata=county.metadata("CWA.hotline_screener"), timeout=10
        )
    return answer


def report_missing(stage: Stage, person: Person) -> None:
    """C reports the same absence, of which A is told."""
    county = stage.county("C")
    report = RaiseFlagRequest(inquiry=inquiry(person, codes.PURPOSE_MFC_LOCATE))
    report.learn_time.FromDatetime(datetime.now(UTC))
    answer = stage.at("C").missing.RaiseFlag(report, metadata=county.metadata("CWA.case_worker"), timeout=10)
    assert (name(answer, "outcome"), answer.flag_id) == ("RECORDED", "")
    assert stage.alerts is not None
    _, alert = stage.alerts.next()
    assert alert.kind == ALERT_KIND_SUPPORTING_REPORT


def told_again(stage: Stage) -> dict[int, list[bool]]:
    """Of what A's duty officer is told, by kind and in order: whether it is told as a report of before the loss."""
    county, said = stage.county("A"), dict[int, list[bool]]()
    with county.channel() as channel:
        watched = Calls(channel).missing.WatchAlerts(
            WatchAlertsRequest(), metadata=county.metadata("CWA.duty_officer"), timeout=10
        )
        for alert in watched:
            said.setdefault(alert.kind, []).append(alert.HasField("report_time"))
    return said


def nothing_left(stage: Stage, letter: str) -> bool:
    """Whether the adapter has presented everything, and every receipt held."""
    return not stage.at(letter).status.GetStatus(GetStatusRequest(), timeout=10).HasField("presenting")


def origins_of_reports(stage: Stage, letter: str) -> list[int]:
    """For each report that the agency's adapter keeps: of how many logs it has a receipt."""
    (database,) = stage.sandbox.layout.agency(letter).rglob("adapter.db")
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT request_id, proof FROM receipt JOIN own_report USING (request_id)").fetchall()
    origins: dict[bytes, set[str]] = {}
    for request_id, proof in rows:
        origins.setdefault(request_id, set()).add(origin_of(proof))
    return [len(found) for found in origins.values()]


def until(holds: Callable[[], bool], seen: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if holds():
                return
        except grpc.RpcError as failed:
            seen.append(str(failed.code()))  # type: ignore[attr-defined]
        assert time.monotonic() < deadline, seen[-10:]
        time.sleep(0.3)


def kinds_since_the_loss(database: Path) -> list[str]:
    reader = Reader(SqliteStore(database))
    (declared,) = reader.entries(Selection(kinds=("log.succeeded",)))
    kinds = [entry.kind for entry in reader.entries(Selection(start=declared.index))]
    reader.close()
    return kinds


def test_what_the_lost_entries_said_is_presented_again_and_what_was_withdrawn_stays_withdrawn(stage: Stage) -> None:
    caseload, backup = stage.sandbox.caseload, stage.scratch / "early.db"
    stage.newcomer.result()
    copy_database(stage.sandbox.layout.gateway / "gateway.db", backup)
    raise_flag(stage)
    missing = heard(caseload.youth(caseload.cast.runaway).person)
    located(stage)
    officer = stage.county("A").metadata("CWA.duty_officer")
    stage.at("A").missing.AcknowledgeAlerts(AcknowledgeAlertsRequest(sequence=1), metadata=officer, timeout=10)
    report_missing(stage, missing)
    recorded(stage)
    withdrawn = stage.authority_id
    revoked(stage)
    recorded(stage)
    standing = stage.authority_id
    nobody = Person("Nobody", "Looksfor", date(2010, 5, 4))
    lose(stage, backup)

    seen: list[str] = []

    def told_of_nobody() -> bool:
        answer = checked(stage, nobody)
        seen.append(codes.Outcome.Name(answer.outcome))
        # Before every county listed everybody and stated its flags again, nobody is told that nobody looks.
        if answer.outcome == codes.OUTCOME_NO_ACTIVE_FLAG_FOUND:
            assert checked(stage, missing).flag_state in (codes.FLAG_STATE_ACTIVE, codes.FLAG_STATE_LOCATED_PENDING)
            return True
        return False

    def located_again() -> bool:
        return checked(stage, missing).flag_state == codes.FLAG_STATE_LOCATED_PENDING

    def supported_again() -> bool:
        # Nobody took note of it, so that it is told again; of the other report somebody did.
        said = told_again(stage)
        return said.get(ALERT_KIND_SUPPORTING_REPORT) == [False, True] and said.get(ALERT_KIND_LOCATED) == [False]

    def consented() -> bool:
        outcome = name(ask_with_consent(stage, authority_id=standing), "outcome")
        seen.append(outcome)
        return outcome == "ANSWERED"

    until(told_of_nobody, seen)
    # How soon C's own adapter follows decides whether it is told UNDETERMINED first, or has answers it cannot use.
    outcomes = {each for each in seen if each.startswith("OUTCOME_")}
    assert outcomes <= {"OUTCOME_UNDETERMINED", "OUTCOME_NO_ACTIVE_FLAG_FOUND"}
    until(consented, seen)
    until(located_again, seen)
    until(supported_again, seen)
    assert name(ask_with_consent(stage, authority_id=withdrawn), "outcome") == "CONSENT_NEEDED"

    until(lambda: nothing_left(stage, "C"), seen)
    assert origins_of_reports(stage, "C") == [2, 2], "a receipt of the log of before, and one of the log in force"

    gateway = str(stage.sandbox.layout.gateway)
    stage.sandbox.end("gateway")
    kinds = kinds_since_the_loss(stage.sandbox.layout.gateway / "gateway.db")
    # One consent stands, the other is on record as withdrawn or not at all; nobody raised or recorded anything.
    presented = ("flag.presented", "located.presented", "report.presented")
    assert "authority.presented" in kinds
    assert [kinds.count(each) for each in presented] == [1, 1, 1]
    assert not {"authority.recorded", "flag.raised", "flag.located"} & set(kinds)
    assert stage.commands.ask("audit", "fsck", gateway).exit == 0
    replayed = stage.commands.ask("gateway", "replay", gateway)
    assert replayed.exit == 0, replayed.out + replayed.err
