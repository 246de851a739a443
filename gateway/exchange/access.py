"""Reading the log: which entries an agency sees, each with proof; and the reading is an entry itself.

In this order:

1. the policy permits the review (purpose OVERSIGHT_AUDIT, FS7) to this role; otherwise the refusal
2. the leaf of the reading is durable before anything is read
3. entries before that leaf that concern the agency, with the fields it may open (`openings`)
4. conditions on what an entry says apply to opened fields only: a filter must not tell what the
   entry would not. Where to look, a concordance proposes, which knows what each reader sees
5. every entry is proved in the tree of the reading's own checkpoint, so that one page speaks of one
   state of the log
"""

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from audit.entry import ClassKeys, StoredEntry
from audit.reader import Selection, Side, includes
from audit.receipt import Receipt
from audit.sequencer import Append
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.call import Caller
from gateway.exchange.concordance import Question
from gateway.exchange.deed import reading, worker
from gateway.exchange.entry_filter import conditions, following, selection
from gateway.exchange.journal import ALLOW, DENY, Kind, Value, draft
from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.openings import Opened, Stand, awaits_end, ends, open_entry, stand_of
from gateway.exchange.setting import Setting
from gateway.ports import OF_NOBODY, Entered, own_youth
from gateway.protocol.decide import Decision, RequestFacts, decide_request
from gateway.protocol.names import OVERSEERS, AgencyId, AuthorityId, EvidenceKind, FieldSet, Purpose, SubjectHandle
from gateway.protocol.outcomes import Outcome
from homeward.audit.v1.service_pb2 import EntryQuery

READER_OPENS: Final = REQUESTER_OPENS | {"seq", "prev"}
"""Field names that the receipt of a reading opens: with its own number the reader knows how many entries there are."""
DEFAULT_PAGE: Final = 50
NO_MORE: Final = -1
_CLOSE_BEHIND: Final = 10
_CLOSING_BATCH: Final = 100
_MOST_CLOSING: Final = 400
_LONGEST_STRETCH: Final = 400
_MOST_EXAMINED: Final = 1_000
"""Entries looked at for one page where no concordance reaches yet; a rare condition then ends a page early, not the
service."""


class Entries(Protocol):
    """The log, to read."""

    async def select(self, selection: Selection, *, limit: int) -> Sequence[StoredEntry]:
        """The first `limit` selected entries, in the order of the log."""

    async def marked(self, marks: Sequence[bytes]) -> Sequence[StoredEntry]:
        """The entries that carry one of these marks, in the order of the log."""

    async def proofs(self, indexes: Sequence[int], size: int) -> Sequence[tuple[bytes, ...]]:
        """The inclusion proof of each entry in the tree of this size."""

    async def handles(self, owner: AgencyId) -> Sequence[SubjectHandle]:
        """Every youth this agency lists."""

    async def issued(self, issuer: AgencyId) -> Sequence[AuthorityId]:
        """Every authority that this agency recorded."""

    def checkpoint(self) -> str:
        """The newest signed note."""

    async def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """The proof that the tree of `new_size` begins with that of `old_size`; both at most the newest size."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch of the log has for a reader: `examined` selected entries were looked at, up to position `last`.

    `more`: selected entries may follow.
    """

    entries: Sequence[StoredEntry]
    examined: int
    last: int
    more: bool


class Proposals(Protocol):
    """Where in the log to look for words."""

    async def proposed(self, question: Question, selection: Selection, *, limit: int) -> Stretch:
        """The first `limit` selected entries that may meet the question, or fewer, in the order of the log."""


@dataclass(frozen=True, slots=True)
class ReadPage:
    """One page of entries, before it is a message."""

    permitted: bool
    entered: Entered = field(repr=False)
    """The reading's own leaf."""
    receipts: tuple[Receipt, ...] = field(default=(), repr=False)
    opened: tuple[Opened, ...] = field(default=(), repr=False)
    """The entries that the receipts prove, in the same order."""
    next_after: int = NO_MORE


class AccessLog:
    """Reads the log for members. `keys` open the classes that are not the youths'."""

    def __init__(self, at: Setting, entries: Entries, proposals: Proposals, keys: ClassKeys) -> None:
        self._at = at
        self._entries = entries
        self._proposals = proposals
        self._keys = keys

    async def read(self, caller: Caller, query: EntryQuery) -> ReadPage:
        """The page, and that it was read is on record first. Raises `Invalid`, `Conflict`, `Unavailable`."""
        oversees = _oversees(caller)
        chosen = selection(query, caller.agency, oversees=oversees)
        decision = _decide(self._at, caller)  # 1
        permitted = decision.permit and caller.claims.purpose is Purpose.OVERSIGHT_AUDIT
        entered = await self._enter(caller, decision, permitted=permitted)  # 2
        if not permitted:
            return ReadPage(False, entered)
        found, next_after = await self._page(caller, query, chosen, end=entered.index)  # 3, 4
        return ReadPage(True, entered, await self._prove(found, entered), tuple(found), next_after)  # 5

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
        deed = reading(caller)
        req: dict[str, Value] = {"worker": worker(caller), "request": deed.digest}
        leaf = draft(Kind.AUDIT_READ, requester=caller.agency, op=op, req=req)
        once = self._at.projections.once(caller, deed)
        return await self._at.journal.enter(Append(leaf, once.guard, once.rows, seeks=once.seeks))

    async def _marks_of(self, agency: AgencyId, handle: bytes) -> Sequence[bytes]:
        return tuple(await self._at.youth_keys.marks(agency, [SubjectHandle(handle)]))

    async def _source(self, caller: Caller, query: EntryQuery, chosen: Selection) -> "Source":
        if query.youth_handle:
            return _Marked(self._entries, await self._marks_of(caller.agency, query.youth_handle))
        asked = conditions(query.filter)
        if asked.needs_words(chosen):
            return _Proposed(self._proposals, asked.question(chosen, caller.agency))
        return _Selected(self._entries)

    async def _page(
        self, caller: Caller, query: EntryQuery, chosen: Selection, *, end: int
    ) -> tuple[list[Opened], int]:
        wanted, found, asked = query.page_size or DEFAULT_PAGE, list[Opened](), conditions(query.filter)
        after, examined, marks = query.after_index, 0, _Marks(self._at, self._entries, caller.agency)
        source, size = await self._source(caller, query, chosen), wanted
        while examined < _MOST_EXAMINED:
            stretch = await source.stretch(following(chosen, after, end), limit=size)
            for some in _slices(stretch.entries, wanted):
                # No more is opened at once than can be wanted: opening costs much more than looking.
                for opened in await self._open(caller, some, marks, end):
                    if asked.hold(opened):
                        found.append(opened)
                        if len(found) == wanted:
                            return found, opened.entry.index
            examined += stretch.examined
            if not stretch.more:
                return found, NO_MORE
            after, size = stretch.last, min(2 * size, _LONGEST_STRETCH)
        return found, after

    async def _open(self, caller: Caller, batch: Sequence[StoredEntry], marks: "_Marks", end: int) -> list[Opened]:
        oversees = _oversees(caller)
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
        """For each decision among these whether its caller learned that it was a permit, as far as it was closed.

        A decision is closed within seconds, so its closing entry is looked for close behind it; one that is not found
        there counts as open still, and shows nothing.
        """
        found: dict[int, bool] = {}
        read: list[int] = []
        read_to = 0
        for index in sorted(entry.index for entry in asked if awaits_end(entry, self._keys)):
            read_to = max(read_to, index)
            while index not in found and read_to < end and (behind := len(read) - bisect(read, index)) < _MOST_CLOSING:
                closing = Selection(agency=agency, side=Side.REQUESTER, kinds=(Kind.OUTCOME,), start=read_to, end=end)
                # Of most it is among the first few.
                limit = _CLOSING_BATCH if behind else _CLOSE_BEHIND
                batch = await self._entries.select(closing, limit=limit)
                found |= ends(batch, self._keys)
                read += [each.index for each in batch]
                read_to = read[-1] + 1 if len(batch) == limit else end
        return found

    async def _prove(self, found: Sequence[Opened], entered: Entered) -> tuple[Receipt, ...]:
        note = entered.receipt(REQUESTER_OPENS).checkpoint
        paths = await self._entries.proofs([each.entry.index for each in found], size_of(note))
        return tuple(
            Receipt(each.entry.index, each.entry.leaf, each.entry.digests, each.openings, path, note)
            for each, path in zip(found, paths, strict=True)
        )


class Source(Protocol):
    """Where entries come from, in the order of the log."""

    async def stretch(self, selection: Selection, *, limit: int) -> Stretch:
        """The first `limit` selected entries that may be wanted, or fewer."""


@dataclass(frozen=True, slots=True)
class _Selected:
    """All of them."""

    entries: Entries

    async def stretch(self, selection: Selection, *, limit: int) -> Stretch:
        return _stretch(await self.entries.select(selection, limit=limit), limit)


@dataclass(frozen=True, slots=True)
class _Marked:
    """One youth's: few enough to be read whole and selected here."""

    entries: Entries
    marks: Sequence[bytes] = field(repr=False)

    async def stretch(self, selection: Selection, *, limit: int) -> Stretch:
        all_of_them = await self.entries.marked(self.marks)
        return _stretch([each for each in all_of_them if includes(selection, each)][:limit], limit)


@dataclass(frozen=True, slots=True)
class _Proposed:
    """Those that may say what is asked for."""

    proposals: Proposals
    question: Question

    async def stretch(self, selection: Selection, *, limit: int) -> Stretch:
        return await self.proposals.proposed(self.question, selection, limit=limit)


def _stretch(entries: Sequence[StoredEntry], limit: int) -> Stretch:
    return Stretch(entries, len(entries), entries[-1].index if entries else NO_MORE, len(entries) == limit)


def _slices(entries: Sequence[StoredEntry], size: int) -> Iterator[Sequence[StoredEntry]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]


class _Marks:
    """The keys of the agency's youths and authorities by the marks of their entries; looked up when first needed."""

    def __init__(self, at: Setting, entries: Entries, agency: AgencyId) -> None:
        self._at = at
        self._entries = entries
        self._agency = agency
        self._youths: Mapping[bytes, bytes] | None = None
        self._authorities: Mapping[bytes, bytes] | None = None

    async def key(self, entry: StoredEntry) -> bytes | None:
        """The key under which the entry says whom it is about; None when it is about nobody, or the key is gone."""
        if not entry.tag:
            return None
        if self._youths is None:
            handles = await self._entries.handles(self._agency)
            self._youths = await self._at.youth_keys.marks(self._agency, handles)
        key = self._youths.get(entry.tag)
        if key is not None or entry.kind != Kind.AUTHORITY_REVOKED:
            return key
        if self._authorities is None:
            # Of one that names its youth by tokens.
            issued = await self._entries.issued(self._agency)
            handles = [handle for _, handle in map(own_youth, issued)]
            self._authorities = await self._at.youth_keys.marks(OF_NOBODY, handles)
        return self._authorities.get(entry.tag)


def _oversees(caller: Caller) -> bool:
    return caller.member.kind in OVERSEERS


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


def size_of(note: str) -> int:
    """Size in a checkpoint of this log's own making: its second line (C2SP tlog-checkpoint)."""
    return int(note.split("\n", 2)[1])
