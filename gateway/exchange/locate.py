"""Step 7: from tokens to at most one youth. Pure.

Decides what counts as found, by the score of each candidate (`protocol/matching`) and by what people said of the pair:

    ONE            a link both agencies confirmed; or, with `auto`, a match by score alone
    ONE_FOR_FLAG   a unique candidate that agrees on the complete core group and that no further given name or number
                   tells apart, whatever `auto` says
    POSSIBLE       a weaker one: a person decides, and nothing is disclosed (ARCHITECTURE §6, Who may match)
    AMBIGUOUS      several, and none that leads by the margin
    NONE           nobody, or only youths of whom somebody said that they are others

Without a link nobody is certain whom a number or a further given name tells apart: two youths of one name and day
are told apart by nothing else. What people said holds for the pair they were asked about (`Judged`). In a flag
check a *different* drops nobody who agrees on the whole core group: no key tells such twins apart, and the one who
was not asked about may be the one before the worker. Then it is at least POSSIBLE, and the owner hears of it.

Unique among whom depends on the question. Whether somebody looks for a youth is asked of open
flags: a namesake on anybody's list, entered by mistake or on purpose, must not hide one, nor may
somebody of the very spelling hide a flag that agrees in sound and birth date alone. Records
are asked of youths whose records can be released at all: a sealed or sensitive namesake of
another agency must not show by making the caller's own youth ambiguous.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from audit.hot_value import hot_value
from gateway.errors import ErrorReason, Invalid
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.matching.classify import Likeness, Scored, is_barred, likeness, scored
from gateway.protocol.matching.key_scheme import ShapeError, load_key_scheme
from gateway.protocol.matching.score import Comparison, compare_keys
from gateway.protocol.matching.weights import Weights, load_weights
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, Call, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import Located
from homeward.gateway.v1.envelope_pb2 import TokenSet


@dataclass(frozen=True, slots=True)
class FlagRow:
    """An open flag as the exchange holds it."""

    flag_id: bytes
    state: FlagState
    version: int
    sealed: bytes = field(repr=False)
    """The owner's statement, as it is kept (`SubjectIndex.statement`)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A youth that shares tokens with the question."""

    owner: AgencyId
    handle: SubjectHandle = field(repr=False)
    agreeing_keys: frozenset[str]
    """Keys of which it shares a token."""
    carried_keys: frozenset[str]
    """Keys its data carry: sharing none of one that the question carries too speaks against it."""
    restriction: Restriction
    placement_county: str
    """Five-digit FIPS; empty for the owner's own county."""
    flag: FlagRow | None


@hot_value
class Found:
    """What the tokens led to."""

    located: Located
    candidate: Candidate | None
    """The one candidate; None when there is none or more than one."""
    flag_state: FlagState | None
    """Of the one candidate, or an open state if any of several has one."""
    flagged: tuple[Candidate, ...] = ()
    """Those it can mean that have an open flag: whose owners hear of the question."""
    unsettled: tuple[Candidate, ...] = field(default=(), repr=False)
    """Those it can mean of whom no person was asked yet, likeliest first, where a person's word would tell more."""
    linked: bool = False
    """Whether both agencies said that the one candidate is the youth asked about."""
    likely: tuple[Candidate, ...] = field(default=(), repr=False, compare=False)
    """Everybody it can mean, whatever may be told of them: to count hits by, and no part of an answer."""


class Verdict(StrEnum):
    """What people said of the youth asked about and one that is listed."""

    OPEN = "OPEN"
    """They were asked, and have not both answered."""
    SAME = "SAME"
    """Both agencies: one youth."""
    DIFFERENT = "DIFFERENT"
    """One of the agencies: two youths."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of a pair, and how the two agreed when people were asked.

    A pair is known again by all of that and not by any one token: the naming key holds the first part of a given name
    alone, so that twins may share its tokens.
    """

    verdict: Verdict
    comparison: Comparison = field(repr=False)

    def holds(self, now: Comparison) -> bool:
        """Whether what was said counts for a pair that compares like this: a link while nothing speaks against it that
        did not then, anything else while nothing new speaks for it."""
        if self.verdict is Verdict.SAME:
            agreed = self.comparison.agreeing & CORE_KEYS
            return agreed <= now.agreeing and now.differing <= self.comparison.differing
        return now.agreeing <= self.comparison.agreeing


Verdicts = Mapping[tuple[AgencyId, SubjectHandle], Sequence[Judged]]
"""By candidate, of one agency and the youth it asks about."""
_WEIGHT: Final = (Verdict.OPEN, Verdict.SAME, Verdict.DIFFERENT)
"""Two questions at once may have opened two reviews; the one that says more, or no, counts."""


@hot_value
class Search:
    """What is looked for, and among how many."""

    family: Call
    keys: frozenset[str]
    """Match keys the question carries."""
    records: int
    """Youths in the index."""
    auto: bool
    """Whether a match by score alone is good for records. Off: good for FS1 and nothing deeper."""
    purpose: str = ""
    asking: AgencyId | None = None
    """The caller's agency; its own youths count for it whatever their restriction."""
    verdicts: Verdicts = field(default_factory=dict, repr=False)
    weights: Weights = field(default_factory=load_weights, repr=False)


NOTHING: Final = Found(Located.NONE, None, None)


def check_core(tokens: TokenSet) -> None:
    """The question has the shape of the scheme and carries the complete core group. Raises `Invalid`.

    Leaving a key out would leave out what it could disagree on (TOKENS §4.1), and more tokens than a key has places
    would be more guesses at the price of one question. What is made of the places nobody can see: `tally` bounds that.
    """
    try:
        load_key_scheme().check_core(tokens)
    except ShapeError as exc:
        raise Invalid(ErrorReason.TOKENS_INCOMPLETE) from exc


def locate(candidates: Iterable[Candidate], search: Search) -> Found:
    """What the candidates amount to for this question."""
    likely = [each for each in (_rated(candidate, search) for candidate in candidates) if each is not None]
    return replace(_found(likely, search), likely=tuple(each.candidate for each in likely))


def _found(likely: Sequence["_Rated"], search: Search) -> Found:
    flagged = [each for each in likely if _is_flagged(each.candidate)]
    for_flag = search.family is Call.FLAG_CHECK
    contenders = (flagged if for_flag else _releasable(likely, search.asking)) or likely
    if not contenders:
        return NOTHING
    leaders = _leaders([each for each in contenders if each.linked] or contenders, search.weights.margin)
    best = leaders[0]
    certain = _certainty(best, search) if len(leaders) == 1 else None
    if certain is not None:
        unsettled = () if certain is Located.ONE or for_flag else _unsettled([best])
        meant = [best, *(each for each in contenders if for_flag and each is not best and each.is_whole)]
        return Found(certain, best.candidate, _state([best]), _meant(meant), unsettled, best.linked)
    if len(contenders) > 1:
        return Found(Located.AMBIGUOUS, None, _state(flagged), _meant(flagged), _unsettled(contenders))
    return Found(Located.POSSIBLE, best.candidate, _state([best]), _meant([best]), _unsettled([best]))


@dataclass(frozen=True, slots=True)
class _Rated:
    candidate: Candidate
    scored: Scored
    likeness: Likeness
    verdict: Verdict | None

    @property
    def linked(self) -> bool:
        return self.verdict is Verdict.SAME

    @property
    def is_whole(self) -> bool:
        return self.candidate.agreeing_keys >= CORE_KEYS


def _rated(candidate: Candidate, search: Search) -> _Rated | None:
    """The candidate with its score; None where the question cannot mean it."""
    asked, listed = search.keys, candidate.carried_keys
    verdict = _verdict(candidate, search)
    compared = scored(
        # A question without the day of birth is compared as if it carried those keys and they differed: what is left
        # out must not make a guess cheaper than the whole core group does (TOKENS §4.1).
        compare_keys(candidate.agreeing_keys, asked=asked | CORE_KEYS, listed=listed),
        search.weights,
        records=search.records,
        purpose=search.purpose,
        asked=asked,
        listed=listed,
    )
    rated = _Rated(candidate, compared, likeness(compared, search.weights), verdict)
    if rated.is_whole and search.family is Call.FLAG_CHECK and _is_flagged(candidate):
        return rated
    if verdict is Verdict.DIFFERENT or (rated.likeness is Likeness.NONE and not rated.linked):
        return None
    return rated


def _verdict(candidate: Candidate, search: Search) -> Verdict | None:
    """What was said of this pair, as it compares now; None where nobody was asked."""
    judged = search.verdicts.get((candidate.owner, candidate.handle), ())
    now = compare_keys(candidate.agreeing_keys, asked=search.keys, listed=candidate.carried_keys)
    return max((each.verdict for each in judged if each.holds(now)), key=_WEIGHT.index, default=None)


def _leaders(contenders: Sequence[_Rated], margin: float) -> list[_Rated]:
    """The best, and everybody within the margin of it; the best first."""
    ranked = sorted(contenders, key=_by_score)
    return [each for each in ranked if ranked[0].scored.score - each.scored.score < margin]


def _certainty(rated: _Rated, search: Search) -> Located | None:
    """How certain a candidate without a rival is; None: a person decides."""
    if rated.linked:
        return Located.ONE
    if is_barred(rated.scored.comparison, search.weights) or rated.verdict is Verdict.DIFFERENT:
        return None
    if search.auto and rated.likeness is Likeness.MATCH:
        return Located.ONE
    return Located.ONE_FOR_FLAG if rated.is_whole else None


def _unsettled(rated: Iterable[_Rated]) -> tuple[Candidate, ...]:
    return tuple(each.candidate for each in sorted(rated, key=_by_score) if each.verdict is None)


def _by_score(rated: _Rated) -> float:
    return -rated.scored.score


def _is_flagged(candidate: Candidate) -> bool:
    """Whether the flag may be told of; nobody may be looking for a sealed youth through the exchange."""
    is_open = candidate.flag is not None and candidate.flag.state in OPEN_FLAG_STATES
    return is_open and candidate.restriction is not Restriction.SEALED


def _state(rated: Sequence[_Rated]) -> FlagState | None:
    return next((each.candidate.flag.state for each in rated if each.candidate.flag is not None), None)


def _meant(rated: Iterable[_Rated]) -> tuple[Candidate, ...]:
    return tuple(each.candidate for each in rated if _is_flagged(each.candidate))


def _releasable(rated: Iterable[_Rated], asking: AgencyId | None) -> list[_Rated]:
    return [each for each in rated if each.candidate.restriction is Restriction.NONE or each.candidate.owner == asking]
