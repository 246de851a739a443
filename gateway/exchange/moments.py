"""Times in untrusted messages. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import ErrorReason, Invalid

LEEWAY: Final = timedelta(minutes=5)
"""A county's clock may be this much ahead."""


def past_moment(timestamp: Timestamp, at: datetime, *, field: str) -> datetime:
    """The time, UTC, which is not after `at`. Raises `Invalid` naming the field for any other."""
    try:
        moment = timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{field}: timestamp",)) from exc
    if moment > at + LEEWAY:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{field}: past",))
    return moment
