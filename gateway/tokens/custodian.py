"""The custodian's process: opens its state, serves, and ends when told to or when its log does.

Decides the order of start and stop: the log is checked before anything listens, and closed after nothing does. A log
that fails ends the process: what it would evaluate could not be written down.
"""

import asyncio
import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from audit.log import Log, LogState
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.timekeeping import Steady, steady_seconds
from gateway.cards import GatewayCard, read_card
from gateway.config import CustodianConfig, load_custodian
from gateway.members.assembly import read_log_signer
from gateway.members.ca import Authority, Issuer
from gateway.members.composition import fingerprint
from gateway.members.ledger import Ledger
from gateway.members.refusals import keeping_refusals
from gateway.members.service_identity import RenewingCredential, server_credential
from gateway.protocol.addresses import split_address
from gateway.protocol.names import NameSyntaxError, parse_agency_id
from gateway.protocol.oprf import load_suite
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.signing import SigningKey
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from gateway.recovery.mirroring import Mirroring, keeping, mirroring_of
from gateway.recovery.record import settle_record, told_place
from gateway.rpc.admin import CustodianAdminServicer, HolderAdminServicer, serve_admin
from gateway.rpc.countersign import CountersignServicer
from gateway.rpc.custodian import CALLS_OF_A_PEER, MAX_DIRECTORY_BYTES, serve_custodian
from gateway.rpc.methods import Listener
from gateway.rpc.peer import Peers
from gateway.rpc.recording import MessageRecorder
from gateway.rpc.server import Edge
from gateway.rpc.token import TokenServicer
from gateway.state import State
from gateway.telemetry import call_counts, holder_figures, mirror_figures
from gateway.tokens.countersign import Countersigning, Custody
from gateway.tokens.custody import CustodianAdministration
from gateway.tokens.evaluate import Evaluator
from gateway.tokens.founding import GATEWAY_CARD
from gateway.tokens.holding import HolderAdministration, check_operators
from gateway.tokens.shares import Shares
from homeward.counting import CallRecorder, Figures
from homeward.gateway.v1.directory_pb2 import KeyHolder
from homeward.observing import observed

KIND: Final = "custodian"
GRACE_SECONDS: Final = 5.0
Clock = Callable[[], datetime]
Randomness = Callable[[int], bytes]


class LogStopped(Exception):
    """The log failed while the process served."""


@dataclass(frozen=True, slots=True)
class Custodian:
    """An opened custodian."""

    config: CustodianConfig
    gateway: GatewayCard
    ledger: Ledger
    countersigning: Countersigning
    evaluator: Evaluator
    administration: CustodianAdministration
    holding: HolderAdministration
    server: RenewingCredential


async def open_custodian(
    state: State,
    *,
    group: Ristretto,
    now: Clock,
    random_bytes: Randomness,
    steady: Steady | None = None,
    on_stop: Callable[[LogState], None] | None = None,
) -> Custodian:
    """The custodian of this directory, whose log the caller holds (`State.writing`).

    Raises `DocumentErrors`, `StateBroken`, `CardBroken`, `audit.errors.EvidenceError`.
    """
    config = load_custodian(state.directory)
    gateway = read_card((state.directory / GATEWAY_CARD).read_bytes(), GatewayCard)
    shares = Shares(state, group)
    key = SigningKey.from_private_bytes(state.read_secret("directory.key", length=32))
    recorded = replace(state, record=config.high_water)
    ledger = _open_ledger(
        recorded, config.log_origin, now=now, random_bytes=random_bytes, steady=steady, on_stop=on_stop
    )
    own = _own_entry(state, config, key, share_index=shares.in_force().share.index)
    countersigning = Countersigning(ledger, key, _custody(config, gateway, own, shares, group))
    await countersigning.load()
    evaluator = Evaluator(
        ledger,
        shares,
        group,
        directory=countersigning.view,
        budgets=config.budgets,
        now=now,
        random_bytes=random_bytes,
    )
    administration = CustodianAdministration(
        ledger, countersigning, operator=config.operator, state=state, shares=shares
    )
    holding = HolderAdministration(
        ledger,
        shares,
        operator=config.operator,
        demo=config.demo,
        budgets=config.budgets,
        directory=countersigning.view,
        now=now,
    )
    server = _server(state, config, now=now, random_bytes=random_bytes)
    return Custodian(config, gateway, ledger, countersigning, evaluator, administration, holding, server)


def _open_ledger(
    state: State,
    origin: str,
    *,
    now: Clock,
    random_bytes: Randomness,
    steady: Steady | None,
    on_stop: Callable[[LogState], None] | None,
) -> Ledger:
    store, signer = SqliteStore(state.database), read_log_signer(state, origin)
    settle_record(state, signer.public)
    log = Log.open(
        store,
        signer=signer,
        keys=state.read_class_keys(),
        high_water=state.high_water,
        now=now,
        random_bytes=random_bytes,
        steady=steady,
        on_stop=on_stop,
    )
    return Ledger(log, Reader(store), now, state.read_class_keys())


async def serve(directory: Path, *, now: Clock, random_bytes: Randomness, announce: Callable[[str], None]) -> None:
    """Serves until SIGTERM or SIGINT; `announce` gets one JSON line when it is ready.

    Raises `LogInUse` when another process has the log, `LogStopped`, and what opening raises.
    """
    state = State(directory, KIND)
    ended, failed = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def stopped(outcome: LogState) -> None:
        if outcome is LogState.FAILED:
            loop.call_soon_threadsafe(failed.set)
            loop.call_soon_threadsafe(ended.set)

    with state.writing():
        custodian = await open_custodian(
            state,
            group=load_suite().group,
            now=now,
            random_bytes=random_bytes,
            steady=steady_seconds,
            on_stop=stopped,
        )
        try:
            check_operators(custodian.countersigning.view(), demo=custodian.config.demo)
            await _serve(custodian, state, ended, now=now, announce=announce)
        finally:
            await custodian.ledger.close()
    if failed.is_set():
        raise LogStopped


async def _serve(
    custodian: Custodian, state: State, ended: asyncio.Event, *, now: Clock, announce: Callable[[str], None]
) -> None:
    mirroring = mirroring_of(state.directory, custodian.config.mirror, now=now)

    async def figures() -> Figures:
        size = (await asyncio.to_thread(custodian.ledger.reader.tree)).size
        common = holder_figures(
            log_size=size,
            chain=custodian.server.current().chain,
            ready=custodian.countersigning.view() is not None,
            now=now(),
        )
        return {**common, **mirror_figures(mirroring.status(size) if mirroring is not None else None)}

    async with observed(
        custodian.config.telemetry, name="homeward-custodian", counts=call_counts(), others={}, figures=figures
    ) as recorder:
        await _listen(custodian, state, ended, recorder, mirroring=mirroring, now=now, announce=announce)


async def _listen(
    custodian: Custodian,
    state: State,
    ended: asyncio.Event,
    recorder: CallRecorder,
    *,
    mirroring: Mirroring | None,
    now: Clock,
    announce: Callable[[str], None],
) -> None:
    config, gateway = custodian.config, custodian.gateway
    gateway_uri = ChannelIdentity(gateway.trust_domain, ChannelKind.GATEWAY, gateway.name).uri
    servicer, holder = (
        CustodianAdminServicer(custodian.administration, mirroring),
        HolderAdminServicer(custodian.holding),
    )
    admin = await serve_admin(state.admin_socket, servicer, holder, recorder=recorder)
    server = await serve_custodian(
        _edge(custodian, recorder, now=now),
        config.listen,
        credential=custodian.server,
        client_roots=gateway.ca.encode(),
        token=TokenServicer(custodian.evaluator),
        countersign=CountersignServicer(custodian.countersigning, gateway_uri=gateway_uri),
    )
    view = custodian.countersigning.view()
    ready = {
        "event": "ready",
        "process": KIND,
        "operator": config.operator,
        "port": server.port,
        "demo": config.demo,
        "high_water": told_place(replace(state, record=config.high_water)),
        "sole_operators": list(view.sole_operators) if view is not None else [],
    }
    announce(json.dumps(ready))
    counting = asyncio.create_task(custodian.ledger.refusals.run())
    async with keeping(mirroring):
        await ended.wait()
    counting.cancel()
    await server.drain()
    await asyncio.gather(server.stop(GRACE_SECONDS), admin.stop(GRACE_SECONDS))
    state.admin_socket.unlink(missing_ok=True)


def _edge(custodian: Custodian, recorder: CallRecorder, *, now: Clock) -> Edge:
    recorded = custodian.config.sandbox.record_messages
    return Edge(
        listener=Listener.CUSTODIAN,
        peers=Peers(
            trust_domain=custodian.gateway.trust_domain,
            is_denied=lambda name: _is_suspended(custodian.countersigning, name),
            now=now,
        ),
        recorder=recorder,
        messages=MessageRecorder(recorded) if recorded is not None else None,
        max_message_bytes=MAX_DIRECTORY_BYTES,
        calls_of_a_peer=CALLS_OF_A_PEER,
        keep=keeping_refusals(custodian.ledger),
    )


def _is_suspended(countersigning: Countersigning, name: str) -> bool:
    """Whether the name is an agency that the newest directory suspends. The custodian has no other deny-list."""
    view = countersigning.view()
    try:
        member = view.member(parse_agency_id(name)) if view else None
    except NameSyntaxError:
        return False
    return member is not None and member.suspended


def _custody(
    config: CustodianConfig, gateway: GatewayCard, own: KeyHolder, shares: Shares, group: Ristretto
) -> Custody:
    return Custody(
        trust_domain=config.trust_domain,
        gateway_key=bytes.fromhex(gateway.directory_key),
        own=own,
        shares=shares,
        group=group,
        demo=config.demo,
    )


def _own_entry(state: State, config: CustodianConfig, key: SigningKey, *, share_index: int) -> KeyHolder:
    der = state.read_certificate("root").public_bytes(Encoding.DER)
    return KeyHolder(
        share_index=share_index,
        operator=config.operator,
        address=config.address,
        ca_fingerprint=fingerprint(der),
        ca_certificate=der,
        directory_key=key.public_bytes,
        log_origin=config.log_origin,
        log_key=read_log_signer(state, config.log_origin).public.raw,
    )


def _server(state: State, config: CustodianConfig, *, now: Clock, random_bytes: Randomness) -> RenewingCredential:
    intermediate = Authority(state.read_certificate("intermediate"), state.read_key("ca-intermediate.key"))
    issuer = Issuer(intermediate, life=config.certificate_life, now=now, random_bytes=random_bytes)
    uri = ChannelIdentity(config.trust_domain, ChannelKind.CUSTODIAN, config.operator).uri
    hosts = dict.fromkeys(split_address(address)[0] for address in (config.address, config.listen))
    return server_credential(issuer, uri, tuple(hosts), now=now)
