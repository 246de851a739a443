"""The table between reasons and outcomes keeps its rules."""

import pytest

from gateway.protocol.names import Call, Notice
from gateway.protocol.outcomes import (
    OUTCOME_TEXT,
    REASONS,
    UNIFORM_NEGATIVE,
    Outcome,
    Phase,
    Reason,
    notices_of,
    outcome_of,
)

AFTER_LOCATING = [reason for reason in Reason if REASONS[reason].phase is Phase.YOUTH]
# The two that are not refusals: an answer, and not knowing (ARCHITECTURE §6, Outcomes and Who may match).
NOT_REFUSALS = {Reason.PERMITTED, Reason.POSSIBLE_FLAG_MATCH}


def test_every_reason_has_a_row_with_a_sentence_and_a_fix() -> None:
    assert set(REASONS) == set(Reason)
    for row in REASONS.values():
        assert row.sentence.endswith(".")
        assert row.fix.endswith(".")


def test_every_outcome_has_a_message_and_is_reached_by_some_reason() -> None:
    assert set(OUTCOME_TEXT) == set(Outcome)
    reached = {outcome_of(reason, call) for reason in Reason for call in Call}
    assert reached == set(Outcome)


@pytest.mark.parametrize("call", list(Call))
def test_every_refusal_after_locating_is_the_uniform_negative_of_its_call(call: Call) -> None:
    refusals = [reason for reason in AFTER_LOCATING if reason not in NOT_REFUSALS]
    assert {outcome_of(reason, call) for reason in refusals} == {UNIFORM_NEGATIVE[call]}
    assert len(refusals) >= 12


@pytest.mark.parametrize("call", list(Call))
def test_every_refusal_after_locating_is_undetermined_while_a_source_is_stale(call: Call) -> None:
    for reason in AFTER_LOCATING:
        expected = Outcome.ANSWERED if reason is Reason.PERMITTED else Outcome.UNDETERMINED
        assert outcome_of(reason, call, coverage_complete=False) is expected


def test_what_is_settled_before_locating_does_not_depend_on_call_or_coverage() -> None:
    for reason in Reason:
        if REASONS[reason].phase is not Phase.YOUTH:
            outcomes = {outcome_of(reason, call, coverage_complete=fresh) for call in Call for fresh in (True, False)}
            assert len(outcomes) == 1
            assert outcomes.isdisjoint(UNIFORM_NEGATIVE.values())


def test_everything_but_an_answer_is_no_clearance() -> None:
    for outcome in Outcome:
        silent = outcome in (Outcome.ANSWERED, Outcome.RECORDED)
        assert (Notice.NOT_A_CLEARANCE in notices_of(outcome)) != silent


def test_a_source_that_does_not_answer_is_never_a_negative() -> None:
    for call in Call:
        assert outcome_of(Reason.SOURCE_UNAVAILABLE, call) is Outcome.SOURCE_UNAVAILABLE
