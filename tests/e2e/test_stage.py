"""A step that sees anything else than it should is told as such, and the whole story fails with it."""

import json
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from deploy.demo.demo import Result, write_transcript
from deploy.demo.layout import Layout, SandboxState
from deploy.demo.sandbox import Sandbox
from deploy.demo.stage import Seen, Stage, Step, Unexpected, play
from homeward.failure import CommandFailure
from tests.commands import commands


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    empty = tmp_path_factory.mktemp("stage")
    return Stage(Sandbox(Layout(empty), SandboxState()), commands(), empty, Future())


def refuse(stage: Stage) -> Seen:
    raise CommandFailure("SBX-001", "adapter-a failed", where="log", why="reason", fix="fix")


def lose(stage: Stage) -> Seen:
    raise Unexpected("no alert arrived")


def test_a_step_that_sees_what_it_should_is_ok(stage: Stage) -> None:
    assert play(Step("s", "t", {"outcome": "ANSWERED"}, lambda _: Seen({"outcome": "ANSWERED"})), stage).ok


@pytest.mark.parametrize("actual", [{}, {"outcome": "NOT_PERMITTED"}, {"outcome": "ANSWERED", "more": True}])
def test_a_step_that_sees_less_other_or_more_is_not_ok(stage: Stage, actual: dict[str, str]) -> None:
    assert not play(Step("s", "t", {"outcome": "ANSWERED"}, lambda _: Seen(actual)), stage).ok


def test_a_step_that_cannot_be_played_says_why(stage: Stage) -> None:
    refused, lost = play(Step("s", "t", {}, refuse), stage), play(Step("s", "t", {}, lose), stage)
    assert (refused.ok, lost.ok) == (False, False)
    assert "adapter-a failed" in str(refused.seen.actual["failed"])
    assert lost.seen.actual == {"failed": "no alert arrived"}


def test_one_wrong_step_makes_the_story_wrong_and_the_transcript_says_which(stage: Stage, tmp_path: Path) -> None:
    good = play(Step("good", "t", {"a": 1}, lambda _: Seen({"a": 1})), stage)
    bad = play(Step("bad", "t", {"a": 1}, lambda _: Seen({"a": 2})), stage)
    result = Result([good, bad], 1.0)
    write_transcript(result, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "transcript.json").read_text())
    assert (result.ok, told["ok"]) == (False, False)
    assert [(step["name"], step["ok"], step["actual"]) for step in told["steps"]] == [
        ("good", True, {"a": 1}),
        ("bad", False, {"a": 2}),
    ]
