"""Reading the log: which entries an agency sees, each with proof; and the reading is an entry itself.

In this order:

1. the policy permits the review (purpose OVERSIGHT_AUDIT, FS7) to this role; otherwise the refusal
2. the leaf of the reading is durable before anything is read
3. entries before that leaf that concern the agency, with the fields it may open (`openings`)
4. conditions on what an entry says apply to opened fields only: a filter must not tell what the
   entry would not
5. every entry is proved in the tree of the reading's own checkpoint, so that one page speaks of one
   state of the log
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from audit.entry import ClassKeys, StoredEntry
from audit.reader import Selection, Side
from audit.receipt import Receipt
from audit.sequencer import Append
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.deed import reading, worker
from gateway.exchange.journal import ALLOW, DENY, Kind, Value, draft
from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.openings import Opened, Stand, ends, open_entry, stand_of
from gateway.exchange.setting import Setting
from gateway.ports import Entered
from gateway.protocol.decide import Decision, RequestFacts, decide_request
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, FieldSet, Purpose, SubjectHandle
from gateway.protocol.outcomes import Outcome, Reason
from homeward.audit.v1 import log_pb2
from homeward.audit.v1.service_pb2 import EntryQuery

OVERSEERS: Final = frozenset({AgencyKind.STATE, AgencyKind.AUDITOR})
"""Kinds that review every agency's use, by class `op` alone."""
DEFAULT_PAGE: Final = 50
NO_MORE: Final = -1
_MAX_KINDS: Final = 32
_BATCH: Final = 200
_MOST_EXAMINED: Final = 10_000
"""Entries looked at for one page; a rare condition then ends a page early, not the service."""
_SIDES: Final[Mapping[int, Side]] = {
    log_pb2.AGENCY_SIDE_UNSPECIFIED: Side.EITHER,
    log_pb2.AGENCY_SIDE_REQUESTER: Side.REQUESTER,
    log_pb2.AGENCY_SIDE_HOLDER: Side.HOLDER,
}
_LARGEST: Final = (1 << 63) - 1
"""No index is beyond this, and no database binds more."""
_DECISIONS: Final[Mapping[int, str]] = {log_pb2.DECISION_ALLOW: ALLOW, log_pb2.DECISION_DENY: DENY}


class Entries(Protocol):
    """The log, to read."""

    async def select(self, selection: Selection, *, limit: int) -> Sequence[StoredEntry]:
        """The first `limit` selected entries, in the order of the log."""

    async def proofs(self, indexes: Sequence[int], size: int) -> Sequence[tuple[bytes, ...]]:
        """The inclusion proof of each entry in the tree of this size."""

    async def handles(self, owner: AgencyId) -> Sequence[SubjectHandle]:
        """Every youth this agency lists."""

    def checkpoint(self) -> str:
        """The newest signed note."""

    async def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the tree of `new_size` begins with that of `old_size`; both at most the newest size."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page of entries, before it is a message."""

    permitted: bool
    entered: Entered = field(repr=False)
    """The reading's own leaf."""
    receipts: tuple[Receipt, ...] = field(default=(), repr=False)
    next_after: int = NO_MORE


class AccessLog:
    """Reads the log for members. `keys` open the classes that are not the youths'."""

    def __init__(self, at: Setting, entries: Entries, keys: ClassKeys) -> None:
        self._at = at
        self._entries = entries
        self._keys = keys

    async def read(self, caller: Caller, query: EntryQuery) -> ReadPage:
        """The page, and that it was read is on record first. Raises `Invalid`, `Conflict`, `Unavailable`."""
        oversees = caller.member.kind in OVERSEERS
        selection = _selection(query, caller.agency, oversees=oversees)
        decision = _decide(self._at, caller)  # 1
        permitted = decision.permit and caller.claims.purpose is Purpose.OVERSIGHT_AUDIT
        entered = await self._enter(caller, decision, permitted=permitted)  # 2
        if not permitted:
            return ReadPage(False, entered)
        found, next_after = await self._page(caller, query, selection, entered.index)  # 3, 4
        return ReadPage(True, entered, await self._prove(found, entered), next_after)  # 5

    def checkpoint(self) -> str:
        """The newest signed note."""
        return self._entries.checkpoint()

    async def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof between two sizes. Raises `Invalid` unless 1 <= old <= new <= the newest size."""
        if not 1 <= old_size <= new_size <= size_of(self._entries.checkpoint()):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("old_size, new_size: range",))
        return await self._entries.consistency(old_size, new_size)

    async def _enter(self, caller: Caller, decision: Decision, *, permitted: bool) -> Entered:
        op: dict[str, Value] = {
            "decision": ALLOW if permitted else DENY,
            "outcome": Outcome.ANSWERED if permitted else Outcome.NOT_PERMITTED,
            "purpose": caller.claims.purpose,
            "policy": self._at.policy.version,
        }
        op |= {} if decision.permit else {"reason": decision.reason}
        deed, projections = reading(caller), self._at.projections
        req: dict[str, Value] = {"worker": worker(caller), "request": deed.digest}
        leaf = draft(Kind.AUDIT_READ, requester=caller.agency, op=op, req=req)
        return await self._at.journal.enter(
            Append(leaf, projections.unspent(caller, deed), projections.spend(caller, deed))
        )

    async def _page(
        self, caller: Caller, query: EntryQuery, selection: Selection, end: int
    ) -> tuple[list[Opened], int]:
        wanted, found = query.page_size or DEFAULT_PAGE, list[Opened]()
        after, examined, marks = query.after_index, 0, _Marks(self._at, self._entries, caller.agency)
        while examined < _MOST_EXAMINED:
            batch = await self._entries.select(_following(selection, after, end), limit=_BATCH)
            for opened in await self._open(caller, batch, marks, end):
                after = opened.entry.index
                if _matches(opened, query.filter):
                    found.append(opened)
                    if len(found) == wanted:
                        return found, after
            examined += len(batch)
            if len(batch) < _BATCH:
                return found, NO_MORE
        return found, after

    async def _open(self, caller: Caller, batch: Sequence[StoredEntry], marks: "_Marks", end: int) -> list[Opened]:
        oversees = caller.member.kind in OVERSEERS
        stands = [(entry, stand_of(entry, caller.agency, oversees=oversees)) for entry in batch]
        ended = await self._ends(caller.agency, [entry for entry, stand in stands if stand is Stand.ASKED], end)
        opened: list[Opened] = []
        for entry, stand in stands:
            if stand is None:
                raise AssertionError("the selection names the agency")
            key = await marks.key(entry) if stand in (Stand.HOLDS, Stand.BOTH) else None
            opened.append(open_entry(entry, stand, self._keys, youth_key=key, ended=ended))
        return opened

    async def _ends(self, agency: AgencyId, asked: Sequence[StoredEntry], end: int) -> dict[int, bool]:
        decided = [entry.index for entry in asked if entry.kind == Kind.DECISION]
        if not decided:
            return {}
        closing = Selection(agency=agency, side=Side.REQUESTER, kinds=(Kind.OUTCOME,), start=decided[0], end=end)
        return ends(await self._entries.select(closing, limit=5 * _BATCH), self._keys)

    async def _prove(self, found: Sequence[Opened], entered: Entered) -> tuple[Receipt, ...]:
        note = entered.receipt(REQUESTER_OPENS).checkpoint
        paths = await self._entries.proofs([each.entry.index for each in found], size_of(note))
        return tuple(
            Receipt(each.entry.index, each.entry.leaf, each.entry.digests, each.openings, path, note)
            for each, path in zip(found, paths, strict=True)
        )


class _Marks:
    """The keys of the agency's youths by the marks of their entries; looked up when first needed."""

    def __init__(self, at: Setting, entries: Entries, agency: AgencyId) -> None:
        self._at = at
        self._entries = entries
        self._agency = agency
        self._known: Mapping[bytes, bytes] | None = None

    async def key(self, entry: StoredEntry) -> bytes | None:
        """The key of the youth that the entry is about; None when it is about none, or the key is gone."""
        if not entry.tag:
            return None
        if self._known is None:
            handles = await self._entries.handles(self._agency)
            self._known = await self._at.youth_keys.marks(self._agency, handles)
        return self._known.get(entry.tag)


def _decide(at: Setting, caller: Caller) -> Decision:
    received = caller.call.received_at
    return decide_request(
        at.policy,
        RequestFacts(
            agency=caller.agency,
            agency_kind=caller.member.kind,
            role=caller.claims.role,
            purpose=caller.claims.purpose,
            field_sets=(FieldSet.FS7_ACCOUNTING,),
            # The mandate is the office: these roles are held by nobody else (DOMAIN §3.2, OVERSIGHT_AUDIT).
            evidence=frozenset({EvidenceKind.REVIEW_MANDATE}),
            authority=None,
            received_at=received,
            login_age_seconds=max(0, int((received - caller.claims.login).total_seconds())),
        ),
    )


def _selection(query: EntryQuery, agency: AgencyId, *, oversees: bool) -> Selection:
    """What the columns of the log can answer without telling more than the entries do. Raises `Invalid`."""
    wanted = query.filter
    if wanted.agency not in ("", agency) and not oversees:
        raise _invalid("filter.agency: own")
    if len(wanted.kinds) > _MAX_KINDS:
        raise _invalid("filter.kinds: repeated.max_items")
    if wanted.side not in _SIDES or wanted.decision not in (log_pb2.DECISION_UNSPECIFIED, *_DECISIONS):
        raise _invalid("filter: enum.defined_only")
    if wanted.reason and wanted.reason not in {*Reason.__members__, *ErrorReason.__members__}:
        raise _invalid("filter.reason: known")
    return Selection(
        agency=(wanted.agency or None) if oversees else agency,
        side=_SIDES[wanted.side],
        kinds=tuple(wanted.kinds),
        start=min(wanted.start_index, _LARGEST),
        end=min(wanted.tree_size or _LARGEST, _LARGEST),
        start_ms=_ms(wanted.start_time, "filter.start_time") if wanted.HasField("start_time") else None,
        end_ms=_ms(wanted.end_time, "filter.end_time") if wanted.HasField("end_time") else None,
    )


def _following(selection: Selection, after: int, end: int) -> Selection:
    return Selection(
        agency=selection.agency,
        side=selection.side,
        kinds=selection.kinds,
        start=max(selection.start, min(after, _LARGEST - 1) + 1),
        end=min(selection.end if selection.end is not None else end, end),
        start_ms=selection.start_ms,
        end_ms=selection.end_ms,
    )


def _matches(opened: Opened, wanted: log_pb2.EntryFilter) -> bool:
    conditions = {
        "decision": _DECISIONS.get(wanted.decision, ""),
        "reason": wanted.reason,
        "purpose": wanted.purpose,
    }
    if any(value and opened.value(name) != value for name, value in conditions.items()):
        return False
    if not wanted.counterpart_agency:
        return True
    if opened.stand is Stand.OVERSEES:
        return wanted.counterpart_agency in (opened.entry.requester, opened.entry.holder)
    return opened.counterpart == wanted.counterpart_agency


def size_of(note: str) -> int:
    """Size in a checkpoint of this log's own making: its second line (C2SP tlog-checkpoint)."""
    return int(note.split("\n", 2)[1])


def _ms(timestamp: Timestamp, name: str) -> int:
    try:
        return timestamp.ToMilliseconds()
    except ValueError as exc:
        raise _invalid(f"{name}: timestamp") from exc


def _invalid(*fields: str) -> Invalid:
    return Invalid(ErrorReason.INVALID_REQUEST, fields=fields)
