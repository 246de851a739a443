"""A state's reviewer at a real exchange: sees what every county did, proves whose entries they are, and misses none."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from google.protobuf.message import Message

from adapters.audit_entries import Found, Wanted, fetch, read_whole
from adapters.cli_options import Place
from adapters.config import FILE_NAME
from adapters.local.client import Endpoint
from audit.body import PARTIES, parse_parties
from audit.errors import EvidenceError
from audit.published import verify_published
from audit.source import open_source
from audit.tiles import parse_bundle
from deploy.demo.counties import COUNTY_A, COUNTY_B, COUNTY_C, Agency, SourceKind
from deploy.demo.county import inquiry
from deploy.demo.sandbox import Sandbox
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.county.v1 import placement_pb2
from homeward.county.v1.access_pb2 import ListAccessesResponse
from homeward.failure import ExitCode
from homeward.gateway.v1 import codes_pb2 as codes
from tests.commands import commands
from tests.e2e.test_audit_evidence import Town, ask, live, offline, strangers_verdict

REVIEWER = "STATE.cdss_oversight"
LINES = ("+15550109901", "+15550109902")
STATE = Agency("S", "Demo State Oversight", "06067", "cdss", "AUDITOR", *LINES, SourceKind.NONE, (REVIEWER,))
ICPC_OFFICE = "STATE.icpc_office"
ICPC = Agency("I", "Demo Interstate Office", "06067", "icpc", "STATE", *LINES, SourceKind.NONE, (ICPC_OFFICE, REVIEWER))
Reply = TypeVar("Reply", bound=Message)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("state")
    sandbox = Sandbox.up(directory / "box", commands=commands())
    try:
        sandbox.enlist(STATE, commands())
        sandbox.enlist(ICPC, commands(), beside=STATE)
        live(sandbox)
        yield Town(sandbox, directory)
    finally:
        sandbox.down()


@dataclass(frozen=True, slots=True)
class Withholding:
    """The adapter's endpoint, in whose answers one entry is left out."""

    true: Endpoint
    index: int

    def call(self, path: str, request: Message, reply: type[Reply]) -> Reply:
        answer = self.true.call(path, request, reply)
        assert isinstance(answer, ListAccessesResponse)
        kept = [each for each in answer.entries if each.index != self.index]
        del answer.entries[:]
        answer.entries.extend(kept)
        return answer


def endpoint(town: Town) -> Endpoint:
    county = town.sandbox.county("S")
    token = town.scratch / "state.token"
    token.write_text(county.token(REVIEWER))
    return Place(county.directory / FILE_NAME, None).endpoint(token)


def everything(town: Town) -> Found:
    return fetch(endpoint(town), Wanted(EntryFilter(), with_proofs=True), limit=100_000)


def state_rows(town: Town, tmp_path: Path, *words: str) -> list[dict[str, object]]:
    out = tmp_path / "rows.jsonl"
    done = town.audit(
        "query", "--format", "jsonl", "--out", str(out), "--limit", "100000", *words, letter="S", role=REVIEWER
    )
    assert done.exit == 0, done.out + done.err
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_the_state_reads_the_entries_of_every_county_with_both_sides_and_what_was_decided(
    town: Town, tmp_path: Path
) -> None:
    rows = state_rows(town, tmp_path, "--kind", "access.decision")
    pairs = {(row["requester"], row["holder"]) for row in rows}
    a, b, c = (each.agency_id for each in (COUNTY_A, COUNTY_B, COUNTY_C))
    assert {(c, a), (b, a)} <= pairs
    assert all(row["decision"] and row["purpose"] for row in rows)
    assert all(isinstance(row["requester_number"], int) for row in rows)
    assert not any(row["worker"] or row["youth"] for row in rows), "whose worker, and which youth, is the counties'"


def test_every_entry_proves_to_the_state_who_took_part_in_the_tree_that_is_published(town: Town) -> None:
    found = everything(town)
    shown = {each.index: next((o.value for o in each.openings if o.name == PARTIES), None) for each in found.proofs}
    told = {each.index: (each.requester_agency, each.holder_agency) for each in found.entries}
    own = {index for index, (asked, _) in told.items() if asked == STATE.agency_id}
    assert {index for index, value in shown.items() if value is None} == own
    for index, value in shown.items():
        if value is not None:
            parties = parse_parties(value)
            assert (parties.requester, parties.holder) == told[index]
    # The published log, which nobody's adapter stands between: the same leaves under the log's own signature.
    source = open_source(str(town.sandbox.layout.gateway / "published"))
    head = verify_published(source, key=found.log_key).checkpoint
    some = [each for each in found.proofs if each.index < min(head.size, 256)]
    width = min(head.size, 256)
    name = "tile/entries/000" if width == 256 else f"tile/entries/000.p/{width}"
    leaves = parse_bundle((town.sandbox.layout.gateway / "published" / name).read_bytes(), width)
    assert some
    assert all(each.leaf == leaves[each.index] for each in some)


def test_the_state_counts_the_whole_log_and_the_numbers_of_every_county(town: Town) -> None:
    done = town.audit("complete", "--all-agencies", "--json", letter="S", role=REVIEWER)
    assert done.exit == 0, done.out + done.err
    said = json.loads(done.out)
    agencies = said["agencies"]
    assert {each.agency_id for each in (COUNTY_A, COUNTY_B, COUNTY_C)} <= agencies.keys()
    # Each county's own count, which it makes by its own numbers, goes on from there by its own reading.
    own = json.loads(town.audit("complete", "--json", letter="A").out)
    assert own["count"] >= agencies[COUNTY_A.agency_id]
    text = town.audit("complete", "--all-agencies", letter="S", role=REVIEWER).out
    assert "none is withheld" in text
    assert f"ok   {COUNTY_B.agency_id} has entries 1 to " in text


def test_an_entry_withheld_from_the_state_is_found(town: Town) -> None:
    """Positive control: the same answers, of which one entry is left out, whichever it is."""
    read = read_whole(endpoint(town), "")
    assert read is not None
    count = read[0].count
    for index in (0, count // 2, count - 1):
        with pytest.raises(EvidenceError, match="it is withheld"):
            read_whole(Withholding(endpoint(town), index), "")  # type: ignore[arg-type]  # all that is used is `call`


def ask_records(town: Town, letter: str, role: str) -> int:
    """The outcome of a question for the records of a youth of county A."""
    question = inquiry(
        town.sandbox.caseload.youth(town.sandbox.caseload.cast.runaway).person,
        codes.PURPOSE_CASE_TRANSFER,
        evidence=[(codes.EVIDENCE_KIND_ICPC_REQUEST, "TEST-ICPC-4")],
    )
    request = placement_pb2.GetPlacementHistoryRequest(inquiry=question, detail=True)
    answer = ask(town.sandbox.county(letter), role, lambda calls: calls.placement.GetPlacementHistory, request)
    return int(answer.page.outcome)


def test_the_state_that_oversees_gets_no_answer_about_a_youth_and_no_second_kind(town: Town) -> None:
    """From a holder's numbers it would learn what an answer to itself hid; it asks as a member of its own."""
    assert ask_records(town, "S", REVIEWER) == codes.OUTCOME_NOT_PERMITTED
    gateway = str(town.sandbox.layout.gateway)
    invited = commands().ask("gateway", "invite", gateway, STATE.agency_id, "--kind", "STATE")
    assert (invited.exit, "as a member of its own" in invited.err) == (ExitCode.DENIED, True), invited.err


def test_the_state_that_asks_reads_its_own_entries_and_no_agencys_numbers(town: Town, tmp_path: Path) -> None:
    assert ask_records(town, "I", ICPC_OFFICE) == codes.OUTCOME_ANSWERED
    out = tmp_path / "own.jsonl"
    read = ("query", "--format", "jsonl", "--out", str(out), "--limit", "100000")
    done = town.audit(*read, letter="I", role=REVIEWER)
    assert done.exit == 0, done.out + done.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows
    assert {row["requester"] for row in rows} == {ICPC.agency_id}
    assert not any(row["requester_number"] or row["holder_number"] for row in rows)
    denied = town.audit("complete", "--all-agencies", letter="I", role=REVIEWER)
    assert (denied.exit, "AUDIT-AGENCY" in denied.err) == (ExitCode.DENIED, True)


def test_a_county_reviewer_beside_it_sees_its_own_entries_alone(town: Town, tmp_path: Path) -> None:
    out = tmp_path / "own.jsonl"
    done = town.audit("query", "--format", "jsonl", "--out", str(out), "--limit", "100000", letter="B")
    assert done.exit == 0, done.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows
    assert all(COUNTY_B.agency_id in (row["requester"], row["holder"]) for row in rows)
    assert not any(row["requester_number"] or row["holder_number"] for row in rows), (
        "what the other side does is its own"
    )
    denied = town.audit("complete", "--all-agencies", letter="B")
    assert (denied.exit, "AUDIT-AGENCY" in denied.err) == (ExitCode.DENIED, True)


def test_a_bundle_of_the_states_proves_both_sides_to_a_stranger(town: Town, tmp_path: Path) -> None:
    out = tmp_path / "state.zip"
    asked = ("--kind", "access.decision", "--out", str(out))
    done = town.audit("bundle", *asked, letter="S", role=REVIEWER)
    assert done.exit == 0, done.out + done.err
    status, said = strangers_verdict(out, tmp_path)
    assert (status, said.splitlines()[-1]) == (0, "VERIFIED"), said
    assert f"parties={COUNTY_C.agency_id} " in said


def test_a_table_of_the_states_proves_both_sides_of_each_entry(town: Town, tmp_path: Path) -> None:
    out = tmp_path / "proved.jsonl"
    asked = ("--kind", "access.decision", "--format", "jsonl", "--proofs", "--out", str(out))
    assert town.audit("query", *asked, letter="S", role=REVIEWER).exit == 0
    whole = offline(out, town)
    assert (whole.exit, "the exchange's word" in whole.out) == (0, False), whole.out + whole.err
    out.write_text(out.read_text().replace(f'"holder": "{COUNTY_A.agency_id}"', f'"holder": "{COUNTY_B.agency_id}"', 1))
    assert offline(out, town).exit == 6
