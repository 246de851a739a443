"""Receipts: what makes an answer evidence, checked before the answer is used and kept after.

Decides when a receipt counts for an answer: the log's signature over a checkpoint, the inclusion of the leaf, the
openings against the leaf, and that the opened fields say this request and this outcome. A gateway that answers one
thing and writes another is caught here (ARCHITECTURE §3 step 14).

None counts that contradicts what was seen of the log before (`followed_logs`).
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, select

from adapters.errors import Conflict, ErrorReason, EvidenceInvalid
from adapters.node.attest import await_entry
from adapters.node.followed_logs import check_history
from adapters.node.store import Store
from adapters.node.succession import NEWEST_CHECKPOINT
from adapters.node.tables import local_event, receipt, request, request_epoch
from audit.checkpoint import Checkpoint, LogKey
from audit.entry import Opening
from audit.errors import EvidenceError
from audit.receipt import Receipt, parse_receipt
from gateway.protocol.names import Purpose, RequestId, Role
from gateway.protocol.policy.facts import LATEST_MS, milliseconds
from homeward.audit.v1 import log_pb2

Settle = Callable[[Connection], None]
"""Settles what an answer means for this agency's own records, in the transaction in which it is kept."""
KIND: Final = "kind"
REQUEST_DIGEST: Final = "request"
CERTIFICATE: Final = "certificate"
OUTCOME: Final = "outcome"
_UNIFORM: Final = frozenset({KIND, REQUEST_DIGEST, "purpose", "policy", "worker"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt that counts."""

    receipt: Receipt = field(repr=False)
    checkpoint: Checkpoint
    """The signed state of the log under which it was verified."""
    opened: Mapping[str, bytes] = field(repr=False)
    """Fields of the entry that are open to this agency."""

    @property
    def index(self) -> int:
        """Index of the leaf."""
        return self.receipt.index

    @property
    def leaf_time(self) -> datetime:
        """Time of the leaf, UTC."""
        return _EPOCH + timedelta(milliseconds=int.from_bytes(self.receipt.leaf[1:9], "big"))


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer's leaf must say."""

    kinds: frozenset[str]
    request_digest: bytes | None
    """SHA-256 of the exact request bytes; None where the leaf is not about any."""
    outcome: str | None = None
    """None where the leaf is written whatever the outcome."""
    certificate: bytes | None = None
    """SHA-256 of the DER certificate that the leaf says was issued; None where it is about none."""


def check_receipt(message: log_pb2.Receipt, log: LogKey, expected: Expected) -> Kept:
    """The receipt counts for an answer of which this is expected. Raises `EvidenceInvalid` otherwise."""
    kept = open_receipt(message, log)
    opened = kept.opened
    if opened.get(KIND, b"").decode("ascii", "replace") not in expected.kinds:
        raise EvidenceInvalid("receipt_kind")
    if expected.request_digest is not None and opened.get(REQUEST_DIGEST) != expected.request_digest:
        raise EvidenceInvalid("receipt_request")
    if expected.outcome is not None and opened.get(OUTCOME) != expected.outcome.encode():
        raise EvidenceInvalid("receipt_outcome")
    if expected.certificate is not None and opened.get(CERTIFICATE) != expected.certificate:
        raise EvidenceInvalid("receipt_certificate")
    return kept


def open_receipt(message: log_pb2.Receipt, log: LogKey) -> Kept:
    """The entry is in this log and the openings are its fields. Raises `EvidenceInvalid` otherwise."""
    read = Receipt(
        index=message.index,
        leaf=message.leaf,
        digests=message.digests,
        openings=tuple(Opening(each.slot, each.name, each.value, each.salt) for each in message.openings),
        inclusion_hashes=tuple(message.inclusion_hashes),
        checkpoint=message.checkpoint,
    )
    try:
        checkpoint = read.verify(log)
    except EvidenceError as exc:
        raise EvidenceInvalid("receipt") from exc
    if int.from_bytes(read.leaf[1:9], "big") > LATEST_MS:
        raise EvidenceInvalid("receipt_time")
    return Kept(read, checkpoint, _opened(read.openings))


def closed(kept: Kept) -> Kept:
    """The same evidence with no more open than every refusal shows.

    The decision of a permit that was withdrawn before anything left still says ALLOW; shown to a county system it
    would tell a known youth from an unknown one (ARCHITECTURE §6, Outcomes).
    """
    openings = tuple(each for each in kept.receipt.openings if each.name in _UNIFORM)
    return Kept(replace(kept.receipt, openings=openings), kept.checkpoint, _opened(openings))


def _opened(openings: Sequence[Opening]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for opening in openings:
        # Two classes may both name a field (each side's sequence number); a name that says two things says nothing.
        if found.setdefault(opening.name, opening.value) != opening.value:
            raise EvidenceInvalid("receipt_opening")
    return found


class Requests:
    """What this adapter asked, and the evidence it got: durable before sending and before answering."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def recall(self, request_id: RequestId, method: str, content: bytes) -> bytes | None:
        """The bytes that were sent under this identifier, or None.

        Raises `Conflict` when they asked something else, and when they are kept no longer (`erase`).

        `content` is a 32-byte keyed digest of what the county system asked.
        """
        with self._store.read() as connection:
            return _recalled(connection, request_id, method, content)

    def remember(
        self,
        request_id: RequestId,
        method: str,
        content: bytes,
        *,
        payload: bytes,
        epochs: Collection[str],
        now: datetime,
    ) -> bytes:
        """The bytes that this identifier stands for; durable. These, or those of the same request that came beside it
        and was first. Raises `Conflict` as `recall`.

        `epochs` of the token key are those of which the bytes may hold tokens or digests of tokens.
        """
        with self._store.write() as connection:
            known = _recalled(connection, request_id, method, content)
            if known is not None:
                return known
            for epoch in epochs:
                connection.execute(request_epoch.insert().values(request_id=request_id, epoch=epoch))
            connection.execute(
                request.insert().values(
                    request_id=request_id, method=method, digest=content, payload=payload, create_ms=milliseconds(now)
                )
            )
        return payload

    def forget(self, request_id: RequestId, settle: Settle | None = None) -> None:
        """The identifier stands for nothing any more: its bytes were refused; the same words may make others now.

        What that means for this agency's own records is settled after it, in the same transaction.
        """
        with self._store.write() as connection:
            connection.execute(request_epoch.delete().where(request_epoch.c.request_id == request_id))
            connection.execute(request.delete().where(request.c.request_id == request_id))
            if settle is not None:
                settle(connection)

    def keep(
        self,
        request_id: RequestId,
        receipts: Sequence[Kept],
        *,
        now: datetime,
        settle: Settle | None = None,
    ) -> None:
        """The receipts are on disk, and what they mean is settled; keeping one twice changes nothing.

        Raises as `follow`.
        """
        with self._store.write() as connection:
            for kept in receipts:
                check_history(connection, kept.checkpoint, NEWEST_CHECKPOINT)
                same = (receipt.c.request_id == request_id, receipt.c.leaf_index == kept.index)
                known = connection.scalar(select(receipt.c.proof).where(*same))
                if known is None or origin_of(known) != kept.checkpoint.origin:
                    # A lost entry of this very request may have had the position in a closed log.
                    connection.execute(receipt.delete().where(*same))
                    connection.execute(
                        receipt.insert().values(
                            request_id=request_id,
                            leaf_index=kept.index,
                            proof=kept.receipt.text(),
                            create_ms=milliseconds(now),
                        )
                    )
                    await_entry(connection, kept.index, kept.receipt.leaf)
            if settle is not None:
                settle(connection)

    def follow(self, kept: Kept) -> None:
        """The entry must be among those that are shown to this agency; the receipt itself is not kept.

        Nor may it contradict what was seen of the log before. Raises `EvidenceInvalid`.
        """
        with self._store.write() as connection:
            check_history(connection, kept.checkpoint, NEWEST_CHECKPOINT)
            await_entry(connection, kept.index, kept.receipt.leaf)

    def refused_here(self, kind: str, reason: str, *, purpose: Purpose, role: Role, worker: str, now: datetime) -> None:
        """A refusal that never left the county is on record in it."""
        with self._store.write() as connection:
            connection.execute(
                local_event.insert().values(
                    kind=kind, reason=reason, purpose=purpose, role=role, worker=worker, create_ms=milliseconds(now)
                )
            )


def _recalled(connection: Connection, request_id: RequestId, method: str, content: bytes) -> bytes | None:
    row = connection.execute(select(request).where(request.c.request_id == request_id)).one_or_none()
    if row is None:
        return None
    if (row.digest, row.method) != (content, method):
        raise Conflict(ErrorReason.ID_REUSED)
    if not row.payload:
        raise Conflict(ErrorReason.EXPIRED_REFETCH)
    payload: bytes = row.payload
    return payload


def origin_of(proof: str) -> str:
    """Origin of the log that a kept receipt is of."""
    return parse_receipt(proof).checkpoint.partition("\n")[0]


def request_digest(payload: bytes) -> bytes:
    """SHA-256 of exact request bytes."""
    return hashlib.sha256(payload).digest()
