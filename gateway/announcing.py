"""What a serving gateway says of itself: the line when it is ready, and figures for telemetry.

Decides which of its facts these are. They name no youth and no worker.
"""

import asyncio
import json
from datetime import datetime

from gateway.config import GatewayConfig
from gateway.members.assembly import Members
from gateway.protocol.policy.rules import Policy
from gateway.publishing.assembly import Publishing
from gateway.recovery.mirroring import Mirroring
from gateway.recovery.record_lines import RecordPlace
from gateway.rpc.links import Links
from gateway.store.figures import read_index_figures
from gateway.telemetry import holder_figures, index_figures, mirror_figures, published_figures
from homeward.counting import Figures


def ready_line(
    members: Members,
    config: GatewayConfig,
    policy: Policy,
    *,
    publishing: Publishing,
    record: RecordPlace,
    port: int,
    enroll_port: int,
) -> str:
    """The one line of JSON by which whoever started the process knows that it serves."""
    view = members.office.view()
    line = {
        "event": "ready",
        "process": "gateway",
        "port": port,
        "enroll_port": enroll_port,
        "policy": policy.version,
        "counsel_confirmed": policy.counsel_confirmed,
        "matching_auto": config.matching.auto,
        "demo": config.demo,
        "log": members.ledger.log.state.value,
        "high_water": record,
        "witnesses_required": publishing.required,
        "sole_operators": list(view.sole_operators) if view is not None else [],
    }
    return json.dumps(line) + "\n"


async def figures(
    members: Members, publishing: Publishing, links: Links, *, mirroring: Mirroring | None, now: datetime
) -> Figures:
    """What telemetry reads of the log, its mirror, the index, the links and the witnesses."""
    ledger = members.ledger
    size = (await asyncio.to_thread(ledger.reader.tree)).size
    common = holder_figures(
        log_size=size,
        chain=members.server.current().chain,
        ready=members.office.view() is not None,
        now=now,
    )
    index = await ledger.read(read_index_figures)
    published = published_figures(size=publishing.witnessed.size, age=publishing.witnessed.age())
    mirror = mirror_figures(mirroring.status(size) if mirroring is not None else None)
    return {**common, **published, **mirror, **index_figures(index, linked=links.connected(), now=now)}
