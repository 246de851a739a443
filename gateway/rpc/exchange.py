"""ExchangeService: thin skin on the spine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

from audit.sequencer import Append
from gateway.errors import ErrorReason, Invalid
from gateway.exchange.asked import Result
from gateway.exchange.call import Caller, Query
from gateway.exchange.journal import Kind, draft
from gateway.exchange.leaves import REQUESTER_OPENS
from gateway.exchange.receipts import receipt_message
from gateway.exchange.replies import Replies
from gateway.exchange.spine import Exchange
from gateway.ports import Journal, Projections
from gateway.protocol.decide import Decision
from gateway.protocol.names import AgencyId, Obligation, SubjectHandle
from gateway.protocol.outcomes import REASONS, Phase
from gateway.protocol.policy.duties import Side, county_duties
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.wire_names import to_wire
from gateway.rpc.flag_stream import FlagStream
from gateway.rpc.incoming import admitted, batch_item, call_of, flag_query, on_record, records_query
from gateway.rpc.interceptor import current_peer
from gateway.rpc.machine import MachineCalls
from gateway.rpc.open_stream import STREAM
from gateway.rpc.wellformed import check_request
from homeward.counting import OutcomeCounts
from homeward.gateway.v1 import codes_pb2, exchange_pb2_grpc
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

Pairwise = Callable[[AgencyId, AgencyId, SubjectHandle], bytes]


class ExchangeServicer(exchange_pb2_grpc.ExchangeServiceServicer):
    """Parses, runs the spine, builds."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        journal: Journal,
        projections: Projections,
        machine: MachineCalls,
        pairwise: Pairwise,
        policy_version: str,
        outcomes: OutcomeCounts,
        now: Callable[[], datetime],
    ) -> None:
        self._exchange = exchange
        self._journal = journal
        self._projections = projections
        self._machine = machine
        self._pairwise = pairwise
        self._policy_version = policy_version
        self._outcomes = outcomes
        self._now = now
        self._replies = Replies(now)

    async def CheckFlag(self, request: pb.CheckFlagRequest, context: Any) -> pb.CheckFlagResponse:
        """One flag check."""
        call = call_of(request, current_peer(), self._now())
        async with self._exchange.cohorts.member():
            caller, message = await admitted(request, call, self._exchange, pb.FlagQuery)
            query = flag_query(message, call.payload)
            await self._exchange.cohorts.abreast()
            return await on_record(call, self._exchange, lambda: self._flag(caller, query))

    async def CheckFlags(self, request: pb.CheckFlagsRequest, context: Any) -> pb.CheckFlagsResponse:
        """Several flag checks under one assertion, each with its own decision and leaf."""
        call = call_of(request, current_peer(), self._now())
        caller, batch = await admitted(request, call, self._exchange, pb.FlagQueryBatch)
        if len({each.request_id for each in batch.queries}) != len(batch.queries):
            refusal = Invalid(ErrorReason.INVALID_REQUEST, fields=("queries.request_id: repeated",))
            await self._exchange.refuse(call, refusal)
            raise refusal
        digest = sha256(call.payload).digest()
        queries = [
            flag_query(each, batch_item(digest, position), spends_assertion=position == 0)
            for position, each in enumerate(batch.queries)
        ]
        async with self._exchange.cohorts.member(len(queries)):
            # The first question spends the assertion; a replayed batch stops there before anything else is asked.
            first = await on_record(call, self._exchange, lambda: self._flag(caller, queries[0]))
            rest = await asyncio.gather(*(self._flag(caller, query) for query in queries[1:]))
        return pb.CheckFlagsResponse(responses=[first, *rest])

    async def StreamFlagChecks(
        self, request_iterator: AsyncIterator[pb.StreamFlagChecksRequest], context: Any
    ) -> AsyncIterator[pb.StreamFlagChecksResponse]:
        """Flag checks as they come."""
        stream = FlagStream(STREAM.get(), lambda request: self.CheckFlag(request, context))
        async for response in stream.serve(request_iterator):
            yield response

    async def RequestRecords(self, request: pb.RequestRecordsRequest, context: Any) -> pb.RequestRecordsResponse:
        """One page of sealed records."""
        call = call_of(request, current_peer(), self._now())
        caller, message = await admitted(request, call, self._exchange, pb.RecordsQuery)

        async def work() -> pb.RequestRecordsResponse:
            query = records_query(message, call.payload)
            return await self._replies.once(
                caller, query, pb.RequestRecordsResponse, lambda: self._records(caller, query)
            )

        return await on_record(call, self._exchange, work)

    async def ConfirmReceipt(self, request: pb.ConfirmReceiptRequest, context: Any) -> pb.ConfirmReceiptResponse:
        """What the requester found when it opened a release."""
        check_request(request)
        agency, found = self._machine.open(request.envelope, pb.ReceiptConfirmation, current_peer())
        leaf = draft(
            Kind.RECEIPT,
            requester=agency,
            op={"outcome": pb.ReceiptFinding.Name(found.finding), "released": found.release_index},
            req={"request": sha256(request.envelope.payload).digest()},
        )
        at = self._projections
        rows = at.confirm(agency, found.release_index, milliseconds(self._now()))
        entered = await self._journal.enter(Append(leaf, at.confirmable(agency, found.release_index), rows))
        opened = entered.receipt(frozenset({"kind", "outcome", "request"}))
        return pb.ConfirmReceiptResponse(receipt=receipt_message(opened))

    async def _flag(self, caller: Caller, query: Query) -> pb.CheckFlagResponse:
        async def work() -> pb.CheckFlagResponse:
            result = await self._run(caller, query)
            await self._exchange.cohorts.abreast()
            return self._flag_response(caller, result)

        reply = await self._replies.once(caller, query, pb.CheckFlagResponse, work)
        await self._exchange.cohorts.abreast()
        return reply

    async def _records(self, caller: Caller, query: Query) -> pb.RequestRecordsResponse:
        return self._records_response(caller, await self._run(caller, query))

    async def _run(self, caller: Caller, query: Query) -> Result:
        result = await self._exchange.run(caller, query)
        decision = result.decision
        self._outcomes.record(caller.claims.purpose, decision.outcome)
        # Of what the request alone shows. The log has the others too; a figure must not tell that a youth is known.
        if Obligation.MISUSE_SIGNAL in decision.obligations and REASONS[decision.reason].phase is Phase.REQUEST:
            self._outcomes.misuse.record(caller.agency)
        return result

    def _flag_response(self, caller: Caller, result: Result) -> pb.CheckFlagResponse:
        decision, candidate = result.decision, result.found.candidate
        answer = pb.FlagAnswer(
            outcome=to_wire(decision.outcome),  # type: ignore[arg-type]
            notices=[to_wire(notice) for notice in decision.notices],  # type: ignore[misc]
            duties=_duties(decision),
            policy_version=self._policy_version,
            stale_counties=result.stale_counties if not decision.permit else (),
        )
        answer.decide_time.FromMilliseconds(milliseconds(caller.call.received_at))
        if decision.permit and candidate is not None and candidate.flag is not None:
            answer.flag_statement.CopyFrom(SignedEnvelope.FromString(result.statement))
            answer.flag_state = to_wire(candidate.flag.state)  # type: ignore[assignment]
            answer.pairwise_handle = self._pairwise(caller.agency, candidate.owner, candidate.handle)
        receipt = receipt_message(result.decided.receipt(REQUESTER_OPENS))
        return pb.CheckFlagResponse(answer=answer, receipt=receipt)

    def _records_response(self, caller: Caller, result: Result) -> pb.RequestRecordsResponse:
        decision, candidate = result.decision, result.found.candidate
        response = pb.RequestRecordsResponse(
            outcome=to_wire(decision.outcome),  # type: ignore[arg-type]
            notices=[to_wire(notice) for notice in decision.notices],  # type: ignore[misc]
            duties=_duties(decision),
            stale_counties=result.stale_counties if not decision.permit else (),
            policy_version=self._policy_version,
            decision_receipt=receipt_message(result.decided.receipt(REQUESTER_OPENS)),
            field_sets=[to_wire(each) for each in decision.field_sets],  # type: ignore[misc]
        )
        if result.released is not None:
            response.release_receipt.CopyFrom(receipt_message(result.released.receipt(REQUESTER_OPENS)))
        if candidate is not None and result.source_status:
            # A source is named only after a permit (ARCHITECTURE §6, UNDETERMINED).
            response.sources.add(
                agency=candidate.owner,
                status=result.source_status,
                sealed_record=result.sealed,
            )
        if decision.permit and candidate is not None:
            response.pairwise_handle = self._pairwise(caller.agency, candidate.owner, candidate.handle)
        return response


def _duties(decision: Decision) -> list["codes_pb2.Obligation"]:
    """What is left to the asking county's staff; nothing of a refusal, which looks the same whatever it rests on."""
    owed = county_duties(decision.obligations, Side.ASKING) if decision.permit else ()
    return [to_wire(each) for each in owed]  # type: ignore[misc]
