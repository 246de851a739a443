"""On which link's word an entry told of a youth, in the database: `exchange.reliance.Reliance`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, and_, bindparam, delete, insert, select

from audit.entry import Draft
from audit.sequencer import INDEX
from audit.statement import Params, Statement
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.reliance import Pair
from gateway.exchange.reviews import Said
from gateway.ports import Guard, Rows
from gateway.protocol.outcomes import Reason
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.reviews import NAMING_TOKENS
from gateway.store.tables import relied_link, review, review_token

_R, _T = review.c, review_token.c
_LINKS: Final = and_(
    _T.asking == bindparam("asking_"),
    _T.token.in_([bindparam(name) for name in NAMING_TOKENS]),
    _R.owner == bindparam("owner_"),
    _R.handle == bindparam("handle_"),
    _R.asking_said == bindparam("said_"),
    _R.owner_said == bindparam("said_"),
)
_JOINED: Final = review_token.join(review, _T.review_id == _R.review_id)
_PAIR: Final = ("asking_", *NAMING_TOKENS, "owner_", "handle_", "said_")
_LINKED: Final = Statement(select(_R.review_id).select_from(_JOINED).where(_LINKS), *_PAIR)
_RELY: Final = Statement(
    insert(relied_link)
    .inline()
    .from_select(
        ["review_id", "leaf_index"],
        select(_R.review_id, bindparam("index_", type_=BigInteger)).select_from(_JOINED).where(_LINKS).distinct(),
    ),
    "index_", *_PAIR,
)  # fmt: skip
_ON: Final = Statement(
    select(relied_link.c.leaf_index).where(relied_link.c.review_id == bindparam("review_")), "review_"
)
_SETTLE: Final = Statement(delete(relied_link).where(relied_link.c.review_id == bindparam("review_")), "review_")


@dataclass(frozen=True, slots=True)
class SqlReliance:
    """`exchange.reliance.Reliance` on the database. `at_rest` is the index's."""

    lookups: Lookups
    at_rest: AtRest

    def linked(self, pair: Pair, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told on the account of a link that ended meanwhile."""
        values = self._values(pair)

        def guard(tx: Tx) -> Draft | None:
            return None if tx.one(_LINKED, values) is not None else refused(Reason.NO_MATCH)

        return guard

    def relied(self, pair: Pair) -> Rows:
        """The entry is on the account of the pair's link, of each where two questions at once opened two reviews."""
        return ((_RELY, (INDEX, *self._values(pair))),)

    async def relying(self, review_id: bytes) -> frozenset[int]:
        """The entries on this link's account."""
        return frozenset(int(index) for (index,) in await self.lookups.all(_ON, (review_id,)))

    def unchanged(self, review_id: bytes, indexes: frozenset[int]) -> Guard:
        """Raises `Moved` unless these entries still are the link's account."""

        def guard(tx: Tx) -> Draft | None:
            if {int(index) for (index,) in tx.all(_ON, (review_id,))} != indexes:
                raise Moved
            return None

        return guard

    def settled(self, review_id: bytes) -> Rows:
        """The link's account is empty."""
        return ((_SETTLE, (review_id,)),)

    def _values(self, pair: Pair) -> Params:
        return (pair.asking, *self.at_rest(pair.epoch, pair.naming), pair.owner, pair.handle, str(Said.SAME))
