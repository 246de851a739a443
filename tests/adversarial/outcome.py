"""How a call ended, for comparison: code, reason, constant text, field paths."""

from collections.abc import Awaitable
from dataclasses import dataclass

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.protocol.violations import fields_in


@dataclass(frozen=True)
class Refusal:
    """A refused call."""

    code: grpc.StatusCode
    text: str
    reason: str
    fields: tuple[str, ...] = ()


async def refusal(call: Awaitable[object]) -> Refusal:
    """How the call was refused; a call that was answered fails the test."""
    found = await ending(call)
    assert found is not None, "the call was answered"
    return found


async def ending(call: Awaitable[object]) -> Refusal | None:
    """How the call was refused, or None where it was answered."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return read(error)
    return None


def read(error: grpc.aio.AioRpcError) -> Refusal:
    """The refusal in a status."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # reads code, details, trailing metadata alone
    reason, fields = "", tuple[str, ...]()
    for detail in status.details if status is not None else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            assert info.domain == "homeward"
            assert not info.metadata
            reason = info.reason
        elif detail.Unpack(bad):
            fields = fields_in(bad)
    return Refusal(error.code(), error.details() or "", reason, fields)
