"""Puts a gateway together and runs it until it is told to stop, or must.

Knows every room, with `services`. Decides the order of start (log and its checks first, then listeners, by which
adapters may show that the log was put back, then what the start has to write, then answers) and of stop (tell the
adapters, refuse newcomers, finish, close the log), and that a log which failed ends the process: nothing may be
answered after that.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import uvloop

from audit.log import Append, LogState
from audit.reader import Reader
from audit.timekeeping import steady_seconds
from gateway.announcing import figures, ready_line
from gateway.beside import Beside
from gateway.config import GatewayConfig, load_gateway
from gateway.errors import Unavailable
from gateway.exchange.access import size_of
from gateway.members.assembly import Members, Start, dialing_credential, open_members, read_keys
from gateway.members.refusals import keeping_refusals
from gateway.ports import OF_NOBODY, own_youth
from gateway.protocol.names import AgencyId
from gateway.protocol.oprf import load_suite
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.rules import Policy
from gateway.publishing.assembly import assemble_publishing
from gateway.recovery.carry_out import carry_out
from gateway.recovery.due import clear_due, due_entries, is_unheard, withdraw_unheard
from gateway.recovery.held import HeldRevocations
from gateway.recovery.mirroring import keeping, mirroring_of
from gateway.recovery.record import told_place
from gateway.rpc.admin import AdminServicer, HolderAdminServicer, serve_admin
from gateway.rpc.countersign import CountersignClient
from gateway.rpc.enrollment import EnrollmentServicer
from gateway.rpc.links import Links
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.recording import MessageRecorder
from gateway.rpc.server import Edge, Served, serve
from gateway.rpc.tls import mutual_tls, server_tls
from gateway.running import Running, utc_now
from gateway.sealing_assembly import open_seals, read_court
from gateway.services import Services, adding, services_of
from gateway.state import State
from gateway.store.authorities import speaking_authorities
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.escrow import erasing_waits
from gateway.store.log_journal import LogJournal
from gateway.store.lookups import Lookups
from gateway.store.youth_keys import FileYouthKeys
from gateway.telemetry import call_counts, outcome_counts
from gateway.tokens.holding import check_operators
from gateway.tokens.index import listed_subjects
from homeward.counting import CallRecorder
from homeward.gateway.v1.admin_pb2 import RevokeMemberRequest
from homeward.gateway.v1.enrollment_pb2_grpc import add_EnrollmentServiceServicer_to_server
from homeward.observing import observed

GRACE_SECONDS: Final = 5.0
_UNCOLLECTED: Final = 10_000
"""How many new objects it takes to look for garbage among them. Most live until their question is answered and are then
gone by themselves: by Python's own 700 a look came before that many times a question, found nothing and had only made
the processor's caches forget everything else, an eighth of a flag check (tests/bench/results)."""
_LOG: Final = logging.getLogger(__name__)


def run(directory: Path) -> int:
    """Serves the gateway of this directory until SIGTERM or SIGINT; the process's exit status.

    Raises what `load_gateway`, `State` and `open_members` raise when it must not start.
    """
    gc.set_threshold(_UNCOLLECTED)
    state = State(directory, "gateway")
    policy = load_california()
    beside = Beside.begin(state.database, policy)
    with state.writing():
        # A question waits for its turn of the loop fourteen times; asyncio's own takes seven calls in Python for each.
        return uvloop.run(_run(state, load_gateway(directory), policy, beside))


async def _run(state: State, config: GatewayConfig, policy: Policy, beside: Beside) -> int:
    loop, stop, failed = asyncio.get_running_loop(), asyncio.Event(), []

    def log_stopped(log_state: LogState) -> None:
        if log_state is LogState.FAILED:
            failed.append(log_state)
        with contextlib.suppress(RuntimeError):
            # The loop may be gone: then nobody is left to tell.
            loop.call_soon_threadsafe(stop.set)

    def one_ended() -> None:
        _LOG.critical("a process beside this one ended by itself")
        failed.append(LogState.FAILED)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await beside.attach(state.read_class_keys(), one_ended)
    group = load_suite().group
    keys = read_keys(state, config, group, now=utc_now, random_bytes=os.urandom)
    signers = CountersignClient(dialing_credential(keys, config, now=utc_now))
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
    running = _assemble(state, config, members, policy, beside)
    try:
        check_operators(members.office.view(), demo=config.demo)
        await _serve(running, stop)
    finally:
        beside.close()
        await signers.close()
        running.authority_keys.close()
        running.youth_keys.close()
        await members.ledger.close()
    return 1 if failed else 0


def _assemble(state: State, config: GatewayConfig, members: Members, policy: Policy, beside: Beside) -> Running:
    links, lookups = Links(), Lookups(Reader(members.store), threaded=False)
    youth_keys = FileYouthKeys(
        state.youth_keys, wrapping_key=state.read_secret("youth-wrap.key", length=32), random_bytes=os.urandom
    )
    authority_keys = FileAuthorityKeys(state.youth_keys, youth_keys)
    court = read_court(state, config)
    recovering = members.ledger.log.state is LogState.RECOVERING
    return Running(
        config=config,
        state=state,
        members=members,
        policy=policy,
        journal=LogJournal(members.ledger.log),
        class_keys=state.read_class_keys(),
        aside=beside.aside,
        finding=beside.finding,
        lookups=lookups,
        youth_keys=youth_keys,
        authority_keys=authority_keys,
        links=links,
        outcomes=outcome_counts(),
        peers=Peers(trust_domain=config.trust_domain, is_denied=members.denied.is_denied, now=utc_now),
        publishing=assemble_publishing(
            state, config, members.store, linked=links.witnesses, log=members.ledger.log, now=utc_now
        ),
        held=HeldRevocations(state.held_revocations),
        mirroring=None if recovering else mirroring_of(state.directory, config.mirror, now=utc_now),
        seals=open_seals(
            state.database,
            state.youth_keys,
            lookups=lookups,
            youth_keys=youth_keys,
            authority_keys=authority_keys,
            court=court,
            keys=state.read_class_keys(),
        ),
    )


async def _serve(running: Running, stop: asyncio.Event) -> None:
    if not running.recovering():
        await running.seals.check()
        await running.members.ended.check_secrets()
    await running.publishing.rounds.begin()
    await running.publishing.attestations.load()
    # Whoever has just linked may be the one whose cosignature is missing.
    running.links.witness_linked = running.publishing.witnessed.wanted.set
    async with observed(
        running.config.telemetry,
        name="homeward-gateway",
        counts=call_counts(),
        others=running.outcomes.readings(),
        figures=lambda: figures(
            running.members, running.publishing, running.links, mirroring=running.mirroring, now=utc_now()
        ),
    ) as recorder:
        await _listen(running, recorder, stop)


async def _listen(running: Running, recorder: CallRecorder, stop: asyncio.Event) -> None:
    members, config = running.members, running.config
    services, shown = services_of(running), running.publishing.shown
    # Before anything is written, by this start or by anybody: a log that was put back would grow a second history.
    attested = [AgencyId(each.agency) for each in running.publishing.attestations.status()]
    known = frozenset() if running.recovering() else await members.knowing(attested)
    shown.ask(known, attested=attested, unheard=is_unheard(running.state))
    members.office.subscribe(running.links.directory_changed)
    main = await serve(
        _edge(running, recorder, Listener.GATEWAY, running.peers),
        config.listen,
        mutual_tls(members.server, members.client_roots),
        services.adding,
    )
    enrollment = await _serve_enrollment(running, recorder)
    holder = HolderAdminServicer(members.holding)
    admin = await serve_admin(
        running.state.admin_socket, _admin(running), holder, recorder=recorder, answering=shown.answering
    )
    tasks = [
        _background(members.office.run(), stop),
        _background(members.denied.follow(members.ledger), stop),
        _background(running.finding.run(lambda: size_of(members.ledger.log.checkpoint)), stop),
        _background(running.publishing.rounds.run(), stop),
        _background(_begin(running, services, stop), stop),
        _background(running.publishing.attestations.run(), stop),
        _background(services.admission.refusals.run(), stop),
        _background(members.ledger.refusals.run(), stop),
    ]
    ports = {"port": main.port, "enroll_port": enrollment.port}
    record = told_place(replace(running.state, record=config.high_water))
    sys.stdout.write(ready_line(members, config, running.policy, publishing=running.publishing, record=record, **ports))
    sys.stdout.flush()
    async with keeping(running.mirroring):
        await stop.wait()
    shown.decided.set()
    running.links.going_away(int(GRACE_SECONDS))
    await main.drain()
    for task in tasks:
        task.cancel()
    await asyncio.gather(main.stop(GRACE_SECONDS), enrollment.stop(GRACE_SECONDS), admin.stop(GRACE_SECONDS))
    if not shown.asks:
        with contextlib.suppress(Unavailable):
            await services.admission.refusals.close()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _begin(running: Running, services: Services, stop: asyncio.Event) -> None:
    """What earlier processes left to do is done, and answers begin; then ended epochs are erased, until canceled."""
    shown, ended = running.publishing.shown, running.members.ended
    await shown.answered()
    try:
        if not running.recovering():
            # Before anybody's key is readied. A log that was put back does not know every seal, and takes no entry:
            # what is left of one is carried out when it is healed, and nothing is disclosed before.
            await running.seals.settle(running.journal)
            await _say_due(running)
            await ended.attempt(at_start=True)
            # Before anybody is answered: what was revoked while the log was put back must not be disclosed once.
            await carry_out(running.held, services.admission, services.records, revoke_member=partial(_revoke, running))
    except Unavailable:
        # An adapter that linked late has shown that the log was put back; anything else ends the process.
        if not running.recovering():
            raise
    if running.recovering():
        withdraw_unheard(running.state)
    for owner, handles in (await running.lookups.read(listed_subjects)).items():
        await running.youth_keys.prepare(owner, handles)
    authorities = await running.lookups.read(speaking_authorities)
    await running.youth_keys.prepare(OF_NOBODY, [handle for _, handle in map(own_youth, authorities)])
    shown.begin()
    await (stop.wait() if running.recovering() else ended.run())


async def _say_due(running: Running) -> None:
    due = due_entries(running.state)
    for each in due:
        await running.journal.enter(Append(each))
    if due:
        clear_due(running.state)


async def _revoke(running: Running, subject: str) -> object:
    return await running.members.administration.revoke(RevokeMemberRequest(subject=subject))


async def _serve_enrollment(running: Running, recorder: CallRecorder) -> Served:
    state = running.state
    return await serve(
        _edge(running, recorder, Listener.ENROLLMENT, None),
        running.config.enroll_listen,
        server_tls(state.read_secret("enroll.key"), state.certificate("enroll").read_bytes()),
        [adding(add_EnrollmentServiceServicer_to_server, EnrollmentServicer(running.members.enrollment))],
    )


def _edge(running: Running, recorder: CallRecorder, listener: Listener, peers: Peers | None) -> Edge:
    recorded = running.config.sandbox.record_messages
    return Edge(
        listener=listener,
        peers=peers,
        recorder=recorder,
        reflection=running.config.demo and listener is Listener.GATEWAY,
        messages=MessageRecorder(recorded) if recorded is not None else None,
        answering=running.publishing.shown.answering,
        keep=keeping_refusals(running.members.ledger),
    )


def _admin(running: Running) -> AdminServicer:
    return AdminServicer(
        running.members.administration,
        running.publishing.status,
        rotation=running.members.rotation,
        revoking=running.revoking(),
        mirroring=running.mirroring,
        erasing_waits=partial(erasing_waits, running.seals.escrow.path),
    )


def _background(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> asyncio.Task[None]:
    """The work as a task; if it ever ends, so does the process."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stop.set())
    return task
