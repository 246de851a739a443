"""In which order questions are answered, and written to the log, tells nobody who is listed.

Eight questions about one youth after a start, more than counters are reserved for it then, and one about somebody else
behind them: whoever is listed must not be overtaken, sealed and sensitive youths least of all.
"""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.protocol.names import AgencyId, EvidenceKind, Purpose, Restriction, Role
from homeward.gateway.v1.exchange_pb2 import CheckFlagRequest
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.stage import Stage, outcome
from tests.adversarial.test_flag_stream import message, results, stream

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOUSE, ASKER = AgencyId("06034.cwa"), AgencyId("06019.cwa")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
QUESTIONS, YOUTHS = 8, 4


def asked(asker: Resident, label: str) -> list[CheckFlagRequest]:
    """Questions about one youth, and one about another behind them."""
    labels = [label] * (QUESTIONS - 1) + ["somebody else"]
    return [asker.flag_request(flag_query(tokens_of(each), EvidenceKind.YOUTH_PRESENT), ACT) for each in labels]


async def restarted(stage: Stage) -> None:
    process = stage.town.processes["gateway"]
    process.terminate()
    await asyncio.to_thread(process.wait, 30)
    await asyncio.to_thread(stage.town.start, "gateway")
    await stage.town.heard(but=stage.houses)


def by_index(indexes: Sequence[int]) -> list[int]:
    return sorted(range(len(indexes)), key=indexes.__getitem__)


async def test_no_question_about_a_listed_youth_is_overtaken(stage: Stage) -> None:
    kinds = (Restriction.SEALED, Restriction.SENSITIVE, Restriction.NONE)
    streamed, called = ([f"{how} {place}" for place in range(YOUTHS)] for how in ("streamed", "called"))
    for place, label in enumerate((*streamed, *called)):
        await stage.houses[HOUSE].list(label, restriction=kinds[place % len(kinds)])
    await restarted(stage)
    asker = stage.town.residents[ASKER]
    outcomes = set()
    async with stream(asker) as call:
        for label in streamed:
            await call.write(message(dict(enumerate(asked(asker, label)))))
            found = await results(call, QUESTIONS)
            outcomes |= {outcome(each.answered.answer.outcome) for each in found.values()}
            assert list(found) == list(range(QUESTIONS)), "answered in the order in which they were asked"
            assert by_index([found[number].answered.receipt.index for number in range(QUESTIONS)]) == list(found)
    assert outcomes == {"NO_ACTIVE_FLAG_FOUND"}, "what is answered tells nothing either"
    stub, overtaken = ExchangeServiceStub(asker.channel), 0
    for label in called:
        replies = await asyncio.gather(*(stub.CheckFlag(each, timeout=5) for each in asked(asker, label)))
        overtaken += by_index([each.receipt.index for each in replies])[-1] != QUESTIONS - 1
    # A machine that is busy may receive calls in another order. What depended on who is listed overtook each of them.
    assert overtaken <= YOUTHS // 2, "the other one's entry is the last"
