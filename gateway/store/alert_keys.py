"""Which youth's key opens what an alert says, without its row saying so.

An alert's row stands beside the index of its entry, so it must not name the youth. It carries a mark, as an entry does:
a MAC under the youth's key over a counter that is used once (AUDIT §2.2). Whose mark it is the process that wrote it
remembers; another, or this one after a restart, looks through the keys of all youths, and then for the newest alerts of
every agency at once, because after a restart everybody asks.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import bindparam, select

from audit.entry import TAG_BYTES, YouthKey
from audit.statement import Statement
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store.lookups import Lookups
from gateway.store.tables import alert
from gateway.store.youth_keys import FileYouthKeys, youth_name

_REMEMBERED: Final = 10_000
_NOBODY: Final = b""
_NEWEST: Final = Statement(
    select(alert.c.mark)
    .where(alert.c.mark != bindparam("none_", b""))
    .order_by(alert.c.leaf_index.desc())
    .limit(_REMEMBERED // 2)
)


def alert_mark(key: YouthKey) -> bytes:
    """The mark of an alert about the youth of this key: 16 bytes, random to whoever has not the key."""
    return hmac.digest(key.key, b"homeward/alert/v1\0" + key.counter.to_bytes(8, "big"), "sha256")[:TAG_BYTES]


class AlertKeys:
    """Finds keys by marks. One event loop uses it."""

    def __init__(self, lookups: Lookups, youth_keys: FileYouthKeys) -> None:
        self._lookups = lookups
        self._youth_keys = youth_keys
        self._names: OrderedDict[bytes, bytes] = OrderedDict()
        self._turn = asyncio.Lock()

    def remember(self, mark: bytes, owner: AgencyId, handle: SubjectHandle) -> None:
        """The mark is this youth's."""
        self._keep(mark, youth_name(owner, handle))

    async def opening(self, marks: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """By mark the key that opens what the alert says; none for a youth that was sealed."""
        async with self._turn:
            if any(mark not in self._names for mark in marks):
                await self._look(marks)
            names = {mark: self._names[mark] for mark in marks}
        keys = {mark: self._youth_keys.named(name) for mark, name in names.items() if name}
        return {mark: key for mark, key in keys.items() if key is not None}

    async def _look(self, marks: Sequence[bytes]) -> None:
        newest = [bytes(mark) for (mark,) in await self._lookups.all(_NEWEST)]
        wanted = {mark for mark in (*newest, *marks) if mark not in self._names}
        found = await asyncio.to_thread(self._youth_keys.names_marked, wanted, alert_mark)
        # Those that are asked for last: they must not be the first to be forgotten.
        for mark in (*wanted.difference(marks), *marks):
            self._keep(mark, self._names.get(mark) or found.get(mark, _NOBODY))

    def _keep(self, mark: bytes, name: bytes) -> None:
        self._names[mark] = name
        self._names.move_to_end(mark)
        while len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)
