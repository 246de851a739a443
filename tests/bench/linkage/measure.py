"""Precision, recall and F1 over pairs, at a fixed threshold and at the best one, and calibration."""

from dataclasses import asdict, dataclass

import numpy
import numpy.typing

Scores = numpy.typing.NDArray[numpy.float64]
Truth = numpy.typing.NDArray[numpy.bool_]
EDGES = (-3.17, -2.0, -1.0, 0.0, 1.0, 3.17, 6.63)
"""Bits: 10 %, 20 %, 33 %, 50 %, 67 %, 90 %, 99 %."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Over pairs; `links` true ones in all, of which `found`."""

    threshold: float
    claimed: int
    found: int
    links: int

    @property
    def precision(self) -> float:
        return self.found / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.links

    @property
    def f1(self) -> float:
        return 2 * self.found / (self.claimed + self.links)

    def as_json(self) -> dict[str, float]:
        """Counts and ratios."""
        ratios = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return asdict(self) | {name: round(ratio, 5) for name, ratio in ratios.items()}


def at(scores: Scores, true: Truth, links: int, threshold: float) -> Quality:
    """What claiming every pair at or above the threshold amounts to."""
    claimed = scores >= threshold
    return Quality(float(threshold), int(claimed.sum()), int((claimed & true).sum()), links)


def oracle(scores: Scores, true: Truth, links: int) -> Quality:
    """The best F1 that any threshold gives, chosen with the answers at hand."""
    order = numpy.argsort(-scores, kind="stable")
    ranked = scores[order]
    found = numpy.cumsum(true[order])
    claimed = numpy.arange(1, len(ranked) + 1)
    f1 = 2 * found / (claimed + links)
    # Pairs of one score are claimed together.
    f1[:-1][ranked[:-1] == ranked[1:]] = 0
    best = int(f1.argmax())
    return Quality(float(ranked[best]), int(claimed[best]), int(found[best]), links)


def calibration(scores: Scores, true: Truth) -> list[dict[str, float]]:
    """The share of true links among pairs, by score."""
    rows = []
    for low, high in zip((-numpy.inf, *EDGES), (*EDGES, numpy.inf), strict=True):
        inside = (scores >= low) & (scores < high)
        count = int(inside.sum())
        share = float(true[inside].mean()) if count else float("nan")
        odds = 2.0 ** scores[inside]
        expected = float((odds / (1 + odds)).mean()) if count else float("nan")
        rows.append({"from": low, "to": high, "pairs": count, "true": share, "expected": expected})
    return rows
