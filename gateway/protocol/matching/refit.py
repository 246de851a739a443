"""Weights refitted on pairs that people decided, and how well weights foretold what they decided. Pure.

Decides how far the verdicts move the weights in use: the likeliest weights under a prior that stands on the weights in
use, so that a key of which few pairs say anything stays where it is. Signs are held: agreeing never speaks against a
match, nor disagreeing for one. Pairs were chosen for review by their score alone, which is a function of the keys, so
that the choice does not bend what the keys say of a pair.

Each pair's prior is that of the smallest index; the size of the index on the day of the question is not on record.
Puts nothing into use: what it returns is a proposal that somebody reads.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log, log1p
from typing import Final

from gateway.protocol.matching.score import Comparison
from gateway.protocol.matching.weights import Weights

Judged = tuple[Comparison, bool]
"""A pair, and whether it is one youth."""

STIFFNESS: Final = 2.0
"""Nats it costs to move a weight by one bit: about what ten pairs that say so outweigh."""
STEP: Final = 0.25
"""Weights are rounded to this, as those that ship are."""
_TURNS: Final = 2000
_STILL: Final = 1e-9
_BIT: Final = log(2)


@dataclass(frozen=True, slots=True)
class Bin:
    """Pairs whose probability was foretold within one range."""

    low: float
    high: float
    pairs: int
    foretold: float
    """Mean of the probabilities."""
    observed: float
    """Part that was one youth."""


@dataclass(frozen=True, slots=True)
class _Row:
    features: tuple[int, ...] = field(repr=False)
    """Positions of the weights that count for the pair."""
    same: int
    total: int


def refit(judged: Iterable[Judged], weights: Weights) -> Weights:
    """The weights these pairs propose; thresholds, guard and overlaps stay as they are."""
    names = sorted(weights.agree)
    rows = _rows(judged, names)
    # One vector: what agreeing says, what differing says, the bias.
    start = [*(weights.agree[name] for name in names), *(weights.disagree[name] for name in names), weights.bias]
    offset = weights.prior(0) - weights.bias
    found = _descend(rows, start, offset, width=len(names))
    rounded = [round(bits / STEP) * STEP + 0.0 for bits in found]
    agree, disagree = rounded[: len(names)], rounded[len(names) : -1]
    return replace(
        weights,
        bias=rounded[-1],
        agree=dict(zip(names, agree, strict=True)),
        disagree=dict(zip(names, disagree, strict=True)),
    )


def calibration(judged: Sequence[Judged], weights: Weights, *, bins: int = 10) -> list[Bin]:
    """For each range of foretold probabilities that has pairs, what was foretold and what people found."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for comparison, same in judged:
        chance = probability(weights.prior(0) + comparison.bits(weights))
        found.setdefault(min(int(chance * bins), bins - 1), []).append((chance, same))
    return [
        Bin(
            low=place / bins,
            high=(place + 1) / bins,
            pairs=len(pairs),
            foretold=sum(chance for chance, _ in pairs) / len(pairs),
            observed=sum(same for _, same in pairs) / len(pairs),
        )
        for place, pairs in sorted(found.items())
    ]


def log_loss(judged: Sequence[Judged], weights: Weights) -> float:
    """Mean surprise at the verdicts, in bits; less is better."""
    total = 0.0
    for comparison, same in judged:
        logit = _BIT * (weights.prior(0) + comparison.bits(weights))
        total += _softplus(-logit if same else logit)
    return total / _BIT / len(judged)


def probability(bits: float) -> float:
    """Of log-odds in bits."""
    logit = _BIT * bits
    return 1 / (1 + exp(-logit)) if logit > 0 else exp(logit) / (1 + exp(logit))


def _rows(judged: Iterable[Judged], names: Sequence[str]) -> list[_Row]:
    place = {name: position for position, name in enumerate(names)}
    same: Counter[tuple[int, ...]] = Counter()
    total: Counter[tuple[int, ...]] = Counter()
    for comparison, is_same in judged:
        agreeing = (place[name] for name in comparison.agreeing)
        differing = (place[name] + len(names) for name in comparison.differing)
        features = (*sorted(agreeing), *sorted(differing), 2 * len(names))
        total[features] += 1
        same[features] += is_same
    return [_Row(features, same[features], count) for features, count in total.items()]


def _descend(rows: Sequence[_Row], start: Sequence[float], offset: float, *, width: int) -> list[float]:
    """Projected gradient descent; the step halves where it would climb. The loss is convex, so where it rests is it."""
    now, step = list(start), 0.05
    loss, slope = _loss(rows, now, start, offset)
    for _ in range(_TURNS):
        then = _signed([bits - step * rise for bits, rise in zip(now, slope, strict=True)], width)
        lower, next_slope = _loss(rows, then, start, offset)
        if lower > loss:
            step /= 2
            if step < _STILL:
                break
            continue
        gained, now, loss, slope = loss - lower, then, lower, next_slope
        step *= 1.2
        if gained < _STILL:
            break
    return now


def _signed(bits: Sequence[float], width: int) -> list[float]:
    held = [max(0.0, each) for each in bits[:width]] + [min(0.0, each) for each in bits[width:-1]]
    return [*held, bits[-1]]


def _loss(
    rows: Sequence[_Row], bits: Sequence[float], start: Sequence[float], offset: float
) -> tuple[float, list[float]]:
    moved = [each - was for each, was in zip(bits, start, strict=True)]
    loss = STIFFNESS * sum(each * each for each in moved)
    slope = [2 * STIFFNESS * each for each in moved]
    for row in rows:
        logit = _BIT * (offset + sum(bits[place] for place in row.features))
        loss += row.total * _softplus(logit) - row.same * logit
        rise = _BIT * (row.total * probability(logit / _BIT) - row.same)
        for place in row.features:
            slope[place] += rise
    return loss, slope


def _softplus(logit: float) -> float:
    return max(logit, 0.0) + log1p(exp(-abs(logit)))


def moved(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Keys whose weight differs, with both weights."""
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}
