"""Calls that record something: the common way from what a user says to a leaf that says it.

Decides their order: bytes durable, sent, receipt checked against these bytes and this outcome, receipt durable. What a
call made of this agency's own records is settled in the transaction of its answer, with the receipt or with the bytes
that a refusal takes. What is recorded is decided by the callers (`reports`, `authorities`, `accesses`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from adapters.errors import EvidenceInvalid
from adapters.node.receipts import Expected, Kept, Requests, Settle, check_receipt, request_digest
from adapters.node.rpcs import CallFailed, CallFault, Rpc
from adapters.node.send import Act, Deadline, Sender
from adapters.node.succession import log_of
from gateway.protocol.names import RequestId
from gateway.protocol.outcomes import Outcome
from gateway.protocol.wire_names import from_wire
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.authority_pb2 import Authority, AuthorityRecord
from homeward.gateway.v1.missing_pb2 import FlagReport
from homeward.gateway.v1.sealing_pb2 import SealOrder

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be recorded, for whom, under which identifier."""

    request_id: RequestId
    act: Act
    content: bytes = field(repr=False)
    """Keyed digest of everything the county system said, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Sends calls that record."""

    sender: Sender
    requests: Requests

    async def sent(self, rpc: Rpc[Q, A], entry: Entry) -> bytes | None:
        """The bytes that were sent under this identifier before, or None. Raises `Conflict`."""
        return await asyncio.to_thread(self.requests.recall, entry.request_id, rpc.name, entry.content)

    async def send(
        self,
        rpc: Rpc[Q, A],
        entry: Entry,
        deadline: Deadline,
        build: Callable[[], Awaitable[Message]],
        *,
        refused: Callable[[CallFailed], Settle | None] = lambda _: None,
    ) -> tuple[A, bytes]:
        """The gateway's answer, unverified, and the digest of the bytes it answers.

        `build` makes the message; it is not run when this identifier was sent before. `refused` settles a refusal.
        Raises `CallFailed`, `Conflict`.
        """
        payload = await self.sent(rpc, entry)
        if payload is None:
            message = await build()
            payload = await asyncio.to_thread(
                self.requests.remember,
                entry.request_id,
                rpc.name,
                entry.content,
                payload=message.SerializeToString(),
                epochs=epochs_of(message, self.sender.directory().epochs),
                now=self.sender.now(),
            )
        try:
            return await self.sender.send(rpc, payload, entry.act, deadline), request_digest(payload)
        except CallFailed as failed:
            if failed.fault is CallFault.REFUSED:
                await asyncio.to_thread(self.requests.forget, entry.request_id, refused(failed))
            raise

    async def check(
        self,
        receipt: Receipt,
        entry: Entry,
        *,
        digest: bytes,
        kinds: frozenset[str],
        outcome: Outcome | None,
        settle: Settle | None = None,
    ) -> Kept:
        """The receipt, after it was found to say this request and this outcome, and kept. Raises `EvidenceInvalid`."""
        kept = check_receipt(receipt, log_of(self.sender.directory()), Expected(kinds, digest, outcome))
        await asyncio.to_thread(self.requests.keep, entry.request_id, [kept], now=self.sender.now(), settle=settle)
        return kept


def epochs_of(message: Message, live: Collection[str]) -> frozenset[str]:
    """Epochs of the token key of which the message may hold something.

    Tokens say theirs. Digests of tokens do not, and a youth's are of every epoch it is listed in: any that is `live`.
    """
    if isinstance(message, FlagReport):
        return frozenset({message.tokens.epoch})
    if isinstance(message, SealOrder) and message.token_digests:
        return frozenset(live)
    if isinstance(message, AuthorityRecord):
        subject = Authority.FromString(message.authority.payload).subject
        return frozenset(live) if subject.HasField("token_digests") else frozenset()
    return frozenset()


def outcome_of(number: int) -> Outcome:
    """The outcome of a call that records. Raises `EvidenceInvalid` for one it cannot have."""
    outcome = from_wire(Outcome, number)
    if outcome in (Outcome.NO_ACTIVE_FLAG_FOUND, Outcome.NO_DISCLOSABLE_RECORD, Outcome.SOURCE_UNAVAILABLE):
        raise EvidenceInvalid("outcome")
    return outcome
