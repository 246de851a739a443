"""`homeward audit account` and `reconcile`: what left about one youth, and whether what left one agency arrived.

Decides presentation only. The paper for the youth says nothing of what was left out of it; the officer who prepares it
is told on the terminal.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Any, TextIO

import click

from adapters.audit_account import Account, disclosures_of, each_of, paper_of, table_of
from adapters.audit_entries import Found, Wanted, fetch, said
from adapters.audit_failures import evidence_failures, fresh_file
from adapters.cli_filters import agency as agency_syntax
from adapters.cli_filters import period_options, read_period, read_youth, youth_options
from adapters.cli_options import AS_JSON, ROLE, TOKEN_FILE, Place, place_options, read_file
from adapters.errors import ErrorReason
from adapters.local.client import CallRefused
from audit.accounting import Disclosure, Hold, HoldsMalformed, idle, left_out, lines, parse_holds
from audit.export import write_workbook
from audit.new_path import new_path
from audit.paper import write_pdf
from audit.reconcile import Confirmation, Day, Release, reconcile
from gateway.protocol.log_kinds import Kind
from homeward.audit.v1 import log_pb2
from homeward.failure import CommandFailure, ExitCode
from homeward.gateway.v1.exchange_pb2 import RECEIPT_FINDING_OPENED, ReceiptFinding

_EVERYTHING = 1_000_000
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@youth_options
@period_options
@click.option("--pdf", type=_FILE, callback=new_path, help="Write the paper for the youth, tagged for screen readers.")
@click.option("--xlsx", type=_FILE, callback=new_path, help="Write it as a workbook: the lines, and each disclosure.")
@click.option("--holds", type=click.File("r", encoding="utf-8"), help="TOML file of what must be left out for now.")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def account(
    place: Place,
    token_file: Path,
    as_json: bool,
    role: str,
    pdf: Path | None,
    xlsx: Path | None,
    holds: TextIO | None,
    **given: Any,
) -> None:
    """Account for what was disclosed about one youth of your agency: --case or --youth says which."""
    local_id, youth = read_youth(given)
    if not local_id and youth is None:
        raise click.UsageError("--case or --youth says whose accounting it is")
    rules, zone = _holds(holds), read_file(place.file).tzinfo
    asking = Wanted(read_period(given), role, local_id, youth)
    try:
        with evidence_failures(place):
            found = fetch(place.endpoint(token_file), asking, limit=_EVERYTHING)
    except CallRefused as refused:
        if refused.reason != ErrorReason.YOUTH_SEALED:
            raise
        raise _sealed(place) from refused
    if found.is_sealed:
        raise _sealed(place)
    own = place.agency()
    today = datetime.now(zone).date()
    disclosures = list(disclosures_of(found.entries, agency=own, zone=zone))
    kept, held = left_out(disclosures, rules, today)
    made = Account(own, _start(asking.filter, zone), today, lines(kept), _source(found))
    if pdf is not None:
        with fresh_file(pdf) as partial:
            write_pdf(paper_of(made), partial)
    if xlsx is not None:
        with fresh_file(xlsx) as partial:
            write_workbook([table_of(made), each_of(made, kept)], partial)
    files = [str(each) for each in (pdf, xlsx) if each is not None]
    _tell(made, held, idle(disclosures, rules, today), as_json=as_json, files=files)


@click.command("reconcile")
@click.option("--counterpart", required=True, callback=agency_syntax, help="The other agency, for example 06029.cwa.")
@click.option("--agency", "agency_", default="", callback=agency_syntax, help="Instead of your own; state's reviewers.")
@period_options
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def reconcile_(
    place: Place, token_file: Path, as_json: bool, role: str, counterpart: str, agency_: str, **given: Any
) -> int:
    """Compare what two agencies released to each other with what each confirmed, by day. Exit status 1 if it differs.

    A county sees its own receipts alone, so what the other released to it; the state's reviewers see both directions.
    """
    zone, own = read_file(place.file).tzinfo, agency_ or place.agency()
    if counterpart == own:
        raise click.UsageError("--counterpart is the other agency; this one is the one that asks")
    # The other agency's receipts are its own entries; what is not open to a county is not guessed at.
    directions = [(own, counterpart), (counterpart, own)] if agency_ else [(own, counterpart)]
    days: list[Day] = []
    with evidence_failures(place):
        for requester, holder in directions:
            days += _reconciled(place, token_file, role, read_period(given), requester, holder, zone=zone)
    differs = any(day.differs for day in days)
    if as_json:
        looked_at = [{"requester": requester, "holder": holder} for requester, holder in directions]
        click.echo(json.dumps({"ok": not differs, "directions": looked_at, "days": [_day(day) for day in days]}))
    else:
        click.echo("\n".join(_day_lines(days, directions)))
    return int(ExitCode.FAILED if differs else ExitCode.OK)


def _reconciled(
    place: Place,
    token_file: Path,
    role: str,
    period: log_pb2.EntryFilter,
    requester: str,
    holder: str,
    *,
    zone: tzinfo,
) -> list[Day]:
    endpoint = place.endpoint(token_file)
    released, confirmed = log_pb2.EntryFilter(), log_pb2.EntryFilter(agency=requester, kinds=[Kind.RECEIPT])
    released.CopyFrom(period)
    released.agency, released.counterpart_agency = requester, holder
    released.side, released.decision = log_pb2.AGENCY_SIDE_REQUESTER, log_pb2.DECISION_ALLOW
    released.kinds.append(Kind.OUTCOME)
    releases = [
        Release(entry.index, _moment(entry.create_time.ToJsonString(), zone).date(), requester, holder)
        for entry in fetch(endpoint, Wanted(released, role), limit=_EVERYTHING).entries
    ]
    if not releases:
        return []
    # A receipt can come much later than its release, so the period binds releases alone.
    confirmed.start_index = releases[0].index
    receipts = fetch(endpoint, Wanted(confirmed, role), limit=_EVERYTHING)
    return reconcile(releases, _confirmations(receipts))


def _confirmations(found: Found) -> Iterator[Confirmation]:
    intact = ReceiptFinding.Name(RECEIPT_FINDING_OPENED)
    for entry in found.entries:
        fields = said(entry)
        if fields.get("released", "").isdecimal():
            yield Confirmation(entry.index, int(fields["released"]), fields.get("outcome") == intact)


def _holds(file: TextIO | None) -> list[Hold]:
    if file is None:
        return []
    try:
        return parse_holds(file.read())
    except (HoldsMalformed, UnicodeDecodeError) as exc:
        raise CommandFailure(
            "AUDIT-HOLDS",
            "the file of holds cannot be used",
            where=getattr(file, "name", "standard input"),
            why=str(exc) if isinstance(exc, HoldsMalformed) else "it is not text",
            fix='[[hold]] agency = "06077.pd" until = 2026-12-31 request = "letter of ..."; see README, For auditors',
            exit_code=ExitCode.USAGE,
        ) from exc


def _sealed(place: Place) -> CommandFailure:
    return CommandFailure(
        "AUDIT-SEALED",
        "no accounting can be produced: the matter is sealed",
        where=str(place.file),
        why="the county's data, or an order to the exchange, say so of this youth (WIC 389, 781, 786)",
        fix="answer the youth or counsel as the sealing order says; keep a note that the request was made",
        exit_code=ExitCode.DENIED,
    )


def _start(asked: log_pb2.EntryFilter, zone: tzinfo) -> date | None:
    return asked.start_time.ToDatetime(UTC).astimezone(zone).date() if asked.HasField("start_time") else None


def _source(found: Found) -> str:
    size = found.checkpoint.split("\n")[1]
    return f"log {found.log_key.origin}, {size} entries"


def _moment(text: str, zone: tzinfo) -> datetime:
    return datetime.fromisoformat(text).astimezone(zone)


def _tell(
    made: Account, held: Sequence[tuple[Disclosure, Hold]], unused: Sequence[Hold], *, as_json: bool, files: list[str]
) -> None:
    count = sum(line.count for line in made.lines)
    if as_json:
        table = table_of(made)
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        document = {"ok": True, "disclosures": count, "lines": rows, "left_out": [_held(*each) for each in held]}
        click.echo(json.dumps(document | {"idle_holds": [_condition(each) for each in unused], "files": files}))
        return
    for row in table_of(made).rows:
        click.echo("  ".join(str(cell) for cell in row))
    series = sum(line.count > 1 for line in made.lines)
    click.echo(f"{count} disclosures in {len(made.lines)} lines, {series} of them for repeated ones")
    for disclosure, hold in held:
        reason = " ".join(f"{value}" for name, value in _held(disclosure, hold).items() if name != "entry" and value)
        click.echo(f"left out: entry {disclosure.index}, {reason}")
    for hold in unused:
        named = ", ".join(f"{name} {value}" for name, value in _condition(hold).items())
        click.echo(f"note  this hold left nothing out; see that it names what it should: {named}")
    for each in files:
        click.echo(f"wrote {each}")


def _held(disclosure: Disclosure, hold: Hold) -> dict[str, object]:
    until = hold.until.isoformat() if hold.until is not None else ""
    return {"entry": disclosure.index, "why": hold.kind.name, "until": until, "reference": hold.reference}


def _condition(hold: Hold) -> dict[str, object]:
    until = hold.until.isoformat() if hold.until is not None else ""
    given = {
        "kind": hold.kind.value,
        "agency": hold.agency,
        "purpose": hold.purpose,
        "entry": hold.entry,
        "until": until,
    }
    return {name: value for name, value in given.items() if value not in ("", None)}


def _day(day: Day) -> dict[str, object]:
    names = ("requester", "holder", "released", "confirmed", "unconfirmed", "damaged")
    return {"day": day.day.isoformat(), **{name: getattr(day, name) for name in names}}


def _day_lines(days: Sequence[Day], directions: Sequence[tuple[str, str]]) -> Iterator[str]:
    for day in days:
        pair = f"{day.day}  {day.holder} to {day.requester}"
        yield f"{'DIFF' if day.differs else 'ok  '}  {pair}: {day.released} released, {day.confirmed} confirmed"
        for index in day.unconfirmed:
            yield f"      entry {index} was released and never confirmed: it may not have arrived"
        for index in day.damaged:
            yield f"      entry {index} was confirmed as not what it should be: see the requester's own record"
    seen = {(day.requester, day.holder) for day in days}
    for requester, holder in directions:
        if (requester, holder) not in seen:
            yield f"{holder} released nothing to {requester} in this period"
    if len(directions) == 1:
        ((own, counterpart),) = directions
        yield f"note  what {own} released to {counterpart} was not looked at: those receipts are not open to {own}"
        yield "note  the state's reviewers see both directions"
