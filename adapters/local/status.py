"""From an error to what a county system reads: one table, constant text.

grpcio sends the text of an unhandled exception to the peer (SECURITY §0.2), so nothing but this table makes a status.
What differs travels as `google.rpc.ErrorInfo` (reason, and a fault from a closed list) and as field paths.
"""

import re
from typing import Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from adapters import errors
from gateway.protocol.violations import bad_request
from homeward.county.v1.county_pb2 import Inquiry

DOMAIN: Final = "homeward.county"
_INQUIRY: Final = "inquiry"

CODES: Final[dict[type[errors.Error], tuple[grpc.StatusCode, str]]] = {
    errors.Error: (grpc.StatusCode.FAILED_PRECONDITION, "the request cannot be served"),
    errors.Unauthenticated: (grpc.StatusCode.UNAUTHENTICATED, "the token of the identity provider does not count"),
    errors.Denied: (grpc.StatusCode.PERMISSION_DENIED, "the user does not hold a role that may do this"),
    errors.Invalid: (grpc.StatusCode.INVALID_ARGUMENT, "the request is not valid"),
    errors.NotFound: (grpc.StatusCode.NOT_FOUND, "what the request names does not exist for this agency"),
    errors.Sealed: (grpc.StatusCode.NOT_FOUND, "the youth's records are sealed"),
    errors.Conflict: (grpc.StatusCode.ABORTED, "the request identifier is already in use"),
    errors.Exhausted: (grpc.StatusCode.RESOURCE_EXHAUSTED, "a limit of the exchange is reached"),
    errors.Unavailable: (grpc.StatusCode.UNAVAILABLE, "no answer can be given now; this is not a negative answer"),
    errors.EvidenceInvalid: (grpc.StatusCode.DATA_LOSS, "the evidence of an answer did not verify; it was not used"),
}
"""Every class of the tree."""

INTERNAL: Final = rpc_status.to_status(
    status_pb2.Status(code=grpc.StatusCode.INTERNAL.value[0], message="internal error")
)
"""The status of everything unforeseen."""


def status_of(error: errors.Error, request: type[Message]) -> grpc.Status:
    """The status for an error: fixed text, reason, fault and field paths, as they lie in the message that came."""
    code, text = CODES[type(error)]
    status = status_pb2.Status(code=code.value[0], message=text)
    metadata = {"fault": error.fault} if error.fault else {}
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    if error.fields:
        status.details.add().Pack(bad_request([_path_in(request, each) for each in error.fields]))
    return rpc_status.to_status(status)


def _path_in(request: type[Message], word: str) -> str:
    """The path with its rule, as the caller wrote it: of what an `Inquiry` holds, what reads it names the path in it.

    A youth and a role are read alike whether they lie in the request itself or in its inquiry; this is where it is
    known which.
    """
    head = re.split(r"[.:\[]", word, maxsplit=1)[0]
    is_of_inquiry = _INQUIRY in request.DESCRIPTOR.fields_by_name and head in Inquiry.DESCRIPTOR.fields_by_name
    return f"{_INQUIRY}.{word}" if is_of_inquiry else word
