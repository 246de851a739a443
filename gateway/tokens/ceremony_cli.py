"""`homeward custodian deal`: the offline ceremony, as a command.

Decides presentation, and what lies in the directory afterwards: one file for each holder (mode 0600), the public file
and the transcript. The key itself, and a refresh's polynomial, are forgotten when the command ends.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.acting import BROKEN, broken, failure, wrong_option
from gateway.protocol.ristretto import Ristretto, load_ristretto
from gateway.state import PRIVATE_DIRECTORY, PRIVATE_FILE, State, write_new
from gateway.tokens.ceremony import MAX_HOLDERS, deal, deal_refresh
from gateway.tokens.holder_cli import FILE, JSON
from gateway.tokens.share_file import DealtShare, ShareRefresh
from gateway.tokens.transcript import (
    PUBLIC_FILE,
    TRANSCRIPT_FILE,
    Ceremony,
    PublicFile,
    PublicFileBroken,
    digest,
    read_public_file,
)
from homeward.failure import ExitCode

MAX_THRESHOLD = 16
_PUBLIC_MODE = 0o644


@click.command("deal")
@click.option(
    "--threshold", type=click.IntRange(2, MAX_THRESHOLD), default=2, show_default=True, help="Holders needed."
)
@click.option("--holders", type=click.IntRange(2, MAX_HOLDERS), default=3, show_default=True, help="Shares made.")
@click.option("--epoch", default="e1", show_default=True, help="Name of the epoch of this key.")
@click.option("--refresh", type=FILE, help=f"The {PUBLIC_FILE} in force: deal its shares anew instead of a new key.")
@click.option("--present", multiple=True, metavar="NAME", help="Who takes part, for the transcript; may be repeated.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="New directory.")
@JSON
def deal_shares(
    threshold: int,
    holders: int,
    epoch: str,
    refresh: Path | None,
    present: tuple[str, ...],
    out: Path,
    as_json: bool,
) -> None:
    """Make a token key in shares, or refresh its shares, on a machine that is offline; the key itself is forgotten."""
    state, group = State(out, "ceremony"), load_ristretto()
    if threshold > holders:
        raise wrong_option("--threshold is at most the number of --holders")
    if not epoch.isascii() or not epoch.replace("-", "").isalnum() or epoch != epoch.lower():
        raise wrong_option("--epoch is of a-z 0-9 -")
    try:
        public, carried = _refreshed(refresh, group) if refresh else _dealt(epoch, threshold, holders, group)
        ceremony = Ceremony(public, datetime.now(UTC), _printable(present), carried, refresh is not None)
        transcript = ceremony.text(group)
        out.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        for name, data in carried.items():
            write_new(out / name, data, mode=PRIVATE_FILE)
        write_new(out / PUBLIC_FILE, public.to_bytes(), mode=_PUBLIC_MODE)
        write_new(out / TRANSCRIPT_FILE, transcript.encode(), mode=_PUBLIC_MODE)
    except PublicFileBroken as exc:
        raise failure(
            "SHARE-005", f"the file is not a {PUBLIC_FILE}", state, why=str(exc),
            fix="take the one of the last ceremony", exit_code=ExitCode.USAGE,
        ) from exc  # fmt: skip
    except BROKEN as exc:
        raise broken(state, exc) from exc
    if as_json:
        digests = {name: digest(data) for name, data in carried.items()}
        click.echo(json.dumps({"ok": True, "directory": str(out), **public.model_dump(), "sha256": digests}))
        return
    click.echo(transcript)
    click.echo(f"Carry each {next(iter(carried)).replace('1', 'N')} in {out} to its holder by hand, and erase it here:")
    click.echo("the first is the gateway's. Keep the transcript and the public file.")


def _dealt(epoch: str, threshold: int, holders: int, group: Ristretto) -> tuple[PublicFile, dict[str, bytes]]:
    dealing = deal(group, threshold=threshold, holders=holders, random_bytes=os.urandom)
    files = {
        f"share-{share.index}.bin": DealtShare(epoch, share, dealing.commitments).to_bytes() for share in dealing.shares
    }
    return _public(epoch, 1, holders, dealing.commitments), files


def _refreshed(path: Path, group: Ristretto) -> tuple[PublicFile, dict[str, bytes]]:
    before = read_public_file(path.read_text(encoding="utf-8"))
    dealing = deal_refresh(group, before.sharing.commitments, holders=before.holders, random_bytes=os.urandom)
    generation = before.generation + 1
    files = {
        f"refresh-{share.index}.bin": ShareRefresh(
            DealtShare(before.epoch, share, dealing.commitments, generation)
        ).to_bytes()
        for share in dealing.shares
    }
    return _public(before.epoch, generation, before.holders, dealing.commitments), files


def _public(epoch: str, generation: int, holders: int, commitments: tuple[bytes, ...]) -> PublicFile:
    return PublicFile(
        epoch=epoch,
        generation=generation,
        threshold=len(commitments),
        holders=holders,
        commitments=tuple(commitment.hex() for commitment in commitments),
    )


def _printable(names: tuple[str, ...]) -> tuple[str, ...]:
    """On one line each: a name must not be able to add a line to what is signed."""
    return tuple("".join(letter for letter in name if letter.isprintable())[:200] for name in names)
