"""Orders of this county's privacy officer to the exchange: seal, destroy, lift, recall; and who has answered.

Decides what travels: the youth's handle and digests of its tokens to the exchange that knows both, the court's case as
a commitment; never the county's own number. Every answer is checked against its entry in the log.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import Message

from adapters.errors import Sealed
from adapters.node import rpcs
from adapters.node.errors import Missing, NotReady
from adapters.node.receipts import Kept
from adapters.node.recording import Entry, Recorder, outcome_of
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.send import Deadline
from adapters.node.subjects import Subjects
from adapters.node.translate import county_errors
from adapters.records import LocalSubjectId
from adapters.staff import reference_commitment
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import SubjectHandle
from gateway.protocol.outcomes import Outcome
from homeward.gateway.v1 import sealing_pb2 as pb

_SEALED: Final = frozenset({"seal.restricted", "seal.destroyed", "seal.lifted"})
_SENT: Final = frozenset({"notice.sent"})
_LISTED: Final = frozenset({"notice.listed"})
_REFUSED: Final = frozenset({"access.decision"})


@dataclass(frozen=True, slots=True)
class Order:
    """What the privacy officer orders."""

    operation: int
    """`SealOperation` of the protocol."""
    local_id: LocalSubjectId | None = field(repr=False)
    seal_id: bytes
    case_reference: str = field(repr=False)
    release: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """An order that is on record, or the refusal of one."""

    outcome: Outcome
    identifier: bytes
    """Of the seal or notice; empty for a refusal."""
    notice_count: int
    receipt: Kept


@dataclass(frozen=True, slots=True)
class Notices:
    """Notices that this county caused."""

    sent: tuple[pb.SentNotice, ...]
    receipt: Kept


@dataclass(frozen=True, slots=True)
class SealingOrders:
    """Sends orders. Raises an `adapters.errors.Error`."""

    recorder: Recorder
    subjects: Subjects
    sealed: SealedSubjects
    commitment_key: bytes = field(repr=False)
    relist: Callable[[], None] = field(default=lambda: None, repr=False)
    """The caseload is compared again at once."""

    async def seal(self, entry: Entry, order: Order, deadline: Deadline) -> Done:
        """The order is carried out at the exchange and here, or its refusal is on record."""
        with county_errors():
            handle = None if order.local_id is None else await self._handle(order.local_id)

            async def build() -> Message:
                message = pb.SealOrder(
                    request_id=entry.request_id,
                    operation=order.operation,  # type: ignore[arg-type]
                    subject_handle=handle or b"",
                    seal_id=order.seal_id,
                    case_commitment=reference_commitment(self.commitment_key, "SEAL", order.case_reference),
                    token_digests=await asyncio.to_thread(self._digests, handle),
                    released_key=order.release,
                )
                if order.local_id is not None and handle is not None:
                    # The last before it is sent: an order that never leaves takes nobody off the list.
                    await asyncio.to_thread(self.sealed.begin, order.local_id, handle)
                return message

            try:
                response, digest = await self.recorder.send(rpcs.SEAL, entry, deadline, build)
            except rpcs.CallFailed as failed:
                if failed.fault is rpcs.CallFault.REFUSED:
                    await self._abandon(order)
                raise
            outcome = outcome_of(response.outcome)
            kinds = _SEALED if outcome is Outcome.RECORDED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            if outcome is Outcome.RECORDED:
                await self._settle(order, handle, response)
            else:
                await self._abandon(order)
            return Done(outcome, response.seal_id, response.notice_count, kept)

    async def recall(self, entry: Entry, kind: int, local_id: LocalSubjectId, deadline: Deadline) -> Done:
        """Whoever was told of the youth is sent a notice, or the refusal is on record."""
        with county_errors():
            handle = await self._handle(local_id)

            async def build() -> Message:
                return pb.RecallOrder(request_id=entry.request_id, kind=kind, subject_handle=handle)  # type: ignore[arg-type]

            response, digest = await self.recorder.send(rpcs.RECALL, entry, deadline, build)
            outcome = outcome_of(response.outcome)
            kinds = _SENT if outcome is Outcome.RECORDED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            return Done(outcome, response.notice_id, response.notice_count, kept)

    async def list_sent(self, entry: Entry, *, open_only: bool, deadline: Deadline) -> Notices:
        """The notices this county caused; that they were listed is on record."""
        with county_errors():

            async def build() -> Message:
                return pb.NoticeFilter(request_id=entry.request_id, open_only=open_only)

            response, digest = await self.recorder.send(rpcs.LIST_NOTICES, entry, deadline, build)
            outcome = outcome_of(response.outcome)
            kinds = _LISTED if outcome is Outcome.ANSWERED else _REFUSED
            kept = await self.recorder.check(response.receipt, entry, digest=digest, kinds=kinds, outcome=outcome)
            return Notices(tuple(response.notices), kept)

    async def _abandon(self, order: Order) -> None:
        if order.local_id is not None:
            await asyncio.to_thread(self.sealed.abandon, order.local_id)

    async def _settle(self, order: Order, handle: SubjectHandle | None, done: pb.SealResponse) -> None:
        if handle is not None:
            await asyncio.to_thread(self.sealed.sealed, handle, done.seal_id)
        if order.operation == pb.SEAL_OPERATION_DESTROY:
            await asyncio.to_thread(self.sealed.destroyed, done.seal_id)
        if order.operation == pb.SEAL_OPERATION_LIFT:
            await asyncio.to_thread(self.sealed.lifted, done.seal_id, SubjectHandle(done.subject_handle))
            self.relist()

    async def _handle(self, local_id: LocalSubjectId) -> SubjectHandle:
        handle = await asyncio.to_thread(self.subjects.known_handle, local_id)
        if handle is None:
            if self.sealed.is_sealed(local_id):
                raise Sealed
            raise NotReady(Missing.SUBJECT)
        return handle

    def _digests(self, handle: SubjectHandle | None) -> list[bytes]:
        every = self.subjects.every_registered(handle) if handle is not None else []
        return sorted({digest for tokens in every for digest in naming_digests(tokens)})
