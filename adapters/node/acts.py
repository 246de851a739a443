"""What this adapter says by itself, without a user: nothing of an answer counts before its receipt was checked.

Decides what such a receipt must say: this kind of entry, and the very bytes that were signed or the certificate that
was issued. An answer without one is no answer (BROKEN), and is asked for again; so is one whose receipt cannot be
followed now, because somebody else is writing to the adapter's database (UNAVAILABLE).

The receipts of what users ask are kept (`receipts.Requests`), and a verdict's goes to the county system. Of these there
are thousands a day. What they prove is held on to otherwise: the log has one history, and the entry is awaited among
those that are shown to this agency (`attest`).
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import OperationalError

from adapters.errors import EvidenceInvalid
from adapters.node.followed_logs import HolderLogs
from adapters.node.receipts import Expected, Kept, Requests, check_receipt, request_digest
from adapters.node.rpcs import CallFailed, CallFault
from audit.checkpoint import LogKey
from gateway.protocol.directory import GATEWAY_SHARE, HolderView
from gateway.protocol.log_kinds import Kind
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

RECEIPT_INVALID: Final = "RECEIPT_INVALID"
_EVALUATED: Final = frozenset({Kind.TOKEN_EVALUATED})
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Acts:
    """Checks the receipts of machine-only calls at the gateway."""

    requests: Requests
    log: Callable[[], LogKey]
    """The exchange's log, as far as it is known here."""

    async def check(self, receipt: Receipt, kind: Kind, said: SignedEnvelope) -> None:
        """The receipt of what was said in this envelope counts. Raises `CallFailed`."""
        with _no_answer():
            await self.proven(receipt, kind, said)

    async def check_issued(self, receipt: Receipt, kind: Kind, certificate: bytes) -> None:
        """The receipt counts for the certificate with this SHA-256. Raises `CallFailed`."""
        with _no_answer(), _at_hand():
            await self._followed(receipt, Expected(frozenset({kind}), None, certificate=certificate))

    async def proven(self, receipt: Receipt, kind: Kind, said: SignedEnvelope) -> Kept:
        """The receipt of what was said in this envelope, for a user who keeps it.

        Raises `EvidenceInvalid`, and `CallFailed` while the adapter's database cannot be written.
        """
        with _at_hand():
            return await self._followed(receipt, Expected(frozenset({kind}), request_digest(said.payload)))

    async def _followed(self, receipt: Receipt, expected: Expected) -> Kept:
        kept = check_receipt(receipt, self.log(), expected)
        await asyncio.to_thread(self.requests.follow, kept)
        return kept


@dataclass(frozen=True, slots=True)
class HolderReceipts:
    """Checks the receipts of evaluations, each against its holder's own log."""

    requests: Requests
    logs: HolderLogs

    def check(self, holder: HolderView, receipt: Receipt, said: SignedEnvelope) -> None:
        """The holder has on record that it evaluated what was said in this envelope.

        Blocking. Other logs than the exchange's show nobody their entries: of these only the history is followed.
        Raises `EvidenceInvalid`, and `CallFailed` while the adapter's database cannot be written.
        """
        log = LogKey(holder.log_origin, holder.log_key)
        kept = check_receipt(receipt, log, Expected(_EVALUATED, request_digest(said.payload)))
        with _at_hand():
            if holder.share_index == GATEWAY_SHARE:
                self.requests.follow(kept)
            else:
                self.logs.follow(holder, kept.checkpoint)


@contextmanager
def _at_hand() -> Iterator[None]:
    try:
        yield
    except OperationalError as exc:
        _LOG.warning("a receipt is not followed yet", extra={"exception_type": type(exc).__name__})
        raise CallFailed(CallFault.UNAVAILABLE) from exc


@contextmanager
def _no_answer() -> Iterator[None]:
    try:
        yield
    except EvidenceInvalid as invalid:
        _LOG.error("the receipt of an answer does not hold", extra={"why": invalid.fault})
        raise CallFailed(CallFault.BROKEN, RECEIPT_INVALID) from invalid
