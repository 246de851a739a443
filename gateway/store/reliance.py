"""On which link's word an entry told of a youth, in the database: `exchange.reliance.Reliance`.

Decides how a row says which entry: by the counter of the mark that the entry carries, under the youth's key
(`row_seal`), so that the rows of a youth that was sealed lead nowhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import LargeBinary, and_, bindparam, delete, insert, select

from audit.entry import Draft, YouthKey, youth_tag
from audit.statement import Params, Statement
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.reliance import Account, Pair
from gateway.exchange.reviews import Review, Said
from gateway.ports import Guard, Rows, YouthKeys
from gateway.protocol.match_keys import naming_tokens
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.outcomes import Reason
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.reviews import NAMING_TOKENS
from gateway.store.row_seal import open_row, seal_row
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
        ["review_id", "sealed"],
        select(_R.review_id, bindparam("sealed_", type_=LargeBinary)).select_from(_JOINED).where(_LINKS).distinct(),
    ),
    "sealed_", *_PAIR,
)  # fmt: skip
_ON: Final = Statement(select(relied_link.c.sealed).where(relied_link.c.review_id == bindparam("review_")), "review_")
_TABLE: Final = relied_link.name
_SETTLE: Final = Statement(delete(relied_link).where(relied_link.c.review_id == bindparam("review_")), "review_")


@dataclass(frozen=True, slots=True)
class SqlReliance:
    """`exchange.reliance.Reliance` on the database. `at_rest` is the index's."""

    lookups: Lookups
    at_rest: AtRest
    youth_keys: YouthKeys = field(repr=False)

    def linked(self, pair: Pair, refused: Callable[[Reason], Draft]) -> Guard:
        """Puts a refusal in the place of what is told on the account of a link that ended meanwhile."""
        values = self._values(pair)

        def guard(tx: Tx) -> Draft | None:
            return None if tx.one(_LINKED, values) is not None else refused(Reason.NO_MATCH)

        return guard

    def relied(self, pair: Pair, youth: YouthKey) -> Rows:
        """The entry is on the account of the pair's link, of each where two questions at once opened two reviews."""
        sealed = seal_row(youth.counter.to_bytes(8, "big"), youth.key, table=_TABLE, row=pair.handle)
        return ((_RELY, (sealed, *self._values(pair))),)

    async def relying(self, review: Review) -> Account:
        """The entries on this link's account."""
        rows = frozenset(bytes(sealed) for (sealed,) in await self.lookups.all(_ON, (review.review_id,)))
        key = await self.youth_keys.find(review.owner, review.handle) if rows else None
        if key is None:
            return Account(rows, ())
        counters = sorted(
            int.from_bytes(open_row(sealed, key, table=_TABLE, row=review.handle), "big") for sealed in rows
        )
        return Account(rows, tuple(youth_tag(YouthKey(key, counter)) for counter in counters))

    def unchanged(self, review_id: bytes, account: Account) -> Guard:
        """Raises `Moved` unless this still is the link's account."""

        def guard(tx: Tx) -> Draft | None:
            if {bytes(sealed) for (sealed,) in tx.all(_ON, (review_id,))} != account.rows:
                raise Moved
            return None

        return guard

    def settled(self, review_id: bytes) -> Rows:
        """The link's account is empty."""
        return ((_SETTLE, (review_id,)),)

    def _values(self, pair: Pair) -> Params:
        naming = split_tokens(self.at_rest(pair.tokens.epoch, naming_tokens(pair.tokens)))
        return (pair.asking, *naming, pair.owner, pair.handle, str(Said.SAME))
