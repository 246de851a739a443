"""Tokens, made with the holders of the token key: blind here, ask the holders directly, check, combine.

Decides whom to ask and when an answer counts. Every holder gets the same signed batch and none of them the others'
answers, so that no holder alone can make a token; each proves (DLEQ, RFC 9497 section 2.2) that it used the share to
which the countersigned directory holds it. A holder without a proof is a holder that did not answer.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from adapters.identity.scheme import Scheme
from adapters.identity.tokenize import BlindedBatch, Blinding, Person, TokenSet
from adapters.node.errors import HolderFault, HolderUnavailable, Missing, NotReady
from adapters.node.identifiers import Clock, RandomBytes, new_request_id
from adapters.node.rpcs import EVALUATE, Caller, CallFailed, CallFault
from gateway.protocol import oprf
from gateway.protocol.directory import DirectoryView, HolderView
from gateway.protocol.envelope import wrap
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1 import envelope_pb2
from homeward.gateway.v1.token_pb2 import BlindedBatch as BatchMessage
from homeward.gateway.v1.token_pb2 import EvaluateRequest, EvaluateResponse, EvaluationUse

THRESHOLD: Final = 2
"""Shares that make a token. One would let a single operator make tokens (ARCHITECTURE §6, Trust roots)."""
CALL_SECONDS: Final = 5.0
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Makes token sets of identities; holds no share."""

    suite: oprf.Suite
    scheme: Scheme
    envelope_key: SigningKey = field(repr=False)
    caller_of: Callable[[HolderView], Caller]
    """The channel to a holder: this gateway's for share 1, the holder's own for any other."""
    now: Clock
    random_bytes: RandomBytes

    @property
    def capacity(self) -> int:
        """How many people one batch holds."""
        return self._blinding().capacity

    async def tokens(
        self, people: Sequence[Person], *, use: EvaluationUse, directory: DirectoryView, pepper: bytes
    ) -> list[envelope_pb2.TokenSet]:
        """One token set per person, in order; all of them or none.

        Raises `IncompleteIdentity`, `InvalidIdentity`, `HolderUnavailable`, `NotReady`.
        """
        holders = independent_holders(directory)
        made: list[envelope_pb2.TokenSet] = []
        for start in range(0, len(people), self.capacity):
            part = people[start : start + self.capacity]
            made += await self._batch(part, use=use, epoch=directory.epoch, holders=holders, pepper=pepper)
        return made

    async def _batch(
        self,
        people: Sequence[Person],
        *,
        use: EvaluationUse,
        epoch: str,
        holders: tuple[HolderView, ...],
        pepper: bytes,
    ) -> list[envelope_pb2.TokenSet]:
        blinding = self._blinding()
        batch = await asyncio.to_thread(blinding.begin, people, pepper=pepper, epoch=epoch)
        message = BatchMessage(
            request_id=new_request_id(self.now(), self.random_bytes),
            epoch=epoch,
            record_count=len(people),
            elements=batch.elements,
            use=use,
        )
        evaluations = await self._ask(holders, EvaluateRequest(envelope=wrap(message, self.envelope_key)), batch)
        sets = await asyncio.to_thread(blinding.finish, batch, evaluations, threshold=THRESHOLD)
        return [token_message(each) for each in sets]

    async def _ask(
        self, holders: tuple[HolderView, ...], request: EvaluateRequest, batch: BlindedBatch
    ) -> dict[int, Sequence[bytes]]:
        """Proven evaluations of the first `THRESHOLD` holders that give one. Raises `HolderUnavailable`."""
        evaluations: dict[int, Sequence[bytes]] = {}
        faults: list[HolderFault] = []
        tasks = [asyncio.ensure_future(self._evaluate(holder, request, batch)) for holder in holders]
        try:
            for finished in asyncio.as_completed(tasks):
                result = await finished
                if isinstance(result, HolderFault):
                    faults.append(result)
                    continue
                evaluations[result.share_index] = result.elements
                if len(evaluations) == THRESHOLD:
                    return evaluations
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise HolderUnavailable(tuple(faults))

    async def _evaluate(
        self, holder: HolderView, request: EvaluateRequest, batch: BlindedBatch
    ) -> EvaluateResponse | HolderFault:
        try:
            answer = await self.caller_of(holder).call(EVALUATE, request, seconds=CALL_SECONDS)
        except CallFailed as failed:
            return HolderFault(holder.operator, failed.fault, failed.reason)
        try:
            await asyncio.to_thread(check_evaluation, self.suite, holder, batch.elements, answer)
        except (oprf.ProofError, oprf.BatchError):
            _LOG.error("a holder's evaluation is not proven", extra={"operator": holder.operator})
            return HolderFault(holder.operator, CallFault.BROKEN, "PROOF_INVALID")
        return answer

    def _blinding(self) -> Blinding:
        return Blinding(self.suite, self.scheme, random_bytes=self.random_bytes)


def independent_holders(directory: DirectoryView) -> tuple[HolderView, ...]:
    """Holders run by different operators with different roots. Raises `NotReady` for fewer than the threshold.

    One operator with two shares would be one holder in two processes (TOKENS §6, Parties).
    """
    kept: dict[int, HolderView] = {}
    operators: set[str] = set()
    roots: set[bytes] = set()
    for holder in directory.holders:
        if holder.operator in operators or holder.ca_certificate in roots or holder.share_index in kept:
            continue
        operators.add(holder.operator)
        roots.add(holder.ca_certificate)
        kept[holder.share_index] = holder
    if len(kept) < THRESHOLD:
        raise NotReady(Missing.HOLDERS)
    return tuple(kept.values())


def check_evaluation(suite: oprf.Suite, holder: HolderView, blinded: Sequence[bytes], answer: EvaluateResponse) -> None:
    """The holder evaluated exactly these elements under its published share. Raises `ProofError`, `BatchError`."""
    if answer.share_index != holder.share_index:
        raise oprf.BatchError(oprf.BatchFault.INVALID_SHARE_INDEX)
    oprf.verify_proof(
        suite, holder.share_commitment, blinded=blinded, evaluated=list(answer.elements), proof=answer.proof
    )


def token_message(tokens: TokenSet) -> envelope_pb2.TokenSet:
    """The token set as it crosses the wire."""
    return envelope_pb2.TokenSet(
        epoch=tokens.epoch,
        scheme=tokens.scheme,
        keys=[envelope_pb2.KeyTokens(key=each.name, present=each.present, tokens=each.tokens) for each in tokens.keys],
    )
