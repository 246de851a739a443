"""How many entries a seal closes, and that its entry commits to the number of all that seals have closed.

A key that somebody takes out of keys.db closes entries, as a seal does. A later seal of the same owner would explain
them, if seals did not say how many they have closed: a replay counts what it finds closed (`audit.followed.KeysGone`),
and finds one too many.

Decides which entries count: those that need a seal behind them, and that nobody can write after it: what was released
about a youth, and what is about an authority. Not the number itself is said, but a commitment to the sum over all
seals, whose opening is kept until the next (`store.closed_counts`): how many entries one seal closed would tell which
they are, where no more than so many come before it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from audit.entry import KEY_BYTES, ClassKeys, FieldClass, StoredEntry, read_values
from gateway.exchange.journal import ALLOW
from gateway.exchange.notices import is_flag_check
from gateway.protocol.log_kinds import Kind

_ABOUT_AUTHORITIES: Final = frozenset({Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_REVOKED, Kind.AUTHORITY_PRESENTED})


class ClosedCounts(Protocol):
    """The number of entries that seals have closed. What is not awaited blocks: run it in a thread."""

    async def since(self) -> int:
        """From which entry on closed ones are counted."""

    def propose(self, change: int, *, since: int, salt: bytes) -> bytes:
        """The digest of the number after this change, durable; it counts once it is kept."""

    def keep(self, digest: bytes) -> bool:
        """The number with this digest counts, and every other one is gone. Once or again; False for none."""

    async def settle(self) -> None:
        """The number counts that the log's last order commits to. Raises where there is none."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Counts what seals close and open again."""

    counts: ClosedCounts
    keys: ClassKeys = field(repr=False)
    random_bytes: Callable[[int], bytes] = field(repr=False)

    async def closes(self, entries: Iterable[StoredEntry]) -> bytes:
        """What an entry says that closes these: a commitment to how many are closed after it."""
        return await self._propose(entries, 1)

    async def opens(self, entries: Iterable[StoredEntry]) -> bytes:
        """Likewise of an entry after which these are open again."""
        return await self._propose(entries, -1)

    async def settle(self) -> None:
        """An order before that ended in doubt counts, if it was written."""
        await self.counts.settle()

    async def done(self, commitment: bytes) -> None:
        """The entry with this commitment is in the log."""
        await asyncio.to_thread(self.counts.keep, commitment)

    async def _propose(self, entries: Iterable[StoredEntry], sign: int) -> bytes:
        since = await self.counts.since()
        change = sign * sum(each.index >= since and _counts(each, self.keys) for each in entries)
        salt = self.random_bytes(KEY_BYTES)
        return await asyncio.to_thread(partial(self.counts.propose, change, since=since, salt=salt))


def _counts(entry: StoredEntry, keys: ClassKeys) -> bool:
    if entry.kind in _ABOUT_AUTHORITIES:
        return True
    if entry.kind == Kind.DECISION and not entry.holder:
        # About nobody, under the key of the authority that it names.
        return True
    if entry.kind not in (Kind.DECISION, Kind.OUTCOME):
        return False
    said = read_values(entry.nonce, entry.boxes[FieldClass.OP], FieldClass.OP, keys.op)
    return said.get("decision") == ALLOW.encode() and (entry.kind == Kind.OUTCOME or is_flag_check(said))
