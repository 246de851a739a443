"""The operator puts the gateway back to before anybody had joined: its directory knows nobody it could wait for.

What an agency shows then is refused, as any stranger's greeting is; the note in it counts all the same, because the
log's own key signed it.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from audit.fork import read_checkpoint
from gateway.protocol.names import AgencyId, AgencyKind
from homeward.gateway.v1.admin_pb2 import GetGatewayStatusRequest
from homeward.gateway.v1.admin_pb2_grpc import AdminServiceStub
from homeward.gateway.v1.link_pb2_grpc import AdapterLinkServiceStub
from tests.adversarial.outcome import Refusal, read
from tests.adversarial.resident import Resident
from tests.adversarial.test_survival import end
from tests.adversarial.town import Town
from tests.integration.greeting import hello

pytestmark = pytest.mark.asyncio(loop_scope="session")
MEMBER = AgencyId("06075.cwa")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def forgetful(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An exchange, and beside it the gateway's directory as it was before its only member joined."""
    town = Town.found(tmp_path_factory.mktemp("forgetful"))
    await end(town)
    shutil.copytree(town.gateway, before(town))
    await asyncio.to_thread(town.start, "gateway")
    await town.settle(MEMBER, AgencyKind.CWA)
    await town.listed(MEMBER)
    yield town
    await town.close()


def before(town: Town) -> Path:
    return town.root / "before"


async def newest(town: Town) -> str:
    """The newest note of the log, which a witness would have cosigned."""
    published, size = town.gateway / "published" / "checkpoint", town.size()
    async with asyncio.timeout(20):
        while read_checkpoint(note := published.read_text()).size < size:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.1)
    return note


async def log_state(town: Town) -> str:
    async with town.admin() as channel:
        status = await AdminServiceStub(channel).GetGatewayStatus(GetGatewayStatusRequest(), timeout=10)
    return str(status.log_state)


async def greeted(resident: Resident, note: str) -> Refusal:
    """How the gateway refuses this adapter, which shows the note."""
    stream = AdapterLinkServiceStub(resident.channel).Connect(wait_for_ready=True, timeout=20)
    await stream.write(hello(resident.wrapped, cosigned=note))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()
    return read(refused.value)


async def test_who_is_forgotten_proves_all_the_same_that_the_log_was_put_back(forgetful: Town) -> None:
    town, resident = forgetful, forgetful.residents[MEMBER]
    note = await newest(town)
    await end(town)
    shutil.rmtree(town.gateway)
    shutil.copytree(before(town), town.gateway)
    await asyncio.to_thread(town.start, "gateway")
    assert await log_state(town) == "open", "nothing in the directory tells, and it waits for nobody"
    for unproved in ("", "junk", note.replace("\n", "\n9", 1)):
        await greeted(resident, unproved)
        assert await log_state(town) == "open"
    refused = await greeted(resident, note)
    assert refused.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNAVAILABLE)
    assert await log_state(town) == "recovering"
    await end(town)
    await asyncio.to_thread(town.start, "gateway")
    assert await log_state(town) == "recovering", "what it showed is kept"
