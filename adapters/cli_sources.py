"""`homeward adapter check` and `accept`: look at the county's sources, and let a far smaller reading of them count.

Decides that a check compares with the last reading that counted and changes nothing, and that only a person lets a
reading count that fell too far (SRC-016): by naming each source of it that did, after seeing the figures. What is
accepted is the reading as it is then, and no other; an extract that falls further is refused again.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.exc import DatabaseError

from adapters.accepted_readings import RememberedReadings, StoredReadings
from adapters.as_joined import check_sources
from adapters.caseload import open_caseload
from adapters.cli_options import AS_JSON, file_options, read_file, read_to_check
from adapters.config import AdapterConfig
from adapters.falls import Accepted
from adapters.mapping.report import Report, as_data, render
from adapters.membership import MembershipInvalid, read_membership
from adapters.node.store import FILE_NAME as STORE_FILE
from adapters.node.store import StoreUnsafe, open_beside
from homeward.failure import CommandFailure, ExitCode

_FELL = "SRC-016"


@click.command()
@file_options
@click.option("--values", is_flag=True, help="Show the codes that no map holds; never names or dates.")
@click.option("--strict", is_flag=True, help="Exit status 4 for warnings.")
@AS_JSON
def check(county_file: Path, values: bool, strict: bool, as_json: bool) -> int:
    """Read the county's file, its staff's keys and its sources once; say what became of every row.

    Nothing is sent to the exchange, and nothing is changed.
    """
    config, keys = read_to_check(county_file)
    state = config.state_directory(county_file)
    with suppress(FileNotFoundError, MembershipInvalid):
        # Whoever has not joined yet may still choose.
        check_sources(read_membership(state), county_file, has_sources=bool(config.sources))
    report = _read_once(config, county_file, _last(state))
    if as_json:
        verdict = {"ok": not report.has_failed} if keys is None else json.loads(keys.as_json())
        click.echo(json.dumps({**verdict, **as_data(report, show_values=values)}))
    else:
        click.echo(render(report, zone=config.tzinfo, show_values=values) if config.sources else "no sources")
    if keys is not None:
        if as_json:
            return int(keys.exit_code)
        raise keys
    if config.sources and (report.has_failed or not report.is_in_use):
        return int(ExitCode.FAILED)
    return int(ExitCode.WARNINGS) if strict and report.has_warnings else int(ExitCode.OK)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@file_options
@AS_JSON
def accept(sources: tuple[str, ...], county_file: Path, as_json: bool) -> None:
    """Let a reading count in which each SOURCE has far less than before (SRC-016), because that is right.

    Reads all sources once. An adapter that runs takes the reading up by itself, with its next one.
    """
    config = read_file(county_file)
    state = config.state_directory(county_file)
    report = _read_once(config, county_file, _last(state))
    fell = _fallen(report, county_file, config, sources)
    if report.had is not None:
        with _readings(state) as readings:
            # What was larger within the day is over by it.
            readings.keep(Accepted().followed_by(report.had, report.made_at))
    if as_json:
        click.echo(json.dumps({"ok": True, "accepted": fell}))
        return
    for name, words in fell.items():
        click.echo(f"ok    {name} counts as it is: {words}")
    if fell:
        click.echo(
            "  next  nothing: an adapter that runs takes it up with its next reading (refresh in the county's file)"
        )
    else:
        click.echo("ok    no source has far less than before; there is nothing to accept")


def _fallen(report: Report, file: Path, config: AdapterConfig, named: tuple[str, ...]) -> Mapping[str, str]:
    """Sources that fell too far, all of which were named, and by how much. Raises `CommandFailure`."""
    unknown = [name for name in named if name not in config.sources]
    if unknown:
        raise click.UsageError(
            f"no source {', '.join(unknown)} in {file}; it has {', '.join(config.sources) or 'none'}"
        )
    refused = {each.name: each.refusal for each in report.sources if each.refusal}
    others = ", ".join(f"{name}: {refusal.code}" for name, refusal in refused.items() if refusal.code != _FELL)
    if others:
        raise _not_accepted(file, f"another fault comes first ({others})", "mend that: homeward adapter check")
    lacking = [name for name in refused if name not in named]
    if lacking:
        # A reading counts as a whole: whoever accepts one part of it must have seen the other, too.
        raise _not_accepted(
            file, f"{', '.join(lacking)} fell as well", f"name them too: {' '.join(refused)}, if all is right"
        )
    return {name: refusal.detail for name, refusal in refused.items()}


def _not_accepted(file: Path, why: str, fix: str) -> CommandFailure:
    return CommandFailure("ADAPTER-010", "nothing was accepted", where=str(file), why=why, fix=fix)


def _last(state: Path) -> Accepted:
    """What counted last; nothing of an adapter that never ran. Raises `CommandFailure`."""
    if not (state / STORE_FILE).exists():
        return Accepted()
    with _readings(state) as readings:
        return readings.last()


@contextmanager
def _readings(state: Path) -> Iterator[StoredReadings]:
    """Beside an adapter that may run: its database takes turns."""
    store = open_beside(state / STORE_FILE)
    try:
        yield StoredReadings(store)
    except (DatabaseError, StoreUnsafe) as exc:
        why = str(exc) if isinstance(exc, StoreUnsafe) else f"it cannot be read or written ({type(exc.orig).__name__})"
        raise CommandFailure(
            "ADAPTER-003", "the state directory cannot be used", where=str(state / STORE_FILE), why=why,
            fix="run the command as the account that runs the adapter; if that is so, restore the file from its backup",
        ) from exc  # fmt: skip
    finally:
        store.close()


def _read_once(config: AdapterConfig, file: Path, before: Accepted) -> Report:
    caseload = open_caseload(
        config, base=file.parent, zone=config.tzinfo, accepted=RememberedReadings(before), environment=os.environ,
        now=lambda: datetime.now(UTC), monotonic=time.monotonic,
    )  # fmt: skip
    return caseload.refresh(datetime.now(UTC))
