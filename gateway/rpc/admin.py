"""The admin socket: AdminService of a gateway, CustodianAdminService of a custodian, HolderAdminService of both.

And the client of all three.

Decides who may use it: whoever may open the socket, which its mode (0600) and its directory's (0700) leave to the owner
of the process. There is no other credential, because the same person can read the keys beside it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from gateway.members.administration import Administration
from gateway.protocol.channel import LOOPBACK_CLIENT_OPTIONS, server_options
from gateway.protocol.violations import fields_in
from gateway.recovery.held import Revoking
from gateway.recovery.mirroring import Mirroring
from gateway.rpc.interceptor import Answering, EdgeInterceptor
from gateway.rpc.methods import Listener
from gateway.rpc.wellformed import check_request
from gateway.state import PRIVATE_DIRECTORY, PRIVATE_FILE, StateBroken
from gateway.tokens.custody import CustodianAdministration
from gateway.tokens.holding import HolderAdministration
from gateway.tokens.rotation import Rotation
from homeward.counting import CallRecorder
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import (
    AdminServiceServicer,
    CustodianAdminServiceServicer,
    HolderAdminServiceServicer,
    add_AdminServiceServicer_to_server,
    add_CustodianAdminServiceServicer_to_server,
    add_HolderAdminServiceServicer_to_server,
)

TIMEOUT_SECONDS: Final = 10.0
Stub = TypeVar("Stub")
Reply = TypeVar("Reply")


class AdminServicer(AdminServiceServicer):
    """Thin: parse, act."""

    def __init__(
        self,
        administration: Administration,
        published: Callable[[], admin_pb2.PublishedStatus],
        *,
        rotation: Rotation,
        revoking: Revoking,
        mirroring: Mirroring | None,
        erasing_waits: Callable[[], bool],
    ) -> None:
        """`erasing_waits` blocks: what seals deleted may still stand in the files."""
        self._erasing_waits = erasing_waits
        self._mirroring = mirroring
        self._administration = administration
        self._published = published
        self._rotation = rotation
        self._revoking = revoking

    async def Invite(self, request: admin_pb2.InviteRequest, context: Any) -> admin_pb2.InviteResponse:
        """Issues an invitation."""
        check_request(request)
        return await self._administration.invite(request)

    async def TrustHolder(self, request: admin_pb2.TrustHolderRequest, context: Any) -> admin_pb2.TrustHolderResponse:
        """Records a holder."""
        check_request(request)
        return await self._administration.trust_holder(request)

    async def RevokeMember(
        self, request: admin_pb2.RevokeMemberRequest, context: Any
    ) -> admin_pb2.RevokeMemberResponse:
        """Revokes an agency or an adapter."""
        check_request(request)
        await self._revoking.member(request.subject)
        return await self._administration.revoke(request)

    async def ReleaseLookups(
        self, request: admin_pb2.ReleaseLookupsRequest, context: Any
    ) -> admin_pb2.ReleaseLookupsResponse:
        """Releases held look-ups."""
        check_request(request)
        return await self._administration.release_lookups(request)

    async def OpenEpoch(self, request: admin_pb2.OpenEpochRequest, context: Any) -> admin_pb2.OpenEpochResponse:
        """Opens the next epoch."""
        check_request(request)
        step = await self._rotation.open(request.share)
        return admin_pb2.OpenEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)

    async def CutOverEpoch(
        self, request: admin_pb2.CutOverEpochRequest, context: Any
    ) -> admin_pb2.CutOverEpochResponse:
        """Makes the following epoch the current one."""
        check_request(request)
        step = await self._rotation.cut_over(frozenset(request.without_counties))
        return admin_pb2.CutOverEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)

    async def AbandonEpoch(
        self, request: admin_pb2.AbandonEpochRequest, context: Any
    ) -> admin_pb2.AbandonEpochResponse:
        """Gives the following epoch up."""
        step = await self._rotation.abandon()
        return admin_pb2.AbandonEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)

    async def FinishEpoch(self, request: admin_pb2.FinishEpochRequest, context: Any) -> admin_pb2.FinishEpochResponse:
        """Ends the preceding epoch."""
        step = await self._rotation.finish()
        return admin_pb2.FinishEpochResponse(epoch=step.epoch, leaf_index=step.leaf_index)

    async def GetGatewayStatus(
        self, request: admin_pb2.GetGatewayStatusRequest, context: Any
    ) -> admin_pb2.GetGatewayStatusResponse:
        """Returns the gateway's state."""
        status = await self._administration.status()
        status.published.CopyFrom(self._published())
        status.epochs.extend(await self._rotation.status())
        status.erasing_waits = await asyncio.to_thread(self._erasing_waits)
        if self._mirroring is not None:
            status.mirror.CopyFrom(self._mirroring.status(status.log_size))
        return status


class CustodianAdminServicer(CustodianAdminServiceServicer):
    """Thin: parse, act."""

    def __init__(self, administration: CustodianAdministration, mirroring: Mirroring | None) -> None:
        self._administration = administration
        self._mirroring = mirroring

    async def AdmitCounty(self, request: admin_pb2.AdmitCountyRequest, context: Any) -> admin_pb2.AdmitCountyResponse:
        """Admits a county root."""
        check_request(request)
        return await self._administration.admit(request)

    async def AddEpochShare(
        self, request: admin_pb2.AddEpochShareRequest, context: Any
    ) -> admin_pb2.AddEpochShareResponse:
        """Keeps the share of a new ceremony."""
        check_request(request)
        return await self._administration.add_epoch_share(request)

    async def FinishEpochShare(
        self, request: admin_pb2.FinishEpochShareRequest, context: Any
    ) -> admin_pb2.FinishEpochShareResponse:
        """Erases the share that no directory names."""
        return await self._administration.finish_epoch_share(request)

    async def GetCustodianStatus(
        self, request: admin_pb2.GetCustodianStatusRequest, context: Any
    ) -> admin_pb2.GetCustodianStatusResponse:
        """Returns the custodian's state."""
        status = await self._administration.status()
        if self._mirroring is not None:
            status.mirror.CopyFrom(self._mirroring.status(status.log_size))
        return status


class HolderAdminServicer(HolderAdminServiceServicer):
    """Thin: parse, act."""

    def __init__(self, administration: HolderAdministration) -> None:
        self._administration = administration

    async def DeclareCaseload(
        self, request: admin_pb2.DeclareCaseloadRequest, context: Any
    ) -> admin_pb2.DeclareCaseloadResponse:
        """Declares an agency's caseload."""
        check_request(request)
        return await self._administration.declare(request)

    async def GetHolderStatus(
        self, request: admin_pb2.GetHolderStatusRequest, context: Any
    ) -> admin_pb2.GetHolderStatusResponse:
        """Returns the state of the share."""
        return await self._administration.status()


async def serve_admin(
    socket: Path,
    servicer: AdminServicer | CustodianAdminServicer,
    holder: HolderAdminServicer,
    *,
    recorder: CallRecorder,
    answering: Answering | None = None,
) -> grpc.aio.Server:
    """Both servicers answer on the socket. Raises `StateBroken` when the socket cannot be made."""
    interceptor = EdgeInterceptor(listener=Listener.ADMIN, peers=None, recorder=recorder, answering=answering)
    server = grpc.aio.server(interceptors=[interceptor], options=server_options())
    if isinstance(servicer, AdminServicer):
        add_AdminServiceServicer_to_server(servicer, server)
    else:
        add_CustodianAdminServiceServicer_to_server(servicer, server)
    add_HolderAdminServiceServicer_to_server(holder, server)
    _prepare(socket)
    server.add_insecure_port(f"unix:{socket}")
    # Bound, not yet answering. Until the mode changes the directory's own mode keeps others out.
    os.chmod(socket, PRIVATE_FILE)
    await server.start()
    return server


def _prepare(socket: Path) -> None:
    """The socket's directory is this user's alone, and no socket of a process that ended is in the way."""
    socket.parent.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
    status = socket.parent.stat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise StateBroken(
            f"{socket.parent}: must belong to the user of this process alone",
            fix="run it as the user who owns that directory, and give it mode 700",
        )
    # The log's lock is held: whoever made it is gone.
    socket.unlink(missing_ok=True)


class AdminRefused(Exception):
    """The serving process refused, or did not answer. `reason` is an `ErrorReason` or a status code."""

    def __init__(self, reason: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = fields


def ask(socket: Path, stub: Callable[[grpc.aio.Channel], Stub], call: Callable[[Stub], Awaitable[Reply]]) -> Reply:
    """The reply of the process that serves at the socket. Raises `AdminRefused`."""

    async def run() -> Reply:
        async with grpc.aio.insecure_channel(f"unix:{socket}", options=LOOPBACK_CLIENT_OPTIONS) as channel:
            return await call(stub(channel))

    try:
        return asyncio.run(run())
    except grpc.aio.AioRpcError as exc:
        raise _refusal(exc) from exc


def _refusal(error: grpc.aio.AioRpcError) -> AdminRefused:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # reads code, details and trailing metadata alone
    reason, fields = error.code().name, tuple[str, ...]()
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            fields = fields_in(bad)
    return AdminRefused(reason, fields)
