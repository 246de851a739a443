"""The adapter's stream of flag checks over real gRPC with mutual TLS, against a gateway that does what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from adapters.node.link import flag_checks
from adapters.node.link.channels import PeerChannel
from adapters.node.link.flag_checks import StreamingGateway
from adapters.node.rpcs import CHECK_FLAG, GET_DIRECTORY, CallFailed, CallFault
from homeward.gateway.v1 import directory_pb2 as directory_pb
from homeward.gateway.v1 import directory_pb2_grpc, exchange_pb2_grpc
from homeward.gateway.v1 import exchange_pb2 as pb
from tests.integration.channel_kit import Authority
from tests.unit.node import world

Say = Callable[[pb.StreamFlagChecksRequest, Any], Awaitable[None]]


class StreamOver(Exception):
    """The gateway ends the stream, and nothing is wrong."""


@dataclass
class Gateway(exchange_pb2_grpc.ExchangeServiceServicer, directory_pb2_grpc.MembershipServiceServicer):
    """Answers each message as `say` does."""

    say: Say
    came: list[list[list[int]]] = field(default_factory=list)
    """Of each stream, of each message, the numbers of its questions."""
    finished: int = 0
    """Streams whose caller said its last."""
    certificates: set[bytes] = field(default_factory=set)
    at_end: Callable[[], Awaitable[object]] = field(default=lambda: asyncio.sleep(0))

    async def StreamFlagChecks(self, request_iterator: AsyncIterator[pb.StreamFlagChecksRequest], context: Any) -> None:
        messages = list[list[int]]()
        self.came.append(messages)
        self.certificates.add(context.auth_context()["x509_pem_cert"][0])
        async for request in request_iterator:
            messages.append([each.number for each in request.questions])
            try:
                await self.say(request, context)
            except StreamOver:
                return
        self.finished += 1
        await self.at_end()

    async def GetDirectory(self, request: Any, context: Any) -> directory_pb.GetDirectoryResponse:
        return directory_pb.GetDirectoryResponse(pending_count=3)


def question(text: str) -> pb.CheckFlagRequest:
    return pb.CheckFlagRequest(payload=text.encode(), user_assertion="a")


def answer(each: pb.NumberedFlagCheck) -> pb.NumberedFlagResult:
    """An answer by which its question is known again."""
    flag = pb.FlagAnswer(policy_version=each.request.payload.decode())
    return pb.NumberedFlagResult(number=each.number, answered=pb.CheckFlagResponse(answer=flag))


async def echo(request: pb.StreamFlagChecksRequest, context: Any) -> None:
    """Last question first."""
    results = [answer(each) for each in reversed(request.questions)]
    await context.write(pb.StreamFlagChecksResponse(results=results))


async def silence(request: pb.StreamFlagChecksRequest, context: Any) -> None:
    """No answer."""


@pytest.fixture
def authority() -> Authority:
    return Authority()


@asynccontextmanager
async def running(
    authority: Authority, say: Say, *, quiet_seconds: float = 30
) -> AsyncIterator[tuple[StreamingGateway, Gateway, PeerChannel]]:
    gateway, server = Gateway(say), aio.server()
    exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(gateway, server)
    directory_pb2_grpc.add_MembershipServiceServicer_to_server(gateway, server)
    port = server.add_secure_port("127.0.0.1:0", authority.server_credentials())
    await server.start()
    identity = authority.adapter(world.SOURCE)
    channel = PeerChannel(f"127.0.0.1:{port}", identity, roots=identity.ca)
    try:
        yield StreamingGateway(channel, quiet_seconds=quiet_seconds), gateway, channel
    finally:
        await channel.close()
        await server.stop(None)


async def told(gateway: StreamingGateway, text: str, *, seconds: float = 5) -> str:
    """What the answer to this question says."""
    return (await gateway.call(CHECK_FLAG, question(text), seconds=seconds)).answer.policy_version


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110 - the condition is another task's doing
            await asyncio.sleep(0.01)


async def test_questions_of_one_moment_go_together_and_each_gets_its_own_answer(authority: Authority) -> None:
    async with running(authority, echo) as (asking, gateway, _):
        texts = [f"q{number}" for number in range(150)]
        assert await asyncio.gather(*(told(asking, text) for text in texts)) == texts
        assert await told(asking, "later") == "later"
    (messages,) = gateway.came
    assert [len(each) for each in messages] == [64, 64, 22, 1]
    assert len({number for each in messages for number in each}) == 151


async def test_no_message_is_longer_than_the_gateway_takes(authority: Authority) -> None:
    async with running(authority, silence) as (asking, gateway, _):
        long = [pb.CheckFlagRequest(payload=b"x" * 60_000, user_assertion="a") for _ in range(8)]
        asked = [asyncio.create_task(asking.call(CHECK_FLAG, each, seconds=30)) for each in long]
        await until(lambda: sum(map(len, gateway.came[0])) == 8 if gateway.came else False)
        for task in asked:
            task.cancel()
    assert max(map(len, gateway.came[0])) == 3


async def test_every_other_call_goes_its_own_way(authority: Authority) -> None:
    async with running(authority, echo) as (asking, gateway, _):
        found = await asking.call(GET_DIRECTORY, directory_pb.GetDirectoryRequest(), seconds=5)
    assert (found.pending_count, gateway.came) == (3, [])


async def test_a_refused_question_fails_alone_with_its_reason(authority: Authority) -> None:
    async def refuse_one(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        results = [answer(each) for each in request.questions]
        for each, asked in zip(results, request.questions, strict=True):
            if asked.request.payload == b"refused":
                each.refused = refusal(grpc.StatusCode.UNAUTHENTICATED, "ASSERTION_EXPIRED")
            elif asked.request.payload == b"noise":
                each.refused = b"\xff\xff"
        await context.write(pb.StreamFlagChecksResponse(results=results))

    async with running(authority, refuse_one) as (asking, _, _):
        refused, noise, good = await asyncio.gather(
            *(told(asking, text) for text in ("refused", "noise", "good")), return_exceptions=True
        )
        assert good == "good"
        assert await told(asking, "after") == "after"
    assert isinstance(refused, CallFailed)
    assert (refused.fault, refused.reason) == (CallFault.UNAUTHENTICATED, "ASSERTION_EXPIRED")
    assert isinstance(noise, CallFailed)
    assert (noise.fault, noise.reason) == (CallFault.BROKEN, "MALFORMED")


def refusal(code: grpc.StatusCode, reason: str) -> bytes:
    status = status_pb2.Status(code=code.value[0], message="a text that is not kept")
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="homeward"))
    return status.SerializeToString()


async def test_who_waits_too_long_gives_up_alone(authority: Authority) -> None:
    async def late(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        ready = [answer(each) for each in request.questions if each.request.payload != b"late"]
        if ready:
            await context.write(pb.StreamFlagChecksResponse(results=ready))

    async with running(authority, late) as (asking, gateway, _):
        gone, good = await asyncio.gather(
            told(asking, "late", seconds=0.2), told(asking, "good"), return_exceptions=True
        )
        assert isinstance(gone, CallFailed)
        assert gone.fault is CallFault.TIMED_OUT
        assert (good, await told(asking, "after")) == ("good", "after")
    assert len(gateway.came) == 2, "one that hangs is asked nothing more"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (None, CallFault.UNAVAILABLE),
        (grpc.StatusCode.UNAVAILABLE, CallFault.UNAVAILABLE),
        (grpc.StatusCode.UNAUTHENTICATED, CallFault.UNAUTHENTICATED),
    ],
)
async def test_what_a_stream_leaves_unanswered_fails_and_the_next_question_opens_another(
    authority: Authority, code: grpc.StatusCode | None, fault: CallFault
) -> None:
    async def end_first(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        if request.questions[0].request.payload == b"first":
            if code is None:
                raise StreamOver
            await context.abort(code)
        await echo(request, context)

    async with running(authority, end_first) as (asking, gateway, _):
        found = await asyncio.gather(told(asking, "first"), told(asking, "second"), return_exceptions=True)
        assert [type(each) for each in found] == [CallFailed, CallFailed]
        assert {each.fault for each in found if isinstance(each, CallFailed)} == {fault}
        assert await told(asking, "third") == "third"
    assert len(gateway.came) == 2


async def test_an_answer_that_breaks_its_rules_is_a_broken_peer(authority: Authority) -> None:
    async def empty(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        await context.write(pb.StreamFlagChecksResponse(results=[pb.NumberedFlagResult(number=1)]))

    async with running(authority, empty) as (asking, _, _):
        with pytest.raises(CallFailed) as caught:
            await told(asking, "anything")
    assert (caught.value.fault, caught.value.reason) == (CallFault.BROKEN, "MALFORMED")


async def test_an_answer_to_nothing_is_passed_over(authority: Authority) -> None:
    async def twice(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        results = [answer(each) for each in request.questions]
        strange = pb.NumberedFlagResult(number=999, answered=pb.CheckFlagResponse())
        await context.write(pb.StreamFlagChecksResponse(results=[strange, *results, *results]))

    async with running(authority, twice) as (asking, _, _):
        assert await told(asking, "one") == "one"
        assert await told(asking, "two") == "two"


async def test_a_quiet_stream_is_given_back_and_opened_again_when_needed(authority: Authority) -> None:
    async with running(authority, echo, quiet_seconds=0.1) as (asking, gateway, _):
        assert await told(asking, "one") == "one"
        await until(lambda: gateway.finished == 1)
        assert await told(asking, "two") == "two"
    assert len(gateway.came) == 2


async def test_a_stream_is_left_long_before_a_connections_age_cuts_it_off(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flag_checks, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(flag_checks, "LEAVE_SECONDS", 0.1)
    async with running(authority, echo) as (asking, gateway, _):
        for number in range(8):
            assert await told(asking, str(number)) == str(number)
            await asyncio.sleep(0.05)
        await until(lambda: gateway.finished >= len(gateway.came) - 1)
    assert 3 <= len(gateway.came) <= 8


async def test_a_gateway_that_ends_no_stream_leaves_nothing_running_here(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flag_checks, "LONGEST_SECONDS", 0.0)
    monkeypatch.setattr(flag_checks, "LEAVE_SECONDS", 0.1)
    stay = asyncio.Event()
    async with running(authority, echo) as (asking, gateway, _):
        gateway.at_end = stay.wait
        for number in range(10):
            assert await told(asking, str(number)) == str(number)
        here = {"FlagChecks._send", "FlagChecks._receive"}
        await until(lambda: sum(name_of(each) in here for each in asyncio.all_tasks()) <= 2)
        assert len(gateway.came) == 10
        stay.set()


def name_of(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", "")


async def test_after_a_renewal_new_questions_go_over_the_new_channel_and_old_ones_end(authority: Authority) -> None:
    release = asyncio.Event()

    async def wait_for_old(request: pb.StreamFlagChecksRequest, context: Any) -> None:
        if request.questions[0].request.payload == b"old":
            await release.wait()
        await echo(request, context)

    async with running(authority, wait_for_old) as (asking, gateway, channel):
        old = asyncio.create_task(told(asking, "old"))
        await until(lambda: bool(gateway.came and gateway.came[0]))
        channel.replace(authority.adapter(world.SOURCE))
        assert await told(asking, "new") == "new"
        release.set()
        assert await old == "old"
        await until(lambda: gateway.finished == 1)
    assert len(gateway.certificates) == 2
