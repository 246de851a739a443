"""`homeward policy`: what it prints and how it exits."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.policy_cli import policy
from gateway.protocol.policy.bundle import CALIFORNIA, load_california
from gateway.protocol.policy.duties import CARRIED_OUT, COUNTY_DUTIES
from homeward.failure import CommandFailure

POLICY = load_california()


def call(*words: str) -> Result:
    return CliRunner().invoke(policy, list(words))


def test_show_prints_every_rule_and_that_counsel_has_not_confirmed() -> None:
    result = call("show")
    assert result.exit_code == 0
    assert "NOT CONFIRMED BY COUNSEL" in result.output
    assert all(rule_id in result.output for rule_id in POLICY.by_id)
    assert all(rule.rule_id in result.output for rule in POLICY.flag_acts)
    assert result.output.isascii()


def test_show_as_json_carries_the_digest_and_english() -> None:
    shown = json.loads(call("show", "--json").output)
    assert shown["sha256"] == POLICY.digest.hex()
    assert shown["counsel_confirmed"] is False
    assert len(shown["rules"]) == len(POLICY.rules)
    assert all(rule["english"] for rule in (*shown["rules"], *shown["flag_acts"]))
    assert [rule["id"] for rule in shown["flag_acts"]] == [rule.rule_id for rule in POLICY.flag_acts]


def test_show_says_what_is_left_to_the_staff_of_which_county() -> None:
    shown = call("show").output.partition("Left to county staff")[2]
    for duty, side in COUNTY_DUTIES.items():
        assert f"{duty} ({side.lower()} county)" in shown
    assert not any(f"{each} (" in shown for each in CARRIED_OUT)
    listed = json.loads(call("show", "--json").output)["county_duties"]
    assert {each for side in listed.values() for each in side} == set(COUNTY_DUTIES)


def test_explain_tells_a_countys_duty_from_what_the_exchange_does() -> None:
    words = ["VOLUNTARY_SHELTER", "--role", "SHELTER.yhpc_intake", "--authority", "CONSENT"]
    assert (
        "Left to the staff of the county that asked: the youth is told at the time." in call("explain", *words).output
    )
    assert calls(*words)["FLAG_CHECK"]["county_duties"] == {"asking": ["TELL_YOUTH"], "owner": []}


def test_explain_says_what_is_granted_and_under_which_condition() -> None:
    result = call("explain", "PLACEMENT_PLANNING", "--role", "CWA.placement_worker", "--evidence", "OPEN_CASE")
    assert result.exit_code == 0
    assert "FS5_PLACEMENT_DETAIL" in result.output
    assert "agreement on file" in result.output


def test_explain_of_a_denial_exits_3_and_says_why_and_what_to_do() -> None:
    result = call("explain", "PLACEMENT_PLANNING", "--role", "LEA.patrol")
    assert result.exit_code == 3
    assert "ROLE_NOT_PERMITTED_FOR_PURPOSE" in result.output
    assert "To do:" in result.output


@pytest.mark.parametrize(("authority", "exit_code"), [(None, 3), ("CONSENT", 0), ("COURT_ORDER", 3)])
def test_explain_takes_a_supposed_authority(authority: str | None, exit_code: int) -> None:
    words = ["explain", "VOLUNTARY_SHELTER", "--role", "SHELTER.yhpc_intake", "--json"]
    result = call(*words, *(["--authority", authority] if authority else []))
    assert result.exit_code == exit_code
    assert json.loads(result.output)["permit"] is (exit_code == 0)


def calls(*words: str) -> dict[str, dict[str, Any]]:
    """What `explain` says of each call."""
    return {each["call"]: each for each in json.loads(call("explain", *words, "--json").output)["calls"]}


def test_a_waived_condition_is_not_listed() -> None:
    words = ["MFC_LOCATE", "--role", "CWA.case_worker"]
    assert calls(*words)["RECORD"]["provided"] == ["ACTIVE_FLAG"]
    waived = calls(*words, "--evidence", "REPORT_BEING_FILED")
    assert waived["RECORD"]["provided"] == []
    # Of a youth without a flag there is still no status to tell.
    assert waived["FLAG_CHECK"]["provided"] == ["ACTIVE_FLAG"]


def test_explain_tells_what_a_flag_check_gets_from_what_a_record_request_gets() -> None:
    words = ["MFC_HANDOFF", "--role", "LEA.patrol", "--evidence", "YOUTH_PRESENT"]
    explained = calls(*words)
    assert explained["FLAG_CHECK"]["granted"] == ["FS0_ACK", "FS1_FLAG_STATUS"]
    assert explained["RECORD"]["reason"] == "FIELD_SET_BEYOND_PURPOSE"
    shown = call("explain", *words)
    assert shown.exit_code == 0
    assert "flag check: permitted" in shown.output
    assert "record request: denied  NOT_PERMITTED  FIELD_SET_BEYOND_PURPOSE" in shown.output


def test_explain_of_named_field_sets_is_about_the_one_call_that_asks_for_them() -> None:
    words = ["MFC_HANDOFF", "--role", "LEA.patrol", "--evidence", "YOUTH_PRESENT"]
    assert list(calls(*words, "--ask", "FS1_FLAG_STATUS")) == ["FLAG_CHECK"]
    assert list(calls(*words, "--ask", "FS1_FLAG_STATUS", "--ask", "FS2_FLAG_LOCATE")) == ["RECORD"]
    assert call("explain", *words, "--ask", "FS2_FLAG_LOCATE").exit_code == 3


def test_explain_says_once_what_refuses_every_call() -> None:
    shown = call("explain", "PLACEMENT_PLANNING", "--role", "LEA.patrol").output
    assert "flag check or record request: denied" in shown
    assert shown.count("denied") == 1


def test_explain_takes_every_word_as_the_api_spells_it() -> None:
    words = ("--role", "CWA.placement_worker", "--evidence")
    short = call(
        "explain", "PLACEMENT_PLANNING", *words, "OPEN_CASE", "--ask", "FS4_PLACEMENT_SUMMARY", "--authority", "CONSENT"
    )
    long = call(
        "explain", "PURPOSE_PLACEMENT_PLANNING", *words, "EVIDENCE_KIND_OPEN_CASE",
        "--ask", "FIELD_SET_FS4_PLACEMENT_SUMMARY", "--authority", "BASIS_CONSENT",
    )  # fmt: skip
    assert (long.exit_code, long.output) == (short.exit_code, short.output)
    assert short.exit_code == 0
    assert call("explain", "BASIS_PLACEMENT_PLANNING", *words, "OPEN_CASE").exit_code == 2


@pytest.mark.parametrize("words", [("explain", "RESEARCH", "--role", "LEA.patrol"), ("explain", "MFC_LOCATE")])
def test_wrong_usage_exits_2(words: tuple[str, ...]) -> None:
    assert call(*words).exit_code == 2


def test_test_passes_on_the_shipped_bundle_and_fails_on_an_altered_one(tmp_path: Path) -> None:
    assert call("test").exit_code == 0
    altered = tmp_path / "altered.toml"
    text = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
    altered.write_text(text.replace("max_uses = 3", "max_uses = 4"), encoding="utf-8")
    result = call("test", "--bundle", str(altered), "--json")
    assert result.exit_code == 1
    assert [case["id"] for case in json.loads(result.output)["cases"] if not case["ok"]] == ["E09"]


def test_a_malformed_bundle_fails_with_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "bundle.toml"
    path.write_text("format = 'x'", encoding="utf-8")
    result = call("show", "--bundle", str(path))
    failure = result.exception
    assert isinstance(failure, CommandFailure)
    assert (failure.code, failure.where) == ("POL-001", str(path))
    assert f"{path}:1:1: error: counsel_confirmed: missing" in result.stderr
    assert len([line for line in result.stderr.splitlines() if ": error: " in line]) == 10
    text = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
    path.write_text(text.replace('["FS3_FLAG_CASEWORK"]', '["FS9"]', 1), encoding="utf-8")
    failure = call("show", "--bundle", str(path)).exception
    assert isinstance(failure, CommandFailure)
    assert failure.where.startswith(f"{path}:")
    assert failure.why.startswith('MFC_LOCATE.casework.field_sets.0: unknown value "FS9"'), (
        "and nothing of an empty list"
    )
