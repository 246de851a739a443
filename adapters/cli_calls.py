"""`homeward authority`: consents, orders and agreements, through the adapter's local endpoint.

Decides presentation only. A youth's name is read from a file or standard input and never from the command line, where
other users of the machine could see it; nothing here prints one.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, Final, TextIO

import click
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from google.protobuf.message import Message

from adapters.cli_options import AS_JSON, ROLE, TOKEN_FILE, Place, place_options
from gateway.protocol.outcomes import OUTCOME_TEXT, Outcome
from gateway.protocol.wire_names import from_wire
from homeward.county.v1 import authority_pb2
from homeward.failure import CommandFailure, ExitCode

_SERVICE: Final = "/homeward.county.v1.AuthorityService/"
_PAGE: Final = 200
_IDENTIFIER: Final = re.compile(r"[0-9a-f]{32}")


@click.group()
def authority() -> None:
    """Record, revoke and list consents, orders and agreements."""


@authority.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@place_options
@TOKEN_FILE
@AS_JSON
def record(file: TextIO, place: Place, token_file: Path, as_json: bool) -> int:
    """Record the authority in FILE, a RecordAuthorityRequest as JSON; - reads standard input."""
    request = _parsed(file, authority_pb2.RecordAuthorityRequest())
    done = place.endpoint(token_file).call(_SERVICE + "RecordAuthority", request, authority_pb2.RecordAuthorityResponse)
    return _outcome(done, done.outcome, as_json, f"authority   {done.authority_id}")


@authority.command()
@click.argument("authority_id")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def revoke(authority_id: str, role: str, place: Place, token_file: Path, as_json: bool) -> int:
    """Revoke AUTHORITY_ID, at once. No reason is asked."""
    if not _IDENTIFIER.fullmatch(authority_id):
        raise click.UsageError("AUTHORITY_ID: 32 hexadecimal digits")
    request = authority_pb2.RevokeAuthorityRequest(authority_id=authority_id, role=role)
    done = place.endpoint(token_file).call(_SERVICE + "RevokeAuthority", request, authority_pb2.RevokeAuthorityResponse)
    return _outcome(done, done.outcome, as_json, f"revoked     {authority_id}")


@authority.command("list")
@click.option("--live", "live_only", is_flag=True, help="Leave out expired and revoked ones.")
@ROLE
@place_options
@TOKEN_FILE
@AS_JSON
def list_(live_only: bool, role: str, place: Place, token_file: Path, as_json: bool) -> None:
    """List the authorities your agency issued or is named in."""
    endpoint, found, page_token = place.endpoint(token_file), [], ""
    while True:
        request = authority_pb2.ListAuthoritiesRequest(
            live_only=live_only, role=role, page_size=_PAGE, page_token=page_token
        )
        page = endpoint.call(_SERVICE + "ListAuthorities", request, authority_pb2.ListAuthoritiesResponse)
        found += list(page.authorities)
        page_token = page.next_page_token
        if not page_token:
            break
    if as_json:
        click.echo(json.dumps({"ok": True, "authorities": [_data(each) for each in found]}))
        return
    for each in found:
        click.echo(_authority_text(each))
    click.echo(f"{len(found)} authorities" if len(found) != 1 else "1 authority")


def _parsed(file: TextIO, message: authority_pb2.RecordAuthorityRequest) -> authority_pb2.RecordAuthorityRequest:
    try:
        return Parse(file.read(), message)
    except (ParseError, UnicodeDecodeError):
        # `from None` and no text: the parser's message quotes the document, which names a youth.
        raise CommandFailure(
            "AUTHORITY-001",
            "the document is not a RecordAuthorityRequest",
            where=getattr(file, "name", "standard input"),
            why="it is not JSON, or has a field or value that the message does not have",
            fix="compare it with proto/homeward/county/v1/authority.proto",
            exit_code=ExitCode.USAGE,
        ) from None


def _outcome(done: Message, number: int, as_json: bool, line: str) -> int:
    outcome = from_wire(Outcome, number)
    recorded = outcome is Outcome.RECORDED
    if as_json:
        click.echo(json.dumps({"ok": recorded, **_data(done)}))
    else:
        click.echo(line if recorded else f"{outcome}  {OUTCOME_TEXT[outcome]}", file=sys.stdout)
    return int(ExitCode.OK if recorded else ExitCode.DENIED)


def _authority_text(each: authority_pb2.ListedAuthority) -> str:
    data = _data(each.authority)
    state = f"revoked {each.revoke_time.ToJsonString()}" if each.HasField("revoke_time") else "on record"
    purposes = ",".join(str(name).removeprefix("PURPOSE_") for name in data.get("purposes", []))
    basis = str(data.get("basis", "")).removeprefix("BASIS_")
    return (
        f"{each.authority_id}  {basis:<12} {purposes}  for {', '.join(each.authority.recipient_agencies)}"
        f"  until {each.authority.expire_time.ToJsonString()}  {state}"
    )


def _data(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)
