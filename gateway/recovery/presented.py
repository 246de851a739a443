"""What adapters present again after a declared loss: authorities, their revocations, flags; reports are next door.

The lost entries may have recorded or revoked any of them, so the exchange believes none from before
(`store.authorities`, `tokens.index`). Nobody need do again what a person did: the county signed it then, and its
adapter kept it. In this order:

1. entries were declared lost, not more than 30 days ago, and the event is for the log in force
2. the county's own signature is on the very authority or statement, which has not ended; of a report, `reported`
3. what stands since the loss stays as it is; so does what was revoked, for good
4. one leaf, and the row in its transaction; a refusal is a leaf, too, unless waiting mends it

Why a signature is enough, and no proof is asked that the event was on record: the keys that sign authorities and flags
are in the adapter that also signs what its staff do, so that whoever has them can record the same anew at any time.
What is not known here is a revocation that its party's adapter has lost, too; an issuer's adapter that was told of one
presents no authority it may be about (`adapters.node.present`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from audit.sequencer import Append
from gateway.errors import Conflict, Error, ErrorReason, Invalid
from gateway.exchange.alerting import tell
from gateway.exchange.authorities import AuthorityBook, check_recordable, handle_of
from gateway.exchange.authority_leaves import about, audit_key, stop_use
from gateway.exchange.deed import both, on_what_stands
from gateway.exchange.journal import ALLOW, DENY, Kind, Value, draft
from gateway.exchange.moments import past_moment
from gateway.exchange.refusals import Refusals
from gateway.exchange.setting import Setting
from gateway.missing.episode import OWNER_KINDS
from gateway.missing.ports import Flags
from gateway.missing.restated import stated
from gateway.missing.statement import open_statement, statement_invalid
from gateway.ports import Entered
from gateway.protocol.authority_wire import AuthorityInvalid, open_authority
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, AuthorityId, FlagState, SubjectHandle, county_of
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.statement_rules import StatementRule
from gateway.protocol.succession import PRESENTING_WINDOW
from gateway.recovery.reported import NOT_LISTED_YET, PresentedReports
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.restoration_pb2 import PresentedEvent, PresentedFlag, PresentedRevocation

_UNLISTED: Final = ("subject_handle: unknown",)
_AWAITED: Final = frozenset({ErrorReason.AUTHORITY_NOT_FOUND, ErrorReason.FLAG_NOT_FOUND})


class Losses(Protocol):
    """Declared losses of this log's entries."""

    async def last_ms(self) -> int | None:
        """When the last one was declared, milliseconds since 1970; None for a log that lost nothing."""


@dataclass(frozen=True, slots=True)
class Presented:
    """Who presents, and the SHA-256 of the exact bytes that its adapter signed."""

    agency: AgencyId
    digest: bytes


@dataclass(frozen=True, slots=True)
class Presentations:
    """Takes events again. `flags` and `book` are read and changed as any report or record changes them."""

    at: Setting
    book: AuthorityBook
    flags: Flags
    losses: Losses
    reports: PresentedReports
    refusals: Refusals

    async def take(self, by: Presented, event: PresentedEvent) -> Entered | None:
        """The event is on record; its entry, or None where nothing had to change. `event` is verified.

        Raises `Invalid` and `Conflict`, which are on record then, and `Unavailable`.
        """
        try:
            return await self._taken(by, event)
        except (Invalid, Conflict) as refusal:
            refusal.on_record = True
            if not _mends_itself(refusal):
                op: dict[str, Value] = {"decision": DENY, "reason": refusal.reason}
                leaf = draft(Kind.REFUSED, requester=by.agency, op=op, req={"request": by.digest})
                await self.refusals.take(by.agency, refusal.reason, leaf)
            raise

    async def _taken(self, by: Presented, event: PresentedEvent) -> Entered | None:
        now = self.at.now()
        lost = await self._lost(event.log_origin, now)
        match event.WhichOneof("event"):
            case "authority":
                return await on_what_stands(lambda: self._authority(by, event.authority, now))
            case "revocation":
                return await on_what_stands(lambda: self._revocation(by, event.revocation, now))
            case "report":
                return await self.reports.take(by.agency, event.report, lost=lost, now=now)
            case _:
                return await on_what_stands(lambda: self._flag(by, event.flag, now))

    async def _lost(self, origin: str, now: datetime) -> datetime:
        """When the last loss was declared, of this log and not long ago. Raises `Invalid`."""
        if origin != self.at.directory().message.log_origin:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("log_origin: in_force",))
        lost_ms = await self.losses.last_ms()
        if lost_ms is None or now - moment_of(lost_ms) > PRESENTING_WINDOW:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("(log): nothing_lost",))
        return moment_of(lost_ms)

    async def _authority(self, by: Presented, envelope: SignedEnvelope, now: datetime) -> Entered | None:
        try:
            authority = open_authority(envelope, self.at.directory(), now)
        except AuthorityInvalid as exc:
            raise Invalid(ErrorReason.AUTHORITY_INVALID, fields=("authority: signed_by_issuer",)) from exc
        check_recordable(authority, by.agency, now=now, emergency=self.at.policy.emergency)
        handle = handle_of(authority)
        await self._check_listed(by.agency, handle)
        known = await self.book.find(authority.authority_id)
        if known is None:
            parties = frozenset({authority.issuer_agency, *authority.recipient_agencies})
            guard = self.book.absent(authority.authority_id)
            rows = await self.book.put(authority.authority_id, by.agency, envelope, parties)
        elif (known.issuer, known.envelope.payload) != (by.agency, envelope.payload):
            raise Conflict(ErrorReason.ID_REUSED)
        elif not known.ended_by_loss:
            return None
        else:
            speaks = self.at.authorities.speaks(authority.authority_id)
            guard = both(self.book.ended_by_loss(authority.authority_id), speaks)
            rows = await self.book.stand_again(authority.authority_id, envelope)
        if handle is not None:
            guard = both(self.flags.stays_listed(by.agency, handle), guard)
        leaf = draft(
            Kind.AUTHORITY_PRESENTED,
            requester=by.agency,
            op=_PRESENTED | {"basis": authority.basis},
            req={"request": by.digest},
            youth=about(authority.authority_id, handle) | {"signed": envelope.signature},
            youth_key=await audit_key(self.at.youth_keys, authority.authority_id, issuer=by.agency, handle=handle),
        )
        return await self.at.journal.enter(Append(leaf, guard, rows))

    async def _revocation(self, by: Presented, event: PresentedRevocation, now: datetime) -> Entered | None:
        at, authority_id = self.at, AuthorityId(event.authority_id)
        revoked = past_moment(event.revoke_time, now, field="revoke_time")
        booked = await self.book.find(authority_id)
        if booked is None or by.agency not in booked.parties:
            # Somebody else's, or its issuer has not presented it yet: nothing relies on it meanwhile.
            raise Invalid(ErrorReason.AUTHORITY_NOT_FOUND)
        if booked.revoke_ms is not None and not booked.ended_by_loss:
            return None
        handle, revoke_ms = booked.handle, milliseconds(revoked)
        leaf = draft(
            Kind.AUTHORITY_REVOKED,
            requester=by.agency,
            holder=booked.issuer,
            op=_PRESENTED,
            req={"request": by.digest},
            hold={"requester": by.agency},
            youth=about(authority_id, handle, revoke_ms=revoke_ms),
            youth_key=await audit_key(at.youth_keys, authority_id, issuer=booked.issuer, handle=handle),
        )
        rows = await self.book.revoke(authority_id, revoke_ms)
        members = [party for party in booked.parties if at.directory().member(party) is not None]
        alerts = stop_use(
            by.agency,
            members,
            at_ms=milliseconds(now),
            authority_id=authority_id,
            issuer=booked.issuer,
            handle=handle,
            pairwise=at.pairwise,
        )
        told = await tell(at.projections, at.youth_keys, at.sources, alerts)
        speaks = at.authorities.speaks(authority_id)
        return await at.journal.enter(Append(leaf, speaks, rows, says=told.says, then=told.then))

    async def _flag(self, by: Presented, event: PresentedFlag, now: datetime) -> Entered | None:
        agency, handle = by.agency, SubjectHandle(event.subject_handle)
        learned = past_moment(event.learn_time, now, field="learn_time")
        member = self.at.directory().member(agency)
        if member is None or member.kind not in OWNER_KINDS:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("flag: owner",))
        directory = self.at.directory()
        statement = open_statement(event.statement, county=county_of(agency), directory=directory, at=now)
        is_open, known = statement.state in OPEN_FLAG_STATES, await self.flags.get(statement.flag_id)
        if is_open:
            # Whoever is found again, and lists flagged youths alone, is no longer listed.
            await self._check_listed(agency, handle)
        if known is None:
            # An episode that ended looks for nobody; of an open one a person may have raised another flag meanwhile.
            if not is_open or await self.flags.open_of(agency, handle) is not None:
                return None
            none_stands = self.flags.none_stands(statement.flag_id, [(agency, handle)])
            guard = both(self.flags.stays_listed(agency, handle), none_stands)
        elif (known.owner, known.handle) != (agency, handle):
            raise Conflict(ErrorReason.ID_REUSED)
        elif known.version >= statement.version:
            return None
        elif known.state not in OPEN_FLAG_STATES:
            raise statement_invalid(StatementRule.FLAG_ID)
        else:
            guard = self.flags.stands(known.flag_id, known.state, known.version)
        # Somebody's report is dismissed by a person of the owner, not by an older word of it.
        is_pending = is_open and known is not None and known.state is FlagState.LOCATED_PENDING
        state = FlagState.LOCATED_PENDING if is_pending else statement.state
        flag = stated(statement, state, owner=agency, handle=handle, learned=learned, reported=now)
        key = await self.at.youth_keys.next(agency, handle)
        leaf = draft(
            Kind.FLAG_PRESENTED,
            requester=agency,
            holder=agency,
            op=_PRESENTED | {"state": flag.state},
            req={"request": by.digest},
            hold={"requester": agency},
            youth={"handle": handle, "flag": flag.flag_id},
            youth_key=key,
        )
        return await self.at.journal.enter(Append(leaf, guard, self.flags.put(flag, key)))

    async def _check_listed(self, agency: AgencyId, handle: SubjectHandle | None) -> None:
        if handle is not None and not await self.flags.is_listed(agency, handle):
            # Its adapter lists everybody again first (`adapters.node.register`).
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=_UNLISTED)


_PRESENTED: Final[dict[str, Value]] = {"decision": ALLOW, "outcome": Outcome.RECORDED, "reason": Reason.PRESENTED_AGAIN}


def _mends_itself(refusal: Error) -> bool:
    """Whether the adapter presents the same again until it is taken: youths are not listed yet, or the authority that
    a party revoked, or the flag that somebody reported about, is not presented yet."""
    return refusal.reason in _AWAITED or refusal.fields in (_UNLISTED, NOT_LISTED_YET)
