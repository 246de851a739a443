"""Which records share a match key: the candidate pairs of a task, with what each agrees and differs on.

Match keys stand in for their tokens: equal keys are equal tokens, and nothing but equality is ever compared.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy
import numpy.typing

from tests.bench.linkage.dataset import Dataset, Link, Record

Keys = Callable[[Record], list[tuple[str, bytes]]]
Values = Mapping[str, frozenset[bytes]]
Bits = numpy.typing.NDArray[numpy.bool_]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Every pair that shares a key. One row a pair, one column a key, in the order of `names`."""

    names: tuple[str, ...]
    pairs: tuple[Link, ...]
    agree: Bits
    differ: Bits
    true: Bits
    links: int
    """True links of the task, those that share no key among them."""
    records: int
    """Records in the searched list."""
    overlap: float
    """True links of a record that is asked about, on average."""
    carried: Mapping[str, frozenset[str]]
    """The keys each record has, by its name; no name is in both lists, or it is one record."""

    def only(self, carried: Collection[str]) -> "Agreement":
        """The same pairs when nobody carries any other key; pairs that share none of these are gone."""
        known = numpy.array([name in carried for name in self.names])
        agree, differ = self.agree & known, self.differ & known
        kept = agree.any(axis=1)
        pairs = tuple(pair for pair, keep in zip(self.pairs, kept, strict=True) if keep)
        return replace(self, pairs=pairs, agree=agree[kept], differ=differ[kept], true=self.true[kept])

    def among(self, records: Collection[str], links: int) -> "Agreement":
        """The pairs of these records alone, of which so many are true."""
        kept = numpy.array([one in records and other in records for one, other in self.pairs])
        pairs = tuple(pair for pair, keep in zip(self.pairs, kept, strict=True) if keep)
        return replace(self, pairs=pairs, agree=self.agree[kept], differ=self.differ[kept], true=self.true[kept],
                       links=links)  # fmt: skip


def agreement(task: Dataset, keys: Keys, names: Sequence[str]) -> Agreement:
    """The candidate pairs of the task under these keys."""
    left = {key: _values(keys(record)) for key, record in task.left.items()}
    right = left if task.is_one_list else {key: _values(keys(record)) for key, record in task.right.items()}
    columns = {name: column for column, name in enumerate(names)}
    shared = _shared(left, right, columns, one_list=task.is_one_list)
    pairs = tuple(shared)
    agree = _matrix([shared[pair] for pair in pairs], len(names))
    carried_left = {key: _mask(values, columns) for key, values in left.items()}
    carried_right = {key: _mask(values, columns) for key, values in right.items()}
    both = _matrix([carried_left[one] & carried_right[other] for one, other in pairs], len(names))
    true = numpy.array([pair in task.links for pair in pairs], dtype=bool)
    overlap = len(task.links) * (2 if task.is_one_list else 1) / len(left)
    carried = {key: frozenset(values) for key, values in (left | right).items()}
    return Agreement(tuple(names), pairs, agree, both & ~agree, true, len(task.links), len(right), overlap, carried)


def _values(pairs: list[tuple[str, bytes]]) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = defaultdict(set)
    for name, value in pairs:
        found[name].add(value)
    return found


def _mask(values: Mapping[str, set[bytes]], columns: Mapping[str, int]) -> int:
    return sum(1 << columns[name] for name in values if name in columns)


def _shared(
    left: Mapping[str, Mapping[str, set[bytes]]],
    right: Mapping[str, Mapping[str, set[bytes]]],
    columns: Mapping[str, int],
    *,
    one_list: bool,
) -> dict[Link, int]:
    shared: dict[Link, int] = defaultdict(int)
    for name, column in columns.items():
        index: dict[bytes, list[str]] = defaultdict(list)
        for key, values in right.items():
            for value in values.get(name, ()):
                index[value].append(key)
        for key, values in left.items():
            for value in values.get(name, ()):
                for other in index.get(value, ()):
                    if not one_list or key < other:
                        shared[key, other] |= 1 << column
    return shared


def _matrix(masks: list[int], columns: int) -> Bits:
    matrix = numpy.zeros((len(masks), columns), dtype=bool)
    for column in range(columns):
        matrix[:, column] = [mask >> column & 1 for mask in masks]
    return matrix
