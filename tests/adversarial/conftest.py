"""One exchange for all attackers of a session; those who break it bring their own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.protocol.names import AgencyKind
from tests.adversarial.stage import Stage
from tests.adversarial.town import Town

pytest.register_assert_rewrite("tests.adversarial.scenario_deeds", "tests.adversarial.scenario_questions")
MEMBERS = {
    "06075.cwa": AgencyKind.CWA,
    "06029.cwa": AgencyKind.CWA,
    "06037.cwa": AgencyKind.CWA,
    "06037.prob": AgencyKind.PROB,
    "06001.prob": AgencyKind.PROB,
    "06061.cwa": AgencyKind.CWA,
    "06019.cwa": AgencyKind.CWA,
    "06034.cwa": AgencyKind.CWA,
    "06077.pd": AgencyKind.LEA,
    "06077.cwa": AgencyKind.CWA,
    "06001.pd": AgencyKind.LEA,
    "06029.school": AgencyKind.EDU,
    "06019.ffa": AgencyKind.FFA,
    "06039.strtp": AgencyKind.STRTP,
    "06001.shelter": AgencyKind.SHELTER,
}
"""Invented agencies with real county codes."""
SOURCES = frozenset({"06075.cwa", "06037.cwa", "06037.prob", "06001.prob", "06019.cwa", "06034.cwa"})


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An exchange of many agencies; the directory lists all of them."""
    town = Town.found(tmp_path_factory.mktemp("town"))
    for agency, kind in MEMBERS.items():
        await town.settle(agency, kind, has_sources=agency in SOURCES)
    await town.listed(*town.residents)
    yield town
    await town.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(town: Town) -> AsyncIterator[Stage]:
    """The youths of the town."""
    stage = await Stage.build(town)
    yield stage
    await stage.close()
