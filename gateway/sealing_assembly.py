"""Puts sealing together, and makes good at start what a crash or an older copy of the database left behind.

Decides where the court custodian's key is read, and that nothing is served before every seal in the log is carried out:
keys that should have left are gone, and sealed youths that an older database still names are removed again.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from audit.entry import ClassKeys
from audit.sequencer import Append
from audit.transaction import Tx
from gateway.config import GatewayConfig
from gateway.exchange.closing import Closing
from gateway.exchange.deed import Deeds
from gateway.exchange.journal import Kind, draft
from gateway.exchange.link_recall import LinkRecall
from gateway.exchange.notices import SealState
from gateway.exchange.officer_orders import Orders
from gateway.exchange.recall import Recall
from gateway.exchange.seal_ports import Marked
from gateway.exchange.sealing import Court, Sealing
from gateway.exchange.setting import Setting
from gateway.ports import Journal, Rows
from gateway.protocol.escrow import EscrowBroken, parse_public_key
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.sealing import SealKey
from gateway.state import State, StateBroken
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.closed_counts import FileClosedCounts
from gateway.store.erase_sqlite import SqliteErasing
from gateway.store.escrow import FileEscrow
from gateway.store.lookups import Lookups
from gateway.store.returned_keys import FileReturnedKeys
from gateway.store.seals import SqlSeals, named_youths, takes_away
from gateway.store.youth_keys import FileYouthKeys


def read_court(state: State, config: GatewayConfig) -> Court:
    """The keys of the way to the court custodian and back. Raises `StateBroken`."""
    release = SealKey.from_private_bytes(state.read_secret("release.key", length=96))
    if config.court_custodian is None:
        return Court(None, release)
    path = state.directory / config.court_custodian
    try:
        return Court(parse_public_key(path.read_text("ascii")), release)
    except (OSError, UnicodeDecodeError, EscrowBroken) as exc:
        raise StateBroken(f"{path}: not the public key of a court custodian") from exc


@dataclass(frozen=True, slots=True)
class Seals:
    """Everything that sealing needs of this process."""

    lookups: Lookups
    youth_keys: FileYouthKeys = field(repr=False)
    authority_keys: FileAuthorityKeys = field(repr=False)
    escrow: FileEscrow = field(repr=False)
    returned: FileReturnedKeys = field(repr=False)
    counts: FileClosedCounts = field(repr=False)
    court: Court = field(repr=False)

    def orders(self, at: Setting, *, marked: Marked, deeds: Deeds, keys: ClassKeys) -> tuple[Sealing, Recall]:
        """What carries out orders."""
        closing = Closing(self.counts, keys, at.random_bytes)
        orders = Orders(at, self._kept(), marked, deeds)
        return Sealing(orders, self.escrow, self.returned, keys, self.court, closing), Recall(orders, keys)

    def link_recall(self, at: Setting, *, marked: Marked, keys: ClassKeys) -> LinkRecall:
        """What takes back what was told on the account of links."""
        return LinkRecall(at.reliance, self._kept(), marked, keys, at.directory, at.random_bytes)

    async def check(self) -> None:
        """The file of keys is not of before a seal in the log. Changes nothing. Raises `YouthKeysBroken`."""
        await self.counts.check()

    async def settle(self, journal: Journal) -> None:
        """Every seal in the log is carried out. Raises `Unavailable`.

        Not before it is known that the log was not put back: of a seal that it lacks the deposit would be forgotten.
        """
        seals = self._kept()
        await self.counts.settle()
        states = await seals.states()
        await asyncio.to_thread(self.escrow.settle, states)
        lifted = frozenset(each for each, state in states.items() if state is SealState.LIFTED)
        await asyncio.to_thread(self.returned.settle, lifted)
        named = await self.lookups.read(named_youths)
        back = await asyncio.to_thread(self.escrow.sealed_among, named, (states.keys() - lifted).__contains__)
        if back:
            leaf = draft(Kind.SEAL_ENFORCED, op={"count": len(back)})
            await journal.enter(Append(leaf, rows=await _forgotten(seals, back)))
            await asyncio.to_thread(self.escrow.deleted)
        await asyncio.to_thread(partial(self.escrow.scrub, at_start=True))

    def sealed_among(
        self, tx: Tx, youths: Iterable[tuple[AgencyId, SubjectHandle]]
    ) -> Sequence[tuple[AgencyId, SubjectHandle]]:
        """Those of these youths that a seal in this state of the log has taken. Raises `YouthKeysBroken`."""
        return self.escrow.sealed_among(youths, partial(takes_away, tx))

    def _kept(self) -> SqlSeals:
        return SqlSeals(self.lookups, self.youth_keys, self.authority_keys)


def open_seals(
    database: Path,
    keys_file: Path,
    *,
    lookups: Lookups,
    youth_keys: FileYouthKeys,
    authority_keys: FileAuthorityKeys,
    court: Court,
    keys: ClassKeys,
) -> Seals:
    """Sealing on these files."""
    escrow = FileEscrow(keys_file, youth_keys, SqliteErasing(database))
    counts = FileClosedCounts(keys_file, lookups, keys)
    return Seals(lookups, youth_keys, authority_keys, escrow, FileReturnedKeys(escrow), counts, court)


async def _forgotten(seals: SqlSeals, youths: list[tuple[AgencyId, SubjectHandle]]) -> Rows:
    rows: Rows = ()
    for owner, handle in youths:
        named, _ = await seals.naming(owner, handle, frozenset())
        rows += seals.forget(owner, handle, named)
    return rows
