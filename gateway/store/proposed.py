"""Where in the log to look for words: `exchange.access.Proposals`.

The concordance of the whole log is kept by a process beside this one (`finding`) and grows behind the log. Decides what
is done where it does not reach yet, as after a start: of so many entries as the columns of the log select, one is made
for the question alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from audit.entry import ClassKeys, StoredEntry
from audit.reader import Reader, Selection, entries_at, positions, select_glances
from audit.transaction import Tx
from gateway.exchange.access import Stretch
from gateway.exchange.concordance import Concordance, Question

_STRETCH: Final = 400
"""Entries that are looked at for one question where the concordance does not reach."""


class Words(Protocol):
    """A concordance of the log, as far as it reaches."""

    async def find(self, question: Question, start: int, end: int, *, limit: int) -> tuple[Sequence[int], int]:
        """The first `limit` indexes from `start` and before `end` that may meet the question, in order.

        And where looking goes on: `end` when that was all, `start` when it does not reach so far. Raises `Unavailable`.
        """


@dataclass(frozen=True, slots=True)
class LogProposals:
    """Of the open log."""

    reader: Reader
    words: Words
    keys: ClassKeys = field(repr=False)

    async def proposed(self, question: Question, selection: Selection, *, limit: int) -> Stretch:
        """`Proposals.proposed`. Raises `Unavailable`."""
        start, end = await asyncio.to_thread(self.reader.read, lambda tx: positions(tx, selection))
        found, reached = await self.words.find(question, start, end, limit=limit)
        if reached == start < end:
            return await asyncio.to_thread(self.reader.read, lambda tx: self._looked_at(tx, question, selection))
        entries = await asyncio.to_thread(self.reader.read, lambda tx: entries_at(tx, found))
        return Stretch(entries, len(entries), reached - 1, reached < end)

    def _looked_at(self, tx: Tx, question: Question, selection: Selection) -> Stretch:
        seen = select_glances(tx, selection, limit=_STRETCH)
        concordance = Concordance(self.keys.op, self.keys.req)
        for each in seen:
            concordance.add(each)
        found = concordance.find(question, 0, len(seen), limit=len(seen))
        entries: Sequence[StoredEntry] = entries_at(tx, [seen[at].index for at in found])
        return Stretch(entries, len(seen), seen[-1].index if seen else -1, len(seen) == _STRETCH)
