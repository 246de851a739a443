"""What an enrolled adapter asks of the membership: the directory, a new certificate, the pepper.

Decides what each answer holds; who may ask is settled before (`rpc/methods`). Envelopes of offers are checked against
the published directory, like those of every machine-only call.
"""

from collections.abc import Callable
from datetime import datetime

from audit.transaction import Tx
from gateway.errors import EnvelopeInvalid, ErrorReason, Invalid, Unavailable
from gateway.exchange.receipts import act_receipt
from gateway.members import pepper, roster
from gateway.members.composition import Exchange, live_epochs
from gateway.members.ledger import Ledger
from gateway.members.office import DirectoryOffice
from gateway.members.refusals import on_record
from gateway.members.renew import Renewal
from gateway.ports import Entered
from gateway.protocol.directory import KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId, county_of
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.signing import SignatureInvalid
from gateway.protocol.spiffe import ChannelIdentity
from homeward.gateway.v1 import directory_pb2

Clock = Callable[[], datetime]


class Membership:
    """Answers members. `agency` and `identity` are always the authenticated peer's."""

    def __init__(
        self, ledger: Ledger, office: DirectoryOffice, renewal: Renewal, *, exchange: Exchange, now: Clock
    ) -> None:
        self._ledger = ledger
        self._office = office
        self._renewal = renewal
        self._exchange = exchange
        self._now = now

    async def directory(self, known_version: int) -> directory_pb2.GetDirectoryResponse:
        """The published directory, unless the caller holds it, and how many members still wait for their county."""
        waiting = self._office.waiting_counties
        pending = await self._ledger.read(lambda tx: _count_members_of(tx, waiting)) if waiting else 0
        view = self._office.view()
        if view is None or view.version <= known_version:
            return directory_pb2.GetDirectoryResponse(pending_count=pending)
        return directory_pb2.GetDirectoryResponse(directory=self._office.current(), pending_count=pending)

    async def renew(
        self, identity: ChannelIdentity, agency: AgencyId, request: directory_pb2.RenewCertificateRequest
    ) -> directory_pb2.RenewCertificateResponse:
        """A certificate of the next generation; see `renew`."""
        work = self._renewal.renew(identity, agency, request.envelope)
        return await on_record(self._ledger, agency, asked="RenewCertificate", work=work)

    async def offer_pepper(
        self, agency: AgencyId, request: directory_pb2.OfferPepperRequest
    ) -> directory_pb2.OfferPepperResponse:
        """What the offer holds for members that wait is stored.

        Raises `EnvelopeInvalid`, `Invalid`, `Conflict`, `Unavailable`.
        """
        work = self._take_offer(agency, request)
        entered = await on_record(self._ledger, agency, asked="OfferPepper", work=work)
        return directory_pb2.OfferPepperResponse(receipt=act_receipt(entered))

    async def _take_offer(self, agency: AgencyId, request: directory_pb2.OfferPepperRequest) -> Entered:
        view = self._office.view()
        if view is None:
            raise Unavailable(ErrorReason.NOT_READY)
        envelope = request.envelope
        try:
            key = view.key(agency, directory_pb2.KEY_USE_ENVELOPE, envelope.key_id, self._now())
            offer = unwrap(envelope, directory_pb2.PepperOffer, key)
        except (KeyUnknown, SignatureInvalid) as exc:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID) from exc
        except MalformedMessage as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
        await self._ledger.read(lambda tx: self._check_epoch(tx, offer.epoch))
        return await pepper.store_offer(self._ledger, agency, envelope, offer, changed=self._office.changed)

    async def fetch_pepper(self, agency: AgencyId, epoch: str) -> directory_pb2.FetchPepperResponse:
        """Where the pepper of the epoch stands for the caller. Raises `Invalid` for one that is not answered."""
        await self._ledger.read(lambda tx: self._check_epoch(tx, epoch))
        standing = await self._ledger.read(lambda tx: pepper.standing(tx, epoch, agency))
        if standing.part is not None:
            return directory_pb2.FetchPepperResponse(
                state=directory_pb2.PEPPER_STATE_AVAILABLE,
                sealed_pepper=standing.part.sealed,
                commitment=standing.commitment,
                offer=standing.part.offer,
                waiting_agencies=standing.waiting,
            )
        state = directory_pb2.PEPPER_STATE_WAITING if standing.commitment else directory_pb2.PEPPER_STATE_ABSENT
        return directory_pb2.FetchPepperResponse(state=state, commitment=standing.commitment)

    def _check_epoch(self, tx: Tx, epoch: str) -> None:
        current, others = live_epochs(tx, self._exchange)
        if epoch != current and epoch not in others:
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)


def _count_members_of(tx: Tx, counties: frozenset[str]) -> int:
    return sum(county_of(member.agency) in counties for member in roster.all_members(tx))
