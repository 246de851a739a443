"""How many questions an agency has in a day, and when its look-ups are held. Pure, but for whom it found today.

    limit   one agency and one of its workers ask so many questions a day, as many as a holder of the token key
            evaluates look-ups: elements are blinded, so that a holder cannot tell what is made of them, and tokens
            once made could be asked about in any number of mixtures
    hit     a question that found somebody of another agency, whom this one has not found before on that day, by two
            keys or more, one of them of few tokens (`_NARROW`); anything else is a miss. Else a youth somebody knows,
            in every question, would pass a roster off as work, and so would other names in every key
    hold    almost all of the last look-ups were misses. Somebody who tries names from a roster finds nobody, again and
            again; a worker with a youth before them mostly finds one
    alarm   an agency or a worker has spent its day, or so many of a day's questions were only *possible*

Of the hold, the last `lookups` are looked at, and only once there are so many; after a release counting begins anew. A
hold refuses every look-up of the agency, whatever it is about, until an operator has asked why and released it; flags
can still be raised, located and resolved. It tells the agency that its last questions found nobody, at most one such
bit for `lookups` questions, and a person looks at each: that price is stated in README (Who can learn what).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from audit.hot_value import hot_value
from audit.transaction import Tx
from gateway.exchange.locate import Candidate, Found
from gateway.ports import Guard
from gateway.protocol.matching.key_scheme import load_key_scheme
from gateway.protocol.names import AgencyId, RequestId, SubjectHandle
from gateway.protocol.policy.facts import Located

_PERCENT: Final = 100
_FEW: Final = 4
_NARROW: Final = frozenset(rule.name for rule in load_key_scheme().keys if rule.pad <= _FEW)
"""Keys that have room for few guesses: the others hold near spellings of a name, or as many names."""
_SECONDS_OF_A_DAY: Final = 86_400
Count = Callable[[Tx, int], None]


class Figure(StrEnum):
    """What an alarm is about."""

    QUESTIONS = "QUESTIONS"
    """Questions of an agency on one day."""
    WORKER_QUESTIONS = "WORKER_QUESTIONS"
    """... of those, one worker's."""
    POSSIBLE = "POSSIBLE"
    """... of those, the ones that found nobody for certain, and somebody who is alike."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Questions a day (UTC)."""

    agency: int
    worker: int
    possible: int
    """How many of an agency's may be only *possible* before an alarm; none is refused for it."""


@hot_value
class Asker:
    """Who asks, on which day."""

    agency: AgencyId
    worker: str = field(repr=False)
    """The pseudonym in the assertion."""
    day: int
    """Since 1970, UTC."""


@hot_value
class Heard:
    """What a question found, as far as it is counted."""

    missed: bool
    possible: bool


def asker_of(agency: AgencyId, worker: str, received_at: datetime) -> Asker:
    """Whose question this is counted as."""
    return Asker(agency, worker, int(received_at.timestamp()) // _SECONDS_OF_A_DAY)


class FoundToday:
    """Whom each agency found on its last day, and by which question first.

    In memory alone, so that nothing at rest says whom an agency asked about: a process that starts anew, and each
    replica, counts every youth as found once more.
    """

    def __init__(self) -> None:
        self._by_agency: dict[AgencyId, tuple[int, dict[tuple[AgencyId, SubjectHandle], RequestId]]] = {}

    def heard(self, asker: Asker, request: RequestId, found: Found) -> Heard:
        """What this question found; the same, however often it is worked out."""
        day, firsts = self._by_agency.get(asker.agency, (-1, {}))
        if day != asker.day:
            firsts = {}
            self._by_agency[asker.agency] = asker.day, firsts
        others = ((each.owner, each.handle) for each in found.likely if each.owner != asker.agency and _is_one(each))
        hits = [firsts.setdefault(each, request) == request for each in others]
        return Heard(missed=not any(hits), possible=found.located in (Located.POSSIBLE, Located.AMBIGUOUS))


def _is_one(candidate: Candidate) -> bool:
    """Whether it agrees as one youth written twice does, and not as one of many guesses does, by one key alone."""
    return len(candidate.agreeing_keys) > 1 and not _NARROW.isdisjoint(candidate.agreeing_keys)


@dataclass(frozen=True, slots=True)
class Suspicion:
    """So many misses in percent among so many look-ups are no ordinary work."""

    lookups: int
    misses_percent: int


class Window(NamedTuple):
    """The last look-ups, the newest in the lowest bit; a set bit is a miss."""

    misses: int = 0
    length: int = 0

    def after(self, *, missed: bool, limit: int) -> "Window":
        """The window with one look-up more, and at most `limit`."""
        return Window((self.misses << 1 | missed) & ((1 << limit) - 1), min(self.length + 1, limit))

    def is_suspicious(self, suspicion: Suspicion) -> bool:
        """Whether these look-ups are no ordinary work."""
        full = self.length >= suspicion.lookups
        return full and self.misses.bit_count() * _PERCENT >= suspicion.lookups * suspicion.misses_percent


UNSEEN: Final = Window()
"""Nothing was looked up."""


class Tallied(NamedTuple):
    """What was counted for one agency, or one of its workers, on one day."""

    day: int = 0
    asked: int = 0
    possible: int = 0

    def asked_on(self, day: int) -> int:
        """Questions on that day."""
        return self.asked if self.day == day else 0

    def after(self, day: int, *, possible: bool) -> "Tallied":
        """With one question more, on that day."""
        before = self if self.day == day else Tallied(day)
        return Tallied(day, before.asked + 1, before.possible + possible)


NEVER: Final = Tallied()
"""Nothing was asked."""


def spent(agency: Tallied, worker: Tallied, asker: Asker, limits: Limits) -> Figure | None:
    """Whose day is spent, so that no more is asked; None while both have questions left."""
    if agency.asked_on(asker.day) >= limits.agency:
        return Figure.QUESTIONS
    return Figure.WORKER_QUESTIONS if worker.asked_on(asker.day) >= limits.worker else None


def reached(agency: Tallied, worker: Tallied, *, possible: bool, limits: Limits) -> Iterable[tuple[Figure, int]]:
    """Figures that the question just counted has reached, with the figure: each once a day."""
    if agency.asked == limits.agency:
        yield Figure.QUESTIONS, limits.agency
    if worker.asked == limits.worker:
        yield Figure.WORKER_QUESTIONS, limits.worker
    if possible and agency.possible == limits.possible:
        yield Figure.POSSIBLE, limits.possible


class Tally(Protocol):
    """What agencies asked and found, counted with the leaves of their questions."""

    def asked(self, asker: Asker, heard: Heard | None) -> tuple[Guard, Count | None]:
        """The guard and the counting of one question, by rows that are found by key (`Append.is_brief`).

        The guard refuses, by raising `Exhausted`, a look-up of an agency whose look-ups are held (LOOKUPS_HELD); and,
        of those that count, one for which the agency or the worker has no question left today (QUESTIONS_EXHAUSTED).
        The other counts the question in the transaction of its leaf; it reads nothing anew, and so follows the guard.
        `heard` is None for a question that does not count.
        """

    async def settle(self, agency: AgencyId) -> None:
        """Alarms that became due are leaves, and look-ups that became suspicious are held. Raises `Unavailable`."""
