"""What ended epochs left at the gateway: erased, and looked for again at every start.

Decides that an epoch which ended is erased when no directory in force names it any more: tokens, links by tokens,
sealed peppers, the key at rest, this gateway's share; then a leaf says so. What a crash cut off is taken up at the next
start; a database too large to be rewritten while it serves is rewritten then. How bytes leave the database's files is
the database's own (`store/erase`), and when an epoch ends is the rotation's.
"""

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, field
from typing import Final

from audit.log import Append
from gateway.cards import GatewayCard, renew_card
from gateway.errors import Error
from gateway.exchange.journal import Kind, draft
from gateway.members.composition import Exchange, live_epochs
from gateway.members.ledger import Ledger
from gateway.members.office import DirectoryOffice
from gateway.protocol.epochs import EpochState
from gateway.state import State, StateBroken
from gateway.store.epochs import changed, count_tokens, read_states
from gateway.store.erase import EpochErasing, NotErased
from gateway.store.resting import EpochsAtRest
from gateway.tokens.epoch_keys import EpochKeys
from gateway.tokens.shares import Shares

PAUSE_SECONDS: Final = 1.0
"""Between two looks whether an epoch can be erased."""
_LEFT: Final = frozenset({EpochState.PRECEDING, EpochState.ENDING, EpochState.ENDED})
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EndedEpochs:
    """The ended epochs of one gateway. One event loop."""

    ledger: Ledger
    office: DirectoryOffice
    exchange: Exchange
    shares: Shares
    keys: EpochKeys
    at_rest: EpochsAtRest
    state: State
    erasing: EpochErasing
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _to_rewrite: set[str] = field(default_factory=set)
    """Of which no row is left, in a database too large to be rewritten now."""

    def poke(self) -> None:
        """An epoch has ended: the next look is at once."""
        self._wake.set()

    async def check_secrets(self) -> None:
        """The shares and keys here are not of before a rotation that the log has carried out. Raises `StateBroken`.

        Put back beside a database of after it, they would find nobody who is listed.
        """
        (current, _), states = await self.ledger.read(lambda tx: (live_epochs(tx, self.exchange), read_states(tx)))
        held = self.shares.of_epoch(current) is not None and self.keys.key_of(current) is not None
        if not held and states.get(self.shares.in_force().epoch) in _LEFT:
            why = f"the shares and keys are of before epoch {current}, which is the current one"
            raise StateBroken(f"{self.state.directory / 'secrets'}: {why}")

    async def run(self) -> None:
        """Erases what ended epochs left, until canceled. Raises nothing that a later try could mend."""
        while True:
            self._wake.clear()
            await self.attempt()
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def attempt(self, *, at_start: bool = False) -> None:
        """`erase`, as far as it can be done now; a later attempt does the rest."""
        try:
            await self.erase(at_start=at_start)
        except (NotErased, sqlite3.Error, Error, OSError) as exc:
            _LOG.warning("an ended epoch is not erased yet", extra={"exception_type": type(exc).__name__})

    async def erase(self, *, at_start: bool = False) -> None:
        """Nothing is left of epochs that ended and that no directory in force names.

        `at_start`: nobody is served yet. Then the database is rewritten whatever its size, and epochs of which nothing
        was left are looked for again: an older copy may have brought tokens, keys or shares back.
        Raises `NotErased`, `sqlite3.Error`, `Error`.
        """
        rewrite = at_start or await asyncio.to_thread(self.erasing.is_small)
        states = await self.ledger.read(read_states)
        named = self.office.view()
        ending = [name for name, state in states.items() if state is EpochState.ENDING]
        ending = [name for name in ending if named is not None and name not in named.epochs]
        for name in ending:
            if name in self._to_rewrite and not rewrite:
                continue
            await self._erase_rows(name, rewrite=rewrite)
            self.keys.erase(name)
            self.at_rest.forget(name)
            self.shares.leave_epoch(name)
            if rewrite:
                await self._erased(name)
            else:
                self._to_rewrite.add(name)
                _LOG.warning("the rows of an ended epoch are gone; the next start rewrites the database")
        if at_start:
            for name in (name for name, state in states.items() if state is EpochState.ENDED):
                await self._erase_again(name)

    async def _erase_again(self, name: str) -> None:
        """What an older copy of the database, or of its secrets, brought back of an ended epoch is gone."""
        count = await self.ledger.read(lambda tx: count_tokens(tx, name))
        if count:
            await self._erase_rows(name, rewrite=True)
        held = name in self.shares.epochs()
        if held:
            self.shares.leave_epoch(name)
        kept = self.keys.key_of(name) is not None
        self.keys.erase(name)
        if count or held or kept:
            await self._erased(name)

    async def _erase_rows(self, name: str, *, rewrite: bool) -> None:
        await asyncio.to_thread(self.erasing.erase_epochs, [name], rewrite=rewrite)

    async def _erased(self, name: str) -> None:
        entry = draft(Kind.EPOCH_ERASED, op={"epoch": name})
        await self.ledger.append(Append(entry, rows=changed(Kind.EPOCH_ERASED, name)))
        current, _ = await self.ledger.read(lambda tx: live_epochs(tx, self.exchange))
        sharing = self.exchange.sharing_of(current)
        if sharing is not None:
            renew_card(self.state, GatewayCard, epoch=current, token_key=sharing.commitments[0].hex())
