"""The log: many callers append, one thread writes, and nobody hears of an entry before it is durable.

Decides batching, delivery and the fail-stop rule. One writer thread takes what is waiting, writes it as one transaction
(sequencer.py), signs one checkpoint after the commit, records it apart from the database, and answers all callers of an
event loop with one call. Whatever casts doubt on what was acknowledged (an I/O error, a tree that moved, a file that
was replaced) stops the log for good: SQLite itself would go on after a failed fsync. Only a new start, which checks the
store, opens it again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from audit import merkle
from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, Opening, StoredEntry
from audit.errors import EvidenceError, EvidenceReason, LogUnavailable
from audit.highwater import HighWater
from audit.pending import Pending
from audit.reader import TreeState
from audit.receipt import Receipt
from audit.sequencer import INDEX, Append, Batch, Sequencer, Written
from audit.startup import check_start
from audit.store import Store
from audit.transaction import Tx

__all__ = ["INDEX", "Append", "Appended", "Log", "LogSettings", "LogState"]

_logger = logging.getLogger(__name__)


class LogState(Enum):
    """What the log does with an append."""

    OPEN = "open"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Limits of the write path. `max_waiting` entries may queue; a batch has at most `max_batch`; see pending.py."""

    max_waiting: int = 4096
    max_batch: int = 256
    window_seconds: float = 0.002


@dataclass(frozen=True, slots=True)
class Appended:
    """A durable entry and a signed checkpoint that covers it. `guarded`: it is the refusal that the guard asked for."""

    index: int
    entry: StoredEntry = field(repr=False)
    guarded: bool
    size: int
    checkpoint: str = field(repr=False)
    _nodes: dict[merkle.Coordinate, bytes] = field(repr=False)

    def receipt(self, openings: Sequence[Opening] = ()) -> Receipt:
        """Returns the proof that the entry is in the log, with these of its fields open (in slot order)."""
        path = merkle.assemble(merkle.inclusion_plan(self.index, self.size), self._nodes)
        return Receipt(self.index, self.entry.leaf, self.entry.digests, tuple(openings), path, self.checkpoint)


@dataclass(frozen=True, slots=True)
class _Waiting:
    append: Append
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Appended]


_Answer = tuple[_Waiting, Appended | Exception]


class Log:
    """An open log. `append` may be called from any event loop; made by `Log.open`."""

    def __init__(
        self,
        store: Store,
        connection: Any,
        tree: TreeState,
        *,
        signer: LogSigner,
        keys: ClassKeys,
        high_water: HighWater,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        settings: LogSettings,
        on_stop: Callable[[LogState], None] | None,
    ) -> None:
        self._store = store
        self._connection = connection
        self._signer = signer
        self._high_water = high_water
        self._now = now
        self._on_stop = on_stop
        self._stopping_errors: tuple[type[Exception], ...] = (*store.database_errors, OSError, EvidenceError)
        self._note = signer.sign(tree.size, tree.root)
        self._state = LogState.OPEN
        self._in_flight: list[_Waiting] = []
        self._sequencer = Sequencer(
            store, connection, keys=keys, random_bytes=random_bytes, known=(tree.size, tree.root)
        )
        self._pending: Pending[_Waiting] = Pending(
            limit=settings.max_waiting, batch=settings.max_batch, window_seconds=settings.window_seconds
        )
        self._thread = threading.Thread(target=self._run, name="audit-log", daemon=True)

    @classmethod
    def open(
        cls,
        store: Store,
        *,
        signer: LogSigner,
        keys: ClassKeys,
        high_water: Path,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
        settings: LogSettings | None = None,
        on_stop: Callable[[LogState], None] | None = None,
    ) -> Log:
        """Returns the log of this store, ready to append, after checking that it may go on (startup.py).

        Raises EvidenceError if it must not. `on_stop` is called once, in the writer's thread, when the log fails or is
        closed. Blocks; call it before the event loop serves anybody.
        """
        connection = store.connect()
        record = HighWater(high_water)
        try:
            tx = Tx(connection.cursor(), store.dialect)
            store.begin_read(tx)
            tree = check_start(tx, key=signer.public, high_water=high_water)
            tx.command("ROLLBACK")
            record.open()
        except EvidenceError:
            connection.close()
            raise
        except store.database_errors as exc:
            connection.close()
            raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be read") from exc
        log = cls(
            store, connection, tree, signer=signer, keys=keys, high_water=record, now=now, random_bytes=random_bytes,
            settings=settings or LogSettings(), on_stop=on_stop,
        )  # fmt: skip
        log._thread.start()
        return log

    @property
    def state(self) -> LogState:
        """OPEN until the log fails or is closed; it never opens again."""
        return self._state

    @property
    def checkpoint(self) -> str:
        """The newest signed note. Covers every entry that was acknowledged before it is read."""
        return self._note

    async def append(self, append: Append) -> Appended:
        """Returns once the entry, and all that was to change with it, is durable and covered by a signed checkpoint.

        Raises LogBusy (nothing written), LogUnavailable (unknown whether written: do not act on it), or whatever the
        append's own guard, rows or projection raised (nothing written). If the caller is canceled meanwhile, the entry
        may still be written.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(append, loop, loop.create_future())
        self._pending.put(waiting)
        return await waiting.future

    async def close(self) -> None:
        """Everything that was waiting is written and answered, the newest note is stored, the files are closed."""
        self._pending.stop()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        outcome = LogState.FAILED
        try:
            while batch := self._pending.take():
                self._in_flight = batch
                self._write(batch)
                self._in_flight = []
            self._sequencer.keep_note(self._note)
            self._store.settle(self._connection)
            outcome = LogState.CLOSED
        except self._stopping_errors as exc:
            # By type only: a driver's text may carry the values of a row.
            _logger.critical("audit log stopped", extra={"exception_type": type(exc).__name__})
        finally:
            self._stop(outcome)

    def _write(self, batch: list[_Waiting]) -> None:
        time_ms = int(self._now().timestamp() * 1000)
        written = self._sequencer.write([waiting.append for waiting in batch], time_ms=time_ms, note=self._note)
        if written.nodes:
            self._note = self._signer.sign(written.size, written.root)
            self._high_water.write(self._note)
        # After the commit and before the answer: an entry in a file that is no longer there is not durable.
        self._store.check_in_place()
        _deliver(self._answers(batch, written))

    def _answers(self, batch: list[_Waiting], written: Batch) -> list[_Answer]:
        note, size, nodes = self._note, written.size, written.nodes
        return [
            (waiting, Appended(outcome.entry.index, outcome.entry, outcome.guarded, size, note, nodes))
            if isinstance(outcome, Written)
            else (waiting, outcome)
            for waiting, outcome in zip(batch, written.outcomes, strict=True)
        ]

    def _stop(self, state: LogState) -> None:
        self._state = state
        self._pending.stop()
        refused = self._in_flight
        while more := self._pending.take():
            refused = refused + more
        _deliver([(waiting, LogUnavailable("the log has stopped")) for waiting in refused])
        try:
            self._connection.close()
            self._high_water.close()
        except self._stopping_errors as exc:
            _logger.error("audit log did not close cleanly", extra={"exception_type": type(exc).__name__})
        if self._on_stop is not None:
            self._on_stop(state)


def _deliver(answers: list[_Answer]) -> None:
    """Every caller gets its answer, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        by_loop.setdefault(answer[0].loop, []).append(answer)
    for loop, ours in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, ours)
        except RuntimeError:
            # The loop was closed while its caller waited: nobody is left to answer, and the entry stands.
            _logger.warning("audit log had no caller left to answer")


def _settle(answers: list[_Answer]) -> None:
    for waiting, outcome in answers:
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
