"""Which youth an alert is about is found again after a restart: fast enough for whoever was away, and never lost."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from audit.sequencer import Append
from gateway.exchange.alerting import tell as tell_of
from gateway.exchange.journal import Kind, draft
from gateway.ports import NewAlert
from gateway.protocol.escrow import release
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.store import alert_keys
from gateway.store.alert_keys import AlertKeys
from gateway.store.alerts import Alerts
from gateway.store.youth_keys import FileYouthKeys
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED, Alert
from tests.unit.exchange.members import KERN, LA, POLICE, SF, Youth
from tests.unit.exchange.seal_desk import order, restrict
from tests.unit.exchange.world import World

MarkOf = Callable[[bytes, int], bytes]


class Watched(FileYouthKeys):
    """Keys that count the searches through all of them, and hold each up until they are let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, wrapping_key=b"w" * 32, random_bytes=lambda count: b"n" * count)
        self.searches, self.began, self.go = 0, threading.Event(), threading.Event()
        self.go.set()

    def names_marked(self, marks: Collection[bytes], mark_of: MarkOf) -> Mapping[bytes, bytes]:
        self.searches += 1
        self.began.set()
        assert self.go.wait(10)
        return super().names_marked(marks, mark_of)


@pytest.fixture
def watched(world: World, tmp_path: Path) -> Iterator[Watched]:
    keys = Watched(tmp_path / "keys.db")
    yield keys
    keys.close()


async def tell(world: World, agency: AgencyId, youths: list[SubjectHandle], *, count: int) -> None:
    """The agency is told so often of these youths of San Francisco in turn, all with one entry."""
    alerts = [
        NewAlert(
            agency=agency,
            kind=ALERT_KIND_CHECKED,
            handle=youths[number % len(youths)],
            youth=(SF, youths[number % len(youths)]),
            acting_agency=POLICE,
            create_ms=1,
        )
        for number in range(count)
    ]
    at = world.setting
    told = await tell_of(at.projections, world.youth_keys, at.sources, alerts)
    await world.log.append(Append(draft(Kind.FLAG_RAISED, requester=POLICE), says=told.says, then=told.then))


async def read_all(feed: Alerts, agency: AgencyId) -> list[Alert]:
    found: list[Alert] = []
    while page := await feed.after(agency, len(found)):
        found += page
    return found


async def test_who_was_away_for_thousands_of_alerts_costs_few_searches(world: World, watched: Watched) -> None:
    handle = await world.register(SF, Youth("Ana Invented"))
    size, newer = 2 * alert_keys._AT_ONCE, alert_keys._AT_ONCE
    await tell(world, LA, [handle], count=size)
    await tell(world, KERN, [handle], count=newer)
    feed = Alerts(world.lookups, AlertKeys(world.lookups, watched))
    assert {alert.subject_handle for alert in await read_all(feed, LA)} == {handle}
    assert watched.searches <= 3
    # What is newest of others was looked for with the first search.
    searches = watched.searches
    await feed.after(KERN, newer - 50)
    assert watched.searches == searches


async def test_what_is_told_during_a_search_takes_no_alert_away(
    world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered meanwhile displaces what is oldest, which may be an alert of the very page that waits."""
    monkeypatch.setattr(alert_keys, "_REMEMBERED", 4)
    first, second = [await world.register(SF, Youth(name)) for name in ("Ana Invented", "Ben Invented")]
    keys = AlertKeys(world.lookups, watched)
    feed = Alerts(world.lookups, keys)
    await tell(world, LA, [first], count=1)
    assert [alert.subject_handle for alert in await feed.after(LA, 0)] == [first]
    await tell(world, LA, [second], count=1)
    watched.began.clear()
    watched.go.clear()
    reading = asyncio.get_running_loop().create_task(feed.after(LA, 0))
    await asyncio.to_thread(watched.began.wait, 10)
    for number in range(4):
        keys.remember(b"%16d" % number, SF, second)
    watched.go.set()
    assert [alert.subject_handle for alert in await reading] == [first, second]


async def test_an_alert_that_waited_out_a_seal_names_the_youth_again(world: World, watched: Watched) -> None:
    handle = await world.register(SF, Youth("Ana Invented"))
    await tell(world, LA, [handle], count=1)
    done = await restrict(world, handle)
    feed = Alerts(world.lookups, AlertKeys(world.lookups, world.youth_keys))
    assert [alert.subject_handle for alert in await feed.after(LA, 0)] == [bytes(16)]
    copy = world.seals.escrow.copy_of(done.seal_id) or b""
    released = release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=done.seal_id)
    await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)
    assert [alert.subject_handle for alert in await feed.after(LA, 0)] == [handle]


async def test_the_newest_alert_is_each_agencys_own(world: World) -> None:
    feed = Alerts(world.lookups, world.alert_keys)
    assert await feed.newest(LA) == 0
    youth = await world.register(SF, Youth("Ana Invented"))
    await tell(world, LA, [youth], count=3)
    await tell(world, KERN, [youth], count=1)
    assert [await feed.newest(agency) for agency in (LA, KERN, POLICE)] == [3, 1, 0]
