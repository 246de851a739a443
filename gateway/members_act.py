"""Runs an act of the gateway's operator on the membership: opened here while nothing serves, else in what serves.

Decides how the membership is opened for one act: no holder is asked, and no directory published; the serving process
publishes what the act changed when it starts. And that nothing is written here once agencies use the log: a database
that was put back would get the first entry of a second history, and only a process that serves can ask them.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message

from gateway.acting import act, check_request
from gateway.config import load_gateway
from gateway.errors import ErrorReason, Unavailable
from gateway.members.assembly import Members, open_members, read_keys
from gateway.members.office import Countersigned, HolderSilent
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.ristretto import load_ristretto
from gateway.publishing.attested import kept_attestations
from gateway.recovery.held import HeldRevocations
from gateway.rpc.admin import TIMEOUT_SECONDS, ask
from gateway.running import utc_now
from gateway.state import State
from gateway.store.escrow import erasing_waits
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.admin_pb2_grpc import AdminServiceStub
from homeward.gateway.v1.directory_pb2 import KeyHolder, SignedDirectory

Request = TypeVar(
    "Request",
    admin_pb2.InviteRequest,
    admin_pb2.TrustHolderRequest,
    admin_pb2.RevokeMemberRequest,
    admin_pb2.ReleaseLookupsRequest,
    admin_pb2.OpenEpochRequest,
    admin_pb2.CutOverEpochRequest,
    admin_pb2.AbandonEpochRequest,
    admin_pb2.FinishEpochRequest,
    admin_pb2.GetGatewayStatusRequest,
    admin_pb2.DeclareCaseloadRequest,
    admin_pb2.GetHolderStatusRequest,
)
_ASKING: Final = (admin_pb2.GetGatewayStatusRequest, admin_pb2.GetHolderStatusRequest)
"""Requests that write nothing."""
Reply = TypeVar("Reply")
Stub = TypeVar("Stub")


def act_on_members(
    state: State,
    request: Request,
    *,
    here: Callable[[Members], Coroutine[Any, Any, Reply]],
    stub: Callable[[grpc.aio.Channel], Stub],
    there: Callable[[Stub], Awaitable[Reply]],
) -> Reply:
    """What the act gives, `here` on the opened membership or `there` where it serves. Raises `CommandFailure`."""
    check_request(request)

    async def opened() -> Reply:
        config, group = load_gateway(state.directory), load_ristretto()
        keys = read_keys(state, config, group, now=utc_now, random_bytes=os.urandom)
        members = await open_members(
            state,
            config,
            keys,
            policy=load_california(),
            group=group,
            signers=_Nobody(),
            now=utc_now,
            random_bytes=os.urandom,
        )
        try:
            if not isinstance(request, _ASKING):
                await _check_alone(members, state, config.log_origin, request)
            return await here(members)
        finally:
            await members.ledger.close()

    return act(state, here=opened, there=lambda socket: ask(socket, stub, there))


async def _check_alone(members: Members, state: State, origin: str, request: Message) -> None:
    """Nobody else knows this log. Where agencies use it they are asked first, by a start: it may have been put back.

    Raises `Unavailable`: NOT_READY, or REVOCATION_HELD for a revocation, which is kept and carried out by that start.
    """
    attested = await asyncio.to_thread(kept_attestations, state.attestations, origin)
    if not await members.knowing([AgencyId(each.agency) for each in attested]):
        return
    if isinstance(request, admin_pb2.RevokeMemberRequest):
        held = HeldRevocations(state.held_revocations)
        await asyncio.to_thread(held.keep_member, request.subject, keeps=lambda: True)
        raise Unavailable(ErrorReason.REVOCATION_HELD)
    raise Unavailable(ErrorReason.NOT_READY)


class _Nobody:
    """No holder is asked by a command: the serving process publishes what the command changed."""

    async def countersign(self, holder: KeyHolder, signed: SignedDirectory) -> Countersigned:
        """Always silent."""
        raise HolderSilent("no process serves")


def ask_status(state: State) -> admin_pb2.GetGatewayStatusResponse:
    """What the gateway says of itself; less of it while nothing serves. Raises `CommandFailure`."""
    request = admin_pb2.GetGatewayStatusRequest()
    reply: admin_pb2.GetGatewayStatusResponse = act_on_members(
        state,
        request,
        here=lambda members: _status(members, state),
        stub=AdminServiceStub,
        there=lambda stub: stub.GetGatewayStatus(request, timeout=TIMEOUT_SECONDS),
    )
    return reply


async def _status(members: Members, state: State) -> admin_pb2.GetGatewayStatusResponse:
    """Where the membership and the epochs of the token key stand, and whether an erasing waits for a start."""
    status = await members.administration.status()
    status.epochs.extend(await members.rotation.status())
    status.erasing_waits = await asyncio.to_thread(erasing_waits, state.youth_keys)
    return status
