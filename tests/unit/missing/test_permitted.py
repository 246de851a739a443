"""Who may say what of a missing youth: every kind of agency, every role it can hold, every purpose, every call.

What is allowed is read from the policy; what the policy must be, `tests/adversarial/county_matrix.toml` says alone.
"""

import os
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from gateway.exchange.journal import Kind
from gateway.protocol.names import (
    OVERSEERS,
    ROLES_HELD_BY_KIND,
    AgencyId,
    AgencyKind,
    FlagAct,
    FlagState,
    Purpose,
    Role,
    SubjectHandle,
)
from gateway.protocol.policy.bundle import load_california
from gateway.store import tables
from homeward.gateway.v1 import missing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED, OUTCOME_NOT_PERMITTED, OUTCOME_RECORDED
from tests.unit.exchange.members import (
    FEDERAL,
    ICPC,
    KINDS,
    LA,
    LA_PROB,
    POLICE,
    PRIVACY_OFFICER,
    SF,
    STATE,
    STRTP,
    Act,
    Youth,
    stamp,
)
from tests.unit.exchange.world import World

ANA: Final = Youth("Ana Invented")
POLICY: Final = load_california()
NOBODY: Final = Role("NGO.hotline")
"""A role that no agency of this world has."""
PLACING: Final = Role("PROB.placement_officer")
"""Who may claim no emergency, and learns of no flag for a placement."""
CALLERS: Final = (SF, LA, LA_PROB, STRTP, POLICE, STATE, ICPC, FEDERAL)


@dataclass(frozen=True)
class Episode:
    """An open flag of San Francisco."""

    handle: SubjectHandle
    flag_id: bytes


async def episode(world: World, youth: Youth = ANA) -> Episode:
    handle = await world.register(SF, youth)
    raised = await world.raise_flag(SF, youth, handle=handle)
    return Episode(handle, raised.flag_id)


async def _raise(world: World, act: Act, at: Episode) -> int:
    handle = at.handle if act.agency == SF else b""
    report = pb.FlagReport(
        request_id=os.urandom(16),
        subject_handle=handle,
        tokens=world.tokens(ANA),
        flag_statement=world.statement(SF, flag_id=at.flag_id, version=_next(world)) if handle else None,
        learn_time=stamp(world.clock()),
    )
    request = world.signed(pb.RaiseFlagRequest, report, act)
    return (await world.as_peer(act.agency, lambda: world.missing.RaiseFlag(request, None))).outcome


async def _update(world: World, act: Act, at: Episode) -> int:
    update = pb.FlagUpdate(
        request_id=os.urandom(16),
        flag_id=at.flag_id,
        flag_statement=world.statement(SF, flag_id=at.flag_id, version=_next(world)),
    )
    request = world.signed(pb.UpdateFlagRequest, update, act)
    return (await world.as_peer(act.agency, lambda: world.missing.UpdateFlag(request, None))).outcome


async def _locate(world: World, act: Act, at: Episode) -> int:
    report = pb.LocatedReport(
        request_id=os.urandom(16), flag_id=at.flag_id, located_county="06077", locate_time=stamp(world.clock())
    )
    request = world.signed(pb.ReportLocatedRequest, report, act)
    return (await world.as_peer(act.agency, lambda: world.missing.ReportLocated(request, None))).outcome


async def _attempt(world: World, act: Act, at: Episode) -> int:
    request = world.signed(pb.ResolveFlagRequest, pb.FlagResolution(request_id=os.urandom(16), flag_id=at.flag_id), act)
    return (await world.as_peer(act.agency, lambda: world.missing.ResolveFlag(request, None))).outcome


async def _end(world: World, act: Act, at: Episode) -> int:
    statement = world.statement(SF, flag_id=at.flag_id, state=FlagState.ENTERED_IN_ERROR, version=_next(world))
    resolution = pb.FlagResolution(request_id=os.urandom(16), flag_id=at.flag_id, flag_statement=statement)
    request = world.signed(pb.ResolveFlagRequest, resolution, act)
    return (await world.as_peer(act.agency, lambda: world.missing.ResolveFlag(request, None))).outcome


def _next(world: World) -> int:
    return max((int(str(row["version"])) for row in world.rows(tables.flag)), default=0) + 1


@dataclass(frozen=True)
class Saying:
    """A call, and what it sets out to do."""

    name: str
    act: FlagAct
    say: Callable[[World, Act, Episode], Awaitable[int]]


def sayings(agency: AgencyId) -> Iterator[Saying]:
    owns = agency == SF
    yield Saying("raise", FlagAct.KEEP_OWN_FLAG if owns else FlagAct.REPORT_MISSING, _raise)
    yield Saying("locate", FlagAct.REPORT_LOCATED, _locate)
    if owns:
        yield Saying("update", FlagAct.KEEP_OWN_FLAG, _update)
        yield Saying("end", FlagAct.KEEP_OWN_FLAG, _end)
    else:
        yield Saying("attempt to end", FlagAct.REPORT_LOCATED, _attempt)


def expected(agency: AgencyId, role: Role, purpose: Purpose, act: FlagAct) -> str:
    """The reason of the refusal; empty where it is recorded."""
    kind = KINDS[agency]
    if kind in POLICY.prohibited_kinds:
        return "PROHIBITED_RECIPIENT"
    if role not in ROLES_HELD_BY_KIND[kind]:
        return "KIND_ROLE_MISMATCH"
    if kind in OVERSEERS:
        return "OVERSEER_ONLY_REVIEWS"
    listed = any(act is rule.act and purpose in rule.purposes and role in rule.roles for rule in POLICY.flag_acts)
    return "" if listed else "ROLE_NOT_PERMITTED_FOR_PURPOSE"


def rows(agency: AgencyId) -> Iterator[tuple[Saying, Act, str]]:
    for role in (*sorted(ROLES_HELD_BY_KIND[KINDS[agency]]), NOBODY):
        for purpose in Purpose:
            for saying in sayings(agency):
                yield saying, Act(agency, role, purpose), expected(agency, role, purpose, saying.act)


@pytest.mark.parametrize("agency", CALLERS)
async def test_whoever_may_not_say_it_is_refused_on_record_and_nothing_changes(world: World, agency: AgencyId) -> None:
    at = await episode(world)
    before, told = world.rows(tables.flag), len(await world.alerts(SF))
    for saying, act, reason in rows(agency):
        if not reason:
            continue
        size = world.size()
        assert await saying.say(world, act, at) == OUTCOME_NOT_PERMITTED, (saying.name, act)
        (leaf,) = await world.leaves(size)
        assert (leaf.kind, leaf.op["reason"], leaf.entry.holder) == (Kind.DECISION, reason, ""), (saying.name, act)
        assert leaf.op["purpose"] == act.purpose
    assert world.rows(tables.flag) == before
    assert len(await world.alerts(SF)) == told


@pytest.mark.parametrize("agency", [SF, LA, LA_PROB, STRTP, POLICE])
async def test_whoever_may_say_it_is_on_record(world: World, agency: AgencyId) -> None:
    recorded = 0
    at = await episode(world)
    for saying, act, reason in rows(agency):
        if reason:
            continue
        assert await saying.say(world, act, at) == OUTCOME_RECORDED, (saying.name, act)
        recorded += 1
        if saying.name == "end":
            raised = await world.raise_flag(SF, ANA, handle=at.handle)
            at = Episode(at.handle, raised.flag_id)
    assert recorded


async def test_a_reviewer_cannot_call_off_the_search_for_a_child(world: World) -> None:
    """What was told to other counties stays what it was, whatever an agency's privacy officer says of its flag."""
    at = await episode(world)
    for purpose in (Purpose.MFC_LOCATE, Purpose.OVERSIGHT_AUDIT):
        for say in (_raise, _update, _locate, _end):
            assert await say(world, Act(SF, PRIVACY_OFFICER, purpose), at) == OUTCOME_NOT_PERMITTED
    await world.all_current()
    found = await world.check_flag(POLICE, ANA)
    assert found.answer.outcome == OUTCOME_ANSWERED


async def test_whether_a_flag_exists_is_not_told_to_whoever_may_not_report(world: World) -> None:
    known, unknown = await episode(world), Episode(SubjectHandle(os.urandom(16)), os.urandom(16))
    act = Act(LA, PRIVACY_OFFICER)
    for at in (known, unknown):
        assert [await say(world, act, at) for say in (_locate, _attempt)] == [OUTCOME_NOT_PERMITTED] * 2


async def test_a_refused_report_sent_again_is_refused_with_the_same_entry(world: World) -> None:
    at = await episode(world)
    report = pb.LocatedReport(
        request_id=os.urandom(16), flag_id=at.flag_id, located_county="06077", locate_time=stamp(world.clock())
    )
    indexes = set()
    for _ in range(2):
        request = world.signed(pb.ReportLocatedRequest, report, Act(LA_PROB, PLACING, Purpose.PLACEMENT_PLANNING))
        answer = await world.as_peer(LA_PROB, lambda request=request: world.missing.ReportLocated(request, None))
        assert answer.outcome == OUTCOME_NOT_PERMITTED
        indexes.add(answer.receipt.index)
    assert len(indexes) == 1


def test_the_callers_of_these_tests_are_of_every_kind_that_lives_in_this_world() -> None:
    assert {KINDS[agency] for agency in CALLERS} == set(KINDS.values()) >= {AgencyKind.CWA, AgencyKind.AUDITOR}
