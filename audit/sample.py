"""A random sample that anybody can draw again: which entries, from a public seed.

Decides the rule of the draw, which is the evidence that nobody chose. Each entry of the population gets the rank
HMAC-SHA-256(key, u64 index), where key = SHA-256("homeward/sample/v1" 0x00 | origin of the log | 0x00 | seed); the
entries with the smallest ranks are the sample. Whoever knows the seed only after the population was fixed (a lottery
draw of a later day, the root of a later checkpoint) cannot steer it, and nobody can by leaving entries out unnoticed,
because an agency's numbers have no gap. Which entries are the population is decided by whoever asks.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

RULE: Final = "homeward/sample/v1"
_LABEL: Final = RULE.encode()

IMPERSONAL: Final = frozenset(
    {"kind", "decision", "outcome", "reason", "purpose", "policy", "fields", "basis", "requester", "state", "decided"}
)
"""Fields that name neither a youth nor a worker, nor anything by which one of them could be found."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a draw was made from: with it, whoever has the seed makes the draw again."""

    seed: str
    population: Sequence[int]
    """Indexes of the entries that were drawn from, ascending."""
    before: int
    """All of them lie before this one."""


def draw(population: Iterable[int], count: int, *, seed: str, origin: str) -> list[int]:
    """Returns `count` of these indexes, ascending; all of them where there are no more."""
    key = hashlib.sha256(b"\0".join((_LABEL, origin.encode(), seed.encode()))).digest()
    ranked = sorted(set(population), key=lambda index: hmac.digest(key, index.to_bytes(8, "big"), "sha256"))
    return sorted(ranked[:count])
