"""`homeward gateway backup`: a copy of the database that shows no more than its rows do.

Decides how the copy is made: written anew, row by row in the order of their keys (VACUUM INTO), in one state of the
database, beside a process that serves. The pages of a plain copy would tell in which order rows were written, and so,
after a seal, which entries a youth's rows may belong to (audit/README.md, "Sealing and destruction"). The file of the
youths' keys is not in it and is backed up apart, after this, because it must not be older than the database.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import click

from gateway.acting import BROKEN, broken, check_there, failure
from gateway.state import PRIVATE_FILE, State, StateBroken, StateExists, write_new
from homeward.replacing import settle_path


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def backup(directory: Path, target: Path, as_json: bool) -> None:
    """Copy the database of the gateway in DIR to FILE, which must not exist; whoever serves or not.

    Back up keys.db apart and afterwards, and keep those copies 35 days at most. A mirror (`homeward audit mirror`) is
    brought up to date in less time and heals to the last entry: this is for a copy beside it.
    """
    state = State(directory, "gateway")
    check_there(state)
    try:
        size = copy_database(state, target)
    except BROKEN as exc:
        raise broken(state, exc) from exc
    told = f"copied {size} bytes to {target}; keys.db is not in it"
    click.echo(json.dumps({"ok": True, "bytes": size, "file": str(target)}) if as_json else told)


def copy_database(state: State, target: Path) -> int:
    """The copy is durable; its size in bytes. Raises `CommandFailure`, `StateBroken`, OSError; then nothing is left."""
    try:
        write_new(target, b"", mode=PRIVATE_FILE)
    except StateExists as exc:
        what, why = "there is already something at this place", "a copy never replaces a file"
        fix = "name a file that is not there yet"
        raise failure("STATE-003", what, state, why=why, fix=fix, file=target) from exc
    try:
        with closing(sqlite3.connect(f"{state.database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
        settle_path(target)
        settle_path(target.parent)
    except sqlite3.Error as exc:
        target.unlink()
        raise StateBroken(f"{target}: the database could not be copied: {exc}") from exc
    except BaseException:
        # Ctrl-C among them: half a copy must not pass for one.
        target.unlink()
        raise
    return target.stat().st_size
