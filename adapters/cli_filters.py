"""The words by which `homeward audit query` selects entries, each checked against the list it comes from.

Decides that a word nobody writes into the log is wrong usage and not a search without a hit: "0 entries, verified"
must mean that there are none. Which entries an agency may see is the exchange's decision.
"""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import click
from google.protobuf.json_format import Parse, ParseError

from gateway.protocol.log_kinds import REFUSAL_REASONS, Kind
from gateway.protocol.names import ROLES, Basis, NameSyntaxError, Purpose, parse_agency_id
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.strict_yaml import parse_duration
from homeward.audit.v1 import log_pb2
from homeward.county.v1 import county_pb2
from homeward.failure import CommandFailure, ExitCode

Callback = Callable[[click.Context, click.Parameter, Any], Any]
_AGO: Final = re.compile(r"[0-9]{1,5}[smhd]")
_LONGEST_NUMBER: Final = 128

REASONS: Final = frozenset(Reason) | REFUSAL_REASONS
"""Every word that can stand in an entry's field `reason`."""


def one_of(allowed: Collection[str]) -> Callback:
    """Accepts these words alone, one or several; raises `click.BadParameter` that names them."""

    def check(context: click.Context, parameter: click.Parameter, given: Any) -> Any:
        for word in given if isinstance(given, tuple) else (given,):
            if word and word not in allowed:
                near = difflib.get_close_matches(word, allowed, n=1, cutoff=0.6)
                nearest = f'; did you mean "{near[0]}"?' if near else ""
                raise click.BadParameter(f'no such word "{word}"{nearest} (one of: {", ".join(sorted(allowed))})')
        return given

    return check


def agency(context: click.Context, parameter: click.Parameter, given: str) -> str:
    """Accepts what is written as an agency is; raises `click.BadParameter` otherwise."""
    if given:
        try:
            parse_agency_id(given)
        except NameSyntaxError as exc:
            raise click.BadParameter(
                'an agency is written "<five-digit FIPS>.<office>", for example 06077.pd or 06037.cwa'
            ) from exc
    return given


_OPTIONS: Final = (
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        callback=one_of(frozenset(Kind)),
        help="Kind of entry, for example access.decision; repeatable.",
    ),
    click.option("--decision", type=click.Choice(["allow", "deny"]), help="What was decided."),
    click.option(
        "--outcome",
        callback=one_of(frozenset(Outcome)),
        help="What the requester was told, for example NO_ACTIVE_FLAG_FOUND.",
    ),
    click.option(
        "--reason", default="", callback=one_of(REASONS), help="Internal reason, for example CONSENT_EXPIRED."
    ),
    click.option(
        "--purpose", default="", callback=one_of(frozenset(Purpose)), help="Purpose of use, for example MFC_LOCATE."
    ),
    click.option(
        "--basis", default="", callback=one_of(frozenset(Basis)), help="What it rested on, for example CONSENT."
    ),
    click.option(
        "--agency", "agency_", default="", callback=agency, help="Agency to look at; for the state's reviewers."
    ),
    click.option("--counterpart", default="", callback=agency, help="Agency on the other side, for example 06077.pd."),
    click.option("--worker", default="", help="Pseudonym of one of your own workers."),
    click.option("--worker-role", default="", callback=one_of(ROLES), help="Role of your own workers who asked."),
)
_PERIOD: Final = (
    click.option("--since", help="2026-11-01, 2026-11-01T08:00Z, or 7d for the last seven days."),
    click.option("--until", help="As --since; exclusive."),
)
_YOUTH: Final = (
    click.option(
        "--case",
        type=click.File("r", encoding="utf-8"),
        help="File with your own system's number of one youth, alone; - reads standard input.",
    ),
    click.option(
        "--youth",
        type=click.File("r", encoding="utf-8"),
        help="File with one youth as a YouthIdentity in JSON; - reads standard input.",
    ),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that select entries."""
    return _with(command, (*_OPTIONS, *_PERIOD))


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that name a period."""
    return _with(command, _PERIOD)


def youth_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that name one youth of the own agency."""
    return _with(command, _YOUTH)


def _with(command: Callable[..., Any], options: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


def read_filter(given: Mapping[str, Any]) -> log_pb2.EntryFilter:
    """The filter that the options of `filter_options` say. Raises `click.UsageError`."""
    wanted = log_pb2.EntryFilter(
        agency=given["agency_"],
        kinds=given["kinds"],
        reason=given["reason"],
        purpose=given["purpose"],
        outcome=given["outcome"] or "",
        basis=given["basis"],
        role=given["worker_role"],
        worker=given["worker"],
        counterpart_agency=given["counterpart"],
        decision=f"DECISION_{given['decision'].upper()}" if given["decision"] else None,
    )
    wanted.MergeFrom(read_period(given))
    return wanted


def read_period(given: Mapping[str, Any]) -> log_pb2.EntryFilter:
    """A filter of the period that `period_options` say. Raises `click.UsageError`."""
    wanted, now = log_pb2.EntryFilter(), datetime.now(UTC)
    if given["since"]:
        wanted.start_time.FromDatetime(_moment(given["since"], now, "--since"))
    if given["until"]:
        wanted.end_time.FromDatetime(_moment(given["until"], now, "--until"))
    if given["since"] and given["until"] and wanted.start_time.ToDatetime() >= wanted.end_time.ToDatetime():
        # An empty period would find nothing and look like an answer.
        raise click.UsageError("--since must be before --until")
    return wanted


def given_words(given: Mapping[str, Any]) -> list[str]:
    """The conditions that were given, a line each, for people; never which youth."""
    shown = {
        "agency": given["agency_"],
        "counterpart": given["counterpart"],
        "kind": ", ".join(given["kinds"]),
        "worker": given["worker"],
        "worker's role": given["worker_role"],
        **{name: given[name] for name in ("decision", "outcome", "reason", "purpose", "basis", "since", "until")},
    }
    words = [f"{name} {value}" for name, value in shown.items() if value]
    if given.get("case") is not None or given.get("youth") is not None:
        words.append("one youth of the agency")
    return words or ["no condition"]


def read_youth(given: Mapping[str, Any]) -> tuple[str, county_pb2.YouthIdentity | None]:
    """The youth that `--case` or `--youth` names: number or identity; neither for none. Raises `CommandFailure`."""
    case, youth = given["case"], given["youth"]
    if case is not None and youth is not None:
        raise click.UsageError("--case and --youth both name the youth; give one")
    if youth is not None:
        return "", _identity(youth)
    if case is None:
        return "", None
    try:
        number = case.read(4 * _LONGEST_NUMBER).strip()
    except UnicodeDecodeError:
        raise _no_youth(case, "it is not text") from None
    if not 0 < len(number) <= _LONGEST_NUMBER or "\n" in number:
        raise _no_youth(case, "one number on one line is expected")
    return number, None


def _identity(file: TextIO) -> county_pb2.YouthIdentity:
    try:
        return Parse(file.read(), county_pb2.YouthIdentity())
    except (ParseError, UnicodeDecodeError):
        # `from None` and no text: the parser's message quotes the document, which names a youth.
        raise _no_youth(file, "it is not a YouthIdentity in JSON") from None


def _no_youth(file: TextIO, why: str) -> CommandFailure:
    return CommandFailure(
        "AUDIT-YOUTH",
        "the youth cannot be read",
        where=getattr(file, "name", "standard input"),
        why=why,
        fix='a number alone for --case; for --youth {"givenName": ..., "surname": ..., "birthDate": "YYYY-MM-DD"}',
        exit_code=ExitCode.USAGE,
    )


def _moment(text: str, now: datetime, option: str) -> datetime:
    if _AGO.fullmatch(text):
        return now - parse_duration(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise click.UsageError(f"{option}: a time is written 2026-11-01, 2026-11-01T08:00Z, or 7d") from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
