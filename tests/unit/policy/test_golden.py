"""The golden cases pass, cover the scenarios that policy alone decides, and notice a changed rule."""

from dataclasses import replace
from importlib.resources import files

import pytest

from gateway.protocol.outcomes import Reason
from gateway.protocol.policy.bundle import CALIFORNIA, load_california, parse_bundle
from gateway.protocol.policy.golden import Case, GoldenError, load_california_cases, parse_cases, run

POLICY = load_california()
CASES = load_california_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_golden_case_is_decided_as_expected(case: Case) -> None:
    (result,) = run(POLICY, [case])
    assert result.differences == ()


def test_the_cases_hold_every_scenario_that_policy_alone_decides() -> None:
    numbers = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 22, 29)
    assert {case.id[:3] for case in CASES} >= {f"S{number:02}" for number in numbers}


def test_every_rule_permits_in_some_case() -> None:
    assert {result.decision.rule_id for result in run(POLICY, CASES) if result.decision.permit} == set(POLICY.by_id)


@pytest.mark.parametrize(
    ("found", "planted", "noticed"),
    [
        ('field_sets = ["FS2_FLAG_LOCATE"]', 'field_sets = ["FS3_FLAG_CASEWORK"]', {"S03b"}),
        ('evidence_all = ["YOUTH_PRESENT"]\n', "", {"R09"}),
        ('basis = ["CONSENT"]\ncitations = ["45', 'basis = ["STATUTE"]\ncitations = ["45', {"S20", "S20b", "S20c"}),
        ('"PLACED_IN_CALLERS_COUNTY", ', "", {"A04"}),
        ("max_uses = 3", "max_uses = 4", {"E09"}),
        ('evidence_any = ["OPEN_REFERRAL", "OPEN_CASE", "TRANSFER_ORDER"]\n', "", {"R03"}),
    ],
)
def test_the_cases_notice_a_changed_rule(found: str, planted: str, noticed: set[str]) -> None:
    text = (files("gateway.protocol.policy") / CALIFORNIA).read_text(encoding="utf-8")
    assert found in text
    altered = parse_bundle(text.replace(found, planted, 1).encode())
    assert noticed
    assert noticed <= {result.case.id for result in run(altered, CASES) if result.differences}


def test_a_case_that_expects_the_wrong_reason_fails() -> None:
    case = next(case for case in CASES if case.id == "S10")
    wrong = case.model_copy(update={"expect": case.expect.model_copy(update={"reason": Reason.NO_MATCH})})
    (result,) = run(POLICY, [wrong])
    assert result.differences == ("reason: expected NO_MATCH, got RECORD_SEALED",)


def test_a_case_refused_too_early_fails() -> None:
    altered = replace(POLICY, index={})
    case = next(case for case in CASES if case.id == "S01")
    (result,) = run(altered, [case])
    assert "the request alone is refused already" in result.differences


@pytest.mark.parametrize("text", ["", "case = []", "[[case]]\nid = 'S01'", "not toml"])
def test_a_malformed_file_of_cases_is_refused(text: str) -> None:
    with pytest.raises(GoldenError):
        parse_cases(text)
