"""Flag checks over one stream: each is what CheckFlag's is, and what is wrong with one ends nothing of the others."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from gateway.errors import Invalid
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, Purpose, Role
from gateway.protocol.spiffe import parse_spiffe
from gateway.rpc import flag_stream
from gateway.rpc.flag_stream import MOST_UNDER_WAY, FlagStream
from gateway.rpc.open_stream import OpenStream
from gateway.rpc.peer import Peer, Peers
from gateway.rpc.places import MAX_CALLS_OF_A_PEER, Places
from gateway.telemetry import call_counts
from homeward.gateway.v1.exchange_pb2 import (
    CheckFlagRequest,
    CheckFlagResponse,
    NumberedFlagCheck,
    NumberedFlagResult,
    StreamFlagChecksRequest,
    StreamFlagChecksResponse,
)
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from tests.adversarial.outcome import read, refusal
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.town import TRUST_DOMAIN, Town, utc_now

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASKER, OTHER = AgencyId("06029.cwa"), AgencyId("06061.cwa")
ACT = Act(Role("CWA.case_worker"), Purpose.MFC_HANDOFF)
SPIFFE = f"spiffe://{TRUST_DOMAIN}/county/06029/cwa/adapter/a1"
PATH = "/homeward.gateway.v1.ExchangeService/StreamFlagChecks"
ASKED = 5 * MOST_UNDER_WAY // 2
"""Fewer than the look-ups after which an agency that finds nobody is held."""
REVOKED_WITHIN_SECONDS = 5.0


def question(resident: Resident, **changes: object) -> CheckFlagRequest:
    return resident.flag_request(flag_query(tokens_of("nobody"), EvidenceKind.YOUTH_PRESENT), ACT, **changes)


def message(questions: Mapping[int, CheckFlagRequest]) -> StreamFlagChecksRequest:
    numbered = [NumberedFlagCheck(number=number, request=each) for number, each in questions.items()]
    return StreamFlagChecksRequest(questions=numbered)


@asynccontextmanager
async def stream(resident: Resident) -> AsyncIterator[Any]:
    """An open one."""
    call = resident.channel.stream_stream(
        PATH,
        request_serializer=lambda each: each if isinstance(each, bytes) else each.SerializeToString(),
        response_deserializer=StreamFlagChecksResponse.FromString,
    )(timeout=30)
    try:
        yield call
    finally:
        call.cancel()


async def results(call: Any, count: int) -> dict[int, NumberedFlagResult]:
    """The next so many."""
    found: dict[int, NumberedFlagResult] = {}
    async with asyncio.timeout(20):
        while len(found) < count:
            answer = await call.read()
            assert answer is not grpc.aio.EOF
            found |= {each.number: each for each in answer.results}
    return found


def reasons(found: Iterable[NumberedFlagResult]) -> list[str]:
    """Why each was refused; empty for an answer."""
    return [_reason(each) for each in found]


def _reason(result: NumberedFlagResult) -> str:
    if result.HasField("answered"):
        return ""
    info, status = error_details_pb2.ErrorInfo(), status_pb2.Status.FromString(result.refused)
    assert status.details[0].Unpack(info)
    return info.reason


async def test_each_question_has_its_answer_under_its_number_and_an_entry_of_its_own(town: Town) -> None:
    asker = town.residents[ASKER]
    before = town.size()
    async with stream(asker) as call:
        await call.write(message({7: question(asker), 0: question(asker), 2**64 - 1: question(asker)}))
        await call.write(message({3: question(asker)}))
        found = await results(call, 4)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF, "the stream ends when everything is answered"
    assert set(found) == {7, 0, 2**64 - 1, 3}
    alone = await ExchangeServiceStub(asker.channel).CheckFlag(question(asker), timeout=5)
    assert {each.answered.answer.outcome for each in found.values()} == {alone.answer.outcome}
    indexes = {each.answered.receipt.index for each in found.values()}
    assert len(indexes) == 4
    decided = {leaf.index for leaf in town.news(before) if leaf.kind == "access.decision"}
    assert indexes <= decided


async def test_what_was_asked_before_the_last_word_is_still_answered(town: Town) -> None:
    asker = town.residents[ASKER]
    async with stream(asker) as call:
        await call.write(message({number: question(asker) for number in range(20)}))
        await call.done_writing()
        assert set(await results(call, 20)) == set(range(20))


async def test_a_refused_question_ends_nothing_but_itself_and_is_on_record_as_any(town: Town) -> None:
    asker = town.residents[ASKER]
    spent, good = question(asker, assertion_id="of-the-stream"), question(asker)
    forged = CheckFlagRequest(payload=good.payload, user_assertion=question(asker).user_assertion)
    wrong = asker.signed(CheckFlagRequest, b"\x0a\x05short", ACT)
    empty = CheckFlagRequest()
    before = town.size()
    async with stream(asker) as call:
        await call.write(message({1: spent}))
        assert reasons((await results(call, 1)).values()) == [""]
        again = question(asker, assertion_id="of-the-stream")
        await call.write(message({1: again, 2: forged, 3: wrong, 4: empty, 5: good}))
        found = await results(call, 5)
    assert reasons(found[number] for number in (1, 2, 3, 4, 5)) == [
        "ASSERTION_REPLAYED", "ASSERTION_REQUEST", "INVALID_REQUEST", "INVALID_REQUEST", "",
    ]  # fmt: skip
    stub = ExchangeServiceStub(asker.channel)
    alike = [(await refusal(stub.CheckFlag(each, timeout=5))).reason for each in (again, forged, wrong, empty)]
    assert alike == reasons(found[number] for number in (1, 2, 3, 4)), "as a call of its own would end"
    refused = sorted(leaf.reason for leaf in town.news(before) if leaf.kind == "access.refused")
    assert refused == sorted(2 * alike)


@pytest.mark.parametrize(
    ("second", "field"),
    [
        pytest.param(b"\xff", "(message): encoding", id="not a message"),
        pytest.param(StreamFlagChecksRequest(), "questions", id="no question"),
        pytest.param("repeated", "questions.number: repeated", id="a number twice"),
        pytest.param("many", "questions", id="more than go into one message"),
    ],
)
async def test_a_malformed_message_ends_the_stream_with_a_constant_word(town: Town, second: Any, field: str) -> None:
    asker = town.residents[ASKER]
    one = NumberedFlagCheck(number=1, request=question(asker))
    if second == "repeated":
        second = StreamFlagChecksRequest(questions=[one, one])
    elif second == "many":
        bare = CheckFlagRequest(payload=b"x", user_assertion="x")
        second = message(dict.fromkeys(range(MOST_UNDER_WAY + 1), bare))
    async with stream(asker) as call:
        await call.write(second)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await results(call, 1)
    found = read(caught.value)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert found.fields[0].startswith(field)
    assert await town.directory(asker) is not None


async def test_who_asks_more_than_a_stream_holds_waits_and_keeps_nobody_else_waiting(town: Town) -> None:
    # Of its own, because its look-ups find nobody.
    asker, other = await town.settle("06009.busy", AgencyKind.CWA), town.residents[OTHER]
    await town.listed(asker.agency)
    async with stream(asker) as call:
        for first in range(0, ASKED, 32):
            await call.write(message({number: question(asker) for number in range(first, first + 32)}))
        assert await town.directory(other) is not None
        found = await results(call, ASKED)
    assert set(reasons(found.values())) == {""}


async def test_an_idle_stream_of_a_revoked_member_ends(town: Town) -> None:
    gone = await town.settle("06009.gone", AgencyKind.CWA)
    await town.listed(gone.agency)
    async with stream(gone) as call:
        await call.write(message({1: question(gone)}))
        await results(call, 1)
        await town.revoke(gone.agency)
        started = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert time.monotonic() - started < REVOKED_WITHIN_SECONDS
    assert read(caught.value).reason == "CERTIFICATE_REFUSED"


async def test_a_gateway_that_stops_gives_idle_streams_back_first(tmp_path: Path) -> None:
    town = Town.found(tmp_path)
    try:
        asker = await town.settle(ASKER, AgencyKind.CWA)
        await town.listed(asker.agency)
        async with stream(asker) as call:
            await call.write(message({1: question(asker)}))
            await results(call, 1)
            town.processes["gateway"].terminate()
            assert await call.read() is grpc.aio.EOF, "ended, not cut off when patience ran out"
        assert await asyncio.to_thread(town.processes["gateway"].wait, 10) == 0
    finally:
        await town.close()


def at_the_edge() -> OpenStream:
    """A stream of a member in force, without a connection."""
    day = timedelta(days=1)
    peer = Peer(parse_spiffe(SPIFFE), bytes(32), "0" * 32, utc_now() - day, utc_now() + day)
    peers = Peers(trust_domain=TRUST_DOMAIN, is_denied=lambda _: False, now=utc_now)
    return OpenStream(PATH, peer, peers, Places(), call_counts(), asyncio.Event())


async def test_who_asks_and_does_not_read_is_no_longer_heard() -> None:
    asked = list[CheckFlagRequest]()

    async def answer(request: CheckFlagRequest) -> CheckFlagResponse:
        asked.append(request)
        return CheckFlagResponse()

    async def questions() -> AsyncIterator[StreamFlagChecksRequest]:
        for number in range(4 * MOST_UNDER_WAY):
            yield message({number: CheckFlagRequest(payload=b"x", user_assertion="x")})

    answers = FlagStream(at_the_edge(), answer).serve(questions())
    first = await anext(answers)
    await asyncio.sleep(0.05)
    assert len(asked) <= MOST_UNDER_WAY
    told = len(first.results) + sum([len(each.results) async for each in answers])
    assert told == len(asked) == 4 * MOST_UNDER_WAY


async def test_a_stream_on_which_nothing_is_asked_ends_when_the_listener_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when it next looks whether its peer still counts: so long it would hold up the stop."""
    monkeypatch.setattr(flag_stream, "_RECHECK_SECONDS", 3600.0)
    edge, silence = at_the_edge(), asyncio.Event()

    async def answer(request: CheckFlagRequest) -> CheckFlagResponse:
        return CheckFlagResponse()

    async def messages() -> AsyncIterator[StreamFlagChecksRequest]:
        yield message({1: CheckFlagRequest(payload=b"x", user_assertion="x")})
        await silence.wait()

    answers = FlagStream(edge, answer).serve(messages())
    assert len((await anext(answers)).results) == 1
    ended = asyncio.ensure_future(anext(answers, None))
    await asyncio.sleep(0.05)
    assert not ended.done()
    edge.draining.set()
    async with asyncio.timeout(10):
        assert await ended is None


@pytest.mark.parametrize("turns", range(12))
async def test_a_malformed_message_is_refused_in_whichever_turn_it_comes(turns: int) -> None:
    """Also in the very turn in which everything before it has been answered."""
    answered = asyncio.Event()

    async def answer(request: CheckFlagRequest) -> CheckFlagResponse:
        answered.set()
        return CheckFlagResponse()

    async def messages() -> AsyncIterator[StreamFlagChecksRequest]:
        yield message({1: CheckFlagRequest(payload=b"x", user_assertion="x")})
        await answered.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        yield StreamFlagChecksRequest()

    with pytest.raises(Invalid):
        async for _ in FlagStream(at_the_edge(), answer).serve(messages()):
            pass


async def test_questions_of_streams_take_their_peers_places() -> None:
    """Else many streams would bring more at once than a peer may have in calls."""
    edge = at_the_edge()
    release = asyncio.Event()
    held = [asyncio.create_task(edge.call(release.wait)) for _ in range(MAX_CALLS_OF_A_PEER)]
    await asyncio.sleep(0)
    refused = await edge.call(release.wait)
    assert isinstance(refused, status_pb2.Status)
    assert refused.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    release.set()
    assert set(await asyncio.gather(*held)) == {True}
    assert await edge.call(release.wait) is True
