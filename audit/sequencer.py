"""One batch of the log: in one transaction, each entry gets its place, its rows and its node, or its refusal.

A batch is prepared and then committed. Preparing is the interpreter's work, committing the disk's.

Decides order and isolation. In order, for each entry: its guard sees what all entries before it asked for, but not
their leaves; then its rows and its projection. When all have asked, the leaves are made, in the same order. A first
attempt runs so, without savepoints, and groups rows; if anything an entry asked for fails, or a leaf cannot be made,
the transaction is rolled back and the batch runs again, each entry with its leaf within a savepoint of its own, so that
only the entry at fault fails. Guards and projections may therefore run twice and must act on the transaction only.

The rules that make a fork impossible: the tree's row is locked first, its update must hit the row it was read from, and
an exclusive store's tree must be the one this process left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, insert, select, update

from audit import merkle
from audit.entry import BuiltEntry, ClassKeys, Draft, Field, FieldClass, Place, build_entry
from audit.errors import EvidenceError, EvidenceReason, LogStops, StopReason
from audit.failpoints import reach
from audit.hot_value import hot_value
from audit.reader import row_of
from audit.statement import Params, Statement, upsert
from audit.store import Store
from audit.tables import AGENCY, NODE, TREE
from audit.transaction import Seek, Tx, read_ahead

INDEX: Final = object()
"""Stands in the values of `Append.rows` for the index that the entry will get."""

LOCK_TREE = Statement(
    select(TREE.c.size, TREE.c.root, TREE.c.frontier, TREE.c.time_ms)
    .where(TREE.c.id == bindparam("one"))
    .with_for_update()
)
_ADVANCE = Statement(
    update(TREE)
    .where(and_(TREE.c.id == 1, TREE.c.size == bindparam("old_size"), TREE.c.root == bindparam("old_root")))
    .values(
        size=bindparam("new_size"),
        root=bindparam("new_root"),
        frontier=bindparam("new_frontier"),
        time_ms=bindparam("new_time"),
        note=bindparam("new_note"),
    ),
    "new_size", "new_root", "new_frontier", "new_time", "new_note", "old_size", "old_root",
)  # fmt: skip
_INSERT_NODE = Statement(insert(NODE))
_AGENCY_HEAD = Statement(select(AGENCY.c.seq, AGENCY.c.leaf_hash).where(AGENCY.c.agency == bindparam("agency")))
_SET_AGENCY = upsert(AGENCY, "agency")
_NO_ENTRY = (0, bytes(merkle.HASH_BYTES))


@hot_value
class Append:
    """What is to be written in one step: an entry and everything that must change with it, or not at all.

    `guard` runs first, in the order of the log; if it returns a draft, that one is written instead and nothing else
    happens. `rows` are statements with their values, where INDEX stands for the entry's index; `apply` is for what must
    read before it writes, `says`, which writes likewise and returns the entry's annex (`build_entry`), for rows that
    the entry must name. All see and change the same transaction as the log, and none may rely on deferred constraints
    or on the log's own rows of the same batch. `then` happens once all this is durable, on the event loop, whoever
    still waits for it; it must not raise.

    `guard` and `says` find rows by their keys and may run on the event loop. `apply` may walk over a table and does
    not, unless `is_brief` says that it is content with rows by key, too.
    """

    draft: Draft
    guard: Callable[[Tx], Draft | None] | None = None
    rows: tuple[tuple[Statement, Params], ...] = ()
    apply: Callable[[Tx, int], None] | None = None
    says: Callable[[Tx, int], bytes] | None = None
    then: Callable[[], None] | None = None
    is_brief: bool = False
    seeks: tuple[Seek, ...] = ()
    """What the guard will look for: read once for a batch."""

    @property
    def may_be_long(self) -> bool:
        """Whether other calls must not wait for it."""
        return self.apply is not None and not self.is_brief


@hot_value
class Written:
    """One entry that is in the log. `guarded` is true if it is the refusal that the guard asked for."""

    built: BuiltEntry
    guarded: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of each append, in order, and the state of the log afterwards.

    `nodes` has every hash from which the new entries' inclusion proofs are made.
    """

    outcomes: tuple[Written | Exception, ...]
    size: int
    root: bytes
    nodes: dict[merkle.Coordinate, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose transaction is complete but for its COMMIT. `tx` is None when there is nothing to commit."""

    batch: Batch
    tx: Tx | None = field(repr=False)


class _Asked(NamedTuple):
    """What is to be written, once what it asked for is done or announced."""

    draft: Draft
    annex: bytes
    guarded: bool


class _Blame(Exception):
    """The attempt failed because of what some entry asked for; which one is not known."""


class _Tree:
    """The tree's state inside one transaction, and what has to be stored of it."""

    def __init__(self, size: int, root: bytes, frontier: bytes, time_ms: int) -> None:
        self.old_size, self.old_root = size, root
        self.size, self.time_ms = size, time_ms
        width = merkle.HASH_BYTES
        self.stack = [frontier[at : at + width] for at in range(0, len(frontier), width)]
        self.nodes = dict(zip(merkle.frontier_plan(size), self.stack, strict=True))
        self.entry_rows: list[Params] = []
        self.node_rows: list[Params] = []
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.advanced: set[str] = set()

    def add(self, built: BuiltEntry) -> bytes:
        """The entry is the last leaf; returns its hash."""
        hashed = merkle.leaf_hash(built.leaf)
        completed = merkle.extend(self.size, self.stack, hashed)
        self.nodes[0, self.size] = hashed
        for level, position, node in completed:
            self.nodes[level, position] = node
        self.node_rows += completed
        self.size += 1
        self.entry_rows.append(row_of(built.entry, hashed))
        return hashed


class Sequencer:
    """Writes batches on one connection: each is prepared, then committed. One thread at a time may use it.

    After an exception from any method it must not be used again.
    """

    def __init__(
        self,
        store: Store,
        connection: Any,
        *,
        keys: ClassKeys,
        random_bytes: Callable[[int], bytes],
        known: tuple[int, bytes],
    ) -> None:
        self._store = store
        self._cursor = connection.cursor()
        self._keys = keys
        self._random_bytes = random_bytes
        self._known = known

    def prepare(self, appends: Sequence[Append], *, time_ms: int, note: str) -> Prepared:
        """Everything of the batch is in an open transaction. `note` is the newest signed checkpoint.

        Raises the store's database errors, or EvidenceError, if the log must stop.
        """
        try:
            return self._attempt(appends, time_ms=time_ms, note=note, careful=False)
        except _Blame:
            self._transaction().command("ROLLBACK")
        return self._attempt(appends, time_ms=time_ms, note=note, careful=True)

    def commit(self, prepared: Prepared) -> None:
        """The batch is durable. Raises the store's database errors if it may not be."""
        if prepared.tx is not None:
            reach("append.prepared")
            prepared.tx.command("COMMIT")
            reach("append.committed")
            self._known = (prepared.batch.size, prepared.batch.root)

    def keep_note(self, note: str) -> None:
        """The newest note is stored although no entry follows it."""
        tx = self._transaction()
        self._store.begin(tx)
        tree = self._lock(tx, 0)
        root = self._finish(tx, tree, note)
        self.commit(Prepared(Batch((), tree.size, root, {}), tx))

    def _transaction(self) -> Tx:
        return Tx(self._cursor, self._store.dialect)

    def _attempt(self, appends: Sequence[Append], *, time_ms: int, note: str, careful: bool) -> Prepared:
        tx = self._transaction()
        self._store.begin(tx)
        tree = self._lock(tx, time_ms)
        reach("append.begin")
        read_ahead(tx, (each for append in appends for each in append.seeks))
        if careful:
            outcomes = tuple([self._one_carefully(tx, tree, append) for append in appends])
        else:
            outcomes = self._together(tx, tree, appends)
        try:
            tx.flush()
        except self._store.database_errors as exc:
            raise self._blame(exc) from exc
        if tree.size == tree.old_size:
            tx.command("ROLLBACK")
            return Prepared(Batch(outcomes, tree.size, tree.old_root, {}), None)
        root = self._finish(tx, tree, note)
        return Prepared(Batch(outcomes, tree.size, root, tree.nodes), tx)

    def _lock(self, tx: Tx, time_ms: int) -> _Tree:
        row = tx.one(LOCK_TREE, (1,))
        if row is None:
            raise EvidenceError(EvidenceReason.STORE, "the log has no tree")
        size, root, frontier, last_ms = row
        if self._store.exclusive and (size, root) != self._known:
            raise LogStops(StopReason.MOVED, EvidenceReason.STORE, "somebody else has written to the log")
        return _Tree(size, root, frontier, max(time_ms, last_ms))

    def _finish(self, tx: Tx, tree: _Tree, note: str) -> bytes:
        root = merkle.fold(tree.stack)
        self._store.insert_entries(tx, tree.entry_rows)
        if tree.node_rows:
            tx.many(_INSERT_NODE, tree.node_rows)
        if tree.advanced:
            tx.many(_SET_AGENCY, [(agency, *tree.heads[agency]) for agency in sorted(tree.advanced)])
        frontier = b"".join(tree.stack)
        state = (tree.size, root, frontier, tree.time_ms, note, tree.old_size, tree.old_root)
        if tx.run(_ADVANCE, state) != 1:
            raise LogStops(StopReason.MOVED, EvidenceReason.STORE, "the tree moved while it was locked")
        return root

    def _together(self, tx: Tx, tree: _Tree, appends: Sequence[Append]) -> tuple[Written | Exception, ...]:
        """Two steps, each for all: what the entries ask for, then the entries. Both at once for each would take a
        quarter longer, because what the one touches and what the other does not fit the processor's caches."""
        index, asked = tree.size, list[_Asked | Exception]()
        for append in appends:
            one = self._one(tx, index, append)
            asked.append(one)
            # An entry that is refused by raising takes no place: the second step gives the same indices.
            index += not isinstance(one, Exception)
        try:
            outcomes: list[Written | Exception] = []
            for each in asked:
                if isinstance(each, _Asked):
                    outcomes.append(Written(self._place(tx, tree, each.draft, each.annex), each.guarded))
                else:
                    outcomes.append(each)
            return tuple(outcomes)
        except self._store.database_errors as exc:
            raise self._blame(exc) from exc
        # Whatever it is: the second attempt finds out whose leaf it was.
        except Exception as exc:
            raise _Blame from exc

    def _one(self, tx: Tx, index: int, append: Append) -> _Asked | Exception:
        before = tx.effect_count
        try:
            return _ask(tx, index, append)
        except self._store.database_errors as exc:
            raise self._blame(exc) from exc
        # A guard or projection is the caller's code and may raise anything; it goes to that caller, and to no other.
        except Exception as exc:
            if tx.effect_count != before:
                raise _Blame from exc
            return exc

    def _one_carefully(self, tx: Tx, tree: _Tree, append: Append) -> Written | Exception:
        tx.command("SAVEPOINT entry")
        try:
            asked = _ask(tx, tree.size, append)
            # Before the leaf: what fails must fail while the tree has not grown.
            tx.flush()
            written = Written(self._place(tx, tree, asked.draft, asked.annex), asked.guarded)
        except Exception as exc:  # as above; what is not the entry's fault is raised again
            if isinstance(exc, self._store.database_errors) and not self._store.blames_entry(exc):
                raise
            tx.forget()
            tx.command("ROLLBACK TO SAVEPOINT entry")
            tx.command("RELEASE SAVEPOINT entry")
            return exc
        tx.command("RELEASE SAVEPOINT entry")
        return written

    def _blame(self, exc: Exception) -> Exception:
        return _Blame() if self._store.blames_entry(exc) else exc

    def _place(self, tx: Tx, tree: _Tree, draft: Draft, annex: bytes) -> BuiltEntry:
        own: list[Field] = []
        requester_seq = _number(tx, tree, draft.requester, FieldClass.REQ, own)
        # An agency that asks itself takes part once: two numbers in one entry would look like a gap to it.
        other = draft.holder if draft.holder != draft.requester else None
        holder_seq = _number(tx, tree, other, FieldClass.HOLD, own)
        place = Place(tree.size, tree.time_ms, requester_seq, holder_seq)
        built = build_entry(draft, place, keys=self._keys, own_fields=own, annex=annex, random_bytes=self._random_bytes)
        hashed = tree.add(built)
        for agency, seq in ((draft.requester, requester_seq), (other, holder_seq)):
            if agency:
                tree.heads[agency] = (seq, hashed)
                tree.advanced.add(agency)
        return built


def _ask(tx: Tx, index: int, append: Append) -> _Asked:
    refusal = append.guard(tx) if append.guard is not None else None
    draft = append.draft if refusal is None else refusal
    annex = b""
    if refusal is None:
        for statement, params in append.rows:
            tx.later(statement, tuple([index if value is INDEX else value for value in params]))
        if append.apply is not None:
            append.apply(tx, index)
        if append.says is not None:
            annex = append.says(tx, index)
    return _Asked(draft, annex, refusal is not None)


def _number(tx: Tx, tree: _Tree, agency: str | None, cls: FieldClass, own: list[Field]) -> int:
    if not agency:
        return 0
    head = tree.heads.get(agency)
    if head is None:
        row = tx.one(_AGENCY_HEAD, (agency,))
        head = tree.heads[agency] = (row[0], row[1]) if row else _NO_ENTRY
    seq, previous = head[0] + 1, head[1]
    own += (Field(cls, "seq", seq.to_bytes(8, "big")), Field(cls, "prev", previous))
    return seq
