"""`homeward adapter seal`: a court's sealing order, destruction, lifting; recalls; and who has not answered a notice.

Decides presentation only. A youth's number and the court's case reference are read from a file or standard input and
never from the command line, where other users of the machine could see them; nothing here prints one.
"""

import json
import re
from pathlib import Path
from typing import BinaryIO, Final, TextIO

import click
from google.protobuf.message import Message

from adapters.cli_options import AS_JSON, ROLE, TOKEN_FILE, Place, place_options
from gateway.protocol.outcomes import OUTCOME_TEXT, Outcome
from gateway.protocol.wire_names import from_wire
from homeward.county.v1 import sealing_pb2 as pb
from homeward.failure import CommandFailure, ExitCode
from homeward.gateway.v1.sealing_pb2 import (
    NOTICE_KIND_FLAG_RETRACTED,
    NOTICE_KIND_WRONG_YOUTH,
    SEAL_OPERATION_DESTROY,
    SEAL_OPERATION_LIFT,
    SEAL_OPERATION_RESTRICT,
    NoticeCopy,
    NoticeFinding,
    NoticeKind,
    SentNotice,
)

_SERVICE: Final = "/homeward.county.v1.SealingService/"
_LONGEST: Final = 64
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}")
_KINDS: Final = {"wrong-youth": NOTICE_KIND_WRONG_YOUTH, "flag-retracted": NOTICE_KIND_FLAG_RETRACTED}
_CASE = click.option(
    "--case", type=click.File("r", encoding="utf-8"), required=True, help="File with the youth's number; - for input."
)
_ORDER = click.option(
    "--order", type=click.File("r", encoding="utf-8"), required=True, help="File with the court's case reference."
)


@click.group()
def seal() -> None:
    """Seal a youth's entries by order of a court; recall what others were told."""


@seal.command()
@_CASE
@_ORDER
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def restrict(case: TextIO, order: TextIO, role: str, place: Place, token_file: Path, as_json: bool) -> int:
    """Seal: nobody at the exchange can open or link the youth's entries. A court can lift it."""
    request = pb.SealRequest(operation=SEAL_OPERATION_RESTRICT, local_id=_line(case), case_reference=_line(order))
    return _sealed(place, token_file, request, role, as_json=as_json)


@seal.command()
@click.argument("seal_id", required=False, default="")
@click.option("--case", type=click.File("r", encoding="utf-8"), help="File with the number of a youth not sealed yet.")
@_ORDER
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def destroy(
    seal_id: str, case: TextIO | None, order: TextIO, role: str, place: Place, token_file: Path, as_json: bool
) -> int:
    """Destroy: for good, the court custodian's copy included. Give SEAL_ID, or --case."""
    if bool(seal_id) == (case is not None):
        raise click.UsageError("give either SEAL_ID or --case")
    request = pb.SealRequest(
        operation=SEAL_OPERATION_DESTROY,
        local_id=_line(case) if case is not None else "",
        seal_id=_identifier(seal_id) if seal_id else "",
        case_reference=_line(order),
    )
    return _sealed(place, token_file, request, role, as_json=as_json)


@seal.command()
@click.argument("seal_id")
@_ORDER
@click.option("--release", type=click.File("rb"), required=True, help="The court custodian's release.")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def lift(
    seal_id: str, order: TextIO, release: BinaryIO, role: str, place: Place, token_file: Path,
    as_json: bool,
) -> int:  # fmt: skip
    """Lift the seal SEAL_ID, with what the court custodian released."""
    request = pb.SealRequest(
        operation=SEAL_OPERATION_LIFT,
        seal_id=_identifier(seal_id),
        case_reference=_line(order),
        release=release.read(),
    )
    return _sealed(place, token_file, request, role, as_json=as_json)


@seal.command()
@_CASE
@click.option("--kind", type=click.Choice(sorted(_KINDS)), required=True, help="Why it is recalled.")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def recall(case: TextIO, kind: str, role: str, place: Place, token_file: Path, as_json: bool) -> int:
    """Recall what others were told of a youth, from exactly those who were told."""
    request = pb.RecallRequest(local_id=_line(case), kind=_KINDS[kind], role=role)
    done = place.endpoint(token_file).call(_SERVICE + "Recall", request, pb.RecallResponse)
    return _told(done.outcome, "notice", done.notice_id, done.notice_count, as_json=as_json)


@seal.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only notices that somebody has not answered.")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def list_(open_only: bool, role: str, place: Place, token_file: Path, as_json: bool) -> None:
    """List the notices your seals and recalls caused, and who has not answered."""
    request = pb.ListNoticesRequest(open_only=open_only, role=role)
    found = place.endpoint(token_file).call(_SERVICE + "ListNotices", request, pb.ListNoticesResponse)
    if as_json:
        click.echo(json.dumps({"ok": True, "notices": [_data(each) for each in found.notices]}))
        return
    for notice in found.notices:
        click.echo("\n".join(_lines(notice)))
    waiting = sum(_waits(copy) for notice in found.notices for copy in notice.copies)
    click.echo(f"{len(found.notices)} notices, {waiting} not answered")


def _sealed(place: Place, token_file: Path, request: pb.SealRequest, role: str, *, as_json: bool) -> int:
    request.role = role
    done = place.endpoint(token_file).call(_SERVICE + "Seal", request, pb.SealResponse)
    return _told(done.outcome, "seal", done.seal_id, done.notice_count, as_json=as_json)


def _told(number: int, what: str, identifier: str, count: int, *, as_json: bool) -> int:
    outcome = from_wire(Outcome, number)
    recorded = outcome is Outcome.RECORDED
    if as_json:
        said = {"ok": recorded, "outcome": outcome, f"{what}_id": identifier, "notices": count}
        click.echo(json.dumps(said))
    elif recorded:
        click.echo(
            f"{what:<11} {identifier}\nnotices     {count} agencies; homeward adapter seal list --open shows who"
        )
    else:
        click.echo(f"{outcome}: {OUTCOME_TEXT[outcome]}")
    return int(ExitCode.OK if recorded else ExitCode.FAILED)


def _lines(notice: SentNotice) -> list[str]:
    kind = NoticeKind.Name(notice.kind).removeprefix("NOTICE_KIND_")
    head = f"{notice.create_time.ToDatetime():%Y-%m-%d %H:%M} UTC  {kind:<14} {notice.notice_id.hex()}"
    return [head, *(f"    {copy.agency:<24} {_answer(copy)}" for copy in notice.copies)]


def _answer(copy: NoticeCopy) -> str:
    if _waits(copy):
        return "has not answered"
    finding = NoticeFinding.Name(copy.finding).removeprefix("NOTICE_FINDING_")
    return f"{finding} at {copy.acknowledge_time.ToDatetime():%Y-%m-%d %H:%M} UTC"


def _waits(copy: NoticeCopy) -> bool:
    return not copy.HasField("acknowledge_time")


def _data(notice: SentNotice) -> dict[str, object]:
    return {
        "notice_id": notice.notice_id.hex(),
        "kind": NoticeKind.Name(notice.kind),
        "create_time": _moment(notice, "create_time"),
        "copies": [
            {
                "agency": copy.agency,
                "finding": NoticeFinding.Name(copy.finding) if not _waits(copy) else "",
                "acknowledge_time": _moment(copy, "acknowledge_time"),
            }
            for copy in notice.copies
        ],
    }


def _moment(message: Message, name: str) -> str:
    return str(getattr(message, name).ToJsonString()) if message.HasField(name) else ""


def _identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise click.UsageError("SEAL_ID: 32 hexadecimal digits")
    return text


def _line(file: TextIO) -> str:
    try:
        text = file.read(4 * _LONGEST).strip()
    except UnicodeDecodeError:
        text = ""
    if not 0 < len(text) <= _LONGEST or "\n" in text:
        raise CommandFailure(
            "SEAL-001",
            "the file does not hold one number or reference",
            where=file.name,
            why="one line of at most 64 characters is expected",
            fix="write it as the county's or the court's own file shows it",
            exit_code=ExitCode.USAGE,
        )
    return text
