"""Verifying a stored log from its rows alone: what an auditor runs, with nothing of the gateway.

Decides what is checked and in which order, and stops at the first thing that is wrong, naming it:

1. every entry, in order: its index follows the last, its time does not go back, everything stored beside its digests is
   what the digests bind, and its leaf hashes to what is stored;
2. the tree: every stored inner node, the frontier and the root follow from those leaves, and there is no node too many;
3. the sequence numbers of each agency have no gap, and end where the agency's row says;
4. the checkpoint kept in the database, and any given from outside, are signed by the log and cover no more than is
   there.

Only (4) with a checkpoint from outside can tell that entries were cut off at the end together with everything that knew
of them; only class keys (`open_class`) can tell what a field says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, bindparam, func, select

from audit import leaf as fmt
from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, parse_checkpoint, parse_vkey
from audit.entry import check_stored
from audit.errors import EvidenceError, EvidenceReason
from audit.reader import Reader, TreeState, tree_state
from audit.statement import Statement
from audit.tables import AGENCY, ENTRY, NODE
from audit.transaction import Tx

PAGE = 1000

_PAGE_OF_ENTRIES = Statement(
    select(ENTRY).where(ENTRY.c.idx >= bindparam("start")).order_by(ENTRY.c.idx).limit(bindparam("page")),
    "start",
    "page",
)
_NODES = Statement(
    select(NODE.c.position, NODE.c.hash)
    .where(and_(NODE.c.level == bindparam("at_level"), NODE.c.position.between(bindparam("low"), bindparam("high"))))
    .order_by(NODE.c.position),
    "at_level", "low", "high",
)  # fmt: skip
_NODE_COUNT = Statement(select(func.count()).select_from(NODE))
_AGENCIES = Statement(select(AGENCY.c.agency, AGENCY.c.seq, AGENCY.c.leaf_hash))


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found to hold. `pinned`: the log's key came from outside the database."""

    origin: str
    size: int
    root: bytes
    newest_ms: int
    agencies: int
    pinned: bool
    checkpoints: tuple[Checkpoint, ...]


@dataclass(slots=True)
class _Walk:
    """State of the pass over the entries."""

    size: int = 0
    time_ms: int = 0
    node_count: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)


def verify_log(
    reader: Reader,
    *,
    key: LogKey | None = None,
    outside: Sequence[Callable[[LogKey], Checkpoint]] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Verified:
    """Returns what holds of the whole log, in one state of the database; raises EvidenceError at the first fault.

    `key` is the log's key from a trusted place; without it the database's own word is taken. `outside` are sources of
    checkpoints kept elsewhere, each given the key to check the signature with. `progress` hears (entries done, size).
    Database errors of a file too damaged to read are raised as EvidenceError(STORE).
    """
    try:
        return reader.read(lambda tx: _verify(tx, key, outside, progress))
    except reader.database_errors as exc:
        raise EvidenceError(EvidenceReason.STORE, "the database cannot be read through to its end") from exc


def _verify(
    tx: Tx,
    key: LogKey | None,
    outside: Sequence[Callable[[LogKey], Checkpoint]],
    progress: Callable[[int, int], None] | None,
) -> Verified:
    tree = tree_state(tx)
    trusted = key or parse_vkey(tree.log_key)
    if tree.log_key != trusted.vkey():
        raise EvidenceError(EvidenceReason.ORIGIN, "the database holds the log of another origin or key")
    checkpoints = [parse_checkpoint(tree.note, trusted), *(source(trusted) for source in outside)]
    walk = _Walk()
    _walk_entries(tx, tree, walk, {checkpoint.size for checkpoint in checkpoints}, progress)
    _check_tree(tx, tree, walk)
    _check_agencies(tx, walk)
    for checkpoint in checkpoints:
        _check_covered(checkpoint, walk)
    return Verified(
        trusted.origin, walk.size, tree.root, walk.time_ms, len(walk.heads), key is not None, tuple(checkpoints)
    )


def _walk_entries(
    tx: Tx, tree: TreeState, walk: _Walk, wanted: set[int], progress: Callable[[int, int], None] | None
) -> None:
    stack: list[bytes] = []
    walk.roots[0] = merkle.EMPTY_ROOT
    while rows := tx.all(_PAGE_OF_ENTRIES, (walk.size, PAGE)):
        completed: list[tuple[int, int, bytes]] = []
        for row in rows:
            hashed = _check_row(row, walk)
            walk.time_ms = row[1]
            completed += merkle.extend(walk.size, stack, hashed)
            walk.size += 1
            if walk.size in wanted or walk.size == tree.size:
                walk.roots[walk.size] = merkle.fold(stack)
        check_nodes(tx, completed)
        walk.node_count += len(completed)
        if progress is not None:
            progress(walk.size, tree.size)
    if walk.size != tree.size:
        text = f"the tree has {tree.size} leaves but {walk.size} entries are stored"
        raise EvidenceError(EvidenceReason.GAP, text, index=min(walk.size, tree.size))
    if b"".join(stack) != tree.frontier:
        raise EvidenceError(EvidenceReason.NODE, "the stored frontier does not follow from the entries")


def check_nodes(tx: Tx, completed: list[tuple[int, int, bytes]]) -> None:
    """Holds if the database stores exactly these inner nodes; else raises EvidenceError(NODE)."""
    # What one page completes on one level are neighbors, so each level is one range.
    levels: dict[int, list[tuple[int, bytes]]] = {}
    for level, position, node in completed:
        levels.setdefault(level, []).append((position, node))
    for level, expected in levels.items():
        stored = dict(tx.all(_NODES, (level, expected[0][0], expected[-1][0])))
        for position, node in expected:
            if stored.get(position) != node:
                text = f"the tree's node at level {level}, position {position} is missing or not what the entries give"
                raise EvidenceError(EvidenceReason.NODE, text, index=position << level)


def _check_row(row: tuple[Any, ...], walk: _Walk) -> bytes:
    index, time_ms, stored, *_, requester, holder, asked, held = row
    if index != walk.size:
        raise EvidenceError(EvidenceReason.GAP, "the entry is missing", index=walk.size)
    check_stored(index, row[1:2] + row[3:])
    if time_ms < walk.time_ms:
        raise EvidenceError(EvidenceReason.TIME, "the entry is older than the one before it", index=index)
    hashed = merkle.leaf_hash(fmt.encode_leaf(time_ms, fmt.commitment(row[4])))
    if hashed != stored:
        raise EvidenceError(EvidenceReason.LEAF, "the entry does not hash to its leaf", index=index)
    if asked:
        _check_sequence(walk, requester, asked, hashed)
    if held:
        _check_sequence(walk, holder, held, hashed)
    return hashed


def _check_sequence(walk: _Walk, agency: str, seq: int, hashed: bytes) -> None:
    before = walk.heads.get(agency, (0, b""))[0]
    if seq != before + 1:
        text = f"agency {agency} has number {seq} after {before}"
        raise EvidenceError(EvidenceReason.SEQUENCE, text, index=walk.size)
    walk.heads[agency] = (seq, hashed)


def _check_tree(tx: Tx, tree: TreeState, walk: _Walk) -> None:
    if walk.roots[walk.size] != tree.root:
        raise EvidenceError(EvidenceReason.ROOT, "the stored root does not follow from the entries")
    if tree.time_ms < walk.time_ms:
        raise EvidenceError(EvidenceReason.TIME, "the tree is older than its newest entry")
    if tx.all(_NODE_COUNT)[0][0] != walk.node_count:
        raise EvidenceError(EvidenceReason.NODE, "the tree has nodes that belong to no entry")


def _check_agencies(tx: Tx, walk: _Walk) -> None:
    stored = {agency: (seq, hashed) for agency, seq, hashed in tx.all(_AGENCIES)}
    for agency in sorted({*stored, *walk.heads}, key=str):
        if stored.get(agency) != walk.heads.get(agency):
            raise EvidenceError(EvidenceReason.SEQUENCE, "an agency's newest number is not that of its newest entry")


def _check_covered(checkpoint: Checkpoint, walk: _Walk) -> None:
    if checkpoint.size > walk.size:
        text = f"entries are missing at the end: {checkpoint.size} were signed for, {walk.size} are stored"
        raise EvidenceError(EvidenceReason.ROLLBACK, text, index=walk.size)
    if walk.roots[checkpoint.size] != checkpoint.root:
        text = f"the log signed another history of its first {checkpoint.size} entries"
        raise EvidenceError(EvidenceReason.CONSISTENCY, text)
