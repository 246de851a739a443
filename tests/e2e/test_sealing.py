"""A court's order at a real exchange: sealed by a command, told to who holds copies, lifted with the court's key."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.demo.commands import Done
from deploy.demo.county import CALL_SECONDS, Calls, County, inquiry
from deploy.demo.sandbox import Sandbox
from homeward.county.v1 import placement_pb2
from homeward.failure import ExitCode
from homeward.gateway.v1 import codes_pb2 as codes
from tests.commands import commands

OFFICER = "COUNTY.privacy_officer"
ORDER = "INVENTED-ORDER-0389"
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Town:
    """A running sandbox in which B received records of a youth of A."""

    sandbox: Sandbox
    scratch: Path

    def run(self, *words: str, role: str = OFFICER, letter: str = "A") -> tuple[int, dict[str, Any], str]:
        """A command in the county, as JSON: exit status, what it said, and everything it printed."""
        county: County = self.sandbox.county(letter)
        token = self.file(f"{letter}.token", county.token(role))
        place = ("--dir", str(county.directory), "--token-file", token)
        done = self.plain(*words, *place, "--json")
        said = json.loads(done.out) if done.exit == 0 else {}
        return done.exit, said, done.out + done.err

    def plain(self, *words: str) -> Done:
        """A command anywhere."""
        return commands().ask(*words)

    def file(self, name: str, text: str) -> str:
        path = self.scratch / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return str(path)

    def history(self) -> str:
        """What B's placement worker is told of the youth."""
        question = placement_pb2.GetPlacementHistoryRequest(
            inquiry=inquiry(
                self.sandbox.caseload.referral.person,
                codes.PURPOSE_PLACEMENT_PLANNING,
                evidence=[(codes.EVIDENCE_KIND_OPEN_REFERRAL, "TEST-REFERRAL-3")],
            )
        )
        county = self.sandbox.county("B")
        with county.channel() as channel:
            answer = Calls(channel).placement.GetPlacementHistory(
                question, metadata=county.metadata("CWA.placement_worker"), timeout=CALL_SECONDS
            )
        return codes.Outcome.Name(answer.page.outcome)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    directory = tmp_path_factory.mktemp("sealing")
    sandbox = Sandbox.up(directory / "box", commands=commands())
    try:
        yield Town(sandbox, directory)
    finally:
        sandbox.down()


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < ends, "it did not come to hold"
        time.sleep(0.3)


def test_a_seal_from_the_order_to_its_lifting(town: Town) -> None:
    number, order = town.file("number", town.sandbox.caseload.cast.moved), town.file("order", ORDER)
    assert town.history() == "OUTCOME_ANSWERED"
    restrict = ("adapter", "seal", "restrict", "--case", number, "--order", order)
    assert town.run(*restrict, role="CWA.case_worker")[0] != 0
    _, done, printed = town.run(*restrict)
    assert (done["outcome"], done["notices"]) == ("RECORDED", 2)
    assert ORDER not in printed
    assert town.sandbox.caseload.cast.moved not in printed
    assert town.history() == "OUTCOME_NO_DISCLOSABLE_RECORD"
    # The county's own officer is told that it is sealed, and a caseworker of the county no more than anybody.
    for told in (("audit", "query", "--case", number), restrict, ("adapter", "seal", "recall", "--case", number)):
        more = ("--kind", "wrong-youth") if "recall" in told else ()
        status, _, printed = town.run(*told, *more)
        assert (status, "CALL-YOUTH_SEALED" in printed) == (ExitCode.FAILED, True), printed
    status, _, printed = town.run("audit", "account", "--case", number)
    assert (status, "AUDIT-SEALED" in printed) == (ExitCode.DENIED, True), printed
    # What a seal takes is no part of the chain (S11).
    verified = town.plain("verify", str(town.sandbox.layout.gateway / "gateway.db"))
    assert verified.exit == 0, verified.out + verified.err
    unknown = town.file("unknown", "no-such-number")
    assert "CALL-YOUTH_NOT_IN_CASELOAD" in town.run("audit", "query", "--case", unknown)[2]
    refused = [town.run("audit", "query", "--case", each, role="CWA.case_worker")[2] for each in (number, unknown)]
    assert refused[0] == refused[1]
    assert "CALL-ROLE_NOT_HELD" in refused[0]
    until(lambda: not town.run("adapter", "seal", "list", "--open")[1]["notices"])
    _, listed, _ = town.run("adapter", "seal", "list")
    assert {copy["finding"] for copy in listed["notices"][0]["copies"]} == {"NOTICE_FINDING_DONE"}
    gateway, seal_id = town.sandbox.layout.gateway, done["seal_id"]
    copy, released = town.scratch / "copy", town.scratch / "release"
    assert town.plain("court", "copy", str(gateway), seal_id, str(copy)).exit == 0
    key = ("--key", str(gateway.parent / "court.key"), "--to", str(gateway / "release.pub"))
    assert town.plain("court", "release", str(copy), "0" * 32, str(released), *key).exit != 0
    assert town.plain("court", "release", str(copy), seal_id, str(released), *key).exit == 0
    status, _, printed = town.run("adapter", "seal", "lift", seal_id, "--order", order, "--release", str(copy))
    assert (status != 0, "release: opens" in printed) == (True, True), printed
    lift = ("adapter", "seal", "lift", seal_id, "--order", order, "--release", str(released))
    assert town.run(*lift)[1]["outcome"] == "RECORDED"
    until(lambda: town.history() == "OUTCOME_ANSWERED")
    _, recalled, _ = town.run("adapter", "seal", "recall", "--case", number, "--kind", "wrong-youth")
    assert (recalled["outcome"], recalled["notices"]) == ("RECORDED", 1)
    until(lambda: not town.run("adapter", "seal", "list", "--open")[1]["notices"])
    destroyed = town.run("adapter", "seal", "destroy", "--case", number, "--order", order)[1]
    assert destroyed["outcome"] == "RECORDED"
    assert town.history() == "OUTCOME_NO_DISCLOSABLE_RECORD"
    assert town.plain("court", "copy", str(gateway), destroyed["seal_id"], str(town.scratch / "none")).exit != 0
