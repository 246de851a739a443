"""JSON as evidence: a text in which nobody can read something else than this program does.

Decides that no name stands twice in an object, and when two values are the same. Of a name that stands twice people
read one and programs the other, and to Python `false`, `0` and `0.0` are equal. Which names there may be is not decided
here.
"""

from __future__ import annotations

import json


def read_json(text: str | bytes) -> object:
    """Returns what an untrusted text says. Raises ValueError or RecursionError for what is no JSON, or ambiguous."""
    return json.loads(text, object_pairs_hook=_once)


def is_same(one: object, other: object) -> bool:
    """True if the two are written alike but for the order of names and white space."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
