"""Stored rows become tiles: every new row is checked, hashed again and led upward along the right edge of the tree.

Decides what is looked at in a row and in the nodes above it: a row is checked against its own digests, hashed again and
compared with the stored leaf hash; every inner node is derived here and compared with the stored one; upper tiles come
from what was derived. Needs no key and writes nothing, so another process may do it (`Derive`); that the root is the
tree's own is compared by whoever signs it (publish.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import and_, bindparam, select

from audit import merkle
from audit.entry import check_entry
from audit.errors import EvidenceError, EvidenceReason
from audit.reader import Reader, entry_of
from audit.statement import Statement
from audit.tables import ENTRY
from audit.tiles import Edge, Tile
from audit.transaction import Tx
from audit.verify import check_nodes

_PAGE: Final = 1000
_ROWS: Final = Statement(
    select(ENTRY).where(and_(ENTRY.c.idx >= bindparam("start"), ENTRY.c.idx < bindparam("end"))).order_by(ENTRY.c.idx),
    "start", "end",
)  # fmt: skip
_TIME_AT: Final = Statement(select(ENTRY.c.time_ms).where(ENTRY.c.idx == bindparam("position")))
Files = list[tuple[Tile, bytes]]
"""Tiles with their bytes."""


class Derive(Protocol):
    """`derive` with these arguments, wherever it is done."""

    def __call__(self, reader: Reader, edge: Edge, size: int) -> tuple[Edge, Files]:
        """As `derive`. Blocks."""


def derive(reader: Reader, edge: Edge, size: int) -> tuple[Edge, Files]:
    """Returns the edge of the tree of `size` leaves, grown from this one, and the tiles that were filled on the way.

    Raises EvidenceError where the rows between do not hold together.
    """
    grown = edge.copy()
    files: Files = []
    while grown.size < size:
        end = min(size, grown.size + _PAGE)
        with reader.snapshot() as tx:
            _extend(tx, grown, end, files)
    return grown, files


def _extend(tx: Tx, edge: Edge, end: int, files: Files) -> None:
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
