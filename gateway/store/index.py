"""The blind index in the database: tokens to candidates.

Decides how tokens rest: under an HMAC whose key is not in the database, so that a stolen copy
cannot be compared with tokens somebody knows (TOKENS §4.2).
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, literal_column, select

from audit.statement import Params, Statement
from audit.transaction import Tx
from gateway.exchange.coverage import Listing, Scope
from gateway.exchange.locate import Candidate, FlagRow, Verdicts
from gateway.ports import YouthKeys
from gateway.protocol.match_keys import naming_tokens
from gateway.protocol.matching.key_scheme import load_key_scheme, split_tokens
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, FlagState, Restriction, SubjectHandle
from gateway.protocol.policy.facts import moment_of
from gateway.store.flags import open_flag
from gateway.store.lookups import Lookups
from gateway.store.resting import AtRest
from gateway.store.reviews import NAMED, said
from gateway.store.succession import last_loss_ms
from gateway.store.tables import flag, index_token, listing, subject
from homeward.gateway.v1.envelope_pb2 import TokenSet

_STEP: Final = 8
_RECORDS: Final = Statement(select(func.count()).select_from(subject))
# A list may have changed, and a flag been raised, in entries that were declared lost: only what was said since counts.
_LISTINGS: Final = Statement(
    select(listing.c.owner, listing.c.scope, listing.c.heartbeat_ms, listing.c.epochs).where(
        listing.c.heartbeat_ms > func.coalesce(last_loss_ms(), literal_column("-1"))
    )
)


Sought = tuple[str, bytes, AgencyId, bytes]
"""An epoch with the tokens of the keys that are present, and an agency with those by which it names a youth; as they
rest, one after another."""
LookedUp = tuple[Sequence[Params], Sequence[Params]]
"""Rows of `shared_tokens` and of `NAMED`."""


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
        present, naming = load_key_scheme().present(tokens), naming_tokens(tokens)
        # What names a youth is among the keys that are present, and is made into its resting form with them once more:
        # cheaper than finding it there.
        resting = self.at_rest(tokens.epoch, present + naming)
        sought = (tokens.epoch, resting[: len(present)], asking, resting[len(present) :])
        find = self._find if self.find is None else self.find
        shared, named = await find(sought)
        return await self._candidates(shared), said(named)

    async def _find(self, sought: Sought) -> LookedUp:
        return await self.lookups.read(lambda tx: looked_up(tx.all, sought))

    async def _candidates(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[Candidate]:
        keys: dict[tuple[str, bytes], set[int]] = defaultdict(set)
        firsts: dict[tuple[str, bytes], tuple[Any, ...]] = {}
        for key, owner, handle, *rest in rows:
            keys[owner, handle].add(key)
            firsts[owner, handle] = tuple(rest)
        return [
            _candidate(owner, handle, keys[owner, handle], row[:3], await self._flag(owner, handle, row[3:]))
            for (owner, handle), row in firsts.items()
        ]

    async def _flag(self, owner: str, handle: bytes, row: tuple[Any, ...]) -> FlagRow | None:
        flag_id, state, version, sealed = row
        key = None if flag_id is None else await self.youth_keys.find(AgencyId(owner), SubjectHandle(handle))
        if key is None:
            return None
        statement, _ = open_flag(sealed, key, flag_id=flag_id)
        return FlagRow(flag_id, FlagState(state), version, statement)

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


def looked_up(rows: Callable[[Statement, Params], Sequence[Params]], sought: Sought) -> LookedUp:
    """What `rows` finds."""
    epoch, present, asking, naming = sought
    wanted = split_tokens(present)
    # One statement for each multiple of eight keeps the number of compiled texts small; repeats do no harm.
    size = -(-len(wanted) // _STEP) * _STEP
    shared = rows(shared_tokens(size), (epoch, *wanted, *wanted[-1:] * (size - len(wanted))))
    return shared, rows(NAMED, (asking, *split_tokens(naming)))


@cache
def shared_tokens(size: int) -> Statement:
    """Rows of the index that share one of so many tokens, of an epoch; it takes the epoch and the resting tokens."""
    names = [f"token_{position}" for position in range(size)]
    joined = index_token.join(subject, subject.c.ref == index_token.c.ref).outerjoin(
        flag,
        and_(
            flag.c.owner == subject.c.owner,
            flag.c.handle == subject.c.handle,
            flag.c.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)]),
        ),
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
        .where(
            and_(
                index_token.c.epoch == bindparam("epoch"),
                index_token.c.token.in_([bindparam(name) for name in names]),
            )
        )
    )
    return Statement(clause, "epoch", *names)


def _candidate(owner: str, handle: bytes, agreeing: set[int], row: tuple[Any, ...], flag: FlagRow | None) -> Candidate:
    restriction, placement_county, presence = row
    scheme = load_key_scheme()
    return Candidate(
        owner=AgencyId(owner),
        handle=SubjectHandle(handle),
        agreeing_keys=frozenset(scheme.keys[place].name for place in agreeing),
        carried_keys=scheme.carried(presence),
        restriction=Restriction(restriction),
        placement_county=placement_county,
        flag=flag,
    )
