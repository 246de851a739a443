"""`homeward audit`: the log as a county's reviewer reads it, through the adapter's local endpoint.

Decides presentation only. What is read is verified by the adapter, and a query is an entry of the log itself. A youth's
number and identity are read from a file or standard input and never from the command line, where other users of the
machine could see them; they go no further than the county's own adapter.
"""

import json
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict

from adapters.attested_words import attested_text
from adapters.audit_entries import EVERYTHING, Found, Wanted, check_complete, fetch, read_whole, table_of, whole_text
from adapters.audit_failures import evidence_failures, fresh_file, other_agencies
from adapters.cli_account import account, reconcile_
from adapters.cli_evidence import bundle, sample
from adapters.cli_filters import filter_options, read_filter, read_youth, youth_options
from adapters.cli_options import AS_JSON, ROLE, TOKEN_FILE, Place, place_options
from audit.cli_evidence import contradict, serve
from audit.continuity import Whole
from audit.export import PROVABLE, WRITERS
from audit.new_path import new_path
from homeward.audit.v1 import log_pb2
from homeward.command import SharedCommands

_LIMIT = click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="At most this many."
)


@click.group(cls=SharedCommands)
def audit() -> None:
    """Ask the log who asked what, and what was answered."""


@audit.command()
@filter_options
@youth_options
@_LIMIT
@click.option("--after", type=click.IntRange(0, (1 << 63) - 2), help="Only entries behind this index: to read on.")
@click.option(
    "--format", "form", type=click.Choice(list(WRITERS)), help="Write a table instead of sentences; needs --out."
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), callback=new_path, help="File for --format; a new one."
)
@click.option(
    "--proofs",
    is_flag=True,
    help="Each row carries its receipt: homeward verify checks the file. For jsonl and sqlite.",
)
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def query(
    place: Place,
    token_file: Path,
    as_json: bool,
    limit: int,
    after: int | None,
    form: str | None,
    out: Path | None,
    proofs: bool,
    role: str,
    **given: Any,
) -> None:
    """Show entries that concern your agency, each verified by the adapter. The query itself is logged."""
    if (form is None) != (out is None):
        raise click.UsageError("--format and --out come together")
    if proofs and form not in PROVABLE:
        raise click.UsageError(f"--proofs goes with --format {' or '.join(sorted(PROVABLE))}, which keep every byte")
    local_id, youth = read_youth(given)
    wanted = Wanted(read_filter(given), role, local_id, youth, with_proofs=proofs)
    if after is not None:
        wanted.filter.start_index = after + 1
    with evidence_failures(place):
        found = fetch(place.endpoint(token_file), wanted, limit=limit)
    if form is not None and out is not None:
        with fresh_file(out) as partial:
            WRITERS[form](table_of(found, title="Entries of the audit log"), partial)
        _tell_written(found, out, as_json)
    elif as_json:
        entries = [MessageToDict(entry, preserving_proto_field_name=True) for entry in found.entries]
        document: dict[str, Any] = {"ok": True, "entries": entries, "more": found.more, "checkpoint": found.checkpoint}
        if found.attestation is not None:
            document["attestation"] = MessageToDict(found.attestation, preserving_proto_field_name=True)
        click.echo(json.dumps(document))
    else:
        _print(found)


@audit.command()
@click.option(
    "--all-agencies", is_flag=True, help="Every entry of the log, whoever took part; for the state's reviewers."
)
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def complete(place: Place, token_file: Path, as_json: bool, role: str, all_agencies: bool) -> None:
    """Read every entry that concerns your agency and see that none is withheld. Exit status 6 where one is.

    Each entry carries your agency's next number; the newest is the one of this reading itself, written before it was
    answered. Your adapter's proofs are checked again here. With --all-agencies the log itself is counted, from its
    first entry to that of this reading, and the numbers of every agency with it.
    """
    with evidence_failures(place):
        if all_agencies:
            found = read_whole(place.endpoint(token_file), role)
            if found is None:
                raise other_agencies("--all-agencies", place)
            lines, document = whole_text(found[0]), _whole_data(*found)
        else:
            own = log_pb2.EntryFilter(agency=place.agency())
            entries = fetch(place.endpoint(token_file), Wanted(own, role, with_proofs=True), limit=EVERYTHING)
            count = check_complete(entries)
            lines, document = _own_text(count), {"count": count, "checkpoint": entries.checkpoint}
    click.echo(json.dumps({"ok": True, **document}) if as_json else "\n".join(lines))


for _command in (bundle, sample, account, reconcile_, contradict, serve):
    audit.add_command(_command)


def _whole_data(whole: Whole, checkpoint: str) -> dict[str, object]:
    return {
        "count": whole.count,
        "checkpoint": checkpoint,
        "agencies": dict(whole.numbers),
        "closed": whole.closed,
    }


def _own_text(count: int) -> list[str]:
    return [
        f"ok   {count} entries concern your agency, numbered 1 to {count} without a gap",
        f"ok   number {count} is the entry of this reading: nothing newer is held back",
    ]


def _print(found: Found) -> None:
    for entry in found.entries:
        about = f"  [youth {entry.local_id}]" if entry.local_id else ""
        click.echo(f"{entry.index:>8}  {entry.sentence}{about}")
    more = f"; more with --after {found.entries[-1].index}" if found.more and found.entries else ""
    click.echo(f"{len(found.entries)} entries, verified{more}")
    if found.attestation is not None:
        click.echo(attested_text(found.attestation))


def _tell_written(found: Found, out: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"ok": True, "file": str(out), "entries": len(found.entries), "more": found.more}))
        return
    more = f"; more with --after {found.entries[-1].index}" if found.more and found.entries else ""
    click.echo(f"{len(found.entries)} entries, verified, in {out}{more}")
