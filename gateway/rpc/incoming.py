"""From a request message to the values the exchange works on.

Decides nothing: parses (what is malformed is `Invalid`, with field paths) and names things.
A known caller's malformed message is on record before it is refused.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from gateway.errors import LOG_REFUSES, Error, ErrorReason, Invalid
from gateway.exchange.call import Call, Caller, Query
from gateway.protocol.names import EvidenceKind, FieldSet, RequestId
from gateway.protocol.parse import MalformedMessage, check
from gateway.protocol.wire_names import from_wire
from gateway.rpc.peer import Peer
from homeward.gateway.v1.exchange_pb2 import FlagQuery, RecordsQuery

M = TypeVar("M", bound=Message)


class AssertedRequest(Protocol):
    """Any request that carries exact bytes and a user assertion over them."""

    payload: bytes
    user_assertion: str


class Admission(Protocol):
    """Step 4 and the record of what it refuses (`exchange/spine`)."""

    async def admit(self, call: Call, message_type: type[M]) -> tuple[Caller, M]:
        """The caller and its message."""

    async def refuse(self, call: Call, refusal: Error) -> None:
        """The refusal is on record."""


def call_of(request: AssertedRequest, peer: Peer, now: datetime) -> Call:
    """The call in this request. The clock is read once a call, to the millisecond the log keeps."""
    return Call(
        payload=request.payload,
        assertion=request.user_assertion,
        agency=peer.agency,
        actor=peer.identity.uri,
        thumbprint=peer.thumbprint,
        received_at=now.replace(microsecond=now.microsecond // 1000 * 1000),
    )


async def admitted(request: Message, call: Call, admission: Admission, message_type: type[M]) -> tuple[Caller, M]:
    """The caller and the parsed payload; refusals are on record. Raises `Unauthenticated` or `Invalid`."""
    try:
        check(request)
    except MalformedMessage as exc:
        refusal = Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields)
        await admission.refuse(call, refusal)
        raise refusal from exc
    return await admission.admit(call, message_type)


Work = TypeVar("Work")


async def on_record(call: Call, admission: Admission, work: Callable[[], Awaitable[Work]]) -> Work:
    """What the work returns; an error of it is on record before it goes to the caller."""
    try:
        return await work()
    except Error as refusal:
        if refusal.reason not in LOG_REFUSES:
            await admission.refuse(call, refusal)
        raise


def flag_query(message: FlagQuery, payload: bytes, *, spends_assertion: bool = True) -> Query:
    """The question whether a youth is missing. `payload` is exactly this question's bytes."""
    return Query(
        request_id=RequestId(message.request_id),
        digest=sha256(payload).digest(),
        tokens=message.tokens,
        evidence=_evidence(message),
        field_sets=(FieldSet.FS1_FLAG_STATUS,),
        payload=payload,
        spends_assertion=spends_assertion,
    )


def batch_item(batch_digest: bytes, position: int) -> bytes:
    """What stands for one question of a batch: the signed bytes of the whole and a position, never re-serialized bytes.

    `batch_digest` is the SHA-256 of the whole. That of the result is the item's request digest, for both ends.
    """
    return b"homeward/batch-item/v1\0" + batch_digest + position.to_bytes(4, "big")


def records_query(message: RecordsQuery, payload: bytes) -> Query:
    """The request for records. Raises `Invalid` when it asks for nothing that a source answers."""
    field_sets = tuple(from_wire(FieldSet, number) for number in message.field_sets)
    if set(field_sets) <= {FieldSet.FS0_ACK, FieldSet.FS1_FLAG_STATUS} or FieldSet.FS7_ACCOUNTING in field_sets:
        raise Invalid(ErrorReason.INVALID_REQUEST, fields=("field_sets: answered by a source",))
    return Query(
        request_id=RequestId(message.request_id),
        digest=sha256(payload).digest(),
        tokens=message.tokens,
        evidence=_evidence(message),
        field_sets=field_sets,
        recipient_key_id=message.recipient_key_id,
        page=message.page or 1,
        payload=payload,
    )


def _evidence(message: FlagQuery | RecordsQuery) -> tuple[tuple[EvidenceKind, bytes], ...]:
    return tuple((from_wire(EvidenceKind, each.kind), each.reference_commitment) for each in message.evidence)
