"""The sharing of the token key: what everybody may know of it. Pure.

Decides by what a holder's public share is recognized (it lies on the polynomial that the dealer committed to,
P. Feldman, FOCS 1987), and when holders are one operator under several names: then the split of the key would be
theater (TOKENS §6). How a key is split, and who holds what, is decided elsewhere (`tokens/ceremony`, the directory).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.protocol.ristretto import SCALAR_LENGTH, InvalidElement, Ristretto
from homeward.gateway.v1.directory_pb2 import KeySharing

MAX_INDEX: Final = 255
MIN_THRESHOLD: Final = 2
"""One would let a single operator make tokens (ARCHITECTURE §6, Trust roots)."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """One sharing of one epoch's key. A refresh makes the next generation: other shares of the same key."""

    epoch: str
    generation: int
    """From 1."""
    commitments: tuple[bytes, ...]
    """Of the polynomial's coefficients, 32 bytes each; the first is the public key of the whole."""

    @property
    def threshold(self) -> int:
        """How many holders must evaluate."""
        return len(self.commitments)

    def to_message(self) -> KeySharing:
        """As a directory states it."""
        return KeySharing(epoch=self.epoch, generation=self.generation, commitments=self.commitments)

    def facts(self) -> dict[str, str | bytes | int]:
        """As the log states it; all of it is public."""
        return {
            "epoch": self.epoch,
            "generation": self.generation,
            "threshold": self.threshold,
            "commitments": b"".join(self.commitments),
        }


def read_sharing(message: KeySharing) -> Sharing:
    """The sharing in a message that keeps the rules of its .proto."""
    return Sharing(message.epoch, message.generation, tuple(message.commitments))


def public_share(group: Ristretto, commitments: Sequence[bytes], index: int) -> bytes:
    """Return the public key of holder `index` (1-255), computed from untrusted commitments alone.

    Raises `InvalidElement` for a commitment that is not a group element.
    """
    if not 1 <= index <= MAX_INDEX or not commitments:
        raise ValueError("need an index from 1 to 255 and at least one commitment")
    # Horner's rule: ((c_t * i + c_{t-1}) * i + ...) + c_0.
    scalar = index.to_bytes(SCALAR_LENGTH, "little")
    total = commitments[-1]
    for commitment in reversed(commitments[:-1]):
        total = group.add(group.multiply(scalar, total), commitment)
    return total


def is_on_sharing(group: Ristretto, sharing: Sharing, *, index: int, commitment: bytes) -> bool:
    """Whether this public share is the one the sharing gives to this index."""
    try:
        return public_share(group, sharing.commitments, index) == commitment
    except InvalidElement:
        return False


class Operated(Protocol):
    """A holder, as far as it matters who runs it."""

    @property
    def operator(self) -> str:
        """Short name of the organization."""

    @property
    def ca_certificate(self) -> bytes:
        """Its CA root, DER."""


def sole_operators(holders: Iterable[Operated], threshold: int) -> tuple[str, ...]:
    """Operators who together are one and hold enough shares to make tokens, sorted; empty where there are none.

    Two holders are one operator's when they share its name or its CA root, and so is whoever shares one with either.
    """
    groups: list[list[Operated]] = []
    for holder in holders:
        same = [group for group in groups if any(_is_same(holder, other) for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([holder, *(other for group in same for other in group)])
    return tuple(sorted({each.operator for group in groups if len(group) >= threshold for each in group}))


def _is_same(one: Operated, other: Operated) -> bool:
    return one.operator == other.operator or one.ca_certificate == other.ca_certificate
