"""Possible matches in the database: `exchange.reviews.Reviews`.

Decides by what an agency's next question about the same youth is known again: a shared token of the naming key, as it
rests in the index. Tokens end with their epoch, and reviews with them: after a rotation the two are asked anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, insert, select

from audit.entry import Draft
from audit.sequencer import INDEX
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.locate import Verdict
from gateway.exchange.reviews import Review, Said
from gateway.ports import Guard, Rows
from gateway.protocol.match_keys import DECISIVE_KEY, naming_tokens
from gateway.protocol.matching.key_scheme import SCHEME, load_key_scheme
from gateway.protocol.matching.score import Comparison
from gateway.protocol.names import AgencyId, RequestId, SubjectHandle
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.tables import review, review_token
from homeward.gateway.v1.envelope_pb2 import TokenSet

_R, _T = review.c, review_token.c
_PAD: Final = next(rule.pad for rule in load_key_scheme().keys if rule.name == DECISIVE_KEY)
NAMING_TOKENS: Final = tuple(f"token_{place}" for place in range(_PAD))
"""Names of the parameters that take what an agency names a youth by."""
_NAMED: Final = Statement(
    select(review)
    .select_from(review_token.join(review, _T.review_id == _R.review_id))
    .where(and_(_T.asking == bindparam("asking_"), _T.token.in_([bindparam(name) for name in NAMING_TOKENS]))),
    "asking_",
    *NAMING_TOKENS,
)
_GET: Final = Statement(select(review).where(_R.review_id == bindparam("review_")), "review_")
_JUDGED: Final = Statement(select(review).where(_R.scheme == bindparam("scheme_")).order_by(_R.leaf_index), "scheme_")
_PUT: Final = upsert(review, "review_id")
_PUT_TOKEN: Final = Statement(insert(review_token))
_WEIGHT: Final = {Verdict.OPEN: 0, Verdict.SAME: 1, Verdict.DIFFERENT: 2}


@dataclass(frozen=True, slots=True)
class SqlReviews:
    """`exchange.reviews.Reviews` on the database. `at_rest` is the index's."""

    lookups: Lookups
    at_rest: AtRest

    async def verdicts(self, asking: AgencyId, tokens: TokenSet) -> Mapping[tuple[AgencyId, SubjectHandle], Verdict]:
        """What was said of the youth that this agency names by one of these tokens, by candidate."""
        found: dict[tuple[AgencyId, SubjectHandle], Verdict] = {}
        for row in await self.lookups.all(_NAMED, (asking, *self._named(tokens))):
            each = _review(row)
            # Two questions at once may have opened two reviews; the one that says more, or no, counts.
            known = found.get((each.owner, each.handle), Verdict.OPEN)
            found[each.owner, each.handle] = max(known, each.verdict, key=_WEIGHT.__getitem__)
        return found

    async def get(self, review_id: bytes) -> Review | None:
        """The review, or None."""
        rows = await self.lookups.all(_GET, (review_id,))
        return _review(rows[0]) if rows else None

    def opened(self, review: Review, tokens: TokenSet) -> Rows:
        """The two agencies are asked; `tokens` name the youth that was asked about."""
        named = ((_PUT_TOKEN, (review.asking, rest, review.review_id, tokens.epoch)) for rest in self._named(tokens))
        return (*self.judged(review), *named)

    def judged(self, review: Review) -> Rows:
        """The review's verdicts are these."""
        scheme = load_key_scheme()
        values = (
            review.review_id,
            review.asking,
            review.request_id,
            review.owner,
            review.handle,
            SCHEME,
            scheme.presence(review.comparison.agreeing),
            scheme.presence(review.comparison.differing),
            str(review.asking_said),
            review.asking_ms,
            str(review.owner_said),
            review.owner_ms,
            INDEX,
        )
        return ((_PUT, values),)

    def _named(self, tokens: TokenSet) -> list[bytes]:
        return self.at_rest(tokens.epoch, naming_tokens(tokens))

    def stands(self, review: Review) -> Guard:
        """Raises `Moved` unless the review still is this."""

        def guard(tx: Tx) -> Draft | None:
            row = tx.one(_GET, (review.review_id,))
            if row is None or _review(row) != review:
                raise Moved
            return None

        return guard


def judged_pairs(tx: Tx) -> Iterator[tuple[Comparison, bool]]:
    """Every pair that was decided under the scheme in use, and whether it is one youth."""
    for row in tx.all(_JUDGED, (SCHEME,)):
        each = _review(row)
        if each.verdict is not Verdict.OPEN:
            yield each.comparison, each.verdict is Verdict.SAME


def _review(row: Sequence[Any]) -> Review:
    review_id, asking, request_id, owner, handle, scheme, agreeing, differing, *said, _ = row
    asking_said, asking_ms, owner_said, owner_ms = said
    keys = load_key_scheme(scheme)
    return Review(
        review_id=bytes(review_id),
        asking=AgencyId(asking),
        request_id=RequestId(bytes(request_id)),
        owner=AgencyId(owner),
        handle=SubjectHandle(bytes(handle)),
        comparison=Comparison(keys.carried(agreeing), keys.carried(differing)),
        asking_said=Said(asking_said),
        asking_ms=asking_ms,
        owner_said=Said(owner_said),
        owner_ms=owner_ms,
    )
