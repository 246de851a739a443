"""How many entries seals have closed, beside the keys: `exchange.closing.ClosedCounts`.

Decides what is kept of it: the number as the last seal left it, and the salt by which that seal's entry commits to it.
The number and the salt of the seal before are overwritten, so that nobody can tell any more how many entries one seal
closed: by that, entries of a sealed youth could be told from those of another.

It is counted on over every declared loss, as long as the last order in what is left of the log commits to the number
that is kept: a loss of rows takes no order, and one of entries only those behind it. Where it does not, because that
number is of a lost order, counting begins behind the loss. Of every order that counted its commitment is kept, so that
a file of before the last order that is left is told from one of a lost order. Whether a file is older than an order
that was lost nobody can tell.

A number is proposed before the entry that commits to it, and kept after; where an order ended in doubt, `settle` keeps
the one that the log says. One that no entry commits to counts nothing.
"""

import asyncio
import struct
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from audit.entry import ClassKeys
from audit.transaction import Tx
from gateway.store.keys_file import open_to_erase
from gateway.store.lookups import Lookups
from gateway.store.seals import last_commitment
from gateway.store.succession import last_loss_of_entries
from gateway.store.youth_keys import YouthKeysBroken

_LABEL: Final = b"homeward/closed-count/v1\0"
_NUMBERS: Final = struct.Struct(">Qq")


@dataclass(frozen=True, slots=True)
class ClosedCount:
    """How many entries from `since` on seals have closed, and what commits to it."""

    salt: bytes = field(repr=False)
    since: int
    """0, or the index after a declared loss of entries: what lost seals had closed nobody can count."""
    count: int

    @property
    def digest(self) -> bytes:
        """What the entry of a seal says of it: without the salt, which is random and 32 bytes, nothing."""
        return sha256(_LABEL + self.salt + _NUMBERS.pack(self.since, self.count)).digest()


class _Said(NamedTuple):
    """What the log says of it."""

    order: int
    """The last one; -1 for none."""
    commitment: bytes = b""
    lost: int = -1
    """The last entry that declares entries lost."""


@dataclass(frozen=True, slots=True)
class FileClosedCounts:
    """In the file of the youths' keys, as of the log that `lookups` reads. What is not awaited blocks."""

    path: Path
    lookups: Lookups
    keys: ClassKeys = field(repr=False)

    async def since(self) -> int:
        """From which entry on closed ones are counted."""
        said = await self._said()
        kept = await asyncio.to_thread(closed_counts, self.path)
        counted = next((each.since for each in kept if each.digest == said.commitment), None)
        return said.lost + 1 if counted is None else counted

    def propose(self, change: int, *, since: int, salt: bytes) -> bytes:
        """The digest of the number after this change, durable; it counts once it is kept."""
        with closing(open_to_erase(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(
                "SELECT count FROM closed_count WHERE is_kept = 1 AND since = ?", (since,)
            ).fetchone()
            following = ClosedCount(salt, since, (row[0] if row else 0) + change)
            connection.execute("INSERT INTO closed_count VALUES (?, ?, ?, 0)", (salt, since, following.count))
            connection.execute("COMMIT")
        return following.digest

    def keep(self, digest: bytes) -> bool:
        """The number with this digest counts, and every other one is gone. Once or again; False for none."""
        with closing(open_to_erase(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute("SELECT salt, since, count, is_kept FROM closed_count").fetchall()
            salts = [salt for salt, *numbers, _ in rows if ClosedCount(salt, *numbers).digest == digest]
            if salts and not (len(rows) == 1 and rows[0][-1]):
                connection.execute("UPDATE closed_count SET is_kept = 1 WHERE salt = ?", salts)
                connection.execute("INSERT OR IGNORE INTO counted_order VALUES (?)", (digest,))
                connection.execute("DELETE FROM closed_count WHERE salt != ?", salts)
                connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")
            connection.execute("COMMIT")
        return bool(salts)

    async def check(self) -> None:
        """The file is not of before the last order in the log. Changes nothing.

        Raises `YouthKeysBroken` where the number is not there that the order commits to: somebody has changed it, or
        the file is older than the log, and whatever is counted on would make good what is missing. Where entries behind
        that order were lost it may be the number of a lost one, if that of this order was there once.
        """
        await self._counts()

    async def settle(self) -> None:
        """The number that the last order commits to counts, and no other. Raises `YouthKeysBroken` as `check`."""
        commitment = await self._counts()
        if commitment:
            await asyncio.to_thread(self.keep, commitment)

    async def _counts(self) -> bytes:
        """What the last order commits to, if that can be counted on; empty otherwise. Raises `YouthKeysBroken`."""
        said = await self._said()
        if not said.commitment:
            return b""
        kept = await asyncio.to_thread(closed_counts, self.path)
        if said.commitment in [each.digest for each in kept]:
            return said.commitment
        if said.order < said.lost and said.commitment in await asyncio.to_thread(counted_orders, self.path):
            return b""
        raise YouthKeysBroken

    async def _said(self) -> _Said:
        return await self.lookups.read(self._read)

    def _read(self, tx: Tx) -> _Said:
        return _Said(*last_commitment(tx, self.keys), last_loss_of_entries(tx, self.keys))


def closed_counts(path: Path) -> list[ClosedCount]:
    """Every number in this file of keys, kept or proposed."""
    with closing(open_to_erase(path)) as connection:
        rows = connection.execute("SELECT salt, since, count FROM closed_count").fetchall()
    return [ClosedCount(bytes(salt), since, count) for salt, since, count in rows]


def counted_orders(path: Path) -> list[bytes]:
    """What orders commit to whose number counted, in this file of keys."""
    with closing(open_to_erase(path)) as connection:
        return [bytes(digest) for (digest,) in connection.execute("SELECT digest FROM counted_order")]
