"""The log: many callers append, one batch at a time is written, and nobody hears of an entry before it is durable.

Decides batching, delivery and the fail-stop rule. When a batch is due (gathering.py) it becomes one transaction
(sequencer.py); then, in a thread of its own, it is committed, one checkpoint over it is signed and recorded apart from
the database, and all its callers are answered at once. On a database in a file of this process the transaction is
prepared on the event loop: that is the interpreter's work, and two threads that take the interpreter's lock from each
other at every statement need twice the time for it. What may be long (`Append`) or wait for a network is prepared in
the thread.

Whatever casts doubt on what was acknowledged (an I/O error, a tree that moved, a file that was replaced) stops the log
for good: SQLite itself would go on after a failed fsync. The reason stays behind as a mark (stopping.py); only a start
that checks the store, after somebody has explained the mark, opens the log again. A store that was put back to an older
state is opened for reading alone (RECOVERING): whatever is to be written waits until it is healed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from audit import merkle
from audit.checkpoint import Checkpoint, LogSigner
from audit.entry import BuiltEntry, ClassKeys, FieldClass, StoredEntry
from audit.errors import (
    EvidenceError,
    EvidenceReason,
    LogBehind,
    LogBusy,
    LogRecovering,
    LogUnavailable,
    StopReason,
)
from audit.failpoints import reach
from audit.gathering import Gathering
from audit.highwater import HighWater
from audit.hot_value import hot_value
from audit.own_entries import clock_stepped
from audit.reader import TreeState, tree_state
from audit.receipt import Receipt
from audit.sequencer import INDEX, Append, Batch, Prepared, Sequencer, Written
from audit.startup import check_start
from audit.stopping import StopMark, stop_reason
from audit.store import Store
from audit.timekeeping import Steady, Timekeeper, check_clock
from audit.transaction import Tx

__all__ = ["INDEX", "Append", "Appended", "Log", "LogSettings", "LogState"]

_logger = logging.getLogger(__name__)


class LogState(Enum):
    """What the log does with an append."""

    OPEN = "open"
    RECOVERING = "recovering"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Limits of the write path. `max_waiting` entries may queue, a batch has at most `max_batch`, and nobody waits
    longer than `window_seconds` for others to join (gathering.py).
    """

    max_waiting: int = 4096
    max_batch: int = 256
    window_seconds: float = 0.002


@hot_value
class Appended:
    """A durable entry and a signed checkpoint that covers it. `guarded`: it is the refusal that the guard asked for."""

    index: int
    guarded: bool
    size: int
    checkpoint: str = field(repr=False)
    _built: BuiltEntry = field(repr=False)
    _nodes: dict[merkle.Coordinate, bytes] = field(repr=False)

    @property
    def entry(self) -> StoredEntry:
        """The entry as it is kept."""
        return self._built.entry

    def receipt(self, classes: Container[FieldClass] = (), names: Container[str] = ()) -> Receipt:
        """Returns the proof that the entry is in the log, with its fields of these classes and names open."""
        path = merkle.assemble(merkle.inclusion_plan(self.index, self.size), self._nodes)
        built = self._built
        openings = built.openings(classes, names)
        return Receipt(self.index, built.leaf, built.entry.digests, openings, path, self.checkpoint)


@hot_value
class _Waiting:
    append: Append
    future: asyncio.Future[Appended]


class Log:
    """An open log; made by `Log.open`. One event loop at a time uses it."""

    def __init__(
        self,
        store: Store,
        connection: Any,
        tree: TreeState,
        *,
        signer: LogSigner,
        keys: ClassKeys,
        high_water: HighWater,
        timekeeper: Timekeeper,
        random_bytes: Callable[[int], bytes],
        settings: LogSettings,
        on_stop: Callable[[LogState], None] | None,
        behind: LogBehind | None,
    ) -> None:
        self._store = store
        self._connection = connection
        self._signer = signer
        self._high_water = high_water
        self._timekeeper = timekeeper
        self._last_ms = tree.time_ms
        self._mark = StopMark(high_water.path)
        self._on_stop = on_stop
        self._stopping_errors: tuple[type[Exception], ...] = (*store.database_errors, OSError, EvidenceError)
        self._note = signer.sign(tree.size, tree.root)
        self._settings = settings
        self._state = LogState.OPEN if behind is None else LogState.RECOVERING
        self.stopped_for: StopReason | None = None
        self.behind = behind
        self.may_begin: asyncio.Event | None = None
        """Where it is given every append waits for it: others are asked first whether they know more of the log."""
        self._closing = False
        self._waiting: deque[_Waiting] = deque()
        self._in_flight: list[_Waiting] = []
        self._gathering: Gathering | None = None
        self._is_due = False
        self._task: asyncio.Task[None] | None = None
        self._sequencer = Sequencer(
            store, connection, keys=keys, random_bytes=random_bytes, known=(tree.size, tree.root)
        )
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="audit-log")

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
        steady: Steady | None = None,
        known: Sequence[Checkpoint] = (),
        may_recover: bool = False,
        explained: bool = False,
        settings: LogSettings | None = None,
        on_stop: Callable[[LogState], None] | None = None,
    ) -> Log:
        """Returns the log of this store, ready to append, after checking that it may go on (startup.py).

        Raises EvidenceError if it must not; if the store was put back and `may_recover`, the log is RECOVERING instead.
        `steady` are the seconds of a clock that nobody sets, None where `now` is invented; `known` are checkpoints kept
        elsewhere; `explained`: the caller explains the mark of an earlier stop. `on_stop` is called once when the log
        fails or is closed. Blocks; call it before the event loop serves anybody.
        """
        if not explained:
            StopMark(high_water).check()
        connection = store.connect()
        record, behind = HighWater(high_water), None
        try:
            tx = Tx(connection.cursor(), store.dialect)
            store.begin_read(tx)
            try:
                tree = check_start(tx, key=signer.public, high_water=high_water, known=known)
                check_clock(now(), tree.time_ms)
            except LogBehind as exc:
                if not may_recover:
                    raise
                tree, behind = tree_state(tx), exc
            tx.command("ROLLBACK")
            record.open()
        except EvidenceError:
            connection.close()
            raise
        except store.database_errors as exc:
            connection.close()
            raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be read") from exc
        return cls(
            store, connection, tree, signer=signer, keys=keys, high_water=record,
            timekeeper=Timekeeper(now, steady=steady), random_bytes=random_bytes,
            settings=settings or LogSettings(), on_stop=on_stop, behind=behind,
        )  # fmt: skip

    @property
    def state(self) -> LogState:
        """OPEN until the log fails, is closed or turns out to be put back; it never opens again."""
        return self._state

    @property
    def checkpoint(self) -> str:
        """The newest signed note. Covers every entry that was acknowledged before it is read."""
        return self._note

    async def append(self, append: Append) -> Appended:
        """Returns once the entry, and all that was to change with it, is durable and covered by a signed checkpoint.

        Raises LogBusy (nothing written), LogRecovering (nothing written), LogUnavailable (unknown whether written: do
        not act on it), or whatever the append's own guard, rows or projection raised (nothing written). If the caller
        is canceled meanwhile, the entry may still be written, and then what comes after it happens (`Append.then`).
        """
        if self.may_begin is not None:
            await self.may_begin.wait()
        if self._state is LogState.RECOVERING:
            raise LogRecovering("the log's store was put back to an older state")
        if self._state is not LogState.OPEN or self._closing:
            raise LogUnavailable("the log has stopped")
        if len(self._waiting) >= self._settings.max_waiting:
            raise LogBusy("too many entries are waiting to be written")
        loop = asyncio.get_running_loop()
        if self._gathering is None or self._gathering.loop is not loop:
            self._gathering = Gathering(loop, self._due, window_seconds=self._settings.window_seconds)
        waiting = _Waiting(append, loop.create_future())
        self._waiting.append(waiting)
        self._gathering.added()
        return await waiting.future

    async def recover_from(self, note: str, behind: LogBehind) -> None:
        """As `recover`, proved by this note, which the log signed: it is the high-water record of the next start.

        Once put back, the largest note that is shown counts: what heals the log must have all of it.
        """
        if self.behind is not None and behind.known_size < self.behind.known_size:
            return
        self.recover(behind)
        self.behind = behind
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._high_water.write, note)
        except self._stopping_errors as exc:
            self.fail(exc)

    def recover(self, behind: LogBehind) -> None:
        """Somebody proved that the store was put back: nothing more is written. What is being committed is finished."""
        if self._state is LogState.OPEN:
            self._state, self.behind = LogState.RECOVERING, behind
            _logger.critical("audit log is behind what was signed", extra={"count": behind.known_size - behind.size})
            refused = [*self._waiting]
            self._waiting.clear()
            _answer(refused, [LogRecovering("the log's store was put back")] * len(refused))

    def fail(self, exc: Exception) -> None:
        """Somebody else found what must stop the log, such as rows that do not lead to what was signed."""
        if self._state in (LogState.OPEN, LogState.RECOVERING):
            self._fail(exc)
            self._state = LogState.FAILED
            # A batch that is being committed ends first; its connection must not be closed under it.
            if self._task is None:
                self._stop(LogState.FAILED)

    async def close(self) -> None:
        """Everything that was waiting is written and answered, the newest note is stored, the files are closed."""
        self._closing = True
        self._due()
        while self._task is not None:
            await asyncio.wait({self._task})
        if self._state is LogState.RECOVERING:
            # Neither a note nor anything else is stored: the log has not gone on.
            self._stop(LogState.CLOSED)
        if self._state is LogState.OPEN:
            outcome = LogState.FAILED
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._settle)
                outcome = LogState.CLOSED
            except self._stopping_errors as exc:
                self._fail(exc)
            finally:
                self._stop(outcome)
        self._thread.shutdown()

    def _due(self) -> None:
        self._is_due = True
        if self._task is None and self._waiting and self._state is LogState.OPEN:
            self._task = asyncio.get_running_loop().create_task(self._write_due())

    async def _write_due(self) -> None:
        outcome = LogState.FAILED
        try:
            while self._is_due and self._waiting and self._state is LogState.OPEN:
                count = min(len(self._waiting), self._settings.max_batch)
                self._in_flight = [self._waiting.popleft() for _ in range(count)]
                # What did not fit has waited as long as what did.
                self._is_due = bool(self._waiting)
                _answer(self._in_flight, await self._write(self._in_flight))
                self._in_flight = []
            outcome = self._state
        except self._stopping_errors as exc:
            self._fail(exc)
        finally:
            self._task = None
            if outcome is LogState.FAILED:
                self._stop(outcome)

    async def _write(self, batch: Sequence[_Waiting]) -> Sequence[Appended | Exception]:
        appends = [waiting.append for waiting in batch]
        loop = asyncio.get_running_loop()
        if self._store.exclusive and not any(append.may_be_long for append in appends):
            written = await loop.run_in_executor(self._thread, self._commit, self._prepare(appends))
        else:
            written = await loop.run_in_executor(self._thread, lambda: self._commit(self._prepare(appends)))
        note, size, nodes = self._note, written.size, written.nodes
        return [
            Appended(outcome.built.entry.index, outcome.guarded, size, note, outcome.built, nodes)
            if isinstance(outcome, Written)
            else outcome
            # Entries that the log added on its own account stand before those of the callers.
            for outcome in written.outcomes[len(written.outcomes) - len(batch) :]
        ]

    def _prepare(self, appends: Sequence[Append]) -> Prepared:
        reading = self._timekeeper.read(self._last_ms)
        self._last_ms = reading.time_ms
        own = [Append(clock_stepped(reading.back_ms))] if reading.back_ms else []
        return self._sequencer.prepare([*own, *appends], time_ms=reading.time_ms, note=self._note)

    def _commit(self, prepared: Prepared) -> Batch:
        self._sequencer.commit(prepared)
        batch = prepared.batch
        if batch.nodes:
            self._note = self._signer.sign(batch.size, batch.root)
            reach("append.signed")
            self._high_water.write(self._note)
            reach("append.recorded")
        # After the commit and before the answer: an entry in a file that is no longer there is not durable.
        self._store.check_in_place()
        reach("append.checked")
        return batch

    def _settle(self) -> None:
        self._sequencer.keep_note(self._note)
        self._store.settle(self._connection)

    def _fail(self, exc: Exception) -> None:
        self.stopped_for = stop_reason(exc)
        self._mark.make(self.stopped_for)
        # By type only: a driver's text may carry the values of a row.
        extra = {"exception_type": type(exc).__name__, "reason": self.stopped_for.value}
        _logger.critical("audit log stopped", extra=extra)

    def _stop(self, state: LogState) -> None:
        self._state = state
        refused = [*self._in_flight, *self._waiting]
        self._waiting.clear()
        _answer(refused, [LogUnavailable("the log has stopped")] * len(refused))
        try:
            self._connection.close()
            self._high_water.close()
        except self._stopping_errors as exc:
            _logger.critical("audit log did not close cleanly", extra={"exception_type": type(exc).__name__})
        if self._on_stop is not None:
            self._on_stop(state)


def _answer(batch: Sequence[_Waiting], outcomes: Sequence[Appended | Exception]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Appended) and not outcome.guarded and waiting.append.then is not None:
            waiting.append.then()
        if waiting.future.done():
            continue
        if isinstance(outcome, Exception):
            waiting.future.set_exception(outcome)
        else:
            waiting.future.set_result(outcome)
