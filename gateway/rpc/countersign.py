"""CountersignService, from both ends: the custodian's servicer and the gateway's client.

Decides how the gateway reaches a holder: at the address and under the root that its directory entry names, with a
client certificate that is made anew before it ends. A holder's refusal is a `HolderSilent` that says which.
"""

from typing import Any, Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.errors import ErrorReason, Unauthenticated
from gateway.members.office import Countersigned, HolderSilent
from gateway.members.service_identity import Credential, RenewingCredential
from gateway.protocol.channel import client_options
from gateway.rpc.interceptor import current_peer
from gateway.rpc.tls import client_tls
from gateway.rpc.wellformed import check_request
from gateway.tokens.countersign import Countersigning
from homeward.gateway.v1.custodian_pb2 import CountersignRequest, CountersignResponse
from homeward.gateway.v1.custodian_pb2_grpc import CountersignServiceServicer, CountersignServiceStub
from homeward.gateway.v1.directory_pb2 import KeyHolder, SignedDirectory

TIMEOUT_SECONDS: Final = 5.0


class CountersignServicer(CountersignServiceServicer):
    """Thin: parse, countersign, for the one gateway whose card the operator accepted."""

    def __init__(self, countersigning: Countersigning, *, gateway_uri: str) -> None:
        self._countersigning = countersigning
        self._gateway_uri = gateway_uri

    async def Countersign(self, request: CountersignRequest, context: Any) -> CountersignResponse:
        """Signs, or says which counties wait."""
        if current_peer().identity.uri != self._gateway_uri:
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)
        check_request(request)
        signature, waiting = await self._countersigning.countersign(request.directory)
        return CountersignResponse(signature=signature, waiting_counties=waiting)


class CountersignClient:
    """The other holders over the network; a `Countersigners`."""

    def __init__(self, credential: RenewingCredential) -> None:
        self._credential = credential
        self._channels: dict[bytes, tuple[Credential, grpc.aio.Channel]] = {}

    async def countersign(self, holder: KeyHolder, signed: SignedDirectory) -> Countersigned:
        """The holder's answer. Raises `HolderSilent`."""
        channel = await self._channel(holder)
        try:
            response = await CountersignServiceStub(channel).Countersign(
                CountersignRequest(directory=signed), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError as exc:
            raise HolderSilent(exc.code().name) from exc
        signature = response.signature if response.HasField("signature") else None
        return Countersigned(signature, tuple(response.waiting_counties))

    async def close(self) -> None:
        """No channel is open."""
        for _, channel in self._channels.values():
            await channel.close(grace=None)
        self._channels.clear()

    async def _channel(self, holder: KeyHolder) -> grpc.aio.Channel:
        name = holder.SerializeToString(deterministic=True)
        credential = self._credential.current()
        known = self._channels.get(name)
        if known is not None and known[0] is credential:
            return known[1]
        if known is not None:
            await known[1].close(grace=None)
        root = x509.load_der_x509_certificate(holder.ca_certificate).public_bytes(Encoding.PEM)
        channel = grpc.aio.secure_channel(
            holder.address, client_tls(credential, root), options=client_options(holder.address)
        )
        self._channels[name] = (credential, channel)
        return channel
