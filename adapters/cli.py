"""`homeward adapter` and `homeward join`: check, run and look at one adapter; make it a member.

Decides presentation only. `authority` is in `cli_calls` and `audit` in `cli_audit`; their names stand here
for the entry points. `adapter seal` is in `cli_seals`, `adapter receipts` in `cli_receipts`, `adapter check` and
`accept` in `cli_sources`.
"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict

from adapters.alert_words import alert_lines
from adapters.attested_words import attested_text, is_complete
from adapters.certificate_words import certificate_faults, certificate_lines
from adapters.cli_audit import audit
from adapters.cli_calls import authority
from adapters.cli_options import AS_JSON, Place, file_options, place_options, read_file
from adapters.cli_receipts import receipts
from adapters.cli_reviews import reviews, verdict
from adapters.cli_seals import seal
from adapters.cli_sources import accept, check
from adapters.enrol import Exchange, Wish
from adapters.enrol import join as join_exchange
from adapters.flag_words import due_lines, overdue_lines, unanswered_lines
from adapters.joined_words import joined_data, joined_text
from adapters.node.link.redeem import is_refused, redeem, shown_certificate
from adapters.node.witness import read_forks
from adapters.presenting_words import presenting_lines
from adapters.source_words import source_faults, source_lines
from adapters.telling import Telling
from audit.fork import Fork
from audit.new_path import new_path
from homeward.county.v1.access_pb2 import GetStatusRequest, GetStatusResponse
from homeward.failure import ExitCode

__all__ = ["adapter", "audit", "authority", "check", "join"]


@click.group()
def adapter() -> None:
    """Check and run a county's adapter."""


adapter.add_command(reviews)
adapter.add_command(verdict)
adapter.add_command(receipts)
adapter.add_command(check)
adapter.add_command(accept)


@adapter.command()
@file_options
def run(county_file: Path) -> None:
    """Run until told to stop. Prints one JSON line when ready."""
    # Late: everything that dials and listens is loaded for this command alone.
    from adapters.service import run as run_adapter

    asyncio.run(run_adapter(county_file))


@adapter.command()
@file_options
@AS_JSON
def register(county_file: Path, as_json: bool) -> None:
    """List everybody at the exchange, with a progress bar, and end; `run` then only keeps the list current."""
    from adapters.service import register as register_all

    with Telling(as_json=as_json) as telling:
        listed = asyncio.run(register_all(county_file, telling.told))
    words = ", ".join(f"{count} youths in epoch {epoch}" for epoch, count in listed.items())
    click.echo(json.dumps({"ok": True, "listed": listed}) if as_json else f"Listed {words}.")


@adapter.command()
@place_options
@click.option(
    "--health",
    is_flag=True,
    help="For a health check: the exit status is of link and tokens alone. Another start mends no source.",
)
@AS_JSON
def status(place: Place, health: bool, as_json: bool) -> int:
    """Identity, link, sources and list of a running adapter.

    Exit status 5 where none answers, 1 while it is not ready, and where a source cannot be read or is too old.
    """
    found = place.endpoint(None).call(
        "/homeward.county.v1.StatusService/GetStatus", GetStatusRequest(), GetStatusResponse
    )
    ready, faults = found.link_up and found.tokens_ready, source_faults(found.sources)
    is_well = ready and (health or not faults)
    if as_json:
        document = MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        said = {"ready": ready, "certificate_faults": certificate_faults(found, _utc_now()), "faults": faults}
        click.echo(json.dumps({"ok": is_well, **said, **document}))
    else:
        click.echo(_status_text(found, ready))
    return int(ExitCode.OK if is_well else ExitCode.FAILED)


@adapter.command()
@file_options
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    callback=new_path,
    help="Write both statements into this new directory.",
)
@AS_JSON
def fork(county_file: Path, out: Path | None, as_json: bool) -> int:
    """Show whether the exchange's log showed this adapter two histories. Exit status 6 where it did."""
    found = read_forks(read_file(county_file).state_directory(county_file))
    for number, each in enumerate(found, start=1):
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"fork-{number}-kept.txt").write_text(each.kept, encoding="utf-8")
            (out / f"fork-{number}-shown.txt").write_text(each.shown, encoding="utf-8")
    if as_json:
        forks = [{"kept": each.kept, "shown": each.shown, "proof": each.is_proof()} for each in found]
        click.echo(json.dumps({"ok": not found, "forks": forks}))
    else:
        for each in found:
            click.echo(f"FAIL  the log signed two histories. This adapter cosigned\n\n{each.kept}\n")
            click.echo(f"and was shown\n\n{each.shown}")
            click.echo("\n".join(_wanting(each)))
        click.echo("" if found else "ok    the exchange's log showed this adapter one history")
    return int(ExitCode.EVIDENCE if found else ExitCode.OK)


def _wanting(fork: Fork) -> list[str]:
    """What a fork lacks that others would not believe."""
    if fork.is_proof():
        return []
    size = fork.size
    power = size & (size - 1) == 0
    completing = f"a checkpoint of {size} entries" + (f", or a receipt of an entry below {2 * size}" if power else "")
    return [
        "NOTE  the request shows that the history is another, but not which: the two are no proof for others.",
        f"      With the first, {completing}, of the other history, is one: homeward audit contradict",
    ]


adapter.add_command(seal)


@click.command()
@click.argument("line")
@file_options
@click.option("--instance", help="Name of the adapter, if not a1.")
@click.option(
    "--county-root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The county's root key, where another agency of the county joined before.",
)
@click.option("--sources/--no-sources", default=None, help="Whether it answers for records; the county's file decides.")
@click.option("--again", is_flag=True, help="Redeem it also where this directory's certificate is good.")
@AS_JSON
def join(line: str, county_file: Path, as_json: bool, **wished: Any) -> int:
    """Redeem LINE, the join line of an invitation: give this county's adapter its identity.

    Its keys go into the directory `state` beside the county's file, which need not be written yet. A directory that has
    joined comes back with a new line where its certificate has expired or was revoked: keys and list stay. Exit status
    1 where that was not needed and the line was left unused.
    """
    state, has_sources = _prepared(county_file, wished.pop("sources"))
    wish = Wish(line, state, has_sources=has_sources, **wished)
    joined = asyncio.run(join_exchange(wish, Exchange(shown_certificate, redeem, is_refused), now=_utc_now))
    click.echo(json.dumps(joined_data(joined)) if as_json else joined_text(joined, county_file))
    return int(ExitCode.OK if joined.is_line_used else ExitCode.FAILED)


def _prepared(file: Path, sources: bool | None) -> tuple[Path, bool]:
    if not file.exists():
        return file.parent / "state", sources is not False
    config = read_file(file)
    if sources not in (None, bool(config.sources)):
        # The line would be spent for an adapter that cannot start with this file.
        raise click.UsageError(f"{file} {'names' if config.sources else 'names no'} sources: leave the option out")
    return config.state_directory(file), bool(config.sources)


def _status_text(found: GetStatusResponse, ready: bool) -> str:
    lines = [
        f"{'ok  ' if ready else 'wait'}  {found.agency}  {found.spiffe_id}",
        f"{'ok  ' if found.link_up else 'FAIL'}  link to the exchange {'up' if found.link_up else 'down'}",
        *certificate_lines(found, _utc_now()),
        f"{'ok  ' if found.tokens_ready else 'wait'}  tokens {'can' if found.tokens_ready else 'cannot yet'} be made",
        f"      directory {found.directory_version}, policy {found.policy_version}",
        f"      {found.listed_count} youths listed, {found.open_alert_count} alerts nobody has noted",
        *(
            f"      epoch {each.epoch}: {each.listed_count} listed, {each.due_count} to go"
            for each in (found.epochs if len(found.epochs) > 1 else ())
        ),
        f"      {found.witnessed_size} entries of the exchange's log witnessed",
    ]
    if found.HasField("attestation"):
        mark = "ok  " if is_complete(found.attestation) else "FAIL"
        lines.append(f"{mark}  {attested_text(found.attestation)}")
    if found.log_forked:
        lines.append(
            "FAIL  the exchange's log showed two histories; nothing is asked or answered (homeward adapter fork)"
        )
    lines += alert_lines(found)
    if found.HasField("presenting"):
        lines += presenting_lines(found.presenting)
    lines += [*due_lines(found.due_flags, datetime.now(UTC)), *overdue_lines(found.overdue_duties)]
    lines += unanswered_lines(found)
    lines += source_lines(found.sources)
    lines += [
        f"FAIL  holder {name} answered without a proof that holds; ask its operator" for name in found.unproven_holders
    ]
    lines += [
        f"FAIL  holder {name} has begun another log; what it recorded before is lost or hidden: ask its operator"
        for name in found.another_log_holders
    ]
    if found.sole_operators:
        lines.append(f"warn  a demonstration: {', '.join(found.sole_operators)} alone could make tokens")
    return "\n".join(lines)


def _utc_now() -> datetime:
    return datetime.now(UTC)
