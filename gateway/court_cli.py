"""`homeward court`: the keys of the court's custodian, who alone can open what a sealing order closed.

Decides presentation only. The custodian's private key is made and used on the custodian's own machine: `new-key` and
`release` need nothing of the exchange but two files, `copy` is run by the exchange's operator.
"""

import json
import re
from pathlib import Path
from typing import Final

import click

from gateway.protocol.escrow import EscrowBroken, parse_public_key, public_key_text
from gateway.protocol.escrow import release as release_copy
from gateway.protocol.sealing import SealKey
from gateway.state import PRIVATE_FILE, State, StateExists, write_new
from gateway.store.escrow import read_copy
from homeward.failure import CommandFailure, ExitCode

_PUBLIC_FILE: Final = 0o644
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


@click.group()
def court() -> None:
    """Keep the keys of sealed youths, as the court's custodian."""


@court.command("new-key")
@click.argument("private", type=_NEW)
@click.argument("public", type=_NEW)
@_JSON
def new_key(private: Path, public: Path, as_json: bool) -> None:
    """Make the custodian's key pair: PRIVATE stays with the court, PUBLIC goes to the exchange."""
    key = SealKey.generate()
    _write(private, key.private_bytes, PRIVATE_FILE)
    _write(public, public_key_text(key.public_bytes).encode(), _PUBLIC_FILE)
    _say({"private": str(private), "public": str(public)}, as_json=as_json)


@court.command("copy")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("seal_id")
@click.argument("out", type=_NEW)
@_JSON
def copy_(directory: Path, seal_id: str, out: Path, as_json: bool) -> None:
    """Write the custodian's copy of SEAL_ID, from the exchange's DIRECTORY, to OUT; only the custodian can open it."""
    found = read_copy(State(directory, "gateway").youth_keys, _identifier(seal_id))
    if not found:
        raise CommandFailure(
            "COURT-001", "there is no copy of this seal", where=str(directory),
            why="it was lifted or destroyed, or never made", fix="check the identifier of the seal",
            exit_code=ExitCode.FAILED,
        )  # fmt: skip
    _write(out, found, PRIVATE_FILE)
    _say({"copy": str(out)}, as_json=as_json)


@court.command()
@click.argument("copy", type=_FILE)
@click.argument("seal_id")
@click.argument("out", type=_NEW)
@click.option("--key", type=_FILE, required=True, help="The custodian's private key.")
@click.option("--to", type=_FILE, required=True, help="The exchange's release.pub.")
@_JSON
def release(copy: Path, seal_id: str, out: Path, key: Path, to: Path, as_json: bool) -> None:
    """By order of the court: open COPY and write what lifts SEAL_ID to OUT, for the exchange alone to open."""
    try:
        custodian = SealKey.from_private_bytes(key.read_bytes())
        recipient = parse_public_key(to.read_text("ascii"))
        released = release_copy(copy.read_bytes(), custodian, to=recipient, seal_id=_identifier(seal_id))
    except (EscrowBroken, ValueError) as exc:
        raise CommandFailure(
            "COURT-002", "the copy does not open", where=str(copy),
            why="it is of another seal or another custodian, or a key file is not one",
            fix="give the files of this seal and this custodian", exit_code=ExitCode.FAILED,
        ) from exc  # fmt: skip
    _write(out, released, PRIVATE_FILE)
    _say({"release": str(out)}, as_json=as_json)


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        write_new(path, data, mode=mode)
    except StateExists as exc:
        raise CommandFailure(
            "COURT-003", "the file exists already", where=str(path), why="a key or copy is never overwritten",
            fix="name another file", exit_code=ExitCode.USAGE,
        ) from exc  # fmt: skip


def _say(said: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": True, **said}))
        return
    for what, where in said.items():
        click.echo(f"{what:<11} {where}")


def _identifier(text: str) -> bytes:
    if not _IDENTIFIER.fullmatch(text):
        raise click.UsageError("SEAL_ID: 32 hexadecimal digits")
    return bytes.fromhex(text)
