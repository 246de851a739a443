"""A store that was put back to an older state becomes, from a mirror, what it was: the same tree, nothing signed anew.

Decides what is believed. The mirror's published form must lead to its checkpoint, which the log signed; its sealed
entries must lead to the same root; whatever is known to have been signed (the high-water record, what is published,
what a witness holds) must be part of it; and what the store still has must be its beginning. Then, in one transaction,
the missing entries, the nodes, the agencies' numbers and the tables that change with them are there. Those must hold
together with the entries: a mirror's that were made from edited ones do not replace what may be less damaged. A store
with entries of its own after the point it was put back to is refused: that is another history, and not ours to merge.
What does not hold of the mirror is said of the mirror; of the store only what a mirror that holds shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import MetaData, bindparam, insert, update

from audit import merkle
from audit.checkpoint import Checkpoint, LogSigner
from audit.entry import StoredEntry, check_entry
from audit.errors import EvidenceError, EvidenceReason
from audit.mirror import MirrorKey, mirrored_entries, named, restore_mirrored_tables
from audit.published import verify_published
from audit.reader import TreeState, row_of, tree_state
from audit.source import DirectorySource
from audit.statement import Params, Statement, upsert
from audit.store import Store
from audit.tables import AGENCY, NODE, TREE
from audit.transaction import Tx

_INSERT_NODE: Final = Statement(insert(NODE))
_SET_AGENCY: Final = upsert(AGENCY, "agency")
_SET_TREE: Final = Statement(
    update(TREE)
    .where(TREE.c.id == 1)
    .values(
        size=bindparam("new_size"),
        root=bindparam("new_root"),
        frontier=bindparam("new_frontier"),
        time_ms=bindparam("new_time"),
        note=bindparam("new_note"),
    ),
    "new_size", "new_root", "new_frontier", "new_time", "new_note",
)  # fmt: skip
_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class Healed:
    """From how many entries to how many."""

    size: int
    healed_size: int


def heal(
    store: Store,
    mirror: Path,
    *,
    signer: LogSigner,
    key: MirrorKey,
    known: Sequence[Checkpoint],
    also: Sequence[MetaData],
    check_tables: Callable[[Tx], None],
) -> Healed:
    """The store holds what the mirror does. `known` are checkpoints that must be part of it, verified already.

    `check_tables` raises EvidenceError where tables are not what entries say. Raises EvidenceError, and then nothing
    has changed. The caller must be the only one who writes.
    """
    with named(mirror):
        head = verify_published(DirectorySource(mirror), key=signer.public, outside=known).checkpoint
    connection = store.connect()
    try:
        tx = Tx(connection.cursor(), store.dialect)
        store.begin(tx)
        tree = tree_state(tx)
        if tree.log_key != signer.public.vkey():
            raise EvidenceError(EvidenceReason.ORIGIN, "the database holds the log of another origin or key")
        if tree.size > head.size:
            text = f"the mirror ends at {head.size} entries, the store has {tree.size}: it has no tables of that size"
            raise EvidenceError(EvidenceReason.ROLLBACK, text)
        _grow(store, tx, tree, mirror, key, head, note=signer.sign(head.size, head.root))
        with named(mirror):
            restore_mirrored_tables(tx, mirror, key, head.size, also=also)
            check_tables(tx)
        tx.command("COMMIT")
        store.settle(connection)
    except store.database_errors as exc:
        raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be written") from exc
    finally:
        connection.close()
    return Healed(tree.size, head.size)


def _grow(store: Store, tx: Tx, tree: TreeState, mirror: Path, key: MirrorKey, head: Checkpoint, *, note: str) -> None:
    walk = _Walk(tree)
    with named(mirror):
        for entry in mirrored_entries(mirror, key, head.size):
            walk.add(entry)
            if len(walk.entries) >= _BATCH:
                walk.write(store, tx)
        walk.write(store, tx)
        root = merkle.fold(walk.stack)
        if root != head.root:
            raise EvidenceError(EvidenceReason.ROOT, "the mirror's sealed entries do not lead to its checkpoint")
    if not walk.has_prefix:
        raise EvidenceError(EvidenceReason.CONSISTENCY, "the store has entries that the mirror does not have")
    if walk.heads:
        tx.many(_SET_AGENCY, [(agency, seq, hashed) for agency, (seq, hashed) in sorted(walk.heads.items())])
    tx.run(_SET_TREE, (walk.size, root, b"".join(walk.stack), max(walk.time_ms, tree.time_ms), note))


class _Walk:
    """The tree over the mirror's entries; what the store lacks of it waits to be written."""

    def __init__(self, tree: TreeState) -> None:
        self._tree = tree
        self.size = 0
        self.time_ms = 0
        self.stack: list[bytes] = []
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.entries: list[Params] = []
        self.nodes: list[Params] = []
        self.has_prefix = self._follows()
        """Whether what the store still has is how the mirror's entries begin, as far as they were walked. Said of the
        store only once they led to what was signed: whose fault another beginning is, is not known before.
        """

    def add(self, entry: StoredEntry) -> None:
        """The entry is the last leaf. Raises EvidenceError where it does not hold."""
        check_entry(entry)
        if entry.time_ms < self.time_ms:
            raise EvidenceError(EvidenceReason.TIME, "the entry is older than the one before it", index=entry.index)
        hashed = merkle.leaf_hash(entry.leaf)
        completed: list[Any] = list(merkle.extend(self.size, self.stack, hashed))
        if self.size >= self._tree.size:
            self.entries.append(row_of(entry, hashed))
            self.nodes += completed
        for agency, seq in ((entry.requester, entry.requester_seq), (entry.holder, entry.holder_seq)):
            if seq:
                self.heads[agency] = (seq, hashed)
        self.size, self.time_ms = self.size + 1, entry.time_ms
        self.has_prefix &= self._follows()

    def write(self, store: Store, tx: Tx) -> None:
        """What waited is in the transaction."""
        if self.entries:
            store.insert_entries(tx, self.entries)
        if self.nodes:
            tx.many(_INSERT_NODE, self.nodes)
        self.entries, self.nodes = [], []

    def _follows(self) -> bool:
        return self.size != self._tree.size or merkle.fold(self.stack) == self._tree.root
