"""The county's own view of the audit log: entries fetched, each verified here, told in words.

Decides that nothing unverified is shown: every entry is proved against a checkpoint that the log signed, and every
opened field against its leaf. One entry that does not verify spoils the page, because an account with silent gaps is
worse than none. Handles become the county's own numbers here, inside the county.

One word is the exchange's own: which agency holds what this one asked for. No field opens that to whoever asked, and
the exchange selects by it, too; whoever doubts it compares with that agency (`homeward audit reconcile`). It is shown
unless it contradicts what is open. To an overseer every entry proves both agencies itself, and their numbers.

Does not decide which entries the agency may see; the gateway does, and writes the query down as an access of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from sqlalchemy import select

from adapters.errors import Denied, ErrorReason, EvidenceInvalid, Invalid, NotFound, Sealed
from adapters.identity.tokenize import Person
from adapters.node import rpcs
from adapters.node.access_words import UNTOLD, Parties, sentence
from adapters.node.receipts import Kept, open_receipt
from adapters.node.recording import Entry, Recorder
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.send import Deadline
from adapters.node.settle import agreeing_keys
from adapters.node.store import Store
from adapters.node.succession import log_of
from adapters.node.tables import registration, subject
from adapters.node.translate import county_errors
from adapters.records import LocalSubjectId
from audit.body import PARTIES, parse_parties
from audit.checkpoint import LogKey
from audit.errors import EvidenceError
from gateway.protocol.directory import DirectoryView
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import OVERSEERS, AgencyId, SubjectHandle
from homeward.audit.v1.log_pb2 import EntryFilter, Receipt
from homeward.audit.v1.service_pb2 import EntryParties, EntryQuery, GetConsistencyProofRequest
from homeward.gateway.v1.envelope_pb2 import TokenSet

_READ: Final = frozenset({"audit.read"})
_NO_MORE: Final = -1


@dataclass(frozen=True, slots=True)
class Access:
    """One entry, verified."""

    index: int
    created: datetime
    opened: Mapping[str, bytes] = field(repr=False)
    local_id: str = field(repr=False)
    """The county's own number of the youth; empty where the entry is not about a youth of this agency."""
    sentence: str = field(repr=False)
    proof: Receipt = field(repr=False)
    """As it was verified, to be kept or handed on."""
    parties: Parties


@dataclass(frozen=True, slots=True)
class About:
    """The youth that entries are wanted of: by the county's own number, or by identity; not both."""

    local_id: LocalSubjectId | None = field(default=None, repr=False)
    person: Person | None = field(default=None, repr=False)


ANYBODY: Final = About()


@dataclass(frozen=True, slots=True)
class AccessPage:
    """One page of entries."""

    accesses: tuple[Access, ...]
    next_index: int | None
    """Entries after this index come next; None for the last page."""
    checkpoint: str
    """Signed note of the newest state of the log under which an entry was verified."""
    receipt: Kept
    reading: Receipt = field(repr=False)
    """The same as it came: the entry that recorded this reading, with this agency's newest number open."""
    log_key: LogKey
    consistency: tuple[bytes, ...] = field(default=(), repr=False)
    """Proof that the state behind this page begins with the one that was named; unverified."""
    is_sealed: bool = False
    """Whether the records of the youth that was asked for are sealed now."""
    oversees: bool = False
    """Whether entries of every agency were looked for."""


@dataclass(frozen=True, slots=True)
class Accesses:
    """Reads the log for this county's reviewers."""

    recorder: Recorder
    store: Store
    tokens: Callable[[Sequence[Person], str], Awaitable[Sequence[TokenSet]]]
    is_sealed_now: Callable[[SubjectHandle], bool]
    """As of the list of this agency's youths."""
    sealed: SealedSubjects
    """Those whom an order to the exchange took off that list."""

    async def page(
        self,
        entry: Entry,
        wanted: EntryFilter,
        *,
        page_size: int,
        after_index: int,
        deadline: Deadline,
        about: About = ANYBODY,
        consistent_size: int = 0,
    ) -> AccessPage:
        """One page of entries that concern this agency; that it was read is on record. `after_index` -1: all.

        Raises an `adapters.errors.Error`; `NotFound` for a youth whom this agency never listed, or a court sealed.
        """
        with county_errors():
            own = self._own(wanted)
            handle = await self._handle(about, entry.act.staff.pseudonym)

            async def build() -> Message:
                return EntryQuery(
                    request_id=entry.request_id,
                    filter=own,
                    page_size=page_size,
                    after_index=after_index,
                    youth_handle=handle,
                )

            response, digest = await self.recorder.send(rpcs.LIST_ENTRIES, entry, deadline, build)
            receipt = await self.recorder.check(response.receipt, entry, digest=digest, kinds=_READ, outcome=None)
            if not response.permitted:
                raise Denied
            directory = self.recorder.sender.directory()
            verified = _in_order(response.entries, directory, after_index)
            parties = self._parties(verified, response.parties)
            proved = list(zip(verified, response.entries, parties, strict=True))
            accesses = await asyncio.to_thread(lambda: tuple(self._access(*each) for each in proved))
            newest = max((*verified, receipt), key=lambda each: each.checkpoint.size)
            more = response.next_after_index
            return AccessPage(
                accesses,
                None if more == _NO_MORE else more,
                newest.receipt.checkpoint,
                receipt,
                response.receipt,
                LogKey(directory.message.log_origin, directory.message.log_key),
                await self._consistency(consistent_size, receipt.checkpoint.size, deadline),
                bool(handle) and await asyncio.to_thread(self.is_sealed_now, SubjectHandle(handle)),
                self._oversees(),
            )

    async def _consistency(self, old_size: int, new_size: int, deadline: Deadline) -> tuple[bytes, ...]:
        if not 0 < old_size < new_size:
            return ()
        asked = GetConsistencyProofRequest(old_size=old_size, new_size=new_size)
        sender = self.recorder.sender
        found = await sender.gateway.call(rpcs.GET_CONSISTENCY_PROOF, asked, seconds=deadline.left())
        return tuple(found.hashes)

    async def _handle(self, about: About, worker: str) -> bytes:
        """The handle of the youth; empty for anybody. The number and the identity go no further than this adapter."""
        if about.local_id is not None:
            return await asyncio.to_thread(self._handle_of, about.local_id)
        if about.person is None:
            return b""
        (tokens,) = await self.tokens([about.person], worker)
        return await asyncio.to_thread(self._handle_by, tokens)

    def _handle_of(self, local_id: LocalSubjectId) -> bytes:
        with self.store.read() as connection:
            handle: bytes | None = connection.scalar(select(subject.c.handle).where(subject.c.local_id == local_id))
        if handle is None:
            raise Sealed if self.sealed.is_sealed(local_id) else NotFound(ErrorReason.YOUTH_NOT_IN_CASELOAD)
        return handle

    def _handle_by(self, tokens: TokenSet) -> bytes:
        with self.store.read() as connection:
            rows = connection.execute(
                select(registration.c.handle, registration.c.tokens).where(registration.c.epoch == tokens.epoch)
            ).all()
            found = [row.handle for row in rows if agreeing_keys(tokens, TokenSet.FromString(row.tokens)) >= CORE_KEYS]
        if not found:
            raise NotFound(ErrorReason.YOUTH_NOT_IN_CASELOAD)
        if len(found) > 1:
            # An account of two youths' records in one would disclose the one to whoever asked for the other.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("youth: one",))
        handle: bytes = found[0]
        return handle

    def _own(self, wanted: EntryFilter) -> EntryFilter:
        """The filter, of this agency's entries unless it oversees.

        Raises `Invalid` where it names another agency, or one that never was a member: that there are no entries of
        such a one would look like an answer about a member whose name was mistyped.
        """
        own, agency = EntryFilter(), self.recorder.sender.agency
        own.CopyFrom(wanted)
        directory = self.recorder.sender.directory()
        named = {"agency": wanted.agency, "counterpart_agency": wanted.counterpart_agency}
        strangers = [name for name, each in named.items() if each and directory.member(AgencyId(each)) is None]
        if strangers:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=tuple(f"filter.{name}: member" for name in strangers))
        if not self._oversees():
            if wanted.agency not in ("", agency):
                # Answering for the own agency instead would look like an answer about the other one.
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("filter.agency: own",))
            own.agency = agency
        return own

    def _oversees(self) -> bool:
        sender = self.recorder.sender
        member = sender.directory().member(sender.agency)
        return member is not None and member.kind in OVERSEERS

    def _parties(self, entries: Sequence[Kept], told: Sequence[EntryParties]) -> list[Parties]:
        """Who took part in each entry. Raises `EvidenceInvalid` where that contradicts what is open, or cannot be."""
        if not told:
            # An exchange of an earlier release does not say.
            return [UNTOLD for _ in entries]
        if len(told) != len(entries):
            raise EvidenceInvalid("entries_parties")
        found = [_who(kept, each) for kept, each in zip(entries, told, strict=True)]
        agency, oversees = self.recorder.sender.agency, self._oversees()
        if not oversees and any(agency not in (each.requester, each.holder) for each in found):
            raise EvidenceInvalid("entries_parties")
        return found

    def _access(self, kept: Kept, proof: Receipt, parties: Parties) -> Access:
        local_id = self._local_id(kept.opened.get("handle", b""))
        told = sentence(kept.opened, kept.leaf_time, parties)
        return Access(kept.index, kept.leaf_time, kept.opened, local_id, told, proof, parties)

    def _local_id(self, handle: bytes) -> str:
        if not handle:
            return ""
        with self.store.read() as connection:
            local_id: str | None = connection.scalar(select(subject.c.local_id).where(subject.c.handle == handle))
        return local_id or ""


def _who(kept: Kept, told: EntryParties) -> Parties:
    """Who took part, as the exchange says and the entry does not deny. Raises `EvidenceInvalid` where it does."""
    said = Parties(told.requester_agency, told.holder_agency)
    opened, proof = kept.opened.get("requester"), kept.opened.get(PARTIES)
    if opened is not None and opened != said.requester.encode():
        raise EvidenceInvalid("entries_parties")
    if proof is None:
        return said
    try:
        proved = parse_parties(proof)
    except EvidenceError as exc:
        raise EvidenceInvalid("entries_parties") from exc
    if (proved.requester, proved.holder) != (said.requester, said.holder):
        raise EvidenceInvalid("entries_parties")
    return said


def _in_order(entries: Iterable[Receipt], directory: DirectoryView, after_index: int) -> list[Kept]:
    found: list[Kept] = []
    before = after_index
    for message in entries:
        kept = open_receipt(message, log_of(directory))
        if kept.index <= before:
            raise EvidenceInvalid("entries_order")
        before = kept.index
        found.append(kept)
    return found
