"""From untrusted bytes to a message: the only way in.

Decides what is well-formed: decodes, carries no unknown field, and keeps the rules that
its .proto states. A field this version does not know would be signed, logged and ignored,
so it is refused (SECURITY CR-07). Decides nothing about meaning.
"""

import threading
from typing import Any, Final, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)

_MAX_FIELDS_NAMED: Final = 8
_VALIDATORS = threading.local()


class MalformedMessage(ValueError):
    """Bytes are not a valid message. `fields` are paths and rule names, never values."""

    def __init__(self, *fields: str) -> None:
        super().__init__("malformed message")
        self.fields = fields


def parse(message_type: type[M], data: bytes) -> M:
    """The bytes as a message that keeps every rule of its .proto. Raises `MalformedMessage` otherwise."""
    message = message_type()
    try:
        message.ParseFromString(data)
    except DecodeError as exc:
        raise MalformedMessage("(message): encoding") from exc
    check(message)
    return message


def check(message: Message) -> None:
    """The message has no unknown fields and keeps the rules of its .proto. Raises `MalformedMessage` otherwise.

    A message that is refused may have lost its unknown fields.
    """
    if _has_unknown(message):
        raise MalformedMessage("(message): unknown field")
    try:
        violations = _validator().collect_violations(message)
    except protovalidate.EvaluationError as exc:
        # A pattern over bytes that are no text cannot be tried, and these do not keep it. Its words are not shown.
        raise MalformedMessage("(message): rule") from exc
    if violations:
        raise MalformedMessage(*(_named(violation) for violation in violations[:_MAX_FIELDS_NAMED]))


def _named(violation: protovalidate.Violation) -> str:
    field = violation.proto.field
    path = ".".join(map(_element, field.elements)) if field is not None else "(message)"
    return f"{path}: {violation.proto.rule_id}"


def _element(element: Any) -> str:
    # Of a map nothing but the field: a key may be anybody's word.
    at = element.subscript
    return f"{element.field_name}[{at.value}]" if at is not None and at.field == "index" else str(element.field_name)


def _validator() -> protovalidate.Validator:
    # Compiled rules are cached inside a validator; one a thread, because its cache is not locked.
    validator: protovalidate.Validator | None = getattr(_VALIDATORS, "validator", None)
    if validator is None:
        validator = _VALIDATORS.validator = protovalidate.Validator()
    return validator


def _has_unknown(message: Message) -> bool:
    # At any depth, and by the runtime itself: a walk in Python costs many times as much.
    length = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() != length
