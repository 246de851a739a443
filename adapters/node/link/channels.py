"""Channels to the gateway and to the holders of the token key: mutual TLS, dialed from here.

Decides how a peer is authenticated (the CA of joining for the gateway, the CA in the countersigned directory for a
holder), what becomes of a status, and how a renewed certificate takes over: a new channel for new calls, while calls
under way end on the old one.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, cast

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from adapters.channel_identity import ChannelIdentityFiles
from adapters.node.rpcs import A, CallFailed, CallFault, Q, Rpc
from gateway.protocol.channel import client_options
from gateway.protocol.directory import GATEWAY_SHARE, HolderView
from gateway.protocol.parse import MalformedMessage, check
from gateway.protocol.violations import fields_in

CLOSE_SECONDS: Final = 30.0
"""How long calls on a replaced channel may still take."""
LONGEST_WORD: Final = 64
MOST_FIELDS: Final = 8
"""So much is kept of a peer's reason, and so many of the fields that it names."""
_LOG: Final = logging.getLogger(__name__)

FAULTS: Final[dict[grpc.StatusCode, CallFault]] = {
    grpc.StatusCode.UNAVAILABLE: CallFault.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: CallFault.TIMED_OUT,
    grpc.StatusCode.CANCELLED: CallFault.TIMED_OUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: CallFault.EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED: CallFault.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED: CallFault.UNAUTHENTICATED,
    grpc.StatusCode.INVALID_ARGUMENT: CallFault.REFUSED,
    grpc.StatusCode.NOT_FOUND: CallFault.REFUSED,
    grpc.StatusCode.ALREADY_EXISTS: CallFault.REFUSED,
    grpc.StatusCode.FAILED_PRECONDITION: CallFault.REFUSED,
    grpc.StatusCode.ABORTED: CallFault.REFUSED,
    grpc.StatusCode.OUT_OF_RANGE: CallFault.REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: CallFault.REFUSED,
    grpc.StatusCode.INTERNAL: CallFault.BROKEN,
    grpc.StatusCode.UNKNOWN: CallFault.BROKEN,
    grpc.StatusCode.DATA_LOSS: CallFault.BROKEN,
}
"""Every status but OK. A message that does not decode here is INTERNAL, raised by the library."""
_FAULTS_BY_NUMBER: Final = {code.value[0]: fault for code, fault in FAULTS.items()}


def is_told_to_stop() -> bool:
    """Whether it is this task that is cancelled, and not a call of its own: one that is left on a channel when that is
    closed ends as if somebody had cancelled whoever waits for it."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


@contextmanager
def _failing() -> Iterator[None]:
    """Inside, what keeps a call from bringing an answer is a `CallFailed`."""
    try:
        yield
    except aio.AioRpcError as error:
        raise failure_of(error) from None
    except (aio.UsageError, asyncio.InvalidStateError) as exc:
        # The channel is closed, or the stream has ended: by its deadline, or with its channel.
        raise CallFailed(CallFault.UNAVAILABLE) from exc
    except asyncio.CancelledError:
        if is_told_to_stop():
            raise
        raise CallFailed(CallFault.UNAVAILABLE) from None
    except MalformedMessage as exc:
        raise CallFailed(CallFault.BROKEN, "MALFORMED") from exc


class PeerChannel:
    """One peer, over a channel that can be replaced while it is used."""

    def __init__(self, address: str, identity: ChannelIdentityFiles, *, roots: bytes) -> None:
        """No connection is made before the first call. `roots` is PEM."""
        self._address = address
        self._roots = roots
        self._closing: set[asyncio.Task[None]] = set()
        self.channel = self._open(identity)

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        """The peer's answer, parsed strictly. Raises `CallFailed`."""
        method = self.channel.unary_unary(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.answer.FromString
        )
        with _failing():
            answer: A = await method(request, timeout=seconds)
            check(answer)
        return answer

    def converse(self, rpc: Rpc[Q, A], *, seconds: float) -> "Stream[Q, A]":
        """A stream on the channel in use now, which ends with it."""
        method = self.channel.stream_stream(
            rpc.path, request_serializer=rpc.request.SerializeToString, response_deserializer=rpc.answer.FromString
        )
        # The stubs take the serializer's class, not the message's own, for the type of what is sent.
        return Stream(cast("aio.StreamStreamCall[Q, A]", method(timeout=seconds)))

    def replace(self, identity: ChannelIdentityFiles) -> None:
        """New calls use this identity; those under way may still end on the old channel."""
        old, self.channel = self.channel, self._open(identity)
        task = asyncio.ensure_future(old.close(CLOSE_SECONDS))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """The channel and any it replaced are closed."""
        await self.channel.close(None)
        await asyncio.gather(*self._closing)

    def _open(self, identity: ChannelIdentityFiles) -> aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._roots, private_key=identity.key, certificate_chain=identity.chain
        )
        return aio.secure_channel(self._address, credentials, options=client_options(self._address))


class Stream(Generic[Q, A]):
    """`rpcs.Conversation` over gRPC."""

    def __init__(self, call: aio.StreamStreamCall[Q, A]) -> None:
        self._call = call

    async def ask(self, request: Q) -> A:
        """The peer's answer, parsed strictly. Raises `CallFailed`."""
        with _failing():
            await self._call.write(request)
            answer = await self._call.read()
            if answer is aio.EOF:
                raise CallFailed(CallFault.UNAVAILABLE)
            try:
                check(answer)  # type: ignore[arg-type]  # no end of the stream any more
            except MalformedMessage:
                self.close()
                raise
        return answer  # type: ignore[return-value]

    def close(self) -> None:
        """The stream is over."""
        self._call.cancel()


class Channels:
    """All peers of one adapter: its gateway, and the holders of the directory."""

    def __init__(self, gateway_address: str, load: Callable[[], ChannelIdentityFiles]) -> None:
        """`load` reads the identity in use from disk."""
        self._load = load
        self.identity = load()
        self.gateway = PeerChannel(gateway_address, self.identity, roots=self.identity.ca)
        self._holders: dict[tuple[str, bytes], PeerChannel] = {}

    def holder(self, holder: HolderView) -> PeerChannel:
        """The channel to a holder. Share 1 is the gateway's own: it is asked over the gateway's channel."""
        if holder.share_index == GATEWAY_SHARE:
            return self.gateway
        key = (holder.address, holder.ca_certificate)
        if key not in self._holders:
            roots = load_der_x509_certificate(holder.ca_certificate).public_bytes(Encoding.PEM)
            self._holders[key] = PeerChannel(holder.address, self.identity, roots=roots)
        return self._holders[key]

    def reload(self) -> None:
        """Every channel uses the identity that is on disk now."""
        self.identity = self._load()
        for peer in (self.gateway, *self._holders.values()):
            peer.replace(self.identity)

    async def close(self) -> None:
        """All channels are closed."""
        for peer in (self.gateway, *self._holders.values()):
            await peer.close()


def failure_of(error: aio.AioRpcError) -> CallFailed:
    """What a status means to the node, with the reason of its `ErrorInfo` and the fields of its `BadRequest`.

    The peer's text is not kept.
    """
    return _failure(FAULTS.get(error.code(), CallFault.BROKEN), _details(error))


def failure_in(serialized: bytes) -> CallFailed:
    """The same for a `google.rpc.Status` within a message. A status that does not decode is a broken answer."""
    try:
        status = status_pb2.Status.FromString(serialized)
    except DecodeError:
        return CallFailed(CallFault.BROKEN, "MALFORMED")
    return _failure(_FAULTS_BY_NUMBER.get(status.code, CallFault.BROKEN), status.details)


def _failure(fault: CallFault, details: Iterable[Any]) -> CallFailed:
    reason, fields = "", tuple[str, ...]()
    for detail in details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            reason = str(info.reason)[:LONGEST_WORD]
        elif detail.Is(bad.DESCRIPTOR) and detail.Unpack(bad):
            fields = fields_in(bad, most=MOST_FIELDS, longest=LONGEST_WORD)
    return CallFailed(fault, reason, fields=fields)


def _details(error: aio.AioRpcError) -> Sequence[Any]:
    try:
        # The error is a call to grpcio; its type stubs do not say so.
        status = rpc_status.from_call(cast(grpc.Call, error))
    except ValueError:
        # A status that contradicts its own details tells nothing.
        return ()
    return status.details if status is not None else ()
