"""`homeward demo` and `homeward sandbox`.

Decides options and the printed form; the story and the processes are in the files beside it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import click

from deploy.demo.counties import MOST_COUNTIES
from deploy.demo.demo import TRANSCRIPT, run_demo
from deploy.demo.example import describe
from deploy.demo.layout import DEFAULT_NAME, make_directory
from deploy.demo.processes import is_alive
from deploy.demo.sandbox import Sandbox

_DIR: Final = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(tempfile.gettempdir()) / DEFAULT_NAME,
    help="Where the sandbox lives.  [default: homeward-sandbox in the directory for temporary files]",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
_OUTPUT: Final = Path("demo-out")


@click.command()
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the processes' files here.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=_OUTPUT, show_default=True)
@_JSON
def demo(keep: Path | None, out: Path, as_json: bool) -> int:
    """Watch three counties find a missing youth, and what becomes of the evidence, on this machine.

    Real processes, invented people. Writes transcript.json, gateway-view/ and the published log to --out. Exits with 1
    when a step went otherwise than it must.
    """
    # First of all: the story takes its time, and what it leaves behind is written last.
    make_directory(out)
    work = keep or Path(tempfile.mkdtemp(prefix="homeward-demo-"))
    # What failed to start names its log, which lies in there: the directory goes only after a story that was played.
    result = run_demo(work, out, _silent if as_json else click.echo)
    if keep is None:
        shutil.rmtree(work)
    if as_json:
        click.echo((out / TRANSCRIPT).read_text(encoding="utf-8"), nl=False)
    return 0 if result.ok else 1


@click.group()
def sandbox() -> None:
    """Keep a small exchange running to develop against. Everybody in it is invented."""


@sandbox.command()
@click.option("--counties", type=click.IntRange(1, MOST_COUNTIES), default=3, show_default=True)
@_DIR
@_JSON
def up(counties: int, directory: Path, as_json: bool) -> None:
    """Start gateway, custodian and adapters; print how to reach them and an example call."""
    if not as_json:
        click.echo(
            f"sandbox: starting gateway, custodian and adapters for {counties} counties (invented people only)",
            err=True,
        )
    described = describe(Sandbox.up(directory, count=counties))
    if as_json:
        click.echo(json.dumps({"ok": True, **described}, indent=1))
        return
    for letter, county in described["counties"].items():
        click.echo(f"{letter}  {county['agency']:<12} {county['endpoint']:<22} {county['source']}")
    for says, call in (
        ("Ask whether anybody looks for a youth (sandbox, invented)", described["example"]),
        ("Report from county A that she is missing, and ask again", described["report"]),
    ):
        click.echo(f"\n{says}:\n\n{call['grpcurl']}\n\nThe same in Python: {call['python_file']}")
    click.echo(f"\nLogs: {described['logs']}     Stop: homeward sandbox down --dir {directory}")


@sandbox.command()
@_DIR
@_JSON
def down(directory: Path, as_json: bool) -> None:
    """Stop every process of the sandbox and remove its directory."""
    killed = Sandbox.attach(directory).down(keep=False)
    if as_json:
        click.echo(json.dumps({"ok": True, "killed": killed}))
        return
    click.echo("sandbox: stopped" + (f"; had to kill {', '.join(killed)}" if killed else ""))


@sandbox.command()
@_DIR
@_JSON
def status(directory: Path, as_json: bool) -> None:
    """Which processes run. Exits with 1 when one does not."""
    running = Sandbox.attach(directory)
    alive = {process.name: is_alive(process) for process in running.state.processes}
    if as_json:
        click.echo(json.dumps({"ok": all(alive.values()), "processes": alive}))
    else:
        for name, is_running in alive.items():
            click.echo(f"{'ok' if is_running else 'FAIL':<5} {name}")
    if not all(alive.values()):
        sys.exit(1)


@sandbox.command()
@click.option("--county", "letter", required=True, help="A, B, C, ...")
@click.option("--role", "roles", multiple=True, required=True, help="For example CWA.hotline_screener; repeatable.")
@click.option("--worker", default="invented-worker-1", show_default=True, help="Whose token it is.")
@_DIR
def token(letter: str, roles: tuple[str, ...], worker: str, directory: Path) -> None:
    """Print a staff token of a county's identity provider, good for eight hours."""
    running = Sandbox.attach(directory)
    letters = [member.letter for member in running.state.members]
    if letter.upper() not in letters:
        raise click.BadParameter(f"one of {', '.join(letters)}", param_hint="--county")
    click.echo(running.county(letter.upper()).token(*roles, worker=worker))


def _silent(text: Any) -> None:
    """With --json only the transcript is printed."""
