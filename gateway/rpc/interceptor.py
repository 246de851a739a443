"""The one interceptor: what happens around every call, in order.

1. exact method name, served on this listener
2. no metadata key twice; a deadline, at most a minute (not for streams that stay open)
3. the peer: TLS, certificate, time, deny-list (`peer`)
4. the peer's kind may call the method (`methods`), and the peer has a place left (`places`)
5. the message of a call that has one, in its time; the handler
6. its errors become constant statuses (`status`); one count per call, one line of log per call that failed

The only broad `except` of the code base: whatever a handler raises becomes INTERNAL
without text, because grpcio would send the text to the peer (SECURITY §0.2).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

import grpc

from gateway.errors import Error, ErrorReason, Invalid, Unauthenticated
from gateway.protocol.spiffe import ChannelKind
from gateway.rpc.decoding import decoding, each_whole
from gateway.rpc.methods import METHODS, Listener, Method, Proof
from gateway.rpc.peer import Peer, Peers
from gateway.rpc.places import Places, only_message
from gateway.rpc.recording import MessageRecorder
from gateway.rpc.status import INTERNAL, status_of
from homeward.counting import CANCELLED, OK, CallRecorder
from homeward.counting import INTERNAL as INTERNAL_REASON

MAX_DEADLINE_SECONDS: Final = 60.0
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_REFLECTION: Final = "/grpc.reflection."
_LONG_LIVED: Final = frozenset({"/homeward.gateway.v1.AdapterLinkService/Connect"})
_PEER: ContextVar[Peer] = ContextVar("homeward_peer")

log = logging.getLogger(__name__)


def current_peer() -> Peer:
    """The peer of the call being served."""
    return _PEER.get()


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of one listener."""

    def __init__(
        self,
        *,
        listener: Listener,
        peers: Peers | None,
        recorder: CallRecorder,
        reflection: bool = False,
        messages: MessageRecorder | None = None,
    ) -> None:
        self._listener = listener
        self._peers = peers
        self._recorder = recorder
        self._reflection = reflection
        self._messages = messages
        self._places = Places()
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler, wrapped; for an unknown name the library's own UNIMPLEMENTED."""
        name = details.method
        wrapped = self._wrapped.get(name)
        if wrapped is not None:
            return wrapped
        handler = await continuation(details)
        if handler is None:
            return handler
        if self._reflection and name.startswith(_REFLECTION):
            return handler
        # Once for each method that is served; a name that a peer makes up never comes here.
        wrapped = self._wrapped[name] = self._wrap(handler, name)
        return wrapped

    # The one message of a method is read as a stream, too, which looks the same on the wire: so a call is admitted
    # when it begins. The library would first wait for the message, for ever.
    def _wrap(self, handler: Any, name: str) -> grpc.RpcMethodHandler[Any, Any]:
        receive, serialize = decoding(handler.request_deserializer), handler.response_serializer
        if name == _HEALTH:
            return grpc.stream_unary_rpc_method_handler(self._probed(handler.unary_unary), receive, serialize)
        if handler.unary_unary is not None:
            call = self._unary(handler.unary_unary, name, serialize)
            return grpc.stream_unary_rpc_method_handler(call, receive, None)
        stream = self._streaming(handler.stream_stream, name, serialize)
        return grpc.stream_stream_rpc_method_handler(stream, receive, None)

    # Neither counted nor in the log: a probe asks every few seconds, and whoever may connect is told the same.
    def _probed(self, inner: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def call(_: AsyncIterator[Any], context: Any) -> Any:
            try:
                if self._peers is not None:
                    self._places.take(self._peers.peer(context.auth_context()).identity.uri, context)
                request = await only_message(context)
            except Error as refusal:
                await context.abort_with_status(status_of(refusal))
            return await inner(request, context)

        return call

    # Replies are serialized in here too: of what fails in the library's own serializer it tells the peer the text.
    def _unary(
        self, inner: Callable[[Any, Any], Awaitable[Any]], name: str, serialize: Callable[[Any], bytes]
    ) -> Callable[[Any, Any], Awaitable[bytes]]:
        async def call(_: AsyncIterator[Any], context: Any) -> bytes:
            started = time.monotonic()
            try:
                self._admit(name, context)
                request = await only_message(context)
                if self._messages is not None:
                    self._messages.record(name, request)
                reply = serialize(await inner(request, context))
            except asyncio.CancelledError:
                self._recorder.record(name, CANCELLED, time.monotonic() - started)
                raise
            except Exception as failure:
                await context.abort_with_status(self._failed(failure, name, started))
            self._recorder.record(name, OK, time.monotonic() - started)
            return reply

        return call

    def _streaming(
        self, inner: Callable[[Any, Any], Any], name: str, serialize: Callable[[Any], bytes]
    ) -> Callable[[Any, Any], AsyncIterator[bytes]]:
        async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[bytes]:
            started = time.monotonic()
            try:
                self._admit(name, context)
                requests = each_whole(requests)
                if self._messages is not None:
                    requests = _recorded(requests, name, self._messages)
                async for reply in inner(requests, context):
                    yield serialize(reply)
            except asyncio.CancelledError:
                self._recorder.record(name, CANCELLED, time.monotonic() - started)
                raise
            except Exception as failure:
                await context.abort_with_status(self._failed(failure, name, started))
            self._recorder.record(name, OK, time.monotonic() - started)

        return call

    def _failed(self, failure: Exception, name: str, started: float) -> grpc.Status:
        seconds = time.monotonic() - started
        told = {"method": name, "milliseconds": int(seconds * 1000)}
        if isinstance(failure, Error):
            self._recorder.record(name, failure.reason, seconds)
            log.info("call refused", extra=told | {"reason": failure.reason})
            return status_of(failure)
        self._recorder.record(name, INTERNAL_REASON, seconds)
        # The type alone: an exception's text may hold what the handler was working on.
        log.error("handler failed", extra=told | {"exception_type": type(failure).__name__})
        return INTERNAL

    def _admit(self, name: str, context: Any) -> None:
        row = METHODS.get(name)
        if row is None or self._listener not in row.listeners:
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)
        _check_metadata(context)
        if name not in _LONG_LIVED:
            _check_deadline(context)
        if self._peers is not None:
            peer = self._peers.peer(context.auth_context())
            _check_kind(row, peer.identity.kind)
            self._places.take(peer.identity.uri, context)
            _PEER.set(peer)
        elif row.proof not in (Proof.TICKET, Proof.LOCAL):
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)


async def _recorded(requests: AsyncIterator[Any], name: str, messages: MessageRecorder) -> AsyncIterator[Any]:
    async for request in requests:
        messages.record(name, request)
        yield request


def _check_metadata(context: Any) -> None:
    names = [key for key, _ in context.invocation_metadata() or ()]
    if len(names) != len(set(names)):
        # Two `authorization` entries reach a handler as two; which one counts must never be a question.
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("(metadata): repeated key",))


def _check_deadline(context: Any) -> None:
    remaining = context.time_remaining()
    if remaining is None or remaining > MAX_DEADLINE_SECONDS:
        raise Invalid(ErrorReason.DEADLINE_REQUIRED)


def _check_kind(row: Method, kind: ChannelKind) -> None:
    if kind not in row.callers:
        raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)
