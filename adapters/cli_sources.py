"""`homeward adapter check` and `accept`: look at the county's sources, and let a far smaller reading of them count.

Decides that a check compares with what counted before and changes nothing, and that only a person lets a reading count
that fell too far (SRC-016): by naming each source of it that did, after seeing the figures. An extract may be written
anew between a check and this, so that a terminal is shown them and asked, and a script tells what it saw. What is
accepted is the reading that was shown, and no other; an extract that falls further is refused again.
"""

import json
import os
import re
import sys
import time
from collections.abc import Collection, Iterator, Mapping
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
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE[=N]...")
@file_options
@AS_JSON
def accept(sources: tuple[str, ...], county_file: Path, as_json: bool) -> None:
    """Let a reading count in which each SOURCE has far less than before (SRC-016), because that is right.

    Reads all sources once, shows what fell, and asks. A script, or whoever wants --json, is not asked and says with N
    what `homeward adapter check` told is left of what fell (0 for none). A running adapter takes the reading up by
    itself, with its next one.
    """
    config = read_file(county_file)
    seen = _seen(sources, county_file, config)
    state = config.state_directory(county_file)
    before = _last(state)
    report = _read_once(config, county_file, before)
    _check_named(report, county_file, seen)
    if report.had is not None:
        _check_seen(report, county_file, seen, before, may_ask=_is_watched() and not as_json)
        with _readings(state) as readings:
            # What was larger within the day is over by it.
            readings.keep(Accepted().followed_by(report.had, report.made_at))
    if as_json:
        click.echo(json.dumps({"ok": True, "accepted": {name: fall.words for name, fall in report.fell.items()}}))
        return
    for name, fall in report.fell.items():
        click.echo(f"ok    {name} counts as it is: {fall.words}")
    if report.fell:
        click.echo(
            "      from now on a reading is compared with this one, and with what a running adapter reads after it;\n"
            "      where that has more again, as of an older extract, what fell here is refused anew\n"
            "  next  nothing: an adapter that runs takes it up with its next reading (refresh in the county's file)"
        )
    else:
        click.echo("ok    no source has far less than before; there is nothing to accept")


def _seen(named: tuple[str, ...], file: Path, config: AdapterConfig) -> Mapping[str, int | None]:
    """The sources that were named, each with what somebody saw of it, if that is told. Raises `click.UsageError`."""
    seen: dict[str, int | None] = {}
    for each in named:
        name, is_told, number = (each, "", "") if each in config.sources else each.rpartition("=")
        if name not in config.sources:
            known = ", ".join(config.sources) or "none"
            raise click.UsageError(f"no source {name or each} in {file}; it has {known}")
        if is_told and re.fullmatch("[0-9]{1,12}", number) is None:
            raise click.UsageError(f"{each}: write a number behind =, 0 for none")
        seen[name] = int(number) if is_told else None
    return seen


def _check_named(report: Report, file: Path, named: Collection[str]) -> None:
    """Nothing but falls is wrong, and each was named. Raises `CommandFailure`."""
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


def _check_seen(report: Report, file: Path, seen: Mapping[str, int | None], before: Accepted, *, may_ask: bool) -> None:
    """Somebody saw what is left of each source that fell, or is shown it now and says yes. Raises `CommandFailure`."""
    numbers = " ".join(f"{name}={fall.now}" for name, fall in report.fell.items())
    for name, fall in report.fell.items():
        if seen[name] not in (None, fall.now):
            raise _not_accepted(
                file, f"{name} is another now than {seen[name]}: {fall.words}",
                "look again, and let the extract be finished first: homeward adapter check",
            )  # fmt: skip
    unseen = [f"{name}: {fall.words}" for name, fall in report.fell.items() if seen[name] is None]
    if not unseen:
        return
    if not may_ask:
        if report.had is not None:
            unseen.append(f"in care by it: {report.had.in_care or 'none'}")
        raise _not_accepted(
            file, f"nobody saw the figures, and nobody is asked here ({'; '.join(unseen)})",
            f"if that is right: homeward adapter accept {numbers}; at a terminal it is asked",
        )  # fmt: skip
    for name, fall in report.fell.items():
        click.echo(f"      {name}: {fall.words}")
    if report.had is not None and report.had.in_care < before.last.in_care:
        click.echo(f"      of all youths in care: {before.last.in_care} before, {report.had.in_care or 'none'} now")
    if not click.confirm("Is that right, and does the reading count as it is?"):
        raise _not_accepted(file, "the answer was no", "let the extract run again")


def _is_watched() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


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
