"""Requests that carry no envelope are checked here: the rules of their .proto, and no unknown field."""

from google.protobuf.message import Message

from gateway.errors import ErrorReason, Invalid
from gateway.protocol.parse import MalformedMessage, check


def check_request(request: Message) -> None:
    """The request keeps the rules of its .proto. Raises `Invalid` with field paths and rule names."""
    try:
        check(request)
    except MalformedMessage as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
