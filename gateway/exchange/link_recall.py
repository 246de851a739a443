"""What is taken back when a link is: whoever was told on the word of two agencies that one youth is meant.

Decides who hears of it and by which entries. A link is a word between two agencies; while it stands, what the asking
one is told of the youth rests on it, whatever the score would have said, and the entry that tells is on its account:

    relied      with the entry that tells, in its transaction, and only while the link stands
    recalled    with the entry by which the link ends: a notice to exactly those told on its account, and the account
                is empty; whoever was told of the youth otherwise hears nothing

The notice is that of a recall for a wrong youth (`recall`): its adapter deletes, signs that it did, and the listing
agency's officer sees who has not answered. It is never opened again by a link that is confirmed anew.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from audit.entry import ClassKeys
from gateway.exchange.deed import both
from gateway.exchange.notices import Copy, copies, sent_as, told
from gateway.exchange.reliance import Reliance
from gateway.exchange.reviews import Review
from gateway.exchange.seal_ports import Marked, Seals
from gateway.ports import Guard, NewAlert, Rows
from gateway.protocol.directory import DirectoryView
from gateway.protocol.names import OPAQUE_LENGTH, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE
from homeward.gateway.v1.sealing_pb2 import NOTICE_KIND_WRONG_YOUTH


@dataclass(frozen=True, slots=True)
class Recalled:
    """What the end of a link changes beside the link."""

    notice_id: bytes
    count: int
    """How many agencies are sent the notice."""
    guard: Guard
    rows: Rows
    alerts: tuple[NewAlert, ...]


@dataclass(frozen=True, slots=True)
class LinkRecall:
    """Takes back what was told on the account of links."""

    reliance: Reliance
    seals: Seals
    marked: Marked
    keys: ClassKeys = field(repr=False)
    directory: Callable[[], DirectoryView]
    random_bytes: Callable[[int], bytes]

    async def of(self, review: Review, at: datetime) -> Recalled:
        """The notices for everybody told on this link's account. Raises `Unavailable`."""
        account = await self.reliance.relying(review)
        entries = await self.marked.marked(account.marks) if account.marks else []
        notice_id = self.random_bytes(OPAQUE_LENGTH)
        made = copies(notice_id, told(entries, self.keys), self.directory(), at) if entries else []
        rows, at_ms = self.reliance.settled(review.review_id), milliseconds(at)
        if made:
            rows += self.seals.send(notice_id, review.owner, kind=NOTICE_KIND_WRONG_YOUTH, copies=made, at_ms=at_ms)
        alerts = tuple(_alert(review, copy, notice_id, at_ms) for copy in made)
        guard = self.reliance.unchanged(review.review_id, account)
        return Recalled(notice_id, len(made), guard, rows, alerts)


def guarded(guard: Guard, recalled: Recalled | None) -> Guard:
    """The guard, and that nothing was told meanwhile on the account that is recalled."""
    return guard if recalled is None else both(guard, recalled.guard)


def _alert(review: Review, copy: Copy, notice_id: bytes, create_ms: int) -> NewAlert:
    return NewAlert(
        agency=copy.agency,
        kind=ALERT_KIND_NOTICE,
        handle=SubjectHandle(notice_id),
        acting_agency=review.owner,
        create_ms=create_ms,
        notice=sent_as(NOTICE_KIND_WRONG_YOUTH, copy),
    )
