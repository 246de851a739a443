"""A flag whose end the exchange may not have heard: the youth who is missing again is looked for, here and there."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from grpc import aio

from adapters.node import flags, rpcs, tables
from adapters.node.duties import OwnDuties
from adapters.node.own_flag import OwnFlag, looked_for
from adapters.node.rpcs import CallFailed, CallFault
from gateway.protocol.names import FlagId, FlagState
from homeward.county.v1 import missing_pb2
from homeward.gateway.v1 import codes_pb2 as codes
from homeward.gateway.v1 import missing_pb2 as gateway_missing
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import FlagStatement
from homeward.gateway.v1.missing_pb2 import DUTY_LAW_ENFORCEMENT_REPORT
from tests.integration.local_kit import OWN_HANDLE, County, county, refusal
from tests.integration.report_kit import absence, hears_nothing, raise_own_flag, recorded, refuses
from tests.unit.node.world import NOW, stamp


class Exchange:
    """What the exchange makes of this agency's reports about the youth: one open flag, whatever is raised beside it
    (`gateway/missing/raising`); none that ended comes back. `hears`: what reaches it; `answers`: what comes back."""

    def __init__(self, at: County) -> None:
        self.flags: dict[bytes, FlagStatement] = {}
        self.envelopes: dict[bytes, SignedEnvelope] = {}
        self.reports: list[gateway_missing.FlagReport] = []
        self.hears = self.answers = True
        self._at = at
        for rpc, report, response in (
            (rpcs.RAISE_FLAG, gateway_missing.FlagReport, gateway_missing.RaiseFlagResponse),
            (rpcs.UPDATE_FLAG, gateway_missing.FlagUpdate, gateway_missing.UpdateFlagResponse),
            (rpcs.RESOLVE_FLAG, gateway_missing.FlagResolution, gateway_missing.ResolveFlagResponse),
        ):
            at.gateway.answers[rpc.path] = self._taking(report, response)

    def open(self) -> FlagStatement | None:
        """The flag by which the youth is looked for."""
        return next((each for each in self.flags.values() if each.state == codes.FLAG_STATE_ACTIVE), None)

    def _taking(self, report: Any, response: Any) -> Any:
        def take(payload: bytes, claims: Any) -> Any:
            if not self.hears:
                return hears_nothing(payload, claims)
            stated = FlagStatement.FromString(report.FromString(payload).flag_statement.payload)
            own = self.open()
            kind = {"FlagReport": "flag.raised", "FlagUpdate": "flag.updated"}.get(report.__name__, "flag.resolved")
            standing = None
            self.reports += [report.FromString(payload)] if report is gateway_missing.FlagReport else []
            is_raise = report is gateway_missing.FlagReport and own is not None
            if is_raise and (own.flag_id != stated.flag_id or stated.version < own.version):
                stated, standing = own, self.envelopes.get(own.flag_id)
            elif report is gateway_missing.FlagReport and own is None and stated.flag_id in self.flags:
                raise CallFailed(CallFault.REFUSED, "STATEMENT_INVALID", fields=("flag_statement: flag_id",))
            elif stated.flag_id in self.flags and stated.version > self.flags[stated.flag_id].version:
                kind = "flag.updated" if kind == "flag.raised" else kind
            if standing is None:
                self.envelopes[stated.flag_id] = report.FromString(payload).flag_statement
            self.flags[stated.flag_id] = stated
            if not self.answers:
                return hears_nothing(payload, claims)
            fields: dict[type, dict[str, Any]] = {
                gateway_missing.RaiseFlagResponse: {"flag_id": stated.flag_id},
                gateway_missing.ResolveFlagResponse: {"flag_state": stated.state},
            }
            made = recorded(self._at, kind, response, **fields.get(response, {}))(payload, claims)
            if standing is not None:
                made.standing_statement.CopyFrom(standing)
            return made

        return take


async def resolve(at: County, flag_id: str, *, is_answered: bool = False) -> None:
    """Staff say that the youth is back."""
    request = missing_pb2.ResolveFlagRequest(flag_id=flag_id, resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME)
    if is_answered:
        await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
    else:
        await refusal(at, "MissingService/ResolveFlag", request, "workers")


async def raise_again(at: County) -> missing_pb2.RaiseFlagResponse:
    """The youth is missing again, since another day."""
    request = absence()
    request.flag_locate.missing_since_date = "2026-11-19"
    answer = await at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
    assert answer.outcome == codes.OUTCOME_RECORDED
    return answer  # type: ignore[no-any-return]


def open_here(at: County) -> OwnFlag:
    flag = looked_for(at.flags.of(OWN_HANDLE))
    assert flag is not None
    return flag


@pytest.mark.parametrize("heard", [False, True])
async def test_a_youth_who_is_missing_again_is_looked_for_under_one_flag_here_and_there(
    tmp_path: Path, heard: bool
) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        exchange.hears, exchange.answers = heard, False
        await resolve(at, first.flag_id)
        assert looked_for(at.flags.of(OWN_HANDLE)) is None
        exchange.hears = exchange.answers = True
        again = await raise_again(at)
        there, here = exchange.open(), open_here(at)
    assert there is not None
    assert (there.flag_id, there.version) == (here.flag_id, here.version)
    assert again.flag_id == here.flag_id.hex()
    assert (here.recorded, here.state, here.locate.missing_since_date) == (True, FlagState.ACTIVE, "2026-11-19")
    assert (again.flag_id == first.flag_id) == (not heard), "an end that was heard is the end of that episode"
    assert not here.casework.resolved_date


async def test_whoever_is_open_again_has_all_duties_again(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange, duties = Exchange(at), OwnDuties(at.store)
        first = await raise_again(at)
        done = gateway_missing.DutyDone(duty=DUTY_LAW_ENFORCEMENT_REPORT, done_time=stamp(NOW))
        update = missing_pb2.UpdateFlagRequest(flag_id=first.flag_id, duties=[done])
        await at.call("MissingService/UpdateFlag", update, missing_pb2.UpdateFlagResponse, "workers")
        later = NOW + timedelta(days=2)
        assert DUTY_LAW_ENFORCEMENT_REPORT not in {each.duty for each in duties.overdue(later)}
        exchange.hears = False
        await resolve(at, first.flag_id)
        exchange.hears = True
        await raise_again(at)
        assert DUTY_LAW_ENFORCEMENT_REPORT in {each.duty for each in duties.overdue(later)}
        assert not open_here(at).casework.HasField("law_enforcement_report_time")


async def test_whoever_says_that_a_flag_still_stands_opens_it_again_where_nobody_heard_its_end(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        exchange.hears = False
        await resolve(at, first.flag_id)
        exchange.hears = True
        update = missing_pb2.UpdateFlagRequest(flag_id=first.flag_id)
        await at.call("MissingService/UpdateFlag", update, missing_pb2.UpdateFlagResponse, "workers")
        here, there = open_here(at), exchange.open()
        assert there is not None
        assert (here.version, here.recorded, here.casework.resolved_date) == (there.version, True, "")
        await resolve(at, first.flag_id, is_answered=True)
        found = await refusal(at, "MissingService/UpdateFlag", update, "workers")
    assert found.fields == ("flag_id: an episode that is open, or duties alone",), "an end on record is the end"


async def test_nothing_of_the_absence_before_is_said_of_the_one_after_an_end_that_nobody_heard(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        full = absence()
        full.flag_locate.last_seen_county = "06037"
        full.flag_locate.ncmec_case_number = "1000001"
        first = await at.call("MissingService/RaiseFlag", full, missing_pb2.RaiseFlagResponse, "workers")
        assert not exchange.reports[-1].missing_again
        exchange.hears = False
        await resolve(at, first.flag_id)
        exchange.hears = True
        later = absence(learn_time=stamp(NOW + timedelta(hours=1)))
        await at.call("MissingService/RaiseFlag", later, missing_pb2.RaiseFlagResponse, "workers")
        here = open_here(at)
    assert exchange.reports[-1].missing_again
    assert here.locate == later.flag_locate
    assert here.learned == NOW + timedelta(hours=1)


async def test_a_youth_who_was_found_and_runs_again_is_missing_again_though_nobody_ended_the_flag(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        OwnDuties(at.store).found(FlagId(bytes.fromhex(first.flag_id)), NOW + timedelta(hours=1))
        same = absence()
        same.flag_locate.last_seen_county = "06037"
        await at.call("MissingService/RaiseFlag", same, missing_pb2.RaiseFlagResponse, "workers")
        assert not exchange.reports[-1].missing_again, "it says more of the absence that was before the finding"
        later = absence(learn_time=stamp(NOW + timedelta(hours=2)))
        for expected in (True, False):
            await at.call("MissingService/RaiseFlag", later, missing_pb2.RaiseFlagResponse, "workers")
            assert exchange.reports[-1].missing_again == expected
        here = open_here(at)
    assert (here.flag_id.hex(), here.locate) == (first.flag_id, later.flag_locate)


async def test_whichever_flag_ended_unheard_is_the_one_that_is_open_again(tmp_path: Path) -> None:
    """Not that of which the agency learned last: a correction may learn of an earlier absence later."""
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        await resolve(at, first.flag_id, is_answered=True)
        earlier = absence(learn_time=stamp(NOW - timedelta(hours=1)))
        second = await at.call("MissingService/RaiseFlag", earlier, missing_pb2.RaiseFlagResponse, "workers")
        exchange.hears = False
        await resolve(at, second.flag_id)
        exchange.hears = True
        again = await raise_again(at)
        assert again.flag_id == second.flag_id == open_here(at).flag_id.hex()


async def test_an_adapter_that_knows_an_earlier_version_says_the_reports_words_above_the_one_that_stands(
    tmp_path: Path,
) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        backup = open_here(at)
        for code in (codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE, codes.HANDLING_CODE_CALL_DUTY_LINE):
            update = missing_pb2.UpdateFlagRequest(flag_id=first.flag_id, handling_code=code)
            await at.call("MissingService/UpdateFlag", update, missing_pb2.UpdateFlagResponse, "workers")
        with at.store.write() as connection:
            connection.execute(tables.own_flag.update().values(flags._values(backup)))
            connection.execute(tables.stated_flag.delete())
        report = absence(handling_code=codes.HANDLING_CODE_WELFARE_CHECK_ADULT)
        await at.call("MissingService/RaiseFlag", report, missing_pb2.RaiseFlagResponse, "workers")
        here, there = open_here(at), exchange.open()
        assert there is not None
        assert (there.version, here.version, here.recorded) == (3, 4, False)
        assert here.handling_code == "WELFARE_CHECK_ADULT"
        assert at.flags.unanswered(NOW + timedelta(minutes=3)) == [here.flag_id], "a person must state it"
        update = missing_pb2.UpdateFlagRequest(flag_id=first.flag_id)
        await at.call("MissingService/UpdateFlag", update, missing_pb2.UpdateFlagResponse, "workers")
        assert (open_here(at).version, open_here(at).recorded) == (5, True)


async def test_the_return_conversation_alone_waits_for_an_end_that_is_heard(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        exchange.hears = False
        await resolve(at, first.flag_id)
        update = missing_pb2.UpdateFlagRequest(flag_id=first.flag_id, return_conversation_done=True)
        found = await refusal(at, "MissingService/UpdateFlag", update, "workers")
    assert (found.reason, found.fields) == ("INVALID_REQUEST", ("flag_id: end the episode again first",))


async def test_an_adapter_that_was_put_back_takes_over_the_flag_that_the_exchange_holds(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        with at.store.write() as connection:
            # As a backup of before the report has it.
            connection.execute(tables.own_flag.delete())
        again = await raise_again(at)
        here = open_here(at)
        assert again.flag_id == first.flag_id == here.flag_id.hex()
        assert (here.version, here.recorded, here.locate.missing_since_date) == (1, True, "2026-11-19")
        assert at.flags.of(OWN_HANDLE) == [here], "and states no other"
        assert at.flags.unanswered(NOW + timedelta(days=1)) == []
        await resolve(at, first.flag_id, is_answered=True)
        assert exchange.open() is None


async def test_a_statement_that_this_county_did_not_sign_is_not_taken_over(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        await raise_again(at)
        with at.store.write() as connection:
            connection.execute(tables.own_flag.delete())
        (envelope,) = exchange.envelopes.values()
        envelope.signature = bytes(64)
        found = await refusal(at, "MissingService/RaiseFlag", absence(), "workers")
        assert found.reason == "EVIDENCE_INVALID"
        assert open_here(at).flag_id not in exchange.flags, "what was reported is here, and without an answer"


async def test_an_exchange_that_goes_on_with_an_ended_flag_is_not_believed(tmp_path: Path) -> None:
    """It gave the receipt of the end: that it answers with this flag again is no word that somebody is looking."""
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        before = exchange.envelopes[bytes.fromhex(first.flag_id)]
        await resolve(at, first.flag_id, is_answered=True)
        exchange.flags[bytes.fromhex(first.flag_id)].state = codes.FLAG_STATE_ACTIVE
        exchange.envelopes[bytes.fromhex(first.flag_id)] = before
        found = await refusal(at, "MissingService/RaiseFlag", absence(), "workers")
        assert found.reason == "EVIDENCE_INVALID"
        assert open_here(at).flag_id.hex() != first.flag_id


async def test_a_refusal_and_what_it_takes_back_are_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends where the flag would be settled: then the request is there still, and is answered again."""

    def ends(*_: Any, **__: Any) -> None:
        raise SystemError("the process ends here")

    async with county(tmp_path) as at:
        first = await raise_own_flag(at)
        at.gateway.answers[rpcs.RESOLVE_FLAG.path] = refuses
        request = missing_pb2.ResolveFlagRequest(
            flag_id=first.flag_id,
            resolution_group=codes.RESOLUTION_GROUP_RETURNED_SAME,
            request_id="01890000-0000-7000-8000-000000000007",
        )
        with monkeypatch.context() as dying:
            dying.setattr("adapters.node.stating.take_back_flag", ends)
            with pytest.raises(aio.AioRpcError):
                await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
        assert looked_for(at.flags.of(OWN_HANDLE)) is None
        assert at.flags.unanswered(NOW + timedelta(minutes=3)) == [bytes.fromhex(first.flag_id)]
        with pytest.raises(aio.AioRpcError):
            await at.call("MissingService/ResolveFlag", request, missing_pb2.ResolveFlagResponse, "workers")
        assert open_here(at).flag_id.hex() == first.flag_id
        assert at.flags.unanswered(NOW + timedelta(minutes=3)) == [], "it says what is on record"


async def test_what_nobody_answered_is_named_once_an_answer_is_overdue(tmp_path: Path) -> None:
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        first = await raise_again(at)
        assert at.flags.unanswered(NOW + timedelta(days=1)) == []
        exchange.hears = False
        await resolve(at, first.flag_id)
        assert at.flags.unanswered(NOW + timedelta(minutes=1)) == []
        assert at.flags.unanswered(NOW + timedelta(minutes=3)) == [bytes.fromhex(first.flag_id)]
        exchange.hears = True
        await resolve(at, first.flag_id, is_answered=True)
        assert at.flags.unanswered(NOW + timedelta(days=1)) == []


async def test_two_copies_of_one_report_are_one_however_long_each_waits_for_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on record here is a version that left."""
    from tests.unit.local.exchange import Tokens

    real, gates = Tokens.__call__, [asyncio.Event(), asyncio.Event()]
    waiting = iter(gates)

    async def gated(*words: Any) -> Any:
        await next(waiting).wait()
        return await real(*words)

    monkeypatch.setattr(Tokens, "__call__", gated)
    async with county(tmp_path) as at:
        exchange = Exchange(at)
        request = absence(request_id="01890000-0000-7000-8000-000000000007")
        calls = [
            asyncio.ensure_future(
                at.call("MissingService/RaiseFlag", request, missing_pb2.RaiseFlagResponse, "workers")
            )
            for _ in gates
        ]
        await asyncio.sleep(0.2)
        gates[0].set()
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        (flag,) = at.flags.of(OWN_HANDLE)
        exchange.hears = False
        update = missing_pb2.UpdateFlagRequest(
            flag_id=flag.flag_id.hex(), handling_code=codes.HANDLING_CODE_CALL_DUTY_LINE_AND_KEEP_SAFE
        )
        await refusal(at, "MissingService/UpdateFlag", update, "workers")
        exchange.hears = True
        gates[1].set()
        await asyncio.gather(*calls)
        here = open_here(at)
    assert (here.version, here.recorded) == (2, False)
    assert exchange.flags[here.flag_id].version == 1
