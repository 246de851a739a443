"""The methods beside which match keys are measured, each on clear text or with one secret shared by everybody.

    exact    equality of a hash over normalized name and birth date
    CLK      Bloom filters (clkhash) compared by Dice coefficient (anonlink)

`splink_scores` stands in `splink_anchor`. Every method sees the same cleaned fields; none is told which pairs are true.
"""

from collections.abc import Sequence

import anonlink
import numpy
from clkhash import bloomfilter, comparators, field_formats, key_derivation
from clkhash.schema import Schema

from adapters.identity.words import words
from tests.bench.linkage.dataset import Dataset, Link, Record

Scored = tuple[tuple[Link, ...], numpy.typing.NDArray[numpy.float64]]
"""Pairs a method considered, and what it thinks of each."""
_LOWEST_DICE = 0.7
_BITS = 1024
# Schema as its authors advise, not tuned: bigrams of names, positional digits, more bits for the birth date.
_NGRAM = {"given_name": 2, "surname": 2, "date_of_birth": 1, "address_1": 2, "suburb": 2}
_TOKEN_BITS = {"given_name": 15, "surname": 15, "date_of_birth": 30, "address_1": 8, "suburb": 8}


def cleaned(value: str | None) -> str:
    """The words of a field, with single spaces; empty for a missing one."""
    return " ".join(words(value))


def exact_pairs(task: Dataset) -> Scored:
    """Pairs whose given name, surname and birth date are equal after cleaning."""
    index: dict[tuple[str, ...], list[str]] = {}
    for key, record in task.right.items():
        index.setdefault(_exact(record), []).append(key)
    pairs = [
        (key, other)
        for key, record in task.left.items()
        if all(_exact(record))
        for other in index.get(_exact(record), ())
        if not task.is_one_list or key < other
    ]
    return tuple(pairs), numpy.ones(len(pairs))


def clk_pairs(task: Dataset) -> Scored:
    """Pairs whose Bloom filters overlap, with their Dice coefficients."""
    left = _filters(list(task.left.values()), task.fields)
    right = left if task.is_one_list else _filters(list(task.right.values()), task.fields)
    similarity, _, (ours, theirs) = anonlink.candidate_generation.find_candidate_pairs(
        [left, right], anonlink.similarities.dice_coefficient_accelerated, _LOWEST_DICE
    )
    keys, others = list(task.left), list(task.right)
    rows = [
        ((keys[one], others[other]), score)
        for score, one, other in zip(similarity, ours, theirs, strict=True)
        if not task.is_one_list or keys[one] < others[other]
    ]
    return tuple(pair for pair, _ in rows), numpy.array([score for _, score in rows])


def _exact(record: Record) -> tuple[str, ...]:
    return tuple("".join(words(record.get(name))) for name in ("given_name", "surname", "date_of_birth"))


def _filters(records: Sequence[Record], fields: Sequence[str]) -> list[object]:
    specs = [_spec(name) for name in fields]
    schema = Schema(specs, _BITS)
    keys = key_derivation.generate_key_lists("one secret for everybody", len(fields))
    rows = [[cleaned(record.get(name)) for name in fields] for record in records]
    return [bits for bits, _, _ in bloomfilter.stream_bloom_filters(rows, keys, schema)]


def _spec(name: str) -> field_formats.FieldSpec:
    comparator = comparators.NgramComparison(_NGRAM.get(name, 1), positional=name not in _NGRAM or _NGRAM[name] == 1)
    strategy = field_formats.BitsPerTokenStrategy(_TOKEN_BITS.get(name, 15))
    return field_formats.StringSpec(name, field_formats.FieldHashingProperties(comparator, strategy))
