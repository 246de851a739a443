"""A gateway killed in mid-load loses nothing that it acknowledged, and everybody finds it again.

Real processes: the flag checks run while SIGKILL arrives, so that some calls are answered, some fail, and one may be
cut between its entry and its answer.
"""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from deploy.demo.county import Calls, County, inquiry
from deploy.demo.sandbox import Sandbox
from homeward.county.v1.county_pb2 import Receipt
from homeward.county.v1.missing_pb2 import CheckFlagRequest
from homeward.gateway.v1 import codes_pb2 as codes
from tests.commands import commands

ROLE = "CWA.hotline_screener"
BEFORE_KILL = 20
RECOVERY_SECONDS = 15.0


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.up(tmp_path_factory.mktemp("survival") / "box", commands=commands()) as running:
        yield running


def question(sandbox: Sandbox) -> CheckFlagRequest:
    cast = sandbox.caseload.cast
    return CheckFlagRequest(
        inquiry=inquiry(
            sandbox.caseload.youth(cast.runaway).person,
            codes.PURPOSE_MFC_HANDOFF,
            evidence=[(codes.EVIDENCE_KIND_YOUTH_PRESENT, "TEST-LOAD")],
        )
    )


def ask_until(stop: threading.Event, sandbox: Sandbox, county: County, receipts: list[Receipt]) -> None:
    metadata = county.metadata(ROLE)
    with county.channel() as channel:
        while not stop.is_set():
            try:
                answer = Calls(channel).missing.CheckFlag(question(sandbox), metadata=metadata, timeout=5)
            except grpc.RpcError:
                time.sleep(0.02)
                continue
            receipts.append(answer.receipt)


def tree_size(receipt: Receipt) -> int:
    return int(receipt.checkpoint.splitlines()[1])


def test_sigkill_in_mid_load_loses_no_acknowledged_entry(sandbox: Sandbox, tmp_path: Path) -> None:
    stop, receipts = threading.Event(), list[Receipt]()
    asking = [
        threading.Thread(target=ask_until, args=(stop, sandbox, sandbox.county(letter), receipts)) for letter in "BC"
    ]
    for thread in asking:
        thread.start()
    try:
        while len(receipts) < BEFORE_KILL:
            time.sleep(0.01)
        sandbox.end("gateway", signal.SIGKILL)
        acknowledged = len(receipts)
        sandbox.restart("gateway")
        deadline = time.monotonic() + RECOVERY_SECONDS
        while len(receipts) < acknowledged + 5 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        for thread in asking:
            thread.join()
    assert len(receipts) >= acknowledged + 5, "nobody was answered after the restart"
    newest = max(receipts[:acknowledged], key=tree_size)
    head = tmp_path / "head.txt"
    head.write_text(newest.checkpoint)
    verdict = commands().ask("verify", str(sandbox.layout.gateway / "gateway.db"), "--checkpoint", str(head), "--json")
    assert json.loads(verdict.out)["ok"] is True, verdict.out
    assert json.loads(verdict.out)["size"] >= tree_size(newest)
    # Each answer has an entry of its own, before the kill and after, and is what the policy says of its argument.
    indexes = [receipt.leaf_index for receipt in receipts]
    assert len(set(indexes)) == len(indexes)
    replayed = commands().ask("gateway", "replay", str(sandbox.layout.gateway), "--json")
    assert replayed.exit == 0, replayed.out
    counts = json.loads(replayed.out)
    assert counts["decided"] == counts["recomputed"] >= len(receipts)
