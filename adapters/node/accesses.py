"""The county's own view of the audit log: entries fetched, each verified here, told in words.

Decides that nothing unverified is shown: every entry is proved against a checkpoint that the log signed, and every
opened field against its leaf. One entry that does not verify spoils the page, because an account with silent gaps is
worse than none. Handles become the county's own numbers here, inside the county.

Does not decide which entries the agency may see; the gateway does, and writes the query down as an access of its own.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from sqlalchemy import select

from adapters.errors import Denied, EvidenceInvalid
from adapters.node import rpcs
from adapters.node.access_words import sentence
from adapters.node.receipts import Kept, open_receipt
from adapters.node.recording import Entry, Recorder
from adapters.node.send import Deadline
from adapters.node.store import Store, subject
from adapters.node.translate import county_errors
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import AgencyKind
from homeward.audit.v1.log_pb2 import EntryFilter, Receipt
from homeward.audit.v1.service_pb2 import EntryQuery

_READ: Final = frozenset({"audit.read"})
_NO_MORE: Final = -1
OVERSEERS: Final = frozenset({AgencyKind.STATE, AgencyKind.AUDITOR})
"""Kinds whose members may ask about every agency; any other asks about itself, whatever the filter says."""


@dataclass(frozen=True, slots=True)
class Access:
    """One entry, verified."""

    index: int
    created: datetime
    opened: Mapping[str, bytes] = field(repr=False)
    local_id: str = field(repr=False)
    """The county's own number of the youth; empty where the entry is not about a youth of this agency."""
    sentence: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccessPage:
    """One page of entries."""

    accesses: tuple[Access, ...]
    next_index: int | None
    """Entries after this index come next; None for the last page."""
    checkpoint: str
    """Signed note of the newest state of the log under which an entry was verified."""
    receipt: Kept


@dataclass(frozen=True, slots=True)
class Accesses:
    """Reads the log for this county's reviewers."""

    recorder: Recorder
    store: Store

    async def page(
        self, entry: Entry, wanted: EntryFilter, *, page_size: int, after_index: int, deadline: Deadline
    ) -> AccessPage:
        """One page of entries that concern this agency; that it was read is on record. `after_index` -1: all.

        Raises `Denied` where the exchange does not let this role read, and any other `adapters.errors.Error`.
        """
        with county_errors():
            own = EntryFilter()
            own.CopyFrom(wanted)
            if not self._oversees():
                own.agency = self.recorder.sender.agency

            async def build() -> Message:
                return EntryQuery(request_id=entry.request_id, filter=own, page_size=page_size, after_index=after_index)

            response, digest = await self.recorder.send(rpcs.LIST_ENTRIES, entry, deadline, build)
            receipt = await self.recorder.check(response.receipt, entry, digest=digest, kinds=_READ, outcome=None)
            if not response.permitted:
                raise Denied
            verified = _in_order(response.entries, self.recorder.sender.directory(), after_index)
            accesses = await asyncio.to_thread(lambda: tuple(self._access(each) for each in verified))
            newest = max((*verified, receipt), key=lambda each: each.checkpoint.size)
            more = response.next_after_index
            return AccessPage(accesses, None if more == _NO_MORE else more, newest.receipt.checkpoint, receipt)

    def _oversees(self) -> bool:
        sender = self.recorder.sender
        member = sender.directory().member(sender.agency)
        return member is not None and member.kind in OVERSEERS

    def _access(self, kept: Kept) -> Access:
        local_id = self._local_id(kept.opened.get("handle", b""))
        return Access(kept.index, kept.leaf_time, kept.opened, local_id, sentence(kept.opened, kept.leaf_time))

    def _local_id(self, handle: bytes) -> str:
        if not handle:
            return ""
        with self.store.read() as connection:
            local_id: str | None = connection.scalar(select(subject.c.local_id).where(subject.c.handle == handle))
        return local_id or ""


def _in_order(entries: Iterable[Receipt], directory: DirectoryView, after_index: int) -> list[Kept]:
    found: list[Kept] = []
    before = after_index
    for message in entries:
        kept = open_receipt(message, directory)
        if kept.index <= before:
            raise EvidenceInvalid("entries_order")
        before = kept.index
        found.append(kept)
    return found
