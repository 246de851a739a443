"""Recall of what was told in error, and the notices that recalls and seals sent out (AUDIT §2.7).

Decides who hears of a recall: exactly those who were told, of the wrong youth or of a flag raised in error, which
touches no key. And what becomes of a notice, whichever order sent it: its sender sees who has not answered, and an
answer is an entry.
"""

from dataclasses import dataclass, field

from audit.entry import ClassKeys
from audit.sequencer import Append
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.deed import Deed, on_what_stands, reading, worker
from gateway.exchange.journal import ALLOW, Kind, Value, draft
from gateway.exchange.notices import told
from gateway.exchange.officer_orders import Ordered, Orders, order_leaf
from gateway.ports import Entered
from gateway.protocol.names import OPAQUE_LENGTH, AgencyId, RequestId, SubjectHandle
from gateway.protocol.outcomes import Outcome
from homeward.gateway.v1 import sealing_pb2 as pb


@dataclass(frozen=True, slots=True)
class Recall:
    """Recalls, and lists and ends notices. Every call raises `Invalid`, `Conflict` and `Unavailable`."""

    orders: Orders
    keys: ClassKeys = field(repr=False)

    async def send(self, caller: Caller, order: pb.RecallOrder) -> Ordered:
        """Exactly those who were told are sent a notice, once."""
        deed = Deed(RequestId(order.request_id), caller.claims.request_digest)
        settled = await self.orders.settled(caller, deed)
        if settled is not None:
            return settled
        return await on_what_stands(lambda: self._send(caller, deed, order), quiet=self.orders.at.journal.quiet)

    async def list_sent(self, caller: Caller, wanted: pb.NoticeFilter) -> Ordered:
        """The notices the caller's agency caused; that they were listed is on record first."""
        deed, at = reading(caller), self.orders.at
        reason = self.orders.refusal(caller)
        if reason is not None:
            return await self.orders.deny(caller, deed, reason)
        op: dict[str, Value] = {"decision": ALLOW, "outcome": Outcome.ANSWERED}
        leaf = draft(
            Kind.NOTICE_LISTED, requester=caller.agency, op=op, req={"worker": worker(caller), "request": deed.digest}
        )
        once = at.projections.once(caller, deed)
        entered = await at.journal.enter(Append(leaf, once.guard, once.rows, seeks=once.seeks))
        sent = await self.orders.seals.sent_by(caller.agency)
        return Ordered(
            Outcome.ANSWERED, entered, sent=tuple(each for each in sent if each.is_open or not wanted.open_only)
        )

    async def acknowledge(self, agency: AgencyId, answer: pb.NoticeAcknowledgement, digest: bytes) -> Entered:
        """The agency's answer is on record; a later one takes its place. `digest` is that of the signed bytes."""
        if not await self.orders.seals.was_sent(answer.notice_id, agency):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("notice_id: yours",))
        leaf = draft(
            Kind.NOTICE_ACKNOWLEDGED,
            requester=agency,
            op={"outcome": pb.NoticeFinding.Name(answer.finding), "notice": answer.notice_id.hex()},
            req={"request": digest},
        )
        rows = self.orders.seals.acknowledge(answer.notice_id, agency, finding=answer.finding)
        return await self.orders.at.journal.enter(Append(leaf, rows=rows))

    async def _send(self, caller: Caller, deed: Deed, order: pb.RecallOrder) -> Ordered:
        owner, handle = caller.agency, SubjectHandle(order.subject_handle)
        since: int | None = None
        if order.kind == pb.NOTICE_KIND_FLAG_RETRACTED:
            since = await self.orders.seals.flagged_since(owner, handle)
            if since is None:
                raise Invalid(ErrorReason.FLAG_NOT_FOUND)
        history = await self.orders.history(owner, handle)
        if not history.marks:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("subject_handle: yours",))
        indexes = told(history.entries, self.keys, flags_since_ms=since)
        notice_id = self.orders.at.random_bytes(OPAQUE_LENGTH)
        leaf = order_leaf(caller, deed, Kind.NOTICE_SENT, notice_id, count=len(indexes))
        guard = history.unchanged(self.orders.seals)
        return await self.orders.enter(caller, deed, leaf, notice_id, order.kind, indexes, guard=guard, rows=())
