"""What is done for a flag check in another process is what would have been done here, for many at once and for few."""

import asyncio
import marshal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.apart import Apart, ApartEnded
from gateway.aside import FEW, Aside, Work
from gateway.errors import AssertionInvalid, Error, ErrorReason, Invalid, Unavailable
from gateway.exchange.call import Call
from gateway.protocol.names import FlagState
from gateway.store.index import SqlIndex
from gateway.store.lookups import Lookups
from homeward.gateway.v1 import codes_pb2
from homeward.gateway.v1.exchange_pb2 import FlagQuery
from tests.unit.exchange.spine_parts import FINDER, at_rest
from tests.unit.exchange.spine_world import World, flag_payload

MANY = 4 * FEW


class Elsewhere:
    """`Apart` without a process: values go through `marshal` both ways. It ends when told to."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.asked: list[int] = []
        self.fails = self.ended = self.killed = False
        self.seconds = 0.0
        self.heard_many = asyncio.Event()

    def ask(self, question: Sequence[Any]) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self.asked.append(len(question))
        if len(question) > FEW:
            self.heard_many.set()
        if self.ended:
            answer.set_exception(ApartEnded())
            answer.exception()
        else:
            done = self._work(_carried(question))
            said = [None] * len(question) if self.fails else _carried(done)
            asyncio.get_running_loop().call_later(self.seconds, answer.set_result, said)
        return answer

    def kill(self) -> None:
        self.killed = True


def _carried(value: Any) -> Any:
    return marshal.loads(marshal.dumps(value))  # noqa: S302 (made on this line)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


@pytest.fixture
def elsewhere(world: World, tmp_path: Path) -> Elsewhere:
    """The world's exchange has flag checks worked on elsewhere."""
    other = Elsewhere(Work(world.path, world.setting.policy))
    aside = Aside(cast(Apart, other), Work(world.path, world.setting.policy))
    index = SqlIndex(Lookups(world.reader, threaded=False), at_rest, world.youth_keys, aside.find)
    world.use(replace(world.setting, read=partial(aside.read, at_rest), index=index))
    return other


async def test_many_at_once_are_answered_each_by_its_own_tokens(world: World, elsewhere: Elsewhere) -> None:
    names = [f"youth {number}" for number in range(MANY)]
    for name in names[::2]:
        world.register(name, flag=FlagState.ACTIVE)
    answers = await asyncio.gather(*(world.flag(replace(FINDER, youth=name)) for name in names))
    found = [each.response.answer.outcome == codes_pb2.OUTCOME_ANSWERED for each in answers]
    assert found == [True, False] * (MANY // 2)
    assert max(elsewhere.asked) > FEW, "they were worked on elsewhere"


async def test_one_alone_is_answered_here(world: World, elsewhere: Elsewhere) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    answered = await world.flag(replace(FINDER, youth="ada"))
    assert answered.response.answer.outcome == codes_pb2.OUTCOME_ANSWERED
    assert elsewhere.asked == [1, 1], "the directory and the circumstances, and nothing else went there"


async def test_one_that_comes_while_many_are_out_goes_there_too(world: World, elsewhere: Elsewhere) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    await world.flag(replace(FINDER, youth="ada"))
    assert elsewhere.asked == [1, 1], "the directory and the circumstances"
    elsewhere.seconds = 0.5
    many = [asyncio.create_task(world.flag(replace(FINDER, number=number))) for number in range(2, MANY + 2)]
    await elsewhere.heard_many.wait()
    answered = await world.flag(replace(FINDER, youth="ada", number=MANY + 2))
    assert answered.response.answer.outcome == codes_pb2.OUTCOME_ANSWERED
    assert elsewhere.asked[2:] == [MANY - 1, 1], "the first of many waits for nobody"
    await asyncio.gather(*many)
    await world.flag(replace(FINDER, youth="ada", number=MANY + 3))
    assert elsewhere.asked[2:] == [MANY - 1, 1], "nothing is out any more"


async def test_one_that_never_answers_is_ended(
    world: World, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.aside._ANSWER_SECONDS", 0.05)
    await asyncio.gather(*(world.flag(replace(FINDER, number=number)) for number in range(MANY)))
    await asyncio.sleep(0.1)
    assert not elsewhere.killed
    elsewhere.seconds = 0.2
    await asyncio.gather(*(world.flag(replace(FINDER, number=number)) for number in range(MANY, 2 * MANY)))
    assert elsewhere.killed


async def admitted(world: World, calls: Sequence[Call]) -> list[ErrorReason | tuple[str, ...]]:
    """Why each is refused, with the fields of a malformed message; () for one that is not."""
    results = await asyncio.gather(*(world.exchange.admit(call, FlagQuery) for call in calls), return_exceptions=True)
    refusals = [each for each in results if isinstance(each, BaseException)]
    assert all(isinstance(each, AssertionInvalid | Invalid) for each in refusals)
    return [each.fields or each.reason if isinstance(each, Error) else () for each in results]


async def test_whatever_is_refused_here_is_refused_elsewhere_for_the_same_reason(
    world: World, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    good = world.call(FINDER, flag_payload(FINDER))
    spoil: dict[str, Callable[[Call], Call]] = {
        "whole": lambda call: call,
        "other bytes": lambda call: replace(call, payload=call.payload + b"\0"),
        "late": lambda call: replace(call, received_at=call.received_at + timedelta(minutes=5)),
        "other channel": lambda call: replace(call, thumbprint=bytes(32)),
        "signature": lambda call: replace(call, assertion=call.assertion[:-8] + "AAAAAAAA"),
        "no token": lambda call: replace(call, assertion="x"),
        "malformed": lambda call: world.call(FINDER, FlagQuery(request_id=b"short").SerializeToString()),
        "no message": lambda call: world.call(FINDER, b"\xff\xff"),
        "unknown field": lambda call: world.call(FINDER, call.payload + b"\xf2\x3f\x01x"),
    }
    calls = [each(good) for each in spoil.values()]
    there = await admitted(world, calls)
    assert max(elsewhere.asked) > FEW
    world.use(world.setting)
    here = dict(zip(spoil, await admitted(world, calls), strict=True))
    assert dict(zip(spoil, there, strict=True)) == here
    assert len(set(here.values())) >= len(spoil) - 2, "reasons that differ"


async def test_a_key_that_the_directory_lost_counts_nowhere(world: World, elsewhere: Elsewhere) -> None:
    calls = [world.call(FINDER, flag_payload(FINDER)) for _ in range(MANY)]
    assert await admitted(world, calls) == [()] * MANY
    world.renew_assertion_key(FINDER.by)
    assert await admitted(world, calls) == [ErrorReason.ASSERTION_KEY] * MANY


async def test_what_fails_elsewhere_is_done_here(world: World, elsewhere: Elsewhere) -> None:
    world.register("ada", flag=FlagState.ACTIVE)
    elsewhere.fails = True
    asked = [replace(FINDER, youth="ada", number=number) for number in range(MANY)]
    answers = await asyncio.gather(*map(world.flag, asked))
    assert {each.response.answer.outcome for each in answers} == {codes_pb2.OUTCOME_ANSWERED}


async def test_without_the_other_process_nobody_is_answered(world: World, elsewhere: Elsewhere) -> None:
    elsewhere.ended = True
    calls = [world.call(FINDER, flag_payload(FINDER)) for _ in range(MANY)]
    results = await asyncio.gather(*(world.exchange.admit(call, FlagQuery) for call in calls), return_exceptions=True)
    assert {(type(each), getattr(each, "reason", None)) for each in results} == {(Unavailable, ErrorReason.NOT_READY)}
