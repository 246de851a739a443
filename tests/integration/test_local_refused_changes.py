"""Changes of an own flag whose answer did not come, and that the exchange refuses when they are sent again.

What this county says of the flag is what the exchange recorded last: in its own systems and in sealed answers
(`test_source_side`), and after a restart, too.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from grpc import aio

from adapters.node import rpcs, tables
from adapters.node.own_flag import OwnFlag
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from tests.integration.local_kit import OWN_HANDLE, OWN_YOUTH, County, county, refused
from tests.integration.report_kit import absence, hears_nothing, raise_own_flag, recorded, refuses
from tests.unit.local.exchange import FakeGateway
from tests.unit.node.world import NOW, stamp

FIRST, SECOND = str(UUID(int=7)), str(UUID(int=8))
KEEP_SAFE = codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE


@dataclass(frozen=True)
class Change:
    """A call that changes an open own flag, and how the exchange records it."""

    path: str
    request: Callable[[OwnFlag, str], Any]
    response: Any
    kind: str
    answer: Any

    async def call(self, at: County, flag: OwnFlag, request_id: str = FIRST) -> Any:
        return await at.call(
            self.path.removeprefix("/homeward.gateway.v1."), self.request(flag, request_id), self.response, "workers"
        )

    async def fails(self, at: County, flag: OwnFlag, how: Any, request_id: str = FIRST) -> OwnFlag:
        """The exchange answers so; what is said of the flag then."""
        at.gateway.answers[self.path] = how
        with pytest.raises(aio.AioRpcError):
            await self.call(at, flag, request_id)
        return the_flag(at)

    async def is_recorded(self, at: County, flag: OwnFlag, request_id: str = FIRST) -> OwnFlag:
        """The exchange records it; what is said of the flag then."""
        states = {"flag_state": codes.FLAG_STATE_RESOLVED} if self.path == rpcs.RESOLVE_FLAG.path else {}
        at.gateway.answers[self.path] = recorded(at, self.kind, self.answer, **states)
        await self.call(at, flag, request_id)
        return the_flag(at)


def told_again(flag: OwnFlag, request_id: str) -> missing_pb2.RaiseFlagRequest:
    """Another report of the same absence: an earlier day and another code."""
    request = absence(request_id=request_id, handling_code=KEEP_SAFE)
    request.flag_locate.missing_since_date = "2026-11-18"
    return request


def updated(flag: OwnFlag, request_id: str) -> missing_pb2.UpdateFlagRequest:
    done = gateway_missing.DutyDone(duty=gateway_missing.DUTY_NCMEC_REPORT, done_time=stamp(NOW))
    return missing_pb2.UpdateFlagRequest(
        request_id=request_id, flag_id=flag.flag_id.hex(), duties=[done], handling_code=KEEP_SAFE
    )


def ended(flag: OwnFlag, request_id: str) -> missing_pb2.ResolveFlagRequest:
    group = codes.RESOLUTION_GROUP_RETURNED_SAME
    return missing_pb2.ResolveFlagRequest(request_id=request_id, flag_id=flag.flag_id.hex(), resolution_group=group)


UPDATE = Change(
    rpcs.UPDATE_FLAG.path, updated, missing_pb2.UpdateFlagResponse, "flag.updated", gateway_missing.UpdateFlagResponse
)
RESOLVE = Change(
    rpcs.RESOLVE_FLAG.path, ended, missing_pb2.ResolveFlagResponse, "flag.resolved", gateway_missing.ResolveFlagResponse
)
RAISE = Change(
    rpcs.RAISE_FLAG.path, told_again, missing_pb2.RaiseFlagResponse, "flag.updated", gateway_missing.RaiseFlagResponse
)
CHANGES = {"raised anew": RAISE, "updated": UPDATE, "resolved": RESOLVE}


def the_flag(at: County) -> OwnFlag:
    (flag,) = at.flags.of(OWN_HANDLE)
    return flag


def said(flag: OwnFlag) -> tuple[object, ...]:
    """What a county system and a sealed answer are told of it."""
    return flag.state, flag.handling_code, flag.locate, flag.casework


async def test_of_two_retries_at_once_the_one_that_comes_after_the_refusal_may_be_made_anew(tmp_path: Path) -> None:
    both_asked = asyncio.Event()

    @dataclass
    class Slow(FakeGateway):
        async def call(self, rpc: Any, request: Any, *, seconds: float) -> Any:
            if rpc.path == RAISE.path and self.answers.get(rpc.path) is refuses:
                await both_asked.wait()
            return await super().call(rpc, request, seconds=seconds)

    async with county(tmp_path, Slow()) as at:
        await raise_own_flag(at)
        await RAISE.fails(at, the_flag(at), hears_nothing)
        at.gateway.answers[RAISE.path] = refuses
        both = [asyncio.ensure_future(RAISE.call(at, the_flag(at))) for _ in range(2)]
        # The second has looked for what was sent, and waits for its turn.
        await asyncio.sleep(0.3)
        both_asked.set()
        ended = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(refused(cast(aio.AioRpcError, each)).reason for each in ended) == [
            "GATEWAY_UNAVAILABLE",
            "INVALID_REQUEST",
        ]


def is_over(rule: str) -> Callable[[bytes, Any], Any]:
    """An exchange that has ended the episode, and told nobody who heard it."""

    def answer(payload: bytes, claims: Any) -> Any:
        raise CallFailed(CallFault.REFUSED, "STATEMENT_INVALID", fields=(f"flag_statement: {rule}",))

    return answer


async def test_an_end_whose_answer_was_lost_is_the_end_once_the_exchange_says_so(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        first = await RESOLVE.fails(at, the_flag(at), hears_nothing)
        # Another call, and not the same again: the exchange has no such episode to end any more.
        again = await RESOLVE.fails(at, first, is_over("state"), SECOND)
        assert (said(again), again.recorded, again.is_open) == (said(first), True, False)
        answer = await raise_own_flag(at)
        ended, raised = at.flags.of(OWN_HANDLE)
        assert (ended.flag_id, raised.is_open, raised.recorded) == (first.flag_id, True, True)
        assert answer.flag_id == raised.flag_id.hex(), "the youth is looked for again"


@pytest.mark.parametrize("rule", ["flag_id", "state"])
async def test_a_youth_whose_flag_ended_unheard_is_reported_missing_again_at_the_first_try(
    tmp_path: Path, rule: str
) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)

        def answer(payload: bytes, claims: Any) -> Any:
            if flag_in(payload) == before.flag_id:
                return is_over(rule)(payload, claims)
            return recorded(at, "flag.raised", gateway_missing.RaiseFlagResponse, flag_id=flag_in)(payload, claims)

        at.gateway.answers[RAISE.path] = answer
        told = await RAISE.call(at, before)
        ended, raised = at.flags.of(OWN_HANDLE)
        assert (ended.flag_id, ended.is_open) == (before.flag_id, False)
        assert (told.flag_id, raised.is_open) == (raised.flag_id.hex(), True)
        assert raised.handling_code == "CALL_DUTY_LINE_AND_KEEP_SAFE", "with all that the report says"


async def test_a_report_whose_answer_was_lost_raises_another_flag_where_its_own_is_over(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = await RAISE.fails(at, the_flag(at), hears_nothing)

        def answer(payload: bytes, claims: Any) -> Any:
            if flag_in(payload) == before.flag_id:
                return is_over("flag_id")(payload, claims)
            return recorded(at, "flag.raised", gateway_missing.RaiseFlagResponse, flag_id=flag_in)(payload, claims)

        at.gateway.answers[RAISE.path] = answer
        told = await RAISE.call(at, before)
        ended, raised = at.flags.of(OWN_HANDLE)
        assert (ended.flag_id, ended.is_open, raised.recorded) == (before.flag_id, False, True)
        assert told.flag_id == raised.flag_id.hex()


async def test_on_the_exchanges_word_alone_nobody_stops_looking(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        after = await UPDATE.fails(at, before, is_over("state"))
        assert (said(after), after.is_open) == (said(before), True)


def flag_in(payload: bytes) -> bytes:
    report = gateway_missing.FlagReport.FromString(payload)
    return FlagStatement.FromString(report.flag_statement.payload).flag_id


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("restarts", [False, True])
async def test_what_is_refused_when_it_is_sent_again_is_taken_back(name: str, restarts: bool, tmp_path: Path) -> None:
    change = CHANGES[name]
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        unheard = await change.fails(at, before, hears_nothing)
        if not restarts:
            after = await change.fails(at, before, refuses)
    if restarts:
        async with county(tmp_path) as at:
            after = await change.fails(at, before, refuses)
    async with county(tmp_path) as at:
        assert the_flag(at) == after, "and stays so"
    assert said(unheard) != said(before), "it may be on record"
    assert said(after) == said(before)
    stated = FlagStatement.FromString(after.statement.payload)
    assert (stated.version, stated.state, stated.handling_code) == (
        after.version, codes.FLAG_STATE_ACTIVE, codes.HANDLING_CODE_CALL_DUTY_LINE,
    )  # fmt: skip
    assert after.version > unheard.version, "nobody presents what was refused"


@pytest.mark.parametrize("change", [UPDATE, RESOLVE], ids=["updated", "resolved"])
async def test_what_another_report_repeats_and_the_exchange_refuses_is_taken_back(
    change: Change, tmp_path: Path
) -> None:
    """A county system that gives no identifier sends it again as another report."""
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        await change.fails(at, before, hears_nothing, FIRST)
        after = await change.fails(at, before, refuses, SECOND)
    assert said(after) == said(before)


async def test_what_two_reports_state_stands_until_both_are_refused(tmp_path: Path) -> None:
    """The second says nothing new, and is refused for what it says beside it; the first may be on record."""
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        unheard = await RAISE.fails(at, before, hears_nothing, FIRST)
        assert await RAISE.fails(at, before, refuses, SECOND) == unheard
        assert said(await RAISE.fails(at, before, refuses, FIRST)) == said(before)


@pytest.mark.parametrize("change", [UPDATE, RESOLVE], ids=["updated", "resolved"])
async def test_what_was_taken_back_and_is_on_record_after_all_is_said_again(change: Change, tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        unheard = await change.fails(at, before, hears_nothing, FIRST)
        taken_back = await UPDATE.fails(at, before, refuses, SECOND)
        after = await change.is_recorded(at, before, FIRST)
    assert said(taken_back) == said(before)
    assert said(after) == said(unheard)
    assert after.version > taken_back.version


async def test_what_another_report_states_meanwhile_is_not_taken_back_with_what_was_before_it(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        before = the_flag(at)
        await UPDATE.fails(at, before, hears_nothing, FIRST)
        resolved = await RESOLVE.is_recorded(at, before, SECOND)
        assert await UPDATE.fails(at, before, refuses, FIRST) == resolved
    assert resolved.recorded


async def test_a_first_report_that_is_refused_when_it_is_sent_again_leaves_no_flag_here(tmp_path: Path) -> None:
    """Nor does a change of it that the exchange refused, because it has no such flag."""
    first = absence(request_id=FIRST)
    async with county(tmp_path) as at:
        for how, does_change in ((hears_nothing, True), (refuses, False)):
            at.gateway.answers[rpcs.RAISE_FLAG.path] = how
            with pytest.raises(aio.AioRpcError):
                await at.call("MissingService/RaiseFlag", first, missing_pb2.RaiseFlagResponse, "workers")
            if does_change:
                await UPDATE.fails(at, the_flag(at), refuses, SECOND)
        assert at.flags.of(OWN_HANDLE) == []


async def test_nothing_that_was_stated_of_a_youth_stays_when_its_records_are_sealed(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        await raise_own_flag(at)
        await UPDATE.fails(at, the_flag(at), hears_nothing)
        with at.store.read() as connection:
            assert {row.version for row in connection.execute(tables.stated_flag.select())} == {1, 2}
        sealed = SealedSubjects(at.store, b"k" * 32).load()
        sealed.begin(OWN_YOUTH, OWN_HANDLE)
        sealed.sealed(OWN_HANDLE, b"s" * 16)
        with at.store.read() as connection:
            assert connection.execute(tables.stated_flag.select()).all() == []
        assert at.flags.of(OWN_HANDLE) == []
