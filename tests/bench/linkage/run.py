"""Every method on every task, in one run on one machine."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy

from adapters.identity.scheme import load_scheme
from gateway.protocol.matching.weights import load_weights
from tests.bench.linkage.agreement import Agreement
from tests.bench.linkage.anchors import Scored, clk_pairs, exact_pairs
from tests.bench.linkage.dataset import Dataset
from tests.bench.linkage.measure import Quality, Scores, Truth, at, calibration, oracle
from tests.bench.linkage.splink_anchor import splink_pairs
from tests.bench.linkage.tasks import Task
from tests.bench.linkage.tokens import agree_under, guarded, scores

_ANCHORS: Mapping[str, Callable[[Dataset], Scored]] = {
    "CLK + anonlink": clk_pairs,
    "Splink, clear text": splink_pairs,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One method under one rule."""

    dataset: str
    fields: str
    standing: str
    method: str
    rule: str
    quality: Quality
    seconds: float


@dataclass(slots=True)
class Outcome:
    """What was measured."""

    rows: list[Row] = field(default_factory=list)
    calibration: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    review: dict[str, dict[str, float]] = field(default_factory=dict)
    recall: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def include(self, other: "Outcome") -> None:
        """Add what was measured elsewhere."""
        self.rows += other.rows
        self.calibration |= other.calibration
        self.review |= other.review
        self.recall |= other.recall

    def find(self, dataset: str, fields: str, method: str, rule: str) -> Quality:
        """The one row; raises `StopIteration` for none."""
        key = (dataset, fields, method, rule)
        return next(row.quality for row in self.rows if (row.dataset, row.fields, row.method, row.rule) == key)


def measure(task: Task, outcome: Outcome) -> None:
    """Add every method's rows of the task."""
    pairs, values = exact_pairs(task.dataset)
    _add(outcome, task, "exact hash", {"equal": (values, 1.0)}, _truth(task, pairs), seconds=0.0)
    for label, (scheme, weights) in task.schemes.items():
        _measure_tokens(task, outcome, label, scheme=scheme, weights_name=weights)
    anchors = task.dataset.with_fields(task.anchor_fields)
    for label, method in _ANCHORS.items():
        started = time.perf_counter()
        pairs, values = method(anchors)
        seconds = time.perf_counter() - started
        true = _truth(task, pairs)
        best = oracle(values, true, len(task.dataset.links)).threshold
        rules = {"oracle": (values, best)} | ({"50 %": (values, 0.0)} if method is splink_pairs else {})
        _add(outcome, task, label, rules, true, seconds=seconds)


def _measure_tokens(task: Task, outcome: Outcome, label: str, *, scheme: str, weights_name: str) -> None:
    weights = load_weights(weights_name)
    started = time.perf_counter()
    pairs = agree_under(scheme, task.dataset)
    values = scores(pairs, weights)
    seconds = time.perf_counter() - started
    exact = [rule.name for rule in load_scheme(scheme).keys if rule.exact]
    allowed = numpy.where(guarded(pairs, sorted(weights.guard), exact), values, -numpy.inf)
    best = oracle(values, pairs.true, pairs.links).threshold
    rules = {
        "50 %": (values, 0.0),
        "oracle": (values, best),
        "auto": (values, weights.auto),
        "auto, guarded": (allowed, weights.auto),
        "possible": (values, weights.possible),
    }
    _add(outcome, task, label, rules, pairs.true, seconds=seconds)
    name = f"{task.dataset.name}, {task.fields}, {label}"
    outcome.calibration[name] = calibration(values, pairs.true)
    review = (values >= weights.possible) & (allowed < weights.auto)
    outcome.review[name] = {"pairs": int(review.sum()), "true": int((review & pairs.true).sum())}
    if task.faults:
        outcome.recall[name] = _recall(task, pairs, values, allowed, auto=weights.auto, possible=weights.possible)


def _recall(
    task: Task, pairs: Agreement, values: Scores, allowed: Scores, *, auto: float, possible: float
) -> dict[str, dict[str, float]]:
    """Of the links that an error struck, how many are found; a link struck twice counts in both rows."""
    score, guard = (dict(zip(pairs.pairs, each, strict=True)) for each in (values, allowed))
    links, found = Counter[str](), {rule: Counter[str]() for rule in ("auto", "50 %", "auto or review")}
    for link, faults in task.faults.items():
        for fault in (*faults,) or ("none",):
            links[fault] += 1
            found["auto"][fault] += guard.get(link, -numpy.inf) >= auto
            found["50 %"][fault] += score.get(link, -numpy.inf) >= 0
            found["auto or review"][fault] += score.get(link, -numpy.inf) >= possible
    return {
        fault: {"links": count} | {rule: round(each[fault] / count, 3) for rule, each in found.items()}
        for fault, count in links.most_common()
    }


def _truth(task: Task, pairs: tuple[tuple[str, str], ...]) -> Truth:
    return numpy.array([pair in task.dataset.links for pair in pairs], dtype=bool)


def _add(
    outcome: Outcome, task: Task, method: str, rules: Mapping[str, tuple[Scores, float]], true: Truth, *, seconds: float
) -> None:
    for rule, (values, threshold) in rules.items():
        quality = at(values, true, len(task.dataset.links), threshold)
        row = Row(task.dataset.name, task.fields, task.standing, method, rule, quality, round(seconds, 1))
        outcome.rows.append(row)
