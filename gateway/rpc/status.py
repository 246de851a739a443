"""From an error to what the caller reads: one table, constant text.

grpcio sends the text of an unhandled exception to the peer (SECURITY §0.2), so nothing but
this table makes a status. The message is fixed for each class; what differs travels as
`google.rpc.ErrorInfo` with a reason of `ErrorReason`, and field paths without values.
"""

from typing import Final

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway import errors
from gateway.protocol.violations import bad_request

DOMAIN: Final = "homeward"
INTERNAL: Final = status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0], message="internal error")
"""The status of everything unforeseen."""

CODES: Final[dict[type[errors.Error], tuple[grpc.StatusCode, str]]] = {
    errors.Error: (grpc.StatusCode.FAILED_PRECONDITION, "the request cannot be served"),
    errors.Unauthenticated: (grpc.StatusCode.UNAUTHENTICATED, "the caller is not authenticated"),
    errors.AssertionInvalid: (grpc.StatusCode.UNAUTHENTICATED, "the user assertion does not count"),
    errors.EnvelopeInvalid: (grpc.StatusCode.UNAUTHENTICATED, "the signed envelope does not count"),
    errors.Invalid: (grpc.StatusCode.INVALID_ARGUMENT, "the request is not valid"),
    errors.Conflict: (grpc.StatusCode.ABORTED, "the identifier is already in use"),
    errors.Exhausted: (grpc.StatusCode.RESOURCE_EXHAUSTED, "a limit is reached"),
    errors.Unavailable: (grpc.StatusCode.UNAVAILABLE, "no answer can be given now"),
}
"""Every class of the tree."""


def ending_with(status: status_pb2.Status) -> grpc.Status:
    """The status as a call ends with it."""
    return rpc_status.to_status(status)


def status_of(error: errors.Error) -> status_pb2.Status:
    """The status for an error, with its reason and field paths."""
    code, text = CODES[type(error)]
    status = status_pb2.Status(code=code.value[0], message=text)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))
    if error.fields:
        status.details.add().Pack(bad_request(error.fields))
    return status
