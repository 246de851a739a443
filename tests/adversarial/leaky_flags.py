"""Flag checks and reports about a missing youth, as an adapter sends them to the gateway of `leaky_gateway`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from google.protobuf.message import Message

from gateway.missing.flags import FlagReports
from gateway.missing.recording import Recording
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import FlagState, Purpose, Role, SubjectHandle
from gateway.rpc.machine import MachineCalls
from gateway.rpc.missing import MissingServicer
from gateway.rpc.peer import Peers
from gateway.rpc.server import Add
from gateway.store.deeds import SqlDeeds
from gateway.store.entries import LogEntries
from gateway.store.flags import SqlFlags
from gateway.store.lookups import Lookups
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1 import missing_pb2
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.missing_pb2_grpc import add_MissingServiceServicer_to_server
from tests.adversarial.leaky_gateway import Gateway, gateway
from tests.unit.exchange.spine_parts import ASKER, EPOCH, FINDER, Question, at_rest, stamp, tokens_of
from tests.unit.exchange.spine_world import World, flag_payload

PREFIX = "/homeward.gateway.v1."
MISSING = "a missing youth"
REPORTER = replace(FINDER, purpose=Purpose.MFC_LOCATE, role=Role("CWA.case_worker"))


@dataclass(frozen=True)
class Asked:
    """A call with what it held and what came back, message by message."""

    method: str
    sent: Message
    answer: Message
    payload: bytes
    assertion: str


@dataclass(frozen=True)
class Desk:
    """Where a county's staff sit who ask about a missing youth and report about one."""

    at: Gateway
    handle: SubjectHandle
    """Of the youth, whose flag is open."""

    async def check(self, question: Question) -> Asked:
        """CheckFlag."""
        request = self._signed(pb.CheckFlagRequest, flag_payload(question), question)
        return await self._call("ExchangeService/CheckFlag", request, pb.CheckFlagResponse)

    async def check_together(self, *questions: Question) -> Asked:
        """CheckFlags: several under one assertion."""
        batch = pb.FlagQueryBatch(queries=[pb.FlagQuery.FromString(flag_payload(each)) for each in questions])
        request = self._signed(pb.CheckFlagsRequest, batch.SerializeToString(), questions[0])
        return await self._call("ExchangeService/CheckFlags", request, pb.CheckFlagsResponse)

    async def check_in_stream(self, question: Question) -> Asked:
        """StreamFlagChecks with one question."""
        request = self._signed(pb.CheckFlagRequest, flag_payload(question), question)
        method = "ExchangeService/StreamFlagChecks"
        call = self.at.channel.stream_stream(f"{PREFIX}{method}")(timeout=10)
        numbered = pb.StreamFlagChecksRequest(questions=[pb.NumberedFlagCheck(number=1, request=request)])
        await call.write(numbered.SerializeToString())
        response = pb.StreamFlagChecksResponse.FromString(cast(bytes, await call.read()))
        call.cancel()
        (result,) = response.results
        assert result.HasField("answered")
        return Asked(method, request, result.answered, request.payload, request.user_assertion)

    async def raise_flag(self, number: int) -> Asked:
        """RaiseFlag, by an agency that does not own the youth's flag."""
        question = replace(REPORTER, youth=MISSING, number=number)
        report = missing_pb2.FlagReport(
            request_id=question.request_id, tokens=question.asked, learn_time=stamp(self._hour_ago())
        )
        request = self._signed(missing_pb2.RaiseFlagRequest, report.SerializeToString(), question)
        return await self._call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse)

    async def report_located(self, flag_id: bytes, number: int) -> Asked:
        """ReportLocated."""
        question = replace(FINDER, youth=MISSING, number=number)
        report = missing_pb2.LocatedReport(
            request_id=question.request_id, flag_id=flag_id, located_county=ASKER[:5],
            locate_time=stamp(self._hour_ago()),
        )  # fmt: skip
        request = self._signed(missing_pb2.ReportLocatedRequest, report.SerializeToString(), question)
        return await self._call("MissingService/ReportLocated", request, missing_pb2.ReportLocatedResponse)

    def _hour_ago(self) -> Any:
        return self.at.world.clock() - timedelta(hours=1)

    def _signed(self, kind: Any, payload: bytes, question: Question) -> Any:
        return kind(payload=payload, user_assertion=self.at.world.assertion(question, payload))

    async def _call(self, method: str, request: Any, response: Any) -> Asked:
        made = self.at.channel.unary_unary(f"{PREFIX}{method}")
        answer = response.FromString(await made(request.SerializeToString(), timeout=10))
        return Asked(method, request, answer, request.payload, request.user_assertion)


@asynccontextmanager
async def desk(place: Path) -> AsyncIterator[Desk]:
    """The gateway also records reports, and a youth is missing."""
    async with gateway(place, also=_missing) as at:
        yield Desk(at, at.world.register(MISSING, flag=FlagState.ACTIVE))


def _missing(world: World, _: MachineCalls, __: Peers) -> Add:
    lookups = Lookups(world.reader, threaded=False)
    deeds = SqlDeeds(lookups, LogEntries(world.log, world.reader, world.keys))
    reports = FlagReports(Recording(world.setting, SqlFlags(lookups, world.youth_keys), deeds))
    servicer = MissingServicer(reports, world.exchange, outcomes=world.outcomes, now=world.clock)
    return lambda server: add_MissingServiceServicer_to_server(servicer, server)


def flag_id_of(found: pb.CheckFlagResponse) -> bytes:
    """What a flag check tells of the flag."""
    return FlagStatement.FromString(found.answer.flag_statement.payload).flag_id


def tokens_at_hand(youth: str) -> dict[str, bytes]:
    """Every token of the youth, as it comes and as it rests."""
    tokens = tokens_of(youth).tokens
    found = {f"token {place}": each for place, each in enumerate(split_tokens(tokens))}
    resting = at_rest(EPOCH, tokens)
    return found | {f"token at rest {place}": each for place, each in enumerate(split_tokens(resting))}
