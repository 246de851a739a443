"""Sealing, destruction and recall, in the order they happen (AUDIT §2.7; WIC 389, 781, 786, 826).

1. the caller is a privacy officer of the agency that owns the youth; everybody else is refused on record
2. the youth's entries are found with its key, and whoever was told by one of them
3. the key's copy for the court custodian is durable
4. one transaction: the entry of the seal, and no row names the youth any more; notices wait for everybody told
5. the key leaves the exchange, and those of authorities that name the youth
6. whoever was told deletes what lays the entries open, and acknowledges: an entry each

The entry names neither the youth nor its entries, only how many agencies were sent a notice, and commits to how many
entries all seals have closed (`closing`); the court's case stands in a field that the custodian alone can open. A crash
after step 4 is made good before anything is answered again (`Escrow.settle`). A destroyed youth's entries stay in the
log, and nobody can open or link them.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from audit.entry import KEY_BYTES, ClassKeys, Draft, StoredEntry, YouthKey, youth_tag
from audit.sequencer import Append
from gateway.errors import Conflict, ErrorReason, Invalid, Unavailable
from gateway.exchange.call import Caller
from gateway.exchange.closing import Closing
from gateway.exchange.deed import (
    Deed,
    Deeds,
    Moved,
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
from gateway.exchange.journal import ALLOW, Kind, Value, draft
from gateway.exchange.notices import SealState, Sent, copies, told
from gateway.exchange.seal_ports import Escrow, Marked, Seals
from gateway.exchange.setting import Setting
from gateway.ports import OF_NOBODY, Entered, Guard, NewAlert, Rows, own_youth
from gateway.protocol.escrow import EscrowBroken, Escrowed, open_release, seal_case_key
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, RequestId, Role, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.sealing import SealKey
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE

OFFICERS: Final = frozenset({Role("COUNTY.privacy_officer")})
"""Who may order a seal or a recall; a court's order reaches the county through nobody else (DOMAIN §3.5)."""
_KINDS: Final = {
    SealState.RESTRICTED: Kind.SEAL_RESTRICTED,
    SealState.DESTROYED: Kind.SEAL_DESTROYED,
    SealState.LIFTED: Kind.SEAL_LIFTED,
}


_AHEAD: Final = 64
"""Counters of a key that are reserved in one go, by an entry that is written while an order is under way."""


@dataclass(frozen=True, slots=True)
class Court:
    """Keys of the way to the court custodian and back."""

    custodian_key: bytes | None
    """None: no custodian is configured, and nothing can be sealed."""
    release_key: SealKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What became of an order, before it is a message."""

    outcome: Outcome
    entered: Entered = field(repr=False)
    notice_id: bytes = b""
    count: int = 0
    sent: tuple[Sent, ...] = ()
    handle: bytes = field(default=b"", repr=False)
    """Of the youth whose seal was lifted."""
    closed: bytes = field(default=b"", repr=False)
    """What its entry commits to of how many entries seals have closed."""


@dataclass(frozen=True, slots=True)
class _History:
    """A youth's entries, and who was told by them."""

    marks: tuple[bytes, ...] = field(repr=False)
    entries: tuple[StoredEntry, ...] = field(repr=False)

    def unchanged(self, seals: Seals) -> Guard:
        return seals.unchanged(self.marks, frozenset(entry.index for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Sealing:
    """Carries out orders of the owners of youths. Every call raises `Invalid`, `Conflict` and `Unavailable`."""

    at: Setting
    seals: Seals
    escrow: Escrow = field(repr=False)
    marked: Marked = field(repr=False)
    deeds: Deeds
    keys: ClassKeys = field(repr=False)
    court: Court = field(repr=False)
    closing: Closing = field(repr=False)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """One order after another: two about one youth at once would leave two seals, of which a court lifts one."""

    async def seal(self, caller: Caller, order: pb.SealOrder) -> Ordered:
        """The order is carried out, once: entry durable, key gone or back, notices waiting. Never to be cut short.

        An entry whose key stays would seal nobody until the next order or start.
        """
        async with self.turn:
            deed = Deed(RequestId(order.request_id), caller.claims.request_digest)
            settled = await self._settled(caller, deed)
            if settled is not None and settled.outcome is not Outcome.RECORDED:
                return settled
            await self.closing.settle()
            await _carry_out(self.escrow, self.seals, is_final=False)
            if order.operation == pb.SEAL_OPERATION_LIFT:
                return await self._lift(caller, deed, order, settled)
            done = settled
            if done is None:
                done = await on_what_stands(lambda: self._close(caller, deed, order), quiet=self.at.journal.quiet)
            # Again after a crash: each does what is left of it.
            await self.closing.done(done.closed)
            await asyncio.to_thread(self.escrow.withdraw, done.notice_id)
            if order.operation == pb.SEAL_OPERATION_DESTROY:
                await asyncio.to_thread(self.escrow.erase, done.notice_id)
            # Where an entry was written now, the log has gone on: whatever it does not say was not written.
            await _carry_out(self.escrow, self.seals, is_final=settled is None)
            return done

    async def recall(self, caller: Caller, order: pb.RecallOrder) -> Ordered:
        """Exactly those who were told are sent a notice, once."""
        deed = Deed(RequestId(order.request_id), caller.claims.request_digest)
        settled = await self._settled(caller, deed)
        if settled is not None:
            return settled
        return await on_what_stands(lambda: self._recall(caller, deed, order), quiet=self.at.journal.quiet)

    async def list_sent(self, caller: Caller, wanted: pb.NoticeFilter) -> Ordered:
        """The notices the caller's agency caused; that they were listed is on record first."""
        deed, at = reading(caller), self.at
        reason = _standing(at, caller)
        if reason is not None:
            return await self._deny(caller, deed, reason)
        op: dict[str, Value] = {"decision": ALLOW, "outcome": Outcome.ANSWERED}
        leaf = draft(
            Kind.NOTICE_LISTED, requester=caller.agency, op=op, req={"worker": worker(caller), "request": deed.digest}
        )
        guard, rows = at.projections.unspent(caller, deed), at.projections.spend(caller, deed)
        entered = await at.journal.enter(Append(leaf, guard, rows))
        sent = await self.seals.sent_by(caller.agency)
        return Ordered(
            Outcome.ANSWERED, entered, sent=tuple(each for each in sent if each.is_open or not wanted.open_only)
        )

    async def acknowledge(self, agency: AgencyId, answer: pb.NoticeAcknowledgement, digest: bytes) -> Entered:
        """The agency's answer is on record; a later one takes its place. `digest` is that of the signed bytes."""
        if await self.seals.copy_of(answer.notice_id, agency) is None:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("notice_id: yours",))
        leaf = draft(
            Kind.NOTICE_ACKNOWLEDGED,
            requester=agency,
            op={"outcome": pb.NoticeFinding.Name(answer.finding), "notice": answer.notice_id.hex()},
            req={"request": digest},
        )
        at_ms = milliseconds(self.at.now())
        rows = self.seals.acknowledge(answer.notice_id, agency, finding=answer.finding, at_ms=at_ms)
        return await self.at.journal.enter(Append(leaf, rows=rows))

    async def _close(self, caller: Caller, deed: Deed, order: pb.SealOrder) -> Ordered:
        custodian = self._custodian()
        state = SealState.DESTROYED if order.operation == pb.SEAL_OPERATION_DESTROY else SealState.RESTRICTED
        if order.seal_id:
            return await self._destroy_sealed(caller, deed, order)
        owner, handle = caller.agency, SubjectHandle(order.subject_handle)
        marks = await self.at.youth_keys.marks(owner, [handle])
        if len(handle) != OPAQUE_LENGTH or not (marks or await self.seals.is_listed(owner, handle)):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: yours",))
        if not marks:
            # Listed a moment ago, it has no key yet; without a copy of one no court could lift the seal.
            await self.at.youth_keys.next(owner, handle)
        seal_id = self.at.random_bytes(OPAQUE_LENGTH)
        kept = custodian if state is SealState.RESTRICTED else None
        authorities, no_others = await self.seals.naming(owner, handle, frozenset(order.token_digests))
        # After what takes longest: an entry about the youth that is written meanwhile does not hold up the order.
        history = await self._history(owner, handle)
        of_authorities = await self._history(OF_NOBODY, *(own_youth(each)[1] for each in authorities))
        closed = await self.closing.closes([*history.entries, *of_authorities.entries])
        await asyncio.to_thread(
            self.escrow.deposit, owner, handle, seal_id, custodian_key=kept, authorities=authorities
        )
        indexes = told(history.entries, self.keys)
        # The owner's adapter holds receipts of its own, as the source and as a caller.
        indexes[owner] = [entry.index for entry in history.entries]
        try:
            done = await self._enter_seal(
                caller, deed, order, state, seal_id, indexes=indexes,
                guard=both(both(history.unchanged(self.seals), of_authorities.unchanged(self.seals)), no_others),
                rows=self.seals.forget(owner, handle, authorities), closed=closed,
            )  # fmt: skip
        except (Moved, Conflict):
            # Nothing was written. After any other error it may have been: the next start knows (`Escrow.settle`).
            await asyncio.to_thread(self.escrow.erase, seal_id)
            raise
        if done.notice_id != seal_id:
            await asyncio.to_thread(self.escrow.erase, seal_id)
        return done

    async def _destroy_sealed(self, caller: Caller, deed: Deed, order: pb.SealOrder) -> Ordered:
        await self._own_seal(caller, order.seal_id)
        return await self._enter_seal(
            caller, deed, order, SealState.DESTROYED, order.seal_id, indexes={},
            guard=self.seals.stands(order.seal_id, SealState.RESTRICTED), rows=(),
            closed=await self.closing.closes(()),
        )  # fmt: skip

    async def _lift(self, caller: Caller, deed: Deed, order: pb.SealOrder, settled: Ordered | None) -> Ordered:
        self._custodian()
        try:
            escrowed = open_release(order.released_key, self.court.release_key, order.seal_id)
        except EscrowBroken as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("released_key: opens",)) from exc
        if escrowed.owner != caller.agency:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("seal_id: yours",))
        if settled is None:
            await self._own_seal(caller, order.seal_id)
            closed = await self.closing.opens(await self.marked.marked(_marks(escrowed)))
            settled = await on_what_stands(
                lambda: self._enter_seal(
                    caller, deed, order, SealState.LIFTED, order.seal_id, indexes={},
                    guard=self.seals.stands(order.seal_id, SealState.RESTRICTED), rows=(), closed=closed,
                ),
                quiet=self.at.journal.quiet,
            )  # fmt: skip
        await self.closing.done(settled.closed)
        await asyncio.to_thread(self.escrow.restore, order.seal_id, escrowed)
        return replace(settled, handle=escrowed.handle)

    async def _own_seal(self, caller: Caller, seal_id: bytes) -> None:
        if await self.seals.seal_of(seal_id) != (caller.agency, SealState.RESTRICTED):
            # Somebody else's seal, one that was lifted or destroyed, and none at all are one answer.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("seal_id: yours",))

    async def _enter_seal(
        self,
        caller: Caller,
        deed: Deed,
        order: pb.SealOrder,
        state: SealState,
        seal_id: bytes,
        *,
        indexes: Mapping[AgencyId, list[int]],
        guard: Guard,
        rows: Rows,
        closed: bytes,
    ) -> Ordered:
        case = YouthKey(self.at.random_bytes(KEY_BYTES), 0)
        leaf = _order_leaf(
            caller, deed, _KINDS[state], seal_id, count=len(indexes), case=case, order=order, closed=closed
        )
        rows += self.seals.put(seal_id, caller.agency, state)
        rows += self.seals.put_case(seal_id, seal_case_key(case.key, self._custodian(), seal_id))
        return await self._enter(caller, deed, leaf, seal_id, pb.NOTICE_KIND_SEALED, indexes, guard=guard, rows=rows)

    async def _recall(self, caller: Caller, deed: Deed, order: pb.RecallOrder) -> Ordered:
        owner, handle = caller.agency, SubjectHandle(order.subject_handle)
        since: int | None = None
        if order.kind == pb.NOTICE_KIND_FLAG_RETRACTED:
            since = await self.seals.flagged_since(owner, handle)
            if since is None:
                raise Invalid(ErrorReason.FLAG_NOT_FOUND)
        history = await self._history(owner, handle)
        if not history.marks:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: yours",))
        indexes = told(history.entries, self.keys, flags_since_ms=since)
        notice_id = self.at.random_bytes(OPAQUE_LENGTH)
        leaf = _order_leaf(caller, deed, Kind.NOTICE_SENT, notice_id, count=len(indexes))
        guard = history.unchanged(self.seals)
        return await self._enter(caller, deed, leaf, notice_id, order.kind, indexes, guard=guard, rows=())

    async def _enter(
        self,
        caller: Caller,
        deed: Deed,
        leaf: Draft,
        notice_id: bytes,
        kind: int,
        indexes: Mapping[AgencyId, list[int]],
        *,
        guard: Guard,
        rows: Rows,
    ) -> Ordered:
        at, received = self.at, caller.call.received_at
        made = copies(notice_id, indexes, at.directory(), received)
        if made:
            rows += self.seals.send(notice_id, caller.agency, kind=kind, copies=made, at_ms=milliseconds(received))
        alerts = [_alert(caller, copy.agency, notice_id) for copy in made]
        entered = await enter_once(at, self.deeds, caller, deed, leaf, guard=guard, rows=rows, alerts=alerts)
        return _ordered(entered)

    async def _history(self, owner: AgencyId, *handles: SubjectHandle) -> _History:
        marks = tuple(await self.at.youth_keys.marks(owner, handles, ahead=_AHEAD))
        return _History(marks, tuple(await self.marked.marked(marks)))

    async def _settled(self, caller: Caller, deed: Deed) -> Ordered | None:
        before = await self.deeds.done(caller, deed)
        if before is not None:
            return _ordered(before)
        reason = _standing(self.at, caller)
        return None if reason is None else await self._deny(caller, deed, reason)

    async def _deny(self, caller: Caller, deed: Deed, reason: Reason) -> Ordered:
        leaf = denied_leaf(caller, deed, reason, policy=self.at.policy.version, purpose=None)
        return Ordered(outcome_of_refusal(reason), await enter_once(self.at, self.deeds, caller, deed, leaf))

    def _custodian(self) -> bytes:
        if self.court.custodian_key is None:
            raise Unavailable(ErrorReason.NOT_READY)
        return self.court.custodian_key


async def _carry_out(escrow: Escrow, seals: Seals, *, is_final: bool) -> None:
    """Orders that ended in doubt are carried out where the log has them; with `is_final`, forgotten where it has not.

    Otherwise the same youth could be sealed twice, and a deposit that nobody asks for would stay until the next start.
    """
    for seal_id in await asyncio.to_thread(escrow.waiting):
        if await seals.seal_of(seal_id) is not None:
            await asyncio.to_thread(escrow.withdraw, seal_id)
        elif is_final:
            await asyncio.to_thread(escrow.erase, seal_id)


def _standing(at: Setting, caller: Caller) -> Reason | None:
    if caller.claims.role not in OFFICERS:
        return Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE
    return standing(at.policy, caller)


def _order_leaf(
    caller: Caller,
    deed: Deed,
    kind: Kind,
    notice_id: bytes,
    *,
    count: int,
    case: YouthKey | None = None,
    order: pb.SealOrder | None = None,
    closed: bytes = b"",
) -> Draft:
    op: dict[str, Value] = {"outcome": Outcome.RECORDED, "notice": notice_id.hex(), "notices": count}
    return draft(
        kind,
        requester=caller.agency,
        op=op | ({"closed": closed.hex()} if closed else {}),
        req={"worker": worker(caller), "request": deed.digest},
        # Under a key of this entry alone, which the court custodian gets and nobody here keeps.
        youth={"case": order.case_commitment} if order is not None else None,
        youth_key=case,
    )


def _alert(caller: Caller, agency: AgencyId, notice_id: bytes) -> NewAlert:
    return NewAlert(
        agency=agency,
        kind=ALERT_KIND_NOTICE,
        handle=SubjectHandle(notice_id),
        acting_agency=caller.agency,
        create_ms=milliseconds(caller.call.received_at),
        purpose=caller.claims.purpose,
    )


def _ordered(entered: Entered) -> Ordered:
    return Ordered(
        Outcome(opened(entered, "outcome")),
        entered,
        notice_id=bytes.fromhex(opened(entered, "notice")),
        count=int(opened(entered, "notices") or 0),
        closed=bytes.fromhex(opened(entered, "closed")),
    )


def _marks(escrowed: Escrowed) -> list[bytes]:
    return [youth_tag(YouthKey(escrowed.key, counter)) for counter in range(escrowed.reserved)]
