"""`homeward gateway epoch`: open, look, cut over, finish, abandon; what each means is `tokens/rotation`.

Decides presentation only. Making tokens again is the members' work and takes as long as they need; `status --wait`
shows how far they are.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from gateway.members.assembly import Members
from gateway.members_act import act_on_members, ask_status
from gateway.rpc.admin import TIMEOUT_SECONDS
from gateway.state import State
from gateway.tokens.holder_cli import DIRECTORY, FILE, JSON, dealt_share
from homeward.failure import ExitCode
from homeward.gateway.v1 import admin_pb2 as pb
from homeward.gateway.v1.admin_pb2_grpc import AdminServiceStub

POLL_SECONDS: Final = 1.0
_MEANING: Final = {
    "CURRENT": "current",
    "FOLLOWING": "following: members make their tokens again",
    "PRECEDING": "preceding: still answered",
    "ENDING": "ending: being erased, a large database at the next start",
}


@click.group()
def epoch() -> None:
    """Rotate the token key: another key, pepper and key at rest, while everybody is found without a gap."""


@epoch.command("open")
@DIRECTORY
@click.option("--share", type=FILE, required=True, help="Share 1 of a new ceremony (homeward custodian deal --epoch).")
@JSON
def open_epoch(directory: Path, share: Path, as_json: bool) -> None:
    """Open the next epoch. Give every custodian its share first: homeward custodian epoch add."""
    state = State(directory, "gateway")
    request = pb.OpenEpochRequest(share=dealt_share(state, share))
    reply = act_on_members(
        state,
        request,
        here=lambda members: _opened(members, request),
        stub=AdminServiceStub,
        there=lambda stub: stub.OpenEpoch(request, timeout=TIMEOUT_SECONDS),
    )
    _say(as_json, reply, f"Opened epoch {reply.epoch}. Erase {share}. Then wait for the members: epoch status --wait.")


@epoch.command("cut-over")
@DIRECTORY
@click.option("--without", multiple=True, metavar="COUNTY", help="Do not wait for COUNTY (five digits); repeatable.")
@JSON
def cut_over(directory: Path, without: tuple[str, ...], as_json: bool) -> None:
    """Make the following epoch the current one; refused while a county has not listed everybody in it."""
    request = pb.CutOverEpochRequest(without_counties=without)
    reply = act_on_members(
        State(directory, "gateway"),
        request,
        here=lambda members: _cut_over(members, request),
        stub=AdminServiceStub,
        there=lambda stub: stub.CutOverEpoch(request, timeout=TIMEOUT_SECONDS),
    )
    _say(as_json, reply, f"Epoch {reply.epoch} is the current one. The one before is answered until: epoch finish.")


@epoch.command()
@DIRECTORY
@JSON
def finish(directory: Path, as_json: bool) -> None:
    """End the epoch before the current one: its tokens, key at rest and share are erased. There is no way back."""
    request = pb.FinishEpochRequest()
    reply = act_on_members(
        State(directory, "gateway"),
        request,
        here=_finished,
        stub=AdminServiceStub,
        there=lambda stub: stub.FinishEpoch(request, timeout=TIMEOUT_SECONDS),
    )
    _say(as_json, reply, f"Epoch {reply.epoch} ended. At every custodian now: homeward custodian epoch finish.")


@epoch.command()
@DIRECTORY
@JSON
def abandon(directory: Path, as_json: bool) -> None:
    """Give the following epoch up; nothing is left of it."""
    request = pb.AbandonEpochRequest()
    reply = act_on_members(
        State(directory, "gateway"),
        request,
        here=_abandoned,
        stub=AdminServiceStub,
        there=lambda stub: stub.AbandonEpoch(request, timeout=TIMEOUT_SECONDS),
    )
    _say(as_json, reply, f"Gave epoch {reply.epoch} up. At every custodian now: homeward custodian epoch finish.")


@epoch.command()
@DIRECTORY
@click.option("--wait", is_flag=True, help="Until every county has listed everybody, or nothing is left to erase.")
@JSON
def status(directory: Path, wait: bool, as_json: bool) -> int:
    """Epochs, tokens in each, and the counties that are not complete. Exit status 1 while something is under way."""
    told: object = None
    while True:
        reply = ask_status(State(directory, "gateway"))
        document = [_data(each) for each in reply.epochs]
        if document != told:
            click.echo(json.dumps({"ok": True, "epochs": document}) if as_json else "\n".join(epoch_lines(reply)))
        told = document
        done = not any(each.state == "ENDING" or each.incomplete_counties for each in reply.epochs)
        if done or not wait:
            return int(ExitCode.OK if done else ExitCode.FAILED)
        time.sleep(POLL_SECONDS)


def epoch_lines(reply: pb.GetGatewayStatusResponse) -> Iterator[str]:
    """The epochs in words."""
    for each in reply.epochs:
        announced = "" if each.announced else ", not announced: a holder may have no share of it"
        yield f"epoch       {each.epoch}: {_MEANING[each.state]}{announced}, {each.token_count} tokens"
        if each.incomplete_counties:
            yield f"            not complete in it: {', '.join(each.incomplete_counties)}"


def _data(each: pb.EpochStatus) -> dict[str, object]:
    return {
        "epoch": each.epoch,
        "state": each.state,
        "announced": each.announced,
        "tokens": each.token_count,
        "incomplete_counties": list(each.incomplete_counties),
    }


async def _opened(members: Members, request: pb.OpenEpochRequest) -> pb.OpenEpochResponse:
    step = await members.rotation.open(request.share)
    return pb.OpenEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)


async def _cut_over(members: Members, request: pb.CutOverEpochRequest) -> pb.CutOverEpochResponse:
    step = await members.rotation.cut_over(frozenset(request.without_counties))
    return pb.CutOverEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)


async def _finished(members: Members) -> pb.FinishEpochResponse:
    step = await members.rotation.finish()
    return pb.FinishEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)


async def _abandoned(members: Members) -> pb.AbandonEpochResponse:
    step = await members.rotation.abandon()
    return pb.AbandonEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)


def _say(
    as_json: bool,
    reply: pb.OpenEpochResponse | pb.CutOverEpochResponse | pb.FinishEpochResponse | pb.AbandonEpochResponse,
    text: str,
) -> None:
    done = {"ok": True, "epoch": reply.epoch, "leaf_index": reply.leaf_index}
    click.echo(json.dumps(done) if as_json else f"{text} Entry {reply.leaf_index} of the log.")
