"""The membership of one gateway, put together from its state directory.

Decides what an opened gateway consists of on this side; `gateway.wiring` adds the exchange and the listeners, the
operator's commands use it as it is while nothing serves. Whoever opens it must hold the log (`State.writing`).
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import DecodeError

from audit.checkpoint import Checkpoint, LogKey, LogSigner
from audit.errors import EvidenceError
from audit.highwater import read_high_water
from audit.log import Log, LogState
from audit.reader import Reader, agencies_of
from audit.store_sqlite import SqliteStore
from audit.timekeeping import Steady
from gateway.config import GatewayConfig
from gateway.members.administration import Administration, Doors
from gateway.members.ca import Authority, Issuer
from gateway.members.composition import Exchange, fingerprint
from gateway.members.deny import DenyList
from gateway.members.enroll import Enrollment
from gateway.members.ledger import Ledger
from gateway.members.membership import Membership
from gateway.members.office import Countersigners, DirectoryOffice
from gateway.members.renew import Renewal
from gateway.members.service_identity import RenewingCredential, client_credential, server_credential
from gateway.members.whole import check_store
from gateway.protocol.addresses import split_address
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.rules import Policy
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.sharing import Sharing
from gateway.protocol.signing import SigningKey
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from gateway.recovery.record import settle_record
from gateway.state import State, StateBroken
from gateway.store.erase_sqlite import SqliteErasing
from gateway.store.resting import EpochsAtRest
from gateway.tokens.ended_epochs import EndedEpochs
from gateway.tokens.epoch_keys import EpochKeys
from gateway.tokens.evaluate import Evaluator
from gateway.tokens.holding import HolderAdministration
from gateway.tokens.rotation import Rotation
from gateway.tokens.shares import Shares
from homeward.gateway.v1.directory_pb2 import KeyHolder, SignedSuccession

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Start:
    """How the log may be opened; see `audit.log.Log.open`."""

    steady: Steady | None = None
    may_recover: bool = False
    explained: bool = False


START: Final = Start()
Randomness = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Members:
    """Everything of the membership that a process needs."""

    ledger: Ledger
    store: SqliteStore
    denied: DenyList
    office: DirectoryOffice
    enrollment: Enrollment
    membership: Membership
    evaluator: Evaluator
    administration: Administration
    holding: HolderAdministration
    at_rest: EpochsAtRest
    ended: EndedEpochs
    rotation: Rotation
    server: RenewingCredential
    client_roots: bytes
    """PEM of the root that adapters' certificates chain to."""

    async def knowing(self, attested: Iterable[AgencyId]) -> frozenset[AgencyId]:
        """Members that may know more of the log than is stored: they have entries of their own in it, or `attested`.

        A revoked agency cannot link, and would be waited for in vain; so would one that has enrolled and is not listed
        yet, whose entries are of that alone. One that attested has linked: a directory that lacks it was put back.
        """
        view, using = self.office.view(), await self.ledger.read(agencies_of)
        members = {} if view is None else {name: view.member(name) for name in map(AgencyId, {*using, *attested})}
        suspended = {name for name, member in members.items() if member is not None and member.suspended}
        known = {*attested, *(name for name, member in members.items() if member is not None)}
        return frozenset(name for name in known - suspended if not self.denied.is_denied(name))


@dataclass(frozen=True, slots=True)
class GatewayKeys:
    """The gateway's own keys, read from its secrets."""

    issuer: Issuer
    root: x509.Certificate
    directory: SigningKey
    shares: Shares


def gateway_uri(config: GatewayConfig) -> str:
    """The gateway's channel identity."""
    return ChannelIdentity(config.trust_domain, ChannelKind.GATEWAY, config.name).uri


def read_keys(
    state: State, config: GatewayConfig, group: Ristretto, *, now: Clock, random_bytes: Randomness
) -> GatewayKeys:
    """The gateway's keys. Raises `StateBroken`, `ShareFileBroken`, `ShareRefused`."""
    intermediate = Authority(state.read_certificate("intermediate"), state.read_key("ca-intermediate.key"))
    return GatewayKeys(
        issuer=Issuer(intermediate, life=config.certificate_life, now=now, random_bytes=random_bytes),
        root=state.read_certificate("root"),
        directory=SigningKey.from_private_bytes(state.read_secret("directory.key", length=32)),
        shares=Shares(state, group),
    )


def dialing_credential(keys: GatewayKeys, config: GatewayConfig, *, now: Clock) -> RenewingCredential:
    """What the gateway shows to a custodian."""
    return client_credential(keys.issuer, gateway_uri(config), now=now)


def own_holder(keys: GatewayKeys, config: GatewayConfig, log_key: bytes) -> KeyHolder:
    """The gateway as a holder of a share; its commitment is the sharing's (`composition`)."""
    root = keys.root.public_bytes(Encoding.DER)
    return KeyHolder(
        share_index=keys.shares.in_force().share.index,
        operator=config.name,
        address=config.address,
        ca_fingerprint=fingerprint(root),
        ca_certificate=root,
        directory_key=keys.directory.public_bytes,
        log_origin=config.log_origin,
        log_key=log_key,
    )


async def open_members(
    state: State,
    config: GatewayConfig,
    keys: GatewayKeys,
    *,
    policy: Policy,
    group: Ristretto,
    signers: Countersigners,
    now: Clock,
    random_bytes: Randomness,
    start: Start = START,
    on_stop: Callable[[LogState], None] | None = None,
) -> Members:
    """The membership, with the last published directory current and the deny-list loaded.

    Every entry was verified, and the projections by them. Raises `StateBroken`, `audit.errors.EvidenceError` when the
    log must not go on, `DirectoryInvalid`.
    """
    store = SqliteStore(state.database)
    signer = read_log_signer(state, config.log_origin)
    ledger = await _open_ledger(
        state, config, store, signer, start=start, now=now, random_bytes=random_bytes, on_stop=on_stop
    )
    exchange = _exchange(config, keys, policy, group, log_key=signer.public.raw, successions=read_successions(state))
    office = DirectoryOffice(ledger, keys.directory, exchange, signers, now=now)
    denied = DenyList()
    await office.load()
    await denied.refresh(ledger)
    renewal = Renewal(ledger, keys.issuer, denied=denied, now=now)
    epoch_keys = EpochKeys(state, in_force=lambda: keys.shares.in_force().epoch)
    at_rest = EpochsAtRest(epoch_keys.key_of)
    ended = EndedEpochs(
        ledger, office, exchange, keys.shares, epoch_keys, at_rest, state, SqliteErasing(state.database)
    )
    root_pem = keys.root.public_bytes(Encoding.PEM)
    uri, hosts = gateway_uri(config), _hosts(config)
    return Members(
        ledger=ledger,
        store=store,
        denied=denied,
        office=office,
        enrollment=Enrollment(
            ledger,
            keys.issuer,
            trust_domain=config.trust_domain,
            ca_certificates=root_pem,
            denied=denied,
            changed=office.changed,
            now=now,
        ),
        membership=Membership(ledger, office, renewal, exchange=exchange, now=now),
        evaluator=Evaluator(
            ledger,
            keys.shares,
            group,
            directory=office.view,
            budgets=config.budgets,
            now=now,
            random_bytes=random_bytes,
        ),
        administration=Administration(
            ledger,
            _doors(state, config, keys),
            exchange=exchange,
            denied=denied,
            office=office,
            now=now,
            random_bytes=random_bytes,
        ),
        holding=HolderAdministration(
            ledger,
            keys.shares,
            operator=config.name,
            demo=config.demo,
            budgets=config.budgets,
            directory=office.view,
            now=now,
        ),
        at_rest=at_rest,
        ended=ended,
        rotation=Rotation(
            ledger,
            office,
            exchange,
            keys.shares,
            epoch_keys,
            ended.poke,
            now=now,
            random_bytes=random_bytes,
        ),
        server=server_credential(keys.issuer, uri, hosts, now=now),
        client_roots=root_pem,
    )


async def _open_ledger(
    state: State,
    config: GatewayConfig,
    store: SqliteStore,
    signer: LogSigner,
    *,
    start: Start,
    now: Clock,
    random_bytes: Randomness,
    on_stop: Callable[[LogState], None] | None,
) -> Ledger:
    state = replace(state, record=config.high_water)
    settle_record(state, signer.public)
    log = Log.open(
        store,
        signer=signer,
        keys=state.read_class_keys(),
        high_water=state.high_water,
        now=now,
        random_bytes=random_bytes,
        steady=start.steady,
        known=read_known(state, config, signer.public),
        may_recover=start.may_recover,
        explained=start.explained,
        on_stop=on_stop,
    )
    ledger = Ledger(log, Reader(store), now, state.read_class_keys())
    try:
        await asyncio.to_thread(check_store, state, ledger.reader, signer.public)
    except EvidenceError:
        await ledger.close()
        raise
    return ledger


def read_known(state: State, config: GatewayConfig, key: LogKey) -> list[Checkpoint]:
    """Checkpoints of the log that lie apart from its database: what it published last, if that can be read."""
    published = state.directory / config.publish.directory / "checkpoint"
    try:
        return [read_high_water(published, key)]
    except EvidenceError:
        # Missing or damaged: the publisher writes it again, after the rows were shown to lead to it.
        return []


def read_successions(state: State) -> tuple[SignedSuccession, ...]:
    """The declared losses of this gateway's log, in order. Raises `StateBroken`."""
    try:
        return tuple(SignedSuccession.FromString(path.read_bytes()) for path in state.successions())
    except (OSError, DecodeError) as exc:
        raise StateBroken(f"{state.directory}: a declared loss cannot be read") from exc


def read_log_signer(state: State, origin: str) -> LogSigner:
    """The key that signs the log's checkpoints. Raises `StateBroken`."""
    return LogSigner(origin, Ed25519PrivateKey.from_private_bytes(state.read_secret("log.key", length=32)))


def _exchange(
    config: GatewayConfig,
    keys: GatewayKeys,
    policy: Policy,
    group: Ristretto,
    *,
    log_key: bytes,
    successions: tuple[SignedSuccession, ...],
) -> Exchange:
    return Exchange(
        trust_domain=config.trust_domain,
        log_key=log_key,
        log_origin=config.log_origin,
        policy_version=policy.version,
        policy_digest=policy.digest,
        counties_without_agreement=config.counties_without_agreement,
        demo=config.demo,
        group=group,
        first_epoch=lambda: keys.shares.in_force().epoch,
        sharing_of=lambda epoch: _sharing(keys.shares, epoch),
        own_holder=own_holder(keys, config, log_key),
        successions=successions,
    )


def _sharing(shares: Shares, epoch: str) -> Sharing | None:
    dealt = shares.of_epoch(epoch)
    return dealt.sharing if dealt is not None else None


def _doors(state: State, config: GatewayConfig, keys: GatewayKeys) -> Doors:
    shown = state.read_certificate("enroll").public_bytes(Encoding.DER)
    return Doors(
        trust_domain=config.trust_domain,
        gateway_address=config.address,
        enrollment_address=config.enroll_address,
        enrollment_certificate_digest=hashlib.sha256(shown).digest(),
        gateway_key=keys.directory.public_bytes,
    )


def _hosts(config: GatewayConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys(split_address(address)[0] for address in (config.address, config.listen)))
