"""Tokens, made with the holders of the token key: blind here, ask the holders directly, check, finalize.

Decides whom to ask and when an answer counts. Each holder asked gets the same signed batch and none of them the others'
answers, so that no holder alone can make a token; each proves (DLEQ, RFC 9497 section 2.2) that it used the share to
which the countersigned directory holds it. As many are asked as make a token; another one when one of them fails, or
is slower than a youth at the door should wait for. A holder without a proof is a holder that did not answer, and an
alarm: it is broken, or lies. Likewise one without a receipt: what it evaluated for whom must stand in its own log.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapters.errors import EvidenceInvalid
from adapters.identity.scheme import Scheme
from adapters.identity.tokenize import BlindedBatch, Blinding, Person
from adapters.node.acts import RECEIPT_INVALID, HolderReceipts
from adapters.node.errors import HolderFault, HolderUnavailable
from adapters.node.holder_alarm import HolderFinding
from adapters.node.identifiers import Clock, RandomBytes, new_request_id
from adapters.node.quorum import Quorum, quorum
from adapters.node.rpcs import EVALUATE, Caller, CallFailed, CallFault
from gateway.protocol import oprf
from gateway.protocol.directory import DirectoryView, HolderView
from gateway.protocol.envelope import wrap
from gateway.protocol.names import OPAQUE_LENGTH
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope, TokenSet
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EvaluateRequest, EvaluateResponse, EvaluationUse
from homeward.gateway.v1.token_pb2 import BlindedBatch as BatchMessage

CALL_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 0.5
"""How long the holders asked first may take before one more is asked beside them."""
REST: Final = timedelta(seconds=30)
"""How long a holder that failed is asked last."""
PROOF_INVALID: Final = "PROOF_INVALID"
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Makes token sets of identities; holds no share."""

    suite: oprf.Suite
    scheme: Scheme
    envelope_key: SigningKey = field(repr=False)
    caller_of: Callable[[HolderView], Caller]
    """The channel to a holder: this gateway's for share 1, the holder's own for any other."""
    alarm: Callable[[HolderFinding, str], None]
    """Called with what was found, and the operator of the holder it was found of."""
    receipts: HolderReceipts = field(repr=False)
    now: Clock
    random_bytes: RandomBytes
    failed: dict[int, datetime] = field(default_factory=dict)
    """When a holder last failed, by share index."""

    @property
    def capacity(self) -> int:
        """How many people one batch holds."""
        return self._blinding().capacity

    async def tokens(
        self,
        people: Sequence[Person],
        *,
        use: EvaluationUse,
        directory: DirectoryView,
        epoch: str,
        pepper: bytes,
        worker: bytes,
    ) -> list[TokenSet]:
        """One token set of this epoch per person, in order; all of them or none.

        `pepper` is the epoch's, `worker` the pseudonym of who looks up.

        Raises `IncompleteIdentity`, `InvalidIdentity`, `HolderUnavailable`, `NotReady`.
        """
        asked = quorum(self.suite.group, directory, epoch)
        made: list[TokenSet] = []
        for start in range(0, len(people), self.capacity):
            part = people[start : start + self.capacity]
            batch = await asyncio.to_thread(self._blinding().begin, part, pepper=pepper, epoch=epoch)
            message = BatchMessage(
                request_id=new_request_id(self.now(), self.random_bytes),
                epoch=epoch,
                generation=asked.generation,
                record_count=len(part),
                elements=batch.elements,
                use=use,
                worker=worker if use == EVALUATION_USE_LOOKUP else b"",
            )
            made += await self._batch(batch, message, asked)
        return made

    async def _batch(self, batch: BlindedBatch, message: BatchMessage, asked: Quorum) -> list[TokenSet]:
        evaluations = await self._ask(asked, wrap(message, self.envelope_key), batch)
        return await asyncio.to_thread(self._blinding().finish, batch, evaluations, threshold=asked.threshold)

    async def _ask(self, asked: Quorum, said: SignedEnvelope, batch: BlindedBatch) -> dict[int, Sequence[bytes]]:
        """Proven evaluations of the first holders that make a token. Raises `HolderUnavailable`.

        Where none can be made without one that failed lately, that one is asked first, and nobody else before it
        answers: a holder charges for what it evaluates, also when nothing comes of it.
        """
        waiting = self._order(asked.holders)
        rested = [each for each in waiting if not self._failed_lately(each)]
        evaluations: dict[int, Sequence[bytes]] = {}
        faults: list[HolderFault] = []
        lacking = asked.threshold - len(rested)
        if lacking > 0:
            tired = waiting[len(rested) :]
            await self._gather(tired, lacking, evaluations, faults, said, batch)
            waiting = [*rested, *tired]
        await self._gather(waiting, asked.threshold, evaluations, faults, said, batch)
        return evaluations

    async def _gather(
        self,
        waiting: list[HolderView],
        threshold: int,
        evaluations: dict[int, Sequence[bytes]],
        faults: list[HolderFault],
        said: SignedEnvelope,
        batch: BlindedBatch,
    ) -> None:
        """So many have answered, the first of those `waiting`, who leave it when asked; `faults` has the others."""
        running: set[asyncio.Task[EvaluateResponse | HolderFault]] = set()
        wanted = threshold
        try:
            while len(evaluations) < threshold:
                while waiting and len(running) + len(evaluations) < wanted:
                    running.add(asyncio.ensure_future(self._evaluate(waiting.pop(0), said, batch)))
                if not running:
                    raise HolderUnavailable(tuple(faults))
                patience = PATIENCE_SECONDS if waiting else None
                done, running = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                # Nobody answered in time: one more is asked, and whoever is first counts.
                wanted += not done
                for task in done:
                    result = task.result()
                    if isinstance(result, HolderFault):
                        faults.append(result)
                    else:
                        evaluations[result.share_index] = result.elements
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _order(self, holders: Sequence[HolderView]) -> list[HolderView]:
        """At random, so that the load is shared and nobody sees all questions; those that failed lately come last."""
        return sorted(holders, key=lambda each: (self._failed_lately(each), self.random_bytes(8)))

    def _failed_lately(self, holder: HolderView) -> bool:
        failed = self.failed.get(holder.share_index)
        return failed is not None and failed > self.now() - REST

    async def _evaluate(
        self, holder: HolderView, said: SignedEnvelope, batch: BlindedBatch
    ) -> EvaluateResponse | HolderFault:
        request = EvaluateRequest(envelope=said)
        try:
            answer = await self.caller_of(holder).call(EVALUATE, request, seconds=CALL_SECONDS)
        except CallFailed as failed:
            self.failed[holder.share_index] = self.now()
            return HolderFault(holder.operator, failed.fault, failed.reason)
        try:
            await asyncio.to_thread(check_evaluation, self.suite, holder, batch.elements, answer)
            await asyncio.to_thread(self.receipts.check, holder, answer.receipt, said)
        except CallFailed as failed:
            # Not the holder's doing: it is neither rested nor named.
            return HolderFault(holder.operator, failed.fault, failed.reason)
        except (oprf.ProofError, oprf.BatchError):
            return await self._unproven(holder, PROOF_INVALID)
        except EvidenceInvalid:
            return await self._unproven(holder, RECEIPT_INVALID)
        return answer

    async def _unproven(self, holder: HolderView, reason: str) -> HolderFault:
        _LOG.error("a holder's evaluation is not proven", extra={"operator": holder.operator, "reason": reason})
        self.failed[holder.share_index] = self.now()
        await asyncio.to_thread(self.alarm, HolderFinding.UNPROVEN, holder.operator)
        return HolderFault(holder.operator, CallFault.BROKEN, reason)

    def _blinding(self) -> Blinding:
        return Blinding(self.suite, self.scheme, random_bytes=self.random_bytes)


def check_evaluation(suite: oprf.Suite, holder: HolderView, blinded: Sequence[bytes], answer: EvaluateResponse) -> None:
    """The holder evaluated exactly these elements under its published share. Raises `ProofError`, `BatchError`."""
    if answer.share_index != holder.share_index:
        raise oprf.BatchError(oprf.BatchFault.INVALID_SHARE_INDEX)
    oprf.verify_proof(
        suite, holder.share_commitment, blinded=blinded, evaluated=list(answer.elements), proof=answer.proof
    )


def holder_pseudonym(key: bytes, worker: str, at: datetime) -> bytes:
    """The worker as holders may count one for a day (UTC), 16 bytes: nobody links it to another day or to an assertion.

    `key` is the county's commitment key, `worker` the pseudonym that assertions use; empty for the adapter itself.
    """
    text = f"{at.toordinal()}\0{worker}".encode()
    return hmac.digest(key, b"homeward/holder-worker/v1\0" + text, "sha256")[:OPAQUE_LENGTH]
