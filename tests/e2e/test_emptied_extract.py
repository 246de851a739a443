"""A night on which an extract came out empty, and the adapter was started again: real processes, real calls."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from deploy.demo import bringup
from deploy.demo.county import Calls
from deploy.demo.processes import start
from deploy.demo.sandbox import Sandbox
from deploy.demo.story_records import PLACEMENT_WORKER, open_referral
from homeward.county.v1.placement_pb2 import GetPlacementHistoryRequest, HistoryPage
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1.codes_pb2 import Outcome
from tests.commands import answered, commands, homeward

LINK_SECONDS = 30.0


@pytest.fixture
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox.up(tmp_path_factory.mktemp("emptied") / "box", commands=commands()) as running:
        yield running


def history(sandbox: Sandbox) -> HistoryPage:
    """What B's placement worker is answered about the youth of an open referral, whom A has in care."""
    county = sandbox.county("B")
    with county.channel() as channel:
        response = Calls(channel).placement.GetPlacementHistory(
            GetPlacementHistoryRequest(inquiry=open_referral(sandbox.caseload.referral.person), detail=True),
            metadata=county.metadata(PLACEMENT_WORKER),
            timeout=10,
        )
    return cast(HistoryPage, response.page)


def empty(data: Path, table: str) -> None:
    """The newest extract holds its header, and says that it has no rows."""
    path = max(data.glob(f"{table}_*.csv"))
    path.write_bytes(path.read_bytes().partition(b"\r\n")[0] + b"\r\nROW COUNT: 0\r\n")


@pytest.mark.parametrize("table", ["clients", "placements"])
def test_an_empty_extract_makes_no_negative_and_no_empty_history(sandbox: Sandbox, table: str) -> None:
    place = sandbox.layout.agency("A")
    assert history(sandbox).outcome == codes.OUTCOME_ANSWERED
    listed = answered("adapter", "status", "--dir", place)["listed_count"]
    sandbox.end("adapter-a")
    empty(place / "data", table)
    starting = bringup.serve_adapter(sandbox.layout, "A", start)
    try:
        until = time.monotonic() + LINK_SECONDS
        status: dict[str, object] = {}
        while not status.get("link_up") and time.monotonic() < until:
            time.sleep(0.2)
            # Until it listens, the command has nobody to ask (exit status 5).
            done = commands().ask("adapter", "status", "--dir", str(place), "--json")
            status = json.loads(done.out) if done.exit == 1 else {}
        (fault,) = [each for each in cast(list[dict[str, str]], status["faults"]) if each["code"]]
        assert (fault["source"], fault["code"]) == (table, "SRC-016")
        assert (status["link_up"], status["listed_count"]) == (True, listed)
        page = history(sandbox)
        assert Outcome.Name(page.outcome) == "OUTCOME_SOURCE_UNAVAILABLE"
        assert not page.HasField("placement_history")
        assert "SRC-016  far fewer" in homeward("adapter", "check", "--dir", place, code=1).out
    finally:
        starting.end()
