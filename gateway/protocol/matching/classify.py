"""From the scores of all candidates to one of three outcomes: match, possible, none. Pure.

    match      the best candidate reaches `auto`, holds a key of the guard, is not barred by a further given name or a
               number that differs, comes from exact birth dates on both sides, and no other candidate is within the
               margin
    possible   somebody reaches `possible`: a person decides
    none       otherwise

Decides nothing about what an outcome discloses, nor which candidates count for which question (`exchange/locate`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.matching.score import Comparison
from gateway.protocol.matching.weights import Weights


class Likeness(StrEnum):
    """How alike a question and one candidate, or the best of several, are."""

    MATCH = "MATCH"
    POSSIBLE = "POSSIBLE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate compared with the question."""

    comparison: Comparison
    score: float
    """Bits of posterior log-odds, prior included."""
    exact: bool = True
    """Neither side's birth date is marked as estimated."""


@dataclass(frozen=True, slots=True)
class Classified:
    """The outcome, and which candidates it is about, by position: one for a match, the best first for possible."""

    likeness: Likeness
    positions: tuple[int, ...] = ()


def scored(
    comparison: Comparison,
    weights: Weights,
    *,
    records: int,
    purpose: str,
    asked: Collection[str],
    listed: Collection[str],
) -> Scored:
    """The candidate's posterior in an index of so many records; `asked` and `listed` are the keys each side carries."""
    scheme = load_key_scheme(weights.scheme)
    exact = scheme.is_exact(asked) and scheme.is_exact(listed)
    return Scored(comparison, weights.prior(records, purpose=purpose) + comparison.bits(weights), exact)


def likeness(candidate: Scored, weights: Weights) -> Likeness:
    """What one candidate is by itself."""
    if candidate.score < weights.possible:
        return Likeness.NONE
    guarded = candidate.exact and not weights.guard.isdisjoint(candidate.comparison.agreeing)
    certain = guarded and candidate.score >= weights.auto and not is_barred(candidate.comparison, weights)
    return Likeness.MATCH if certain else Likeness.POSSIBLE


def is_barred(comparison: Comparison, weights: Weights) -> bool:
    """Whether something that both records carry tells the two apart, whatever else agrees: at best possible."""
    return any(
        not group.isdisjoint(comparison.differing) and group.isdisjoint(comparison.agreeing) for group in weights.bars
    )


def classify(candidates: Sequence[Scored], weights: Weights) -> Classified:
    """What all candidates of one question amount to. Two matches within the margin are two possible ones."""
    ranked = sorted(range(len(candidates)), key=lambda position: -candidates[position].score)
    likely = tuple(place for place in ranked if likeness(candidates[place], weights) is not Likeness.NONE)
    if not likely:
        return Classified(Likeness.NONE)
    best, *others = (candidates[place] for place in likely)
    clear = all(best.score - other.score >= weights.margin for other in others)
    if clear and likeness(best, weights) is Likeness.MATCH:
        return Classified(Likeness.MATCH, likely[:1])
    return Classified(Likeness.POSSIBLE, likely)
