"""From the score of one candidate to one of three outcomes: match, possible, none. Pure.

    match      it reaches `auto`, holds a key of the guard, is not barred by a further given name or a number that
               differs, and comes from exact birth dates on both sides
    possible   it reaches `possible`: a person decides
    none       otherwise

Decides nothing about what an outcome discloses, which candidates count for which question, nor how far the runner-up
must lie behind (`exchange/locate`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.matching.score import Comparison
from gateway.protocol.matching.weights import Weights


class Likeness(StrEnum):
    """How alike a question and one candidate are."""

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
