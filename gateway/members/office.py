"""The directory office: keeps the published directory at what the tables say.

    compose -> sign as the gateway -> every other holder signs -> publish -> tell who asked to be told

Decides when a version is made (whenever what it says would differ, never otherwise), that a version is published only
with every signature, and that a county which waits for admission delays nobody else: the others are published without
it meanwhile. Version numbers only grow; one number never stands for two contents. Each version is a leaf when the
gateway signs it, and again when it is complete, with the commitments of the token key's sharing in it.
Does not decide whether a county is admitted (the other holder's operator does), nor how a holder is reached.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import bindparam, func, insert, select, update

from audit.entry import Draft
from audit.log import INDEX, Append
from audit.statement import Statement
from audit.transaction import Tx
from gateway.errors import Unavailable
from gateway.exchange.journal import Kind, draft
from gateway.members.composition import Exchange, compose, content_of, live_epochs
from gateway.members.ledger import Ledger
from gateway.protocol.directory import DirectoryInvalid, DirectoryView, Pins, open_directory, sign_directory
from gateway.protocol.epochs import EpochState, other_facts
from gateway.protocol.sharing import read_sharing
from gateway.protocol.signing import SigningKey
from gateway.store import tables
from homeward.gateway.v1.directory_pb2 import Directory, DirectorySignature, KeyHolder, SignedDirectory

RETRY_SECONDS: Final = 0.5
"""How often a holder that has not signed is asked again."""
POLL_SECONDS: Final = 2.0
"""How often the tables are looked at unasked: another process may have changed them."""

_log = logging.getLogger(__name__)
_D = tables.directory.c
_INSERT: Final = Statement(insert(tables.directory))
_COMPLETE: Final = Statement(
    update(tables.directory)
    .where(_D.version == bindparam("version_"))
    .values(signed=bindparam("signed_"), complete=1, leaf_index=bindparam("index_")),
    "signed_", "index_", "version_",
)  # fmt: skip
_NEWEST_COMPLETE: Final = Statement(select(_D.signed).where(_D.complete == 1).order_by(_D.version.desc()).limit(1))
_HIGHEST: Final = Statement(select(func.coalesce(func.max(_D.version), 0)))


class HolderSilent(Exception):
    """A holder could not be asked, or refused the directory. Its status code or reason is the text."""


@dataclass(frozen=True, slots=True)
class Countersigned:
    """A holder's answer: a signature, or the counties it waits for."""

    signature: DirectorySignature | None
    waiting_counties: tuple[str, ...]


class Countersigners(Protocol):
    """The other holders, as signers."""

    async def countersign(self, holder: KeyHolder, signed: SignedDirectory) -> Countersigned:
        """The holder's answer. Raises `HolderSilent`."""


@dataclass(frozen=True, slots=True)
class _Draft:
    content: bytes
    version: int
    signed: SignedDirectory
    holders: tuple[KeyHolder, ...]


class DirectoryOffice:
    """Composes, signs and publishes directories. One event loop."""

    def __init__(
        self,
        ledger: Ledger,
        key: SigningKey,
        exchange: Exchange,
        signers: Countersigners,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._exchange = exchange
        self._signers = signers
        self._now = now
        self._wake = asyncio.Event()
        self._drafts: dict[bytes, _Draft] = {}
        self._published: SignedDirectory | None = None
        self._view: DirectoryView | None = None
        self._waiting: frozenset[str] = frozenset()
        self.unpublished_since: datetime | None = None
        """Since when a holder does not sign what the tables say."""
        self._subscribers: list[Callable[[int], None]] = []

    def current(self) -> SignedDirectory | None:
        """The newest directory that every signer signed, or None before the first."""
        return self._published

    def view(self) -> DirectoryView | None:
        """The same, checked and indexed."""
        return self._view

    @property
    def waiting_counties(self) -> frozenset[str]:
        """Counties that some holder's operator has not admitted yet."""
        return self._waiting

    def subscribe(self, published: Callable[[int], None]) -> None:
        """`published` is called, on the event loop, with the version of every directory that is published."""
        self._subscribers.append(published)

    def changed(self) -> None:
        """Tables changed: a new version is made soon, if it would say something new."""
        self._wake.set()

    async def load(self) -> None:
        """The directory published before the last stop is current again."""
        row = await self._ledger.read(lambda tx: tx.one(_NEWEST_COMPLETE))
        if row is not None:
            signed = SignedDirectory.FromString(row[0])
            self._adopt(signed, self._others(Directory.FromString(signed.directory).holders))

    async def run(self) -> None:
        """Keeps the published directory current, until canceled."""
        told: type[Exception] | None = None
        while True:
            self._wake.clear()
            seconds = POLL_SECONDS
            try:
                if not await self.step():
                    seconds = RETRY_SECONDS
                told, self.unpublished_since = None, None
            except (HolderSilent, Unavailable) as exc:
                # Once an outage: a line at every try would fill the disk while a holder is down for a night.
                if told is not type(exc):
                    _log.warning("directory not published", extra={"exception_type": type(exc).__name__})
                told, self.unpublished_since = type(exc), self.unpublished_since or self._now()
                seconds = RETRY_SECONDS
            try:
                await asyncio.wait_for(self._wake.wait(), seconds)
            except TimeoutError:
                continue

    async def step(self) -> bool:
        """One attempt to publish what the tables say; whether nothing is left to do.

        Raises `HolderSilent`, `Unavailable`.
        """
        unannounced: Collection[str] = ()
        try:
            done = await self._publish(())
        except HolderSilent:
            unannounced = await self._ledger.read(self._unannounced)
            if not unannounced:
                raise
            # A holder that has no share of the next epoch yet must not hold up a revocation.
            await self._publish((), unannounced)
            done = False
        if done:
            self._waiting = frozenset()
            return True
        # Some county waits. What can be published without it must not wait with it.
        if self._waiting:
            await self._publish(self._waiting, unannounced)
        return False

    def _unannounced(self, tx: Tx) -> frozenset[str]:
        """Epochs that are to be announced, and were not in any directory yet."""
        known = self._view.epochs if self._view is not None else {}
        _, others = live_epochs(tx, self._exchange)
        return frozenset(name for name, state in others.items() if state is EpochState.FOLLOWING and name not in known)

    async def _publish(self, without: Collection[str], unannounced: Collection[str] = ()) -> bool:
        directory = await self._ledger.read(
            lambda tx: compose(tx, self._exchange, without=without, unannounced=unannounced)
        )
        content = content_of(directory)
        if self._view is not None and content == content_of(self._view.message):
            return True
        holders = self._others(directory.holders)
        if not holders:
            # A directory that the gateway alone signed would let it mint counties.
            return False
        proposal = await self._draft(directory, content, holders)
        answers = await asyncio.gather(*(self._signers.countersign(holder, proposal.signed) for holder in holders))
        signatures = [answer.signature for answer in answers if answer.signature is not None]
        if len(signatures) < len(holders):
            self._waiting = frozenset(fips for answer in answers for fips in answer.waiting_counties)
            return False
        await self._complete(proposal, signatures)
        return True

    async def _draft(self, directory: Directory, content: bytes, holders: tuple[KeyHolder, ...]) -> _Draft:
        """The gateway's signature over this content; the one it gave before if that can still be published."""
        known = self._drafts.get(content)
        if known is not None and (self._view is None or known.version > self._view.version):
            return known
        version = int((await self._ledger.read(lambda tx: tx.all(_HIGHEST)))[0][0]) + 1
        directory.version = version
        directory.create_time.FromDatetime(self._now())
        raw = directory.SerializeToString(deterministic=True)
        signed = SignedDirectory(directory=raw, signatures=[sign_directory(raw, self._key)])
        row = (version, signed.SerializeToString(), 0, INDEX)
        await self._ledger.append(Append(self._entry(version, raw, signers=1), rows=((_INSERT, row),)))
        if len(self._drafts) > 1:
            # At most two contents are under way: with every county, and without those that wait.
            self._drafts.pop(next(iter(self._drafts)))
        self._drafts[content] = made = _Draft(content, version, signed, holders)
        return made

    async def _complete(self, proposal: _Draft, signatures: Sequence[DirectorySignature]) -> None:
        complete = SignedDirectory(
            directory=proposal.signed.directory, signatures=[*proposal.signed.signatures, *signatures]
        )
        try:
            view = self._open(complete, proposal.holders)
        except DirectoryInvalid as exc:
            raise HolderSilent(exc.why) from exc
        row = (complete.SerializeToString(), INDEX, proposal.version)
        entry = self._entry(proposal.version, complete.directory, signers=len(complete.signatures))
        await self._ledger.append(Append(entry, rows=((_COMPLETE, row),)))
        self._published, self._view = complete, view
        for published in self._subscribers:
            published(proposal.version)

    def _adopt(self, signed: SignedDirectory, holders: tuple[KeyHolder, ...]) -> None:
        self._view = self._open(signed, holders)
        self._published = signed

    def _others(self, holders: Iterable[KeyHolder]) -> tuple[KeyHolder, ...]:
        return tuple(holder for holder in holders if holder.share_index != self._exchange.own_holder.share_index)

    def _open(self, signed: SignedDirectory, holders: tuple[KeyHolder, ...]) -> DirectoryView:
        # As any reader would: what is published must be what members accept.
        pins = Pins(self._key.public_bytes, tuple(holder.directory_key for holder in holders))
        return open_directory(signed, pins, newer_than=self._view.version if self._view else 0)

    def _entry(self, version: int, directory: bytes, *, signers: int) -> Draft:
        message = Directory.FromString(directory)
        facts = read_sharing(message.sharing).facts() | other_facts(message)
        digest = hashlib.sha256(directory).digest()
        return draft(Kind.DIRECTORY_SIGNED, op={"version": version, "directory": digest, "signers": signers, **facts})
