"""Whoever reads the standard streams of the processes that run an exchange while flags are checked and raised.

The gateway has another process beside it, which is given questions when many come at once; both write where the
gateway's streams go. The calls are honest and answered, and nothing of what they handle may stand there.
"""

import secrets
from pathlib import Path
from typing import Any

import grpc
import pytest

from adapters.node.identifiers import timestamp
from deploy.demo.processes import outputs
from gateway.aside import FEW
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import AgencyId, EvidenceKind, HandlingCode, Purpose, Role
from homeward.gateway.v1 import exchange_pb2 as pb
from homeward.gateway.v1 import missing_pb2
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_RECORDED
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.missing_pb2_grpc import MissingServiceStub
from tests.adversarial.canaries import Canaries
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.stage import Stage, finder_of, worker_of
from tests.adversarial.town import Town, utc_now

pytestmark = pytest.mark.asyncio(loop_scope="session")
OWNER, FINDER = AgencyId("06075.cwa"), AgencyId("06077.pd")
ACT = Act(Role("LEA.patrol"), Purpose.MFC_HANDOFF)
LABEL = "youth of the watched streams"
MANY = 2 * FEW + 2


class Finder:
    """Keeps what it sends and is told."""

    def __init__(self, resident: Resident) -> None:
        self.resident = resident
        self.requests: list[Any] = []
        self.asked: list[bytes] = []
        self.checked: list[pb.CheckFlagResponse] = []

    def signed(self, kind: Any, message: Any, act: Act = ACT) -> Any:
        request = self.resident.signed(kind, message, act)
        self.requests.append(request)
        return request

    def question(self) -> pb.FlagQuery:
        query = flag_query(tokens_of(LABEL), EvidenceKind.YOUTH_PRESENT)
        self.asked.append(query.request_id)
        return query

    async def check(self) -> None:
        """By each of the three methods; by two of them, many at once."""
        stub = ExchangeServiceStub(self.resident.channel)
        self.checked.append(await stub.CheckFlag(self.signed(pb.CheckFlagRequest, self.question()), timeout=10))
        batch = self.signed(pb.CheckFlagsRequest, pb.FlagQueryBatch(queries=[self.question() for _ in range(MANY)]))
        self.checked += (await stub.CheckFlags(batch, timeout=10)).responses
        stream = stub.StreamFlagChecks(timeout=10)
        signed = [self.signed(pb.CheckFlagRequest, self.question()) for _ in range(MANY)]
        numbered = [pb.NumberedFlagCheck(number=number, request=each) for number, each in enumerate(signed)]
        await stream.write(pb.StreamFlagChecksRequest(questions=numbered))
        while len(self.checked) < 1 + 2 * MANY:
            answer = await stream.read()
            assert isinstance(answer, pb.StreamFlagChecksResponse)
            self.checked += [each.answered for each in answer.results]
        stream.cancel()

    async def report(self, flag_id: bytes) -> list[int]:
        """The youth is missing, and then found; how both ended."""
        stub, now = MissingServiceStub(self.resident.channel), timestamp(utc_now())
        missing = missing_pb2.FlagReport(request_id=secrets.token_bytes(16), tokens=tokens_of(LABEL), learn_time=now)
        located = missing_pb2.LocatedReport(
            request_id=secrets.token_bytes(16), flag_id=flag_id, located_county=FINDER[:5], locate_time=now
        )
        says, finds = worker_of(self.resident), finder_of(self.resident)
        raised = await stub.RaiseFlag(self.signed(missing_pb2.RaiseFlagRequest, missing, says), timeout=10)
        found = await stub.ReportLocated(self.signed(missing_pb2.ReportLocatedRequest, located, finds), timeout=10)
        return [raised.outcome, found.outcome]

    async def is_refused(self) -> None:
        """What is asked twice under one assertion: the log says so, after everything before it."""
        with pytest.raises(grpc.aio.AioRpcError):
            await ExchangeServiceStub(self.resident.channel).CheckFlag(self.requests[0], timeout=10)

    def handled(self) -> dict[str, bytes]:
        """Values that went over the wire, each by its name."""
        tokens = split_tokens(tokens_of(LABEL).tokens)
        told = self.checked[0]
        return {
            **{f"token {place}": each for place, each in enumerate(tokens)},
            **{f"assertion {place}": each.user_assertion.encode() for place, each in enumerate(self.requests)},
            **{f"request {place}": each for place, each in enumerate(self.asked)},
            "pairwise handle": told.answer.pairwise_handle,
            "statement": told.answer.flag_statement.payload,
            "receipt": told.receipt.SerializeToString(),
        }


def tokens_at_rest(town: Town) -> set[bytes]:
    """All there are; the column that holds them is the one of 16 bytes that is no reference."""
    return {bytes(cell) for row in town.rows("index_token")["index_token"] for cell in row if is_token(cell)}


def is_token(cell: object) -> bool:
    return isinstance(cell, bytes) and len(cell) == 16


def written(root: Path) -> dict[str, bytes]:
    """What stands on each stream of each process."""
    files = [file for name in ("gateway", "custodian") for file in outputs(name, root)]
    return {file.name: file.read_bytes() for file in files}


async def test_nothing_of_flag_checks_and_reports_stands_on_the_streams_of_the_processes(stage: Stage) -> None:
    town, house = stage.town, stage.houses[OWNER]
    others = tokens_at_rest(town)
    stage.handles[LABEL] = await house.list(LABEL)
    resting = tokens_at_rest(town) - others
    flag_id = await stage.raise_flag(house, LABEL, HandlingCode.CALL_DUTY_LINE)
    finder = Finder(town.residents[FINDER])
    await finder.check()
    assert [each.answer.outcome for each in finder.checked] == [OUTCOME_ANSWERED] * (1 + 2 * MANY)
    assert await finder.report(flag_id) == [OUTCOME_RECORDED] * 2
    await finder.is_refused()
    opaque = finder.handled() | {f"token at rest {place}": each for place, each in enumerate(sorted(resting))}
    opaque |= {"handle": stage.handles[LABEL], "flag": flag_id}
    assert len(resting) > 10
    assert all(opaque.values())
    streams = written(town.root)
    looked_for = Canaries(texts={"label": LABEL}, opaque=opaque, births={})
    assert [found for name, data in streams.items() for found in looked_for.scan(data, name)] == []
    # The control: the log was read to its end, and a value in it would be found in whatever form.
    assert b"call refused" in streams["gateway.log"]
    assert b"ready" in streams["gateway.out"]
    for form in (stage.handles[LABEL], stage.handles[LABEL].hex().encode(), repr(stage.handles[LABEL]).encode()):
        assert looked_for.scan(streams["gateway.log"] + form, "planted")
