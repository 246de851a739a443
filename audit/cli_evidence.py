"""`homeward audit contradict` and `homeward audit serve`: the same as `python -m audit` has, among the other commands.

Decides the words of the command line alone; the work is in contradiction.py and serve.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from audit.errors import EvidenceError, EvidenceReason
from audit.new_path import new_path
from audit.verdict import (
    EXIT_UNREADABLE,
    EXIT_UNVERIFIED,
    proof_of_two_histories,
    read_log_key,
    shown_consistent,
    shown_no_statement,
    write_proof,
)

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option("--log-key", type=_FILE, required=True, help="File with the log's public key (name+id+base64).")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=new_path,
    help="Write the proof into this new file, as JSON.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def contradict(first: Path, second: Path, log_key: Path, out: Path | None, as_json: bool) -> None:
    """Look for proof that the log signed two histories, in two receipts or checkpoints.

    Works offline. Exits with 6 where the two contradict each other: the proof then needs nobody's word but the log's
    own two signatures. With 0 where they do not, which proves nothing about what neither shows; with 1 where one of
    them is not a statement of this log.
    """
    try:
        found = proof_of_two_histories(first, second, key=read_log_key(log_key))
        if out is not None:
            write_proof(found, out)
    except EvidenceError as fault:
        if fault.reason is EvidenceReason.CONSISTENT:
            click.echo(shown_consistent(fault, as_json=as_json))
            return
        click.echo(shown_no_statement(fault, where=f"{first}, {second}", as_json=as_json))
        sys.exit(EXIT_UNREADABLE)
    click.echo(found.document() if as_json else f"PROOF {found.sentence()}")
    sys.exit(EXIT_UNVERIFIED)


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--listen", default="127.0.0.1:8480", show_default=True, help="host:port; port 0 takes a free one.")
def serve(directory: Path, listen: str) -> None:
    """Serve the published log in DIRECTORY as static files over HTTP, until interrupted."""
    # Late: no other command, and no process of the exchange, loads a web server.
    from audit.serve import serving

    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter("write host:port", param_hint="--listen")
    with serving(directory, host.strip("[]"), int(port)) as server:
        click.echo(f"serving {directory} at http://{host}:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
