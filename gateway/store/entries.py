"""Entries of the log with their proofs: `exchange.access.Entries`, and what a retry is answered from.

Decides nothing about who may see what. Reading can take long, so it always runs in a thread, on
a connection of its own that never makes the writer wait.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select

from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from audit.log import Log, LogState
from audit.reader import Reader, Selection
from audit.receipt import Receipt
from audit.statement import Statement
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.access import size_of
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.tables import authority, subject

_SOON_SECONDS: Final = 0.001
_HANDLES: Final = Statement(select(subject.c.handle).where(subject.c.owner == bindparam("owner_")), "owner_")
_ISSUED: Final = Statement(
    select(authority.c.authority_id).where(authority.c.issuer == bindparam("issuer_")), "issuer_"
)


@dataclass(frozen=True, slots=True)
class PastEntry:
    """`ports.Entered` for an entry that was written before."""

    stored: StoredEntry
    keys: ClassKeys
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def index(self) -> int:
        """Position in the log."""
        return self.stored.index

    @property
    def guarded(self) -> bool:
        """Whether a refusal stands in its place; what was carried out has none."""
        return False

    def receipt(self, names: frozenset[str]) -> Receipt:
        """Proof of the entry, with those of its fields of class `op` and `req` open whose names are given."""
        fields = [
            *open_class(self.stored, FieldClass.OP, self.keys.op),
            *open_class(self.stored, FieldClass.REQ, self.keys.req),
        ]
        shown = tuple(sorted((each for each in fields if each.name in names), key=lambda each: each.slot))
        return Receipt(self.index, self.stored.leaf, self.stored.digests, shown, self.path, self.checkpoint)


@dataclass(frozen=True, slots=True)
class LogEntries:
    """Reads the open log."""

    log: Log
    reader: Reader
    keys: ClassKeys

    async def entry(self, index: int) -> PastEntry:
        """The entry at this index, under the newest checkpoint. Raises `Unavailable` when the log stops meanwhile."""
        while size_of(note := self.log.checkpoint) <= index:
            # It is committed and about to be signed: a repeated request can be here before the first is answered.
            if self.log.state is not LogState.OPEN:
                raise Unavailable(ErrorReason.LOG_UNAVAILABLE)
            await asyncio.sleep(_SOON_SECONDS)
        (stored,) = await self.select(Selection(start=index, end=index + 1), limit=1)
        (path,) = await self.proofs([index], size_of(note))
        return PastEntry(stored, self.keys, path, note)

    async def select(self, selection: Selection, *, limit: int) -> Sequence[StoredEntry]:
        """The first `limit` selected entries, in the order of the log."""
        return await asyncio.to_thread(self.reader.entries, selection, limit=limit)

    async def marked(self, marks: Sequence[bytes]) -> Sequence[StoredEntry]:
        """The entries that carry one of these marks, in the order of the log."""
        return sorted(await asyncio.to_thread(self.reader.marked, marks), key=lambda entry: entry.index)

    async def proofs(self, indexes: Sequence[int], size: int) -> Sequence[tuple[bytes, ...]]:
        """The inclusion proof of each entry in the tree of this size."""
        return await asyncio.to_thread(lambda: [self.reader.inclusion(index, size) for index in indexes])

    async def handles(self, owner: AgencyId) -> Sequence[SubjectHandle]:
        """Every youth this agency lists."""
        rows = await asyncio.to_thread(self.reader.read, lambda tx: tx.all(_HANDLES, (owner,)))
        return [SubjectHandle(handle) for (handle,) in rows]

    async def issued(self, issuer: AgencyId) -> Sequence[AuthorityId]:
        """Every authority that this agency recorded."""
        rows = await asyncio.to_thread(self.reader.read, lambda tx: tx.all(_ISSUED, (issuer,)))
        return [AuthorityId(bytes(authority_id)) for (authority_id,) in rows]

    def checkpoint(self) -> str:
        """The newest signed note."""
        return self.log.checkpoint

    async def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the tree of `new_size` begins with that of `old_size`; both at most the newest size."""
        return await asyncio.to_thread(self.reader.consistency, old_size, new_size)
