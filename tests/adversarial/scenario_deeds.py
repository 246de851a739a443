"""What somebody does in a scenario other than ask: a row of `scenarios.toml` with `does`.

Every row of one kind is carried out here as its agency's adapter would, at the running gateway; what it must come to
stands in the row. Nobody is told and nothing is left in the log but what the row names.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.node.duties import OwnDuties
from adapters.node.identifiers import timestamp
from gateway.exchange.coverage import KNOWN_FOR
from gateway.protocol.names import AgencyId, AgencyKind, Purpose, Role
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.audit.v1.service_pb2 import EntryQuery, ListEntriesRequest
from homeward.audit.v1.service_pb2_grpc import AuditServiceStub
from homeward.gateway.v1 import missing_pb2, sealing_pb2
from homeward.gateway.v1.codes_pb2 import FlagState
from homeward.gateway.v1.link_pb2 import AlertKind
from homeward.gateway.v1.missing_pb2 import Duty
from homeward.gateway.v1.missing_pb2_grpc import MissingServiceStub
from homeward.gateway.v1.sealing_pb2_grpc import SealingServiceStub
from tests.adversarial.house import beat
from tests.adversarial.resident import Act, Resident, tokens_of
from tests.adversarial.stage import Stage, finder_of, outcome, report_flag, revoke_authority, worker_of
from tests.adversarial.town import utc_now
from tests.adversarial.traces import Mark
from tests.commands import commands
from tests.integration.greeting import greet

OFFICER: Final = Act(Role("COUNTY.privacy_officer"), Purpose.OVERSIGHT_AUDIT)
Said = Mapping[str, Any]
Came = dict[str, Any]
"""What a deed came to, in the words that a row expects it in."""


@dataclass(frozen=True)
class Scene:
    """A scenario that is being played. What it changes for everybody is put back at its end."""

    stage: Stage
    ends: AsyncExitStack

    def actor(self, said: Said) -> Resident:
        """Whoever does it."""
        return self.stage.town.residents[AgencyId(said["who"])]

    async def do(self, said: Said) -> None:
        """The deed is done, and came to exactly what the row says."""
        mark, expect = Mark.put(self.stage), dict(said.get("expect", {}))
        came = await _DEEDS[said["does"]](self, said)
        if "entries" in expect:
            came["entries"] = [f"{leaf.kind} {leaf.reason}".strip() for leaf in self.stage.town.news(mark.size)]
            came["told"] = await told(mark)
            expect.setdefault("told", {})
        for name, read in _READINGS.items():
            if name in expect:
                came[name] = read(self.stage, said)
        assert came == expect


async def told(mark: Mark) -> dict[str, list[str]]:
    """Who was sent alerts since, and of which kinds; the adapter of each has the last of its own, or is offered it."""
    found: dict[str, list[str]] = {}
    stage = mark.stage
    for agency, sequence, kind in mark.alerts_since():
        found.setdefault(agency, []).append(AlertKind.Name(kind).removeprefix("ALERT_KIND_"))
        if house := stage.houses.get(agency):
            async with asyncio.timeout(5):
                while house.adapter.alerts.cursor() < sequence:  # noqa: ASYNC110 - the link tells nobody
                    await asyncio.sleep(0.02)
        else:
            resident = stage.town.residents[agency]
            assert (await greet(resident.channel, resident.wrapped)).alert_sequence >= sequence
    return found


async def _report_missing(scene: Scene, said: Said) -> Came:
    resident, label = scene.actor(said), said["youth"]
    learned = utc_now() - timedelta(hours=said.get("learned_hours_ago", 0))
    report = missing_pb2.FlagReport(
        request_id=secrets.token_bytes(16), tokens=tokens_of(label), learn_time=timestamp(learned)
    )
    if is_owner := resident.agency == scene.stage.owner(label):
        flag = scene.stage.houses[resident.agency].state(scene.stage.handles[label], learned=learned)
        report.subject_handle = flag.handle
        report.flag_statement.CopyFrom(flag.statement)
    reply = await report_flag(resident, report)
    assert reply.flag_id == (flag.flag_id if is_owner else b""), "a supporter learns of no flag"
    if is_owner:
        scene.stage.flag_ids[label] = bytes(reply.flag_id)
    return {"outcome": outcome(reply.outcome)} | ({"late": True} if reply.late else {})


async def _report_located(scene: Scene, said: Said) -> Came:
    resident = scene.actor(said)
    report = missing_pb2.LocatedReport(
        request_id=secrets.token_bytes(16),
        flag_id=scene.stage.flag_ids[said["youth"]],
        located_county=resident.membership.county,
        locate_time=timestamp(utc_now()),
    )
    request = resident.signed(missing_pb2.ReportLocatedRequest, report, finder_of(resident))
    reply = await MissingServiceStub(resident.channel).ReportLocated(request, timeout=5)
    return {"outcome": outcome(reply.outcome)}


async def _resolve(scene: Scene, said: Said) -> Came:
    """`times`: the very same report, sent again."""
    resident = scene.actor(said)
    resolution = missing_pb2.FlagResolution(
        request_id=secrets.token_bytes(16), flag_id=scene.stage.flag_ids[said["youth"]]
    )
    replies = set()
    for _ in range(said.get("times", 1)):
        request = resident.signed(missing_pb2.ResolveFlagRequest, resolution, worker_of(resident))
        reply = await MissingServiceStub(resident.channel).ResolveFlag(request, timeout=5)
        state = FlagState.Name(reply.flag_state).removeprefix("FLAG_STATE_")
        replies.add((outcome(reply.outcome), state, reply.receipt.index))
    ((came, state, _),) = replies
    return {"outcome": came, "flag_state": state}


async def _revoke(scene: Scene, said: Said) -> Came:
    await revoke_authority(scene.actor(said), scene.stage.authorities[said["authority"]])
    return {"outcome": "RECORDED"}


async def _destroy(scene: Scene, said: Said) -> Came:
    resident = scene.actor(said)
    order = sealing_pb2.SealOrder(
        request_id=secrets.token_bytes(16),
        operation=sealing_pb2.SEAL_OPERATION_DESTROY,
        subject_handle=scene.stage.handles[said["youth"]],
        case_commitment=secrets.token_bytes(32),
    )
    request = resident.signed(sealing_pb2.SealRequest, order, OFFICER)
    reply = await SealingServiceStub(resident.channel).Seal(request, timeout=20)
    return {"outcome": outcome(reply.outcome)}


async def _read_log(scene: Scene, said: Said) -> Came:
    """`about`: kinds of the entries about this youth, among those that the agency's privacy officer may read."""
    resident = scene.actor(said)
    query = EntryQuery(
        request_id=secrets.token_bytes(16),
        filter=EntryFilter(agency=resident.agency),
        page_size=500,
        after_index=-1,
        youth_handle=scene.stage.handles[said["youth"]],
    )
    request = resident.signed(ListEntriesRequest, query, OFFICER)
    reply = await AuditServiceStub(resident.channel).ListEntries(request, timeout=10)
    assert reply.permitted
    kinds = {leaf.index: leaf.kind for leaf in scene.stage.town.leaves()}
    return {"about": [kinds[entry.index] for entry in reply.entries]}


async def _verify(scene: Scene, said: Said) -> Came:
    """Anybody, with the log's file alone."""
    database = str(scene.stage.town.state.database)
    done = await asyncio.to_thread(commands().ask, "verify", database, "--json")
    return {"ok": json.loads(done.out)["ok"] and done.exit == 0}


async def _join(scene: Scene, said: Said) -> Came:
    """An agency with records, of which the directory says so. It says that its list is current at the end at last."""
    resident = await scene.stage.town.settle(said["who"], AgencyKind(said["kind"]), has_sources=True)
    scene.ends.push_async_callback(_current, resident)
    await scene.stage.town.listed(resident.agency)
    await _known_anew()
    return {}


async def _say_current(scene: Scene, said: Said) -> Came:
    await _current(scene.actor(said))
    return {}


async def _current(resident: Resident) -> None:
    await beat(resident)
    await _known_anew()


async def _known_anew() -> None:
    """Which counties are stale is known for a moment: nobody is told by an earlier one."""
    await asyncio.sleep(KNOWN_FOR.total_seconds())


async def _hang_up(scene: Scene, said: Said) -> Came:
    house = scene.stage.houses[AgencyId(said["who"])]
    scene.ends.push_async_callback(house.connect)
    await house.disconnect()
    return {}


def _flags(stage: Stage, said: Said) -> int:
    """How many flags the exchange has of the youth's episode."""
    flag_id = stage.flag_ids[said["youth"]]
    return sum(flag_id in row for row in stage.town.rows("flag")["flag"])


def _due_hours(stage: Stage, said: Said) -> dict[str, int]:
    """The duties that the owner's adapter reminds it of, and in how many hours each is due: long ago, if negative."""
    house, now = stage.houses[stage.owner(said["youth"])], utc_now()
    return {
        Duty.Name(each.duty).removeprefix("DUTY_"): round((each.due - now) / timedelta(hours=1))  # type: ignore[arg-type]
        for each in OwnDuties(house.adapter.node.store).overdue(now + timedelta(days=30))
        if each.flag_id == stage.flag_ids[said["youth"]]
    }


_DEEDS: Final[Mapping[str, Callable[[Scene, Said], Awaitable[Came]]]] = {
    "reports missing": _report_missing,
    "reports located": _report_located,
    "resolves": _resolve,
    "revokes": _revoke,
    "destroys": _destroy,
    "reads the log": _read_log,
    "verifies": _verify,
    "joins": _join,
    "says its list is current": _say_current,
    "hangs up": _hang_up,
}
_READINGS: Final[Mapping[str, Callable[[Stage, Said], Any]]] = {"flags": _flags, "due_hours": _due_hours}
