"""What is measured: the echo, flag checks of three kinds, batches, placement lookups.

Decides the questions. `mixed` is one hit in ten: most youths whom an intake desk asks about are not being looked for.
A hit costs more, because the answer carries the owner's statement and the owner is told (an alert, its delivery over
the stream, its acknowledgement with a leaf of its own).
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Final

from gateway.protocol.names import FieldSet
from gateway.protocol.outcomes import Outcome
from tests.bench import echo
from tests.bench.asker import SERVICE, Asker, Prepared, Wanted, strangers
from tests.bench.exchange import Exchange
from tests.bench.load import Peer
from tests.bench.rounds import Subject
from tests.bench.verify import AnswerWrong, Judge

ECHO: Final = "echo"
FLAG: Final = (1, 16, 64)
HIT_EVERY: Final = 10
_RECORD: Final = (FieldSet.FS4_PLACEMENT_SUMMARY,)


def echo_subject(peer: Peer, pid: int) -> Subject:
    """The bare server."""

    def prepare(count: int) -> Sequence[Prepared]:
        return [Prepared(echo.message(), ()) for _ in range(count)]

    def judge(asked: Sequence[Prepared], replies: Sequence[bytes]) -> None:
        if [each.message for each in asked] != list(replies):
            raise AnswerWrong("an echo of something else")

    return Subject(ECHO, echo.PATH, peer, prepare, judge, {"server": pid}, FLAG)


@dataclass(frozen=True, slots=True)
class Subjects:
    """The product's."""

    exchange: Exchange
    judge: Judge

    def all(self) -> list[Subject]:
        """Everything that is compared with the echo."""
        return [
            self._flags("flag check, miss", self._misses),
            self._flags("flag check, hit", self._hits),
            self.mixed(),
            self._streamed("flag check over a stream, miss", self._misses),
            self.streamed(),
            self._batch(10),
            self._batch(50),
            self._records(),
        ]

    def mixed(self) -> Subject:
        """One hit in ten."""
        return self._flags("flag check, mixed", self._mixed)

    def _flags(self, name: str, youths: Callable[[], Iterator[Wanted]]) -> Subject:
        asker = self.exchange.finder

        def prepare(count: int) -> Sequence[Prepared]:
            wanted = youths()
            return [asker.flag_check(next(wanted)) for _ in range(count)]

        return self._subject(
            name, "CheckFlag", asker, prepare, lambda asked, replies: self.judge.flag_checks(asker, asked, replies)
        )

    def streamed(self) -> Subject:
        """The same over one stream, as an adapter asks."""
        return self._streamed("flag check over a stream, mixed", self._mixed)

    def _streamed(self, name: str, youths: Callable[[], Iterator[Wanted]]) -> Subject:
        return replace(self._flags(name, youths), path=SERVICE + "StreamFlagChecks", streamed=True)

    def _batch(self, size: int) -> Subject:
        asker = self.exchange.finder

        def prepare(count: int) -> Sequence[Prepared]:
            wanted = self._mixed()
            return [asker.flag_checks([next(wanted) for _ in range(size)]) for _ in range(count)]

        return self._subject(
            f"batch of {size}, mixed",
            "CheckFlags",
            asker,
            prepare,
            lambda asked, replies: self.judge.batches(asker, asked, replies),
            items=size,
        )

    def _records(self) -> Subject:
        asker = self.exchange.placer

        def prepare(count: int) -> Sequence[Prepared]:
            youths = cycle(self.exchange.unflagged)
            return [asker.records(Wanted(next(youths), Outcome.ANSWERED), _RECORD) for _ in range(count)]

        return self._subject(
            "placement lookup",
            "RequestRecords",
            asker,
            prepare,
            lambda asked, replies: self.judge.records(asker, asked, replies),
        )

    def _subject(
        self,
        name: str,
        method: str,
        asker: Asker,
        prepare: Callable[[int], Sequence[Prepared]],
        judge: Callable[[Sequence[Prepared], Sequence[bytes]], None],
        *,
        outstanding: tuple[int, ...] = FLAG,
        items: int = 1,
    ) -> Subject:
        return Subject(name, SERVICE + method, asker.peer, prepare, judge, self.exchange.pids(), outstanding, items)

    def _misses(self) -> Iterator[Wanted]:
        stranger = strangers(self.exchange.flagged[0])
        while True:
            yield Wanted(stranger(), Outcome.NO_ACTIVE_FLAG_FOUND)

    def _hits(self) -> Iterator[Wanted]:
        for tokens in cycle(self.exchange.flagged):
            yield Wanted(tokens, Outcome.ANSWERED)

    def _mixed(self) -> Iterator[Wanted]:
        hits, misses = self._hits(), self._misses()
        # Drawn and not counted off, so that the hits of a batch do not always stand at the same place.
        source = random.Random(7)
        while True:
            yield next(hits if source.randrange(HIT_EVERY) == 0 else misses)
