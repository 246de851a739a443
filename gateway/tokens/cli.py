"""`homeward custodian`: deal the token key, make a custodian, admit counties, look, serve.

Decides presentation only. Admitting takes the fingerprint as the operator heard it from the county; the command never
shows one to copy before it was typed.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from pydantic import ValidationError

from gateway.acting import BROKEN, act, broken, check_request, check_there, failure
from gateway.cards import GatewayCard, read_card
from gateway.config import CustodianConfig
from gateway.protocol.ristretto import load_ristretto
from gateway.rpc.admin import TIMEOUT_SECONDS, ask
from gateway.state import PRIVATE_DIRECTORY, PRIVATE_FILE, State, write_new
from gateway.tokens.ceremony import MAX_HOLDERS, deal
from gateway.tokens.custodian import KIND, LogStopped, open_custodian
from gateway.tokens.custodian import serve as serve_custodian
from gateway.tokens.custody import CustodianAdministration
from gateway.tokens.founding import found_custodian
from gateway.tokens.share_file import DealtShare
from homeward.failure import ExitCode
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import CustodianAdminServiceStub
from homeward.logs import log_to

if TYPE_CHECKING:  # the stubs of the generated module know this name, the module does not
    from homeward.gateway.v1.admin_pb2_grpc import CustodianAdminServiceAsyncStub

Reply = TypeVar("Reply")
_DIRECTORY = click.argument("directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
_PUBLIC_FILE = 0o644


@click.group()
def custodian() -> None:
    """Hold the second share of the token key."""


@custodian.command("deal")
@click.option("--threshold", type=click.IntRange(2, MAX_HOLDERS), default=2, show_default=True, help="Holders needed.")
@click.option("--holders", type=click.IntRange(2, MAX_HOLDERS), default=2, show_default=True, help="Shares made.")
@click.option("--epoch", default="e1", show_default=True, help="Name of the epoch of this key.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="New directory.")
@_JSON
def deal_shares(threshold: int, holders: int, epoch: str, out: Path, as_json: bool) -> None:
    """Make a token key in shares, on a machine that is offline; the key itself is forgotten."""
    state = State(out, "ceremony")
    if threshold > holders or not epoch.isascii() or not epoch.replace("-", "").isalnum() or epoch != epoch.lower():
        raise failure(
            "USAGE-001", "an option breaks its rule", state, why="threshold <= holders; epoch of a-z 0-9 -",
            fix="see --help", exit_code=ExitCode.USAGE,
        )  # fmt: skip
    group = load_ristretto()
    dealing = deal(group, threshold=threshold, holders=holders, random_bytes=os.urandom)
    commitments = [commitment.hex() for commitment in dealing.commitments]
    try:
        out.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        for share in dealing.shares:
            data = DealtShare(epoch, share, dealing.commitments).to_bytes()
            write_new(out / f"share-{share.index}.bin", data, mode=PRIVATE_FILE)
        public = {"epoch": epoch, "threshold": threshold, "holders": holders, "commitments": commitments}
        write_new(out / "commitments.json", (json.dumps(public, indent=2) + "\n").encode(), mode=_PUBLIC_FILE)
        transcript = _transcript(epoch, threshold, holders, commitments)
        write_new(out / "transcript.txt", transcript.encode(), mode=_PUBLIC_FILE)
    except BROKEN as exc:
        raise broken(state, exc) from exc
    if as_json:
        click.echo(json.dumps({"ok": True, "directory": str(out), **public}))
        return
    click.echo(transcript)
    click.echo(f"Carry each share-N.bin in {out} to its holder by hand, and erase it here: share 1 to the gateway.")


@custodian.command()
@_DIRECTORY
@click.option("--share", type=_FILE, required=True, help="This holder's share of the token key.")
@click.option("--operator", required=True, help="Short name of the organization that runs it.")
@click.option("--gateway-card", type=_FILE, required=True, help="card.json of the gateway.")
@click.option("--listen", required=True, help="host:port for members and the gateway.")
@click.option("--address", help="host:port that they dial, if it differs from --listen.")
@click.option("--demo", is_flag=True, help="Invented youths only.")
@_JSON
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
        faults = "; ".join(f"--{fault['loc'][0]}: {fault['msg']}" for fault in exc.errors())
        raise failure(
            "USAGE-001", "an option breaks its rule", state, why=faults, fix="see --help", exit_code=ExitCode.USAGE
        ) from exc
    except BROKEN as exc:
        raise broken(state, exc) from exc
    if as_json:
        click.echo(json.dumps({"ok": True, "card": str(state.card), **card.model_dump()}))
        return
    click.echo(f"Made custodian {operator} of {known.trust_domain} in {directory}.")
    click.echo(f"  next   give {state.card} to the gateway's operator, then: homeward custodian serve {directory}")


@custodian.command()
@_DIRECTORY
@click.argument("county")
@click.option(
    "--root", required=True, help="SHA-256 of the county's root key as the county itself told you, 64 digits."
)
@_JSON
def admit(directory: Path, county: str, root: str, as_json: bool) -> None:
    """Admit COUNTY (five-digit FIPS), whose root fingerprint you compared with the county by telephone."""
    state = State(directory, KIND)
    request = admin_pb2.AdmitCountyRequest(fips=county, root_fingerprint=_typed(root))
    check_request(state, request)
    _act(
        state,
        here=lambda administration: administration.admit(request),
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
@_DIRECTORY
@_JSON
def status(directory: Path, as_json: bool) -> None:
    """Admitted and waiting counties, directory, log size."""
    reply = _status(State(directory, KIND))
    if as_json:
        waiting = {county.fips: county.root_fingerprint.hex() for county in reply.waiting_counties}
        fields = {
            "operator": reply.operator,
            "log_size": reply.log_size,
            "directory_version": reply.directory_version,
            "admitted_counties": list(reply.admitted_counties),
            "waiting_counties": waiting,
        }
        click.echo(json.dumps({"ok": True, **fields}))
        return
    click.echo(f"operator    {reply.operator}")
    click.echo(f"log         {reply.log_size} entries")
    click.echo(f"directory   version {reply.directory_version}" if reply.directory_version else "directory   none yet")
    click.echo(f"admitted    {', '.join(reply.admitted_counties) or 'no county'}")
    for county in reply.waiting_counties:
        click.echo(f"waiting     county {county.fips}: call it, and admit the fingerprint that it tells you")


@custodian.command()
@_DIRECTORY
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
    return _act(
        state,
        here=lambda administration: administration.status(),
        there=lambda stub: stub.GetCustodianStatus(request, timeout=TIMEOUT_SECONDS),
    )


def _act(
    state: State,
    *,
    here: Callable[[CustodianAdministration], Coroutine[object, object, Reply]],
    there: Callable[["CustodianAdminServiceAsyncStub"], Awaitable[Reply]],
) -> Reply:
    async def opened() -> Reply:
        opened = await open_custodian(state, group=load_ristretto(), now=_utc_now, random_bytes=os.urandom)
        try:
            return await here(opened.administration)
        finally:
            await opened.ledger.close()

    return act(state, here=opened, there=lambda socket: ask(socket, CustodianAdminServiceStub, there))


def _transcript(epoch: str, threshold: int, holders: int, commitments: list[str]) -> str:
    rows = [f"commitment {position}  {text}" for position, text in enumerate(commitments)]
    head = [
        f"Token key of epoch {epoch}: {holders} shares, any {threshold} of them evaluate.",
        f"made {_utc_now():%F %TZ}",
    ]
    return "\n".join([*head, f"public key    {commitments[0]}", *rows, ""])


def _utc_now() -> datetime:
    return datetime.now(UTC)
