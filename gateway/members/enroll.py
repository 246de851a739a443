"""Enrollment: an invitation becomes a member with keys and a first certificate.

In this order, and nothing is changed before the last step:

1. the ticket is known; redeemed by the same key, it gives the same answer again, because a dropped connection must not
   burn it; redeemed by another key, or past its end, it is refused, and the refusal is a leaf
2. the request proves possession of a P-256 key (`ca`)
3. every key statement is signed by the county root and about this agency (`statements`), and the request by the one
   envelope key among them (`enrollment_proof`): statements are public
4. it is the agency's one adapter, in the state directory that made the agency's list, or in place of a revoked one
   (`one_adapter`); else it is refused, the refusal is a leaf, and the ticket stays good
5. one transaction: leaf, ticket spent, county, member, keys, certificate (`tickets`, `roster`, `certificates`)

Does not decide whether the county counts: that takes the other holder's operator (`office`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from audit.entry import Draft
from audit.log import Append
from audit.transaction import Tx
from gateway.errors import Conflict, Error, ErrorReason, Invalid, Unauthenticated, Unavailable
from gateway.exchange.journal import DENY, Kind, draft
from gateway.exchange.receipts import act_receipt
from gateway.members import certificates, roster
from gateway.members.ca import Issued, Issuer, RequestRefused, read_request
from gateway.members.deny import ALLOW, DenyList
from gateway.members.ledger import Ledger
from gateway.members.one_adapter import Newcomer, check_newcomer, forget_list
from gateway.members.statements import StatedKey, check_statements
from gateway.members.tickets import Ticket, find_ticket, spend_ticket, ticket_digest
from gateway.protocol.enrollment_proof import check_request
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.spiffe import ChannelIdentity, ChannelKind
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE
from homeward.gateway.v1.enrollment_pb2 import EnrollRequest, EnrollResponse


class _TicketSpent(Exception):
    """Another redemption came first."""


@dataclass(frozen=True, slots=True)
class _Redemption:
    """Everything that one transaction will write."""

    ticket: Ticket
    digest: bytes
    newcomer: Newcomer
    key_digest: bytes
    issued: Issued
    root_key: bytes
    removed: int | None
    """So many youths leave the index; None where the list stays."""


class Enrollment:
    """Redeems invitations."""

    def __init__(
        self,
        ledger: Ledger,
        issuer: Issuer,
        *,
        trust_domain: str,
        ca_certificates: bytes,
        denied: DenyList,
        changed: Callable[[], None],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._issuer = issuer
        self._trust_domain = trust_domain
        self._ca_certificates = ca_certificates
        self._denied = denied
        self._changed = changed
        self._now = now

    async def redeem(self, request: EnrollRequest) -> EnrollResponse:
        """The agency is a member and this is its certificate. `request` keeps the rules of its .proto.

        Raises `Unauthenticated` (ticket unknown or ended), `Conflict` (ticket used; another county root; as
        `one_adapter`), `Invalid`, `Unavailable`.
        """
        try:
            key = read_request(request.certificate_request)
        except RequestRefused as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"certificate_request: {exc.rule}",)) from exc
        digest, key_digest = ticket_digest(request.ticket), certificates.key_digest(key)
        ticket = await self._ledger.read(lambda tx: find_ticket(tx, digest))
        if ticket is None:
            raise Unauthenticated(ErrorReason.TICKET_UNKNOWN)
        identity = self._identity(ticket.agency, request.instance)
        now = self._now()
        if ticket.redeemed_by is not None or ticket.expire_ms <= milliseconds(now):
            return await self._answer_spent(ticket, identity, key_digest)
        newcomer = Newcomer(
            agency=ticket.agency,
            identity=identity,
            keys=_keys(request, ticket.agency, now),
            has_sources=request.has_sources,
        )
        try:
            removed = await self._ledger.read(lambda tx: check_newcomer(tx, newcomer, now))
        except Conflict as refusal:
            raise await self._recorded(refusal, ticket, identity) from refusal
        redemption = _Redemption(
            ticket, digest, newcomer, key_digest, self._issuer.client(identity, key), request.county_root_key, removed
        )
        try:
            await self._ledger.append(Append(_entry(redemption), apply=self._projection(redemption)))
        except _TicketSpent:
            ticket = await self._ledger.read(lambda tx: find_ticket(tx, digest)) or ticket
            return await self._answer_spent(ticket, identity, key_digest)
        await self._denied.refresh(self._ledger)
        self._changed()
        return await self._answer(redemption.issued.serial)

    def _identity(self, agency: AgencyId, instance: str) -> str:
        return ChannelIdentity(self._trust_domain, ChannelKind.ADAPTER, instance, agency).uri

    def _projection(self, redemption: _Redemption) -> Callable[[Tx, int], None]:
        ticket, newcomer = redemption.ticket, redemption.newcomer

        def apply(tx: Tx, index: int) -> None:
            serial, now = redemption.issued.serial, self._now()
            if check_newcomer(tx, newcomer, now) != redemption.removed:
                # The entry says another number: the agency's list has changed since, and this is asked again.
                raise Unavailable(ErrorReason.NOT_READY)
            if not spend_ticket(
                tx, redemption.digest, key_digest=redemption.key_digest, serial=serial, now_ms=milliseconds(now)
            ):
                raise _TicketSpent
            if redemption.removed is not None:
                forget_list(tx, newcomer.agency)
            roster.enter(
                tx,
                index,
                ticket=ticket,
                root_key=redemption.root_key,
                keys=newcomer.keys,
                has_sources=newcomer.has_sources,
            )
            before = certificates.newest(tx, newcomer.identity)
            certificates.remember(
                tx,
                index,
                issued=redemption.issued,
                uri=newcomer.identity,
                generation=before.generation + 1 if before else 1,
                digest=redemption.key_digest,
            )
            # The operator's new invitation lifts a revocation, and unlocks an identity that two holders renewed.
            tx.many(ALLOW, [(ticket.agency,), (newcomer.identity,)])

        return apply

    async def _answer_spent(self, ticket: Ticket, identity: str, key_digest: bytes) -> EnrollResponse:
        """The same answer for the key that spent the ticket; else a leaf and a refusal."""
        live = ticket.expire_ms > milliseconds(self._now())
        if ticket.serial is not None and live and ticket.redeemed_by == key_digest:
            return await self._answer(ticket.serial)
        refusal: Error = Unauthenticated(ErrorReason.TICKET_EXPIRED)
        if ticket.redeemed_by is not None:
            refusal = Conflict(ErrorReason.TICKET_USED)
        raise await self._recorded(refusal, ticket, identity)

    async def _recorded(self, refusal: Error, ticket: Ticket, identity: str) -> Error:
        """The refusal, which is a leaf."""
        entry = draft(
            Kind.REFUSED,
            requester=ticket.agency,
            op={"decision": DENY, "reason": refusal.reason, "agency": ticket.agency, "identity": identity},
        )
        await self._ledger.refusals.take(ticket.agency, refusal.reason, entry)
        return refusal

    async def _answer(self, serial: str) -> EnrollResponse:
        issued = await self._ledger.read(lambda tx: certificates.by_serial(tx, serial))
        if issued is None:
            raise Unauthenticated(ErrorReason.TICKET_UNKNOWN)
        return EnrollResponse(
            certificate_chain=issued.chain,
            ca_certificates=self._ca_certificates,
            spiffe_id=issued.uri,
            generation=issued.generation,
            receipt=act_receipt(await self._ledger.entries.entry(issued.leaf_index)),
        )


def _keys(request: EnrollRequest, agency: AgencyId, now: datetime) -> tuple[StatedKey, ...]:
    """The keys that the request brings, by whoever has the envelope key's private half. Raises `Invalid`."""
    keys = check_statements(request.keys, root_key=request.county_root_key, agency=agency, now=now)
    envelope_keys = [key.public_key for key in keys if key.use == KEY_USE_ENVELOPE]
    if len(envelope_keys) != 1:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("keys: one_envelope_key",))
    try:
        check_request(request, envelope_keys[0])
    except SignatureInvalid as exc:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("signature: envelope_key",)) from exc
    return keys


def _entry(redemption: _Redemption) -> Draft:
    newcomer = redemption.newcomer
    removed = {} if redemption.removed is None else {"removed": redemption.removed}
    return draft(
        Kind.ENROLL_REDEEMED,
        requester=newcomer.agency,
        op={
            "agency": newcomer.agency,
            "agency_kind": redemption.ticket.kind,
            "identity": newcomer.identity,
            "certificate": certificates.certificate_digest(redemption.issued),
            "county_root": hashlib.sha256(redemption.root_key).digest(),
            "keys": b"".join(key.key_id for key in newcomer.keys),
            **removed,
        },
    )
