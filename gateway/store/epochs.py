"""Epochs of the token key in the database, by the leaves of the steps that a rotation took.

Decides what each step makes of the epochs, once for who writes it and who derives it from the log again. A gateway that
never rotated its key has no row: the one epoch is that of its share.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import bindparam, delete, func, literal_column, select

from audit.log import INDEX
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import ErrorReason, Invalid
from gateway.ports import Rows
from gateway.protocol.epochs import EpochState
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId
from gateway.store.tables import epoch, flag, index_token, pepper, review_token, subject

EPOCH_KINDS: Final = frozenset(
    {Kind.EPOCH_OPENED, Kind.EPOCH_CUT_OVER, Kind.EPOCH_ABANDONED, Kind.EPOCH_ENDED, Kind.EPOCH_ERASED}
)
_PUT: Final = upsert(epoch, "name")
_ALL: Final = Statement(select(epoch.c.name, epoch.c.state))
_DROP_PEPPERS: Final = Statement(delete(pepper).where(pepper.c.epoch == bindparam("epoch_")), "epoch_")
_TOKENS: Final = Statement(
    select(func.count()).select_from(index_token).where(index_token.c.epoch == bindparam("epoch_")), "epoch_"
)
_LINKS: Final = Statement(
    select(func.count()).select_from(review_token).where(review_token.c.epoch == bindparam("epoch_")), "epoch_"
)
_UNSEEN: Final = Statement(
    select(flag.c.owner)
    .distinct()
    .where(
        flag.c.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)]),
        ~select(index_token.c.token)
        .where(
            index_token.c.ref == subject.c.ref,
            subject.c.owner == flag.c.owner,
            subject.c.handle == flag.c.handle,
            index_token.c.epoch == bindparam("epoch_"),
        )
        .exists(),
    ),
    "epoch_",
)


def states_after(step: Kind, name: str, before: str) -> Mapping[str, EpochState]:
    """The epochs that a step changes, with what they are then. `before` is the epoch that was current until then."""
    if step is Kind.EPOCH_OPENED:
        return {before: EpochState.CURRENT, name: EpochState.FOLLOWING}
    if step is Kind.EPOCH_CUT_OVER:
        return {before: EpochState.PRECEDING, name: EpochState.CURRENT}
    return {name: EpochState.ENDED if step is Kind.EPOCH_ERASED else EpochState.ENDING}


def changed(step: Kind, name: str, before: str = "") -> Rows:
    """The step is in the table, with the index of its leaf."""
    return tuple((_PUT, (each, str(state), INDEX)) for each, state in states_after(step, name, before).items())


def drop_peppers(name: str) -> Rows:
    """What members sealed to each other of this epoch's pepper is gone."""
    return ((_DROP_PEPPERS, (name,)),)


def check_listed_in(tx: Tx, name: str) -> None:
    """The epoch has not ended meanwhile. Raises `Invalid`."""
    if read_states(tx).get(name) in (EpochState.ENDING, EpochState.ENDED):
        raise Invalid(ErrorReason.EPOCH_UNKNOWN)


def read_states(tx: Tx) -> dict[str, EpochState]:
    """Every epoch that a rotation named."""
    return {name: EpochState(state) for name, state in tx.all(_ALL)}


def count_tokens(tx: Tx, name: str) -> int:
    """Tokens of this epoch in the database: of listed youths, and of youths asked about."""
    return sum(int(tx.all(statement, (name,))[0][0]) for statement in (_TOKENS, _LINKS))


def owners_unseen(tx: Tx, name: str) -> frozenset[AgencyId]:
    """Agencies with an open flag about a youth that has no token in this epoch: nobody would find it there."""
    return frozenset(AgencyId(owner) for (owner,) in tx.all(_UNSEEN, (name,)))
