"""The concordance of a world's log, kept in this process."""

from audit.entry import ClassKeys
from audit.reader import Reader
from gateway.exchange.concordance import Concordance, Question
from gateway.finding import find, read_in


class Words:
    """`store.proposed.Words`; up to the log's end at every question, unless `reach` holds it back."""

    def __init__(self, reader: Reader, keys: ClassKeys) -> None:
        self._reader = reader
        self.concordance = Concordance(keys.op, keys.req)
        self.reach: int | None = None
        """Entries that it reaches to; None for all."""

    async def find(self, question: Question, start: int, end: int, *, limit: int) -> tuple[list[int], int]:
        """`Words.find`."""
        before = -1
        while before < (before := self.concordance.size):
            read_in(self._reader, self.concordance)
        if self.reach is None:
            return find(self.concordance, question, start, end, limit)
        if start >= self.reach:
            return [], start
        return find(self.concordance, question, start, min(end, self.reach), limit)
