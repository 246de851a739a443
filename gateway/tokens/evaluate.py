"""Evaluation of blinded elements under this holder's share, for whom, and how often.

In this order; the budget is charged before anything is computed, so that a refused batch is not free:

1. the envelope is signed by a key of this agency in a directory this holder signed
2. the epoch is the share's; the batch is no larger than one proof covers; its record count covers its elements
3. one leaf: agency, records, elements, use; never an element. A batch beyond the day's budget is a refusal leaf instead
4. the elements, off the event loop; one bad element refuses the whole batch

Gateway and custodian run this same code, each with its own share, log and budget.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, select

from audit.entry import Draft
from audit.log import Append
from audit.statement import Statement, upsert
from audit.transaction import Tx
from gateway.config import Budgets
from gateway.errors import EnvelopeInvalid, ErrorReason, Exhausted, Invalid, Unavailable
from gateway.exchange.journal import DENY, Kind, draft
from gateway.members.ledger import Ledger
from gateway.members.refusals import on_record
from gateway.protocol import oprf
from gateway.protocol.directory import DirectoryView, KeyUnknown
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import AgencyId
from gateway.protocol.parse import MalformedMessage
from gateway.protocol.ristretto import Ristretto
from gateway.protocol.signing import SignatureInvalid
from gateway.tokens import tables
from gateway.tokens.share_file import DealtShare
from homeward.gateway.v1.directory_pb2 import KEY_USE_ENVELOPE
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.token_pb2 import (
    EVALUATION_USE_LOOKUP,
    BlindedBatch,
    EvaluateResponse,
    EvaluationUse,
)

_SECONDS_OF_A_DAY: Final = 86_400
_E = tables.evaluated.c
_COUNT: Final = Statement(
    select(_E.record_count).where(
        and_(_E.agency == bindparam("agency_"), _E.use == bindparam("use_"), _E.day == bindparam("day_"))
    ),
    "agency_", "use_", "day_",
)  # fmt: skip
_PUT: Final = upsert(tables.evaluated, "agency", "use", "day")


@dataclass(frozen=True, slots=True)
class _Charge:
    """What a batch costs, and whom."""

    agency: AgencyId
    use: EvaluationUse
    day: int
    records: int
    limit: int


class Evaluator:
    """Evaluates under one share."""

    def __init__(
        self,
        ledger: Ledger,
        share: DealtShare,
        group: Ristretto,
        *,
        directory: Callable[[], DirectoryView | None],
        budgets: Budgets,
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._share = share
        self._suite = oprf.Suite(group)
        self._keys = oprf.KeyPair(share.share.secret, share.public(group))
        self._directory = directory
        self._budgets = budgets
        self._now = now
        self._random_bytes = random_bytes

    async def evaluate(self, agency: AgencyId, envelope: SignedEnvelope) -> EvaluateResponse:
        """The evaluated elements with their proof; charged and in the log. `agency` is the authenticated peer's.

        Raises `EnvelopeInvalid`, `Invalid`, `Exhausted`, `Unavailable`.
        """
        return await on_record(self._ledger, agency, asked="Evaluate", work=self._evaluate(agency, envelope))

    async def _evaluate(self, agency: AgencyId, envelope: SignedEnvelope) -> EvaluateResponse:
        now = self._now()
        batch = self._open(agency, envelope, now)
        self._check_size(batch)
        use = batch.use
        budgets = self._budgets
        limit = budgets.lookups_a_day if use == EVALUATION_USE_LOOKUP else budgets.registrations_a_day
        day = int(now.timestamp()) // _SECONDS_OF_A_DAY
        charge = _Charge(agency, use, day, batch.record_count, limit)
        count = len(batch.elements)
        entry = draft(Kind.TOKEN_EVALUATED, requester=agency, op=_facts(charge, count))
        charged = await self._ledger.append(Append(entry, guard=_guard(charge, count), apply=_projection(charge)))
        if charged.guarded:
            raise Exhausted(ErrorReason.BUDGET_EXHAUSTED)
        return await asyncio.to_thread(self._compute, list(batch.elements))

    def _open(self, agency: AgencyId, envelope: SignedEnvelope, now: datetime) -> BlindedBatch:
        view = self._directory()
        if view is None:
            raise Unavailable(ErrorReason.NOT_READY)
        try:
            batch = unwrap(envelope, BlindedBatch, view.key(agency, KEY_USE_ENVELOPE, envelope.key_id, now))
        except (KeyUnknown, SignatureInvalid) as exc:
            raise EnvelopeInvalid(ErrorReason.ENVELOPE_INVALID) from exc
        except MalformedMessage as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
        if batch.epoch != self._share.epoch:
            raise Invalid(ErrorReason.EPOCH_UNKNOWN)
        return batch

    def _check_size(self, batch: BlindedBatch) -> None:
        if len(batch.elements) > oprf.MAX_BATCH:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("elements: repeated.max_items",))
        if len(batch.elements) > batch.record_count * self._budgets.elements_a_record:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("record_count: covers_elements",))

    def _compute(self, elements: list[bytes]) -> EvaluateResponse:
        try:
            evaluated = oprf.evaluate_share(self._suite.group, self._share.share, elements)
        except oprf.BatchError as exc:
            raise Invalid(ErrorReason.ELEMENT_INVALID) from exc
        (nonce,) = oprf.random_scalars(self._suite, 1, random_bytes=self._random_bytes)
        proof = oprf.generate_proof(self._suite, self._keys, blinded=elements, evaluated=evaluated, nonce=nonce)
        return EvaluateResponse(share_index=self._share.share.index, elements=evaluated, proof=proof)


def _guard(charge: _Charge, elements: int) -> Callable[[Tx], Draft | None]:
    refused = {"decision": DENY, "reason": ErrorReason.BUDGET_EXHAUSTED, **_facts(charge, elements)}
    refusal = draft(Kind.REFUSED, requester=charge.agency, op=refused)
    return lambda tx: refusal if _spent(tx, charge) + charge.records > charge.limit else None


def _facts(charge: _Charge, elements: int) -> dict[str, str | int]:
    return {
        "agency": charge.agency,
        "use": EvaluationUse.Name(charge.use).removeprefix("EVALUATION_USE_"),
        "records": charge.records,
        "elements": elements,
    }


def _projection(charge: _Charge) -> Callable[[Tx, int], None]:
    def apply(tx: Tx, index: int) -> None:
        tx.run(_PUT, (charge.agency, charge.use, charge.day, _spent(tx, charge) + charge.records))

    return apply


def _spent(tx: Tx, charge: _Charge) -> int:
    row = tx.one(_COUNT, (charge.agency, charge.use, charge.day))
    return int(row[0]) if row else 0
