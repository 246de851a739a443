"""`homeward custodian`: make a custodian, admit counties, look, serve; dealing and refreshing the key beside it.

Decides presentation only. Admitting takes the fingerprint as the operator heard it from the county; the command never
shows one to copy before it was typed.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click
import grpc
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from gateway.acting import BROKEN, act, broken, check_request, check_there, failure, wrong_option
from gateway.cards import GatewayCard, read_card
from gateway.config import CustodianConfig, load_custodian
from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.succession import SuccessionInvalid, read_succession
from gateway.recovery.mirror_lines import mirror_fields, mirror_lines
from gateway.recovery.record import place_of_record
from gateway.recovery.record_lines import record_lines
from gateway.rpc.admin import TIMEOUT_SECONDS, ask
from gateway.state import State
from gateway.tokens.ceremony_cli import deal_shares
from gateway.tokens.custodian import KIND, Custodian, LogStopped, open_custodian
from gateway.tokens.custodian import serve as serve_custodian
from gateway.tokens.epoch_cli import add_epoch_commands
from gateway.tokens.founding import found_custodian
from gateway.tokens.holder_cli import DIRECTORY, FILE, JSON, add_holder_commands, holder_fields, holder_lines
from homeward.failure import ExitCode
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import CustodianAdminServiceStub, HolderAdminServiceStub
from homeward.gateway.v1.directory_pb2 import LossDeclaration
from homeward.logs import log_to

Reply = TypeVar("Reply")
Stub = TypeVar("Stub")


@click.group()
def custodian() -> None:
    """Hold the second share of the token key."""


@custodian.command()
@DIRECTORY
@click.option("--share", type=FILE, required=True, help="This holder's share of the token key.")
@click.option("--operator", required=True, help="Short name of the organization that runs it.")
@click.option("--gateway-card", type=FILE, required=True, help="card.json of the gateway.")
@click.option("--listen", required=True, help="host:port for members and the gateway.")
@click.option("--address", help="host:port that they dial, if it differs from --listen.")
@click.option("--demo", is_flag=True, help="Invented youths only.")
@JSON
def init(
    directory: Path,
    share: Path,
    operator: str,
    gateway_card: Path,
    listen: str,
    address: str | None,
    demo: bool,
    as_json: bool,
) -> None:
    """Make a custodian in the empty directory DIR: own keys, certificates, log, settings, card."""
    state = State(directory, KIND)
    try:
        known = read_card(gateway_card.read_bytes(), GatewayCard)
        config = CustodianConfig(
            trust_domain=known.trust_domain,
            operator=operator,
            listen=listen,
            address=address or listen,
            log_origin=f"{known.trust_domain}/custodian/{operator}",
            demo=demo,
        )
        card = found_custodian(
            state, config, known, share.read_bytes(), group=load_ristretto(), now=_utc_now, random_bytes=os.urandom
        )
    except ValidationError as exc:
        raise wrong_option(*(f"--{fault['loc'][0]}: {fault['msg']}" for fault in exc.errors())) from exc
    except BROKEN as exc:
        raise broken(state, exc) from exc
    if as_json:
        click.echo(json.dumps({"ok": True, "card": str(state.card), **card.model_dump()}))
        return
    click.echo(f"Made custodian {operator} of {known.trust_domain} in {directory}.")
    click.echo("  rule   one operator, by name or root, must not make tokens alone: take no other share of this key")
    click.echo(f"  next   give {state.card} to the gateway's operator, then: homeward custodian serve {directory}")


@custodian.command()
@DIRECTORY
@click.argument("county")
@click.option(
    "--root", required=True, help="SHA-256 of the county's root key as the county itself told you, 64 digits."
)
@JSON
def admit(directory: Path, county: str, root: str, as_json: bool) -> None:
    """Admit COUNTY (five-digit FIPS), whose root fingerprint you compared with the county by telephone."""
    state = State(directory, KIND)
    request = admin_pb2.AdmitCountyRequest(fips=county, root_fingerprint=_typed(root))
    check_request(request)
    _act(
        state,
        here=lambda opened: opened.administration.admit(request),
        stub=CustodianAdminServiceStub,
        there=lambda stub: stub.AdmitCounty(request, timeout=TIMEOUT_SECONDS),
    )
    presented = {waiting.fips for waiting in _status(state).waiting_counties}
    if as_json:
        click.echo(json.dumps({"ok": True, "county": county, "another_root_presented": county in presented}))
        return
    click.echo(f"Admitted county {county}.")
    if county in presented:
        click.echo("warn  the gateway presents another root for it, which is not signed: a slip in typing,")
        click.echo("      or a gateway that is not honest. Compare the fingerprint with the county once more.")


@custodian.command()
@DIRECTORY
@JSON
def status(directory: Path, as_json: bool) -> None:
    """Share, directory, budgets, admitted and waiting counties, log size."""
    state = State(directory, KIND)
    held, reply = _ask_holder(state), _status(state)
    record = place_of_record(replace(state, record=load_custodian(directory).high_water))
    if as_json:
        waiting = {county.fips: county.root_fingerprint.hex() for county in reply.waiting_counties}
        fields = {
            "log_size": reply.log_size,
            "admitted_counties": list(reply.admitted_counties),
            "waiting_counties": waiting,
            "high_water": record,
        }
        if reply.HasField("mirror"):
            fields["mirror"] = mirror_fields(reply.mirror)
        click.echo(
            json.dumps({"ok": True, **holder_fields(held), **fields, "directory_version": reply.directory_version})
        )
        return
    for line in holder_lines(held):
        click.echo(line)
    click.echo(f"log         {reply.log_size} entries")
    if reply.HasField("mirror"):
        click.echo("\n".join(mirror_lines(reply.mirror)))
    for line in record_lines(record, lead="WARNING     "):
        click.echo(line)
    click.echo(f"admitted    {', '.join(reply.admitted_counties) or 'no county'}")
    for county in reply.waiting_counties:
        click.echo(f"waiting     county {county.fips}: call it, and admit the fingerprint that it tells you")


@custodian.command("sign-loss")
@DIRECTORY
@click.argument("file", type=FILE)
@JSON
def sign_loss(directory: Path, file: Path, as_json: bool) -> None:
    """Sign in FILE that entries of the gateway's log, or tables beside them, are lost, so that it may go on.

    Stop the custodian first. Ask the gateway's operator how they were lost, and compare what is printed with
    the checkpoints that counties keep: a loss that is convenient is a reason to ask further.
    """
    state = State(directory, KIND)
    try:
        declaration = LossDeclaration.FromString(file.read_bytes())
        message = read_succession(declaration.signed.succession)
    except (OSError, DecodeError, SuccessionInvalid) as exc:
        raise failure(
            "USAGE-001", "FILE holds no declared loss", state, why="it cannot be read as one",
            fix="ask the gateway's operator for it", exit_code=ExitCode.USAGE, file=file,
        ) from exc  # fmt: skip
    signed = _offline(state, lambda opened: opened.countersigning.sign_loss(declaration))
    file.write_bytes(signed.SerializeToString())
    lost = {"origin": message.closed_origin, "kept": message.kept_count, "closed_size": message.closed_size}
    if as_json:
        click.echo(json.dumps({"ok": True, **lost}))
        return
    count = message.closed_size - message.kept_count
    what = f"{count} entries" if count else "no entries, but rows of the tables beside them,"
    click.echo(f"Signed that {what} of {message.closed_origin} are lost:")
    click.echo(f"  {message.kept_count} of {message.closed_size} are left. Give {file} back to the gateway's operator.")


@custodian.command()
@DIRECTORY
def serve(directory: Path) -> None:
    """Serve until told to stop. Prints one JSON line when ready."""
    log_to(sys.stderr)
    state = State(directory, KIND)
    check_there(state)
    try:
        asyncio.run(serve_custodian(directory, now=_utc_now, random_bytes=os.urandom, announce=click.echo))
    except LogStopped as exc:
        raise failure(
            "LOG-001", "the log has stopped", state, why="the disk or the database failed",
            fix="check the disk, then: homeward verify", exit_code=ExitCode.UNREACHABLE,
        ) from exc  # fmt: skip
    except BROKEN as exc:
        raise broken(state, exc) from exc


def _typed(root: str) -> bytes:
    """The fingerprint in these digits; nothing where they are none, which the request's rules refuse."""
    try:
        return bytes.fromhex(root.replace(":", ""))
    except ValueError:
        return b""


def _status(state: State) -> admin_pb2.GetCustodianStatusResponse:
    request = admin_pb2.GetCustodianStatusRequest()
    reply: admin_pb2.GetCustodianStatusResponse = _act(
        state,
        here=lambda opened: opened.administration.status(),
        stub=CustodianAdminServiceStub,
        there=lambda stub: stub.GetCustodianStatus(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _offline(state: State, work: Callable[[Custodian], Coroutine[object, object, Reply]]) -> Reply:
    """What is so rare that no serving process does it. Raises `CommandFailure`, also while one serves."""

    def serving(_: Path) -> Reply:
        raise failure("STATE-002", "the custodian serves", state, why="its log has one writer", fix="stop it first")

    return act(state, here=lambda: _opened(state, work), there=serving)


async def _opened(state: State, work: Callable[[Custodian], Coroutine[object, object, Reply]]) -> Reply:
    opened = await open_custodian(state, group=load_ristretto(), now=_utc_now, random_bytes=os.urandom)
    try:
        return await work(opened)
    finally:
        await opened.ledger.close()


def _act(
    state: State,
    *,
    here: Callable[[Custodian], Coroutine[object, object, Reply]],
    stub: Callable[[grpc.aio.Channel], Stub],
    there: Callable[[Stub], Awaitable[Reply]],
) -> Reply:
    return act(state, here=lambda: _opened(state, here), there=lambda socket: ask(socket, stub, there))


def _declare(state: State, request: admin_pb2.DeclareCaseloadRequest) -> admin_pb2.DeclareCaseloadResponse:
    check_request(request)
    reply: admin_pb2.DeclareCaseloadResponse = _act(
        state,
        here=lambda opened: opened.holding.declare(request),
        stub=HolderAdminServiceStub,
        there=lambda stub: stub.DeclareCaseload(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _ask_holder(state: State) -> admin_pb2.GetHolderStatusResponse:
    request = admin_pb2.GetHolderStatusRequest()
    reply: admin_pb2.GetHolderStatusResponse = _act(
        state,
        here=lambda opened: opened.holding.status(),
        stub=HolderAdminServiceStub,
        there=lambda stub: stub.GetHolderStatus(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _add_share(state: State, request: admin_pb2.AddEpochShareRequest) -> admin_pb2.AddEpochShareResponse:
    reply: admin_pb2.AddEpochShareResponse = _act(
        state,
        here=lambda opened: opened.administration.add_epoch_share(request),
        stub=CustodianAdminServiceStub,
        there=lambda stub: stub.AddEpochShare(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _finish_share(state: State, request: admin_pb2.FinishEpochShareRequest) -> admin_pb2.FinishEpochShareResponse:
    reply: admin_pb2.FinishEpochShareResponse = _act(
        state,
        here=lambda opened: opened.administration.finish_epoch_share(request),
        stub=CustodianAdminServiceStub,
        there=lambda stub: stub.FinishEpochShare(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


custodian.add_command(deal_shares)
add_epoch_commands(custodian, add=_add_share, finish=_finish_share)
add_holder_commands(custodian, KIND, declare=_declare, ask=_ask_holder)
