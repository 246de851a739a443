"""Which youth's key opens what an alert says, without its row saying so.

An alert's row stands beside the index of its entry, so it must not name the youth. It carries a mark, as an entry does:
a MAC under the youth's key over a counter that is used once (AUDIT §2.2). Whose mark it is the process that wrote it
remembers; another, or this one after a restart, looks through the keys of all youths, which takes a second or more. So
it looks for the newest alerts of every agency at once, because after a restart everybody asks, and for those that the
asking agency reads next, because who was away for long reads thousands.
"""

import asyncio
import hmac
from collections import OrderedDict
from collections.abc import Mapping, Sequence, Set
from typing import Final

from sqlalchemy import and_, bindparam, select

from audit.entry import TAG_BYTES
from audit.statement import Statement
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store.lookups import Lookups
from gateway.store.tables import alert
from gateway.store.youth_keys import FileYouthKeys, youth_name

_REMEMBERED: Final = 10_000
_AT_ONCE: Final = 3_000
_NOBODY: Final = b""
_OF_A_YOUTH: Final = alert.c.mark != bindparam("none_", b"")
_NEWEST: Final = Statement(select(alert.c.mark).where(_OF_A_YOUTH).order_by(alert.c.leaf_index.desc()).limit(_AT_ONCE))
_FOLLOWING: Final = Statement(
    select(alert.c.mark)
    .where(and_(alert.c.agency == bindparam("agency_"), alert.c.sequence > bindparam("after_"), _OF_A_YOUTH))
    .order_by(alert.c.sequence)
    .limit(_AT_ONCE),
    "agency_",
    "after_",
)


def alert_mark(key: bytes, counter: int) -> bytes:
    """The mark of an alert about the youth of this key: 16 bytes, random to whoever has not the key."""
    return hmac.digest(key, b"homeward/alert/v1\0" + counter.to_bytes(8, "big"), "sha256")[:TAG_BYTES]


class AlertKeys:
    """Finds keys by marks. One event loop uses it."""

    def __init__(self, lookups: Lookups, youth_keys: FileYouthKeys) -> None:
        self._lookups = lookups
        self._youth_keys = youth_keys
        self._names: OrderedDict[bytes, bytes] = OrderedDict()
        self._turn = asyncio.Lock()
        self._returned = youth_keys.returned

    def remember(self, mark: bytes, owner: AgencyId, handle: SubjectHandle) -> None:
        """The mark is this youth's."""
        self._keep(mark, youth_name(owner, handle))

    async def opening(self, agency: AgencyId, after: int, marks: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """By mark the key that opens what the alert says; none for a youth that was sealed.

        The marks are of alerts that the agency reads after this sequence.
        """
        async with self._turn:
            self._forget_who_came_back()
            names = {mark: self._names[mark] for mark in marks if mark in self._names}
            if len(names) < len(marks):
                names |= await self._look(agency, after, {*marks}.difference(names))
        keys = {mark: self._youth_keys.named(name) for mark, name in names.items() if name}
        return {mark: key for mark, key in keys.items() if key is not None}

    async def _look(self, agency: AgencyId, after: int, marks: Set[bytes]) -> Mapping[bytes, bytes]:
        """The names of these, and others remembered that will be asked for."""
        newest, following = await self._lookups.all(_NEWEST), await self._lookups.all(_FOLLOWING, (agency, after))
        also = {bytes(mark): None for (mark,) in (*newest, *following) if mark not in self._names and mark not in marks}
        found = await asyncio.to_thread(self._youth_keys.names_marked, {*also, *marks}, alert_mark)
        # What was remembered meanwhile stays; what the agency reads next is the last to be forgotten.
        for mark in also:
            self._keep(mark, self._names.get(mark) or found.get(mark, _NOBODY))
        names = {mark: self._names.get(mark) or found.get(mark, _NOBODY) for mark in marks}
        for mark, name in names.items():
            self._keep(mark, name)
        return names

    def _forget_who_came_back(self) -> None:
        """A seal may have been lifted: what was nobody's alert may be somebody's again."""
        if self._returned != self._youth_keys.returned:
            self._returned = self._youth_keys.returned
            for mark in [mark for mark, name in self._names.items() if name == _NOBODY]:
                del self._names[mark]

    def _keep(self, mark: bytes, name: bytes) -> None:
        self._names[mark] = name
        self._names.move_to_end(mark)
        while len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)
