"""AuthorityService: thin skin on `exchange/authorities`."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.exchange.authorities import AuthorityRecords, Booked
from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.receipts import receipt_message
from gateway.protocol.policy.facts import moment_of
from gateway.protocol.wire_names import to_wire
from gateway.recovery.held import Revoking
from gateway.rpc.incoming import Admission, admitted, call_of, on_record
from gateway.rpc.interceptor import current_peer
from homeward.gateway.v1 import authority_pb2 as pb
from homeward.gateway.v1.authority_pb2_grpc import AuthorityServiceServicer


class AuthorityServicer(AuthorityServiceServicer):
    """Parses, keeps, builds."""

    def __init__(
        self,
        records: AuthorityRecords,
        admission: Admission,
        *,
        now: Callable[[], datetime],
        revoking: Revoking,
    ) -> None:
        self._records = records
        self._admission = admission
        self._now = now
        self._revoking = revoking

    async def RecordAuthority(self, request: pb.RecordAuthorityRequest, context: Any) -> pb.RecordAuthorityResponse:
        """An authority is on record."""
        call = call_of(request, current_peer(), self._now())
        caller, message = await admitted(request, call, self._admission, pb.AuthorityRecord)
        kept = await on_record(call, self._admission, lambda: self._records.record(caller, message))
        return pb.RecordAuthorityResponse(
            outcome=to_wire(kept.outcome),  # type: ignore[arg-type]
            receipt=receipt_message(kept.entered.receipt(REQUESTER_OPENS)),
        )

    async def RevokeAuthority(self, request: pb.RevokeAuthorityRequest, context: Any) -> pb.RevokeAuthorityResponse:
        """An authority is revoked."""
        call = call_of(request, current_peer(), self._now())
        caller, message = await admitted(request, call, self._admission, pb.AuthorityRevocation)
        await self._revoking.call(call)
        kept = await on_record(call, self._admission, lambda: self._records.revoke(caller, message))
        return pb.RevokeAuthorityResponse(
            outcome=to_wire(kept.outcome),  # type: ignore[arg-type]
            receipt=receipt_message(kept.entered.receipt(REQUESTER_OPENS)),
        )

    async def ListAuthorities(self, request: pb.ListAuthoritiesRequest, context: Any) -> pb.ListAuthoritiesResponse:
        """The authorities of the peer's agency."""
        call = call_of(request, current_peer(), self._now())
        caller, message = await admitted(request, call, self._admission, pb.AuthorityFilter)
        kept = await on_record(call, self._admission, lambda: self._records.list_own(caller, message))
        return pb.ListAuthoritiesResponse(
            outcome=to_wire(kept.outcome),  # type: ignore[arg-type]
            authorities=[_listed(each) for each in kept.listed],
            next_page_token=kept.next_token,
            receipt=receipt_message(kept.entered.receipt(REQUESTER_OPENS)),
        )


def _listed(booked: Booked) -> pb.ListedAuthority:
    message = pb.ListedAuthority(authority=booked.envelope)
    message.recorded.index = booked.record_index
    message.recorded.create_time.FromDatetime(moment_of(booked.record_ms))
    if booked.revoke_ms is not None:
        message.revoke_time.FromDatetime(moment_of(booked.revoke_ms))
    return message
