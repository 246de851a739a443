"""When the look-ups of an agency are held: almost all of the last ones found nobody. Pure.

Somebody who tries names from a roster finds nobody, again and again; a worker with a youth before them mostly finds
one. A miss is a question with which nobody shares a decisive token: what the exchange knows and no holder of the token
key can. The last `lookups` are looked at, and only once there are so many; after a release counting begins anew.

A hold refuses every look-up of the agency, whatever it is about, until an operator has asked why and released it; flags
can still be raised, located and resolved. It tells the agency that its last questions found nobody, at most one such
bit for `lookups` questions, and a person looks at each: that price is stated in README (Who can learn what).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from audit.entry import Draft
from audit.transaction import Tx
from gateway.protocol.names import AgencyId

_PERCENT: Final = 100
Count = Callable[[Tx, int], None]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """So many misses in percent among so many look-ups are no ordinary work."""

    lookups: int
    misses_percent: int


@dataclass(frozen=True, slots=True)
class Window:
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


class Holds(Protocol):
    """What agencies' look-ups found, counted with their leaves."""

    def guard(self, agency: AgencyId) -> Callable[[Tx], Draft | None]:
        """Refuses, by raising `Exhausted` (LOOKUPS_HELD), a look-up of an agency whose look-ups are held."""

    def count(self, agency: AgencyId, *, missed: bool) -> Count | None:
        """The look-up is counted in the transaction of its leaf; None where nothing is counted."""

    async def settle(self, agency: AgencyId) -> None:
        """If that made its look-ups suspicious, they are held, and the hold is a leaf. Raises `Unavailable`."""


class Unheld:
    """Counts nothing: where counties list flagged youths alone, almost every honest question finds nobody."""

    def guard(self, agency: AgencyId) -> Callable[[Tx], Draft | None]:
        """Refuses nothing."""
        return lambda tx: None

    def count(self, agency: AgencyId, *, missed: bool) -> None:
        """Counts nothing."""

    async def settle(self, agency: AgencyId) -> None:
        """Holds nothing."""


UNHELD: Final = Unheld()
