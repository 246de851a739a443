"""Rows of which the log holds no digest that leads to them, and yet how many there must be at least.

Entries count youths that are listed, and name agencies that joined; a table that was emptied, or one from which rows
were taken, holds fewer than they say. Decides what can be said for certain from the entries alone, and nothing that
anybody but the exchange has said: a number that a county could make up must keep no gateway shut.

    member        every agency that joined is a member; none ever leaves the table
    subject       what one registration lists stays until removed or sealed, or until another adapter takes its place
    index_token   a listed youth has tokens, as long as the token key was never rotated
    spent         a registration spends its identifier

A declared loss may be one of rows, which come back otherwise: members from the directory, youths when they are listed
again. So what was counted before one counts no more, and of youths nothing does;
nor where some that were sealed came back with an older database, and were removed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import and_, bindparam, func, not_, select

from audit.entry import StoredEntry
from audit.errors import EvidenceError, EvidenceReason
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.protocol.log_kinds import Kind
from gateway.store import tables
from gateway.store.succession import last_loss

COUNTED: Final = frozenset({Kind.SEAL_ENFORCED})
"""Kinds that nothing else is derived from."""
_SEALS: Final = frozenset({Kind.SEAL_RESTRICTED, Kind.SEAL_DESTROYED})
_S, _T = tables.subject.c, tables.index_token.c
_MEMBERS: Final = Statement(select(tables.member.c.agency))
_SUBJECTS: Final = Statement(select(_S.owner, func.count()).group_by(_S.owner))
_BARE: Final = Statement(
    select(_S.owner).where(not_(select(_T.ref).where(_T.ref == _S.ref).correlate(tables.subject).exists())).limit(1)
)
_UNSPENT: Final = Statement(
    select(ENTRY.c.idx)
    .where(
        and_(
            ENTRY.c.kind == str(Kind.INDEX_REGISTERED),
            ENTRY.c.idx > bindparam("since"),
            ENTRY.c.idx.not_in(select(tables.spent.c.leaf_index)),
        )
    )
    .order_by(ENTRY.c.idx)
    .limit(1),
    "since",
)
_LAST_LOSS: Final = Statement(select(last_loss()))


@dataclass(slots=True)
class Counted:
    """What the entries count."""

    joined: dict[str, int] = field(default_factory=dict)
    """Each agency that joined, and by which entry."""
    listed: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each agency how many youths it lists at least, and by which registration."""
    sealed: dict[str, int] = field(default_factory=dict)
    """How many seals each agency ordered: youths that it can no longer list."""
    is_countable: bool = True

    def apply(self, entry: StoredEntry, said: Mapping[str, bytes]) -> None:
        """The entry counts; `said` are its fields."""
        if entry.kind == Kind.ENROLL_REDEEMED:
            self.joined[said["agency"].decode()] = entry.index
            if "removed" in said:
                self.listed.pop(entry.requester, None)
        elif entry.kind == Kind.INDEX_REGISTERED:
            self._list(entry, int(said["listed"]), int(said["removed"]))
        elif entry.kind == Kind.SEAL_ENFORCED:
            self.is_countable = False
        elif entry.kind in _SEALS:
            self.sealed[entry.requester] = self.sealed.get(entry.requester, 0) + 1
            before, index = self.listed.get(entry.requester, (0, entry.index))
            self.listed[entry.requester] = before - 1, index

    def check(self, tx: Tx, *, is_rotated: bool) -> None:
        """Holds if the tables have what is counted. Raises EvidenceError(PROJECTION)."""
        (lost,) = tx.one(_LAST_LOSS) or (None,)
        since = -1 if lost is None else int(lost)
        members = {agency for (agency,) in tx.all(_MEMBERS)}
        for agency, index in self.joined.items():
            if index > since and agency not in members:
                raise _too_few("a member", index)
        for (index,) in tx.all(_UNSPENT, (since,)):
            raise _too_few("a request that was carried out", index)
        if lost is None:
            if not is_rotated and tx.one(_BARE) is not None:
                raise _too_few("a token of a listed youth", None)
            self._check_listed(tx)

    def _check_listed(self, tx: Tx) -> None:
        stored = {owner: int(count) for owner, count in tx.all(_SUBJECTS)}
        for owner, (least, index) in self.listed.items():
            if self.is_countable and stored.get(owner, 0) < least:
                raise _too_few("a listed youth", index)

    def _list(self, entry: StoredEntry, listed: int, removed: int) -> None:
        before, index = self.listed.get(entry.requester, (0, entry.index))
        # Whom one registration lists are so many youths; of sealed ones among them there is no row.
        least = listed - self.sealed.get(entry.requester, 0)
        self.listed[entry.requester] = max((before - removed, index), (least, entry.index))


def _too_few(what: str, index: int | None) -> EvidenceError:
    text = f"{what} is missing in the database: the log counts more than there are"
    return EvidenceError(EvidenceReason.PROJECTION, text, index=index)
