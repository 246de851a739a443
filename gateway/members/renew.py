"""Renewal of channel certificates, and what happens when two holders renew one identity.

Decides by a generation counter: whoever renews names the generation in use. A state directory that was copied has two
holders; the first to renew takes the next generation, and the second, naming the old one, locks the identity for both
(SECURITY AN-05). The operator unlocks it by a new invitation. Repeating a renewal with the same key gives the same
certificate, because a lost answer must not lock anybody. After its certificate has ended an adapter has no channel to
renew over; it joins again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

from audit.log import INDEX, Append
from audit.transaction import Tx
from gateway.errors import EnvelopeInvalid, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.journal import DENY, Kind, draft
from gateway.exchange.receipts import act_receipt
from gateway.members import certificates, roster
from gateway.members.ca import Issued, Issuer, RequestRefused, read_request
from gateway.members.deny import DENY as PUT_DENIED
from gateway.members.deny import DenyList
from gateway.members.ledger import Ledger
from gateway.members.statements import open_statement
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId, county_of
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.spiffe import ChannelIdentity
from homeward.gateway.v1.directory_pb2 import (
    KEY_USE_ENVELOPE,
    CertificateRenewal,
    RenewCertificateResponse,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

FRESHNESS: Final = timedelta(seconds=60)


class _Claim(Enum):
    """What a renewal is, next to the newest certificate of its identity."""

    NEXT = auto()
    REPEATED = auto()
    STALE = auto()
    KEY_REUSED = auto()


class _Refused(Exception):
    """The identity's newest certificate is not the one the renewal was judged by."""

    def __init__(self, claim: _Claim) -> None:
        super().__init__(claim.name)
        self.claim = claim


class Renewal:
    """Renews the certificates of enrolled adapters."""

    def __init__(self, ledger: Ledger, issuer: Issuer, *, denied: DenyList, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._issuer = issuer
        self._denied = denied
        self._now = now

    async def renew(
        self, identity: ChannelIdentity, agency: AgencyId, envelope: SignedEnvelope
    ) -> RenewCertificateResponse:
        """The identity has a certificate of the next generation. `identity` and `agency` are the authenticated peer's.

        Raises `EnvelopeInvalid`, `Invalid`, `Unauthenticated` (the identity is now locked), `Unavailable`.
        """
        renewal = await self._open(agency, envelope)
        try:
            key = read_request(renewal.certificate_request)
        except RequestRefused as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=(f"certificate_request: {exc.rule}",)) from exc
        uri, digest = identity.uri, certificates.key_digest(key)
        issued = self._issuer.client(uri, key)
        entry = draft(
            Kind.CERTIFICATE_RENEWED,
            requester=agency,
            op={
                "agency": agency,
                "identity": uri,
                "certificate": certificates.certificate_digest(issued),
                "generation": renewal.generation + 1,
            },
        )
        project = _projection(uri, issued, generation=renewal.generation, digest=digest)
        try:
            await self._ledger.append(Append(entry, apply=project))
        except _Refused as refused:
            if refused.claim is _Claim.STALE:
                await self._lock(agency, uri, renewal.generation)
            if refused.claim is _Claim.KEY_REUSED:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("certificate_request: new_key",)) from refused
        newest = await self._ledger.read(lambda tx: certificates.newest(tx, uri))
        if newest is None or newest.key_digest != digest:
            raise Unauthenticated(ErrorReason.IDENTITY_LOCKED)
        issuing = await self._ledger.entries.entry(newest.leaf_index)
        return RenewCertificateResponse(
            certificate_chain=newest.chain, generation=newest.generation, receipt=act_receipt(issuing)
        )

    async def _open(self, agency: AgencyId, envelope: SignedEnvelope) -> CertificateRenewal:
        # The key comes from the table and not from the directory: an adapter whose county still waits for admission
        # must be able to renew.
        public_key = await self._ledger.read(lambda tx: _envelope_key(tx, agency, envelope.key_id, self._now()))
        if public_key is None:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID)
        try:
            renewal = unwrap(envelope, CertificateRenewal, public_key)
        except SignatureInvalid as exc:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID) from exc
        except MalformedMessage as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
        if abs(renewal.create_time.ToDatetime(UTC) - self._now()) > FRESHNESS:
            # An old renewal that is played again would otherwise look like a second holder.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("create_time: fresh",))
        return renewal

    async def _lock(self, agency: AgencyId, uri: str, generation: int) -> None:
        entry = draft(
            Kind.IDENTITY_LOCKED,
            requester=agency,
            op={
                "decision": DENY,
                "reason": ErrorReason.IDENTITY_LOCKED,
                "agency": agency,
                "identity": uri,
                "generation": generation,
            },
        )
        await self._ledger.append(Append(entry, rows=((PUT_DENIED, (uri, INDEX)),)))
        await self._denied.refresh(self._ledger)
        raise Unauthenticated(ErrorReason.IDENTITY_LOCKED)


def _projection(uri: str, issued: Issued, *, generation: int, digest: bytes) -> Callable[[Tx, int], None]:
    def apply(tx: Tx, index: int) -> None:
        claim = _claim(tx, uri, generation=generation, digest=digest)
        if claim is not _Claim.NEXT:
            raise _Refused(claim)
        certificates.remember(tx, index, issued=issued, uri=uri, generation=generation + 1, digest=digest)

    return apply


def _claim(tx: Tx, uri: str, *, generation: int, digest: bytes) -> _Claim:
    newest = certificates.newest(tx, uri)
    if newest is None:
        return _Claim.STALE
    if newest.generation == generation + 1 and newest.key_digest == digest:
        return _Claim.REPEATED
    if newest.generation != generation:
        return _Claim.STALE
    return _Claim.KEY_REUSED if certificates.is_key_used(tx, uri, digest) else _Claim.NEXT


def _envelope_key(tx: Tx, agency: AgencyId, key_id: bytes, at: datetime) -> bytes | None:
    row, root = roster.find_key(tx, key_id), roster.root_of(tx, county_of(agency))
    if row is None or root is None or row.agency != agency:
        return None
    statement = open_statement(SignedEnvelope.FromString(row.envelope), root_key=root, agency=agency)
    live = statement.effective_time.ToDatetime(UTC) <= at < statement.expire_time.ToDatetime(UTC)
    return statement.public_key if live and statement.use == KEY_USE_ENVELOPE else None
