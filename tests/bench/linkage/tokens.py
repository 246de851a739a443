"""The product's own match keys and weights, as a linkage method."""

from collections.abc import Sequence

import numpy

from adapters.identity import match_keys
from adapters.identity.scheme import load_scheme
from gateway.protocol.matching.weights import Weights
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
    """log2 of the odds of each pair. The index counts as large as it is; the product alone rounds small ones up."""
    agree = numpy.array([weights.agree[name] for name in pairs.names])
    disagree = numpy.array([weights.disagree[name] for name in pairs.names])
    return weights.bias - numpy.log2(pairs.records) + pairs.agree @ agree + pairs.differ @ disagree


def guarded(pairs: Agreement, names: Sequence[str], exact: Sequence[str]) -> Bits:
    """Which pairs may be matched: they agree on a key of the guard, and both birth dates are exact."""
    guard = pairs.agree[:, [pairs.names.index(name) for name in names]].any(axis=1)
    # A record without an exact birth date carries none of the exact keys.
    columns = [pairs.names.index(name) for name in exact]
    carried = (pairs.agree | pairs.differ)[:, columns].all(axis=1)
    has_core = (pairs.agree | pairs.differ)[:, pairs.names.index("name_dob")]
    return guard & (carried | ~has_core)
