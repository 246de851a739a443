"""The missing-from-care episode: states, and who may cause which change. Pure.

Decides the life of a flag. Only its owner, the agency with placement and care, ends it
(DOMAIN §4d): whatever anybody else says makes it at most LOCATED_PENDING. An owner that
re-affirms its flag, as for a duty done, does not thereby dismiss somebody's report, of which it
may not have heard; one that says in so many words that the youth is still missing does, because
the episode is its own, and the search must not rest on a mistaken report. Does not decide who
the owner is (`raising`) or whether a statement is genuine (`statement`).

A nonminor dependent's flag is an ordinary one: the owner states WELFARE_CHECK_ADULT after its
own finding, and nothing here second-guesses it (AB 2108; DOMAIN §4a row 6).
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.protocol.names import AgencyKind, FlagState
from gateway.protocol.reporting_duties import DUTY_PERIOD

OWNER_KINDS: Final = frozenset({AgencyKind.CWA, AgencyKind.PROB})
"""Kinds that can have court-ordered placement and care, and so own an episode (DOMAIN §4a row 2)."""
FOUND_STATES: Final = frozenset({FlagState.LOCATED_PENDING, FlagState.RESOLVED})
"""States by which somebody says that the youth was found."""


class Event(StrEnum):
    """What happens to a flag."""

    RAISED = "RAISED"
    AFFIRMED = "AFFIRMED"
    """The owner states that the flag stands."""
    STILL_MISSING = "STILL_MISSING"
    """The owner looked into what others reported, and the youth is still missing."""
    OWNER_LOCATED = "OWNER_LOCATED"
    RESOLVED = "RESOLVED"
    WITHDRAWN = "WITHDRAWN"
    """The owner states that it was a mistake."""
    LOCATED = "LOCATED"
    """Any agency reports the youth located."""
    RESOLVE_ATTEMPTED = "RESOLVE_ATTEMPTED"
    """Another agency would end it (S15)."""


OWNER_EVENTS: Final = frozenset(
    {Event.RAISED, Event.AFFIRMED, Event.STILL_MISSING, Event.OWNER_LOCATED, Event.RESOLVED, Event.WITHDRAWN}
)
"""Events that only the owner's signed statement can cause."""

EVENT_OF_STATEMENT: Final[Mapping[FlagState, Event]] = {
    FlagState.ACTIVE: Event.AFFIRMED,
    FlagState.LOCATED_PENDING: Event.OWNER_LOCATED,
    FlagState.RESOLVED: Event.RESOLVED,
    FlagState.ENTERED_IN_ERROR: Event.WITHDRAWN,
}
"""What a later statement of the owner says happened, where the update that brings it says no more."""

TRANSITIONS: Final[Mapping[tuple[FlagState | None, Event], FlagState]] = {
    (None, Event.RAISED): FlagState.ACTIVE,
    (FlagState.ACTIVE, Event.AFFIRMED): FlagState.ACTIVE,
    (FlagState.ACTIVE, Event.STILL_MISSING): FlagState.ACTIVE,
    (FlagState.ACTIVE, Event.OWNER_LOCATED): FlagState.LOCATED_PENDING,
    (FlagState.ACTIVE, Event.RESOLVED): FlagState.RESOLVED,
    (FlagState.ACTIVE, Event.WITHDRAWN): FlagState.ENTERED_IN_ERROR,
    (FlagState.ACTIVE, Event.LOCATED): FlagState.LOCATED_PENDING,
    (FlagState.ACTIVE, Event.RESOLVE_ATTEMPTED): FlagState.LOCATED_PENDING,
    # A report of another agency stands until the owner has looked into it, and ends the episode or says otherwise.
    (FlagState.LOCATED_PENDING, Event.STILL_MISSING): FlagState.ACTIVE,
    (FlagState.LOCATED_PENDING, Event.AFFIRMED): FlagState.LOCATED_PENDING,
    (FlagState.LOCATED_PENDING, Event.OWNER_LOCATED): FlagState.LOCATED_PENDING,
    (FlagState.LOCATED_PENDING, Event.RESOLVED): FlagState.RESOLVED,
    (FlagState.LOCATED_PENDING, Event.WITHDRAWN): FlagState.ENTERED_IN_ERROR,
    (FlagState.LOCATED_PENDING, Event.LOCATED): FlagState.LOCATED_PENDING,
    (FlagState.LOCATED_PENDING, Event.RESOLVE_ATTEMPTED): FlagState.LOCATED_PENDING,
    # What arrives late about an ended episode is recorded and changes nothing.
    (FlagState.RESOLVED, Event.LOCATED): FlagState.RESOLVED,
    (FlagState.RESOLVED, Event.RESOLVE_ATTEMPTED): FlagState.RESOLVED,
    (FlagState.ENTERED_IN_ERROR, Event.LOCATED): FlagState.ENTERED_IN_ERROR,
    (FlagState.ENTERED_IN_ERROR, Event.RESOLVE_ATTEMPTED): FlagState.ENTERED_IN_ERROR,
}
"""The state machine. What is not listed cannot happen."""


def after(state: FlagState | None, event: Event) -> FlagState | None:
    """The state after the event, or None when it cannot happen in this state; None as state: no flag yet."""
    return TRANSITIONS.get((state, event))


def is_late(learned: datetime, reported: datetime) -> bool:
    """Whether the report came after its deadline. A late report is marked, never refused (S25)."""
    return reported - learned > DUTY_PERIOD
