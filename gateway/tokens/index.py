"""What agencies list in the blind index: registrations, removals, heartbeats.

In this order for a registration:

1. the agency is a member that holds sources; the epoch is the directory's, or the one that follows it; each youth
   carries the complete core group
2. the same batch again changes nothing
3. one transaction: a leaf with counts, each youth's tokens in that epoch replaced by the new ones, removed youths gone
   in every epoch

A youth is its handle, in every epoch: flags, restriction and county hang on that, and a rotation touches none of them.
What is listed in the current epoch takes away what a youth had in the one before, which can only be older.

A youth with an open flag stays listed when its removal is asked for: somebody is looking for it, and a finder's
question must still reach the flag. The answer names it, so that the agency asks again once the episode has ended.

Tokens rest under a key that is not in the database (TOKENS §4.2); dummies rest too, because nobody here can tell them
from tokens. Who asked the index what is decided elsewhere (`exchange/locate`).
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import and_, bindparam, delete, func, literal_column, select

from audit.entry import Draft
from audit.log import INDEX, Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.errors import Conflict, ErrorReason, Invalid, Unauthenticated
from gateway.exchange.coverage import STALE_AFTER, Scope
from gateway.exchange.deed import Repeated
from gateway.exchange.journal import Kind, draft
from gateway.exchange.locate import check_core
from gateway.exchange.moments import past_moment
from gateway.exchange.receipts import act_receipt
from gateway.members.ledger import Ledger
from gateway.ports import Entered
from gateway.protocol.directory import DirectoryView
from gateway.protocol.matching.key_scheme import load_key_scheme, split_tokens
from gateway.protocol.names import OPEN_FLAG_STATES, AgencyId, Restriction, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.wire_names import from_wire
from gateway.store import tables
from gateway.store.epochs import check_listed_in
from gateway.store.projections import SPEND, request_identifier
from gateway.store.resting import AtRest
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.index_pb2 import (
    HeartbeatResponse,
    IndexHeartbeat,
    IndexScope,
    RegisterSubjectsResponse,
    RegistrationBatch,
    Subject,
)

FRESHNESS: Final = timedelta(seconds=60)
"""A heartbeat whose own time is further off says nothing about now, and a recorded one cannot be played again."""
_REF_BYTES: Final = 8

_S, _T, _F = tables.subject.c, tables.index_token.c, tables.flag.c
_PUT_SUBJECT: Final = upsert(tables.subject, "owner", "handle")
_PUT_TOKEN: Final = upsert(tables.index_token, "token", "ref")
_OWN: Final = and_(_S.owner == bindparam("owner_"), _S.handle == bindparam("handle_"))
_REF: Final = Statement(select(_S.ref).where(_OWN), "owner_", "handle_")
_DROP_TOKENS: Final = Statement(
    delete(tables.index_token).where(_T.ref.in_(select(_S.ref).where(_OWN))), "owner_", "handle_"
)
_REPLACED: Final = Statement(
    delete(tables.index_token).where(and_(_T.ref == bindparam("ref_"), _T.epoch != bindparam("kept_"))),
    "ref_", "kept_",
)  # fmt: skip
_DROP_SUBJECT: Final = Statement(delete(tables.subject).where(_OWN), "owner_", "handle_")
_FLAGGED: Final = Statement(
    select(_F.handle).where(
        and_(
            _F.owner == bindparam("owner_"),
            _F.state.in_([literal_column(f"'{state}'") for state in sorted(OPEN_FLAG_STATES)]),
        )
    )
)
_COUNT: Final = Statement(
    select(func.count()).select_from(tables.subject).where(_S.owner == bindparam("owner_")), "owner_"
)
_SPENT: Final = Statement(
    select(tables.spent.c.digest, tables.spent.c.leaf_index).where(
        tables.spent.c.identifier == bindparam("identifier_")
    )
)
_LISTED: Final = Statement(select(tables.subject.c.owner, tables.subject.c.handle))

_PUT_LISTING: Final = upsert(tables.listing, "owner")
_SCOPES: Final = {
    IndexScope.INDEX_SCOPE_FLAGGED_ONLY: Scope.FLAGGED_ONLY,
    IndexScope.INDEX_SCOPE_ALL_IN_CARE: Scope.ALL_IN_CARE,
}


SealedAmong = Callable[[Tx, Iterable[tuple[AgencyId, SubjectHandle]]], Sequence[tuple[AgencyId, SubjectHandle]]]
Prepare = Callable[[AgencyId, Iterable[SubjectHandle]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a machine call, and the digest of what was signed."""

    agency: AgencyId
    digest: bytes
    """SHA-256 of the envelope's payload."""


class Registrations:
    """Keeps what agencies list. `prepare` readies the audit keys of youths, so that a later question about one takes as
    long as a question about nobody; `acknowledged` is the highest alert an agency has on its disk, which its heartbeats
    put on record."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        directory: Callable[[], DirectoryView],
        at_rest: AtRest,
        prepare: Prepare,
        acknowledged: Callable[[AgencyId], int],
        now: Callable[[], datetime],
        sealed_among: SealedAmong = lambda tx, youths: [],
    ) -> None:
        self._sealed_among = sealed_among
        self._heartbeats: dict[AgencyId, datetime] = {}
        self._ledger = ledger
        self._prepare = prepare
        self._acknowledged = acknowledged
        self._directory = directory
        self._at_rest = at_rest
        self._now = now

    async def register(self, signed: Signed, batch: RegistrationBatch) -> RegisterSubjectsResponse:
        """The agency's list is changed as the batch says. `batch` is verified and keeps the rules of its .proto.

        Raises `Unauthenticated`, `Invalid`, `Conflict`, `Unavailable`.
        """
        owner = signed.agency
        self._check_source(owner)
        epoch = _check_batch(batch, self._directory())
        kept, sealed = list[bytes](), set[bytes]()
        entry = draft(
            Kind.INDEX_REGISTERED,
            requester=owner,
            op={"epoch": epoch, "listed": len(batch.subjects), "removed": len(batch.removed_handles)},
            req={"request": signed.digest},
        )
        identifier = request_identifier(owner, batch.request_id)
        append = Append(
            entry,
            guard=_unspent(identifier, signed.digest, epoch),
            rows=((SPEND, (identifier, signed.digest, INDEX, milliseconds(self._now()))),),
            apply=self._projection(owner, batch, kept, sealed),
        )
        try:
            entered: Entered = await self._ledger.append(append)
        except Repeated as repeated:
            entered = await self._ledger.entries.entry(repeated.index)
            kept = await self._ledger.read(lambda tx: _still_listed(tx, owner, batch.removed_handles))
        await self._prepare(owner, [SubjectHandle(subject.handle) for subject in batch.subjects])
        count = await self._ledger.read(lambda tx: tx.one(_COUNT, (owner,)))
        return RegisterSubjectsResponse(
            subject_count=count[0] if count else 0,
            kept_handles=kept,
            sealed_handles=sorted(sealed),
            receipt=act_receipt(entered),
        )

    async def beat(self, signed: Signed, heartbeat: IndexHeartbeat) -> HeartbeatResponse:
        """The agency's list counts as current from now on. `heartbeat` is verified.

        Raises `Unauthenticated`, `Invalid`, `Unavailable`.
        """
        owner, now = signed.agency, self._now()
        self._check_source(owner)
        created = past_moment(heartbeat.create_time, now, field="create_time")
        if abs(now - created) > FRESHNESS:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("create_time: clock",))
        as_of = milliseconds(past_moment(heartbeat.data_as_of_time, now, field="data_as_of_time"))
        if heartbeat.log_origin != self._directory().message.log_origin:
            # What was listed in entries that are lost is listed no longer: a miss must not read as a negative.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("log_origin: in_force",))
        scope, epochs = _SCOPES[heartbeat.scope], sorted(heartbeat.complete_epochs)
        if not {name for name, each in self._directory().epochs.items() if each.is_listed_in}.issuperset(epochs):
            # What is said of an epoch that ended, or that nobody heard of, must not count for another.
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        entry = draft(
            Kind.INDEX_HEARTBEAT,
            requester=owner,
            op={
                "revision": heartbeat.revision,
                "scope": scope,
                "epochs": " ".join(epochs),
                "data_as_of_ms": as_of,
                "alerts": self._acknowledged(owner),
            },
            req={"request": signed.digest},
        )
        row = (owner, heartbeat.revision, str(scope), " ".join(epochs), as_of, milliseconds(now))
        # A lower revision than before is no fault: an adapter that joined anew counts from the start.
        entered = await self._ledger.append(Append(entry, self._in_order(owner, created), ((_PUT_LISTING, row),)))
        return HeartbeatResponse(stale_after_seconds=int(STALE_AFTER.total_seconds()), receipt=act_receipt(entered))

    def _in_order(self, owner: AgencyId, created: datetime) -> Callable[[Tx], Draft | None]:
        """Raises `Invalid` for a heartbeat that was made before one that counts: what it called complete may not be."""

        def guard(tx: Tx) -> Draft | None:
            # Heartbeats count for a minute only, so no other process need know of the newest.
            if created < self._heartbeats.get(owner, created):
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("create_time: order",))
            self._heartbeats[owner] = created
            return None

        return guard

    def _check_source(self, agency: AgencyId) -> None:
        member = self._directory().member(agency)
        if member is None or not member.has_sources:
            raise Unauthenticated(ErrorReason.METHOD_NOT_ALLOWED)

    def _projection(
        self, owner: AgencyId, batch: RegistrationBatch, kept: list[bytes], sealed: set[bytes]
    ) -> Callable[[Tx, int], None]:
        def apply(tx: Tx, _: int) -> None:
            # Looked up here: what an earlier entry sealed shows, however late this one is written, and nothing else.
            # Who is listed before the entry of a seal leaves with that entry, and stays listed where it never comes.
            sealed.clear()
            sealed.update(handle for _, handle in self._sealed_among(tx, _youths(owner, batch.subjects)))
            for subject in batch.subjects:
                # An adapter that was put back to before a seal does not bring the youth back; it is told so.
                if subject.handle not in sealed:
                    self._list(tx, owner, subject)
            # The writer may run this twice.
            kept[:] = _remove(tx, owner, batch.removed_handles)

        return apply

    def _list(self, tx: Tx, owner: AgencyId, subject: Subject) -> None:
        known = tx.one(_REF, (owner, subject.handle))
        ref = os.urandom(_REF_BYTES) if known is None else bytes(known[0])
        tx.run(_REPLACED, (ref, self._untouched(subject.tokens.epoch)))
        restriction = str(from_wire(Restriction, subject.restriction))
        presence = subject.tokens.presence
        tx.run(_PUT_SUBJECT, (owner, subject.handle, ref, restriction, subject.placement_county, presence))
        tx.many(_PUT_TOKEN, _token_rows(ref, subject.tokens, self._at_rest))

    def _untouched(self, epoch: str) -> str:
        """The epoch whose tokens a registration in `epoch` leaves alone; empty for none."""
        directory = self._directory()
        if epoch != directory.epoch:
            return directory.epoch
        return directory.following.name if directory.following is not None else ""


def _token_rows(ref: bytes, tokens: TokenSet, at_rest: AtRest) -> list[tuple[bytes, bytes, int, str]]:
    scheme, epoch = load_key_scheme(), tokens.epoch
    resting = split_tokens(at_rest(epoch, scheme.present(tokens)))
    return [
        (rest, ref, place, epoch) for rest, place in zip(resting, scheme.place_of_each(tokens.presence), strict=True)
    ]


def _youths(owner: AgencyId, subjects: Iterable[Subject]) -> list[tuple[AgencyId, SubjectHandle]]:
    return [(owner, SubjectHandle(subject.handle)) for subject in subjects]


def _check_batch(batch: RegistrationBatch, directory: DirectoryView) -> str:
    """The epoch of the batch, in which members list now."""
    handles = [subject.handle for subject in batch.subjects] + list(batch.removed_handles)
    if len(set(handles)) != len(handles):
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subjects.handle: unique",))
    epoch = batch.subjects[0].tokens.epoch if batch.subjects else directory.epoch
    named = directory.epochs.get(epoch)
    if named is None or not named.is_listed_in:
        raise Invalid(ErrorReason.EPOCH_UNKNOWN)
    for position, subject in enumerate(batch.subjects):
        if subject.tokens.epoch != epoch:
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        try:
            check_core(subject.tokens)
        except Invalid as exc:
            raise Invalid(exc.reason, fields=(f"subjects[{position}].tokens",)) from exc
    return epoch


def _unspent(identifier: bytes, digest: bytes, epoch: str) -> Callable[[Tx], Draft | None]:
    def guard(tx: Tx) -> Draft | None:
        check_listed_in(tx, epoch)
        row = tx.one(_SPENT, (identifier,))
        if row is None:
            return None
        if row[0] != digest:
            raise Conflict(ErrorReason.ID_REUSED)
        raise Repeated(int(row[1]))

    return guard


def listed_subjects(tx: Tx) -> dict[AgencyId, list[SubjectHandle]]:
    """Everybody who is listed, by owner."""
    listed: dict[AgencyId, list[SubjectHandle]] = {}
    for owner, handle in tx.all(_LISTED):
        listed.setdefault(AgencyId(owner), []).append(SubjectHandle(bytes(handle)))
    return listed


def _flagged(tx: Tx, owner: AgencyId) -> frozenset[bytes]:
    return frozenset(bytes(handle) for (handle,) in tx.all(_FLAGGED, (owner,)))


def _remove(tx: Tx, owner: AgencyId, handles: Sequence[bytes]) -> list[bytes]:
    """The youths are gone from the list, except those with an open flag, which are returned."""
    flagged = _flagged(tx, owner) if handles else frozenset()
    gone = [(owner, handle) for handle in handles if handle not in flagged]
    if gone:
        tx.many(_DROP_TOKENS, gone)
        tx.many(_DROP_SUBJECT, gone)
    return [handle for handle in handles if handle in flagged]


def _still_listed(tx: Tx, owner: AgencyId, handles: Iterable[bytes]) -> list[bytes]:
    flagged = _flagged(tx, owner)
    return [handle for handle in handles if handle in flagged]
