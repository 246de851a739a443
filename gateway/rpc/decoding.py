"""Bytes that are not a message of their method.

Decides that they are refused as any other malformed request. Left to the library they would end in UNKNOWN, with the
decoder's exception and the name of the message type as text for the peer (SECURITY §0.2).
"""

from collections.abc import AsyncIterator, Callable
from enum import Enum
from typing import Any, Final

from google.protobuf.message import DecodeError

from gateway.errors import ErrorReason, Invalid


class _Undecodable(Enum):
    REQUEST = "undecodable"


_FIELDS: Final = ("(message): encoding",)


def decoding(deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """The deserializer of a method, which never raises `DecodeError`: `whole` does what there is to do."""

    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError:
            return _Undecodable.REQUEST

    return decode


def whole(request: Any) -> Any:
    """The request as the handler may see it. Raises `Invalid` for one that did not decode."""
    if request is _Undecodable.REQUEST:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=_FIELDS)
    return request


async def each_whole(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """The requests of a stream, likewise."""
    async for request in requests:
        yield whole(request)
