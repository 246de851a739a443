"""Step 7: from tokens to at most one youth. Pure.

Decides what counts as found with the two keys of this release: a unique candidate that
agrees on `name_dob` with the complete core group. Everything weaker, and everything that is
not unique, is told apart for the policy and never disclosed (ARCHITECTURE §6, Who may match).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.protocol.match_keys import CORE_KEYS, DECISIVE_KEY
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located
from homeward.gateway.v1.envelope_pb2 import TokenSet


@dataclass(frozen=True, slots=True)
class FlagRow:
    """An open flag as the exchange holds it."""

    flag_id: bytes
    state: FlagState
    version: int
    statement: bytes = field(repr=False)
    """Serialized SignedEnvelope of the owner's FlagStatement."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A youth that shares tokens with the question."""

    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    agreeing_keys: frozenset[str]
    restriction: Restriction
    placement_county: str
    """Five-digit FIPS; empty for the owner's own county."""
    flag: FlagRow | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the tokens led to."""

    located: Located
    candidate: Candidate | None
    """The one candidate; None when there is none or more than one."""
    flag_state: FlagState | None
    """Of the one candidate, or an open state if any of several has one."""


NOTHING: Final = Found(Located.NONE, None, None)


def check_core(tokens: TokenSet) -> None:
    """The question carries the complete core group. Raises `Invalid` otherwise.

    Leaving a key out would leave out what it could disagree on (TOKENS §4.1).
    """
    present = {group.key for group in tokens.keys if group.present}
    if not present >= CORE_KEYS or len({group.key for group in tokens.keys}) != len(tokens.keys):
        raise Invalid(ErrorReason.TOKENS_INCOMPLETE)


def locate(candidates: Iterable[Candidate], *, auto: bool) -> Found:
    """What the candidates amount to. With `auto` off a match is good for FS1 and nothing deeper."""
    everybody = tuple(candidates)
    decisive = [candidate for candidate in everybody if DECISIVE_KEY in candidate.agreeing_keys]
    contenders = decisive or everybody
    if not contenders:
        return NOTHING
    if len(contenders) > 1:
        return Found(Located.AMBIGUOUS, None, _any_open(contenders))
    one = contenders[0]
    state = one.flag.state if one.flag is not None else None
    if not decisive:
        return Found(Located.POSSIBLE, one, state)
    complete = one.agreeing_keys >= CORE_KEYS
    return Found(Located.ONE if auto and complete else Located.ONE_FOR_FLAG, one, state)


def _any_open(candidates: Iterable[Candidate]) -> FlagState | None:
    for candidate in candidates:
        if candidate.flag is not None and candidate.flag.state in OPEN_FLAG_STATES:
            return candidate.flag.state
    return None
