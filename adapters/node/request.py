"""The caller's side of one disclosure, in the order in which it happens.

 0  decide here     the policy on the request alone; what must not be asked without consent stays in the county
 1  tokens          identity to tokens, with both holders
 2  remember        identifier and exact bytes durable before anything leaves
 3  send            one assertion of the county over these bytes
14  check           receipt, statement or seal, fields within the grant
    keep            receipts durable; the exchange is told what was found
    answer

A refusal by policy is sent all the same, so that it is on record where its author cannot remove it; except where the
question itself would disclose (`STAYS_HERE`). Nothing that fails a check is shown in part.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.errors import EvidenceInvalid
from adapters.identity.tokenize import Person
from adapters.node import rpcs
from adapters.node.answers import (
    Asked,
    BindingFailed,
    FlagResult,
    OverDisclosed,
    RecordResult,
    Sealed,
    check_flag,
    check_records,
    negative,
    open_sealed,
)
from adapters.node.errors import Missing, NotReady
from adapters.node.receipts import Expected, Kept, Requests, check_receipt, request_digest
from adapters.node.send import Act, Deadline, Sender
from adapters.node.succession import log_of
from adapters.node.translate import county_errors
from gateway.protocol.decide import Decision, decide_request
from gateway.protocol.directory import DirectoryView
from gateway.protocol.envelope import wrap
from gateway.protocol.names import EvidenceKind, FieldSet, Purpose, RequestId
from gateway.protocol.policy.facts import RequestFacts, milliseconds, moment_of
from gateway.protocol.policy.rules import Policy
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.gateway.v1.envelope_pb2 import Evidence, TokenSet
from homeward.gateway.v1.exchange_pb2 import (
    RECEIPT_FINDING_BINDING_FAILED,
    RECEIPT_FINDING_OPENED,
    RECEIPT_FINDING_OVER_DISCLOSED,
    CheckFlagResponse,
    ConfirmReceiptRequest,
    FlagQuery,
    ReceiptConfirmation,
    ReceiptFinding,
    RecordsQuery,
    RequestRecordsResponse,
)

STAYS_HERE: Final = frozenset({Purpose.VOLUNTARY_SHELTER})
"""Purposes whose very question tells that a youth is in a shelter: refused here, nothing leaves (45 CFR 1351.21)."""
CONFIRM_SECONDS: Final = 5.0
_RECEIPT: Final = frozenset({"access.receipt"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What a county system asks about one youth."""

    request_id: RequestId
    act: Act
    youth: Person = field(repr=False)
    evidence: tuple[Evidence, ...] = field(repr=False)
    field_sets: tuple[FieldSet, ...]
    content: bytes = field(repr=False)
    """Keyed digest of everything the county system said, 32 bytes; the same question has the same."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of records, and how long."""

    number: int = 1
    size: int = 50


@dataclass(frozen=True, slots=True)
class Requester:
    """Asks the exchange for this county's staff."""

    sender: Sender
    requests: Requests
    tokens: Callable[[Sequence[Person], str], Awaitable[Sequence[TokenSet]]]
    policy: Callable[[], Policy]
    """The bundle the directory names. Raises `NotReady` when this release does not carry it."""
    envelope_key: SigningKey = field(repr=False)
    seal_key: SealKey = field(repr=False)

    async def ask_flag(self, question: Question, deadline: Deadline) -> FlagResult:
        """Flag status of one youth, as evidence. Raises an `adapters.errors.Error`."""
        with county_errors():
            directory = self.sender.directory()
            here = self._decide_here(question, directory)  # 0
            if _stays_here(question, here):
                await self._refuse_here(question, here)
                return negative(self.sender.agency, directory, here.outcome, notices=here.notices)
            payload = await self._payload(question, "CheckFlag", _flag_query)  # 1, 2
            response: CheckFlagResponse = await self.sender.send(rpcs.CHECK_FLAG, payload, question.act, deadline)  # 3
            directory = self.sender.directory()
            result = check_flag(response, self._asked(question, payload, here), directory)  # 14
            await self._keep(question.request_id, result.receipt)
            return result

    async def ask_records(self, question: Question, page: Page, deadline: Deadline) -> RecordResult:
        """One page of records of one youth, opened and within its grant. Raises an `adapters.errors.Error`."""
        with county_errors():
            here = self._decide_here(question, self.sender.directory())  # 0
            if _stays_here(question, here):
                await self._refuse_here(question, here)
                return RecordResult(here.outcome, here.notices)
            payload = await self._payload(question, "RequestRecords", self._records_query(page))  # 1, 2
            response: RequestRecordsResponse = await self.sender.send(
                rpcs.REQUEST_RECORDS, payload, question.act, deadline
            )  # 3
            result, sealed = check_records(
                response,
                self._asked(question, payload, here),
                self.sender.directory(),
                recipient_key_id=self.seal_key.key_id,
                page=page.number,
            )  # 14
            await self._keep(question.request_id, result.decision, result.release)
            if sealed is None:
                return result
            return await self._open(question, result, sealed)

    async def _open(self, question: Question, result: RecordResult, sealed: Sealed) -> RecordResult:
        try:
            answer = open_sealed(sealed, self.seal_key)
        except BindingFailed as exc:
            await self._confirm(question, result, RECEIPT_FINDING_BINDING_FAILED)
            raise EvidenceInvalid("record_binding") from exc
        except OverDisclosed as exc:
            await self._confirm(question, result, RECEIPT_FINDING_OVER_DISCLOSED)
            raise EvidenceInvalid("record_over_disclosed") from exc
        await self._confirm(question, result, RECEIPT_FINDING_OPENED)
        return replace(result, answer=answer)

    def _decide_here(self, question: Question, directory: DirectoryView) -> Decision:
        member = directory.member(self.sender.agency)
        if member is None or member.suspended:
            raise NotReady(Missing.LISTING)
        now, act = moment_of(milliseconds(self.sender.now())), question.act
        facts = RequestFacts(
            agency=self.sender.agency,
            agency_kind=member.kind,
            role=act.role,
            purpose=act.purpose,
            field_sets=question.field_sets,
            evidence=frozenset(from_wire(EvidenceKind, each.kind) for each in question.evidence),
            authority=None,
            received_at=now,
            login_age_seconds=max(0, int((now - act.staff.login).total_seconds())),
        )
        return decide_request(self.policy(), facts)

    async def _refuse_here(self, question: Question, here: Decision) -> None:
        act = question.act
        await asyncio.to_thread(
            self.requests.refused_here,
            "access.refused_here",
            here.reason,
            purpose=act.purpose,
            role=act.role,
            worker=act.staff.pseudonym,
            now=self.sender.now(),
        )

    async def _payload(
        self, question: Question, method: str, build: Callable[[Question, TokenSet], FlagQuery | RecordsQuery]
    ) -> bytes:
        """The exact bytes of this question, durable; those of the first time when it was asked before."""
        known = await asyncio.to_thread(self.requests.recall, question.request_id, method, question.content)
        if known is not None:
            return known
        (tokens,) = await self.tokens([question.youth], question.act.staff.pseudonym)
        payload = build(question, tokens).SerializeToString()
        return await asyncio.to_thread(
            self.requests.remember,
            question.request_id,
            method,
            question.content,
            payload=payload,
            epochs=(tokens.epoch,),
            now=self.sender.now(),
        )

    def _records_query(self, page: Page) -> Callable[[Question, TokenSet], RecordsQuery]:
        def build(question: Question, tokens: TokenSet) -> RecordsQuery:
            return RecordsQuery(
                request_id=question.request_id,
                tokens=tokens,
                evidence=question.evidence,
                field_sets=[to_wire(each) for each in question.field_sets],  # type: ignore[misc]
                page_size=page.size,
                page=page.number,
                recipient_key_id=self.seal_key.key_id,
            )

        return build

    def _asked(self, question: Question, payload: bytes, here: Decision) -> Asked:
        return Asked(
            agency=self.sender.agency,
            digest=request_digest(payload),
            field_sets=question.field_sets,
            here=here,
            binding=question.act.authority_id is None,
            now=self.sender.now(),
        )

    async def _keep(self, request_id: RequestId, *receipts: Kept | None) -> None:
        kept = [each for each in receipts if each is not None]
        await asyncio.to_thread(self.requests.keep, request_id, kept, now=self.sender.now())

    async def _confirm(self, question: Question, result: RecordResult, finding: ReceiptFinding) -> None:
        """The exchange knows what was found. Where it cannot be told, the release stays unconfirmed in the log."""
        if result.release is None:
            raise EvidenceInvalid("receipt_release")
        confirmation = ReceiptConfirmation(
            request_id=question.request_id, release_index=result.release.index, finding=finding
        )
        envelope = wrap(confirmation, self.envelope_key)
        try:
            response = await self.sender.gateway.call(
                rpcs.CONFIRM_RECEIPT, ConfirmReceiptRequest(envelope=envelope), seconds=CONFIRM_SECONDS
            )
        except rpcs.CallFailed as failed:
            log.warning("a release stays unconfirmed", extra={"fault": failed.fault})
            return
        expected = Expected(_RECEIPT, request_digest(envelope.payload), ReceiptFinding.Name(finding))
        await self._keep(
            question.request_id, check_receipt(response.receipt, log_of(self.sender.directory()), expected)
        )


def _flag_query(question: Question, tokens: TokenSet) -> FlagQuery:
    return FlagQuery(request_id=question.request_id, tokens=tokens, evidence=question.evidence)


def _stays_here(question: Question, here: Decision) -> bool:
    # A named authority is judged where it is recorded: then the youth's own consent may be on file.
    return not here.permit and question.act.purpose in STAYS_HERE and question.act.authority_id is None


def content_digest(key: bytes, *parts: bytes) -> bytes:
    """Keyed digest of what a county system asked, 32 bytes; parts cannot run into each other."""
    state = hmac.new(key, b"homeward/content/v1", hashlib.sha256)
    for part in parts:
        state.update(len(part).to_bytes(8, "big") + part)
    return state.digest()
