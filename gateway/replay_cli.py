"""`homeward gateway replay`: recompute the log, then make every decision in it again.

Decides presentation only. Works on the gateway's directory or on a copy of it, beside a process that serves: it changes
nothing. Whoever replays needs what opens the entries: the log's class keys and the youths' keys.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import Progress

from audit.checkpoint import parse_vkey
from audit.errors import EvidenceError
from audit.followed import Contradiction, Counts, Rule
from audit.reader import Reader
from audit.store_sqlite import SqliteStore
from audit.verify import verify_log
from gateway.acting import BROKEN, broken, check_there
from gateway.protocol.policy.bundle import load_california, parse_bundle
from gateway.protocol.policy.bundle_faults import BundleError
from gateway.protocol.policy.rules import Policy
from gateway.replay import read_keys, replay_log
from gateway.state import State
from gateway.store.youth_keys import FileYouthKeys
from homeward.failure import CommandFailure, ExitCode


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.option(
    "--policy",
    "bundles",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Policy bundle of an earlier time, beside the one that ships. May be given more than once.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def replay(directory: Path, bundles: tuple[Path, ...], as_json: bool) -> None:
    """Make every decision in the log of DIR again and compare; exit status 6 at the first that contradicts.

    First the log is verified, as `homeward verify` does. Then each decision is made again from the argument it commits
    to, each authority must have been recorded and not revoked, and nothing may have left without its decision.
    """
    state = State(directory, "gateway")
    check_there(state)
    try:
        counts = _replay(state, [load_california(), *(bundle_to_replay(path) for path in bundles)], quiet=as_json)
    except (Contradiction, EvidenceError) as fault:
        _fail(state, fault)
    except BROKEN as exc:
        raise broken(state, exc) from exc
    click.echo(json.dumps({"ok": True, **_counted(counts)}) if as_json else _text(counts))


def _replay(state: State, policies: list[Policy], *, quiet: bool) -> Counts:
    keys = FileYouthKeys(
        state.youth_keys,
        wrapping_key=state.read_secret("youth-wrap.key", length=32),
        random_bytes=os.urandom,
    )
    console, reader = Console(stderr=True), Reader(SqliteStore(state.database))
    try:
        verified = verify_log(reader, key=parse_vkey(state.log_key.read_text("utf-8")))
        with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
            task = bar.add_task("entries", total=verified.size)

            def follow() -> Counts:
                opened = read_keys(state.youth_keys, state.read_class_keys(), keys)
                return replay_log(reader, opened, policies, progress=lambda done: bar.update(task, completed=done))

            try:
                return follow()
            except Contradiction as found:
                if found.rule is not Rule.SEALED:
                    raise
                # A process that serves may have carried out an order between the keys and the log: once more.
                return follow()
    finally:
        reader.close()
        keys.close()


def bundle_to_replay(path: Path) -> Policy:
    """The policy of an earlier time; it may be one that could not be served today. Raises `CommandFailure`."""
    try:
        return parse_bundle(path.read_bytes(), origin=str(path), to_replay=True)
    except (BundleError, OSError) as exc:
        raise CommandFailure(
            "REPLAY-001",
            "the policy bundle cannot be used",
            where=str(path),
            why=str(exc) if isinstance(exc, BundleError) else type(exc).__name__,
            fix="give the bundle as it was published",
            exit_code=ExitCode.USAGE,
        ) from exc


def _fail(state: State, fault: Contradiction | EvidenceError) -> NoReturn:
    rule = fault.rule if isinstance(fault, Contradiction) else fault.reason
    what = "the log contradicts itself or the policy" if isinstance(fault, Contradiction) else "the log does not verify"
    raise CommandFailure(
        f"REPLAY-{rule}",
        what,
        where=f"entry {fault.index} of {state.database}" if fault.index is not None else str(state.database),
        why=str(fault),
        fix="keep a copy of the directory and tell the counties and the state's auditor; do not go on serving from it",
        exit_code=ExitCode.EVIDENCE,
    ) from fault


def _counted(counts: Counts) -> dict[str, int]:
    names = ("entries", "decided", "recomputed", "sealed", "closed", "guarded", "released", "confirmed", "returning")
    return {name: getattr(counts, name) for name in names}


def _text(counts: Counts) -> str:
    without = counts.decided - counts.recomputed - counts.sealed - counts.guarded
    return "\n".join(
        (
            f"ok   {counts.entries} entries verified and followed, {counts.decided} decisions among them",
            f"ok   {counts.recomputed} decided again from what they commit to, each to the same end",
            f"ok   {counts.released} releases, each after its own decision and none after a revocation",
            f"ok   {counts.confirmed} receipts, each of one release",
            f"note {counts.sealed} are sealed: their arguments cannot be read any more, by design",
            f"note {counts.closed} entries about authorities are sealed: they no longer say which, by design",
            f"note {without + counts.guarded} refusals keep no argument: of recording calls, or by a revocation",
            *_pending(counts.returning),
        )
    )


def _pending(returning: int) -> Iterator[str]:
    if returning:
        yield f"note {returning} lifted seals wait for their key: the next start finishes what a crash cut short"
