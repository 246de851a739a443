"""`homeward adapter receipts`: the evidence that an adapter keeps, as files to hand on.

Decides presentation only; which receipts there are is decided in `kept_receipts`.
"""

import json
import uuid
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import DatabaseError

from adapters.cli_filters import period_options, read_period
from adapters.cli_options import AS_JSON, file_options, read_file
from adapters.kept_receipts import NameTaken, Period, Written, kept_receipts, write_receipts
from audit.errors import EvidenceError
from gateway.protocol.names import RequestId
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.failure import CommandFailure


@click.command()
@file_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Directory for the files; may be new.",
)
@click.option("--request", "request", default="", help="Of this request alone: its identifier, as every answer states.")
@period_options
@AS_JSON
def receipts(county_file: Path, out: Path, request: str, as_json: bool, **given: Any) -> None:
    """Write the receipts that this adapter keeps into files: of its own requests, and of decisions it answered.

    Each is a C2SP tlog-proof: homeward verify checks it, and homeward audit contradict compares it with what others
    hold. Works offline, also while the adapter runs. A file that is there already is left as it is.
    """
    request_id, period = _identifier(request), _period(read_period(given))
    state = read_file(county_file).state_directory(county_file)
    written = _written(state, period, request_id, out)
    count = len(written.new) + len(written.known)
    if request_id is not None and not count:
        raise CommandFailure(
            "RECEIPTS-001",
            "no receipt of this request is kept",
            where=str(state),
            why="this adapter never had an answer to it, or its entries are of another time",
            fix="compare the identifier with request_id of the answer; leave --since and --until out",
        )
    if as_json:
        files = sorted([*written.new, *written.known])
        click.echo(json.dumps({"ok": True, "directory": str(out), "written": len(written.new), "files": files}))
        return
    before = f", {len(written.known)} of which were there before" if written.known else ""
    click.echo(f"{count} receipt{'' if count == 1 else 's'} in {out}{before}")
    click.echo("check one: homeward verify FILE --log-key log.vkey")


def _written(state: Path, period: Period, request_id: RequestId | None, out: Path) -> Written:
    try:
        return write_receipts(kept_receipts(state, period, request_id=request_id), out)
    except NameTaken as taken:
        raise CommandFailure(
            "RECEIPTS-002",
            "a file of this name is there, and is another",
            where=str(taken.path),
            why="it was changed, or comes from another adapter; nothing was written over",
            fix="name an empty --out, and compare the two",
        ) from taken
    except (OSError, DatabaseError, EvidenceError) as exc:
        # Its class alone: the text of an error of the system or the database may quote more than the path.
        raise CommandFailure(
            "RECEIPTS-003",
            "the receipts cannot be read, or not be written",
            where=f"{state}, {out}",
            why=type(exc).__name__,
            fix="name the directory of an adapter that has run, and an --out in which you may write",
        ) from exc


def _identifier(text: str) -> RequestId | None:
    if not text:
        return None
    try:
        return RequestId(uuid.UUID(text).bytes)
    except ValueError as exc:
        raise click.BadParameter("32 hexadecimal digits, with or without dashes", param_hint="--request") from exc


def _period(wanted: EntryFilter) -> Period:
    return Period(
        wanted.start_time.ToMilliseconds() if wanted.HasField("start_time") else None,
        wanted.end_time.ToMilliseconds() if wanted.HasField("end_time") else None,
    )
