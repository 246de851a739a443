"""Deals the token key in shares, offline: no party that runs afterwards ever has the key.

Decides how a key becomes `holders` Shamir shares of which any `threshold` evaluate (A. Shamir, CACM 22(11), 1979),
with Feldman's commitments (FOCS 1987): a holder checks its share by them, and anybody knows a holder's public key.
Decides also how shares are refreshed: a sharing of zero is added, so that the key and every token stay, while a share
of before and a share of after make nothing together (A. Herzberg et al., CRYPTO 1995).
Does not decide who the holders are, how a share reaches one, or where the transcript is kept.

This is the only place that calculates with key material in Python integers, which is not constant-time: the machine
of the ceremony is offline and runs it once. Everything per request goes through libsodium.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.protocol.oprf import KeyShare
from gateway.protocol.ristretto import ORDER, SCALAR_LENGTH, UNIFORM_LENGTH, Ristretto
from gateway.protocol.sharing import public_share

MAX_HOLDERS = 255


class ShareRefused(ValueError):
    """A share that is not on the polynomial its dealer committed to."""

    def __init__(self) -> None:
        super().__init__("share does not fit the published commitments")


@dataclass(frozen=True, slots=True)
class Dealing:
    """One key in shares. The commitments are public; the first is the public key of the whole."""

    shares: tuple[KeyShare, ...] = field(repr=False)
    commitments: tuple[bytes, ...]

    @property
    def threshold(self) -> int:
        """How many holders must evaluate."""
        return len(self.commitments)

    @property
    def public_key(self) -> bytes:
        """The public key of the whole, 32 bytes."""
        return self.commitments[0]


def deal(group: Ristretto, *, threshold: int, holders: int, random_bytes: Callable[[int], bytes]) -> Dealing:
    """Return a fresh uniform key as shares 1 to `holders`; the key itself is forgotten on return.

    2 <= threshold <= holders <= 255: with a threshold of 1 each holder alone would have the key. `random_bytes` must
    be a cryptographic source.
    """
    return deal_key(group, _random(random_bytes), threshold=threshold, holders=holders, random_bytes=random_bytes)


def deal_key(
    group: Ristretto, key: bytes, *, threshold: int, holders: int, random_bytes: Callable[[int], bytes]
) -> Dealing:
    """Return an existing key (canonical non-zero scalar, 32 bytes) as shares; bounds as for `deal`."""
    if not 2 <= threshold <= holders <= MAX_HOLDERS:
        raise ValueError("need 2 <= threshold <= holders <= 255")
    coefficients = [group.scalars.parse(key), *(_random(random_bytes) for _ in range(threshold - 1))]
    polynomial = [int.from_bytes(coefficient, "little") for coefficient in coefficients]
    shares = tuple(KeyShare(index, _value(polynomial, index)) for index in range(1, holders + 1))
    return Dealing(shares, tuple(group.multiply_base(coefficient) for coefficient in coefficients))


def deal_refresh(
    group: Ristretto, commitments: Sequence[bytes], *, holders: int, random_bytes: Callable[[int], bytes]
) -> Dealing:
    """Return a sharing of zero as increments 1 to `holders`, with the commitments of the sharing after it.

    `commitments` are those of the sharing in force; the key itself is not needed and does not appear.
    Raises `InvalidElement` for a commitment that is not a group element.
    """
    threshold = len(commitments)
    if not 2 <= threshold <= holders <= MAX_HOLDERS:
        raise ValueError("need 2 <= threshold <= holders <= 255")
    coefficients = [_random(random_bytes) for _ in range(threshold - 1)]
    polynomial = [0, *(int.from_bytes(coefficient, "little") for coefficient in coefficients)]
    increments = tuple(KeyShare(index, _value(polynomial, index)) for index in range(1, holders + 1))
    after = (group.add(old, group.multiply_base(new)) for old, new in zip(commitments[1:], coefficients, strict=True))
    return Dealing(increments, (commitments[0], *after))


def check_share(group: Ristretto, share: KeyShare, commitments: Sequence[bytes]) -> None:
    """Raise `ShareRefused` unless the share is the one the commitments promise to its index."""
    if group.multiply_base(group.scalars.parse(share.secret)) != public_share(group, commitments, share.index):
        raise ShareRefused


def _random(random_bytes: Callable[[int], bytes]) -> bytes:
    return (int.from_bytes(random_bytes(UNIFORM_LENGTH), "little") % ORDER).to_bytes(SCALAR_LENGTH, "little")


def _value(polynomial: Sequence[int], index: int) -> bytes:
    total = 0
    for coefficient in reversed(polynomial):
        total = (total * index + coefficient) % ORDER
    return total.to_bytes(SCALAR_LENGTH, "little")
