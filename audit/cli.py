"""`homeward verify`: recompute a stored or published log, check other evidence, say whether it holds.

Decides what is meant by the words of the command line, and the exit code: 0 everything verified, 6 evidence did not
verify (said is what, where, why and what to do), 2 usage. What is verified is in verify.py and published.py, for a
bundle in the verifier that every bundle carries; the words for published logs and receipts are in verdict.py. Words are
ASCII, so that a line is the same on every terminal.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import Progress

from audit.asked import ON_FILES, Kind, Unasked, asked_key, asked_policy, check_database, check_options, kind_of
from audit.bundled.verify import judge
from audit.checkpoint import LogKey
from audit.errors import EvidenceError, EvidenceReason
from audit.highwater import read_high_water
from audit.policy import Policy
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verdict import Progress as Hears
from audit.verdict import (
    Verdict,
    exit_of,
    shown_fault,
    shown_time,
    verdict_on_published,
)
from audit.verify import Verified, verify_log

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("place")
@click.option("--log-key", type=_FILE, help="File with the log's public key (name+id+base64), from a trusted place.")
@click.option("--policy", "policy_file", type=_FILE, help="tlog-policy file: which witnesses count, and how many.")
@click.option(
    "--checkpoint",
    "checkpoints",
    type=_FILE,
    multiple=True,
    help="File with a checkpoint kept elsewhere, or the high-water record. May be given more than once.",
)
@click.option("--max-age", type=click.IntRange(1), help="Seconds: of a published log, older cosignatures do not count.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def verify(
    place: str,
    log_key: Path | None,
    policy_file: Path | None,
    checkpoints: tuple[Path, ...],
    max_age: int | None,
    as_json: bool,
) -> None:
    """Recompute every entry, the tree and its signatures of the log in PLACE, or check the evidence in PLACE.

    PLACE is the directory or URL of a published log, the database of a stored one, a receipt, an evidence bundle, a
    table of homeward audit query --proofs, or a proof of two histories that homeward audit contradict wrote.
    Exits with 0 if all of it holds, with 6 at the first thing that does not, with 5 where nobody answers, and with 2
    where an option is not for what is in PLACE, or its file cannot be used: nothing was verified then. Without
    --checkpoint a log cut off together with its own record of its size looks whole; without --policy nobody else's word
    is asked. Only of a database or a bundle may --log-key be left out: the signature is then checked with the key
    stored beside it, which shows damage but not a forged log. Of a log that is being written, copy the -wal file too.
    """
    try:
        kind = kind_of(place)
        check_options(kind, {"--policy": policy_file, "--checkpoint": checkpoints, "--max-age": max_age})
        policy = asked_policy(policy_file) if policy_file else None
        key = asked_key(log_key) if log_key else None
        if kind is Kind.BUNDLE:
            _verify_bundle(Path(place), log_key, policy_file, as_json=as_json)
        not_before = int(time.time()) - max_age if max_age else 0
        asked = _Asked(place, kind, key, policy, checkpoints, not_before)
        text = _verdict(asked, quiet=as_json).shown(as_json=as_json)
    except Unasked as slip:
        raise click.UsageError(str(slip)) from None
    except EvidenceError as fault:
        click.echo(shown_fault(fault, where=place, as_json=as_json))
        sys.exit(exit_of(fault))
    click.echo(text)


def _verify_bundle(path: Path, log_key: Path | None, policy: Path | None, *, as_json: bool) -> NoReturn:
    pinned, asked = (each.read_text("utf-8", "replace") if each else None for each in (log_key, policy))
    status, said = judge(path, pinned, asked)
    if as_json:
        click.echo(json.dumps({"ok": status == 0, "lines": said}))
    else:
        click.echo("\n".join(said))
    sys.exit(status)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks to be verified."""

    place: str
    kind: Kind
    key: LogKey | None
    policy: Policy | None
    checkpoints: tuple[Path, ...]
    not_before: int


def _verdict(asked: _Asked, *, quiet: bool) -> Verdict:
    place, key, policy = asked.place, asked.key, asked.policy
    if asked.kind is Kind.DATABASE:
        return _on_database(Path(place), key, asked.checkpoints, quiet=quiet)
    if key is None:
        raise click.MissingParameter("What is checked does not hold it.", param_type="option", param_hint="--log-key")
    if asked.kind in ON_FILES:
        return ON_FILES[asked.kind](Path(place), key=key)
    with _progress(quiet) as progress:
        return verdict_on_published(
            place, key=key, policy=policy, checkpoints=asked.checkpoints, not_before=asked.not_before, progress=progress
        )


def _on_database(database: Path, key: LogKey | None, checkpoints: tuple[Path, ...], *, quiet: bool) -> Verdict:
    check_database(database)
    outside = [lambda trusted, path=path: read_high_water(path, trusted) for path in checkpoints]
    reader = Reader(SqliteStore(database))
    try:
        with _progress(quiet) as progress:
            verified = verify_log(reader, key=key, outside=outside, progress=progress)
    finally:
        reader.close()
    if not verified.size:
        # What a running log wrote last stands in a second file; a copy without it can look whole and empty.
        raise EvidenceError(EvidenceReason.SIZE, "the log has no entry; was it copied without the -wal file beside it?")
    return Verdict(
        tuple(_lines(verified, with_checkpoint=bool(checkpoints))),
        _as_dict(verified, with_checkpoint=bool(checkpoints)),
    )


@contextmanager
def _progress(quiet: bool) -> Iterator[Hears]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda done, size: bar.update(task, completed=done, total=size)


def _as_dict(verified: Verified, *, with_checkpoint: bool) -> dict[str, object]:
    return {
        "origin": verified.origin,
        "size": verified.size,
        "root": verified.root.hex(),
        "newest_time": shown_time(verified.newest_ms),
        "agencies": verified.agencies,
        "key_pinned": verified.pinned,
        "checkpoint_given": with_checkpoint,
        "signed_size": max(checkpoint.size for checkpoint in verified.checkpoints),
    }


def _lines(verified: Verified, *, with_checkpoint: bool) -> Iterator[str]:
    signed = max(checkpoint.size for checkpoint in verified.checkpoints)
    newest = shown_time(verified.newest_ms)
    yield f"ok   {verified.size} entries of {verified.origin}" + (f", newest {newest}" if newest else "")
    yield f"ok   root {verified.root.hex()}"
    yield f"ok   sequence numbers of {verified.agencies} agencies have no gap"
    yield f"ok   signed checkpoint covers {signed} of {verified.size} entries"
    if not verified.pinned:
        yield "note the log's key was taken from the database itself; give --log-key to pin it"
    if not with_checkpoint:
        yield "note no checkpoint from elsewhere was given; give --checkpoint to notice a log cut short"
