"""An exchange that may disclose only what is witnessed, and has no witness: callers must hear why they are refused."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapters.node.link.channels import PeerChannel
from adapters.node.rpcs import CHECK_FLAG, CallFailed, CallFault
from adapters.node.send import Act, Deadline, Sender
from adapters.staff import Staff
from gateway.protocol.names import AgencyId, AgencyKind, EvidenceKind, Purpose, Role
from tests.adversarial.resident import Resident, flag_query, tokens_of
from tests.adversarial.town import Town, utc_now

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASKER = AgencyId("06029.cwa")
ROLE = Role("CWA.case_worker")
SETTINGS = "witnesses: { quorum: 1, release: witnessed }\n"
SECONDS = 25


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def unwitnessed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """An exchange that waits for a witness, and has none."""
    town = Town.found(tmp_path_factory.mktemp("unwitnessed"), settings=SETTINGS)
    await town.settle(ASKER, AgencyKind.CWA)
    await town.listed(ASKER)
    yield town
    await town.close()


async def _sender(town: Town, asker: Resident, channel: PeerChannel) -> Sender:
    view = await town.listed(ASKER)
    return Sender(
        agency=ASKER,
        actor=asker.membership.spiffe_id,
        gateway=channel,
        assertion_key=asker.ring.assertion,
        directory=lambda: view,
        thumbprint=lambda: asker.identity.thumbprint,
        now=utc_now,
        random_bytes=secrets.token_bytes,
    )


async def test_the_adapter_hears_that_nobody_witnessed_and_not_that_its_request_was_used(unwitnessed: Town) -> None:
    asker = unwitnessed.residents[ASKER]
    channel = PeerChannel(unwitnessed.address, asker.identity, roots=unwitnessed.roots_pem)
    sender = await _sender(unwitnessed, asker, channel)
    query = flag_query(tokens_of("somebody"), EvidenceKind.YOUTH_PRESENT).SerializeToString()
    act = Act(Staff("worker-1", frozenset({ROLE}), utc_now()), ROLE, Purpose.MFC_HANDOFF)
    before = unwitnessed.size()
    try:
        with pytest.raises(CallFailed) as failed:
            await sender.send(CHECK_FLAG, query, act, Deadline(time.monotonic() + SECONDS, time.monotonic))
    finally:
        await channel.close()
    assert (failed.value.fault, failed.value.reason) == (CallFault.UNAVAILABLE, "UNWITNESSED")
    left = [(leaf.kind, leaf.reason) for leaf in await asyncio.to_thread(unwitnessed.news, before)]
    assert [kind for kind, _ in left] == ["access.decision", "access.refused"], "it was sent once"
    assert left[1][1] == "UNWITNESSED"
