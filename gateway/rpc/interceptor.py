"""The one interceptor: what happens around every call, in order.

1. the peer: TLS, certificate, a place left (`places`), time, deny-list (`peer`)
2. exact method name, served on this listener
3. no metadata key twice; a deadline, at most a minute (not for streams that stay open)
4. the peer's kind may call the method (`methods`)
5. the message of a call that has one, in its time
6. what a start has to write is in the log, except for what adapters need to link; the handler
7. what a member was refused, in any of these, is on record: by whoever refused, else by this
8. errors become constant statuses (`status`); one count per call, one line of log per call that failed

The broad `except` of the code base (its like are in `open_stream` and, for one of many questions, in `aside`): whatever
a handler raises becomes INTERNAL without text, because grpcio would send the text to the peer (SECURITY §0.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final, NoReturn, cast

import grpc

from gateway.errors import Conflict, Error, ErrorReason, Invalid, Unauthenticated, Unavailable
from gateway.protocol.names import AgencyId
from gateway.protocol.spiffe import ChannelKind
from gateway.rpc.decoding import decoding, each_whole
from gateway.rpc.endings import Ending
from gateway.rpc.methods import METHODS, Listener, Method, Proof
from gateway.rpc.open_stream import STREAM, OpenStream
from gateway.rpc.peer import Peer, Peers
from gateway.rpc.places import MAX_CALLS_OF_A_PEER, Places, only_message
from gateway.rpc.recording import MessageRecorder
from gateway.rpc.status import ending_with, status_of
from homeward.counting import CallRecorder

MAX_DEADLINE_SECONDS: Final = 60.0
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_REFLECTION: Final = "/grpc.reflection."
_OF_CALLS: Final = frozenset({"/homeward.gateway.v1.ExchangeService/StreamFlagChecks"})
"""Streams whose messages are counted, each as a call, and not the stream."""
_LONG_LIVED: Final = frozenset({"/homeward.gateway.v1.AdapterLinkService/Connect", *_OF_CALLS})
_TO_LINK: Final = frozenset(
    {
        "/homeward.gateway.v1.AdapterLinkService/Connect",
        "/homeward.gateway.v1.MembershipService/GetDirectory",
        "/homeward.gateway.v1.AdminService/GetGatewayStatus",
        "/homeward.gateway.v1.HolderAdminService/GetHolderStatus",
    }
)
"""What an adapter needs before it links, and may show what this log does not know, and by which the operator sees for
whom a start waits. It discloses nothing of a youth."""
_KEPT: Final = frozenset(
    {"/homeward.gateway.v1.AuthorityService/RevokeAuthority", "/homeward.gateway.v1.AdminService/RevokeMember"}
)
"""What is kept while a start is late (`recovery.held`)."""
Answering = Callable[[], Awaitable[bool]]
Keep = Callable[[AgencyId, str, ErrorReason], Awaitable[None]]
_PEER: ContextVar[Peer] = ContextVar("homeward_peer")


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
        answering: Answering | None = None,
        keep: Keep | None = None,
        calls_of_a_peer: int = MAX_CALLS_OF_A_PEER,
    ) -> None:
        """`answering` tells, once that is known, whether the start is over; None where nothing waits for it. `keep`
        puts on record what a member is refused; None for a listener without members."""
        self._listener = listener
        self._peers = peers
        self._recorder = recorder
        self._reflection = reflection
        self._messages = messages
        self._answering = answering
        self._keep = keep
        self.places = Places(most=calls_of_a_peer)
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        self.draining = asyncio.Event()
        """Set when the listener stops."""

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
                    self.places.take(self._peers.peer(context.auth_context()).identity.uri, context)
                request = await only_message(context)
            except Error as refusal:
                await context.abort_with_status(ending_with(status_of(refusal)))
            return await inner(request, context)

        return call

    # Replies are serialized in here too: of what fails in the library's own serializer it tells the peer the text.
    def _unary(
        self, inner: Callable[[Any, Any], Awaitable[Any]], name: str, serialize: Callable[[Any], bytes]
    ) -> Callable[[Any, Any], Awaitable[bytes]]:
        async def call(_: AsyncIterator[Any], context: Any) -> bytes:
            ending = Ending(self._recorder, name)
            try:
                self._admit(name, context)
                request = await only_message(context)
                if self._messages is not None:
                    self._messages.record(name, request)
                await self._wait_for_start(name)
                reply = serialize(await inner(request, context))
            except asyncio.CancelledError:
                ending.cancelled()
                raise
            except Exception as failure:
                await self._end(name, failure, ending, context)
            ending.answered()
            return reply

        return call

    def _streaming(
        self, inner: Callable[[Any, Any], Any], name: str, serialize: Callable[[Any], bytes]
    ) -> Callable[[Any, Any], AsyncIterator[bytes]]:
        async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[bytes]:
            ending = Ending(self._recorder, name)
            try:
                self._admit(name, context)
                requests = each_whole(requests)
                if self._messages is not None:
                    requests = _recorded(requests, name, self._messages)
                await self._wait_for_start(name)
                async for reply in inner(requests, context):
                    yield serialize(reply)
            except asyncio.CancelledError:
                self._count(ending.cancelled, name)
                raise
            except Exception as failure:
                await self._end(name, failure, ending, context)
            self._count(ending.answered, name)

        return call

    async def _wait_for_start(self, name: str) -> None:
        """Raises `Unavailable` (NOT_READY) while a start is late."""
        if self._answering is None or name in _TO_LINK:
            return
        if not await self._answering() and name not in _KEPT:
            raise Unavailable(ErrorReason.NOT_READY)

    async def _end(self, name: str, failure: Exception, ending: Ending, context: Any) -> NoReturn:
        try:
            told = await self._kept(name, failure)
        except asyncio.CancelledError:
            # The caller has gone; what it was refused is counted all the same.
            ending.failed(failure)
            raise
        await context.abort_with_status(ending_with(ending.failed(told)))
        raise AssertionError("abort raises")

    async def _kept(self, name: str, failure: Exception) -> Exception:
        """The failure, which is on record if a member was refused; or what keeps it from the log."""
        peer, is_refusal = _PEER.get(None), isinstance(failure, Unauthenticated | Invalid | Conflict)
        if self._keep is None or peer is None or peer.identity.agency is None or not is_refusal:
            return failure
        if cast(Error, failure).on_record or (self._answering is not None and not await self._answering()):
            return failure
        reason = cast(Error, failure).reason
        try:
            await self._keep(peer.identity.agency, name.rpartition("/")[2], reason)
        except Unavailable as unavailable:
            # Whoever is shut out is told so whatever the log does: it discloses nothing, and ends the trying.
            return failure if reason is ErrorReason.CERTIFICATE_REFUSED else unavailable
        return failure

    def _count(self, ended: Callable[[], None], name: str) -> None:
        if name not in _OF_CALLS:
            ended()

    def _admit(self, name: str, context: Any) -> None:
        peer: Peer | None = None
        if self._peers is not None:
            transport = context.auth_context()
            peer = self._peers.known(transport)
            # At once: whoever is refused waits for the log, too, and may hold no more of the listener than others.
            self.places.take(peer.identity.uri, context)
            _PEER.set(peer)
            self._peers.check_channel(transport)
            self._peers.check_live(peer)
        row = METHODS.get(name)
        if row is None or self._listener not in row.listeners:
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)
        _check_metadata(context)
        if name not in _LONG_LIVED:
            _check_deadline(context)
        if self._peers is not None and peer is not None:
            _check_kind(row, peer.identity.kind)
            if name in _OF_CALLS:
                STREAM.set(OpenStream(name, peer, self._peers, self.places, self._recorder, self.draining))
        elif row.proof in (Proof.TICKET, Proof.LOCAL):
            self.places.follow("", context)
        else:
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
