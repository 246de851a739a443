"""A reviewer at a real county reads, misses nothing, and hands out evidence that a stranger checks offline."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from audit.sample import draw
from deploy.demo.commands import Done
from deploy.demo.counties import COUNTY_A, COUNTY_B
from deploy.demo.county import CALL_SECONDS, Calls, County, inquiry
from deploy.demo.sandbox import Sandbox
from homeward.county.v1 import missing_pb2, placement_pb2
from homeward.failure import ExitCode
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.commands import commands

OFFICER = "COUNTY.privacy_officer"


@dataclass(frozen=True, slots=True)
class Town:
    """A running sandbox in which a youth of county A was flagged, asked about by C, and another read about by B."""

    sandbox: Sandbox
    scratch: Path

    def audit(self, *words: str, typed: str = "", letter: str = "A", role: str = OFFICER) -> Done:
        """One command of the county's privacy officer, or of whoever holds the role."""
        county: County = self.sandbox.county(letter)
        token = self.scratch / f"{letter}.token"
        token.write_text(county.token(role))
        place = ("--dir", str(county.directory), "--token-file", str(token))
        return commands().ask("audit", words[0], *place, *words[1:], typed=typed)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("audit")
    sandbox = Sandbox.up(directory / "box", commands=commands())
    try:
        live(sandbox)
        yield Town(sandbox, directory)
    finally:
        sandbox.down()


def live(sandbox: Sandbox) -> None:
    """What happened in these counties."""
    cast = sandbox.caseload.cast
    learned = Timestamp()
    learned.FromDatetime(datetime.now(UTC) - timedelta(hours=2))
    ask(
        sandbox.county("A"),
        "CWA.case_worker",
        lambda calls: calls.missing.RaiseFlag,
        missing_pb2.RaiseFlagRequest(
            inquiry=inquiry(
                sandbox.caseload.youth(cast.runaway).person,
                codes.PURPOSE_MFC_LOCATE,
                evidence=[(codes.EVIDENCE_KIND_REPORT_BEING_FILED, "TEST-LE-7731")],
            ),
            local_id=cast.runaway,
            learn_time=learned,
            handling_code=codes.HANDLING_CODE_CALL_DUTY_LINE,
            flag_locate=FlagLocate(missing_since_date="2026-11-01", last_seen_county="06019"),
        ),
    )
    for local_id in (cast.runaway, cast.runaway, cast.other_twin):
        ask(
            sandbox.county("C"),
            "CWA.hotline_screener",
            lambda calls: calls.missing.CheckFlag,
            missing_pb2.CheckFlagRequest(
                inquiry=inquiry(
                    sandbox.caseload.youth(local_id).person,
                    codes.PURPOSE_MFC_HANDOFF,
                    evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-INCIDENT-12")],
                )
            ),
        )
    ask(
        sandbox.county("B"),
        "CWA.placement_worker",
        lambda calls: calls.placement.GetPlacementHistory,
        placement_pb2.GetPlacementHistoryRequest(
            inquiry=inquiry(
                sandbox.caseload.referral.person,
                codes.PURPOSE_PLACEMENT_PLANNING,
                evidence=[(codes.EVIDENCE_KIND_OPEN_REFERRAL, "TEST-REFERRAL-3")],
            ),
            detail=True,
        ),
    )


def ask(county: County, role: str, method: Callable[[Calls], Any], request: Any) -> Any:
    with county.channel() as channel:
        return method(Calls(channel))(request, metadata=county.metadata(role), timeout=CALL_SECONDS)


def strangers_verdict(bundle: Path, tmp_path: Path) -> tuple[int, str]:
    """What somebody without our packages finds, with the verifier that came in the bundle."""
    shutil.unpack_archive(bundle, tmp_path / "unpacked", "zip")
    done = subprocess.run(
        [sys.executable, "-I", "verify.py", "--show"],
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path / "unpacked",
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_the_owner_reads_who_asked_about_one_youth_named_by_its_own_number(town: Town) -> None:
    number = town.sandbox.caseload.cast.runaway
    done = town.audit("query", "--case", "-", "--kind", "access.decision", typed=f"{number}\n")
    assert done.exit == 0, done.out + done.err
    lines = done.out.splitlines()
    assert lines[-2] == "2 entries, verified"
    assert lines[-1].endswith("none is withheld")
    assert all("06029.cwa" in line and f"[youth {number}]" in line for line in lines[:-2])
    assert "on the basis STATUTE" in lines[0]
    unknown = town.audit("query", "--case", "-", typed="no-such-number\n")
    assert (unknown.exit, "YOUTH_NOT_IN_CASELOAD" in unknown.err) == (1, True)


def test_a_youth_whose_number_is_not_known_is_named_by_identity(town: Town) -> None:
    person = town.sandbox.caseload.youth(town.sandbox.caseload.cast.runaway).person
    named = {"givenName": person.given_name, "surname": person.surname, "birthDate": person.birth_date.isoformat()}
    done = town.audit("query", "--youth", "-", "--kind", "access.decision", typed=json.dumps(named))
    assert done.exit == 0, done.err
    assert done.out.splitlines()[-2] == "2 entries, verified"
    assert person.surname not in done.out + done.err


def test_a_query_is_read_on_behind_the_last_entry_shown(town: Town) -> None:
    (first,) = json.loads(town.audit("query", "--limit", "1", "--json").out)["entries"]
    shown = town.audit("query", "--limit", "1")
    assert f"1 entries, verified; more with --after {first['index']}\n" in shown.out
    (second,) = json.loads(town.audit("query", "--after", first["index"], "--limit", "1", "--json").out)["entries"]
    both = json.loads(town.audit("query", "--limit", "2", "--json").out)["entries"]
    assert [each["index"] for each in both] == [first["index"], second["index"]]


@pytest.mark.parametrize("command", [("query",), ("reconcile", "--counterpart", "06029.cwa")])
def test_a_period_that_ends_before_it_begins_is_wrong_usage(town: Town, command: tuple[str, ...]) -> None:
    done = town.audit(*command, "--since", "2026-11-02", "--until", "2026-11-01")
    assert (done.exit, "--since must be before --until" in done.err) == (2, True)


def test_a_reconciliation_of_an_agency_with_itself_is_wrong_usage(town: Town) -> None:
    done = town.audit("reconcile", "--counterpart", COUNTY_A.agency_id)
    assert (done.exit, "--counterpart" in done.err) == (2, True)


def test_tables_are_written_in_every_form(town: Town, tmp_path: Path) -> None:
    for form in ("csv", "xlsx", "jsonl", "sqlite"):
        out = tmp_path / f"log.{form}"
        done = town.audit("query", "--format", form, "--out", str(out), "--json")
        assert done.exit == 0, done.out + done.err
        assert out.stat().st_size > 200
        assert json.loads(done.out)["entries"] > 3
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    pairs = {(row["requester"], row["holder"]) for row in rows if row["kind"] == "access.decision"}
    assert pairs
    assert all(COUNTY_A.agency_id in pair for pair in pairs)
    assert not list(tmp_path.glob(".*"))


def offline(file: Path, town: Town) -> Done:
    """What somebody finds who has this file and the log's key alone."""
    key = next(town.sandbox.layout.gateway.glob("published/log.vkey"))
    return ran("audit", "verify", str(file), "--log-key", str(key))


def ran(*words: str) -> Done:
    """What a module says that needs nothing of the exchange, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=60, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_table_with_proofs_is_verified_offline_and_a_changed_one_is_not(town: Town, tmp_path: Path) -> None:
    for form in ("jsonl", "sqlite"):
        out = tmp_path / f"proved.{form}"
        done = town.audit("query", "--format", form, "--proofs", "--out", str(out), "--kind", "access.decision")
        assert done.exit == 0, done.out + done.err
        whole = offline(out, town)
        assert whole.exit == 0, whole.out + whole.err
        assert "every column that is evidence says what was written" in whole.out
    lines = (tmp_path / "proved.jsonl").read_text()
    changed = tmp_path / "changed.jsonl"
    changed.write_text(lines.replace('"decision": "ALLOW"', '"decision": "DENY"', 1))
    assert changed.read_text() != lines
    found = offline(changed, town)
    assert (found.exit, "the column decision is not what was written" in found.out) == (6, True)
    refused = town.audit("query", "--format", "csv", "--proofs", "--out", str(tmp_path / "no.csv"))
    assert (refused.exit, "--proofs goes with --format jsonl or sqlite" in refused.err) == (2, True)


@pytest.mark.parametrize(("letter", "kinds"), [("A", {"order", "request"}), ("B", {"request"})])
def test_receipts_taken_from_a_running_adapter_hold_against_the_published_log(
    letter: str, kinds: set[str], town: Town, tmp_path: Path
) -> None:
    county = town.sandbox.county(letter)
    done = commands().ask(
        "adapter", "receipts", "--dir", str(county.directory), "--out", str(tmp_path / "kept"), "--json"
    )
    assert done.exit == 0, done.out + done.err
    files = [tmp_path / "kept" / name for name in json.loads(done.out)["files"]]
    assert {file.name.partition("-")[0] for file in files} == kinds
    for file in files[:3]:
        assert offline(file, town).exit == 0
    published = town.sandbox.layout.gateway / "published"
    compared = [str(files[0]), str(published / "checkpoint"), "--log-key", str(published / "log.vkey")]
    found = ran("audit", "contradict", *compared)
    assert (found.exit, found.out[:5]) == (0, "ok   ")


def test_every_adapter_vouches_that_nothing_is_withheld_from_its_county(town: Town) -> None:
    gateway = str(town.sandbox.layout.gateway)
    ends = time.monotonic() + 20
    while True:
        status = json.loads(commands().ask("gateway", "status", gateway, "--json").out)
        shown = commands().ask("gateway", "status", gateway).out
        found = {each["agency"]: each for each in status["published"]["attestations"]}
        if {each["standing"] for each in found.values()} == {"COMPLETE"} or time.monotonic() > ends:
            break
        time.sleep(0.2)
    agencies = {town.sandbox.county(letter).member.agency for letter in "ABC"}
    assert {agency for agency, each in found.items() if each["standing"] == "COMPLETE"} == agencies
    assert all(int(each["number"]) > 0 for each in found.values())
    assert all(f"own entries {agency}  COMPLETE" in shown for agency in agencies)
    assert "none is withheld" in town.audit("query", "--limit", "1").out


@pytest.mark.parametrize("letter", ["A", "B", "C"])
def test_no_county_misses_an_entry(letter: str, town: Town) -> None:
    done = town.audit("complete", letter=letter)
    assert done.exit == 0, done.out + done.err
    assert "without a gap" in done.out


def test_a_complete_bundle_is_verified_by_a_stranger_without_a_network(town: Town, tmp_path: Path) -> None:
    out = tmp_path / "all.zip"
    done = town.audit("bundle", "--complete", "--out", str(out))
    assert done.exit == 0, done.out + done.err
    status, said = strangers_verdict(out, tmp_path)
    assert (status, said.splitlines()[-1]) == (0, "VERIFIED"), said
    assert "have no gap" in said
    assert "by design, not damage" in said
    assert "purpose=MFC_HANDOFF" in said
    policy = (tmp_path / "unpacked" / "policy" / "california-2026-11.txt").read_text()
    assert "counsel" in policy.lower()


def test_a_changed_bundle_is_broken_to_a_stranger(town: Town, tmp_path: Path) -> None:
    out = tmp_path / "some.zip"
    assert town.audit("bundle", "--decision", "deny", "--out", str(out)).exit == 0
    raw = out.read_bytes()
    at = raw.index(b'"leaf":"') + 20
    out.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    assert commands().ask("verify", str(out)).exit == 6


def test_a_sample_is_drawn_again_by_its_seed_and_holds_nobodys_identity(town: Town, tmp_path: Path) -> None:
    first = json.loads(town.audit("sample", "--count", "2", "--seed", "lottery 2026-11-25", "--json").out)
    again = json.loads(
        town.audit(
            "sample", "--count", "2", "--seed", "lottery 2026-11-25", "--before", str(first["before"]), "--json"
        ).out
    )
    assert first == again
    assert len(first["entries"]) == 2
    out = tmp_path / "sample.zip"
    assert town.audit("sample", "--count", "2", "--seed", "x", "--out", str(out)).exit == 0
    status, said = strangers_verdict(out, tmp_path)
    assert status == 0, said
    assert not any(word in said for word in ("worker=", "handle=", "request=", "seq="))
    # What it was drawn from goes with it, so that a stranger makes the draw again; and it is not written over.
    unpacked = tmp_path / "unpacked"
    drawn = [json.loads(line)["index"] for line in (unpacked / "entries.jsonl").read_text().splitlines()]
    made = json.loads((unpacked / "sample.json").read_text())
    origin = json.loads((unpacked / "manifest.json").read_text())["origin"]
    assert (made["seed"], draw(made["population"], 2, seed="x", origin=origin)) == ("x", drawn)
    assert len(made["population"]) > 2
    again_there = town.audit("sample", "--count", "2", "--seed", "x", "--out", str(out))
    assert (again_there.exit, "is there already" in again_there.err) == (2, True)


@pytest.mark.parametrize("seed", ["", "  "])
def test_a_sample_needs_a_seed_that_says_something(seed: str, town: Town) -> None:
    done = town.audit("sample", "--seed", seed)
    assert (done.exit, "--seed is empty" in done.err) == (2, True)


@pytest.mark.parametrize("command", [("query",), ("reconcile",)])
def test_an_agency_that_never_was_a_member_is_no_answer_that_nothing_was_released(
    town: Town, command: tuple[str, ...]
) -> None:
    done = town.audit(*command, "--counterpart", "06099.nobody", "--json")
    assert done.exit == ExitCode.USAGE, done.out + done.err
    error = json.loads(done.out)["error"]
    assert (error["code"], error["where"].startswith("--counterpart")) == ("AUDIT-MEMBER", True)


def replay(directory: Path) -> tuple[int, str]:
    done = commands().ask("gateway", "replay", str(directory), "--json")
    return done.exit, done.out


def test_a_replay_that_nobody_watches_says_nothing_but_what_it_found(town: Town) -> None:
    done = commands().ask("gateway", "replay", str(town.sandbox.layout.gateway))
    assert (done.exit, done.err) == (0, "")
    assert {line.split()[0] for line in done.out.splitlines()} == {"ok", "note"}


def test_the_whole_log_is_decided_again_to_the_same_end(town: Town) -> None:
    status, said = replay(town.sandbox.layout.gateway)
    assert status == 0, said
    counts = json.loads(said)
    # Three flag checks and a placement history; everything else in the log is followed, too.
    assert (counts["decided"], counts["recomputed"], counts["sealed"]) == (4, 4, 0)
    assert counts["released"] == 3
    assert counts["confirmed"] == 1


def test_a_log_whose_decisions_cannot_be_made_again_is_refused(town: Town, tmp_path: Path) -> None:
    copy = tmp_path / "gateway"
    shutil.copytree(town.sandbox.layout.gateway, copy, ignore=shutil.ignore_patterns("*.sock"))
    with sqlite3.connect(copy / "gateway.db") as connection:
        connection.execute("DELETE FROM decision_input WHERE leaf_index = (SELECT min(leaf_index) FROM decision_input)")
    connection.close()
    status, said = replay(copy)
    assert (status, json.loads(said)["error"]["code"]) == (6, "REPLAY-COMMITTED")


def words_of(pdf: Path) -> str:
    """The paper's text, whatever the lines it was broken into."""
    return " ".join("".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages).split())


def test_a_youth_is_given_an_account_on_paper_and_as_a_workbook(town: Town, tmp_path: Path) -> None:
    number = town.sandbox.caseload.cast.runaway
    pdf, xlsx = tmp_path / "account.pdf", tmp_path / "account.xlsx"
    done = town.audit("account", "--case", "-", "--pdf", str(pdf), "--xlsx", str(xlsx), "--json", typed=number)
    assert done.exit == 0, done.out + done.err
    said = json.loads(done.out)
    (line,) = said["lines"]
    assert (said["disclosures"], line["Times"], line["Who received it"]) == (2, 2, "06029.cwa (Kern County)")
    assert "flag status" in line["What was disclosed"]
    assert line["On what legal basis"].startswith("Statute: ")
    text = words_of(pdf)
    person = town.sandbox.caseload.youth(number).person
    assert "Kern County" in text
    assert not any(word in text + done.out for word in (number, person.surname, person.birth_date.isoformat()))
    assert xlsx.read_bytes().startswith(b"PK")


def test_a_released_record_is_in_the_account_and_what_is_held_back_leaves_no_trace(town: Town, tmp_path: Path) -> None:
    number = town.sandbox.caseload.cast.moved
    whole, less = tmp_path / "whole.pdf", tmp_path / "less.pdf"
    done = town.audit("account", "--case", "-", "--pdf", str(whole), "--json", typed=number)
    (line,) = json.loads(done.out)["lines"]
    assert "placement history in detail" in line["What was disclosed"]
    holds = tmp_path / "holds.toml"
    recipient = line["Who received it"].split()[0]
    holds.write_text(f'[[hold]]\nagency = "{recipient}"\nuntil = 2099-12-31\nrequest = "letter 7"\n')
    with holds.open("a") as more:
        more.write('[[third_party]]\nentry = 999999\nreason = "would name the reporter"\n')
    done = town.audit("account", "--case", "-", "--pdf", str(less), "--holds", str(holds), "--json", typed=number)
    said = json.loads(done.out)
    assert (said["disclosures"], [each["reference"] for each in said["left_out"]]) == (0, ["letter 7"])
    assert said["idle_holds"] == [{"kind": "third_party", "entry": 999999}]
    told = town.audit("account", "--case", "-", "--holds", str(holds), typed=number).out
    (held,) = said["left_out"]
    assert f"left out: entry {held['entry']}, {held['why']} " in told
    text = words_of(less)
    assert recipient not in text
    assert "letter 7" not in text
    assert "No disclosure is listed" in text


def test_of_a_youth_whose_records_are_sealed_no_account_is_made(town: Town, tmp_path: Path) -> None:
    """By the county's data of now, whatever the entries of the period say."""
    number, pdf = town.sandbox.caseload.cast.sealed, tmp_path / "account.pdf"
    for period in ((), ("--until", "2020-01-01")):
        done = town.audit("account", "--case", "-", "--pdf", str(pdf), *period, typed=number)
        assert (done.exit, done.out) == (ExitCode.DENIED, "")
        assert done.err.startswith("FAIL  AUDIT-SEALED "), done.err
    assert not pdf.exists()
    with_log = town.audit("query", "--case", "-", typed=number)
    assert with_log.exit == 0, "the log itself stays open to its reviewers"


def test_releases_and_receipts_of_a_pair_agree(town: Town) -> None:
    done = town.audit("reconcile", "--counterpart", COUNTY_A.agency_id, "--json", letter="B")
    assert done.exit == 0, done.out + done.err
    (day,) = json.loads(done.out)["days"]
    assert (day["released"], day["confirmed"], day["unconfirmed"]) == (1, 1, [])
    assert json.loads(done.out)["directions"] == [{"requester": COUNTY_B.agency_id, "holder": COUNTY_A.agency_id}]


@pytest.mark.parametrize("command", [("query",), ("reconcile", "--counterpart", COUNTY_A.agency_id)])
def test_another_agencys_entries_are_refused_with_what_may_be_asked_instead(
    town: Town, command: tuple[str, ...]
) -> None:
    done = town.audit(*command, "--agency", "06029.cwa", "--json", letter="B")
    assert done.exit == ExitCode.DENIED, done.out + done.err
    error = json.loads(done.out)["error"]
    assert error["code"] == "AUDIT-AGENCY"
    assert error["where"].startswith("--agency")
    assert "--counterpart AGENCY" in error["fix"]
    assert not any("filter." in part or "INVALID" in part for part in error.values())
    # Control: about its own agency it may ask by name.
    own = town.audit("query", "--agency", COUNTY_B.agency_id, "--limit", "1", letter="B")
    assert own.exit == 0, own.out + own.err


def test_a_reconciliation_at_the_county_that_released_says_which_direction_it_did_not_look_at(town: Town) -> None:
    done = town.audit("reconcile", "--counterpart", COUNTY_B.agency_id)
    assert done.exit == 0, done.out + done.err
    assert f"{COUNTY_B.agency_id} released nothing to {COUNTY_A.agency_id} in this period" in done.out
    assert f"what {COUNTY_A.agency_id} released to {COUNTY_B.agency_id} was not looked at" in done.out
