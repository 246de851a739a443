"""What reads every entry of the log, in a process of its own: the concordance, and the pages that agencies follow.

A reviewer's question must not wait for a walk over the log: to read an entry in takes some 25 us of the processor, a
second for every 40,000. Nor need calls wait for the pages by which each agency's adapter follows its own entries, some
100 us for each. That process is given the log's class keys, and reads the database; what it keeps is some 20 bytes an
entry, in memory, and gone with it.

Decides how it keeps up: it reads in, a page at a time, whatever the log has more, so that a question waits for a page
at most; what it has not read in yet, whoever asks looks through without it (`store.proposed`).
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

from audit.entry import ClassKeys
from audit.reader import Reader, glances
from audit.store_sqlite import SqliteStore
from gateway.apart import Apart, ApartEnded
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.concordance import Concordance, Question
from gateway.protocol.names import AgencyId
from gateway.publishing.own_entries import page_of
from homeward.gateway.v1.link_pb2 import OwnEntries, OwnEntriesQuery

_KEYS, _READ_IN, _FIND, _OWN = range(4)
_PAGE: Final = 1_000
_BEHIND_SECONDS: Final = 1.0
"""So far it may be behind the log."""
_NICE: Final = 10
"""While it catches up after a start, calls come first."""
_LOG: Final = logging.getLogger(__name__)


class Work:
    """What is done there; questions and answers are values that `Apart` carries."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._opened: Reader | None = None
        self._keys: ClassKeys | None = None
        self._concordance: Concordance | None = None

    def __call__(self, asked: tuple[int, tuple[Any, ...]]) -> Any:
        """The answer to one question."""
        kind, values = asked
        if kind == _KEYS:
            os.nice(_NICE)
            self._keys = ClassKeys(*values)
            self._concordance = Concordance(self._keys.op, self._keys.req)
            return None
        if self._concordance is None or self._keys is None:
            raise LookupError("no keys yet")
        if kind == _FIND:
            return find(self._concordance, *values)
        if kind == _OWN:
            return self._own_entries(self._keys, *values)
        try:
            return read_in(self._reader(), self._concordance)
        except SqliteStore.database_errors:
            # Whether the log can be read is for the first process to find; here it is tried again.
            return self._concordance.size

    def _own_entries(self, keys: ClassKeys, agency: AgencyId, query: bytes) -> bytes | str | None:
        """The page, or the name of what kept it from being read."""
        try:
            wanted = OwnEntriesQuery.FromString(query)
            found = self._reader().read(lambda tx: page_of(tx, keys, agency, wanted))
        # An adapter chose the numbers: nothing that comes of them may end the process, and with it the gateway.
        except Exception as failure:
            return type(failure).__name__
        return None if found is None else found.SerializeToString()

    def _reader(self) -> Reader:
        if self._opened is None:
            # Not before: a start may put another file in its place.
            self._opened = Reader(SqliteStore(self._database))
        return self._opened


def read_in(reader: Reader, concordance: Concordance) -> int:
    """At most a page of further entries is read in; how many there are now."""
    for each in reader.read(lambda tx: glances(tx, concordance.size, limit=_PAGE)):
        concordance.add(each)
    return concordance.size


def find(concordance: Concordance, question: Question, start: int, end: int, limit: int) -> tuple[list[int], int]:
    """`proposed.Words.find`."""
    found = concordance.find(question, start, end, limit=limit)
    reached = found[-1] + 1 if len(found) == limit else max(start, min(end, concordance.size))
    return found, reached


class Finding:
    """That process, as questions see it: `proposed.Words`. One event loop uses it."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self.pid: Final = apart.pid

    @classmethod
    def begin(cls, database: Path) -> Self:
        """The process runs; to be called first of all (`Apart.begin`)."""
        return cls(Apart.begin(Work(database)))

    async def attach(self, keys: ClassKeys, on_end: Callable[[], None]) -> None:
        """It can be asked (`Apart.attach`)."""
        await self._apart.attach(on_end)
        await self._apart.ask((_KEYS, (keys.op, keys.req, keys.hold)))

    def close(self) -> None:
        """`Apart.close`."""
        self._apart.close()

    async def run(self, size: Callable[[], int]) -> None:
        """It keeps up with a log that has so many entries, until canceled or it ends."""
        known, before = 0, -1
        while True:
            while before < known < size():
                try:
                    before, known = known, await self.read_in()
                except ApartEnded:
                    # Whoever attached was told.
                    return
            before = -1
            await asyncio.sleep(_BEHIND_SECONDS)

    async def read_in(self) -> int:
        """At most a page of further entries is read in; how many there are now. Raises `ApartEnded`."""
        return int(await self._apart.ask((_READ_IN, ())))

    async def find(self, question: Question, start: int, end: int, *, limit: int) -> tuple[list[int], int]:
        """`proposed.Words.find`. Raises `Unavailable` when the process is no more."""
        try:
            found, reached = await self._apart.ask((_FIND, (question, start, end, limit)))
        except ApartEnded as exc:
            raise Unavailable(ErrorReason.NOT_READY) from exc
        return found, reached

    async def own_entries(self, agency: AgencyId, query: OwnEntriesQuery) -> OwnEntries | None:
        """`own_entries.page_of`. Raises `Unavailable` when that cannot be read, or the process is no more."""
        try:
            found = await self._apart.ask((_OWN, (agency, query.SerializeToString())))
        except ApartEnded as exc:
            raise Unavailable(ErrorReason.NOT_READY) from exc
        if isinstance(found, str):
            extra = {"agency": agency, "exception_type": found}
            _LOG.critical("what an agency asked of its own entries cannot be read", extra=extra)
            raise Unavailable(ErrorReason.LOG_UNAVAILABLE)
        return None if found is None else OwnEntries.FromString(found)
