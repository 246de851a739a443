"""The state machine: only the owner ends an episode, and the clocks are the law's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.missing.episode import (
    EVENT_OF_STATEMENT,
    OWNER_EVENTS,
    TRANSITIONS,
    Event,
    after,
    is_late,
)
from gateway.protocol.names import OPEN_FLAG_STATES, FlagState
from gateway.protocol.reporting_duties import DUTIES, open_duties
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT

LEARNED = datetime(2026, 3, 12, 3, 0, tzinfo=UTC)
ENDED = frozenset(FlagState) - OPEN_FLAG_STATES
EVENTS = st.lists(st.sampled_from(list(Event)), max_size=12)


def life(events: list[Event]) -> list[FlagState]:
    """States of a flag through these events; what cannot happen does not."""
    state = after(None, Event.RAISED)
    assert state is not None
    states = [state]
    for event in events:
        states.append(after(states[-1], event) or states[-1])
    return states


def ended_by_others(transitions: Mapping[tuple[FlagState | None, Event], FlagState]) -> set[FlagState]:
    """Ended states that open flags reach through events which are not their owner's."""
    reached, states = set[FlagState](), [FlagState.ACTIVE]
    while states:
        state = states.pop()
        for event in set(Event) - OWNER_EVENTS:
            following = transitions.get((state, event), state)
            if following not in {*reached, state}:
                reached.add(following)
                states.append(following)
    return reached & ENDED


@given(EVENTS)
def test_nobody_but_the_owner_ends_an_episode(events: list[Event]) -> None:
    others = [event for event in events if event not in OWNER_EVENTS]
    assert set(life(others)) <= OPEN_FLAG_STATES


def test_no_way_leads_others_to_an_end_and_a_planted_one_is_found() -> None:
    assert not ended_by_others(TRANSITIONS)
    planted = TRANSITIONS | {(FlagState.LOCATED_PENDING, Event.RESOLVE_ATTEMPTED): FlagState.RESOLVED}
    assert ended_by_others(planted) == {FlagState.RESOLVED}


@given(EVENTS)
def test_an_ended_episode_never_opens_again(events: list[Event]) -> None:
    states = life(events)
    for before, now in pairwise(states):
        assert before not in ENDED or now is before


@given(EVENTS)
def test_a_report_stays_pending_until_the_owner_ends_the_episode_or_says_that_the_youth_is_still_missing(
    events: list[Event],
) -> None:
    happened = [Event.LOCATED, *events]
    for event, (before, now) in zip(happened, pairwise(life(happened)), strict=True):
        assert (before, now) != (FlagState.LOCATED_PENDING, FlagState.ACTIVE) or event is Event.STILL_MISSING


@given(EVENTS)
def test_whatever_was_reported_of_an_open_episode_its_owner_can_have_the_youth_looked_for_again(
    events: list[Event],
) -> None:
    *_, state = life(events)
    said = after(state, Event.STILL_MISSING)
    assert said is (FlagState.ACTIVE if state in OPEN_FLAG_STATES else None)


@given(EVENTS)
def test_no_word_of_others_and_no_word_in_passing_dismisses_a_report(events: list[Event]) -> None:
    others = [event for event in events if event is not Event.STILL_MISSING]
    assert FlagState.ACTIVE not in life([Event.LOCATED, *others])[1:]


@pytest.mark.parametrize("state", list(FlagState))
@pytest.mark.parametrize("event", [Event.LOCATED, Event.RESOLVE_ATTEMPTED])
def test_a_report_of_another_agency_is_taken_in_every_state(state: FlagState, event: Event) -> None:
    assert after(state, event) is not None


def test_every_statement_says_an_event_of_the_owner() -> None:
    assert set(EVENT_OF_STATEMENT) == set(FlagState)
    assert set(EVENT_OF_STATEMENT.values()) == OWNER_EVENTS - {Event.RAISED, Event.STILL_MISSING}


@pytest.mark.parametrize(("hours", "late"), [(0, False), (24, False), (24.001, True), (31, True)])
def test_a_report_is_late_after_24_hours(hours: float, late: bool) -> None:
    assert is_late(LEARNED, LEARNED + timedelta(hours=hours)) is late


@pytest.mark.parametrize(("hours", "overdue"), [(1, False), (24, False), (25, True)])
def test_every_duty_falls_due_24_hours_after_learning(hours: int, overdue: bool) -> None:
    duties = open_duties(LEARNED, frozenset(), LEARNED + timedelta(hours=hours))
    assert [each.duty for each in duties] == list(DUTIES)
    for each in duties:
        assert (each.due, each.overdue) == (LEARNED + timedelta(hours=24), overdue)


def test_a_duty_that_was_done_or_does_not_apply_is_no_longer_open() -> None:
    settled = frozenset(DUTIES[:2])
    assert [each.duty for each in open_duties(LEARNED, settled, LEARNED)] == list(DUTIES[2:])


def test_the_found_report_has_a_clock_of_its_own() -> None:
    found = LEARNED + timedelta(hours=40)
    (due,) = open_duties(LEARNED, frozenset(DUTIES), found + timedelta(hours=25), found=found)
    assert (due.duty, due.due, due.overdue) == (DUTY_FOUND_REPORT, found + timedelta(hours=24), True)
    assert open_duties(LEARNED, frozenset({*DUTIES, DUTY_FOUND_REPORT}), found, found=found) == ()
