"""One JSON object from untrusted bytes, in the only reading it has. Pure.

Decides one thing: a name may stand once in an object, at any depth. The library's parser keeps the last of two equal
names, another reader may keep the first, and the two would then see two tokens (SECURITY §0.7).
"""

import json
from typing import Any, Final


def parse_object(data: bytes) -> dict[str, Any]:
    """The object these bytes are. Raises `ValueError` for anything else."""
    try:
        value = _DECODER.decode(data.decode())
    except RecursionError as exc:
        raise ValueError from exc
    if not isinstance(value, dict):
        raise ValueError
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_without_duplicates)
