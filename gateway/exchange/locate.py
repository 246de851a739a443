"""Step 7: from tokens to at most one youth. Pure.

Decides what counts as found: a unique candidate that agrees on `name_dob` with the complete
core group. A candidate that agrees on the sound of the name and the birth date, and everything
that is not unique, is told apart for the policy and never disclosed (ARCHITECTURE §6, Who may
match). Whoever shares less is another youth.

Unique among whom depends on the question. Whether somebody looks for a youth is asked of open
flags: a namesake on anybody's list, entered by mistake or on purpose, must not hide one, nor may
somebody of the very spelling hide a flag that agrees in sound and birth date alone. Records
are asked of youths whose records can be released at all: a sealed or sensitive namesake of
another agency must not show by making the caller's own youth ambiguous.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from gateway.errors import ErrorReason, Invalid
from gateway.protocol.match_keys import CORE_KEYS, SOUND_KEY
from gateway.protocol.matching.key_scheme import ShapeError, load_key_scheme
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, Call, FlagState, Restriction, SubjectHandle
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
    flagged: tuple[Candidate, ...] = ()
    """Contenders with an open flag: whose owners hear of the question."""


NOTHING: Final = Found(Located.NONE, None, None)


def check_core(tokens: TokenSet) -> None:
    """The question has the shape of the scheme and carries the complete core group. Raises `Invalid`.

    Leaving a key out would leave out what it could disagree on (TOKENS §4.1); packing tokens in would ask about many
    youths at the price of one.
    """
    try:
        load_key_scheme().check_core(tokens)
    except ShapeError as exc:
        raise Invalid(ErrorReason.TOKENS_INCOMPLETE) from exc


def locate(candidates: Iterable[Candidate], *, family: Call, auto: bool, asking: AgencyId | None = None) -> Found:
    """What the candidates amount to for this question. With `auto` off a match is good for FS1 and nothing deeper.

    `asking` is the caller's agency; its own youths count for it whatever their restriction.
    """
    alike = tuple(candidate for candidate in candidates if SOUND_KEY in candidate.agreeing_keys)
    decisive = [candidate for candidate in alike if candidate.agreeing_keys >= CORE_KEYS]
    matching = decisive or list(alike)
    flagged = tuple(each for each in matching if _is_flagged(each))
    if family is Call.FLAG_CHECK and not flagged:
        # The finder may have the spelling of another youth, or the owner have misspelled: settled by voice.
        flagged = tuple(each for each in alike if _is_flagged(each))
        decisive = [] if flagged else decisive
    contenders = (list(flagged) if family is Call.FLAG_CHECK else _releasable(matching, asking)) or matching
    if not contenders:
        return NOTHING
    if len(contenders) > 1:
        state = flagged[0].flag.state if flagged and flagged[0].flag is not None else None
        return Found(Located.AMBIGUOUS, None, state, flagged)
    one = contenders[0]
    state = one.flag.state if one.flag is not None else None
    if not decisive:
        return Found(Located.POSSIBLE, one, state, flagged)
    return Found(Located.ONE if auto else Located.ONE_FOR_FLAG, one, state, flagged)


def _is_flagged(candidate: Candidate) -> bool:
    """Whether the flag may be told of; nobody may be looking for a sealed youth through the exchange."""
    is_open = candidate.flag is not None and candidate.flag.state in OPEN_FLAG_STATES
    return is_open and candidate.restriction is not Restriction.SEALED


def _releasable(candidates: Iterable[Candidate], asking: AgencyId | None) -> list[Candidate]:
    return [each for each in candidates if each.restriction is Restriction.NONE or each.owner == asking]
