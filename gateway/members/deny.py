"""Who is refused although the certificate still counts.

Decides how a revocation reaches a process: the set of denied names is swapped whole, so that a reader never sees half
of a change, and every subscriber is told, so that open streams end. The names are channel identities and agencies, rows
of `denied`, each written in the transaction of its leaf, and serial numbers of certificates from before their agency
came back (`certificates.outdated`): lifting a denial must not let in who had copied the directory. A process that
shares the database sees another's revocation by polling; two seconds leave three of the five within which streams must
end (SECURITY §3.2 row 6).
"""

import asyncio
from collections.abc import Callable
from typing import Final

from sqlalchemy import bindparam, delete, select

from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.members import certificates
from gateway.members.ledger import Ledger
from gateway.protocol.policy.facts import milliseconds
from gateway.store import tables

POLL_SECONDS: Final = 2.0

_ALL: Final = Statement(select(tables.denied.c.name))
DENY: Final = upsert(tables.denied, "name")
"""Values: name, leaf index."""
ALLOW: Final = Statement(delete(tables.denied).where(tables.denied.c.name == bindparam("name_")), "name_")
"""Values: name."""


class DenyList:
    """The denied names of this moment. One event loop writes; any thread may ask."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        self._subscribers: list[Callable[[], None]] = []

    def is_denied(self, name: str) -> bool:
        """Whether this channel identity, agency, or certificate (serial number, 32 hex digits) is refused."""
        return name in self._names

    def subscribe(self, changed: Callable[[], None]) -> None:
        """`changed` is called, on the event loop, after every change of the list."""
        self._subscribers.append(changed)

    def replace(self, names: frozenset[str]) -> None:
        """The list is exactly these names."""
        if names == self._names:
            return
        self._names = names
        for changed in self._subscribers:
            changed()

    async def refresh(self, ledger: Ledger) -> None:
        """The list is what the database holds."""
        now_ms = milliseconds(ledger.now())
        self.replace(await ledger.read(lambda tx: read_denied(tx) | certificates.outdated(tx, now_ms)))

    async def follow(self, ledger: Ledger, *, poll_seconds: float = POLL_SECONDS) -> None:
        """Keeps the list at what the database holds, until canceled."""
        while True:
            await self.refresh(ledger)
            await asyncio.sleep(poll_seconds)


def read_denied(tx: Tx) -> frozenset[str]:
    """Every denied channel identity and agency."""
    return frozenset(name for (name,) in tx.all(_ALL))
