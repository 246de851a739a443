"""Every method on every task, in one run on one machine."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from gateway.protocol.matching.weights import Weights, load_weights
from tests.bench.linkage.agreement import Agreement
from tests.bench.linkage.anchors import Scored, clk_pairs, exact_pairs
from tests.bench.linkage.dataset import Dataset
from tests.bench.linkage.measure import Quality, Scores, Truth, at, calibration, oracle
from tests.bench.linkage.splink_anchor import splink_pairs
from tests.bench.linkage.tasks import Task
from tests.bench.linkage.tokens import agree_under, askable, may_match, scores

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
    twins: dict[str, dict[str, int]] = field(default_factory=dict)
    """How many pairs of two twins of one first name each rule takes for one youth."""

    def include(self, other: "Outcome") -> None:
        """Add what was measured elsewhere."""
        self.rows += other.rows
        self.calibration |= other.calibration
        self.review |= other.review
        self.recall |= other.recall
        self.twins |= other.twins

    def take_anchors(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows of other methods than tokens, as a report of an earlier run holds them."""
        for row in rows:
            if not row["method"].startswith("tokens"):
                quality = Quality(row["threshold"], row["claimed"], row["found"], row["links"])
                names = ("dataset", "fields", "standing", "method", "rule")
                self.rows.append(Row(*(row[name] for name in names), quality, row["seconds"]))

    def find(self, dataset: str, fields: str, method: str, rule: str) -> Quality:
        """The one row; raises `StopIteration` for none."""
        key = (dataset, fields, method, rule)
        return next(row.quality for row in self.rows if (row.dataset, row.fields, row.method, row.rule) == key)


def measure(task: Task, outcome: Outcome, *, tokens_only: bool = False) -> None:
    """Add every method's rows of the task, or those of the tokens."""
    for label, (scheme, weights) in task.schemes.items():
        _measure_tokens(task, outcome, label, scheme=scheme, weights_name=weights)
    if not tokens_only:
        _measure_anchors(task, outcome)


def _measure_anchors(task: Task, outcome: Outcome) -> None:
    pairs, values = exact_pairs(task.dataset)
    links = len(task.dataset.links)
    _add(outcome, task, "exact hash", {"equal": (values, 1.0)}, _truth(task, pairs), seconds=0.0, links=links)
    anchors = task.dataset.with_fields(task.anchor_fields)
    for label, method in _ANCHORS.items():
        started = time.perf_counter()
        pairs, values = method(anchors)
        seconds = time.perf_counter() - started
        true = _truth(task, pairs)
        best = oracle(values, true, links).threshold
        rules = {"oracle": (values, best)} | ({"50 %": (values, 0.0)} if method is splink_pairs else {})
        _add(outcome, task, label, rules, true, seconds=seconds, links=links)


def _measure_tokens(task: Task, outcome: Outcome, label: str, *, scheme: str, weights_name: str) -> None:
    weights = load_weights(weights_name)
    started = time.perf_counter()
    pairs = agree_under(scheme, task.dataset)
    values = scores(pairs, weights)
    seconds = time.perf_counter() - started
    allowed = _allowed(pairs, values, weights)
    rules = _rules(values, allowed, weights) | (_other_rules(pairs, values, weights) if task.faults else {})
    best = oracle(values, pairs.true, pairs.links).threshold
    _add(outcome, task, label, rules | {"oracle": (values, best)}, pairs.true, seconds=seconds, links=pairs.links)
    few = askable(pairs, task.dataset, scheme)
    of_few = scores(few, weights)
    rules = _rules(of_few, _allowed(few, of_few, weights), weights)
    _add(outcome, task, f"{label}: askable records", rules, few.true, seconds=seconds, links=few.links)
    name = f"{task.dataset.name}, {task.fields}, {label}"
    outcome.calibration[name] = calibration(values, pairs.true)
    review = (values >= weights.possible) & (allowed < weights.auto)
    outcome.review[name] = {"pairs": int(review.sum()), "true": int((review & pairs.true).sum())}
    if task.faults:
        outcome.twins[name] = _twins_taken(task, pairs, rules=_rules(values, allowed, weights))
        outcome.recall[name] = _recall(task, pairs, values, allowed, auto=weights.auto, possible=weights.possible)


def _allowed(pairs: Agreement, values: Scores, weights: Weights) -> Scores:
    return numpy.where(may_match(pairs, values, weights), values, -numpy.inf)


def _rules(values: Scores, allowed: Scores, weights: Weights) -> dict[str, tuple[Scores, float]]:
    return {
        "50 %": (values, 0.0),
        "auto": (values, weights.auto),
        "match": (allowed, weights.auto),
        "possible": (values, weights.possible),
    }


def _other_rules(pairs: Agreement, values: Scores, weights: Weights) -> dict[str, tuple[Scores, float]]:
    """What is matched without a part of the product's rule: what that part costs, and what it keeps apart."""
    others = {
        "match, one letter apart passes": replace(weights, guard=weights.guard | {"given_edit1_dob"}),
        "match, nothing bars": replace(weights, bars=()),
    }
    return {rule: (_allowed(pairs, values, other), weights.auto) for rule, other in others.items()}


def _twins_taken(task: Task, pairs: Agreement, *, rules: Mapping[str, tuple[Scores, float]]) -> dict[str, int]:
    twins = numpy.array([pair in task.twins for pair in pairs.pairs], dtype=bool)
    taken = {rule: int((values[twins] >= least).sum()) for rule, (values, least) in rules.items()}
    return {"pairs": len(task.twins)} | taken


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
    outcome: Outcome,
    task: Task,
    method: str,
    rules: Mapping[str, tuple[Scores, float]],
    true: Truth,
    *,
    seconds: float,
    links: int,
) -> None:
    for rule, (values, threshold) in rules.items():
        quality = at(values, true, links, threshold)
        row = Row(task.dataset.name, task.fields, task.standing, method, rule, quality, round(seconds, 1))
        outcome.rows.append(row)
