"""What is published is derived from the log's rows in another process (`audit.derive`).

Under load that is a tenth of what the gateway does, and the interpreter runs one thread at a time. The other process
reads the database, holds no key and writes nothing: whether what it derived is of this log, what of it is written and
that it is signed is the publisher's matter, here as ever. What fails there is done again here, and fails here. A few
rows are cheaper to derive than to send.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Final, Self

from audit.derive import Files, derive
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.tiles import Edge, EdgeValues, Tile
from gateway.apart import Apart, ApartEnded

FEW: Final = 8
"""Rows that are derived here."""
_Question = tuple[EdgeValues, int]


class Derivation:
    """What is done, in the other process; questions and answers are values that `Apart` carries."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._reader: Reader | None = None

    def __call__(self, question: _Question) -> Any:
        """The edge and the tiles that `derive` gives; None where it failed."""
        edge, size = question
        try:
            if self._reader is None:
                self._reader = Reader(SqliteStore(self._database))
            grown, files = derive(self._reader, Edge.of(edge), size)
        except Exception:
            # It is asked again where it came from, and fails there.
            return None
        return grown.values(), [(tile.level, tile.index, data) for tile, data in files]


class Deriving:
    """The other process, as the publisher sees it. One event loop uses it; `derive` is called from another thread."""

    def __init__(self, apart: Apart) -> None:
        self._apart = apart
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def begin(cls, database: Path) -> Self:
        """The other process runs; to be called first of all (`Apart.begin`)."""
        return cls(Apart.begin(Derivation(database)))

    async def attach(self, on_end: Callable[[], None]) -> None:
        """`Apart.attach`."""
        await self._apart.attach(on_end)
        self._loop = asyncio.get_running_loop()

    def close(self) -> None:
        """`Apart.close`."""
        self._apart.close()

    def derive(self, reader: Reader, edge: Edge, size: int) -> tuple[Edge, Files]:
        """`audit.derive.Derive`."""
        answer = self._answer((edge.values(), size)) if size - edge.size > FEW else None
        if answer is None:
            return derive(reader, edge, size)
        grown, files = answer
        return Edge.of(grown), [(Tile(level, index), data) for level, index, data in files]

    def _answer(self, question: _Question) -> Any:
        if self._loop is None:
            return None
        try:
            return asyncio.run_coroutine_threadsafe(self._ask(question), self._loop).result()
        except (ApartEnded, CancelledError):
            # The gateway stops; what it was about is brought to its end.
            return None

    async def _ask(self, question: _Question) -> Any:
        return await self._apart.ask(question)
