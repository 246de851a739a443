"""Possible matches in the database: `exchange.reviews.Reviews`.

Decides by what an agency's next question finds the reviews that may be of the same youth: a shared token of the
naming key, as it rests in the index; whether one is of the same pair, the question decides (`exchange/locate`). Tokens
end with their epoch, and reviews with them: after a rotation the two are asked anew. Which question opened a review,
and when who said what of it, rests under the key of the youth that may be meant (`row_seal`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final

from sqlalchemy import and_, bindparam, insert, select

from audit.entry import Draft, YouthKey
from audit.statement import Params, Statement, upsert
from audit.transaction import Tx
from gateway.exchange.deed import Moved
from gateway.exchange.locate import Judged, Verdict, Verdicts
from gateway.exchange.reviews import Review, Said, verdict_of
from gateway.ports import Guard, Rows, YouthKeys
from gateway.protocol.match_keys import DECISIVE_KEY, naming_tokens
from gateway.protocol.matching.key_scheme import SCHEME, load_key_scheme, split_tokens
from gateway.protocol.matching.score import Comparison
from gateway.protocol.names import AgencyId, RequestId, SubjectHandle
from gateway.store.listed import stays_listed
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.row_seal import open_row, seal_row
from gateway.store.tables import review, review_token
from homeward.gateway.v1.envelope_pb2 import TokenSet

_R, _T = review.c, review_token.c
_PAD: Final = next(rule.pad for rule in load_key_scheme().keys if rule.name == DECISIVE_KEY)
NAMING_TOKENS: Final = tuple(f"token_{place}" for place in range(_PAD))
"""Names of the parameters that take what an agency names a youth by."""
_CLEAR: Final = (_R.owner, _R.handle, _R.scheme, _R.agreeing, _R.differing, _R.asking_said, _R.owner_said)
NAMED: Final = Statement(
    select(*_CLEAR)
    .select_from(review_token.join(review, _T.review_id == _R.review_id))
    .where(and_(_T.asking == bindparam("asking_"), _T.token.in_([bindparam(name) for name in NAMING_TOKENS]))),
    "asking_",
    *NAMING_TOKENS,
)
"""What was said of youths that this agency named by one of these tokens, as they rest: rows for `said`."""
_GET: Final = Statement(select(review).where(_R.review_id == bindparam("review_")), "review_")
_VERSION: Final = Statement(select(_R.version).where(_R.review_id == bindparam("review_")), "review_")
_JUDGED: Final = Statement(select(*_CLEAR).where(_R.scheme == bindparam("scheme_")).order_by(_R.review_id), "scheme_")
_TABLE: Final = review.name
_PUT: Final = upsert(review, "review_id")
_PUT_TOKEN: Final = Statement(insert(review_token))
_SAID_AT: Final = Struct(">QQ")
"""When the asking and the listing agency said what they say; the question's identifier follows."""


@dataclass(frozen=True, slots=True)
class SqlReviews:
    """`exchange.reviews.Reviews` on the database. `at_rest` is the index's."""

    lookups: Lookups
    at_rest: AtRest
    youth_keys: YouthKeys = field(repr=False)

    async def get(self, review_id: bytes) -> Review | None:
        """The review, or None."""
        rows = await self.lookups.all(_GET, (review_id,))
        if not rows:
            return None
        key = await self.youth_keys.find(AgencyId(rows[0][2]), SubjectHandle(bytes(rows[0][3])))
        return None if key is None else _review(rows[0], key)

    def opened(self, review: Review, tokens: TokenSet, key: YouthKey) -> Rows:
        """The two agencies are asked; `tokens` name whom the question was about, `key` is of the youth it may mean."""
        named = ((_PUT_TOKEN, (review.asking, rest, review.review_id, tokens.epoch)) for rest in self._named(tokens))
        return (*self.judged(review, key), *named)

    def openable(self, review: Review) -> Guard:
        """Raises `Moved` when the youth that may be meant is listed no longer: removed, or sealed."""
        return stays_listed(review.owner, review.handle)

    def judged(self, review: Review, key: YouthKey) -> Rows:
        """The review's verdicts are these; `key` is of the youth that may be meant."""
        scheme = load_key_scheme()
        content = _SAID_AT.pack(review.asking_ms, review.owner_ms) + review.request_id
        values = (
            review.review_id,
            review.asking,
            review.owner,
            review.handle,
            SCHEME,
            scheme.presence(review.comparison.agreeing),
            scheme.presence(review.comparison.differing),
            str(review.asking_said),
            str(review.owner_said),
            review.version,
            seal_row(content, key.key, table=_TABLE, row=review.review_id),
        )
        return ((_PUT, values),)

    def stands(self, review: Review) -> Guard:
        """Raises `Moved` unless the review still is this."""

        def guard(tx: Tx) -> Draft | None:
            if tx.one(_VERSION, (review.review_id,)) != (review.version,):
                raise Moved
            return None

        return guard

    def _named(self, tokens: TokenSet) -> tuple[bytes, ...]:
        return split_tokens(self.at_rest(tokens.epoch, naming_tokens(tokens)))


def said(rows: Iterable[Params]) -> Verdicts:
    """What rows of `NAMED` say."""
    found: dict[tuple[AgencyId, SubjectHandle], list[Judged]] = {}
    for owner, handle, *compared, asking_said, owner_said in rows:
        judged = Judged(verdict_of(Said(asking_said), Said(owner_said)), _comparison(*compared))
        found.setdefault((AgencyId(owner), SubjectHandle(bytes(handle))), []).append(judged)
    return found


def judged_pairs(tx: Tx) -> Iterator[tuple[Comparison, bool]]:
    """Every pair that was decided under the scheme in use, and whether it is one youth."""
    for _, _, scheme, agreeing, differing, asking_said, owner_said in tx.all(_JUDGED, (SCHEME,)):
        verdict = verdict_of(Said(asking_said), Said(owner_said))
        if verdict is not Verdict.OPEN:
            yield _comparison(scheme, agreeing, differing), verdict is Verdict.SAME


def _comparison(scheme: str, agreeing: int, differing: int) -> Comparison:
    keys = load_key_scheme(scheme)
    return Comparison(keys.carried(agreeing), keys.carried(differing))


def _review(row: Sequence[Any], key: bytes) -> Review:
    review_id, asking, owner, handle, scheme, agreeing, differing, asking_said, owner_said, version, sealed = row
    content = open_row(sealed, key, table=_TABLE, row=bytes(review_id))
    asking_ms, owner_ms = _SAID_AT.unpack_from(content)
    return Review(
        review_id=bytes(review_id),
        asking=AgencyId(asking),
        request_id=RequestId(content[_SAID_AT.size :]),
        owner=AgencyId(owner),
        handle=SubjectHandle(bytes(handle)),
        comparison=_comparison(scheme, agreeing, differing),
        asking_said=Said(asking_said),
        asking_ms=asking_ms,
        owner_said=Said(owner_said),
        owner_ms=owner_ms,
        version=version,
    )
