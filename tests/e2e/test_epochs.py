"""A rotation of the token key while somebody is looked for: found before, during and after it, whoever is killed.

Real processes. Another county asks about the missing youth at every step; an answer may fail to come while something
restarts, but what comes is never a negative.
"""

import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from deploy.demo.commands import Commands
from deploy.demo.contents import contents
from deploy.demo.counties import COUNTY_A, COUNTY_B
from deploy.demo.county import Calls, inquiry
from deploy.demo.sandbox import Sandbox
from deploy.demo.youths import Person, heard
from gateway.protocol.matching.key_scheme import split_tokens
from homeward.county.v1.missing_pb2 import CheckFlagRequest, CheckFlagResponse, RaiseFlagRequest
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.exchange_pb2 import FlagQuery
from homeward.gateway.v1.records_pb2 import FlagLocate
from tests.commands import commands

PATIENCE_SECONDS = 40.0


@dataclass
class Rotation:
    """A sandbox in which A's youth is missing, and the operators' commands."""

    sandbox: Sandbox
    commands: Commands
    answers: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, person: Person) -> CheckFlagResponse:
        """What C's intake desk reads about this person."""
        county = self.sandbox.county("C")
        evidence = [(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-EPOCH")]
        question = CheckFlagRequest(inquiry=inquiry(person, codes.PURPOSE_MFC_HANDOFF, evidence=evidence))
        with county.channel() as channel:
            answer: CheckFlagResponse = Calls(channel).missing.CheckFlag(
                question, metadata=county.metadata("CWA.hotline_screener"), timeout=10
            )
        return answer

    def missing(self) -> Person:
        caseload = self.sandbox.caseload
        return heard(caseload.youth(caseload.cast.runaway).person)

    def keep_asking(self) -> None:
        """Until told to stop: is somebody looking for the youth?"""
        while not self.stop.is_set():
            try:
                answer = self.ask(self.missing())
            except grpc.RpcError:
                time.sleep(0.1)
                continue
            self.answers.append(codes.FlagState.Name(answer.flag_state) if answer.flag_state else "NONE")
            time.sleep(0.05)

    def deal(self, epoch: str) -> Path:
        """A key of this epoch, dealt anew; the directory of its shares."""
        dealt = self.sandbox.layout.root / f"ceremony-{epoch}"
        self.run("custodian", "deal", "--threshold", "2", "--holders", "2", "--epoch", epoch, "--out", str(dealt))
        return dealt

    def open(self, epoch: str) -> None:
        """Custodian and gateway have opened this epoch."""
        dealt, layout = self.deal(epoch), self.sandbox.layout
        self.run("custodian", "epoch", "add", str(layout.custodian), "--share", str(dealt / "share-2.bin"))
        self.run("gateway", "epoch", "open", str(layout.gateway), "--share", str(dealt / "share-1.bin"))

    def run(self, *words: str, code: int = 0) -> dict[str, object]:
        done = self.commands.ask(*words, "--json")
        assert done.exit == code, done.out + done.err
        told: dict[str, object] = json.loads((done.out or done.err).splitlines()[-1])
        return told

    def epochs(self) -> dict[str, dict[str, object]]:
        done = self.commands.ask("gateway", "epoch", "status", str(self.sandbox.layout.gateway), "--json")
        told = json.loads(done.out.splitlines()[-1])
        return {each["epoch"]: each for each in told["epochs"]}

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < deadline, self.epochs()
            time.sleep(0.2)

    def found_again(self) -> None:
        """Somebody who asks from now on is told that the youth is looked for."""
        count = len(self.answers)
        self.until(lambda: len(self.answers) >= count + 3)
        assert set(self.answers) == {"FLAG_STATE_ACTIVE"}


def raise_flag(sandbox: Sandbox) -> None:
    """A reports its youth missing."""
    learned = Timestamp()
    learned.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    county, youth = sandbox.county("A"), sandbox.caseload.cast.runaway
    with county.channel() as channel:
        Calls(channel).missing.RaiseFlag(
            RaiseFlagRequest(
                inquiry=inquiry(
                    sandbox.caseload.youth(youth).person,
                    codes.PURPOSE_MFC_LOCATE,
                    evidence=[(codes.EVIDENCE_KIND_REPORT_BEING_FILED, "TEST-EPOCH-1")],
                ),
                local_id=youth,
                learn_time=learned,
                handling_code=codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE,
                flag_locate=FlagLocate(
                    missing_since_date=learned.ToDatetime().date().isoformat(),
                    absence_category=codes.ABSENCE_CATEGORY_RUNAWAY,
                    last_seen_county=COUNTY_A.fips,
                    missing_from_setting_group=codes.SETTING_GROUP_CONGREGATE_CARE,
                ),
            ),
            metadata=county.metadata("CWA.case_worker"),
            timeout=10,
        )


@pytest.fixture(scope="module")
def rotation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotation]:
    with Sandbox.up(tmp_path_factory.mktemp("epochs") / "box", commands=commands()) as sandbox:
        made = Rotation(sandbox, commands())
        raise_flag(sandbox)
        thread = threading.Thread(target=made.keep_asking)
        thread.start()
        try:
            yield made
        finally:
            made.stop.set()
            thread.join()


def peppers(root: Path) -> set[str]:
    return {path.name for path in root.rglob("pepper-*.key")}


def made_of(rotation: Rotation, epoch: str) -> set[bytes]:
    """Tokens of this epoch that A listed its youths with, and that C asked with."""
    found: list[TokenSet] = []
    for letter, query in (("A", "SELECT tokens FROM registration"), ("C", "SELECT payload FROM request LIMIT 20")):
        file = rotation.sandbox.layout.agency(letter) / "state" / "adapter.db"
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as reader:
            raw = [bytes(row[0]) for row in reader.execute(query)]
        kind = TokenSet.FromString if letter == "A" else lambda each: FlagQuery.FromString(each).tokens
        found += [kind(each) for each in raw]
    return {token for each in found if each.epoch == epoch for token in split_tokens(each.tokens)}


def kept_by(rotation: Rotation, letter: str, tokens: set[bytes]) -> int:
    """How many of these tokens stand anywhere in the files of this adapter's database."""
    state = rotation.sandbox.layout.agency(letter) / "state"
    raw = b"".join(path.read_bytes() for path in state.glob("adapter.db*"))
    return sum(token in raw for token in tokens)


def test_a_missing_youth_is_found_at_every_step_of_a_rotation(rotation: Rotation) -> None:
    sandbox, layout = rotation.sandbox, rotation.sandbox.layout
    rotation.found_again()
    old = made_of(rotation, "e1")
    assert min(kept_by(rotation, letter, old) for letter in "AC") > 100, "the search finds what is there"
    dealt = rotation.deal("e2")
    # B does not take part yet, and A is killed while it makes its tokens again.
    sandbox.end("adapter-b", signal.SIGKILL)
    rotation.run("custodian", "epoch", "add", str(layout.custodian), "--share", str(dealt / "share-2.bin"))
    rotation.run("gateway", "epoch", "open", str(layout.gateway), "--share", str(dealt / "share-1.bin"))
    rotation.until(lambda: bool(rotation.epochs().get("e2", {}).get("announced")))
    sandbox.end("adapter-a", signal.SIGKILL)
    rotation.found_again()
    sandbox.end("gateway", signal.SIGKILL)
    sandbox.restart("gateway")
    sandbox.restart("adapter-a")
    rotation.until(lambda: rotation.epochs()["e2"]["incomplete_counties"] == [COUNTY_B.fips])
    rotation.found_again()
    refused = rotation.run("gateway", "epoch", "cut-over", str(layout.gateway), code=3)
    assert "EPOCH_INCOMPLETE" in json.dumps(refused)
    assert COUNTY_B.fips in json.dumps(refused)
    rotation.run("gateway", "epoch", "cut-over", str(layout.gateway), "--without", COUNTY_B.fips)
    rotation.until(lambda: bool(rotation.epochs()["e2"]["state"] == "CURRENT" and rotation.epochs()["e1"]["announced"]))
    rotation.found_again()
    # Of somebody nobody looks for C is not told so: B's list is not complete in this epoch.
    nobody = Person("Nobody", "Looksfor", datetime(2010, 5, 4, tzinfo=UTC).date())
    rotation.until(lambda: list(rotation.ask(nobody).stale_counties) == [COUNTY_B.fips])
    assert rotation.ask(nobody).outcome == codes.OUTCOME_UNDETERMINED
    sandbox.restart("adapter-b")
    rotation.until(lambda: not rotation.epochs()["e2"]["incomplete_counties"])
    rotation.until(lambda: rotation.ask(nobody).outcome == codes.OUTCOME_NO_ACTIVE_FLAG_FOUND)
    rotation.found_again()
    rotation.run("gateway", "epoch", "finish", str(layout.gateway))
    sandbox.end("gateway", signal.SIGKILL)
    sandbox.restart("gateway")
    rotation.until(lambda: set(rotation.epochs()) == {"e2"})
    finish = ("custodian", "epoch", "finish", str(layout.custodian))
    assert [rotation.run(*finish)[name] for name in ("epoch", "kept_epoch")] == ["e1", "e2"]
    assert [rotation.run(*finish)[name] for name in ("epoch", "kept_epoch")] == ["", "e2"], "given twice"
    rotation.found_again()
    # Nothing of the old epoch is anywhere: tokens and peppers in counties, shares at holders, the key at rest.
    rotation.until(lambda: peppers(layout.root) == {"pepper-e2.key"})
    rotation.until(lambda: not any(kept_by(rotation, letter, old) for letter in "ABC"))
    dealt_before = [(layout.ceremony / f"share-{index}.bin").read_bytes()[-96:-64] for index in (1, 2)]
    for place in (layout.gateway, layout.custodian):
        assert not [path for path, content in contents(place) for secret in dealt_before if secret in content]
    assert not (layout.gateway / "secrets" / "storage-e1.key").exists()
    status = rotation.run("gateway", "status", str(layout.gateway))
    assert [each["epoch"] for each in status["epochs"]] == ["e2"]  # type: ignore[attr-defined]


def test_an_epoch_that_is_given_up_leaves_nothing_and_delays_nobody(rotation: Rotation) -> None:
    layout = rotation.sandbox.layout
    rotation.open("e3")
    # Nobody restarts: every adapter hears of it and begins at once.
    rotation.until(lambda: rotation.epochs().get("e3", {}).get("incomplete_counties") == [])
    assert rotation.epochs()["e3"]["tokens"] == rotation.epochs()["e2"]["tokens"]
    rotation.run("gateway", "epoch", "abandon", str(layout.gateway))
    rotation.until(lambda: set(rotation.epochs()) == {"e2"})
    rotation.run("custodian", "epoch", "finish", str(layout.custodian))
    rotation.until(lambda: peppers(layout.root) == {"pepper-e2.key"})
    rotation.found_again()


def test_a_registration_on_its_own_lists_everybody_in_every_epoch_that_is_open(rotation: Rotation) -> None:
    sandbox, layout = rotation.sandbox, rotation.sandbox.layout
    file = str(layout.agency("B") / "adapter.yaml")
    refused = rotation.run("adapter", "register", "--config", file, code=1)
    assert "ADAPTER-006" in json.dumps(refused)
    listed = sandbox.process("adapter-b").ready["listed"]
    sandbox.end("adapter-b")
    (layout.agency("B") / "state" / "adapter.db").rename(layout.agency("B") / "state" / "lost.db")
    done = rotation.commands.ask("adapter", "register", "--config", file, "--json")
    assert json.loads(done.out) == {"ok": True, "listed": {"e2": listed}}
    progress = [json.loads(line) for line in done.err.splitlines() if '"progress"' in line]
    assert progress[-1] == {"event": "progress", "epoch": "e2", "done": listed, "total": listed}
    sandbox.restart("adapter-b")
    rotation.found_again()
