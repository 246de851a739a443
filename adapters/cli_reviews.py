"""`homeward adapter reviews` and `verdict`: possible matches, through the adapter's local endpoint.

Decides presentation only. What is shown of the other county is which kinds of evidence agree, and whom to call.
"""

import json
import re
from pathlib import Path
from typing import Final

import click
from google.protobuf.json_format import MessageToDict

from adapters.cli_options import AS_JSON, TOKEN_FILE, Place, place_options
from homeward.county.v1 import review_pb2 as pb
from homeward.gateway.v1 import review_pb2 as gateway_pb

_SERVICE: Final = "/homeward.county.v1.ReviewService/"
_REVIEW_ID: Final = re.compile(r"[0-9a-f]{32}")
_VERDICTS: Final = {
    "same": gateway_pb.VERDICT_SAME,
    "different": gateway_pb.VERDICT_DIFFERENT,
    "withdraw": gateway_pb.VERDICT_WITHDRAWN,
}
_STATES: Final = {
    gateway_pb.REVIEW_STATE_OPEN: "open",
    gateway_pb.REVIEW_STATE_LINKED: "one youth, both counties say",
    gateway_pb.REVIEW_STATE_NOT_LINKED: "two youths",
}


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Leave out those you gave a verdict on.")
@place_options
@TOKEN_FILE
@AS_JSON
def reviews(open_only: bool, place: Place, token_file: Path, as_json: bool) -> None:
    """List possible matches: which kinds of evidence agree, and whom to call."""
    request = pb.ListReviewsRequest(open_only=open_only)
    answer = place.endpoint(token_file).call(_SERVICE + "ListReviews", request, pb.ListReviewsResponse)
    if as_json:
        found = [MessageToDict(each, preserving_proto_field_name=True) for each in answer.reviews]
        click.echo(json.dumps({"ok": True, "reviews": found}))
        return
    for each in answer.reviews:
        click.echo(_text(each))
    click.echo(f"{len(answer.reviews)} reviews" if len(answer.reviews) != 1 else "1 review")


@click.command()
@click.argument("review_id")
@click.argument("verdict", type=click.Choice(sorted(_VERDICTS)), metavar="VERDICT")
@click.option("--role", default="", help="Role you act in, where you hold several.")
@place_options
@TOKEN_FILE
@AS_JSON
def verdict(review_id: str, verdict: str, role: str, place: Place, token_file: Path, as_json: bool) -> None:
    """Say whether REVIEW_ID is one youth (same) or two (different), or take that back (withdraw)."""
    if not _REVIEW_ID.fullmatch(review_id):
        raise click.UsageError("REVIEW_ID: 32 hexadecimal digits")
    request = pb.GiveVerdictRequest(review_id=review_id, verdict=_VERDICTS[verdict], role=role)
    answer = place.endpoint(token_file).call(_SERVICE + "GiveVerdict", request, pb.GiveVerdictResponse)
    state = gateway_pb.ReviewState.Name(answer.state)
    click.echo(json.dumps({"ok": True, "state": state}) if as_json else f"recorded    {_STATES[answer.state]}")


def _text(each: pb.Review) -> str:
    youth = f"your youth {each.local_id}" if each.local_id else f"your question {each.request_id}"
    said = gateway_pb.Verdict.Name(each.verdict).removeprefix("VERDICT_").lower() if each.verdict else "nothing yet"
    return (
        f"{each.review_id}  {each.act_time.ToJsonString()}  {youth}\n"
        f"    {each.sentence}\n"
        f"    with {each.other_agency}, call {each.other_duty_line or 'its hotline'}"
        f"  you said {said}  {_STATES[each.state]}"
    )
