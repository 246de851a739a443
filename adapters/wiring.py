"""Assembles one adapter from its file and its state directory. Knows everybody; decides nothing.

Nothing here waits, dials or listens: that begins in `service`.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.accepted_readings import StoredReadings
from adapters.caseload import Caseload, open_caseload
from adapters.channel_identity import load_identity
from adapters.config import AdapterConfig
from adapters.flag_states import due_flags, overdue_duties, presenting
from adapters.identity.scheme import Scheme, load_scheme, with_county_forms
from adapters.keyring import Keyring, load_keyring
from adapters.local.edges import Edges, assemble
from adapters.membership import Membership, read_membership
from adapters.node.acts import Acts, HolderReceipts
from adapters.node.alerts import Alerts, lost_alert
from adapters.node.attest import Attester
from adapters.node.compare import Comparison
from adapters.node.directory_keeper import DirectoryKeeper, lists
from adapters.node.erase import Eraser
from adapters.node.errors import NotReady
from adapters.node.flags import OwnFlags
from adapters.node.followed_logs import HolderLogs
from adapters.node.holder_alarm import HolderAlarm, HolderFinding, operators_with
from adapters.node.holders import Tokenizer
from adapters.node.identifiers import Clock, RandomBytes, timestamp
from adapters.node.link.channels import Channels
from adapters.node.link.flag_checks import StreamingGateway
from adapters.node.link.stream import Link
from adapters.node.node import Node
from adapters.node.notices import NoticeKeeper
from adapters.node.own_authorities import OwnAuthorities
from adapters.node.own_reports import OwnReports
from adapters.node.pepper import PepperFiles, PepperKeeper
from adapters.node.present import Presenter
from adapters.node.quorum import quorum
from adapters.node.receipts import Requests
from adapters.node.register import Registrar
from adapters.node.renew import Renewer
from adapters.node.respond import Responder
from adapters.node.reviews import Reviews
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.source import CaseloadSource
from adapters.node.store import FILE_NAME as STORE_FILE
from adapters.node.store import Store, open_store
from adapters.node.subjects import Subjects
from adapters.node.witness import LogWitness
from adapters.node.work_log import WorkLog
from adapters.source_states import source_states
from adapters.staff import StaffTokens
from adapters.staff_keys import key_set
from gateway.protocol.oprf import load_suite
from gateway.protocol.policy.bundle import load_california
from homeward.county.v1.access_pb2 import (
    EpochListing,
    GetStatusResponse,
)


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter, assembled."""

    config: AdapterConfig
    state: Path
    node: Node
    channels: Channels
    caseload: Caseload
    subjects: Subjects
    sealed: SealedSubjects
    alerts: Alerts
    notices: NoticeKeeper
    eraser: Eraser
    presenter: Presenter
    registrar: Registrar
    link: Link
    renewer: Renewer
    edges: Edges = field(repr=False)
    staff: StaffTokens = field(repr=False)
    witness: LogWitness = field(repr=False)

    @property
    def has_sources(self) -> bool:
        """Whether this county's file names systems to answer from."""
        return bool(self.config.sources)

    def is_ready(self) -> bool:
        """Listed in the directory, able to make tokens, linked, and with its list at the gateway if it has one."""
        listed = self.registrar.beats > 0 or not self.has_sources
        return self.link.status.up and listed and self.tokens_ready()

    def tokens_ready(self) -> bool:
        """Whether directory, policy, pepper and enough holders are there."""
        try:
            self.node.policy()
            self.node.pepper.current(self.node.directory())
            quorum(self.node.tokenizer.suite.group, self.node.directory())
        except NotReady:
            return False
        return True

    def status(self) -> GetStatusResponse:
        """The adapter's own state; names no youth."""
        return GetStatusResponse(
            agency=self.node.agency,
            spiffe_id=self.node.membership.spiffe_id,
            certificate_expire_time=timestamp(self.channels.identity.expires),
            link_up=self.link.status.up,
            directory_version=self.node.keeper.version,
            listed_count=self.listed_count(),
            sources=source_states(self.caseload, self.config.sources, self.node.now()),
            open_alert_count=self.alerts.open_count(),
            policy_version=self.node.bundle.version,
            tokens_ready=self.tokens_ready(),
            witnessed_size=self.witness.size(),
            log_forked=self.witness.fork is not None,
            unproven_holders=operators_with(HolderFinding.UNPROVEN, self.node.store, self.node.now()),
            another_log_holders=operators_with(HolderFinding.ANOTHER_LOG, self.node.store, self.node.now()),
            sole_operators=self.sole_operators(),
            epochs=self.epochs(),
            attestation=self.link.attester.newest() if self.link.attester is not None else None,
            presenting=presenting(self.presenter),
            due_flags=due_flags(self.presenter.flags, self.node.now()),
            overdue_duties=overdue_duties(self.node.store, self.node.now()),
            unanswered_flag_ids=self.presenter.flags.unanswered(self.node.now()),
            unanswered_seal_count=self.sealed.unanswered(),
            missing_alert=self.link.missing_alert,
            forgotten_alert=self.alerts.forgotten(),
            lost_alert=lost_alert(self.node.store),
            certificate_refused=self.link.status.certificate_refused,
        )

    def epochs(self) -> list[EpochListing]:
        """How much of the list is registered in each epoch."""
        try:
            epochs = self.node.directory().epochs.values()
        except NotReady:
            return []
        due = self.registrar.progress.due
        return [
            EpochListing(
                epoch=each.name, listed_count=self.subjects.listed_count(each.name), due_count=due.get(each.name, 0)
            )
            for each in epochs
            if each.is_listed_in
        ]

    def listed_count(self) -> int:
        """Youths listed in the current epoch; 0 while no directory names one."""
        try:
            return self.subjects.listed_count(self.node.directory().epoch)
        except NotReady:
            return 0

    def sole_operators(self) -> tuple[str, ...]:
        """Operators who alone make tokens; only in a demonstration."""
        try:
            return self.node.directory().sole_operators
        except NotReady:
            return ()


def build(
    config: AdapterConfig,
    file: Path,
    *,
    environment: Mapping[str, str],
    now: Clock,
    random_bytes: RandomBytes,
    monotonic: Callable[[], float],
) -> Adapter:
    """The adapter whose file this is; call it within the event loop that will run it.

    Raises `FileNotFoundError` and `MembershipInvalid` where nobody joined, `KeyFileUnusable`, `StoreUnsafe`,
    `LibraryUnavailable`.
    """
    state = config.state_directory(file)
    membership, keyring = _identify(state)
    store = open_store(state / STORE_FILE)
    channels = Channels(membership.gateway_address, lambda: load_identity(state))
    scheme = with_county_forms(load_scheme(), config.names.short_forms)
    node, witness = _node(
        state, membership, keyring, store=store, channels=channels, scheme=scheme, now=now, random_bytes=random_bytes
    )
    caseload = _caseload(config, file, store, environment=environment, now=now, monotonic=monotonic)
    sealed = SealedSubjects(store, keyring.commitment).load()
    subjects = Subjects(store, random_bytes=random_bytes, earlier=sealed.earlier_handle)
    source = CaseloadSource(caseload)
    flags, alerts = OwnFlags(store), Alerts(store, quiet=config.alerts.quiet)
    authorities, notices = OwnAuthorities(store), NoticeKeeper(node, alerts)
    registrar = Registrar(
        Comparison(node, source, subjects, flags, config.index.policy, sealed.is_sealed), found_sealed=sealed.take_up
    )
    responder = _responder(node, source, subjects, flags, config)
    return Adapter(
        config=config,
        state=state,
        node=node,
        channels=channels,
        caseload=caseload,
        subjects=subjects,
        sealed=sealed,
        alerts=alerts,
        registrar=registrar,
        link=_link(node, channels, responder, notices, witness, has_sources=bool(config.sources)),
        notices=notices,
        eraser=Eraser(node),
        presenter=Presenter(node, authorities, flags, OwnReports(store), Requests(store), heard=registrar.poke),
        renewer=_renewer(state, node, channels),
        edges=assemble(
            node,
            listing=registrar,
            zone=config.tzinfo,
            flags=flags,
            authorities=authorities,
            alerts=alerts,
            subjects=subjects,
            sealed=sealed,
            relist=registrar.poke,
        ),
        staff=_staff(config, file, keyring, now),
        witness=witness,
    )


def _caseload(
    config: AdapterConfig,
    file: Path,
    store: Store,
    *,
    environment: Mapping[str, str],
    now: Clock,
    monotonic: Callable[[], float],
) -> Caseload:
    return open_caseload(
        config, base=file.parent, zone=config.tzinfo, accepted=StoredReadings(store), environment=environment, now=now,
        monotonic=monotonic,
    )  # fmt: skip


def _identify(state: Path) -> tuple[Membership, Keyring]:
    """Who this adapter is, and its keys; nothing was opened when this fails."""
    read_membership(state)
    # Finishes a renewal that a crash interrupted, which also rewrites the membership.
    load_identity(state)
    return read_membership(state), load_keyring(state / "keys")


def _node(
    state: Path,
    membership: Membership,
    keyring: Keyring,
    *,
    store: Store,
    channels: Channels,
    scheme: Scheme,
    now: Clock,
    random_bytes: RandomBytes,
) -> tuple[Node, LogWitness]:
    keeper = DirectoryKeeper(
        store=store,
        pins=membership.pins,
        log=membership.log,
        gateway=channels.gateway,
        is_listed=lists(membership.agency, keyring.envelope.key_id, now),
        cosigned=lambda origin: witness.cosigned_of(origin),
    )
    acts = Acts(Requests(store), lambda: keeper.log)
    pepper = PepperKeeper(
        agency=membership.agency,
        keyring=keyring,
        files=PepperFiles(state / "keys"),
        directory=keeper,
        gateway=channels.gateway,
        acts=acts,
        now=now,
        random_bytes=random_bytes,
    )
    witness = LogWitness(state, membership, directory=keeper.current, now=now)
    node = Node(
        membership=membership,
        keyring=keyring,
        store=store,
        gateway=StreamingGateway(channels.gateway),
        identity=lambda: channels.identity,
        keeper=keeper,
        pepper=pepper,
        tokenizer=_tokenizer(keyring, store, channels, scheme=scheme, now=now, random_bytes=random_bytes),
        acts=acts,
        bundle=load_california(),
        now=now,
        random_bytes=random_bytes,
        check_log=witness.check,
    )
    return node, witness


def _responder(
    node: Node, source: CaseloadSource, subjects: Subjects, flags: OwnFlags, config: AdapterConfig
) -> Responder:
    return Responder(
        node=node,
        source=source,
        subjects=subjects,
        flags=flags,
        reviews=Reviews(node.store),
        work=WorkLog(node.store),
        release=config.release,
        narrowing=config.never.narrowing,
        zone=config.tzinfo,
    )


def _tokenizer(
    keyring: Keyring, store: Store, channels: Channels, *, scheme: Scheme, now: Clock, random_bytes: RandomBytes
) -> Tokenizer:
    return Tokenizer(
        suite=load_suite(),
        scheme=scheme,
        envelope_key=keyring.envelope,
        caller_of=channels.holder,
        alarm=HolderAlarm(store, now),
        receipts=HolderReceipts(Requests(store), HolderLogs(store, now)),
        now=now,
        random_bytes=random_bytes,
    )


def _link(
    node: Node,
    channels: Channels,
    responder: Responder,
    notices: NoticeKeeper,
    witness: LogWitness,
    *,
    has_sources: bool,
) -> Link:
    attester = Attester(
        agency=node.agency,
        store=node.store,
        key=node.keyring.envelope,
        cosigned=witness.cosigned,
        now=node.now,
    )
    return Link(
        channel=channels.gateway,
        envelope_key=node.keyring.envelope,
        work=responder.answer,
        alerts=notices.alerts,
        heard=notices.heard,
        keeper=node.keeper,
        now=node.now,
        random_bytes=node.random_bytes,
        has_sources=has_sources,
        witness_keys=witness.keys,
        witness=witness.answer,
        cosigned=witness.cosigned_note,
        attester=attester,
    )


def _renewer(state: Path, node: Node, channels: Channels) -> Renewer:
    return Renewer(
        state=state,
        envelope_key=node.keyring.envelope,
        identity=lambda: channels.identity,
        gateway=channels.gateway,
        acts=node.acts,
        took_over=channels.reload,
        now=node.now,
        random_bytes=node.random_bytes,
    )


def _staff(config: AdapterConfig, file: Path, keyring: Keyring, now: Clock) -> StaffTokens:
    keys = key_set(config.staff.jwks, base=file.parent, now=now)
    pseudonyms = hmac.digest(keyring.commitment, b"homeward/pseudonym/v1", "sha256")
    return StaffTokens(config.staff, keys, pseudonym_key=pseudonyms, now=now)
