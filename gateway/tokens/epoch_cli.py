"""`homeward custodian epoch`: keep the share of a new token key, and erase the one of a key that ended.

Decides presentation only. When a share may be taken or erased is the matter of `tokens/custody`.
"""

import json
from collections.abc import Callable
from pathlib import Path

import click

from gateway.acting import check_request
from gateway.state import State
from gateway.tokens.holder_cli import CUSTODIAN, DIRECTORY, FILE, JSON, dealt_share
from homeward.gateway.v1 import admin_pb2 as pb

Add = Callable[[State, pb.AddEpochShareRequest], pb.AddEpochShareResponse]
Finish = Callable[[State, pb.FinishEpochShareRequest], pb.FinishEpochShareResponse]


def add_epoch_commands(group: click.Group, *, add: Add, finish: Finish) -> None:
    """The group has `epoch add` and `epoch finish`, which act in whichever process may."""

    @group.group()
    def epoch() -> None:
        """Take part in a rotation of the token key."""

    @epoch.command("add")
    @DIRECTORY
    @click.option("--share", type=FILE, required=True, help="This holder's share of the new ceremony.")
    @JSON
    def add_share(directory: Path, share: Path, as_json: bool) -> None:
        """Keep the share of the epoch that the gateway is going to open, beside the one in force."""
        state = State(directory, CUSTODIAN)
        request = pb.AddEpochShareRequest(share=dealt_share(state, share))
        name = add(state, request).epoch
        done = {"ok": True, "epoch": name}
        click.echo(json.dumps(done) if as_json else f"Keeps a share of epoch {name}. Erase {share}.")

    @epoch.command("finish")
    @DIRECTORY
    @click.option(
        "--unopened", metavar="EPOCH", default="", help="Erase the share of this epoch, which the gateway never opened."
    )
    @JSON
    def finish_share(directory: Path, unopened: str, as_json: bool) -> None:
        """Erase the share of the epoch that no directory names any more; destroy its backups, too."""
        state, request = State(directory, CUSTODIAN), pb.FinishEpochShareRequest(unopened_epoch=unopened)
        check_request(request)
        reply = finish(state, request)
        done = {"ok": True, "epoch": reply.epoch, "kept_epoch": reply.kept_epoch}
        erased = f"Erased the share of epoch {reply.epoch}. Destroy its backups, too."
        nothing = f"Nothing is left to erase: the share of epoch {reply.kept_epoch} is the only one here, and in force."
        click.echo(json.dumps(done) if as_json else erased if reply.epoch else nothing)
