"""The product's own match keys and weights, as a linkage method."""

from collections import defaultdict
from collections.abc import Collection

import numpy

from adapters.identity import match_keys
from adapters.identity.scheme import load_scheme
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.matching.weights import REFERENCE_OVERLAP, Weights
from tests.bench.linkage.agreement import Agreement, Bits, agreement
from tests.bench.linkage.dataset import Dataset, Record
from tests.bench.linkage.measure import Scores


def keys_of_scheme(version: str) -> tuple[str, ...]:
    """The names of a scheme's keys, in order."""
    return tuple(rule.name for rule in load_scheme(version).keys)


def agree_under(version: str, task: Dataset) -> Agreement:
    """The candidate pairs of a task under a scheme."""
    scheme = load_scheme(version)

    def keys(record: Record) -> list[tuple[str, bytes]]:
        return match_keys(record, estimated=record.get("date_of_birth_estimated") == "1", scheme=scheme)

    return agreement(task, keys, keys_of_scheme(version))


def scores(pairs: Agreement, weights: Weights) -> Scores:
    """log2 of the odds of each pair.

    The index counts as large as it is (the product rounds small ones up), and the overlap as what it is: the product
    has one by purpose of the question.
    """
    agree = numpy.array([weights.agree[name] for name in pairs.names])
    disagree = numpy.array([weights.disagree[name] for name in pairs.names])
    prior = weights.bias - numpy.log2(pairs.records) + numpy.log2(pairs.overlap / REFERENCE_OVERLAP)
    return prior + pairs.agree @ agree + pairs.differ @ disagree


def may_match(pairs: Agreement, values: Scores, weights: Weights) -> Bits:
    """Which pairs the product would match if their score allowed it (`matching.classify`).

    They agree on a key of the guard, nothing bars them, both birth dates are exact, and no other candidate is within
    the margin.
    """
    guard = pairs.agree[:, _columns(pairs, weights.guard)].any(axis=1)
    exact = (pairs.agree | pairs.differ)[:, _columns(pairs, load_scheme(weights.scheme).core)].all(axis=1)
    allowed = guard & exact & _is_clear(pairs, values, weights.margin)
    for group in weights.bars:
        columns = _columns(pairs, group)
        allowed &= pairs.agree[:, columns].any(axis=1) | ~pairs.differ[:, columns].any(axis=1)
    return allowed


def askable(pairs: Agreement, task: Dataset, version: str) -> Agreement:
    """The pairs of records that the product lists and asks about at all: those with the core group.

    All of it, or what an estimated birth date allows; everybody else is an `IncompleteIdentity`.
    """
    least = load_key_scheme(version).core_of_estimated
    known = {name for name, carried in pairs.carried.items() if least <= carried}
    return pairs.among(known, sum(one in known and other in known for one, other in task.links))


def _columns(pairs: Agreement, names: Collection[str]) -> list[int]:
    return [pairs.names.index(name) for name in sorted(names)]


def _is_clear(pairs: Agreement, values: Scores, margin: float) -> Bits:
    """Whether a pair is its asked record's best, and the second best lies behind it by the margin."""
    ranked: dict[str, list[float]] = defaultdict(list)
    for (asked, _), value in zip(pairs.pairs, values, strict=True):
        ranked[asked].append(value)
    second = {asked: sorted(each)[-2] if len(each) > 1 else -numpy.inf for asked, each in ranked.items()}
    return numpy.array(
        [value - second[asked] >= margin for (asked, _), value in zip(pairs.pairs, values, strict=True)], dtype=bool
    )
