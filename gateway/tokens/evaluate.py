"""Evaluation of blinded elements under this holder's share, for whom, and how often.

In this order; the budget is charged before anything is computed, so that a refused batch is not free:

1. the envelope is signed by a key of this agency in a directory this holder signed
2. a share of that epoch and generation is here; the batch is no larger than one proof covers, has exactly the elements
   of its records, and names the worker of a look-up; whoever registers has sources, and so something to register
3. one leaf: agency, records, elements, use, digest of what was signed; never an element. A batch beyond a budget is a
   refusal leaf instead (`spending`), and an alarm is a leaf of its own
4. the elements, off the event loop; one bad element refuses the whole batch

Gateway and custodian run this same code, each with its own share, log and budget. A holder counts volumes and nothing
else: it cannot know which look-ups found somebody. What follows from too many that found nobody is decided by the
gateway, which does (`exchange/tally`).
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Final

from audit.log import Append
from gateway.config import Budgets
from gateway.errors import EnvelopeInvalid, ErrorReason, Exhausted, Invalid, Unavailable
from gateway.exchange.journal import Kind, draft
from gateway.exchange.receipts import act_receipt
from gateway.members.ledger import Ledger
from gateway.members.refusals import on_record
from gateway.ports import Entered
from gateway.protocol import oprf
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.signing import SignatureInvalid
from gateway.tokens.budgets import is_whole, names_worker
from gateway.tokens.share_file import DealtShare
from gateway.tokens.shares import Shares
from gateway.tokens.spending import Charge, NoRoom, write_alarms
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION, BlindedBatch, EvaluateResponse

SECONDS_OF_A_DAY: Final = 86_400


def day_of(moment: datetime) -> int:
    """Days since 1970, UTC."""
    return int(moment.timestamp()) // SECONDS_OF_A_DAY


class Evaluator:
    """Evaluates under one holder's shares."""

    def __init__(
        self,
        ledger: Ledger,
        shares: Shares,
        group: Ristretto,
        *,
        directory: Callable[[], DirectoryView | None],
        budgets: Budgets,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._shares = shares
        self._suite = oprf.Suite(group)
        self._directory = directory
        self._budgets = budgets
        self._now = now
        self._random_bytes = random_bytes

    async def evaluate(self, agency: AgencyId, envelope: SignedEnvelope) -> EvaluateResponse:
        """The evaluated elements with their proof and receipt; charged. `agency` is the authenticated peer's.

        Raises `EnvelopeInvalid`, `Invalid`, `Exhausted`, `Unavailable`.
        """
        return await on_record(self._ledger, agency, asked="Evaluate", work=self._evaluate(agency, envelope))

    async def _evaluate(self, agency: AgencyId, envelope: SignedEnvelope) -> EvaluateResponse:
        now = self._now()
        batch = self._open(agency, envelope, now)
        share = self._shares.find(batch.epoch, batch.generation)
        if share is None or (batch.use == EVALUATION_USE_REGISTRATION and not self._is_listed_in(batch.epoch)):
            # What is left of a caseload's allowance in the epoch before must not buy guesses there.
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        self._check_form(batch)
        self._check_use(agency, batch)
        charge = Charge(batch, agency, day_of(now), self._budgets)
        entered = await self._charge(charge, sha256(envelope.payload).digest())
        answer = await asyncio.to_thread(self._compute, share, list(batch.elements))
        answer.receipt.CopyFrom(act_receipt(entered))
        return answer

    async def _charge(self, charge: Charge, digest: bytes) -> Entered:
        refusals, like = self._ledger.refusals, (charge.agency, ErrorReason.BUDGET_EXHAUSTED)
        await refusals.settle()
        charge.is_counted = refusals.is_full(*like)
        entry = draft(Kind.TOKEN_EVALUATED, requester=charge.agency, op=charge.facts(), req={"request": digest})
        try:
            entered = await self._ledger.append(Append(entry, guard=charge.guard, apply=charge.apply))
        except NoRoom:
            entered = None
        await write_alarms(self._ledger, charge.due)
        if entered is None or entered.guarded:
            refusals.seen(*like)
            fields = tuple(f"budget: {line.account}" for line in charge.short)
            raise Exhausted(ErrorReason.BUDGET_EXHAUSTED, fields=fields)
        return entered

    def _open(self, agency: AgencyId, envelope: SignedEnvelope, now: datetime) -> BlindedBatch:
        view = self._directory()
        if view is None:
            raise Unavailable(ErrorReason.NOT_READY)
        try:
            return unwrap(envelope, BlindedBatch, view.key(agency, KEY_USE_ENVELOPE, envelope.key_id, now))
        except (KeyUnknown, SignatureInvalid) as exc:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID) from exc
        except MalformedMessage as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc

    def _is_listed_in(self, epoch: str) -> bool:
        view = self._directory()
        named = view.epochs.get(epoch) if view is not None else None
        return named is not None and named.is_listed_in

    def _check_use(self, agency: AgencyId, batch: BlindedBatch) -> None:
        view = self._directory()
        member = view.member(agency) if view is not None else None
        if batch.use == EVALUATION_USE_REGISTRATION and (member is None or not member.has_sources):
            # It lists nobody: a caseload's allowance would be as many guesses at once.
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("use: sources",))

    def _check_form(self, batch: BlindedBatch) -> None:
        if len(batch.elements) > oprf.MAX_BATCH:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("elements: repeated.max_items",))
        if not is_whole(batch, self._budgets):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("elements: whole_records",))
        if not names_worker(batch):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("worker: use",))

    def _compute(self, dealt: DealtShare, elements: list[bytes]) -> EvaluateResponse:
        group, share = self._suite.group, dealt.share
        try:
            evaluated = oprf.evaluate_share(group, share, elements)
        except oprf.BatchError as exc:
            raise Invalid(ErrorReason.ELEMENT_INVALID) from exc
        (nonce,) = oprf.random_scalars(self._suite, 1, random_bytes=self._random_bytes)
        keys = oprf.KeyPair(share.secret, dealt.public(group))
        proof = oprf.generate_proof(self._suite, keys, blinded=elements, evaluated=evaluated, nonce=nonce)
        return EvaluateResponse(share_index=share.index, elements=evaluated, proof=proof)
