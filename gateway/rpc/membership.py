"""MembershipService."""

from typing import Any

from gateway.members.membership import Membership
from gateway.rpc.interceptor import current_peer
from gateway.rpc.wellformed import check_request
from homeward.gateway.v1 import directory_pb2
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceServicer


class MembershipServicer(MembershipServiceServicer):
    """Thin: parse, ask the membership in the peer's name."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    async def GetDirectory(
        self, request: directory_pb2.GetDirectoryRequest, context: Any
    ) -> directory_pb2.GetDirectoryResponse:
        """Returns the published directory."""
        check_request(request)
        return await self._membership.directory(request.known_version)

    async def RenewCertificate(
        self, request: directory_pb2.RenewCertificateRequest, context: Any
    ) -> directory_pb2.RenewCertificateResponse:
        """Renews the peer's certificate."""
        check_request(request)
        peer = current_peer()
        return await self._membership.renew(peer.identity, peer.agency, request)

    async def OfferPepper(
        self, request: directory_pb2.OfferPepperRequest, context: Any
    ) -> directory_pb2.OfferPepperResponse:
        """Stores what the peer sealed."""
        check_request(request)
        return await self._membership.offer_pepper(current_peer().agency, request)

    async def FetchPepper(
        self, request: directory_pb2.FetchPepperRequest, context: Any
    ) -> directory_pb2.FetchPepperResponse:
        """Returns the peer's part."""
        check_request(request)
        return await self._membership.fetch_pepper(current_peer().agency, request.epoch)
