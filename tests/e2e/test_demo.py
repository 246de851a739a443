"""The demonstration is a test: every step saw what it should, and what is printed can be read anywhere."""

import json
from typing import Any

import pytest

from tests.e2e.conftest import DemoRun

STEPS = [
    "joined",
    "checked",
    "raise",
    "found",
    "told",
    "located",
    "resolved",
    "lookalikes",
    "history",
    "refused_by_request",
    "sealed_like_unknown",
    "no_flag",
    "written_otherwise",
    "consent_recorded",
    "consent_revoked",
    "owners_view",
    "verified",
    "changed",
    "published",
    "handed_out",
    "replayed",
    "restored",
    "sealed",
    "rewritten",
    "gateway_view",
]


@pytest.fixture(scope="module")
def transcript(demo_run: DemoRun) -> Any:
    assert (demo_run.output / "transcript.json").exists(), demo_run.printed + demo_run.errors
    return json.loads((demo_run.output / "transcript.json").read_text())


def test_every_step_of_the_story_is_played_in_order(transcript: Any) -> None:
    assert [step["name"] for step in transcript["steps"]] == STEPS


def test_every_step_sees_exactly_what_it_should(transcript: Any) -> None:
    assert [(step["name"], step["actual"]) for step in transcript["steps"]] == [
        (step["name"], step["expected"]) for step in transcript["steps"]
    ]


def test_the_command_succeeds_and_says_so(demo_run: DemoRun, transcript: Any) -> None:
    assert demo_run.exit_code == 0, demo_run.printed + demo_run.errors
    assert transcript["ok"] is True
    assert f"All {len(STEPS)} steps as expected" in demo_run.printed


def test_what_is_printed_is_plain_ascii_and_ends_each_step_with_its_verdict(demo_run: DemoRun) -> None:
    assert demo_run.printed.isascii()
    steps = [line for line in demo_run.printed.splitlines() if line[:2].strip().isdigit()]
    assert len(steps) == len(STEPS)
    assert all(line.endswith("  ok") for line in steps)


def test_the_reader_is_told_what_crossed_what_was_withheld_and_what_the_gateway_saw(demo_run: DemoRun) -> None:
    for words in ("what crossed", "withheld", "never left A", "they saw"):
        assert words in demo_run.printed


def test_what_is_left_is_named_where_it_was_asked_for(demo_run: DemoRun) -> None:
    left = demo_run.output / "log"
    assert f"left for you   {left} with log.vkey" in demo_run.printed
    assert f"own signatures: {left / 'fork-proof.json'}" in demo_run.printed
    assert (left / "log.vkey").is_file()
    assert (left / "fork-proof.json").is_file()
