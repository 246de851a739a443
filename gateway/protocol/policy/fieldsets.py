"""Arithmetic of field sets: what includes what, as bit masks.

A set that includes another (FS3 includes FS2, FS1 and FS0) is granted with it and
withheld with it. Decides inclusion only; which set a purpose allows is bundle data.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gateway.protocol.names import Call, FieldSet

_PARENT: Final[dict[FieldSet, FieldSet]] = {
    FieldSet.FS1_FLAG_STATUS: FieldSet.FS0_ACK,
    FieldSet.FS2_FLAG_LOCATE: FieldSet.FS1_FLAG_STATUS,
    FieldSet.FS3_FLAG_CASEWORK: FieldSet.FS2_FLAG_LOCATE,
    FieldSet.FS4_PLACEMENT_SUMMARY: FieldSet.FS0_ACK,
    FieldSet.FS5_PLACEMENT_DETAIL: FieldSet.FS4_PLACEMENT_SUMMARY,
    FieldSet.FS6_JURISDICTION_CONTACT: FieldSet.FS0_ACK,
    FieldSet.FS7_ACCOUNTING: FieldSet.FS0_ACK,
}
"""The field set that each field set extends (DOMAIN §2.5)."""
_BIT: Final[dict[FieldSet, int]] = {field_set: 1 << place for place, field_set in enumerate(FieldSet)}


def _closed(field_set: FieldSet) -> int:
    parent = _PARENT.get(field_set)
    return _BIT[field_set] | (_closed(parent) if parent is not None else 0)


_CLOSURE: Final[dict[FieldSet, int]] = {field_set: _closed(field_set) for field_set in FieldSet}
_MEMBERS: Final[tuple[tuple[FieldSet, ...], ...]] = tuple(
    tuple(field_set for field_set in FieldSet if mask & _BIT[field_set]) for mask in range(1 << len(FieldSet))
)

ACK: Final = _CLOSURE[FieldSet.FS0_ACK]
"""Mask of FS0 alone: what a refusal carries."""
FLAG_STATUS: Final = _CLOSURE[FieldSet.FS1_FLAG_STATUS]
"""Mask of FS1 with what it includes."""
REVIEW: Final = _CLOSURE[FieldSet.FS7_ACCOUNTING]
"""Mask of FS7 with what it includes: what a review of the log asks for."""


def mask_of(field_sets: Iterable[FieldSet]) -> int:
    """Mask of the field sets and all that they include; FS0 is always in it."""
    mask = ACK
    for field_set in field_sets:
        mask |= _CLOSURE[field_set]
    return mask


def members(mask: int) -> tuple[FieldSet, ...]:
    """Field sets of a mask, ascending."""
    return _MEMBERS[mask]


def without(mask: int, removed: Iterable[FieldSet]) -> int:
    """The mask less the removed sets and every set that includes one of them; FS0 stays."""
    gone = frozenset(removed) - {FieldSet.FS0_ACK}
    for field_set, closure in _CLOSURE.items():
        if any(closure & _BIT[each] for each in gone):
            mask &= ~_BIT[field_set]
    return mask


def expand(field_sets: Iterable[FieldSet]) -> tuple[FieldSet, ...]:
    """The field sets and all that they include, ascending."""
    return _MEMBERS[mask_of(field_sets)]


@lru_cache(maxsize=1024)
def call_of(field_sets: tuple[FieldSet, ...]) -> Call:
    """Family of the call that asks for these sets: FS1 or less is a flag check, anything else a record call."""
    return Call.RECORD if mask_of(field_sets) & ~FLAG_STATUS else Call.FLAG_CHECK


def answers(asked: int, granted: int) -> bool:
    """Whether the grant leaves the call anything to answer: more than FS0 of a flag check, than FS1 of a record call.

    A record call's answer comes from a source. One that is sent there for nothing would show, by whether the source
    is up, that there is a youth.
    """
    return bool(granted & ~(FLAG_STATUS if asked & ~FLAG_STATUS else ACK))
