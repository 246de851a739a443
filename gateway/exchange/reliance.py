"""On whose word an answer rests: what is told of a youth while a link stands is on the account of that link. Pure.

Decides when that is so: while both agencies say SAME of the pair, whatever the score would have said. What happens when
one takes it back, `link_recall` decides.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from audit.entry import Draft, YouthKey
from gateway.exchange.reviews import Review
from gateway.ports import Guard, Rows
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.outcomes import Reason
from homeward.gateway.v1.envelope_pb2 import TokenSet


@dataclass(frozen=True, slots=True)
class Pair:
    """Whom an agency asks about, and the youth that is listed."""

    asking: AgencyId
    tokens: TokenSet = field(repr=False)
    """As the question carries them; those of the naming key say who it is."""
    owner: AgencyId
    handle: SubjectHandle = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """The entries that told of a youth on the word of a link."""

    rows: frozenset[bytes] = field(repr=False)
    """As they rest."""
    marks: tuple[bytes, ...] = field(repr=False)
    """By which they are found in the log."""


class Reliance(Protocol):
    """Which entries told of a youth on the word of which link."""

    def linked(self, pair: Pair, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told on the account of a link that ended meanwhile."""

    def relied(self, pair: Pair, youth: YouthKey) -> Rows:
        """The entry is on the account of the pair's link; `youth` is the key under which the entry carries its mark."""

    async def relying(self, review: Review) -> Account:
        """The entries on this link's account."""

    def unchanged(self, review_id: bytes, account: Account) -> Guard:
        """Raises `Moved` unless this still is the link's account."""

    def settled(self, review_id: bytes) -> Rows:
        """The link's account is empty."""
