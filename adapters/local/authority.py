"""AuthorityService: consents, orders, agreements and emergencies, for county systems. Parse, ask, build."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.errors import ErrorReason, Invalid
from adapters.local.interceptor import current_call
from adapters.local.wire import Reading, birth_date, moment, not_a_token, number, person, receipt, stamp
from adapters.node.authorities import Permission, Registrar
from adapters.records import LocalSubjectId
from gateway.protocol.names import (
    AuthorityId,
    Basis,
    FieldSet,
    Grantor,
    NameSyntaxError,
    Purpose,
    parse_agency_id,
    parse_role,
)
from gateway.protocol.wire_names import from_wire
from homeward.county.v1 import authority_pb2, authority_pb2_grpc

DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class AuthorityEdge:
    """What the service needs."""

    reading: Reading = field(repr=False)
    registrar: Registrar = field(repr=False)
    policy_version: Callable[[], str]


class AuthorityServicer(authority_pb2_grpc.AuthorityServiceServicer):
    """Serves `homeward.county.v1.AuthorityService`."""

    def __init__(self, edge: AuthorityEdge) -> None:
        self._at = edge

    async def RecordAuthority(
        self, request: authority_pb2.RecordAuthorityRequest, context: Any
    ) -> authority_pb2.RecordAuthorityResponse:
        """An authority is on record."""
        call = current_call()
        permission = _permission(request, self._at.reading.now())
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=permission.purposes[0],
        )
        done = await self._at.registrar.record(entry, permission, call.deadline)
        return authority_pb2.RecordAuthorityResponse(
            outcome=number(done.outcome),
            authority_id=done.authority_id.hex(),
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def RevokeAuthority(
        self, request: authority_pb2.RevokeAuthorityRequest, context: Any
    ) -> authority_pb2.RevokeAuthorityResponse:
        """An authority is revoked."""
        call = current_call()
        # A revocation has no purpose of use; the claim names the review of who may receive what.
        entry = self._at.reading.entry(
            request,
            call,
            request_id=request.request_id,
            role=request.role,
            purpose=Purpose.OVERSIGHT_AUDIT,
        )
        identifier = AuthorityId(bytes.fromhex(request.authority_id))
        done = await self._at.registrar.revoke(entry, identifier, call.deadline)
        return authority_pb2.RevokeAuthorityResponse(
            outcome=number(done.outcome),
            receipt=receipt(done.receipt, entry.request_id, self._at.policy_version()),
        )

    async def ListAuthorities(
        self, request: authority_pb2.ListAuthoritiesRequest, context: Any
    ) -> authority_pb2.ListAuthoritiesResponse:
        """Authorities the agency issued or is named in."""
        call = current_call()
        entry = self._at.reading.entry(request, call, request_id="", role=request.role, purpose=Purpose.OVERSIGHT_AUDIT)
        page = await self._at.registrar.page(
            entry,
            live_only=request.live_only,
            page_size=request.page_size or DEFAULT_PAGE_SIZE,
            page_token=_token(request.page_token),
            deadline=call.deadline,
        )
        return authority_pb2.ListAuthoritiesResponse(
            authorities=[
                authority_pb2.ListedAuthority(
                    authority=each.authority,
                    authority_id=each.authority.authority_id.hex(),
                    revoke_time=stamp(each.revoked),
                )
                for each in page.authorities
            ],
            next_page_token=page.next_token.hex(),
            receipt=receipt(page.receipt, entry.request_id, self._at.policy_version()),
        )


def _permission(request: authority_pb2.RecordAuthorityRequest, now: datetime) -> Permission:
    try:
        recipients = tuple(parse_agency_id(each) for each in request.recipient_agencies)
        roles = tuple(parse_role(each) for each in request.recipient_roles)
    except NameSyntaxError as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("recipient_roles: unknown",)) from exc
    return Permission(
        youth=person(request.youth, now),
        birth_date=birth_date(request.youth, now),
        local_id=LocalSubjectId(request.local_id) if request.local_id else None,
        basis=from_wire(Basis, request.basis),
        grantor=from_wire(Grantor, request.grantor),
        purposes=tuple(from_wire(Purpose, each) for each in request.purposes),
        field_sets=tuple(from_wire(FieldSet, each) for each in request.field_sets),
        recipient_agencies=recipients,
        recipient_roles=roles,
        effective=moment(request.effective_time, "effective_time") if request.HasField("effective_time") else now,
        expires=moment(request.expire_time, "expire_time"),
        evidence_reference=request.evidence_reference,
        language_text=request.language_text,
        copy_given_to_youth=request.copy_given_to_youth,
    )


def _token(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise not_a_token() from None
