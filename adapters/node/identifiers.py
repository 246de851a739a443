"""Identifiers the adapter makes (UUIDv7, RFC 9562 section 5.7), and timestamps of messages."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.protocol.names import RequestId
from gateway.protocol.policy.facts import milliseconds

RandomBytes = Callable[[int], bytes]
Clock = Callable[[], datetime]
_VERSION: Final = 0x70
_VARIANT: Final = 0x80


def new_request_id(now: datetime, random_bytes: RandomBytes) -> RequestId:
    """A UUIDv7: 48 bits of milliseconds, then randomness. 16 bytes."""
    return RequestId(_uuid7(now, random_bytes))


def new_assertion_id(now: datetime, random_bytes: RandomBytes) -> str:
    """The `jti` of a user assertion: a UUIDv7 as 32 hexadecimal digits."""
    return _uuid7(now, random_bytes).hex()


def _uuid7(now: datetime, random_bytes: RandomBytes) -> bytes:
    raw = bytearray(milliseconds(now).to_bytes(6, "big") + random_bytes(10))
    raw[6] = _VERSION | raw[6] & 0x0F
    raw[8] = _VARIANT | raw[8] & 0x3F
    return bytes(raw)


def timestamp(moment: datetime) -> Timestamp:
    """The moment (aware) as a message."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message
