"""Times in untrusted messages. Pure."""

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import ErrorReason, Invalid

LEEWAY: Final = timedelta(minutes=5)
"""A county's clock may be this much ahead."""
OLDEST: Final = timedelta(days=26 * 366)
"""Nobody in care is as old (a nonminor dependent is under 21, WIC 11400(v)): a time before it is what some program
writes for none, 1970, and nobody's observation."""


def past_moment(timestamp: Timestamp, at: datetime, *, field: str) -> datetime:
    """The time, UTC, which is not after `at`. Raises `Invalid` naming the field for any other."""
    try:
        moment = timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{field}: timestamp",)) from exc
    if moment > at + LEEWAY:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{field}: past",))
    return moment


def observed_moment(timestamp: Timestamp, at: datetime, *, field: str) -> datetime:
    """The same for what somebody learned or did about a youth: not `OLDEST` before `at` either."""
    moment = past_moment(timestamp, at, field=field)
    if moment < at - OLDEST:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"{field}: too long ago",))
    return moment
