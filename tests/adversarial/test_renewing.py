"""An adapter that runs and is left alone: its certificate comes to its end, and it goes on being served.

The adapter is a process. No setting makes certificates live for seconds, so its first one is forged (`identities`);
that it ends within the test is all that is wrong with it.
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.channel_identity import load_identity, write_identity
from adapters.membership import read_membership
from gateway.protocol.names import AgencyKind
from tests.adversarial.identities import forge, uri
from tests.adversarial.test_exported import start_adapter
from tests.adversarial.town import Town, utc_now
from tests.commands import commands

AGENCY = "06037.cwa"
LIFE = timedelta(seconds=15)
CUT_OFF = timedelta(seconds=2)
"""So long after its end a gateway still hears a certificate: it looks once a second."""
WAITING_SECONDS = 20.0


async def linked(place: Path) -> Mapping[str, Any]:
    """What the adapter says of itself once it is linked."""
    words = ("adapter", "status", "--config", str(place / "adapter.yaml"), "--json")
    async with asyncio.timeout(WAITING_SECONDS):
        while True:
            found: Mapping[str, Any] = json.loads((await asyncio.to_thread(commands().ask, *words)).out)
            if found["link_up"]:
                return found
            await asyncio.sleep(0.2)


async def test_a_running_adapter_renews_its_certificate_and_is_served_when_the_old_one_has_ended(
    tmp_path: Path,
) -> None:
    town = Town.found(tmp_path)
    try:
        resident = await town.settle(AGENCY, AgencyKind.CWA)
        await town.listed(resident.agency)
        place, state = tmp_path / AGENCY, resident.state
        short = forge(town, [uri(resident.membership.spiffe_id)], life=LIFE, backdated=timedelta(seconds=1))
        write_identity(state / "keys", key=short.key, chain=short.chain, ca=load_identity(state).ca)
        before = town.size()
        town.processes["adapter"] = await asyncio.to_thread(start_adapter, place)
        assert utc_now() < short.expires
        assert load_identity(state).thumbprint == short.thumbprint, "it has run with the old one"
        await asyncio.sleep((short.expires + CUT_OFF - utc_now()).total_seconds())
        # The stream under the old one was ended with it; whoever links now shows what holds now.
        found = await linked(place)
        assert (tmp_path / "adapter.log").read_text(encoding="utf-8").count('"link up"') > 1
        assert datetime.fromisoformat(found["certificate_expire_time"]) > short.expires + timedelta(hours=1)
        assert read_membership(state).generation == 2
        assert [leaf.kind for leaf in town.news(before)].count("certificate.renewed") == 1
    finally:
        await town.close()
