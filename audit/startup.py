"""Making a log, and what must hold before one is written to again.

A log is made only when somebody asks for it, never because a file is missing. Before the first append after a start:
the entries are complete, the newest of them hash to what is stored, the frontier and the root follow from the stored
nodes, and neither the last stored checkpoint nor the high-water record knows a longer or a different log. A database
that is behind its own signature was restored from a backup; it is refused and not repaired. `homeward verify`
recomputes everything; a start looks only at what the next append builds on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import MetaData, bindparam, func, insert, select

from audit import merkle
from audit.checkpoint import Checkpoint, LogKey, LogSigner, parse_checkpoint
from audit.entry import check_entry
from audit.errors import EvidenceError, EvidenceReason, LogBehind
from audit.highwater import HighWater, read_high_water
from audit.reader import TreeState, entry_of, read_nodes, root_at, tree_state
from audit.statement import Statement
from audit.store import Store
from audit.tables import ENTRY, METADATA, TREE
from audit.transaction import Tx

_INSERT_TREE = Statement(insert(TREE))
_SPAN = Statement(select(func.count(), func.min(ENTRY.c.idx), func.max(ENTRY.c.idx)).select_from(ENTRY))
_NEWEST = Statement(select(ENTRY).where(ENTRY.c.idx >= bindparam("start")).order_by(ENTRY.c.idx))
RECHECKED = 256


def create_log(store: Store, *, signer: LogSigner, high_water: Path, also: Sequence[MetaData] = ()) -> None:
    """An empty log exists, with its high-water record and with the tables of `also` in the same database.

    Raises EvidenceError(STORE) if there was a log or a record.
    """
    # First, so that a record left over from another log does not leave half a log behind.
    if high_water.exists():
        raise EvidenceError(EvidenceReason.STORE, "there is already a high-water record of a log")
    HighWater(high_water).create(create_empty(store, signer=signer, also=also))


def create_empty(store: Store, *, signer: LogSigner, also: Sequence[MetaData] = ()) -> str:
    """A database without an entry exists; returns the note over it. Of a log that has a record it is one put back.

    Raises EvidenceError(STORE) if there was one.
    """
    store.create(METADATA, *also)
    note = signer.sign(0, merkle.EMPTY_ROOT)
    connection = store.connect()
    tx = Tx(connection.cursor(), store.dialect)
    store.begin(tx)
    tx.run(_INSERT_TREE, (1, signer.public.vkey(), 0, merkle.EMPTY_ROOT, b"", 0, note))
    tx.command("COMMIT")
    connection.close()
    return note


def check_start(tx: Tx, *, key: LogKey, high_water: Path, known: Sequence[Checkpoint] = ()) -> TreeState:
    """Returns the state from which the log may go on; raises EvidenceError if it must not.

    `known` are checkpoints of the log that others keep. Sound in itself but behind any of them, it raises LogBehind.
    """
    tree = tree_state(tx)
    if tree.log_key != key.vkey():
        raise EvidenceError(EvidenceReason.ORIGIN, "the database holds the log of another origin or key")
    count, first, last = tx.all(_SPAN)[0]
    if count != tree.size or (count and (first, last) != (0, count - 1)):
        raise EvidenceError(EvidenceReason.GAP, f"the tree has {tree.size} leaves but {count} entries are stored")
    _check_newest(tx, tree.size)
    plan = merkle.frontier_plan(tree.size)
    nodes = read_nodes(tx, plan)
    frontier = [nodes[coordinate] for coordinate in plan]
    if b"".join(frontier) != tree.frontier or merkle.fold(frontier) != tree.root:
        raise EvidenceError(EvidenceReason.ROOT, "the stored root does not follow from the stored nodes")
    own = parse_checkpoint(tree.note, key)
    if own.size > tree.size:
        # Not a backup: its note would be as old as its entries. Somebody took entries out.
        raise EvidenceError(EvidenceReason.ROLLBACK, "entries are missing: the store's own checkpoint covers more")
    check_covers(tx, tree, own, "last checkpoint")
    outside = [(checkpoint, "checkpoint kept elsewhere") for checkpoint in known]
    outside.append((read_high_water(high_water, key), "high-water record"))
    # Largest last: what the store has of the others must be theirs before it counts as merely old.
    for checkpoint, name in sorted(outside, key=lambda each: (each[0].size > tree.size, -each[0].size)):
        check_covers(tx, tree, checkpoint, name)
    return tree


def check_covers(tx: Tx, tree: TreeState, checkpoint: Checkpoint, name: str) -> None:
    """Holds if the stored tree begins with what was signed. Raises LogBehind, or EvidenceError(CONSISTENCY)."""
    if checkpoint.size > tree.size:
        text = f"entries are missing: the {name} covers {checkpoint.size}, the store has {tree.size}"
        raise LogBehind(text, size=tree.size, known_size=checkpoint.size)
    if root_at(tx, checkpoint.size) != checkpoint.root:
        raise EvidenceError(EvidenceReason.CONSISTENCY, f"the {name} signed another history of the log")


def _check_newest(tx: Tx, size: int) -> None:
    for row in tx.all(_NEWEST, (max(0, size - RECHECKED),)):
        entry = entry_of(row)
        check_entry(entry)
        if merkle.leaf_hash(entry.leaf) != row[2]:
            raise EvidenceError(EvidenceReason.LEAF, "an entry does not hash to its leaf", index=entry.index)
