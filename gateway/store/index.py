"""The blind index in the database: tokens to candidates.

Decides how tokens rest: under an HMAC whose key is not in the database, so that a stolen copy
cannot be compared with tokens somebody knows (TOKENS §4.2).
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, and_, bindparam, case, func, literal_column, select

from audit.statement import Params, Statement, pieces
from audit.transaction import Tx
from gateway.exchange.coverage import Listing, Scope
from gateway.exchange.locate import Candidate, FlagRow, Verdicts
from gateway.ports import YouthKeys
from gateway.protocol.match_keys import naming_tokens
from gateway.protocol.matching.key_scheme import load_key_scheme, split_tokens
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, FlagState, Restriction, SubjectHandle
from gateway.protocol.oprf import TOKEN_LENGTH
from gateway.protocol.policy.facts import moment_of
from gateway.store.flags import open_flag
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.reviews import NAMED, said
from gateway.store.succession import last_loss_ms
from gateway.store.tables import flag, index_token, listing, subject
from homeward.gateway.v1.envelope_pb2 import TokenSet

_RECORDS: Final = Statement(select(func.count()).select_from(subject))
# A list may have changed, and a flag been raised, in entries that were declared lost: only what was said since counts.
_LISTINGS: Final = Statement(
    select(listing.c.owner, listing.c.scope, listing.c.heartbeat_ms, listing.c.epochs).where(
        listing.c.heartbeat_ms > func.coalesce(last_loss_ms(), literal_column("-1"))
    )
)


_MOST: Final = load_key_scheme().elements
_MOST_BYTES: Final = _MOST * TOKEN_LENGTH


def _shared_tokens() -> Statement:
    place, token = pieces(bindparam("tokens", type_=LargeBinary), TOKEN_LENGTH, most=_MOST)

    def placed(value: ColumnElement[str]) -> ColumnElement[str]:
        # Depends on the place in form alone. A condition on one table by itself, and SQLite would read that table from
        # end to end for each question, to make a filter of its keys, once somebody had run ANALYZE on the database.
        return case((place.c.at > literal_column("0"), value))

    joined = (
        place.join(index_token, index_token.c.token == token)
        .join(subject, subject.c.ref == index_token.c.ref)
        .outerjoin(
            flag,
            and_(
                flag.c.owner == subject.c.owner,
                flag.c.handle == subject.c.handle,
                placed(flag.c.state).in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)]),
            ),
        )
    )
    clause = (
        select(
            index_token.c.key,
            subject.c.owner,
            subject.c.handle,
            subject.c.restriction,
            subject.c.placement_county,
            subject.c.presence,
            flag.c.flag_id,
            flag.c.state,
            flag.c.version,
            flag.c.sealed,
        )
        .select_from(joined)
        .where(index_token.c.epoch == placed(bindparam("epoch")))
    )
    return Statement(clause, "epoch", "tokens")


SHARED_TOKENS: Final = _shared_tokens()
"""Rows of the index that share a token, of an epoch; it takes the epoch and resting tokens, one after another."""
Sought = tuple[str, bytes, AgencyId, bytes]
"""An epoch with the tokens of the keys that are present, and an agency with those by which it names a youth; as they
rest, one after another."""
LookedUp = tuple[Sequence[Params], Sequence[Params]]
"""Rows of `SHARED_TOKENS` and of `NAMED`."""


@dataclass(frozen=True, slots=True)
class SqlIndex:
    """`ports.SubjectIndex` on the database."""

    lookups: Lookups
    at_rest: AtRest
    youth_keys: YouthKeys = field(repr=False)
    find: Callable[[Sought], Awaitable[LookedUp]] | None = None
    """As `looked_up`, elsewhere."""

    async def look_up(self, asking: AgencyId, tokens: TokenSet) -> tuple[Sequence[Candidate], Verdicts]:
        """`ports.SubjectIndex`."""
        sought = sought_of(asking, tokens, self.at_rest(tokens.epoch, tokens.tokens))
        find = self._find if self.find is None else self.find
        shared, named = await find(sought)
        return [await self._seen(each) for each in candidates(shared)], said(named)

    async def _seen(self, candidate: Candidate) -> Candidate:
        """Without its flag where its youth's key is gone."""
        if candidate.flag is None or await self.youth_keys.find(candidate.owner, candidate.handle) is not None:
            return candidate
        return replace(candidate, flag=None)

    async def statement(self, candidate: Candidate) -> bytes | None:
        """`ports.SubjectIndex`."""
        key = await self.youth_keys.find(candidate.owner, candidate.handle)
        if candidate.flag is None or key is None:
            return None
        statement, _ = open_flag(candidate.flag.sealed, key, flag_id=candidate.flag.flag_id)
        return statement

    async def _find(self, sought: Sought) -> LookedUp:
        return await self.lookups.read(lambda tx: looked_up(tx.all, sought))

    async def records(self) -> int:
        """How many youths are listed."""
        return int((await self.lookups.all(_RECORDS))[0][0])

    async def listings(self) -> Sequence[Listing]:
        """The last heartbeat of every agency."""
        return await self.lookups.read(read_listings)


def read_listings(tx: Tx) -> list[Listing]:
    """The last heartbeat of every agency, since the log was last declared to have lost entries."""
    return [
        Listing(AgencyId(owner), Scope(scope), moment_of(heartbeat), frozenset(epochs.split()))
        for owner, scope, heartbeat, epochs in tx.all(_LISTINGS)
    ]


def sought_of(asking: AgencyId, tokens: TokenSet, resting: bytes) -> Sought:
    """What is looked for where an agency asks about these; `resting` are all of them, in their order, as they rest."""
    rest = TokenSet(epoch=tokens.epoch, scheme=tokens.scheme, presence=tokens.presence, tokens=resting)
    return tokens.epoch, load_key_scheme().present(rest), asking, naming_tokens(rest)


def looked_up(rows: Callable[[Statement, Params], Sequence[Params]], sought: Sought) -> LookedUp:
    """What `rows` finds. Raises ValueError for more tokens than the scheme has."""
    epoch, present, asking, naming = sought
    if len(present) > _MOST_BYTES:
        # The statement would pass the last of them over, and a youth be missed.
        raise ValueError("more tokens than the scheme has")
    shared = rows(SHARED_TOKENS, (epoch, present))
    return shared, rows(NAMED, (asking, *split_tokens(naming)))


def candidates(rows: Sequence[Params]) -> list[Candidate]:
    """Who stands in rows of `SHARED_TOKENS`."""
    keys: dict[tuple[str, bytes], set[int]] = defaultdict(set)
    firsts: dict[tuple[str, bytes], tuple[Any, ...]] = {}
    for key, owner, handle, *rest in rows:
        keys[owner, handle].add(key)
        firsts[owner, handle] = tuple(rest)
    return [_candidate(owner, handle, keys[owner, handle], row) for (owner, handle), row in firsts.items()]


def _candidate(owner: str, handle: bytes, agreeing: set[int], row: tuple[Any, ...]) -> Candidate:
    restriction, placement_county, presence, flag_id, state, version, sealed = row
    scheme = load_key_scheme()
    return Candidate(
        owner=AgencyId(owner),
        handle=SubjectHandle(handle),
        agreeing_keys=frozenset(scheme.keys[place].name for place in agreeing),
        carried_keys=scheme.carried(presence),
        restriction=Restriction(restriction),
        placement_county=placement_county,
        flag=None if flag_id is None else FlagRow(flag_id, FlagState(state), version, sealed),
    )
