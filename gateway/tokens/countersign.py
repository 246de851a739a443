"""The custodian's signature on directories: what makes the gateway unable to mint a county or swap a key.

A directory is signed when all of this holds, and otherwise refused, or answered with the counties that wait:

1. the gateway signed it, with the key on the card its operator handed over
2. every key in it is certified by its county's root (`protocol/directory`)
3. trust domain and demonstration are this exchange's; of every epoch it names, this holder has a share of that very
   sharing, and the current epoch is the one of the directory signed before or was announced by it; this holder is
   listed exactly as it is, the others with the public shares of the current sharing; no operator has enough of them to
   make tokens in any epoch, but in a demonstration
4. the log it names is that of the directory signed before, or its declared successor (`protocol/succession`)
5. its version is above every version signed before, or it is the very directory signed last
6. every county's root is the one that this custodian's own operator admitted

Does not decide who is a member of an admitted county: the county does, by certifying its keys.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import insert, select

from audit.log import INDEX, Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.journal import Kind, draft
from gateway.members.ledger import Ledger
from gateway.protocol.directory import (
    GATEWAY_SHARE,
    DirectoryInvalid,
    DirectoryView,
    check_signature,
    read_directory,
    sign_directory,
)
from gateway.protocol.epochs import EpochView, may_follow, other_facts
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.sharing import is_on_sharing, sole_operators
from gateway.protocol.signing import SignatureInvalid, SigningKey, key_id
from gateway.protocol.succession import (
    SuccessionInvalid,
    follow,
    is_signed,
    read_succession,
    sign_newest,
    sign_succession,
)
from gateway.tokens import tables
from gateway.tokens.share_file import DealtShare
from gateway.tokens.shares import Shares
from homeward.gateway.v1.directory_pb2 import DirectorySignature, KeyHolder, LossDeclaration, SignedDirectory

_C = tables.countersigned.c
_ADMITTED: Final = Statement(select(tables.admitted.c.fips, tables.admitted.c.root_fingerprint))
_ADMIT: Final = upsert(tables.admitted, "fips")
_SIGN: Final = Statement(insert(tables.countersigned))
_NEWEST: Final = Statement(select(_C.signed).order_by(_C.version.desc()).limit(1))
_EVERY: Final = Statement(select(_C.signed).order_by(_C.version.desc()))
_FEW: Final = 16


@dataclass(frozen=True, slots=True)
class Custody:
    """What a custodian knows of itself and of the exchange it serves."""

    trust_domain: str
    gateway_key: bytes
    """Raw Ed25519, from the gateway's card."""
    own: KeyHolder
    """Itself, as a directory must list it; the commitment is that of the share it has."""
    shares: Shares
    group: Ristretto
    demo: bool


def root_fingerprint(root_key: bytes) -> bytes:
    """SHA-256 of a raw county root key: what two people compare."""
    return hashlib.sha256(root_key).digest()


class Countersigning:
    """Signs directories for one custodian. One event loop."""

    def __init__(self, ledger: Ledger, key: SigningKey, custody: Custody) -> None:
        self._ledger = ledger
        self._key = key
        self._custody = custody
        self._view: DirectoryView | None = None
        self._signed: SignedDirectory | None = None
        self._waiting: Mapping[str, bytes] = {}
        # Two directories at once must not both find themselves the next version.
        self._turn = asyncio.Lock()

    def view(self) -> DirectoryView | None:
        """The newest directory this custodian signed; keys count only from there."""
        return self._view

    @property
    def waiting(self) -> Mapping[str, bytes]:
        """Fingerprints of the roots that the gateway presented and nobody admitted, by county."""
        return self._waiting

    async def load(self) -> None:
        """The directory signed last, before the last stop, counts again."""
        row = await self._ledger.read(lambda tx: tx.one(_NEWEST))
        if row is not None:
            self._signed = SignedDirectory.FromString(row[0])
            self._view = read_directory(self._signed.directory)

    async def has_named(self, dealt: DealtShare) -> bool:
        """Whether a directory that this custodian signed has named the very sharing that this share is of."""

        def named(tx: Tx) -> bool:
            rows = (signed for page in tx.pages(_EVERY, _FEW) for (signed,) in page)
            views = (read_directory(SignedDirectory.FromString(signed).directory) for signed in rows)
            return any(each.sharing == dealt.sharing for view in views for each in view.epochs.values())

        return await self._ledger.survey(named)

    async def admit(self, fips: str, fingerprint: bytes) -> None:
        """The county's root with this fingerprint is admitted, in the place of any other. Raises `Unavailable`."""
        entry = draft(Kind.COUNTY_ADMITTED, op={"county": fips, "county_root": fingerprint})
        await self._ledger.append(Append(entry, rows=((_ADMIT, (fips, fingerprint, INDEX)),)))

    async def admitted(self) -> dict[str, bytes]:
        """Fingerprint of the admitted root, by county."""
        return await self._ledger.read(read_admitted)

    async def countersign(self, signed: SignedDirectory) -> tuple[DirectorySignature | None, tuple[str, ...]]:
        """The signature, or None and the counties that wait for admission.

        Raises `Invalid` (DIRECTORY_INVALID with the rule it breaks), `Unavailable`.
        """
        async with self._turn:
            view = self._check(signed)
            admitted = await self.admitted()
            presented = {county.fips: root_fingerprint(county.root_key) for county in view.counties()}
            self._waiting = {fips: root for fips, root in presented.items() if admitted.get(fips) != root}
            if self._waiting:
                return None, tuple(sorted(self._waiting))
            signature = sign_directory(signed.directory, self._key)
            if self._view is None or self._view.version < view.version:
                await self._record(signed, view, signature)
            return signature, ()

    async def sign_loss(self, declaration: LossDeclaration) -> LossDeclaration:
        """The declaration with this holder's signature and newest directory; that it was given is in the log first.

        Raises `Invalid` (DIRECTORY_INVALID) where it is not the gateway's, or of another log than the one in force,
        `Unavailable`.
        """
        signed, known = declaration.signed, self._signed
        try:
            message = read_succession(signed.succession)
        except SuccessionInvalid as exc:
            raise _refused(exc.why) from exc
        if known is None or self._view is None or not is_signed(signed, self._custody.gateway_key):
            raise _refused("signature")
        closed = message.trust_domain, message.closed_origin, message.closed_key
        if closed != (self._custody.trust_domain, self._view.message.log_origin, self._view.message.log_key):
            raise _refused("log")
        digest = hashlib.sha256(signed.succession).digest()
        entry = draft(
            Kind.LOSS_SIGNED,
            op={
                "origin": message.closed_origin,
                "kept": message.kept_count,
                "size": message.closed_size,
                "digest": digest,
            },
        )
        await self._ledger.append(Append(entry))
        both = LossDeclaration()
        both.CopyFrom(declaration)
        both.signed.signatures.append(sign_succession(signed.succession, self._key))
        both.directories.append(known)
        both.newest.append(sign_newest(signed.succession, known.directory, self._key))
        return both

    async def _record(self, signed: SignedDirectory, view: DirectoryView, signature: DirectorySignature) -> None:
        both = SignedDirectory(directory=signed.directory, signatures=[*signed.signatures, signature])
        digest = hashlib.sha256(signed.directory).digest()
        facts = view.sharing.facts() | other_facts(view.message) if view.sharing is not None else {}
        entry = draft(Kind.DIRECTORY_SIGNED, op={"version": view.version, "directory": digest, **facts})
        row = (view.version, both.SerializeToString(), INDEX)
        await self._ledger.append(Append(entry, rows=((_SIGN, row),)))
        self._signed, self._view = both, view

    def _check(self, signed: SignedDirectory) -> DirectoryView:
        gateway = key_id(self._custody.gateway_key)
        try:
            (signature,) = [found for found in signed.signatures if found.key_id == gateway]
            check_signature(signed.directory, signature, self._custody.gateway_key)
            view = read_directory(signed.directory)
        except (ValueError, SignatureInvalid) as exc:
            raise _refused("signature") from exc
        except DirectoryInvalid as exc:
            raise _refused(exc.why) from exc
        if view.trust_domain != self._custody.trust_domain:
            raise _refused("exchange")
        if self._view is not None and not may_follow(self._view.epochs, view.epochs):
            raise _refused("epoch")
        _check_log(view, self._view, self._custody.gateway_key)
        if view.message.demo != self._custody.demo:
            raise _refused("demo")
        _check_holders(view, self._custody)
        # The newest one may be signed again, byte for byte.
        is_newest = self._signed is not None and signed.directory == self._signed.directory
        if self._view is not None and view.version <= self._view.version and not is_newest:
            raise _refused("version")
        return view


def read_admitted(tx: Tx) -> dict[str, bytes]:
    """Fingerprint of the admitted root, by county."""
    return {fips: bytes(fingerprint) for fips, fingerprint in tx.all(_ADMITTED)}


def _check_log(view: DirectoryView, before: DirectoryView | None, gateway_key: bytes) -> None:
    """Another log than in the directory before has the signature of a holder that this one knew."""
    reached = view.message.log_origin, view.message.log_key
    if before is None or (before.message.log_origin, before.message.log_key) == reached:
        return
    try:
        followed, _ = follow(
            view.message.successions,
            (before.message.log_origin, before.message.log_key),
            trust_domain=view.trust_domain,
            gateway_key=gateway_key,
            holder_keys=[holder.directory_key for holder in before.message.holders],
        )
    except SuccessionInvalid as exc:
        raise _refused("log") from exc
    if followed != reached:
        raise _refused("log")


def _check_holders(view: DirectoryView, custody: Custody) -> None:
    holders, sharing = list(view.message.holders), view.sharing
    shares = [_share_of(each, custody.shares) for each in view.epochs.values()]
    dealt = shares[0]
    if sharing is None or dealt is None or None in shares:
        raise _refused("sharing")
    own = KeyHolder()
    own.CopyFrom(custody.own)
    own.share_commitment = dealt.public(custody.group)
    if own not in holders:
        raise _refused("own_entry")
    for distinct in ("share_index", "directory_key", "log_key"):
        if len({getattr(holder, distinct) for holder in holders}) != len(holders):
            raise _refused(distinct)
    for holder in holders:
        if not is_on_sharing(custody.group, sharing, index=holder.share_index, commitment=holder.share_commitment):
            raise _refused("share_commitment")
    fewest = min(each.sharing.threshold for each in view.epochs.values() if each.sharing is not None)
    if sole_operators(holders, fewest) and not custody.demo:
        raise _refused("operator")
    gateway = [holder for holder in holders if holder.directory_key == custody.gateway_key]
    if [holder.share_index for holder in gateway] != [GATEWAY_SHARE]:
        raise _refused("gateway_entry")


def _share_of(epoch: EpochView, shares: Shares) -> DealtShare | None:
    """This holder's share of the epoch's sharing; None where it has none, or one of another sharing."""
    if epoch.sharing is None or epoch.sharing.epoch != epoch.name:
        return None
    dealt = shares.find(epoch.name, epoch.sharing.generation)
    return dealt if dealt is not None and dealt.sharing == epoch.sharing else None


def _refused(rule: str) -> Invalid:
    return Invalid(ErrorReason.DIRECTORY_INVALID, fields=(f"directory: {rule}",))
