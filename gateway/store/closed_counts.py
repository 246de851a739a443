"""How many entries seals have closed, beside the keys: `exchange.closing.ClosedCounts`.

Decides what is kept of it: the number as the last seal left it, and the salt by which that seal's entry commits to it.
The number and the salt of the seal before are overwritten, so that nobody can tell any more how many entries one seal
closed: by that, entries of a sealed youth could be told from those of another.

A number is proposed before the entry that commits to it, and kept after; where an order ended in doubt, `settle` keeps
the one that the log says. One that no entry commits to counts nothing.
"""

import asyncio
import struct
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import select

from audit.entry import ClassKeys
from audit.statement import Statement
from gateway.store.keys_file import open_to_erase
from gateway.store.lookups import Lookups
from gateway.store.seals import last_commitment
from gateway.store.succession import last_loss
from gateway.store.youth_keys import YouthKeysBroken

_LABEL: Final = b"homeward/closed-count/v1\0"
_NUMBERS: Final = struct.Struct(">Qq")
_LAST_LOSS: Final = Statement(select(last_loss()))


@dataclass(frozen=True, slots=True)
class ClosedCount:
    """How many entries from `since` on seals have closed, and what commits to it."""

    salt: bytes = field(repr=False)
    since: int
    """Index after the last declared loss: what seals had closed among the entries that were lost nobody can count."""
    count: int

    @property
    def digest(self) -> bytes:
        """What the entry of a seal says of it: without the salt, which is random and 32 bytes, nothing."""
        return sha256(_LABEL + self.salt + _NUMBERS.pack(self.since, self.count)).digest()


@dataclass(frozen=True, slots=True)
class FileClosedCounts:
    """In the file of the youths' keys, as of the log that `lookups` reads. What is not awaited blocks."""

    path: Path
    lookups: Lookups
    keys: ClassKeys = field(repr=False)

    async def since(self) -> int:
        """From which entry on closed ones are counted."""
        row = await self.lookups.read(lambda tx: tx.one(_LAST_LOSS))
        return 0 if row is None or row[0] is None else int(row[0]) + 1

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
                connection.execute("DELETE FROM closed_count WHERE salt != ?", salts)
                connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")
            connection.execute("COMMIT")
        return bool(salts)

    async def check(self) -> None:
        """There is the number that the log's last order commits to, since the last declared loss. Changes nothing.

        Raises `YouthKeysBroken` where there is none: somebody has changed it, or the file is older than the log, and
        whatever is counted on would make good what is missing. Before a loss it may be that of a lost order.
        """
        commitment = await self._committed()
        kept = await asyncio.to_thread(closed_counts, self.path) if commitment else []
        if commitment and commitment not in [each.digest for each in kept]:
            raise YouthKeysBroken

    async def settle(self) -> None:
        """That number counts, and no other. Raises `YouthKeysBroken` where there is none."""
        commitment = await self._committed()
        if commitment and not await asyncio.to_thread(self.keep, commitment):
            raise YouthKeysBroken

    async def _committed(self) -> bytes:
        since = await self.since()
        return await self.lookups.read(partial(last_commitment, keys=self.keys, since=since))


def closed_counts(path: Path) -> list[ClosedCount]:
    """Every number in this file of keys, kept or proposed."""
    with closing(open_to_erase(path)) as connection:
        rows = connection.execute("SELECT salt, since, count FROM closed_count").fetchall()
    return [ClosedCount(bytes(salt), since, count) for salt, since, count in rows]
