"""The one interceptor of the local endpoint: what happens around every call, in order.

1. exact method name
2. a deadline: the caller's, at most a minute, half a minute where it gave none
3. the user: the one bearer token of the county's identity provider
4. a role that may call the method at all
5. the request, parsed strictly: no unknown field, every rule of the .proto
6. the handler
7. its errors become constant statuses; one count and one line of log per call

The broad `except` is here and nowhere else in the adapter: whatever a handler raises becomes INTERNAL without text,
because grpcio would send the text to the peer (SECURITY §0.2).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from adapters.errors import Denied, Error, ErrorReason, Invalid
from adapters.local.methods import METHODS, Method, request_types
from adapters.local.status import INTERNAL, status_of
from adapters.node.send import Deadline
from adapters.staff import Staff, StaffTokens, bearer
from gateway.protocol.parse import MalformedMessage, parse
from homeward.counting import CANCELLED, OK, CallRecorder
from homeward.counting import INTERNAL as INTERNAL_REASON

DEFAULT_SECONDS: Final = 30.0
MAX_SECONDS: Final = 60.0
_MARGIN_SECONDS: Final = 0.1
"""Left for the answer's own way back."""
_OPEN: Final = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
_REFLECTION: Final = "/grpc.reflection."
_CALL: ContextVar["LocalCall"] = ContextVar("homeward_local_call")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LocalCall:
    """Who calls and until when an answer is of use."""

    staff: Staff
    """In those roles alone that may call the method, so that no handler can let another be chosen."""
    deadline: Deadline


def current_call() -> LocalCall:
    """The call being served. Only in methods that have a user."""
    return _CALL.get()


class LocalInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of the local endpoint."""

    def __init__(self, tokens: StaffTokens, *, recorder: CallRecorder, sandbox: bool = False) -> None:
        self._tokens = tokens
        self._recorder = recorder
        self._sandbox = sandbox
        self._types: Mapping[str, type[Message]] = request_types()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        """The handler, wrapped; for a name without a row the library's own UNIMPLEMENTED."""
        handler = await continuation(details)
        name = details.method
        if handler is None or name in _OPEN or (self._sandbox and name.startswith(_REFLECTION)):
            return handler
        row = METHODS.get(name)
        if row is None:
            return None
        # The request arrives as bytes: the library's own parser would accept what it does not know.
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(handler.unary_stream, name, row, handler.response_serializer), None, None
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(handler.unary_unary, name, row, handler.response_serializer), None, None
        )

    # Replies are serialized in here too: of what fails in the library's own serializer it tells the peer the text.
    def _unary(
        self, inner: Callable[[Any, Any], Awaitable[Any]], name: str, row: Method, serialize: Callable[[Any], bytes]
    ) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def call(data: bytes, context: Any) -> bytes:
            started = time.monotonic()
            try:
                request = await self._admit(data, context, name, row)
                reply = serialize(await inner(request, context))
            except asyncio.CancelledError:
                self._ended(name, CANCELLED, started)
                raise
            except Exception as failure:  # noqa: BLE001 - the one place (module docstring)
                await context.abort_with_status(self._failed(failure, name, started))
            self._ended(name, OK, started)
            return reply

        return call

    def _streaming(
        self, inner: Callable[[Any, Any], AsyncIterator[Any]], name: str, row: Method, serialize: Callable[[Any], bytes]
    ) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def call(data: bytes, context: Any) -> AsyncIterator[bytes]:
            started = time.monotonic()
            try:
                request = await self._admit(data, context, name, row)
                async for reply in inner(request, context):
                    yield serialize(reply)
            except asyncio.CancelledError:
                self._ended(name, CANCELLED, started)
                raise
            except Exception as failure:  # noqa: BLE001 - the one place (module docstring)
                await context.abort_with_status(self._failed(failure, name, started))
            self._ended(name, OK, started)

        return call

    def _failed(self, failure: Exception, name: str, started: float) -> grpc.Status:
        if isinstance(failure, Error):
            self._ended(name, failure.reason, started)
            return status_of(failure, self._types[name])
        # The type alone: an exception's text may hold what the handler was working on.
        log.error("handler failed", extra={"method": name, "exception_type": type(failure).__name__})
        self._ended(name, INTERNAL_REASON, started)
        return INTERNAL

    def _ended(self, name: str, reason: str, started: float) -> None:
        seconds = time.monotonic() - started
        self._recorder.record(name, reason, seconds)
        log.info("call", extra={"method": name, "reason": reason, "milliseconds": int(seconds * 1000)})

    async def _admit(self, data: bytes, context: Any, name: str, row: Method) -> Message:
        deadline = _deadline(context, row)
        if row.roles is not None:
            staff = await self._tokens.verify(bearer(context.invocation_metadata() or ()))
            able = replace(staff, roles=staff.roles & row.roles)
            if not able.roles:
                raise Denied
            _CALL.set(LocalCall(able, deadline))
        try:
            return parse(self._types[name], data)
        except MalformedMessage as malformed:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=malformed.fields) from malformed


def _deadline(context: Any, row: Method) -> Deadline:
    clock = asyncio.get_running_loop().time
    remaining = context.time_remaining()
    given = DEFAULT_SECONDS if remaining is None else min(remaining, MAX_SECONDS)
    seconds = MAX_SECONDS if row.stays_open else given
    return Deadline(clock() + seconds - _MARGIN_SECONDS, clock)
