"""The pepper of counties: 32 bytes that only members know, one per epoch, without which tokens cannot be guessed.

Decides who mints it and whom it is sealed to. The gateway keeps sealed copies and cannot open them; the directory,
which the custodian countersigns, commits to it, so that one pepper is used by all.

    ABSENT      nobody minted yet, and the directory commits to none: mint, seal to every member, offer
    WAITING     somebody has it: ask again until an adapter that has it sealed it to this one
    AVAILABLE   open, compare with the commitment, keep
    kept        seal it to whoever waits
    ended       an epoch that the directory names no more: the file is erased

The pepper lies in a key file; it is never in a message in clear, in the database, or in a log.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.identity.keys import PEPPER_LENGTH
from adapters.keyring import Keyring, read_secret, write_secret
from adapters.node.acts import Acts
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.errors import Missing, NotReady
from adapters.node.identifiers import Clock, RandomBytes
from adapters.node.rpcs import FETCH_PEPPER, OFFER_PEPPER, Caller, CallFailed
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap, wrap
from gateway.protocol.epochs import EpochView
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId, parse_agency_id
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.sealing import SealBroken, SealKey, open_bytes, seal_bytes
from gateway.protocol.signing import SignatureInvalid, pae
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ENVELOPE,
    KEY_USE_SEAL,
    PEPPER_STATE_ABSENT,
    PEPPER_STATE_AVAILABLE,
    FetchPepperRequest,
    FetchPepperResponse,
    OfferPepperRequest,
    PepperOffer,
    SealedPepper,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

CALL_SECONDS: Final = 10.0
EAGER_SECONDS: Final = 0.5
"""Pause while this adapter has no pepper."""
CALM_SECONDS: Final = 30.0
"""Pause while it has one; a changed directory (a newcomer) ends the pause."""
MAX_SEALED: Final = 100
_INFO: Final = b"homeward/pepper/v1"
_LOG: Final = logging.getLogger(__name__)


class PepperRefused(Exception):
    """What the gateway presented as the pepper does not count. `why` is a constant word."""

    def __init__(self, why: str) -> None:
        super().__init__(f"pepper refused: {why}")
        self.why = why


class PepperFiles:
    """The peppers on disk: one key file an epoch, read once."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._known: dict[str, bytes] = {}

    def get(self, epoch: str) -> bytes | None:
        """The pepper of an epoch, or None. Raises `KeyFileUnusable`."""
        file = self._file(epoch)
        if epoch not in self._known and file.exists():
            self._known[epoch] = read_secret(file, length=PEPPER_LENGTH)
        return self._known.get(epoch)

    def keep(self, epoch: str, pepper: bytes) -> None:
        """The pepper is on disk, for its owner alone."""
        write_secret(self._file(epoch), pepper)
        self._known[epoch] = pepper

    def forget(self, live: Collection[str]) -> None:
        """No pepper of any other epoch is left here."""
        kept = {self._file(epoch) for epoch in live}
        for file in self._keys.glob(self._file("*").name):
            if file not in kept:
                file.unlink()
        self._known = {epoch: pepper for epoch, pepper in self._known.items() if epoch in live}

    def _file(self, epoch: str) -> Path:
        return self._keys / f"pepper-{epoch}.key"


@dataclass(slots=True)
class PepperKeeper:
    """The peppers this adapter knows, and the task that spreads them."""

    agency: AgencyId
    keyring: Keyring = field(repr=False)
    files: PepperFiles
    directory: DirectoryKeeper
    gateway: Caller
    acts: Acts
    now: Clock
    random_bytes: RandomBytes = field(repr=False)

    def current(self, directory: DirectoryView) -> bytes:
        """The pepper of the directory's current epoch, 32 bytes; raises as `of`."""
        return self.of(directory, directory.epoch)

    def of(self, directory: DirectoryView, epoch: str) -> bytes:
        """The pepper of this epoch, 32 bytes. Raises `NotReady`, also where the directory commits to another."""
        named, pepper = directory.epochs.get(epoch), self.files.get(epoch)
        if named is None or pepper is None or not commits(named, hashlib.sha256(pepper).digest()):
            raise NotReady(Missing.PEPPER)
        return pepper

    async def run(self) -> None:
        """Obtains the pepper, then spreads it, until cancelled."""
        while True:
            version = self.directory.version
            try:
                await self.step()
            except NotReady as waiting:
                _LOG.debug("pepper waits", extra={"missing": waiting.missing})
            except CallFailed as failed:
                _LOG.info("pepper not exchanged", extra={"fault": failed.fault, "reason": failed.reason})
            except PepperRefused as refused:
                _LOG.error("pepper refused", extra={"why": refused.why})
            await self._pause(version)

    async def step(self) -> None:
        """For each epoch in which members list, one question to the gateway and what follows from its answer.

        Raises `NotReady` without a directory, `CallFailed`, and `PepperRefused` when what it gave does not count.
        """
        view = self.directory.current()
        self.files.forget(view.epochs)
        for epoch in view.epochs.values():
            if epoch.is_listed_in:
                await self._step(view, epoch)

    async def _step(self, view: DirectoryView, epoch: EpochView) -> None:
        answer = await self.gateway.call(FETCH_PEPPER, FetchPepperRequest(epoch=epoch.name), seconds=CALL_SECONDS)
        pepper = self.files.get(epoch.name)
        if pepper is not None:
            await self._spread(view, epoch, pepper, answer)
        elif answer.state == PEPPER_STATE_AVAILABLE:
            offer = open_offer(view, answer.offer, self.now())
            mine, seal_key = answer.sealed_pepper, self.keyring.seal
            self.files.keep(epoch.name, _open_sealed(mine, offer, epoch, agency=self.agency, seal_key=seal_key))
        elif answer.state == PEPPER_STATE_ABSENT:
            await self._mint(view, epoch)

    async def _mint(self, view: DirectoryView, epoch: EpochView) -> None:
        if epoch.pepper_commitment:
            raise PepperRefused("absent_but_committed")
        pepper = self.random_bytes(PEPPER_LENGTH)
        await self._offer(view, epoch, pepper, [member.agency for member in view.members()])
        # Kept only when the gateway took it: had another adapter been first, its pepper is everybody's.
        self.files.keep(epoch.name, pepper)

    async def _spread(self, view: DirectoryView, epoch: EpochView, pepper: bytes, answer: FetchPepperResponse) -> None:
        digest = hashlib.sha256(pepper).digest()
        if answer.commitment and not hmac.compare_digest(answer.commitment, digest):
            raise PepperRefused("commitment_differs")
        waiting = [parse_agency_id(each) for each in answer.waiting_agencies]
        if waiting and commits(epoch, digest):
            await self._offer(view, epoch, pepper, waiting)

    async def _offer(self, view: DirectoryView, epoch: EpochView, pepper: bytes, agencies: Sequence[AgencyId]) -> None:
        parts = (seal_to(view, pepper, agency, self.now(), epoch=epoch.name) for agency in agencies)
        sealed = [part for part in parts if part is not None]
        digest = hashlib.sha256(pepper).digest()
        for start in range(0, len(sealed), MAX_SEALED):
            part = sealed[start : start + MAX_SEALED]
            offer = PepperOffer(epoch=epoch.name, commitment=digest, sealed_peppers=part)
            envelope = wrap(offer, self.keyring.envelope)
            answer = await self.gateway.call(OFFER_PEPPER, OfferPepperRequest(envelope=envelope), seconds=CALL_SECONDS)
            await self.acts.check(answer.receipt, Kind.PEPPER_OFFERED, envelope)

    async def _pause(self, version: int) -> None:
        try:
            async with asyncio.timeout(CALM_SECONDS if self._has_all() else EAGER_SECONDS):
                await self.directory.newer_than(version)
        except TimeoutError:
            return

    def _has_all(self) -> bool:
        try:
            epochs = self.directory.current().epochs.values()
        except NotReady:
            return False
        return all(self.files.get(each.name) is not None for each in epochs if each.is_listed_in)


def seal_to(view: DirectoryView, pepper: bytes, agency: AgencyId, now: datetime, *, epoch: str) -> SealedPepper | None:
    """The pepper for one member; None where the directory has no seal key for it, whatever the gateway says."""
    try:
        key = view.current_key(agency, KEY_USE_SEAL, now)
    except KeyUnknown:
        return None
    sealed = seal_bytes(pepper, key.public_bytes, seal_info(epoch, agency, key.key_id))
    return SealedPepper(agency=agency, recipient_key_id=key.key_id, sealed=sealed)


def _open_sealed(
    mine: SealedPepper, offer: PepperOffer, epoch: EpochView, *, agency: AgencyId, seal_key: SealKey
) -> bytes:
    """The pepper of an epoch that was sealed to this agency in an offer. Raises `PepperRefused`."""
    if offer.epoch != epoch.name or mine not in offer.sealed_peppers or mine.agency != agency:
        raise PepperRefused("not_in_offer")
    try:
        pepper = open_bytes(mine.sealed, seal_key, seal_info(epoch.name, agency, mine.recipient_key_id))
    except SealBroken as exc:
        raise PepperRefused("seal") from exc
    digest = hashlib.sha256(pepper).digest()
    if len(pepper) != PEPPER_LENGTH or not hmac.compare_digest(digest, offer.commitment):
        raise PepperRefused("commitment")
    if not commits(epoch, digest):
        raise PepperRefused("directory_commits_to_another")
    return pepper


def open_offer(view: DirectoryView, envelope: SignedEnvelope, now: datetime) -> PepperOffer:
    """The offer, after a member of the directory had signed it. Raises `PepperRefused`."""
    for member in view.members():
        try:
            public = view.key(member.agency, KEY_USE_ENVELOPE, envelope.key_id, now)
            return unwrap(envelope, PepperOffer, public)
        except KeyUnknown:
            continue
        except (SignatureInvalid, MalformedMessage) as exc:
            raise PepperRefused("offer") from exc
    raise PepperRefused("offered_by_nobody_known")


def seal_info(epoch: str, agency: AgencyId, recipient_key_id: bytes) -> bytes:
    """Context to which a sealed pepper is bound."""
    return pae(_INFO, epoch.encode(), agency.encode(), recipient_key_id)


def commits(epoch: EpochView, digest: bytes) -> bool:
    """Whether the directory allows this pepper in this epoch: it commits to it, or to none yet."""
    commitment = epoch.pepper_commitment
    return not commitment or hmac.compare_digest(commitment, digest)
