"""What the gateway's operator does: invite, trust a holder, revoke, look.

Decides what an invitation pins: the enrollment listener's certificate, the gateway's signing key and every other
signer's, so that a county that holds the line needs to believe nobody on the way. The same object serves the admin
socket and the commands that run while nothing serves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from audit.statement import Statement
from audit.tables import TREE
from audit.transaction import Tx
from gateway.errors import Error, ErrorReason
from gateway.members import certificates, roster
from gateway.members.composition import Exchange, other_holders
from gateway.members.deny import DenyList, read_denied
from gateway.members.holders import trust_holder
from gateway.members.ledger import Ledger
from gateway.members.office import DirectoryOffice
from gateway.members.revoke import revoke
from gateway.members.tickets import Lines, count_open, issue_ticket
from gateway.protocol.invitation import encode
from gateway.protocol.names import AgencyId, AgencyKind
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.wire_names import from_wire, to_wire
from gateway.store import tables
from gateway.store.tally import held_agencies, release_lookups
from homeward.gateway.v1 import admin_pb2
from homeward.gateway.v1.directory_pb2 import KeyHolder
from homeward.gateway.v1.enrollment_pb2 import Invitation

_SIZE: Final = Statement(select(TREE.c.size))
_URIS: Final = Statement(select(tables.certificate.c.uri, func.max(tables.certificate.c.generation)).group_by("uri"))


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a newcomer finds the exchange, and by what it recognizes it."""

    trust_domain: str
    gateway_address: str
    enrollment_address: str
    enrollment_certificate_digest: bytes
    """SHA-256 of the DER certificate of the enrollment listener."""
    gateway_key: bytes
    """Raw Ed25519 key that signs directories."""


class Administration:
    """The operator's acts on one gateway. Requests keep the rules of their .proto."""

    def __init__(
        self,
        ledger: Ledger,
        doors: Doors,
        *,
        exchange: Exchange,
        denied: DenyList,
        office: DirectoryOffice,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._doors = doors
        self._exchange = exchange
        self._denied = denied
        self._office = office
        self._now = now
        self._random_bytes = random_bytes

    async def invite(self, request: admin_pb2.InviteRequest) -> admin_pb2.InviteResponse:
        """One live ticket more. Raises `Error` (HOLDER_MISSING), `Invalid`, `Unavailable`."""
        holders = await self._ledger.read(other_holders)
        if not holders:
            # Without another signer's key the line could not pin what makes the gateway unable to mint a county.
            raise Error(ErrorReason.HOLDER_MISSING)
        expires = self._now() + request.life.ToTimedelta()
        ticket = await issue_ticket(
            self._ledger,
            agency=AgencyId(request.agency),
            kind=from_wire(AgencyKind, request.kind),
            lines=Lines(request.duty_line, request.hotline),
            change_lines=request.change_lines,
            expires=expires,
            random_bytes=self._random_bytes,
        )
        invitation = Invitation(
            trust_domain=self._doors.trust_domain,
            agency=request.agency,
            kind=request.kind,
            enrollment_address=self._doors.enrollment_address,
            enrollment_certificate_digest=self._doors.enrollment_certificate_digest,
            gateway_address=self._doors.gateway_address,
            gateway_key=self._doors.gateway_key,
            holder_keys=[holder.directory_key for holder in holders],
            log_origin=self._exchange.log_origin,
            log_key=self._exchange.log_key,
            ticket=ticket,
        )
        invitation.expire_time.FromDatetime(expires)
        return admin_pb2.InviteResponse(line=encode(invitation), expire_time=invitation.expire_time)

    async def trust_holder(self, request: admin_pb2.TrustHolderRequest) -> admin_pb2.TrustHolderResponse:
        """The holder is on record, and the next directory lists it. Raises `Conflict`, `Invalid`, `Unavailable`."""
        holder = KeyHolder(
            share_index=request.share_index,
            operator=request.operator,
            address=request.address,
            ca_certificate=request.ca_certificate,
            directory_key=request.directory_key,
            share_commitment=request.share_commitment,
            log_origin=request.log_origin,
            log_key=request.log_key,
        )
        await trust_holder(self._ledger, holder, exchange=self._exchange)
        self._office.changed()
        return admin_pb2.TrustHolderResponse()

    async def revoke(self, request: admin_pb2.RevokeMemberRequest) -> admin_pb2.RevokeMemberResponse:
        """The subject is denied. Raises `Invalid`, `Unavailable`."""
        index = await revoke(self._ledger, request.subject, denied=self._denied, changed=self._office.changed)
        return admin_pb2.RevokeMemberResponse(leaf_index=index)

    async def release_lookups(self, request: admin_pb2.ReleaseLookupsRequest) -> admin_pb2.ReleaseLookupsResponse:
        """The agency may look up again. Raises `Error` (LOOKUPS_NOT_HELD), `Unavailable`."""
        index = await release_lookups(self._ledger, AgencyId(request.agency))
        return admin_pb2.ReleaseLookupsResponse(leaf_index=index)

    async def status(self) -> admin_pb2.GetGatewayStatusResponse:
        """Where everything stands, in one state of the database."""
        status = await self._ledger.read(lambda tx: _status(tx, now_ms=milliseconds(self._now())))
        view = self._office.view()
        status.trust_domain = self._doors.trust_domain
        status.log_state = self._ledger.log.state.value
        status.directory_version = view.version if view else 0
        status.waiting_counties.extend(sorted(self._office.waiting_counties))
        if self._office.unpublished_since is not None:
            status.unpublished_since_time.FromDatetime(self._office.unpublished_since)
        return status


def _status(tx: Tx, *, now_ms: int) -> admin_pb2.GetGatewayStatusResponse:
    size = tx.one(_SIZE)
    return admin_pb2.GetGatewayStatusResponse(
        log_size=size[0] if size else 0,
        members=_members(tx),
        holders=[holder.operator for holder in other_holders(tx)],
        open_invitation_count=count_open(tx, now_ms),
        held_agencies=held_agencies(tx),
    )


def _members(tx: Tx) -> list[admin_pb2.MemberStatus]:
    denied = read_denied(tx)
    instances: dict[str, list[admin_pb2.InstanceStatus]] = {}
    for uri, _ in tx.all(_URIS):
        newest = certificates.newest(tx, uri)
        if newest is not None:
            row = admin_pb2.InstanceStatus(spiffe_id=uri, generation=newest.generation, denied=uri in denied)
            row.expire_time.FromDatetime(moment_of(newest.expire_ms))
            instances.setdefault(certificates.agency_of(uri), []).append(row)
    return [
        admin_pb2.MemberStatus(
            agency=member.agency,
            kind=to_wire(member.kind),  # type: ignore[arg-type]  # numbers of an enum are its values on the wire
            suspended=member.suspended,
            instances=instances.get(member.agency, []),
        )
        for member in roster.all_members(tx)
    ]
