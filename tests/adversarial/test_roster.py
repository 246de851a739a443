"""An insider with a login, a role, a purpose and evidence, who tries the names of a roster one after another.

Every single question is lawful in form. What stops it is that a worker and an agency have so many questions a day, and
that nearly all of these find nobody: within one window of look-ups the agency is held, whatever is restarted meanwhile,
and an operator hears of it.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from gateway.config import Budgets, Holding
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, Purpose, Role
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from tests.adversarial.outcome import Refusal, ending
from tests.adversarial.resident import Act, Resident, dial, flag_query, tokens_of
from tests.adversarial.town import Town
from tests.commands import commands
from tests.integration.greeting import greet

pytestmark = pytest.mark.asyncio(loop_scope="session")
INSIDER, NEIGHBOR = AgencyId("06029.cwa"), AgencyId("06037.cwa")
ACT = Act(Role("CWA.er_worker"), Purpose.MFC_HANDOFF)
AT_ONCE = 10
HELD = Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "a limit is reached", "LOOKUPS_HELD")


def spent(account: str) -> Refusal:
    """No question is left today."""
    fields = (f"budget: {account}",)
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "a limit is reached", "QUESTIONS_EXHAUSTED", fields)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An exchange of two agencies, with every budget as it ships."""
    town = Town.found(tmp_path_factory.mktemp("roster"), budgets="")
    for agency in (INSIDER, NEIGHBOR):
        await town.settle(agency, AgencyKind.CWA)
    await town.listed(*town.residents)
    yield town
    await town.close()


async def ask(resident: Resident, name: str, *, worker: str = "worker-1") -> Refusal | None:
    """Is this youth missing? None where the question was answered."""
    request = resident.flag_request(flag_query(tokens_of(name), EvidenceKind.YOUTH_PRESENT), ACT, subject=worker)
    return await ending(ExchangeServiceStub(resident.channel).CheckFlag(request, timeout=10))


async def restarted(town: Town) -> None:
    """The gateway is killed and serves again; its adapters dial anew."""
    town.kill("gateway")
    town.start("gateway")
    for resident in town.residents.values():
        await resident.channel.close()
        resident.channel = dial(resident.address, resident.identity)
        await greet(resident.channel, resident.wrapped)


def operator(town: Town, *words: str) -> dict[str, object]:
    done = commands().ask("gateway", *words, "--json")
    reply: dict[str, object] = json.loads((done.out or done.err).splitlines()[-1])
    return reply


async def test_a_roster_ends_with_the_workers_day_and_is_held_within_one_window_whatever_is_restarted(
    town: Town,
) -> None:
    insider, neighbor = town.residents[INSIDER], town.residents[NEIGHBOR]
    window, day = Holding().lookups, Budgets().lookups_a_worker_a_day
    assert window == Budgets().lookups_a_day == 2 * day
    before = town.size()
    for start in range(0, window, AT_ONCE):
        if start in (50, 100, 150):
            await restarted(town)
        if start == day:
            assert await ask(insider, "one more") == spent("WORKER_QUESTIONS")
        names, worker = [f"roster {start + number}" for number in range(AT_ONCE)], f"worker-{1 + start // day}"
        assert await asyncio.gather(*(ask(insider, name, worker=worker) for name in names)) == [None] * AT_ONCE
    assert await ask(insider, "one more", worker="worker-3") == HELD
    reached = [leaf.op["account"] for leaf in town.news(before) if leaf.kind == "budget.alarm"]
    assert reached == ["WORKER_QUESTIONS", "QUESTIONS", "WORKER_QUESTIONS"]
    (hold,) = [leaf for leaf in town.news(before) if leaf.kind == "lookups.held"]
    assert (hold.requester, hold.op["agency"], hold.op["percent"]) == (INSIDER, INSIDER, "95")
    assert (town.leaves()[-1].kind, town.leaves()[-1].reason) == ("access.refused", "LOOKUPS_HELD")
    await restarted(town)
    assert await ask(insider, "and again") == HELD
    assert await ask(neighbor, "somebody else") is None
    assert operator(town, "status", str(town.gateway))["held_agencies"] == [INSIDER]


async def test_the_operator_releases_and_the_release_is_on_record(town: Town) -> None:
    done = operator(town, "release", str(town.gateway), INSIDER)
    assert town.leaves(int(str(done["leaf_index"])))[0].kind == "lookups.released"
    # What is left of the day is nothing, and an operator's word does not give it back.
    assert await ask(town.residents[INSIDER], "after a call", worker="worker-3") == spent("QUESTIONS")
    again = operator(town, "release", str(town.gateway), INSIDER)
    assert again["error"]["what"] == "refused: LOOKUPS_NOT_HELD"  # type: ignore[index]
