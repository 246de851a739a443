"""What every order of a privacy officer has in common, about a seal or a recall.

Decides who may order, that the same order again has happened once, that an entry about the youth that is written
meanwhile makes the order look again, and that entry and notices are one transaction. Not what is ordered: `sealing`,
`recall`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from audit.entry import Draft, StoredEntry, YouthKey
from gateway.exchange.call import Caller
from gateway.exchange.deed import (
    Deed,
    Deeds,
    denied_leaf,
    enter_once,
    opened,
    outcome_of_refusal,
    standing,
    worker,
)
from gateway.exchange.journal import Kind, Value, draft
from gateway.exchange.notices import Copy, Sent, copies, sent_as
from gateway.exchange.seal_ports import Marked, Seals
from gateway.exchange.setting import Setting
from gateway.ports import Entered, Guard, NewAlert, Rows
from gateway.protocol.names import AgencyId, Role, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE

OFFICERS: Final = frozenset({Role("COUNTY.privacy_officer")})
"""Who may order a seal or a recall; a court's order reaches the county through nobody else (DOMAIN §3.5)."""
_AHEAD: Final = 64
"""Counters of a key that are reserved in one go, by an entry that is written while an order is under way."""


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
class History:
    """A youth's entries, and who was told by them."""

    marks: tuple[bytes, ...] = field(repr=False)
    entries: tuple[StoredEntry, ...] = field(repr=False)

    def unchanged(self, seals: Seals) -> Guard:
        """Raises `Moved` when another entry about the youth was written meanwhile."""
        return seals.unchanged(self.marks, frozenset(entry.index for entry in self.entries))


@dataclass(frozen=True, slots=True)
class Orders:
    """Gives every order its place in the log. Every call raises `Conflict` and `Unavailable`."""

    at: Setting
    seals: Seals
    marked: Marked = field(repr=False)
    deeds: Deeds

    async def settled(self, caller: Caller, deed: Deed) -> Ordered | None:
        """What became of this very order before, or of one that the caller may not give; None for one to carry out."""
        before = await self.deeds.done(caller, deed)
        if before is not None:
            return ordered(before)
        reason = self.refusal(caller)
        return None if reason is None else await self.deny(caller, deed, reason)

    def refusal(self, caller: Caller) -> Reason | None:
        """Why this caller may order nothing; None if it may."""
        if caller.claims.role not in OFFICERS:
            return Reason.ROLE_NOT_PERMITTED_FOR_PURPOSE
        return standing(self.at.policy, caller)

    async def deny(self, caller: Caller, deed: Deed, reason: Reason) -> Ordered:
        """The refusal is on record."""
        leaf = denied_leaf(caller, deed, reason, policy=self.at.policy.version, purpose=None)
        return Ordered(outcome_of_refusal(reason), await enter_once(self.at, self.deeds, caller, deed, leaf))

    async def history(self, owner: AgencyId, *handles: SubjectHandle) -> History:
        """What the log has about these youths of one owner, at this moment."""
        marks = tuple(await self.at.youth_keys.marks(owner, handles, ahead=_AHEAD))
        return History(marks, tuple(await self.marked.marked(marks)))

    async def enter(
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
        """Entry, rows, and the notices about these entries are durable together, once.

        Raises `Moved` when something that the order rests on has changed.
        """
        at, received = self.at, caller.call.received_at
        made = copies(notice_id, indexes, at.directory(), received)
        if made:
            rows += self.seals.send(notice_id, caller.agency, kind=kind, copies=made, at_ms=milliseconds(received))
        alerts = [_notice_alert(caller, copy, notice_id, kind) for copy in made]
        entered = await enter_once(at, self.deeds, caller, deed, leaf, guard=guard, rows=rows, alerts=alerts)
        return ordered(entered)


def order_leaf(
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
    """What the log keeps of an order; with `order`, its court's case under the key `case`."""
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


def ordered(entered: Entered) -> Ordered:
    """What became of an order, as its entry says."""
    return Ordered(
        Outcome(opened(entered, "outcome")),
        entered,
        notice_id=bytes.fromhex(opened(entered, "notice")),
        count=int(opened(entered, "notices") or 0),
        closed=bytes.fromhex(opened(entered, "closed")),
    )


def _notice_alert(caller: Caller, copy: Copy, notice_id: bytes, kind: int) -> NewAlert:
    return NewAlert(
        agency=copy.agency,
        kind=ALERT_KIND_NOTICE,
        handle=SubjectHandle(notice_id),
        acting_agency=caller.agency,
        create_ms=milliseconds(caller.call.received_at),
        purpose=caller.claims.purpose,
        notice=sent_as(kind, copy),
    )
