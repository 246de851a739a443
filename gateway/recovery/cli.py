"""`homeward audit fsck`, `mirror` and `recover`: for whoever operates a gateway or a custodian.

Decides the words. Exit status: 0 it holds or was done, 6 evidence does not hold (one line says what), 2 usage.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from audit.errors import EvidenceError
from audit.heal import Healed
from audit.verdict import EXIT_UNVERIFIED, shown_fault
from gateway.acting import BROKEN, broken
from gateway.recovery.repair import Place, check_everything, go_on, heal_from, keep_mirror, place_of
from gateway.state import State

Result = TypeVar("Result")
_DIRECTORY = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
_FOLDER = click.Path(file_okay=False, path_type=Path)
_CHECKPOINTS = click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="File with a checkpoint that a witness or a county kept. May be given more than once.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")


@click.command()
@_DIRECTORY
@click.option("--mirror", type=_FOLDER, help="Check this mirror too.")
@_CHECKPOINTS
@_JSON
def fsck(directory: Path, mirror: Path | None, checkpoints: tuple[Path, ...], as_json: bool) -> None:
    """Check everything that lies in DIR: entries, tree, checkpoints, tables, published files, and a mirror.

    Changes nothing and waits for nobody. Exits with 0 if all of it holds, with 6 and one line at the first that does
    not.
    """
    lines = _evidence(directory, as_json, lambda place: check_everything(place, checkpoints=checkpoints, mirror=mirror))
    click.echo(json.dumps({"ok": True, "checked": lines}) if as_json else "\n".join(lines))


@click.command()
@_DIRECTORY
@click.argument("target", type=_FOLDER, metavar="MIRROR")
@_JSON
def mirror(directory: Path, target: Path, as_json: bool) -> None:
    """Bring the mirror in the directory MIRROR up to date with the log in DIR, which may be serving.

    MIRROR belongs on other storage. It holds what a log needs to be healed, sealed under DIR/secrets/mirror.key: keep a
    copy of that key elsewhere, and not beside the mirror.
    """
    head = _evidence(directory, as_json, lambda place: keep_mirror(place, target))
    text = f"ok   {target} holds {head.size} entries, root {head.root.hex()}"
    click.echo(json.dumps({"ok": True, "size": head.size, "root": head.root.hex()}) if as_json else text)


@click.command()
@_DIRECTORY
@click.option("--mirror", type=_FOLDER, help="Heal a database that was put back to an older state from this mirror.")
@click.option("--explain", default="", help="Why the log had stopped. Name no person: kept beside the log.")
@_CHECKPOINTS
@_JSON
def recover(directory: Path, mirror: Path | None, explain: str, checkpoints: tuple[Path, ...], as_json: bool) -> None:
    """Let the log in DIR go on: heal it from a mirror, or explain why it had stopped, or both.

    The gateway must not be serving. A mirror that lacks anything known to have been signed is refused: nothing is
    signed anew over a history that is shorter.
    """
    if mirror is None and not explain:
        raise click.UsageError("say --mirror, --explain, or both")

    def work(place: Place) -> tuple[Healed | None, int]:
        with place.state.writing():
            healed = heal_from(place, mirror, checkpoints=checkpoints) if mirror is not None else None
            return healed, asyncio.run(go_on(place, healed=healed, explanation=explain, now=lambda: datetime.now(UTC)))

    healed, size = _evidence(directory, as_json, work)
    if as_json:
        found = {"had": healed.size, "healed_to": healed.healed_size} if healed is not None else {}
        click.echo(json.dumps({"ok": True, "size": size, **found}))
        return
    if healed is not None:
        click.echo(f"ok   the database had {healed.size} entries and was healed to {healed.healed_size}")
    click.echo(f"ok   the log goes on with {size} entries; start the process again")


def _evidence(directory: Path, as_json: bool, work: Callable[[Place], Result]) -> Result:
    try:
        return work(place_of(directory))
    except EvidenceError as fault:
        click.echo(shown_fault(fault, as_json=as_json))
        sys.exit(EXIT_UNVERIFIED)
    except BROKEN as exc:
        raise broken(State(directory, "gateway"), exc) from exc
