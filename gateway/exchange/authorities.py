"""Authorities on record: recorded by their issuer, revoked by whom they bind, listed to their parties.

Decides when an authority may be recorded: signed by the caller's own agency, complete for its
kind, not over yet, about a youth the issuer lists where it names one by handle. A revocation is
effective when it is acknowledged: its row changes in the transaction of its leaf, and every
release re-reads that row (`spine` step 12). Nobody is asked why (DOMAIN §3.4).

Whether an authority is worth anything for a use is decided at every use anew (`protocol/authority`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from audit.sequencer import Append
from gateway.errors import Conflict, ErrorReason, Invalid
from gateway.exchange.authority_leaves import audit_key, recorded_leaf, revoked_leaf, stop_use
from gateway.exchange.call import Caller
from gateway.exchange.deed import (
    Deed,
    Deeds,
    both,
    denied_leaf,
    enter_once,
    on_what_stands,
    opened,
    outcome_of_refusal,
    reading,
    standing,
    worker,
)
from gateway.exchange.journal import ALLOW, Kind, draft
from gateway.exchange.setting import Setting
from gateway.ports import Entered, Guard, Rows
from gateway.protocol.authority import GRANTORS, Authority, consent_gaps
from gateway.protocol.authority_wire import AuthorityInvalid, open_authority
from gateway.protocol.names import AgencyId, AuthorityId, Basis, Purpose, RequestId, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.policy.rules import EmergencyRule
from homeward.gateway.v1 import authority_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

DEFAULT_PAGE: Final = 50
_FETCH: Final = 200
_TOKEN_BYTES: Final = 8
_LAST_INDEX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Booked:
    """A recorded authority. Times are milliseconds since 1970, UTC."""

    authority_id: AuthorityId
    issuer: AgencyId
    envelope: SignedEnvelope = field(repr=False)
    """As signed; verified when it was recorded."""
    revoke_ms: int | None
    """Of its revocation, or of the declared loss of entries since it was recorded; 0 where its youth was sealed."""
    record_index: int
    record_ms: int
    ended_by_loss: bool = False
    """Not revoked, as far as is known, but from before the last declared loss; its issuer may present it again."""

    @property
    def message(self) -> pb.Authority:
        """What it says."""
        return pb.Authority.FromString(self.envelope.payload)

    @property
    def parties(self) -> frozenset[AgencyId]:
        """Issuer and recipients: who may see and revoke it. Nobody where its youth was sealed, and it says no more."""
        if not self.envelope.payload:
            return frozenset()
        return frozenset({self.issuer, *map(AgencyId, self.message.recipient_agencies)})

    @property
    def handle(self) -> SubjectHandle | None:
        """The issuer's handle of the youth; None where the youth is named by tokens."""
        subject = self.message.subject
        return SubjectHandle(subject.handle) if subject.WhichOneof("subject") == "handle" else None


class AuthorityBook(Protocol):
    """Recorded authorities, to change and to list."""

    async def find(self, authority_id: AuthorityId) -> Booked | None:
        """The authority, revoked or not, or None."""

    async def of(self, agency: AgencyId, *, after: int, limit: int) -> Sequence[Booked]:
        """Authorities this agency is a party of, by index of their leaves, after this index."""

    def absent(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` when an authority of this identifier was recorded meanwhile."""

    async def put(
        self, authority_id: AuthorityId, issuer: AgencyId, envelope: SignedEnvelope, parties: frozenset[AgencyId]
    ) -> Rows:
        """The authority is on record. Raises `Conflict` for an identifier whose youth was sealed."""

    async def revoke(self, authority_id: AuthorityId, at_ms: int) -> Rows:
        """The authority is revoked; the first revocation counts. Raises `Moved` when its youth was sealed meanwhile."""

    def ended_by_loss(self, authority_id: AuthorityId) -> Guard:
        """Raises `Moved` unless a declared loss, and no revocation, has ended the authority."""

    async def stand_again(self, authority_id: AuthorityId, envelope: SignedEnvelope) -> Rows:
        """The authority is on record from this entry on, under the signature that the entry names."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a call about authorities, before it is a message."""

    outcome: Outcome
    entered: Entered = field(repr=False)
    listed: tuple[Booked, ...] = ()
    next_token: bytes = b""


class Listed(Protocol):
    """Which youths agencies list."""

    async def is_listed(self, agency: AgencyId, handle: SubjectHandle) -> bool:
        """Whether the agency lists a youth under this handle."""

    def stays_listed(self, agency: AgencyId, handle: SubjectHandle) -> Guard:
        """Raises `Moved` when the agency lists the youth no longer: removed, or sealed."""


class AuthorityRecords:
    """Keeps authorities. Every call raises `Conflict` and `Unavailable`."""

    def __init__(self, at: Setting, book: AuthorityBook, deeds: Deeds, *, listed: Listed) -> None:
        self._at = at
        self._book = book
        self._deeds = deeds
        self._listed = listed

    async def record(self, caller: Caller, message: pb.AuthorityRecord) -> Kept:
        """The authority is on record, once. Raises `Invalid`."""
        deed = Deed(RequestId(message.request_id), caller.claims.request_digest)
        settled = await self._settled(caller, deed, purpose=caller.claims.purpose)
        if settled is not None:
            return settled
        return await on_what_stands(lambda: self._record(caller, deed, message.authority))

    async def revoke(self, caller: Caller, message: pb.AuthorityRevocation) -> Kept:
        """The authority is revoked: no release that relies on it has a higher index. Raises `Invalid`."""
        deed = Deed(RequestId(message.request_id), caller.claims.request_digest)
        settled = await self._settled(caller, deed, purpose=None)
        if settled is not None:
            return settled
        return await on_what_stands(lambda: self._revoke(caller, deed, AuthorityId(message.authority_id)))

    async def list_own(self, caller: Caller, message: pb.AuthorityFilter) -> Kept:
        """The authorities the caller's agency issued or is named in; that they were listed is on record first.

        Raises `Invalid`.
        """
        token = message.page_token
        # That no authority has the index tells nothing: a youth that was sealed since takes its authorities along.
        if token and (len(token) != _TOKEN_BYTES or int.from_bytes(token, "big") > _LAST_INDEX):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("page_token: own",))
        deed = reading(caller)
        reason = standing(self._at.policy, caller)
        if reason is not None:
            return await self._deny(caller, deed, reason, purpose=None)
        leaf = draft(
            Kind.AUTHORITY_LISTED,
            requester=caller.agency,
            op={"decision": ALLOW, "outcome": Outcome.ANSWERED},
            req={"worker": worker(caller), "request": deed.digest},
        )
        once = self._at.projections.once(caller, deed)
        entered = await self._at.journal.enter(Append(leaf, once.guard, once.rows, seeks=once.seeks))
        listed, more = await self._page(caller, message)
        token = listed[-1].record_index.to_bytes(_TOKEN_BYTES, "big") if more else b""
        return Kept(Outcome.ANSWERED, entered, tuple(listed), token)

    async def _settled(self, caller: Caller, deed: Deed, *, purpose: Purpose | None) -> Kept | None:
        """What became of the request already: the same as the first time, or the policy's refusal."""
        before = await self._deeds.done(caller, deed)
        if before is not None:
            return Kept(Outcome(opened(before, "outcome")), before)
        reason = standing(self._at.policy, caller)
        return None if reason is None else await self._deny(caller, deed, reason, purpose=purpose)

    async def _record(self, caller: Caller, deed: Deed, envelope: SignedEnvelope) -> Kept:
        try:
            authority = open_authority(envelope, self._at.directory(), caller.call.received_at)
        except AuthorityInvalid as exc:
            raise _invalid("authority: signed_by_issuer") from exc
        emergency = self._at.policy.emergency
        check_recordable(authority, caller.agency, now=caller.call.received_at, emergency=emergency)
        handle = handle_of(authority)
        if handle is not None and not await self._listed.is_listed(caller.agency, handle):
            raise _invalid("authority.subject.handle: unknown")
        rows = Rows()
        known = await self._book.find(authority.authority_id)
        if known is None:
            parties = frozenset({authority.issuer_agency, *authority.recipient_agencies})
            guard = self._book.absent(authority.authority_id)
            rows = await self._book.put(authority.authority_id, authority.issuer_agency, envelope, parties)
        elif (known.issuer, known.envelope.payload) != (caller.agency, envelope.payload):
            raise Conflict(ErrorReason.ID_REUSED)
        else:
            guard = self._at.authorities.speaks(authority.authority_id)
        if handle is not None:
            # What a seal takes away with the youth was found before its entry; nothing may follow it.
            stays = self._listed.stays_listed(caller.agency, handle)
            guard = both(stays, guard)
        # Recorded again under another request: on record again, and nothing changes.
        key = await audit_key(self._at.youth_keys, authority.authority_id, issuer=caller.agency, handle=handle)
        leaf = recorded_leaf(caller, deed, authority, signature=envelope.signature, handle=handle, key=key)
        entered = await enter_once(self._at, self._deeds, caller, deed, leaf, guard=guard, rows=rows)
        return Kept(Outcome.RECORDED, entered)

    async def _revoke(self, caller: Caller, deed: Deed, authority_id: AuthorityId) -> Kept:
        booked = await self._book.find(authority_id)
        if booked is None or caller.agency not in booked.parties:
            # Somebody else's authority and none at all are one answer.
            raise Invalid(ErrorReason.AUTHORITY_NOT_FOUND)
        at, handle, at_ms = self._at, booked.handle, milliseconds(caller.call.received_at)
        # Only the first revocation stops anything that a second one could.
        members = [party for party in booked.parties if at.directory().member(party) is not None]
        alerts = stop_use(
            caller.agency,
            members if booked.revoke_ms is None else (),
            at_ms=at_ms,
            authority_id=authority_id,
            issuer=booked.issuer,
            handle=handle,
            pairwise=at.pairwise,
        )
        key = await audit_key(at.youth_keys, authority_id, issuer=booked.issuer, handle=handle)
        leaf = revoked_leaf(caller, deed, authority_id, at_ms=at_ms, issuer=booked.issuer, handle=handle, key=key)
        rows = await self._book.revoke(authority_id, at_ms)
        guard = at.authorities.speaks(authority_id)
        entered = await enter_once(at, self._deeds, caller, deed, leaf, guard=guard, rows=rows, alerts=alerts)
        return Kept(Outcome.RECORDED, entered)

    async def _page(self, caller: Caller, message: pb.AuthorityFilter) -> tuple[list[Booked], bool]:
        size = message.page_size or DEFAULT_PAGE
        after, found = int.from_bytes(message.page_token, "big") if message.page_token else -1, list[Booked]()
        while len(found) <= size:
            batch = await self._book.of(caller.agency, after=after, limit=_FETCH)
            now = caller.call.received_at
            found += [
                each
                for each in batch
                # In an older copy of the database one whose youth was sealed since still has its parties.
                if each.parties and (not message.live_only or (each.revoke_ms is None and _expires(each.message) > now))
            ]
            if len(batch) < _FETCH:
                break
            after = batch[-1].record_index
        return found[:size], len(found) > size

    async def _deny(self, caller: Caller, deed: Deed, reason: Reason, *, purpose: Purpose | None) -> Kept:
        leaf = denied_leaf(caller, deed, reason, policy=self._at.policy.version, purpose=purpose)
        return Kept(outcome_of_refusal(reason), await enter_once(self._at, self._deeds, caller, deed, leaf))


def check_recordable(authority: Authority, agency: AgencyId, *, now: datetime, emergency: EmergencyRule) -> None:
    """The agency may put the authority, which its county signed, on record now. Raises `Invalid`."""
    if authority.issuer_agency != agency:
        raise _invalid("authority.issuer_agency: own")
    gaps = consent_gaps(authority)
    if gaps:
        raise _invalid(*(f"authority.{name}: required" for name in gaps))
    if authority.grantor not in GRANTORS[authority.basis]:
        raise _invalid("authority.grantor: power")
    if authority.expire_time <= now:
        raise _invalid("authority.expire_time: future")
    longest = timedelta(seconds=emergency.max_life_seconds)
    if authority.basis is Basis.EMERGENCY and authority.expire_time - authority.effective_time > longest:
        raise _invalid("authority.expire_time: emergency")


def handle_of(authority: Authority) -> SubjectHandle | None:
    """The issuer's handle of the youth; None where the youth is named by tokens."""
    return authority.subject.handle if authority.subject is not None else None


def _expires(message: pb.Authority) -> datetime:
    return message.expire_time.ToDatetime(UTC)


def _invalid(*fields: str) -> Invalid:
    return Invalid(ErrorReason.AUTHORITY_INVALID, fields=fields)
