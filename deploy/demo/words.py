"""Names of protocol values for people: enum names without their prefix.

Decides spelling only, from the generated messages themselves, so that a new value cannot be told wrongly.
"""

from typing import Any

from google.protobuf.message import Message


def name(message: Message, field: str) -> str:
    """The enum value in this field, without its list's prefix; for example `ANSWERED`."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return _without_prefix(descriptor.enum_type, getattr(message, field))


def names(message: Message, field: str) -> list[str]:
    """The enum values in this repeated field."""
    descriptor = message.DESCRIPTOR.fields_by_name[field]
    return [_without_prefix(descriptor.enum_type, number) for number in getattr(message, field)]


def _without_prefix(enum: Any, number: int) -> str:
    zero = str(enum.values_by_number[0].name)
    return str(enum.values_by_number[number].name).removeprefix(zero.removesuffix("UNSPECIFIED"))
