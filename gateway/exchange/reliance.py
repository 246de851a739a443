"""On whose word an answer rests: what is told of a youth while a link stands is on the account of that link. Pure.

Decides when that is so: while both agencies say SAME of the pair, whatever the score would have said. What happens when
one takes it back, `link_recall` decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from audit.entry import Draft
from gateway.exchange.locate import Found, Search, Verdict
from gateway.ports import Guard, Rows
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.outcomes import Reason


@dataclass(frozen=True, slots=True)
class Pair:
    """Whom an agency asks about, and the youth that is listed."""

    asking: AgencyId
    naming: tuple[bytes, ...] = field(repr=False)
    """Tokens of the naming key."""
    epoch: str
    """Of these tokens."""
    owner: AgencyId
    handle: SubjectHandle = field(repr=False)


class Reliance(Protocol):
    """Which entries told of a youth on the word of which link."""

    def linked(self, pair: Pair, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told on the account of a link that ended meanwhile."""

    def relied(self, pair: Pair) -> Rows:
        """The entry is on the account of the pair's link."""

    async def relying(self, review_id: bytes) -> frozenset[int]:
        """The entries on this link's account."""

    def unchanged(self, review_id: bytes, indexes: frozenset[int]) -> Guard:
        """Raises `Moved` unless these entries still are the link's account."""

    def settled(self, review_id: bytes) -> Rows:
        """The link's account is empty."""


def is_linked(found: Found, search: Search) -> bool:
    """Whether both agencies said that the one youth found is the one asked about."""
    one = found.candidate
    return one is not None and search.verdicts.get((one.owner, one.handle)) is Verdict.SAME
