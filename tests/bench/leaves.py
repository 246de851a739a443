"""What the log's benchmark writes, and the disk's own limit for the same bytes.

A full leaf is one as large as a decision about a youth (ten fields of all four classes and four of the log's own) and
is built inside the measured time. A prepared leaf is the same entry built before: what is measured then is the log
itself, its order, its tree, its rows and its commit. The bare limit inserts the very rows of prepared leaves into the
very tables, in groups of as many, without queue, tree or hash.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert

from audit import merkle
from audit.checkpoint import LogSigner
from audit.entry import BuiltEntry, ClassKeys, Draft, Field, FieldClass, Place, YouthKey, build_entry
from audit.log import Log
from audit.reader import row_of
from audit.sequencer import Append, Sequencer
from audit.startup import create_log
from audit.statement import Params
from audit.store_sqlite import SqliteStore
from audit.tables import ENTRY, METADATA, NODE
from audit.transaction import Tx

SIGNER: Final = LogSigner("bench.example/log", Ed25519PrivateKey.generate())
KEYS: Final = ClassKeys(os.urandom(32), os.urandom(32), os.urandom(32))
BUILT_MS: Final = 1_790_000_000_000
"""Time that prepared leaves carry."""


def ten_fields(counter: int, *, agencies: bool = True) -> Draft:
    """A draft as large as a decision about a youth."""
    op = [Field(FieldClass.OP, name, b"x" * 12) for name in ("kind", "decision", "reason", "purpose", "policy")]
    about = [Field(FieldClass.YOUTH, name, b"h" * 32) for name in ("subject", "request", "response")]
    rest = [Field(FieldClass.REQ, "worker", b"w" * 16), Field(FieldClass.HOLD, "classes", b"c")]
    told = ("06037.cwa", "06059.cwa") if agencies else ("", "")
    return Draft((*op, *rest, *about), YouthKey(b"k" * 32, counter), *told)


def built(start: int = 0) -> Iterator[BuiltEntry]:
    """Prepared leaves from this index on; without agencies, whose numbers only the log can give."""
    index = start
    while True:
        place = Place(index, BUILT_MS)
        yield build_entry(ten_fields(index, agencies=False), place, keys=KEYS, random_bytes=os.urandom)
        index += 1


class PreparedLog(Log):
    """A log that writes leaves made before, in their order, whatever the drafts say."""

    leaves: Iterator[BuiltEntry]

    def __init__(self, store: SqliteStore, connection: Any, tree: Any, **given: Any) -> None:
        super().__init__(store, connection, tree, **given)
        known = (tree.size, tree.root)
        self._sequencer = _PreparedSequencer(
            store, connection, keys=given["keys"], random_bytes=given["random_bytes"], known=known
        )
        self._sequencer.log = self


class _PreparedSequencer(Sequencer):
    log: PreparedLog

    def _place(self, tx: Tx, tree: Any, draft: Draft, annex: bytes) -> BuiltEntry:
        leaf = next(self.log.leaves)
        tree.add(leaf)
        return leaf


def bare_rows(leaves: Sequence[BuiltEntry]) -> tuple[list[Params], list[list[Params]]]:
    """Rows of the entries, and the tree's nodes that each completes."""
    stack: list[bytes] = []
    entries: list[Params] = []
    nodes: list[list[Params]] = []
    for index, leaf in enumerate(leaves):
        hashed = merkle.leaf_hash(leaf.entry.leaf)
        entries.append(row_of(leaf.entry, hashed))
        nodes.append(list(merkle.extend(index, stack, hashed)))
    return entries, nodes


def bare_commits(directory: Path, leaves: Sequence[BuiltEntry], *, group: int) -> float:
    """Rows a second that SQLite alone makes durable, so many a commit, with the log's own settings."""
    store = SqliteStore(directory / "bare.db")
    store.create(METADATA)
    connection = store.connect()
    entries, nodes = bare_rows(leaves)
    put = [str(insert(table).compile(dialect=store.dialect)) for table in (ENTRY, NODE)]
    started = time.perf_counter()
    for at in range(0, len(entries), group):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(put[0], entries[at : at + group])
        connection.executemany(put[1], [row for rows in nodes[at : at + group] for row in rows])
        connection.execute("COMMIT")
    rate = len(entries) / (time.perf_counter() - started)
    connection.close()
    return rate


def bare_syncs(directory: Path, *, seconds: float) -> float:
    """Writes of one page a second, each synced, to a file of its own."""
    count, page = 0, os.urandom(4096)
    handle = os.open(directory / "bare.bin", os.O_CREAT | os.O_WRONLY, 0o600)
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        os.write(handle, page)
        os.fsync(handle)
        count += 1
    os.close(handle)
    return count / seconds


def bare_hashes(*, seconds: float) -> float:
    """SHA-256 of 64 bytes a second, as a tree's inner node is."""
    block, count, started = os.urandom(64), 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        for _ in range(1000):
            hashlib.sha256(block).digest()
        count += 1000
    return count / (time.perf_counter() - started)


def fill(directory: Path, entries: int, *, group: int = 5000) -> SqliteStore:
    """A whole log of so many prepared leaves, written by the sequencer in large batches. The store, closed."""
    store = SqliteStore(directory / "log.db")
    create_log(store, signer=SIGNER, high_water=directory / "high-water")
    connection: sqlite3.Connection = store.connect()
    sequencer = Sequencer(store, connection, keys=KEYS, random_bytes=os.urandom, known=(0, merkle.fold([])))
    numbers = iter(range(entries))
    while batch := [Append(ten_fields(number)) for number in islice(numbers, group)]:
        prepared = sequencer.prepare(batch, time_ms=BUILT_MS, note="")
        sequencer.commit(prepared)
    size, root = prepared.batch.size, prepared.batch.root
    sequencer.keep_note(SIGNER.sign(size, root))
    store.settle(connection)
    connection.close()
    return store
