"""Reading the log: entries by position, agency, kind or youth mark, and proofs. Never makes the writer wait.

Decides paging (by index, ascending) and what one read sees: everything inside one `Reader.read` is one state of the
database. What it returns was stored by whoever could write the database: `check_entry`, openings and proofs say whether
it is evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Dialect, and_, bindparam, literal_column, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import ClauseElement

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
_AGENCIES = Statement(select(AGENCY.c.agency).order_by(AGENCY.c.agency))
_GLANCE = (_E.idx, _E.requester, _E.holder, _E.kind, _E.nonce, _E.box_op, _E.box_req)
_GLANCES = Statement(
    select(*_GLANCE).where(_E.idx >= bindparam("start")).order_by(_E.idx).limit(bindparam("page")), "start", "page"
)
_BY_INDEX = Statement(select(ENTRY).where(_E.idx == bindparam("position")))
_TIME_AT = Statement(select(_E.time_ms).where(_E.idx == bindparam("position")))


def _by_tag(dialect: Dialect) -> ClauseElement:
    # The condition of the partial index word for word, as a literal: a bound value would hide it from the planner of
    # SQLite, and every mark would cost a walk over the whole log.
    nothing: ColumnElement[bytes] = literal_column("x''" if dialect.name == "sqlite" else r"'\x'::bytea")
    return select(ENTRY).where(and_(_E.tag == bindparam("mark"), _E.tag != nothing))


_BY_TAG = Statement(_by_tag, "mark")


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

    def apart(self) -> Reader:
        """Returns another reader of the same store, with a connection of its own."""
        return Reader(self._store)

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


def agencies_of(tx: Tx) -> tuple[str, ...]:
    """Returns the agencies that have entries of their own."""
    return tuple(agency for (agency,) in tx.all(_AGENCIES))


def survey(reader: Reader, work: Callable[[Tx], Result]) -> Result:
    """As `Reader.read`, for work over a whole table: on a connection of its own, so that no other read waits for it."""
    own = reader.apart()
    try:
        return own.read(work)
    finally:
        own.close()


def entry_of(row: Sequence[Any]) -> StoredEntry:
    """Returns the entry in a row of log_entry, all columns in their order."""
    index, time_ms, _, nonce, digests, op, req, hold, youth, *rest = row
    return StoredEntry(index, time_ms, nonce, digests, (op, req, hold, youth), *rest)


def row_of(entry: StoredEntry, hashed: bytes) -> Params:
    """Returns the row of log_entry for this entry, all columns in their order; the reverse of `entry_of`."""
    return (
        entry.index, entry.time_ms, hashed, entry.nonce, entry.digests, *entry.boxes, entry.tag, entry.kind,
        entry.requester, entry.holder, entry.requester_seq, entry.holder_seq,
    )  # fmt: skip


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
    """Returns the first `limit` (at most 1000) selected entries in the order of the log.

    Takes about as long for a log of a million entries as for a small one: times become positions, each seat of an
    agency is a range of an index that holds the conditions, and whole rows are read only of what is returned.
    """
    start, end = positions(tx, selection)
    wanted = min(limit, MAX_PAGE)
    found: set[int] = set()
    for seat in seats(selection):
        for kinds in _kinds(seat, selection.kinds):
            statement, values = _seat_query(seat, kinds)
            found.update(row[0] for row in tx.all(statement, (*values, start, end, wanted)))
    return [*entries_at(tx, sorted(found)[:wanted])]


def includes(wanted: Selection, entry: StoredEntry) -> bool:
    """Whether an entry found by other means is selected too."""
    taken = [
        (asking in (None, entry.requester)) and (holding in (None, entry.holder)) for asking, holding in seats(wanted)
    ]
    return (
        any(taken)
        and (not wanted.kinds or entry.kind in wanted.kinds)
        and wanted.start <= entry.index
        and (wanted.end is None or entry.index < wanted.end)
        and (wanted.start_ms is None or wanted.start_ms <= entry.time_ms)
        and (wanted.end_ms is None or entry.time_ms < wanted.end_ms)
    )


@dataclass(frozen=True, slots=True)
class Glance:
    """As much of an entry as a search looks at first."""

    index: int
    requester: str
    holder: str
    kind: str
    nonce: bytes = field(repr=False)
    op: bytes = field(repr=False)
    """Box of class OP."""
    req: bytes = field(repr=False)
    """Box of class REQ."""


def select_glances(tx: Tx, selection: Selection, *, limit: int = MAX_PAGE) -> list[Glance]:
    """Returns a glance at each of the first `limit` selected entries, in the order of the log."""
    start, end = positions(tx, selection)
    found: dict[int, Glance] = {}
    for seat in seats(selection):
        for kinds in _kinds(seat, selection.kinds):
            statement, values = _seat_query(seat, kinds, with_box=True)
            found |= {row[0]: Glance(*row) for row in tx.all(statement, (*values, start, end, limit))}
    return [found[index] for index in sorted(found)[:limit]]


def glances(tx: Tx, start: int, *, limit: int = MAX_PAGE) -> list[Glance]:
    """Returns a glance at each of the first `limit` entries from this index on, in the order of the log."""
    return [Glance(*row) for row in tx.all(_GLANCES, (start, limit))]


def entries_at(tx: Tx, indexes: Iterable[int]) -> tuple[StoredEntry, ...]:
    """Returns the entries at these indexes, in the order given."""
    return tuple(entry_of(row) for index in indexes for row in tx.all(_BY_INDEX, (index,)))


def positions(tx: Tx, wanted: Selection) -> tuple[int, int]:
    """Returns between which indexes (the second exclusive) the entries of a selection lie, its times among them."""
    # Times never go back, so each is found by halving; an index over them would cost every append.
    size = tree_state(tx).size
    start, end = max(wanted.start, 0), size if wanted.end is None else min(wanted.end, size)
    if wanted.start_ms is not None:
        start = max(start, _first_at(tx, wanted.start_ms, size))
    if wanted.end_ms is not None:
        end = min(end, _first_at(tx, wanted.end_ms, size))
    return start, end


def _first_at(tx: Tx, time_ms: int, size: int) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        row = tx.one(_TIME_AT, (middle,))
        if row is None:
            raise EvidenceError(EvidenceReason.GAP, "the entry is missing", index=middle)
        low, high = (middle + 1, high) if row[0] < time_ms else (low, middle)
    return low


Seat = tuple[str | None, str | None]
"""Who asked and who holds, as far as it is a condition."""


def seats(wanted: Selection) -> list[Seat]:
    """Returns the ways in which an entry can meet the conditions on agencies; one is enough."""
    asking, holding = (wanted.agency, wanted.counterpart), (wanted.counterpart, wanted.agency)
    if wanted.side is Side.REQUESTER:
        return [asking]
    if wanted.side is Side.HOLDER:
        return [holding]
    return [asking] if asking == holding else [asking, holding]


def _kinds(seat: Seat, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
    # Of everybody's entries each kind is a range of its own; of an agency's they are a condition within one.
    return [(kind,) for kind in kinds] if seat == (None, None) and kinds else [kinds]


@lru_cache(maxsize=256)
def _seat_statement(asks: bool, holds: bool, kinds: int, *, with_box: bool = False) -> Statement:
    conditions: list[ColumnElement[bool]] = []
    names: list[str] = []
    for given, name, column in ((asks, "asking", _E.requester), (holds, "holding", _E.holder)):
        if given:
            conditions.append(column == bindparam(name))
            names.append(name)
    if kinds:
        named = [f"kind_{at}" for at in range(kinds)]
        conditions.append(or_(*(_E.kind == bindparam(name) for name in named)))
        names += named
    within = (_E.idx >= bindparam("start"), _E.idx < bindparam("end"))
    columns = _GLANCE if with_box else (_E.idx,)
    query = select(*columns).where(*conditions, *within).order_by(_E.idx).limit(bindparam("page"))
    return Statement(query, *names, "start", "end", "page")


def _seat_query(seat: Seat, kinds: tuple[str, ...], *, with_box: bool = False) -> tuple[Statement, tuple[str, ...]]:
    asking, holding = seat
    values = tuple(value for value in (*seat, *kinds) if value is not None)
    return _seat_statement(asking is not None, holding is not None, len(kinds), with_box=with_box), values


def _proof(tx: Tx, plan: merkle.Plan) -> tuple[bytes, ...]:
    return merkle.assemble(plan, read_nodes(tx, sorted(merkle.needed(plan))))
