"""What `homeward gateway` and `homeward custodian` have in common, because both hold a share of the token key.

Decides presentation only: `caseload`, `refresh`, and the lines of `status` that are about the share. A share is added,
switched and erased in files of the state alone; a process that serves notices by itself (`shares`).
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import click
from google.protobuf.json_format import MessageToDict

from gateway.acting import BROKEN, broken, failure, wrong_option
from gateway.cards import CustodianCard, renew_card
from gateway.protocol.ristretto import InvalidElement, load_ristretto
from gateway.state import State
from gateway.tokens.ceremony import ShareRefused
from gateway.tokens.share_file import ShareFileBroken, read_share
from gateway.tokens.shares import RefreshRefused, Shares
from homeward.failure import ExitCode
from homeward.gateway.v1.admin_pb2 import DeclareCaseloadRequest, GetHolderStatusResponse

DIRECTORY = click.argument("directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
CUSTODIAN = "custodian"
Declare = Callable[[State, DeclareCaseloadRequest], object]
Ask = Callable[[State], GetHolderStatusResponse]


def dealt_share(state: State, file: Path) -> bytes:
    """The bytes of a share that a dealer gave out. Raises `CommandFailure` at the file."""
    data = file.read_bytes()
    try:
        read_share(data, load_ristretto())
    except (ShareFileBroken, ShareRefused, InvalidElement) as exc:
        raise broken(state, exc, file=file) from exc
    return data


def add_holder_commands(group: click.Group, kind: str, *, declare: Declare, ask: Ask) -> None:
    """The group has `caseload` and `refresh`. `kind` is the state's; the other two act in whichever process may."""

    @group.command()
    @DIRECTORY
    @click.argument("agency")
    @click.argument("figure", type=click.IntRange(1, 10_000_000))
    @JSON
    def caseload(directory: Path, agency: str, figure: int, as_json: bool) -> None:
        """Declare that AGENCY (<fips>.<name>) has FIGURE youths in care: as many it may register once in an epoch."""
        declare(State(directory, kind), DeclareCaseloadRequest(agency=agency, figure=figure))
        done = {"ok": True, "agency": agency, "caseload": figure}
        click.echo(json.dumps(done) if as_json else f"Caseload of {agency}: {figure}.")

    @group.command()
    @DIRECTORY
    @click.option("--add", type=FILE, help="This holder's refresh-N.bin: the next share lies beside the one in force.")
    @click.option("--switch", is_flag=True, help="At the gateway, once every holder has added: propose the next share.")
    @click.option(
        "--finish", is_flag=True, help="Once the signed directory names the next share: erase the one before."
    )
    @JSON
    def refresh(directory: Path, add: Path | None, switch: bool, finish: bool, as_json: bool) -> None:
        """Exchange this holder's share for one of the next generation; tokens stay. One step a call."""
        state = State(directory, kind)
        if [add is not None, switch, finish].count(True) != 1 or (switch and kind == CUSTODIAN):
            raise wrong_option("--add FILE, --switch (gateway) or --finish: one of them")
        shares = _take_step(state, ask, add=add, switch=switch)
        held = shares.generations()
        done = {"ok": True, "in_force": shares.in_force().generation, "held": list(held)}
        words = ", ".join(map(str, held))
        click.echo(json.dumps(done) if as_json else f"In force here: generation {done['in_force']}; held: {words}.")


def _take_step(state: State, ask: Ask, *, add: Path | None, switch: bool) -> Shares:
    """The shares after the step. Raises `CommandFailure`."""
    try:
        group = load_ristretto()
        shares = Shares(state, group)
        if add is not None:
            shares.add(add.read_bytes())
        elif switch:
            shares.switch()
        else:
            shares.finish(ask(state).directory_generation)
            if state.kind == CUSTODIAN:
                renew_card(state, CustodianCard, share_commitment=shares.in_force().public(group).hex())
    except RefreshRefused as exc:
        raise failure(
            "SHARE-004", "this step cannot be taken now", state, why=str(exc),
            fix="see homeward custodian status at every holder", exit_code=ExitCode.DENIED,
        ) from exc  # fmt: skip
    except BROKEN as exc:
        raise broken(state, exc) from exc
    return shares


def holder_fields(status: GetHolderStatusResponse) -> dict[str, object]:
    """The share and its budgets as JSON values; every number is a number."""
    fields = MessageToDict(status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    accounts = [
        {
            "agency": use.agency,
            "account": use.account,
            "records": use.record_count,
            "elements": use.element_count,
            "limit": use.limit,
            "alarm_percent": use.alarm_percent,
        }
        for use in status.accounts
    ]
    return {**fields, "directory_version": status.directory_version, "accounts": accounts}


def holder_lines(status: GetHolderStatusResponse) -> Iterator[str]:
    """The share and its budgets in words."""
    yield f"operator    {status.operator}"
    generations = ", ".join(map(str, status.held_generations))
    share = f"{status.share_index} of epoch {status.epoch}, generation {status.generation}"
    yield f"share       {share} (held: {generations})"
    if len(status.held_epochs) > 1:
        yield f"epochs      shares of {', '.join(status.held_epochs)}"
    yield f"threshold   any {status.threshold} holders make a token"
    if status.directory_version:
        made = f"{status.directory_create_time.ToDatetime(UTC):%F %TZ}"
        yield f"directory   version {status.directory_version} of {made}, generation {status.directory_generation}"
        yield f"holders     {', '.join(status.holders)}"
    else:
        yield "directory   none yet"
    if status.demo:
        yield "demo        invented youths only"
    if status.sole_operators:
        yield f"WARNING     {', '.join(status.sole_operators)} alone can make tokens: the split protects nobody"
    for use in status.accounts:
        alarm = f", alarm at {use.alarm_percent} %" if use.alarm_percent else ""
        yield f"{use.account.lower():<11} {use.agency}: {use.record_count} of {use.limit} records{alarm}"
