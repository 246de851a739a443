"""Whoever sees what everybody's entries say asks nothing: from a holder's numbers it would learn what an answer hid."""

import pytest

from gateway.exchange.journal import Kind
from gateway.protocol.names import EvidenceKind, Purpose, Restriction, Role
from gateway.protocol.outcomes import Reason
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    OUTCOME_NO_DISCLOSABLE_RECORD,
    OUTCOME_NOT_PERMITTED,
)
from tests.unit.exchange.members import ICPC, SF, STATE, Act, Youth, officer, staff
from tests.unit.exchange.seal_desk import answers
from tests.unit.exchange.test_access import read
from tests.unit.exchange.world import World

ANA, SEALED, UNKNOWN = (Youth(f"{name} Invented") for name in ("Ana", "Sealed", "Unknown"))
TRANSFER = Act(ICPC, Role("STATE.icpc_office"), Purpose.CASE_TRANSFER)
REVIEWS = Act(ICPC, Role("STATE.cdss_oversight"), Purpose.OVERSIGHT_AUDIT)
OVERSEERS_ROLES = (Role("STATE.cdss_oversight"), Role("AUDITOR.internal"))


async def ask(world: World, youth: Youth) -> int:
    """The outcome of what the state's interstate office asks."""
    answer = await world.ask_records(ICPC, youth, act=TRANSFER, because=EvidenceKind.ICPC_REQUEST)
    return answer.outcome


async def test_a_state_that_asks_learns_from_no_holders_numbers_what_an_answer_hid(world: World) -> None:
    """San Francisco's number that stands in no entry shown would be that of the question about the sealed youth."""
    await world.register(SF, SEALED, restriction=Restriction.SEALED)
    await world.all_current()
    for youth in (SEALED, UNKNOWN):
        assert await ask(world, youth) == OUTCOME_NO_DISCLOSABLE_RECORD
    await world.register(SF, ANA)
    seen = await read(world, REVIEWS)
    assert {entry["requester"] for entry in seen if "requester" in entry} <= {ICPC.encode()}
    assert not any("parties" in entry for entry in seen)
    decisions = [entry for entry in seen if entry["kind"] == Kind.DECISION.encode()]
    said = [
        {name: value for name, value in each.items() if name not in ("request", "seq", "prev")} for each in decisions
    ]
    assert len(said) == 2
    assert said[0] == said[1]
    # The control: who oversees is shown that San Francisco took part in the one and nobody in the other.
    parties = [entry["parties"].decode().split() for entry in await read(world, officer(STATE), agency=ICPC)]
    assert {SF} < {each[2] if len(each) == 4 else "" for each in parties}


async def test_a_state_still_asks_as_a_member_of_its_own(world: World) -> None:
    world.sources.answer = answers
    await world.register(SF, ANA)
    await world.all_current()
    assert await ask(world, ANA) == OUTCOME_ANSWERED


@pytest.mark.parametrize("role", [*OVERSEERS_ROLES, Role("STATE.icpc_office")])
@pytest.mark.parametrize("purpose", [Purpose.CASE_TRANSFER, Purpose.OVERSIGHT_AUDIT, Purpose.MFC_LOCATE])
async def test_an_overseer_gets_no_record_and_is_on_record(world: World, role: Role, purpose: Purpose) -> None:
    await world.register(SF, ANA)
    await world.all_current()
    act, before = Act(STATE, role, purpose), world.size()
    answer = await world.ask_records(STATE, ANA, act=act, because=EvidenceKind.ICPC_REQUEST)
    assert answer.outcome == OUTCOME_NOT_PERMITTED
    (leaf, *_) = await world.leaves(before)
    reason = Reason.KIND_ROLE_MISMATCH if role not in OVERSEERS_ROLES else Reason.OVERSEER_ONLY_REVIEWS
    assert (leaf.kind, leaf.op["reason"], leaf.entry.holder) == (Kind.DECISION, reason, "")


async def test_an_overseer_neither_checks_a_flag_nor_reports(world: World) -> None:
    """Whom a report found is not its reporter's to learn, and the owner's number would tell."""
    handle = await world.register(SF, ANA)
    await world.raise_flag(SF, ANA, handle=handle)
    before = world.size()
    await world.check_flag(STATE, ANA)
    said = await world.raise_flag(STATE, ANA, act=staff(STATE))
    assert said.outcome == OUTCOME_NOT_PERMITTED
    leaves = await world.leaves(before)
    assert [(leaf.op["reason"], leaf.entry.holder) for leaf in leaves] == [(Reason.OVERSEER_ONLY_REVIEWS, "")] * 2


async def test_an_overseer_still_reviews(world: World) -> None:
    await world.register(SF, ANA)
    (entry,) = await read(world, officer(STATE))
    assert entry["parties"].decode() == f"{SF} 1  0"
