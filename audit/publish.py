"""The publisher: stored rows become tiles, and a checkpoint is signed only over what was derived from them anew.

Decides what is checked before anything is signed (one flipped bit between hashing and storing ended the CT log Yeti
2022), and the order of publishing:

1. every new row is checked against its own digests, hashed again, and compared with the stored leaf hash;
2. every inner node is derived here and compared with the stored one; upper tiles come from what was derived;
3. root and frontier are compared with the tree's row; only then is a file written;
4. tiles and bundles are on disk before the checkpoint is signed, the checkpoint replaces the old one last.

Where anything differs, nothing is written or signed and EvidenceError says what. A file that is damaged is written
again, but only after the rows were shown to lead to the root that is already published: published evidence is never
overwritten with another history.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import and_, bindparam, select

from audit import merkle
from audit.checkpoint import Checkpoint, LogSigner, parse_checkpoint, parse_vkey
from audit.cosignature import Cosigner
from audit.entry import check_entry
from audit.errors import EvidenceError, EvidenceReason
from audit.failpoints import reach
from audit.files import PublishedFiles
from audit.note import KeyKind, Note, parse_note
from audit.reader import Reader, entry_of, root_at, tree_state
from audit.statement import Statement
from audit.tables import ENTRY
from audit.tiles import CHECKPOINT, Edge, Tile, TileNodes, parse_tile
from audit.transaction import Tx
from audit.verify import check_nodes

_PAGE: Final = 1000
_STEP: Final = 1 << 16
_KEY_FILE: Final = "log.vkey"
_COSIGNER_FILES: Final = {
    KeyKind.COSIGNATURE_ED25519: "log-cosignature.vkey",
    KeyKind.COSIGNATURE_MLDSA44: "log-mldsa44.vkey",
}
_ROWS: Final = Statement(
    select(ENTRY).where(and_(ENTRY.c.idx >= bindparam("start"), ENTRY.c.idx < bindparam("end"))).order_by(ENTRY.c.idx),
    "start", "end",
)  # fmt: skip
_TIME_AT: Final = Statement(select(ENTRY.c.time_ms).where(ENTRY.c.idx == bindparam("position")))
_Files = list[tuple[Tile, bytes]]
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A tree whose tiles are on disk, and the log's signature over it; witnesses may be asked now."""

    checkpoint: Checkpoint
    note: Note


class Publisher:
    """Publishes one log into one directory. Calls block and must not overlap; not thread-safe."""

    def __init__(
        self, reader: Reader, directory: Path, *, signer: LogSigner, cosigners: Sequence[Cosigner] = ()
    ) -> None:
        """`cosigners` are further keys of the log itself, such as one for ML-DSA-44; their lines carry no time."""
        self._reader = reader
        self._files = PublishedFiles(directory)
        self._signer = signer
        self._cosigners = tuple(cosigners)
        self._edge = Edge()
        self._full: set[str] = set()
        self.published: Prepared | None = None
        """What readers see, as it was prepared: without the cosignatures it got."""

    def open(self) -> None:
        """What is already published was checked against the rows and repaired; `prepare` may be called.

        Raises EvidenceError if the rows do not lead to what is published, OSError if the directory cannot be used.
        """
        self._files.open()
        self._check_owner()
        known = self.claimed()
        if known is not None:
            edge, damaged = self._again(known)
            if damaged:
                _logger.warning("published files were damaged and are written again", extra={"count": len(damaged)})
            for tile, data in damaged:
                self._files.write(tile.path, data)
            self._edge, self.published = edge, self._sign(known)
        self._write_keys()
        self._files.settle()

    def prepare(self, *, limit: int | None = None) -> Prepared | None:
        """Returns the signed checkpoint of the tree as it is stored now, with its tiles on disk; None if none is new.

        With a limit, the tree of the first so many entries.
        Raises EvidenceError if the rows do not hold together (nothing was signed or written), OSError if the disk
        refuses; both leave everything as it was published before.
        """
        size = self._reader.tree().size if limit is None else limit
        if self.published is not None and size == self.published.checkpoint.size and self._edge.size == size:
            return None
        while True:
            edge, files = self._derive(min(size, self._edge.size + _STEP))
            reach("publish.derived")
            self._write(files)
            self._full.update(tile.path for tile, _ in files)
            self._edge = edge
            if edge.size >= size:
                break
        self._write(edge.partial())
        self._files.settle()
        reach("publish.tiles")
        prepared = self._sign(Checkpoint(self._signer.public.origin, edge.size, edge.root()))
        reach("publish.signed")
        return prepared

    def publish(self, prepared: Prepared, note: Note) -> None:
        """The checkpoint is what readers see; `note` is the prepared one, with the cosignatures it got meanwhile."""
        reach("publish.checkpoint")
        self._files.write(CHECKPOINT, note.whole().encode())
        self._files.settle()
        reach("publish.published")
        self.published = prepared
        # Readers of the checkpoint before fall back to the full tile, as tlog-tiles allows.
        while self._full:
            self._files.remove_partials(self._full.pop())

    def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Returns the proof that the prepared tree of `size` leaves begins with that of `old_size`, from its tiles."""
        nodes = TileNodes(size, self._hashes)
        return nodes.proof(merkle.consistency_plan(old_size, size)) if old_size else ()

    def claimed(self) -> Checkpoint | None:
        """Returns the checkpoint that lies in the directory, if the log signed it; its tree was not looked at."""
        raw = self._files.read(CHECKPOINT)
        if raw is None:
            return None
        try:
            return parse_checkpoint(raw.decode("utf-8", "replace"), self._signer.public)
        except EvidenceError as fault:
            if fault.reason is EvidenceReason.ORIGIN:
                raise
            # A rollback behind this would be found by the high-water record at the start of the log.
            _logger.warning("published checkpoint was damaged and is written again")
            return None

    def close(self) -> None:
        """Another process may publish here."""
        self._files.close()

    def _check_owner(self) -> None:
        """What lies here is no other log's. Its checkpoint does not say so: that only looks damaged."""
        raw = self._files.read(_KEY_FILE)
        try:
            owner = parse_vkey(raw.decode("utf-8", "replace")) if raw is not None else self._signer.public
        except EvidenceError:
            # The key's id is a hash of it: what reads as a key is one, and anything else is damage and written again.
            return
        if owner.vkey() != self._signer.public.vkey():
            raise EvidenceError(EvidenceReason.ORIGIN, "another log is published in this directory")

    def _again(self, known: Checkpoint) -> tuple[Edge, _Files]:
        tree = self._reader.tree()
        if known.size > tree.size:
            raise EvidenceError(
                EvidenceReason.ROLLBACK,
                f"entries are missing: {known.size} are published, the store has {tree.size}",
                index=tree.size,
            )
        edge, damaged = Edge(), []
        while edge.size < known.size:
            edge, files = self._derive(min(known.size, edge.size + _STEP), edge)
            damaged += self._differing(files)
        damaged += self._differing(edge.partial())
        if edge.root() != known.root:
            raise EvidenceError(EvidenceReason.CONSISTENCY, "the published checkpoint is of another history of the log")
        return edge, damaged

    def _differing(self, files: Iterable[tuple[Tile, bytes]]) -> _Files:
        return [(tile, data) for tile, data in files if self._files.read(tile.path) != data]

    def _write(self, files: Iterable[tuple[Tile, bytes]]) -> None:
        for tile, data in self._differing(files):
            self._files.write(tile.path, data)

    def _derive(self, size: int, start: Edge | None = None) -> tuple[Edge, _Files]:
        edge = (start or self._edge).copy()
        files: _Files = []
        while edge.size < size:
            end = min(size, edge.size + _PAGE)
            with self._reader.snapshot() as tx:
                _extend(tx, edge, end, files)
        self._reader.read(lambda tx: _check_root(tx, edge))
        return edge, files

    def _sign(self, checkpoint: Checkpoint) -> Prepared:
        note = parse_note(self._signer.sign(checkpoint.size, checkpoint.root))
        # Time zero: the log says that this is its tree, not that it is its newest (tlog-cosignature).
        return Prepared(checkpoint, note.with_lines(tuple(each.sign(checkpoint, 0) for each in self._cosigners)))

    def _write_keys(self) -> None:
        keys = {_KEY_FILE: self._signer.public.vkey()}
        keys |= {_COSIGNER_FILES[each.public.kind]: each.public.vkey() for each in self._cosigners}
        for path, key in keys.items():
            if self._files.read(path) != f"{key}\n".encode():
                self._files.write(path, f"{key}\n".encode())

    def _hashes(self, tile: Tile) -> list[bytes]:
        data = self._files.read(tile.path) or self._files.read(tile.full.path)
        if data is None:
            raise EvidenceError(EvidenceReason.STORE, "a published tile is gone")
        return parse_tile(data, tile.width)


def _extend(tx: Tx, edge: Edge, end: int, files: _Files) -> None:
    completed: list[tuple[int, int, bytes]] = []
    before = tx.one(_TIME_AT, (edge.size - 1,))
    after_ms = before[0] if before is not None else 0
    rows = tx.all(_ROWS, (edge.size, end))
    if len(rows) != end - edge.size:
        raise EvidenceError(EvidenceReason.GAP, "the entry is missing", index=edge.size + len(rows))
    for row in rows:
        leaf = _checked_leaf(row, edge.size, after_ms)
        after_ms = row[1]
        completed += edge.add(leaf, row[2])
        files += edge.cut_full()
    check_nodes(tx, completed)


def _checked_leaf(row: Sequence[Any], index: int, after_ms: int) -> bytes:
    entry = entry_of(row)
    check_entry(entry)
    if entry.index != index or entry.time_ms < after_ms:
        raise EvidenceError(EvidenceReason.TIME, "the entry is out of order", index=index)
    leaf = entry.leaf
    if merkle.leaf_hash(leaf) != row[2]:
        raise EvidenceError(EvidenceReason.LEAF, "the entry does not hash to its leaf", index=index)
    return leaf


def _check_root(tx: Tx, edge: Edge) -> None:
    tree = tree_state(tx)
    whole = tree.size == edge.size
    if whole and b"".join(edge.stack) != tree.frontier:
        raise EvidenceError(EvidenceReason.NODE, "the stored frontier does not follow from the entries")
    if edge.root() != (tree.root if whole else root_at(tx, edge.size)):
        raise EvidenceError(EvidenceReason.ROOT, "the stored root does not follow from the entries")
