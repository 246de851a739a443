"""`homeward verify`: recompute a stored log, or check an evidence bundle, and say whether it holds.

Decides the words and the exit code: 0 everything verified, 6 evidence did not verify (one line says what and where),
2 usage. What is verified is in verify.py, and for a bundle in the verifier that every bundle carries. Words are ASCII,
so that a line is the same on every terminal.
"""

from __future__ import annotations

import json
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import Progress

from audit.bundled.verify import judge
from audit.checkpoint import LogKey, parse_vkey
from audit.errors import EvidenceError, EvidenceReason
from audit.highwater import read_high_water
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verify import Verified, verify_log

EXIT_UNVERIFIED = 6
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("database", metavar="DB", type=_FILE)
@click.option("--log-key", type=_FILE, help="File with the log's public key (name+id+base64), from a trusted place.")
@click.option(
    "--checkpoint",
    "checkpoints",
    type=_FILE,
    multiple=True,
    help="File with a checkpoint kept elsewhere, or the high-water record. May be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def verify(database: Path, log_key: Path | None, checkpoints: tuple[Path, ...], as_json: bool) -> None:
    """Recompute every entry, the tree and its signatures from the log in DB; or check DB, an evidence bundle.

    Exits with 0 if all of it holds and with 6 at the first thing that does not. Without --log-key the signature is
    checked with the key stored in DB itself, which shows damage but not a forged log; without --checkpoint a log cut
    off together with its own record of its size looks whole. Of a log that is being written, copy the -wal file too.
    """
    if zipfile.is_zipfile(database):
        _verify_bundle(database, log_key, as_json=as_json)
        return
    try:
        key = _read_key(log_key)
        reader = Reader(SqliteStore(database))
        try:
            verified = _run(reader, key, checkpoints, quiet=as_json)
        finally:
            reader.close()
        if not verified.size:
            # What a running log wrote last stands in a second file; a copy without it can look whole and empty.
            raise EvidenceError(
                EvidenceReason.SIZE, "the log has no entry; was it copied without the -wal file beside it?"
            )
    except EvidenceError as fault:
        _fail(fault, as_json=as_json)
    if as_json:
        click.echo(json.dumps(_as_dict(verified, with_checkpoint=bool(checkpoints))))
    else:
        _print(verified, with_checkpoint=bool(checkpoints))


def _verify_bundle(path: Path, log_key: Path | None, *, as_json: bool) -> None:
    pinned = log_key.read_text("utf-8", "replace") if log_key is not None else None
    status, said = judge(path, pinned)
    if as_json:
        click.echo(json.dumps({"ok": status == 0, "lines": said}))
    else:
        click.echo("\n".join(said))
    sys.exit(status)


def _read_key(path: Path | None) -> LogKey | None:
    if path is None:
        return None
    try:
        return parse_vkey(path.read_text("utf-8", "replace"))
    except EvidenceError as fault:
        raise EvidenceError(fault.reason, f"{path} holds no key of a log: {fault}") from fault


def _run(reader: Reader, key: LogKey | None, checkpoints: tuple[Path, ...], *, quiet: bool) -> Verified:
    outside = [lambda trusted, path=path: read_high_water(path, trusted) for path in checkpoints]
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        return verify_log(
            reader,
            key=key,
            outside=outside,
            progress=lambda done, size: bar.update(task, completed=done, total=size),
        )


def _fail(fault: EvidenceError, *, as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"ok": False, "reason": fault.reason.value, "index": fault.index, "text": str(fault)}))
    else:
        place = f"entry {fault.index}: " if fault.index is not None else ""
        click.echo(f"FAIL {place}{fault} [{fault.reason.value}]")
    sys.exit(EXIT_UNVERIFIED)


def _as_dict(verified: Verified, *, with_checkpoint: bool) -> dict[str, object]:
    return {
        "ok": True,
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "newest_time": _time(verified),
        "agencies": verified.agencies,
        "key_pinned": verified.pinned,
        "checkpoint_given": with_checkpoint,
        "signed_size": max(checkpoint.size for checkpoint in verified.checkpoints),
    }


def _print(verified: Verified, *, with_checkpoint: bool) -> None:
    signed = max(checkpoint.size for checkpoint in verified.checkpoints)
    newest = _time(verified)
    click.echo(f"ok   {verified.size} entries of {verified.origin}" + (f", newest {newest}" if newest else ""))
    click.echo(f"ok   root {verified.root.hex()}")
    click.echo(f"ok   sequence numbers of {verified.agencies} agencies have no gap")
    click.echo(f"ok   signed checkpoint covers {signed} of {verified.size} entries")
    if not verified.pinned:
        click.echo("note the log's key was taken from the database itself; give --log-key to pin it")
    if not with_checkpoint:
        click.echo("note no checkpoint from elsewhere was given; give --checkpoint to notice a log cut short")


def _time(verified: Verified) -> str | None:
    if not verified.size or verified.newest_ms >= 253_402_300_800_000:
        return None
    return datetime.fromtimestamp(verified.newest_ms / 1000, UTC).isoformat(timespec="milliseconds")
