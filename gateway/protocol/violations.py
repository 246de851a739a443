"""What is wrong with which field, in the form of `google.rpc.BadRequest`, and back.

Within a process it is one word, `path: rule`; on the wire the path is the `field` and the rule the `description`, as
whoever reads errors in another language expects. Neither ever holds a value.
"""

from collections.abc import Iterable
from typing import Final

from google.rpc.error_details_pb2 import BadRequest

_BETWEEN: Final = ": "


def bad_request(fields: Iterable[str]) -> BadRequest:
    """The detail of a status that names each field and its rule."""
    parts = (each.partition(_BETWEEN) for each in fields)
    return BadRequest(
        field_violations=[BadRequest.FieldViolation(field=path, description=rule) for path, _, rule in parts]
    )


def fields_in(detail: BadRequest, *, most: int = 64, longest: int = 256) -> tuple[str, ...]:
    """The words that a detail was made of; of a stranger's no more, and none longer, than this."""
    said = ((each.field, each.description) for each in detail.field_violations[:most])
    return tuple((path + _BETWEEN + rule if rule else path)[:longest] for path, rule in said)
