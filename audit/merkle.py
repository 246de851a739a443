"""The Merkle tree of RFC 6962 section 2.1: growing it, its root, its proofs, and checking proofs.

Decides nothing about storage: proofs are planned as coordinates of complete subtrees (level, position) and put
together from whatever returns their hashes, so that a store reads O(log n) rows and published tiles can serve the same
plan later.
Level 0 are leaf hashes; the node at (level, p) covers leaves p * 2^level up to (p + 1) * 2^level.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from audit.errors import EvidenceError, EvidenceReason

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# Begun once: to copy what is begun takes half the time of beginning anew, and an entry needs some twenty hashes.
_LEAF = hashlib.sha256(b"\0")
_NODE = hashlib.sha256(b"\x01")

Coordinate = tuple[int, int]
# One hash of a proof: the complete subtrees, left to right, that fold into it.
Plan = tuple[tuple[Coordinate, ...], ...]


def leaf_hash(leaf: bytes) -> bytes:
    """Returns the level-0 hash of a leaf."""
    begun = _LEAF.copy()
    begun.update(leaf)
    return begun.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of an inner node."""
    begun = _NODE.copy()
    begun.update(left + right)
    return begun.digest()


def extend(size: int, stack: list[bytes], hashed_leaf: bytes) -> list[tuple[int, int, bytes]]:
    """Appends one leaf hash in place to the frontier `stack` of a tree of `size` leaves.

    The frontier holds the roots of the complete subtrees of the tree, largest first. Returns the inner nodes that this
    leaf completed, as (level, position, hash), lowest first.
    """
    completed: list[tuple[int, int, bytes]] = []
    current, position, level = hashed_leaf, size, 0
    while position & 1:
        current = node_hash(stack.pop(), current)
        position >>= 1
        level += 1
        completed.append((level, position, current))
    stack.append(current)
    return completed


def fold(stack: Sequence[bytes]) -> bytes:
    """Returns the root over adjoining complete subtrees, largest first; of none, the root of the empty tree."""
    if not stack:
        return EMPTY_ROOT
    root = stack[-1]
    for subtree in reversed(stack[:-1]):
        root = node_hash(subtree, root)
    return root


def subtrees(start: int, end: int) -> tuple[Coordinate, ...]:
    """Returns the complete subtrees that cover the leaves from `start` up to `end`, left to right.

    `start` must be aligned to the largest of them, as every range of RFC 6962 is.
    """
    found: list[Coordinate] = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return tuple(found)


def frontier_plan(size: int) -> tuple[Coordinate, ...]:
    """Returns where the frontier of a tree of `size` leaves stands."""
    return subtrees(0, size)


def _split(start: int, end: int) -> int:
    return start + (1 << (end - start - 1).bit_length() - 1)


def inclusion_plan(index: int, size: int) -> Plan:
    """Returns the plan of PATH(index, D[size]), RFC 6962 section 2.1.1. Requires 0 <= index < size."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[tuple[Coordinate, ...]] = []
    level, position, last = 0, index, size - 1
    while last:
        sibling = position ^ 1
        if sibling < last:
            path.append(((level, sibling),))
        elif sibling == last:
            path.append(subtrees(sibling << level, size))
        level, position, last = level + 1, position >> 1, last >> 1
    return tuple(path)


def consistency_plan(old_size: int, size: int) -> Plan:
    """Returns the plan of PROOF(old_size, D[size]), RFC 6962 section 2.1.2. Requires 0 < old_size <= size."""
    if not 0 < old_size <= size:
        raise ValueError("the older tree is not part of the newer")
    path: list[tuple[Coordinate, ...]] = []
    start, end, known = 0, size, True
    while old_size != end:
        middle = _split(start, end)
        if old_size <= middle:
            path.append(subtrees(middle, end))
            end = middle
        else:
            path.append(subtrees(start, middle))
            start, known = middle, False
    if not known:
        path.append(subtrees(start, end))
    return tuple(reversed(path))


def needed(plan: Plan) -> set[Coordinate]:
    """Returns every coordinate whose hash the plan needs."""
    return {coordinate for group in plan for coordinate in group}


def assemble(plan: Plan, nodes: Mapping[Coordinate, bytes]) -> tuple[bytes, ...]:
    """Returns the proof, from the hashes of at least the `needed` coordinates. Raises KeyError if one is missing."""
    return tuple([nodes[group[0]] if len(group) == 1 else fold([nodes[each] for each in group]) for group in plan])


def check_inclusion(*, hashed_leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Holds if the proof leads from the leaf to the root (RFC 9162 section 2.1.3.2); else raises EvidenceError."""
    if not 0 <= index < size:
        raise EvidenceError(EvidenceReason.INCLUSION, "the leaf lies outside the tree", index=index)
    position, last, current = index, size - 1, hashed_leaf
    for sibling in _hashes(proof):
        if last == 0:
            raise EvidenceError(EvidenceReason.INCLUSION, "the inclusion proof is too long", index=index)
        if position & 1 or position == last:
            current = node_hash(sibling, current)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            current = node_hash(current, sibling)
        position >>= 1
        last >>= 1
    if last != 0 or current != root:
        raise EvidenceError(EvidenceReason.INCLUSION, "the inclusion proof does not lead to the root", index=index)


def check_consistency(*, old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """Holds if the newer tree begins with the older (RFC 9162 section 2.1.4.2); else raises EvidenceError."""
    if not 0 < old_size <= size:
        raise EvidenceError(EvidenceReason.CONSISTENCY, "the older tree is larger than the newer")
    path = list(_hashes(proof))
    if old_size == size:
        if path or old_root != root:
            raise EvidenceError(EvidenceReason.CONSISTENCY, "two roots of one size differ")
        return
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise EvidenceError(EvidenceReason.CONSISTENCY, "the consistency proof is empty")
    old, new, last = _climb(path, old_size - 1, size - 1)
    if old != old_root or new != root or last != 0:
        raise EvidenceError(EvidenceReason.CONSISTENCY, "the newer tree does not begin with the older")


def claimed_roots(*, old_size: int, size: int, proof: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """Returns the two roots between which this proof is one, of the older and the newer tree; None where it shows none.

    What a log says about its own past: if the second is a root that it signed, it has also signed the first, for the
    first `old_size` leaves. A proof from a power of two leaves its first root to the reader, so it shows none.
    """
    path = list(_hashes(proof))
    if not 0 < old_size < size or old_size & (old_size - 1) == 0 or not path:
        return None
    try:
        old, new, last = _climb(path, old_size - 1, size - 1)
    except EvidenceError:
        return None
    return (old, new) if last == 0 else None


def _climb(path: Sequence[bytes], position: int, last: int) -> tuple[bytes, bytes, int]:
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise EvidenceError(EvidenceReason.CONSISTENCY, "the consistency proof is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new = node_hash(new, sibling)
        position >>= 1
        last >>= 1
    return old, new, last


def _hashes(proof: Iterable[bytes]) -> Iterable[bytes]:
    for item in proof:
        if len(item) != HASH_BYTES:
            raise EvidenceError(EvidenceReason.FORMAT, "a hash of a proof is not 32 bytes")
        yield item
