"""`homeward gateway`: make it, give it its second signer, invite, revoke, look, serve.

Decides presentation only; what each act means is the matter of `members`. Acts run in the serving process when one
serves, and here otherwise (`acting`).
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.json_format import MessageToDict
from pydantic import ValidationError

from audit.failpoints import arm_from
from audit.log import LogState
from gateway.acting import BROKEN, broken, check_there, wrong_option
from gateway.backup_cli import backup
from gateway.calibrate_cli import calibrate
from gateway.cards import CardBroken, CustodianCard, read_card
from gateway.config import GatewayConfig, load_gateway
from gateway.epoch_cli import epoch, epoch_lines
from gateway.members.founding import found_gateway
from gateway.members_act import act_on_members, ask_status
from gateway.protocol.names import AgencyKind
from gateway.protocol.ristretto import load_ristretto
from gateway.protocol.strict_yaml import parse_duration
from gateway.protocol.wire_names import to_wire
from gateway.recovery.mirror_lines import mirror_lines
from gateway.recovery.record import place_of_record
from gateway.recovery.record_lines import RecordPlace, record_lines
from gateway.replay_cli import replay
from gateway.rpc.admin import TIMEOUT_SECONDS
from gateway.running import utc_now
from gateway.state import State
from gateway.tokens.holder_cli import DIRECTORY, FILE, JSON, add_holder_commands, holder_fields, holder_lines
from gateway.wiring import run
from homeward.failure import CommandFailure
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import AdminServiceStub, HolderAdminServiceStub
from homeward.logs import log_to

_LOG = logging.getLogger(__name__)


@click.group()
def gateway() -> None:
    """Run the exchange and invite its members."""


@gateway.command()
@DIRECTORY
@click.option("--trust-domain", required=True, help="Name of the exchange, like a DNS name.")
@click.option("--listen", required=True, help="host:port for members.")
@click.option("--enroll-listen", required=True, help="host:port for newcomers.")
@click.option("--address", help="host:port that members dial, if it differs from --listen.")
@click.option("--enroll-address", help="host:port that newcomers dial, if it differs from --enroll-listen.")
@click.option(
    "--name", default="gw1", show_default=True, help="Name of this gateway, and of its operator as key holder."
)
@click.option("--share", type=FILE, required=True, help="Share 1 of the token key (homeward custodian deal).")
@click.option("--demo", is_flag=True, help="Invented youths only.")
@JSON
def init(directory: Path, share: Path, as_json: bool, **settings: Any) -> None:
    """Make a gateway in the empty directory DIR: keys, certificates, log, settings, card."""
    state = _state(directory)
    settings["address"] = settings["address"] or settings["listen"]
    settings["enroll_address"] = settings["enroll_address"] or settings["enroll_listen"]
    try:
        config = GatewayConfig(log_origin=f"{settings['trust_domain']}/log", **settings)
        card = found_gateway(
            state, config, share.read_bytes(), group=load_ristretto(), now=utc_now, random_bytes=os.urandom
        )
    except ValidationError as exc:
        raise _bad_options(exc) from exc
    except BROKEN as exc:
        raise broken(state, exc) from exc
    if as_json:
        click.echo(json.dumps({"ok": True, "card": str(state.card), **card.model_dump()}))
        return
    click.echo(f"Made the gateway of {card.trust_domain} in {directory}.")
    click.echo(f"  move   {state.secret('ca-root.key')} to an offline place: serving does not need it")
    click.echo(f"  next   give {state.card} to the custodian's operator, and take theirs:")
    click.echo(f"         homeward gateway trust {directory} --custodian-card FILE")


@gateway.command()
@DIRECTORY
@click.option("--custodian-card", type=FILE, required=True, help="card.json of the custodian.")
@JSON
def trust(directory: Path, custodian_card: Path, as_json: bool) -> None:
    """Record another holder of the token key, by the card its operator handed over."""
    state = _state(directory)
    try:
        card = read_card(custodian_card.read_bytes(), CustodianCard)
    except (CardBroken, OSError) as exc:
        raise broken(state, exc) from exc
    root = x509.load_pem_x509_certificate(card.ca_certificate.encode())
    request = admin_pb2.TrustHolderRequest(
        share_index=card.share_index,
        operator=card.operator,
        address=card.address,
        ca_certificate=root.public_bytes(Encoding.DER),
        directory_key=bytes.fromhex(card.directory_key),
        share_commitment=bytes.fromhex(card.share_commitment),
        log_origin=card.log_origin,
        log_key=bytes.fromhex(card.log_key),
    )
    act_on_members(
        state,
        request,
        here=lambda members: members.administration.trust_holder(request),
        stub=AdminServiceStub,
        there=lambda stub: stub.TrustHolder(request, timeout=TIMEOUT_SECONDS),
    )
    click.echo(json.dumps({"ok": True, "operator": card.operator}) if as_json else f"Trusted holder {card.operator}.")


@gateway.command()
@DIRECTORY
@click.argument("agency")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in AgencyKind]), help="What it is.")
@click.option("--duty-line", default="", help="24-hour line of the county, +1..., with its first agency.")
@click.option("--hotline", default="", help="Hotline of the county, +1..., with its first agency.")
@click.option("--change-lines", is_flag=True, help="The county's lines are others now: give every caller these.")
@click.option("--expires", default="1h", show_default=True, help="Life of the invitation, 1m to 24h.")
@JSON
def invite(directory: Path, agency: str, kind: str, expires: str, as_json: bool, **lines: Any) -> None:
    """Invite AGENCY (<fips>.<name>): prints one line that its operator pastes into `homeward join`.

    Also for an adapter whose certificate has expired, or that was revoked: it joins again in its own directory.
    """
    state = _state(directory)
    if lines["change_lines"] and not (lines["duty_line"] or lines["hotline"]):
        raise wrong_option("--change-lines goes with --duty-line, --hotline or both")
    request = admin_pb2.InviteRequest(agency=agency, **lines)
    request.kind = to_wire(AgencyKind(kind))  # type: ignore[assignment]  # numbers of an enum are its values
    request.life.FromTimedelta(_life(expires))
    reply = act_on_members(
        state,
        request,
        here=lambda members: members.administration.invite(request),
        stub=AdminServiceStub,
        there=lambda stub: stub.Invite(request, timeout=TIMEOUT_SECONDS),
    )
    until = reply.expire_time.ToDatetime().strftime("%Y-%m-%dT%H:%M:%SZ")
    if as_json:
        click.echo(json.dumps({"ok": True, "agency": agency, "expires": until, "line": reply.line}))
        return
    click.echo(f"Invitation for {agency} ({kind}). Valid once, until {until}.\n")
    click.echo(f"  homeward join '{reply.line}'\n")
    click.echo(f"Read its last four characters to them by phone: {reply.line[-4:]}")


@gateway.command()
@DIRECTORY
@click.argument("subject")
@JSON
def revoke(directory: Path, subject: str, as_json: bool) -> None:
    """Revoke SUBJECT: an agency (<fips>.<name>) or one adapter (spiffe://...). Streams end within five seconds."""
    request = admin_pb2.RevokeMemberRequest(subject=subject)
    reply = act_on_members(
        _state(directory),
        request,
        here=lambda members: members.administration.revoke(request),
        stub=AdminServiceStub,
        there=lambda stub: stub.RevokeMember(request, timeout=TIMEOUT_SECONDS),
    )
    if as_json:
        click.echo(json.dumps({"ok": True, "subject": subject, "leaf_index": reply.leaf_index}))
        return
    click.echo(f"Revoked {subject}; entry {reply.leaf_index} of the log.")


@gateway.command()
@DIRECTORY
@click.argument("agency")
@JSON
def release(directory: Path, agency: str, as_json: bool) -> None:
    """Release the look-ups of AGENCY (<fips>.<name>) that were held because almost all of them found nobody."""
    request = admin_pb2.ReleaseLookupsRequest(agency=agency)
    reply = act_on_members(
        _state(directory),
        request,
        here=lambda members: members.administration.release_lookups(request),
        stub=AdminServiceStub,
        there=lambda stub: stub.ReleaseLookups(request, timeout=TIMEOUT_SECONDS),
    )
    if as_json:
        click.echo(json.dumps({"ok": True, "agency": agency, "leaf_index": reply.leaf_index}))
        return
    click.echo(f"Released the look-ups of {agency}; entry {reply.leaf_index} of the log.")


@gateway.command()
@DIRECTORY
@JSON
def status(directory: Path, as_json: bool) -> None:
    """Share, budgets, members, certificates, directory, waiting counties, held look-ups, log size."""
    state = _state(directory)
    held, reply = _ask_holder(state), ask_status(state)
    if as_json:
        fields = MessageToDict(reply, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        click.echo(json.dumps({"ok": True, **fields, "high_water": _record(directory), "holding": holder_fields(held)}))
        return
    click.echo(
        "\n".join([*_status_lines(reply), *record_lines(_record(directory), lead="WARNING     "), *holder_lines(held)])
    )


@gateway.command()
@DIRECTORY
def serve(directory: Path) -> None:
    """Serve until told to stop. Prints one JSON line when ready."""
    log_to(sys.stderr)
    if arm_from(os.environ):
        _LOG.warning("FAILPOINTS is ignored: this is not a test build")
    state = _state(directory)
    check_there(state)
    try:
        sys.exit(run(directory))
    except BROKEN as exc:
        raise broken(state, exc) from exc


gateway.add_command(backup)
gateway.add_command(replay)
gateway.add_command(calibrate)
gateway.add_command(epoch)


def _state(directory: Path) -> State:
    return State(directory, "gateway")


def _declare(state: State, request: admin_pb2.DeclareCaseloadRequest) -> admin_pb2.DeclareCaseloadResponse:
    reply: admin_pb2.DeclareCaseloadResponse = act_on_members(
        state,
        request,
        here=lambda members: members.holding.declare(request),
        stub=HolderAdminServiceStub,
        there=lambda stub: stub.DeclareCaseload(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _ask_holder(state: State) -> admin_pb2.GetHolderStatusResponse:
    request = admin_pb2.GetHolderStatusRequest()
    reply: admin_pb2.GetHolderStatusResponse = act_on_members(
        state,
        request,
        here=lambda members: members.holding.status(),
        stub=HolderAdminServiceStub,
        there=lambda stub: stub.GetHolderStatus(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


def _life(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise wrong_option(f"--expires: {exc}; for example --expires 1h") from exc


def _bad_options(error: ValidationError) -> CommandFailure:
    faults = [f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}" for fault in error.errors()]
    return wrong_option(*faults)


def _record(directory: Path) -> RecordPlace:
    return place_of_record(replace(_state(directory), record=load_gateway(directory).high_water))


def _status_lines(reply: admin_pb2.GetGatewayStatusResponse) -> Iterator[str]:
    yield f"exchange    {reply.trust_domain}"
    yield f"log         {reply.log_size} entries"
    if reply.log_state == LogState.RECOVERING.value:
        yield "RECOVERING  the database was put back to an older state: nothing is disclosed, revocations are held"
    yield from _published_lines(reply)
    if reply.erasing_waits:
        yield "ERASING     waits for the next start: bytes of what a seal deleted may still stand in the files"
    if reply.HasField("mirror"):
        yield from mirror_lines(reply.mirror)
    yield f"directory   version {reply.directory_version}" if reply.directory_version else "directory   none yet"
    if reply.HasField("unpublished_since_time"):
        since = reply.unpublished_since_time.ToDatetime().strftime("%Y-%m-%d %H:%MZ")
        yield f"UNPUBLISHED since {since}: a holder does not sign what changed; a revocation holds, yet is not listed"
    yield from epoch_lines(reply)
    yield f"holders     {', '.join(reply.holders) or 'none but this gateway'}"
    yield f"invitations {reply.open_invitation_count} open"
    for agency in reply.held_agencies:
        yield f"held        look-ups of {agency}: almost all found nobody; ask why, then: homeward gateway release"
    for fips in reply.waiting_counties:
        yield f"waiting     county {fips}: a custodian's operator has not admitted its root"
    for member in reply.members:
        yield f"{'revoked' if member.suspended else 'member':<11} {member.agency}"
        for instance in member.instances:
            until = instance.expire_time.ToDatetime().strftime("%Y-%m-%d %H:%MZ")
            mark = "  denied" if instance.denied else ""
            yield f"            {instance.spiffe_id}  generation {instance.generation}, until {until}{mark}"


def _published_lines(reply: admin_pb2.GetGatewayStatusResponse) -> Iterator[str]:
    if not reply.HasField("published"):
        return
    published = reply.published
    yield f"published   {published.published_size} entries, release = {_release(published)}"
    if not published.witnesses_required:
        yield "UNWITNESSED no witness must have seen the log grow: set witnesses in gateway.yaml (audit/README.md)"
    if published.disclosure_stopped:
        age = published.oldest_unwitnessed_seconds
        yield f"STOPPED     disclosure: entries of the log stay unwitnessed, the oldest for {age} s"
    if published.start_waits_for:
        yield "WAITING     nothing is written: the log may have been put back; not heard of those who know it:"
        yield f"            {', '.join(published.start_waits_for)}"
        yield "            if nobody can come, stop it, then: homeward audit recover DIR --unheard --explain 'why'"
    for witness in published.witnesses:
        yield f"witness     {witness.name}  {witness.standing}"
    yield from map(_attestation_line, published.attestations)


def _attestation_line(attested: admin_pb2.AttestationStatus) -> str:
    line = f"own entries {attested.agency}  {attested.standing}"
    if attested.tree_size:
        line += f"  up to number {attested.number} of {attested.tree_size} entries, {attested.age_seconds} s ago"
    return f"{line}  {attested.finding}" if attested.finding else line


def _release(published: admin_pb2.PublishedStatus) -> str:
    return "witnessed" if published.release_witnessed else "sequenced"


add_holder_commands(gateway, "gateway", declare=_declare, ask=_ask_holder)
