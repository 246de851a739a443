"""The two agencies of a possible match, at their desks: what they are told, and what they say."""

import os
from datetime import timedelta

from gateway.exchange.link_recall import LinkRecall
from gateway.exchange.verdicts import Verdicts
from gateway.protocol.names import AgencyId
from gateway.store.alerts import Alerts
from gateway.store.entries import LogEntries
from gateway.store.lookups import Lookups
from gateway.store.seals import SqlSeals
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW, Alert
from tests.unit.exchange.spine_parts import stamp
from tests.unit.exchange.spine_world import World


async def told(world: World, agency: AgencyId) -> list[Alert]:
    """Reviews the agency was told of."""
    alerts = await Alerts(Lookups(world.reader, threaded=False), world.alert_keys).after(agency, 0)
    return [each for each in alerts if each.kind == ALERT_KIND_REVIEW]


async def say(world: World, agency: AgencyId, verdict: int, *, late: float = 0) -> int:
    """The agency's verdict on its newest review; what both amount to."""
    world.clock.advance(1)
    review_id = (await told(world, agency))[-1].review.review_id
    said = pb.ReviewVerdict(review_id=review_id, worker="worker-1 CWA.case_worker")
    said.verdict = verdict  # type: ignore[assignment]
    said.create_time.CopyFrom(stamp(world.clock() + timedelta(seconds=late)))
    return (await desk(world).give(agency, os.urandom(32), said)).state


def desk(world: World) -> Verdicts:
    at, lookups = world.setting, Lookups(world.reader, threaded=False)
    seals = SqlSeals(lookups, world.youth_keys, world.authority_keys)
    entries = LogEntries(world.log, world.reader, world.keys)
    recall = LinkRecall(at.reliance, seals, entries, world.keys, at.directory, at.random_bytes)
    return Verdicts(
        at.journal,
        at.projections,
        at.youth_keys,
        at.reviews,
        at.sources,
        at.pairwise,
        recall,
        at.now,
    )
