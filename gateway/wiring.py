"""Puts a gateway together and runs it until it is told to stop, or must.

The only place that knows every room. Decides the order of start (log and its checks first,
listeners last) and of stop (tell the adapters, refuse newcomers, finish, close the log), and
that a log which failed ends the process: nothing may be answered after that.
"""

import asyncio
import contextlib
import hmac
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import grpc

from audit.entry import ClassKeys
from audit.log import LogState
from audit.reader import Reader
from audit.timekeeping import steady_seconds
from gateway.announcing import figures, ready_line
from gateway.config import GatewayConfig, load_gateway
from gateway.errors import ErrorReason, Unavailable
from gateway.exchange.access import AccessLog
from gateway.exchange.authorities import AuthorityRecords
from gateway.exchange.holds import Holds, Suspicion, Unheld
from gateway.exchange.setting import Setting
from gateway.exchange.spine import Exchange
from gateway.exchange.verdicts import Verdicts
from gateway.members.assembly import Members, Start, dialing_credential, open_members, read_keys
from gateway.missing.flags import FlagReports
from gateway.missing.recording import Recording
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.rules import Policy
from gateway.protocol.ristretto import load_ristretto
from gateway.publishing.assembly import Publishing, assemble_publishing
from gateway.publishing.witnessed import WitnessedJournal
from gateway.recovery.carry_out import carry_out
from gateway.recovery.held import HeldRevocations
from gateway.rpc.access import AuditServicer
from gateway.rpc.admin import AdminServicer, HolderAdminServicer, serve_admin
from gateway.rpc.authority import AuthorityServicer
from gateway.rpc.countersign import CountersignClient
from gateway.rpc.enrollment import EnrollmentServicer
from gateway.rpc.exchange import ExchangeServicer
from gateway.rpc.index import IndexServicer
from gateway.rpc.link import LinkServicer
from gateway.rpc.links import Links
from gateway.rpc.machine import MachineCalls
from gateway.rpc.membership import MembershipServicer
from gateway.rpc.methods import Listener
from gateway.rpc.missing import MissingServicer
from gateway.rpc.peer import Peers
from gateway.rpc.recording import MessageRecorder
from gateway.rpc.review import ReviewServicer
from gateway.rpc.sealing import SealingServicer
from gateway.rpc.server import Add, Edge, Served, serve
from gateway.rpc.tls import mutual_tls, server_tls
from gateway.rpc.token import TokenServicer
from gateway.sealing_assembly import Seals, open_seals, read_court
from gateway.state import State
from gateway.store.alerts import Alerts
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.deeds import SqlDeeds
from gateway.store.entries import LogEntries
from gateway.store.flags import SqlFlags
from gateway.store.holds import SqlHolds
from gateway.store.index import SqlIndex
from gateway.store.log_journal import LogJournal
from gateway.store.lookups import Lookups
from gateway.store.projections import SqlProjections
from gateway.store.reliance import SqlReliance
from gateway.store.reviews import SqlReviews
from gateway.store.youth_keys import FileYouthKeys
from gateway.telemetry import call_counts, outcome_counts
from gateway.tokens.holding import check_operators
from gateway.tokens.index import Registrations, listed_subjects
from homeward.audit.v1.service_pb2_grpc import add_AuditServiceServicer_to_server
from homeward.counting import CallRecorder, OutcomeCounts
from homeward.gateway.v1.admin_pb2 import RevokeMemberRequest
from homeward.gateway.v1.authority_pb2_grpc import add_AuthorityServiceServicer_to_server
from homeward.gateway.v1.directory_pb2_grpc import add_MembershipServiceServicer_to_server
from homeward.gateway.v1.enrollment_pb2_grpc import add_EnrollmentServiceServicer_to_server
from homeward.gateway.v1.exchange_pb2_grpc import add_ExchangeServiceServicer_to_server
from homeward.gateway.v1.index_pb2_grpc import add_IndexServiceServicer_to_server
from homeward.gateway.v1.link_pb2_grpc import add_AdapterLinkServiceServicer_to_server
from homeward.gateway.v1.missing_pb2_grpc import add_MissingServiceServicer_to_server
from homeward.gateway.v1.review_pb2_grpc import add_ReviewServiceServicer_to_server
from homeward.gateway.v1.sealing_pb2_grpc import add_SealingServiceServicer_to_server
from homeward.gateway.v1.token_pb2_grpc import add_TokenServiceServicer_to_server
from homeward.observing import observed

GRACE_SECONDS: Final = 5.0


def utc_now() -> datetime:
    """The time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway whose parts are made."""

    config: GatewayConfig
    state: State
    members: Members
    policy: Policy
    journal: LogJournal
    class_keys: ClassKeys
    lookups: Lookups
    youth_keys: FileYouthKeys
    links: Links
    outcomes: OutcomeCounts
    peers: Peers
    publishing: Publishing
    held: HeldRevocations
    seals: Seals

    def recovering(self) -> bool:
        """The log's database was put back: it takes no entries, and nothing is disclosed."""
        return self.members.ledger.log.state is LogState.RECOVERING

    def directory(self) -> DirectoryView:
        """The directory in force. Raises `Unavailable` until one is signed by all."""
        view = self.members.office.view()
        if view is None:
            raise Unavailable(ErrorReason.NOT_READY)
        return view

    def pairwise(self) -> Callable[[AgencyId, AgencyId, SubjectHandle], bytes]:
        """Handles valid between two agencies only."""
        keyed = _keyed(self.state.read_secret("handle.key", length=32))
        return lambda requester, owner, handle: keyed(f"{requester}\0{owner}\0".encode() + handle)


def run(directory: Path) -> int:
    """Serves the gateway of this directory until SIGTERM or SIGINT; the process's exit status.

    Raises what `load_gateway`, `State` and `open_members` raise when it must not start.
    """
    state = State(directory, "gateway")
    with state.writing():
        return asyncio.run(_run(state, load_gateway(directory)))


async def _run(state: State, config: GatewayConfig) -> int:
    loop, stop, failed = asyncio.get_running_loop(), asyncio.Event(), []

    def log_stopped(log_state: LogState) -> None:
        if log_state is LogState.FAILED:
            failed.append(log_state)
        with contextlib.suppress(RuntimeError):
            # The loop may be gone: then nobody is left to tell.
            loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    group = load_ristretto()
    keys = read_keys(state, config, group, now=utc_now, random_bytes=os.urandom)
    signers = CountersignClient(dialing_credential(keys, config, now=utc_now))
    policy = load_california()
    members = await open_members(
        state,
        config,
        keys,
        policy=policy,
        group=group,
        signers=signers,
        now=utc_now,
        random_bytes=os.urandom,
        start=Start(steady=steady_seconds, may_recover=True),
        on_stop=log_stopped,
    )
    running = _assemble(state, config, members, policy)
    try:
        check_operators(members.office.view(), demo=config.demo)
        await _serve(running, stop)
    finally:
        await signers.close()
        running.youth_keys.close()
        await members.ledger.close()
    return 1 if failed else 0


def _assemble(state: State, config: GatewayConfig, members: Members, policy: Policy) -> Running:
    links, lookups = Links(), Lookups(Reader(members.store), threaded=False)
    youth_keys = FileYouthKeys(
        state.youth_keys, wrapping_key=state.read_secret("youth-wrap.key", length=32), random_bytes=os.urandom
    )
    court = read_court(state, config)
    return Running(
        config=config,
        state=state,
        members=members,
        policy=policy,
        journal=LogJournal(members.ledger.log),
        class_keys=state.read_class_keys(),
        lookups=lookups,
        youth_keys=youth_keys,
        links=links,
        outcomes=outcome_counts(),
        peers=Peers(trust_domain=config.trust_domain, is_denied=members.denied.is_denied, now=utc_now),
        publishing=assemble_publishing(
            state, config, members.store, linked=links.witnesses, log=members.ledger.log, now=utc_now
        ),
        held=HeldRevocations(state.held_revocations),
        seals=open_seals(state.database, state.youth_keys, lookups=lookups, youth_keys=youth_keys, court=court),
    )


async def _serve(running: Running, stop: asyncio.Event) -> None:
    # Before anybody's key is readied: a sealed youth gets none, whatever an older database says.
    await running.seals.settle(running.journal)
    for owner, handles in (await running.lookups.read(listed_subjects)).items():
        await running.youth_keys.prepare(owner, handles)
    if not running.recovering():
        await running.members.rotation.attempt(at_start=True)
    await running.publishing.rounds.begin()
    await running.publishing.attestations.load()
    # Whoever has just linked may be the one whose cosignature is missing.
    running.links.witness_linked = running.publishing.witnessed.wanted.set
    async with observed(
        running.config.telemetry,
        name="homeward-gateway",
        counts=call_counts(),
        others=running.outcomes.readings(),
        figures=lambda: figures(running.members, running.publishing, running.links, now=utc_now()),
    ) as recorder:
        await _listen(running, recorder, stop)


async def _listen(running: Running, recorder: CallRecorder, stop: asyncio.Event) -> None:
    members, config = running.members, running.config
    services = _services(running)
    if not running.recovering():
        # Before anybody is answered: what was revoked while the log was put back must not be disclosed once.
        await carry_out(
            running.held,
            services.admission,
            services.records,
            revoke_member=lambda subject: members.administration.revoke(RevokeMemberRequest(subject=subject)),
        )
    members.office.subscribe(running.links.directory_changed)
    main = await serve(
        _edge(running, recorder, Listener.GATEWAY, running.peers),
        config.listen,
        mutual_tls(members.server, members.client_roots),
        services.adding,
    )
    enrollment = await _serve_enrollment(running, recorder)
    holder = HolderAdminServicer(members.holding)
    admin = await serve_admin(running.state.admin_socket, _admin(running), holder, recorder=recorder)
    tasks = [
        _background(members.office.run(), stop),
        _background(members.denied.follow(members.ledger), stop),
        _background(running.publishing.rounds.run(), stop),
        *([] if running.recovering() else [_background(members.rotation.run(), stop)]),
        _background(running.publishing.attestations.run(), stop),
    ]
    sys.stdout.write(ready_line(members, config, running.policy, port=main.port, enroll_port=enrollment.port))
    sys.stdout.flush()
    await stop.wait()
    running.links.going_away(int(GRACE_SECONDS))
    await main.drain()
    for task in tasks:
        task.cancel()
    await asyncio.gather(main.stop(GRACE_SECONDS), enrollment.stop(GRACE_SECONDS), admin.stop(GRACE_SECONDS))
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _serve_enrollment(running: Running, recorder: CallRecorder) -> Served:
    state = running.state
    return await serve(
        _edge(running, recorder, Listener.ENROLLMENT, None),
        running.config.enroll_listen,
        server_tls(state.read_secret("enroll.key"), state.certificate("enroll").read_bytes()),
        [_adding(add_EnrollmentServiceServicer_to_server, EnrollmentServicer(running.members.enrollment))],
    )


def _edge(running: Running, recorder: CallRecorder, listener: Listener, peers: Peers | None) -> Edge:
    recorded = running.config.sandbox.record_messages
    return Edge(
        listener=listener,
        peers=peers,
        recorder=recorder,
        reflection=running.config.demo and listener is Listener.GATEWAY,
        messages=MessageRecorder(recorded) if recorded is not None else None,
    )


def _admin(running: Running) -> AdminServicer:
    return AdminServicer(
        running.members.administration,
        running.publishing.status,
        rotation=running.members.rotation,
        held=running.held,
        recovering=running.recovering,
    )


@dataclass(frozen=True, slots=True)
class _Services:
    """What the main listener serves, and what carries out revocations that were held."""

    adding: list[Add]
    admission: Exchange
    records: AuthorityRecords


def _services(running: Running) -> _Services:
    setting = _setting(running)
    exchange = Exchange(setting)
    machine = MachineCalls(running.directory, utc_now)
    members, ledger = running.members, running.members.ledger
    entries = LogEntries(ledger.log, ledger.reader, running.class_keys)
    verdicts = Verdicts(
        journal=running.journal,
        projections=setting.projections,
        reviews=setting.reviews,
        sources=running.links,
        pairwise=setting.pairwise,
        recall=running.seals.link_recall(setting, marked=entries, keys=running.class_keys),
        now=utc_now,
    )
    deeds, flags = SqlDeeds(running.lookups, entries), SqlFlags(running.lookups)
    book = SqlAuthorityBook(running.lookups)
    records = AuthorityRecords(setting, book, deeds, is_listed=flags.is_listed)
    registrations = Registrations(
        ledger,
        directory=running.directory,
        at_rest=members.at_rest,
        prepare=running.youth_keys.prepare,
        acknowledged=running.links.last_acknowledged,
        now=utc_now,
        sealed_among=running.seals.escrow.sealed_among,
    )
    exchange_servicer = ExchangeServicer(
        exchange,
        journal=running.journal,
        projections=setting.projections,
        machine=machine,
        pairwise=setting.pairwise,
        policy_version=running.policy.version,
        outcomes=running.outcomes,
        now=utc_now,
    )
    link = LinkServicer(
        running.links,
        peers=running.peers,
        machine=machine,
        alerts=Alerts(running.lookups),
        journal=running.journal,
        directory=running.directory,
        attestations=running.publishing.attestations,
        now=utc_now,
    )
    missing = MissingServicer(FlagReports(Recording(setting, flags, deeds)), exchange, now=utc_now)
    sealing = running.seals.orders(setting, marked=entries, deeds=deeds, keys=running.class_keys)
    audit = AuditServicer(AccessLog(setting, entries, running.class_keys), exchange, now=utc_now)
    authority = AuthorityServicer(records, exchange, now=utc_now, held=running.held, recovering=running.recovering)
    adding = [
        _adding(add_ExchangeServiceServicer_to_server, exchange_servicer),
        _adding(add_MissingServiceServicer_to_server, missing),
        _adding(add_AuthorityServiceServicer_to_server, authority),
        _adding(add_AuditServiceServicer_to_server, audit),
        _adding(add_SealingServiceServicer_to_server, SealingServicer(sealing, exchange, machine, now=utc_now)),
        _adding(add_IndexServiceServicer_to_server, IndexServicer(registrations, machine)),
        _adding(add_ReviewServiceServicer_to_server, ReviewServicer(verdicts, machine)),
        _adding(add_AdapterLinkServiceServicer_to_server, link),
        _adding(add_MembershipServiceServicer_to_server, MembershipServicer(members.membership)),
        _adding(add_TokenServiceServicer_to_server, TokenServicer(members.evaluator)),
    ]
    return _Services(adding, exchange, records)


def _setting(running: Running) -> Setting:
    at_rest = running.members.at_rest
    return Setting(
        policy=running.policy,
        directory=running.directory,
        journal=WitnessedJournal(running.journal, running.publishing.witnessed),
        index=SqlIndex(running.lookups, at_rest),
        authorities=SqlAuthorities(running.lookups),
        projections=SqlProjections(running.class_keys),
        youth_keys=running.youth_keys,
        sources=running.links,
        reviews=SqlReviews(running.lookups, at_rest),
        reliance=SqlReliance(running.lookups, at_rest),
        pairwise=running.pairwise(),
        random_bytes=os.urandom,
        now=utc_now,
        until=_until,
        auto=running.config.matching.auto,
        holds=_holds(running),
        slot_seconds=running.config.negative_slot_ms / 1000,
    )


def _holds(running: Running) -> Holds:
    hold = running.config.hold
    return SqlHolds(running.journal, Suspicion(hold.lookups, hold.misses_percent)) if hold.enabled else Unheld()


def _adding(add: Callable[[Any, grpc.aio.Server], None], servicer: object) -> Add:
    return lambda server: add(servicer, server)


def _keyed(key: bytes) -> Callable[[bytes], bytes]:
    return lambda value: hmac.digest(key, value, sha256)[:16]


def _background(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> asyncio.Task[None]:
    """The work as a task; if it ever ends, so does the process."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stop.set())
    return task


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (moment - utc_now()).total_seconds()))
