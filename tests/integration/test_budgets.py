"""How often a holder evaluates, for whom: on real logs, across restarts, at once, and through every way to pay less."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from audit.entry import FieldClass, open_class
from audit.reader import Reader, Selection
from gateway.config import Budgets
from gateway.errors import Error, ErrorReason, Exhausted
from gateway.exchange.refusals import MOST
from gateway.protocol.names import AgencyId
from gateway.protocol.ristretto import load_ristretto
from gateway.state import State
from gateway.tokens.custodian import Custodian, open_custodian
from gateway.tokens.evaluate import Evaluator
from homeward.gateway.v1.admin_pb2 import AccountUse, DeclareCaseloadRequest
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_REGISTRATION, EvaluateResponse
from tests.unit.members.batches import A_RECORD, batch, blinded, record
from tests.unit.members.world import County, World, make_world

AGENCY = AgencyId("06037.cwa")
BUDGETS = Budgets(
    lookups_a_day=5,
    lookups_a_worker_a_day=3,
    undeclared_caseload=4,
    caseload_margin_percent=25,
)
WORKERS = (b"a" * 16, b"b" * 16, b"c" * 16)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = await make_world(tmp_path, budgets=BUDGETS)
    await made.trust()
    yield made
    await made.close()


@pytest.fixture
async def county(world: World) -> County:
    one = County(clock=world.clock)
    await world.enroll(one)
    await world.admit(one)
    assert await world.gateway.office.step()
    return one


async def look_up(evaluator: Evaluator, county: County, *, worker: bytes = WORKERS[0], records: int = 1) -> None:
    await evaluator.evaluate(AGENCY, batch(county, record(records), worker=worker, record_count=records))


async def register(evaluator: Evaluator, county: County, *, records: int = 1) -> None:
    envelope = batch(county, record(records), use=EVALUATION_USE_REGISTRATION, record_count=records)
    await evaluator.evaluate(AGENCY, envelope)


async def refused_for(work: object) -> tuple[str, ...]:
    """The accounts without room."""
    with pytest.raises(Exhausted) as caught:
        await work  # type: ignore[misc]
    assert caught.value.reason is ErrorReason.BUDGET_EXHAUSTED
    return caught.value.fields


def leaves(world: World, kind: str) -> list[dict[str, bytes]]:
    return [world.leaf(index) for index, each in enumerate(world.kinds()) if each == kind]


# --- look-ups


async def test_an_agency_and_each_of_its_workers_have_a_day_of_their_own(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    await look_up(evaluator, county, records=3)
    assert await refused_for(look_up(evaluator, county)) == ("budget: WORKER",)
    await look_up(evaluator, county, worker=WORKERS[1], records=2)
    assert await refused_for(look_up(evaluator, county, worker=WORKERS[2])) == ("budget: LOOKUPS",)
    assert await refused_for(look_up(evaluator, county)) == ("budget: LOOKUPS", "budget: WORKER")
    refused = leaves(world, "access.refused")
    assert [each["account"] for each in refused] == [b"WORKER", b"LOOKUPS", b"LOOKUPS,WORKER"]
    world.clock.advance(timedelta(days=1))
    await look_up(evaluator, county)


async def test_an_agency_without_room_does_not_fill_the_log_by_trying(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    await look_up(evaluator, county, records=3)
    for _ in range(MOST + 7):
        assert await refused_for(look_up(evaluator, county)) == ("budget: WORKER",)
    assert len(leaves(world, "access.refused")) == MOST
    assert [each["percent"] for each in leaves(world, "budget.alarm")] == [b"100"], "what is counted hides no alarm"
    # Another reason is counted by itself, and what has room is charged.
    with pytest.raises(Error):
        await evaluator.evaluate(AGENCY, batch(county, blinded([os.urandom(32)])[1], record_count=1))
    await look_up(evaluator, county, worker=WORKERS[1])
    world.clock.advance(timedelta(minutes=1))
    await world.gateway.ledger.refusals.settle()
    refused = leaves(world, "access.refused")
    assert [each["reason"] for each in refused[-2:]] == [b"INVALID_REQUEST", b"BUDGET_EXHAUSTED"]
    assert (len(refused), refused[-1]["more"]) == (MOST + 2, b"7")


async def test_a_machine_that_repeats_what_is_refused_does_not_fill_the_log(world: World, county: County) -> None:
    for _ in range(MOST + 3):
        with pytest.raises(Error):
            await world.gateway.evaluator.evaluate(AGENCY, batch(county, [], record_count=1))
    assert len(leaves(world, "access.refused")) == MOST
    await world.gateway.ledger.refusals.close()
    assert leaves(world, "access.refused")[-1]["more"] == b"3"


async def test_a_batch_that_does_not_fit_whole_is_not_charged_in_part(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    await look_up(evaluator, county, records=2)
    assert await refused_for(look_up(evaluator, county, records=2)) == ("budget: WORKER",)
    await look_up(evaluator, county, records=1)
    assert await refused_for(look_up(evaluator, county)) == ("budget: WORKER",)


async def test_look_ups_and_registrations_do_not_use_up_each_other(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    for _ in range(5):
        await register(evaluator, county)
    await look_up(evaluator, county, records=3)
    assert await refused_for(look_up(evaluator, county)) == ("budget: WORKER",)


async def test_an_agency_does_not_use_up_anothers_budget(world: World, county: County) -> None:
    other = County(fips="06001", clock=world.clock)
    await world.enroll(other)
    await world.admit(other)
    assert await world.gateway.office.step()
    await look_up(world.gateway.evaluator, county, records=3)
    await world.gateway.evaluator.evaluate(AgencyId(other.agency), batch(other, record()))


async def test_fifty_batches_at_once_do_not_pass_the_budget(world: World, county: County) -> None:
    work = [world.gateway.evaluator.evaluate(AGENCY, batch(county, record())) for _ in range(50)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(outcome, EvaluateResponse) for outcome in outcomes) == BUDGETS.lookups_a_worker_a_day
    assert len(leaves(world, "token.evaluated")) == BUDGETS.lookups_a_worker_a_day


# --- registrations


async def test_a_caseload_is_registered_once_and_not_again_each_day(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    await register(evaluator, county, records=3)
    await register(evaluator, county, records=2)
    # 4 and a margin of a quarter are used up: the few youths who come later are looked up like anybody.
    await register(evaluator, county, records=3)
    await look_up(evaluator, county, records=2)
    assert await refused_for(register(evaluator, county)) == ("budget: LOOKUPS",)
    assert await refused_for(look_up(evaluator, county)) == ("budget: LOOKUPS",)
    world.clock.advance(timedelta(days=1))
    await register(evaluator, county, records=5)
    assert await refused_for(register(evaluator, county)) == ("budget: LOOKUPS",)


async def test_a_declared_figure_makes_room_for_that_many_and_is_on_record(world: World, county: County) -> None:
    holding = world.gateway.holding
    await holding.declare(DeclareCaseloadRequest(agency=AGENCY, figure=8))
    (declared,) = leaves(world, "caseload.declared")
    assert (declared["agency"], declared["figure"]) == (AGENCY.encode(), b"8")
    for _ in range(10):
        await register(world.gateway.evaluator, county)
    uses = {use.account: use for use in (await holding.status()).accounts}
    assert (uses["CASELOAD"].record_count, uses["CASELOAD"].limit) == (10, 10)
    assert "LOOKUPS" not in uses


# --- every way to pay less


@pytest.mark.parametrize(
    ("elements", "records"),
    [(2 * A_RECORD, 1), (A_RECORD + 1, 1), (A_RECORD - 1, 1), (1, 1), (A_RECORD, 2), (3 * A_RECORD, 2)],
    ids=["two records in one", "one element more", "one less", "one key", "padded with nothing", "three in two"],
)
async def test_more_or_fewer_elements_than_the_records_have_are_refused_and_not_evaluated(
    world: World, county: County, elements: int, records: int
) -> None:
    envelope = batch(county, blinded([os.urandom(32) for _ in range(elements)])[1], record_count=records)
    with pytest.raises(Error) as caught:
        await world.gateway.evaluator.evaluate(AGENCY, envelope)
    assert (caught.value.reason, caught.value.fields) == (
        ErrorReason.INVALID_REQUEST,
        ("elements: whole_records",),
    )
    assert leaves(world, "token.evaluated") == []
    assert leaves(world, "access.refused")[-1]["reason"] == b"INVALID_REQUEST"


@pytest.mark.parametrize("worker", [b"", b"w"], ids=["nobody", "a stub"])
async def test_a_look_up_without_a_worker_is_refused(world: World, county: County, worker: bytes) -> None:
    with pytest.raises(Error) as caught:
        await look_up(world.gateway.evaluator, county, worker=worker)
    assert caught.value.fields == ("worker: use",)


async def test_a_registration_does_not_pass_as_some_workers_look_up(world: World, county: County) -> None:
    envelope = batch(county, record(), use=EVALUATION_USE_REGISTRATION, worker=WORKERS[0])
    with pytest.raises(Error) as caught:
        await world.gateway.evaluator.evaluate(AGENCY, envelope)
    assert caught.value.fields == ("worker: use",)


async def test_whoever_has_no_sources_has_nothing_to_register_and_guesses_nothing_by_it(world: World) -> None:
    bare = County(fips="06001", clock=world.clock, has_sources=False)
    await world.enroll(bare)
    await world.admit(bare)
    assert await world.gateway.office.step()
    evaluator, agency = world.gateway.evaluator, AgencyId(bare.agency)
    with pytest.raises(Error) as caught:
        await evaluator.evaluate(agency, batch(bare, record(), use=EVALUATION_USE_REGISTRATION))
    assert (caught.value.reason, caught.value.fields) == (ErrorReason.INVALID_REQUEST, ("use: sources",))
    assert leaves(world, "token.evaluated") == []
    await evaluator.evaluate(agency, batch(bare, record()))


async def test_sending_the_same_batch_again_is_charged_again(world: World, county: County) -> None:
    envelope = batch(county, record())
    for _ in range(3):
        await world.gateway.evaluator.evaluate(AGENCY, envelope)
    assert await refused_for(world.gateway.evaluator.evaluate(AGENCY, envelope)) == ("budget: WORKER",)


async def test_a_repeated_element_refuses_the_whole_batch_and_is_charged(world: World, county: County) -> None:
    elements = record()
    elements[-1] = elements[0]
    for _ in range(3):
        with pytest.raises(Error) as caught:
            await world.gateway.evaluator.evaluate(AGENCY, batch(county, elements, worker=WORKERS[0]))
        assert caught.value.reason is ErrorReason.ELEMENT_INVALID
    await refused_for(look_up(world.gateway.evaluator, county))


# --- alarms


async def test_an_alarm_is_one_leaf_at_four_fifths_and_one_when_nothing_is_left(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    for worker in (WORKERS[0], WORKERS[0], WORKERS[1], WORKERS[1]):
        await look_up(evaluator, county, worker=worker)
    assert alarms(world) == [(b"LOOKUPS", b"80")]
    await look_up(evaluator, county, worker=WORKERS[2])
    for _ in range(3):
        await refused_for(look_up(evaluator, county, worker=WORKERS[2]))
    assert alarms(world) == [(b"LOOKUPS", b"80"), (b"LOOKUPS", b"100")]
    (use,) = (await world.gateway.holding.status()).accounts
    assert use == AccountUse(
        agency=AGENCY, account="LOOKUPS", record_count=5, element_count=5 * A_RECORD, limit=5, alarm_percent=100
    )


async def test_a_batch_larger_than_what_is_left_is_an_alarm_too(world: World, county: County) -> None:
    evaluator = world.gateway.evaluator
    await look_up(evaluator, county, records=2)
    await refused_for(look_up(evaluator, county, records=2))
    assert alarms(world) == [(b"WORKER", b"100")]


async def test_alarms_of_batches_at_once_are_written_once(world: World, county: County) -> None:
    work = [look_up(world.gateway.evaluator, county, worker=os.urandom(16)) for _ in range(20)]
    await asyncio.gather(*work, return_exceptions=True)
    assert sorted(alarms(world)) == [(b"LOOKUPS", b"100"), (b"LOOKUPS", b"80")]


def alarms(world: World) -> list[tuple[bytes, bytes]]:
    written = leaves(world, "budget.alarm")
    assert all(each["agency"] == AGENCY.encode() for each in written)
    return [(each["account"], each["percent"]) for each in written]


# --- across restarts, and in the log


async def reopened(world: World) -> Custodian:
    """The custodian after a restart."""
    await world.custodian.ledger.close()
    state = State(world.directory / "cu", "custodian")
    world.custodian = await open_custodian(state, group=load_ristretto(), now=world.clock, random_bytes=os.urandom)
    return world.custodian


async def test_a_roster_is_stopped_at_the_budget_across_restarts(tmp_path: Path) -> None:
    world = await make_world(tmp_path)
    await world.trust()
    county = County(clock=world.clock)
    await world.enroll(county)
    await world.admit(county)
    assert await world.gateway.office.step()
    evaluated = 0
    for attempt in range(4):
        custodian = await reopened(world)
        for number in range(60):
            worker = bytes([attempt * 60 + number]) * 16
            envelope = batch(county, record(), worker=worker)
            try:
                await custodian.evaluator.evaluate(AGENCY, envelope)
            except Exhausted:
                continue
            evaluated += 1
    assert evaluated == Budgets().lookups_a_day
    await world.close()


async def test_the_custodians_log_says_how_much_and_never_what(world: World, county: County) -> None:
    sent = [record() for _ in range(3)]
    answered = [
        await world.custodian.evaluator.evaluate(AGENCY, batch(county, elements, worker=WORKERS[0]))
        for elements in sent
    ]
    secrets = {element for elements in sent for element in elements}
    secrets |= {element for answer in answered for element in answer.elements} | {WORKERS[0]}
    reader: Reader = world.custodian.ledger.reader
    keys = State(world.directory / "cu", "custodian").read_class_keys()
    values = [
        opening.value for entry in reader.entries(Selection()) for opening in open_class(entry, FieldClass.OP, keys.op)
    ]
    assert not any(secret in value for secret in secrets for value in values)
    raw = b"".join(path.read_bytes() for path in (world.directory / "cu").glob("custodian.db*"))
    elements = {secret for secret in secrets if len(secret) == 32}
    assert not any(secret in raw for secret in elements)
    # The same search finds what does lie there: the pseudonym of the day, by which a worker's look-ups are counted.
    assert WORKERS[0] in raw
    assert b"token.evaluated" in values
