"""Reading the log: entries by position, agency, kind or youth mark, and proofs. Never makes the writer wait.

Decides paging (by index, ascending) and what one read sees: everything inside one `Reader.read` is one state of the
database. What it returns was stored by whoever could write the database: `check_entry`, openings and proofs say whether
it is evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.sql.elements import ColumnElement

from audit import merkle
from audit.entry import StoredEntry
from audit.errors import EvidenceError, EvidenceReason
from audit.statement import Params, Statement
from audit.store import Store
from audit.tables import AGENCY, ENTRY, NODE, TREE
from audit.transaction import Tx

Result = TypeVar("Result")
MAX_PAGE = 1000

_E = ENTRY.c
_LEAF_HASH = Statement(select(_E.leaf_hash).where(_E.idx == bindparam("position")))
_NODE_HASH = Statement(
    select(NODE.c.hash).where(and_(NODE.c.level == bindparam("at_level"), NODE.c.position == bindparam("at_position"))),
    "at_level",
    "at_position",
)
_TREE = Statement(select(TREE.c.log_key, TREE.c.size, TREE.c.root, TREE.c.frontier, TREE.c.time_ms, TREE.c.note))
_AGENCY = Statement(select(AGENCY.c.seq, AGENCY.c.leaf_hash).where(AGENCY.c.agency == bindparam("agency_id")))
_BY_TAG = Statement(select(ENTRY).where(and_(_E.tag == bindparam("mark"), _E.tag != b"")))


class Side(Enum):
    """The side on which an agency takes part in an entry."""

    EITHER = "either"
    REQUESTER = "requester"
    HOLDER = "holder"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries are wanted: all conditions that are given must hold.

    `start` and `end` are indexes (end exclusive), the times milliseconds since 1970 (end exclusive). `side` is the side
    of `agency`; `counterpart` is on the other one.
    """

    agency: str | None = None
    side: Side = Side.EITHER
    counterpart: str | None = None
    kinds: tuple[str, ...] = ()
    start: int = 0
    end: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class TreeState:
    """The tree's own row: unverified, as everything a reader returns."""

    log_key: str
    size: int
    root: bytes
    frontier: bytes
    time_ms: int
    note: str


class Reader:
    """Reads on a connection of its own that cannot change anything. Calls block; they may come from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.database_errors = store.database_errors
        self._connection = store.connect_reader()
        self._lock = threading.Lock()

    def read(self, work: Callable[[Tx], Result]) -> Result:
        """Returns what `work` makes of one state of the database; it may read others' tables in it too."""
        with self.snapshot() as tx:
            return work(tx)

    def all(self, statement: Statement, params: Params = ()) -> list[tuple[Any, ...]]:
        """Returns every row of one query; a query alone sees one state without a transaction around it."""
        with self._lock:
            tx = Tx(self._connection.cursor(), self._store.dialect)
            try:
                return tx.all(statement, params)
            finally:
                tx.cursor.close()

    @contextmanager
    def snapshot(self) -> Iterator[Tx]:
        """Within the context, every query sees one state."""
        with self._lock:
            tx = Tx(self._connection.cursor(), self._store.dialect)
            self._store.begin_read(tx)
            try:
                yield tx
            finally:
                tx.command("ROLLBACK")
                tx.cursor.close()

    def entries(self, selection: Selection, *, limit: int = MAX_PAGE) -> list[StoredEntry]:
        """Returns the first `limit` selected entries in the order of the log; the next page starts after the last."""
        return self.read(lambda tx: select_entries(tx, selection, limit=limit))

    def marked(self, tags: Iterable[bytes]) -> list[StoredEntry]:
        """Returns the entries that carry one of a youth's marks (entry.youth_tag), in the order given."""
        wanted = list(tags)
        return self.read(lambda tx: [entry_of(row) for tag in wanted for row in tx.all(_BY_TAG, (tag,))])

    def tree(self) -> TreeState:
        """Returns the tree's row."""
        return self.read(tree_state)

    def inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """Returns the inclusion proof of a leaf in the tree of its first `size` leaves.

        Raises ValueError unless 0 <= index < size, EvidenceError(NODE) if the log has fewer than `size` leaves.
        """
        return self.read(lambda tx: _proof(tx, merkle.inclusion_plan(index, size)))

    def consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """Returns the proof that the tree of `size` leaves begins with that of `old_size`; raises like `inclusion`."""
        return self.read(lambda tx: _proof(tx, merkle.consistency_plan(old_size, size)))

    def agency_head(self, agency: str) -> tuple[int, bytes]:
        """Returns the newest sequence number of an agency and the leaf hash of its entry; (0, zeros) if it has none."""
        row = self.read(lambda tx: tx.one(_AGENCY, (agency,)))
        return (row[0], row[1]) if row else (0, bytes(merkle.HASH_BYTES))

    def close(self) -> None:
        """The connection is closed."""
        with self._lock:
            self._connection.close()


def entry_of(row: Sequence[Any]) -> StoredEntry:
    """Returns the entry in a row of log_entry, all columns in their order."""
    index, time_ms, _, nonce, digests, op, req, hold, youth, *rest = row
    return StoredEntry(index, time_ms, nonce, digests, (op, req, hold, youth), *rest)


def tree_state(tx: Tx) -> TreeState:
    """Returns the tree's row. Raises EvidenceError(STORE) unless there is exactly one, with values of its types."""
    rows = tx.all(_TREE)
    if len(rows) != 1:
        raise EvidenceError(EvidenceReason.STORE, "the log does not have exactly one tree")
    # SQLite keeps whatever type it is given, so damage can turn a number into bytes.
    kinds = (str, int, bytes, bytes, int, str)
    if not all(isinstance(value, kind) for value, kind in zip(rows[0], kinds, strict=True)):
        raise EvidenceError(EvidenceReason.STORE, "the tree's row holds values of the wrong type")
    return TreeState(*rows[0])


def read_nodes(tx: Tx, coordinates: Iterable[merkle.Coordinate]) -> dict[merkle.Coordinate, bytes]:
    """Returns the stored hashes at these coordinates. Raises EvidenceError(NODE) if one is missing."""
    found: dict[merkle.Coordinate, bytes] = {}
    for level, position in coordinates:
        row = tx.one(_NODE_HASH, (level, position)) if level else tx.one(_LEAF_HASH, (position,))
        if row is None:
            raise EvidenceError(
                EvidenceReason.NODE, f"the tree's node at level {level}, position {position} is missing"
            )
        found[level, position] = row[0]
    return found


def root_at(tx: Tx, size: int) -> bytes:
    """Returns the root over the first `size` leaves, from stored nodes."""
    plan = merkle.frontier_plan(size)
    nodes = read_nodes(tx, plan)
    return merkle.fold([nodes[coordinate] for coordinate in plan])


def select_entries(tx: Tx, selection: Selection, *, limit: int = MAX_PAGE) -> list[StoredEntry]:
    """Returns the first `limit` (at most 1000) selected entries in the order of the log."""
    conditions, params = _conditions(selection)
    query = select(ENTRY).where(*conditions).order_by(_E.idx).limit(bindparam("page"))
    statement = Statement(query, *params, "page")
    rows = tx.all(statement, (*params.values(), min(limit, MAX_PAGE)))
    return [entry_of(row) for row in rows]


def _conditions(wanted: Selection) -> tuple[list[ColumnElement[bool]], dict[str, str | int]]:
    conditions: list[ColumnElement[bool]] = [_E.idx >= bindparam("start")]
    params: dict[str, str | int] = {"start": wanted.start}
    for name, limit, column in (("end", wanted.end, _E.idx), ("end_ms", wanted.end_ms, _E.time_ms)):
        if limit is not None:
            conditions.append(column < bindparam(name))
            params[name] = limit
    if wanted.start_ms is not None:
        conditions.append(_E.time_ms >= bindparam("start_ms"))
        params["start_ms"] = wanted.start_ms
    if wanted.kinds:
        named = {f"kind_{at}": kind for at, kind in enumerate(wanted.kinds)}
        conditions.append(or_(*(_E.kind == bindparam(name) for name in named)))
        params |= named
    sides = _sides(wanted, params)
    if sides is not None:
        conditions.append(sides)
    return conditions, params


def _sides(wanted: Selection, params: dict[str, str | int]) -> ColumnElement[bool] | None:
    if wanted.agency is None and wanted.counterpart is None:
        return None
    given = {"agency": wanted.agency, "counterpart": wanted.counterpart}
    params |= {name: value for name, value in given.items() if value is not None}

    def seated(asking: str, holding: str) -> ColumnElement[bool]:
        parts: list[ColumnElement[bool]] = []
        if asking in params:
            parts.append(_E.requester == bindparam(asking))
        if holding in params:
            parts.append(_E.holder == bindparam(holding))
        return and_(*parts)

    as_requester, as_holder = seated("agency", "counterpart"), seated("counterpart", "agency")
    if wanted.side is Side.REQUESTER:
        return as_requester
    return as_holder if wanted.side is Side.HOLDER else or_(as_requester, as_holder)


def _proof(tx: Tx, plan: merkle.Plan) -> tuple[bytes, ...]:
    return merkle.assemble(plan, read_nodes(tx, sorted(merkle.needed(plan))))
