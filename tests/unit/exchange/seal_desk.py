"""Youths with a history at the exchange, what a privacy officer orders about them, and what is left to look at."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from audit.entry import FieldClass, StoredEntry, open_class
from audit.errors import EvidenceError
from gateway.protocol.envelope import wrap
from gateway.protocol.names import AgencyId, SubjectHandle
from gateway.protocol.notices import open_notice
from gateway.store.youth_keys import FileYouthKeys
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
)
from homeward.gateway.v1.exchange_pb2 import SealedRecord
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, WORK_STATUS_ANSWERED, WorkOrder, WorkResult
from tests.unit.exchange.members import KERN, POLICE, SF, Act, Youth, handle_of, officer
from tests.unit.exchange.world import World

ANA, BEN = Youth("Ana Invented"), Youth("Ben Invented", "2011-06-07")
CASE = b"k" * 32


def answers(agency: AgencyId, order: WorkOrder) -> WorkResult:
    sealed = SealedRecord(recipient_key_id=order.grant.recipient_key_id, sealed=os.urandom(64), source_key_id=b"s" * 16)
    return WorkResult(work_id=order.work_id, status=WORK_STATUS_ANSWERED, sealed_record=sealed)


async def lived(world: World) -> dict[Youth, SubjectHandle]:
    """Two flagged youths of one county; the police learned of both flags, and Kern received records of both."""
    world.sources.answer = answers
    handles = {}
    for youth in (ANA, BEN):
        handles[youth] = await world.register(SF, youth, placed_in=KERN[:5])
        await world.all_current()
        await world.raise_flag(SF, youth, handle=handles[youth])
        assert (await world.check_flag(POLICE, youth)).answer.outcome == OUTCOME_ANSWERED
        assert (await world.ask_records(KERN, youth)).outcome == OUTCOME_ANSWERED
    return handles


async def order(world: World, *, act: Act | None = None, request_id: bytes = b"", **said: object) -> pb.SealResponse:
    message = pb.SealOrder(request_id=request_id or os.urandom(16), case_commitment=CASE, **said)  # type: ignore[arg-type]
    act = act or officer(SF)
    request = world.signed(pb.SealRequest, message, act)
    return await world.as_peer(act.agency, lambda: world.sealing.Seal(request, None))


async def restrict(world: World, handle: bytes, **said: object) -> pb.SealResponse:
    return await order(world, operation=pb.SEAL_OPERATION_RESTRICT, subject_handle=handle, **said)


async def recall(world: World, handle: bytes, kind: pb.NoticeKind, *, act: Act | None = None) -> pb.RecallResponse:
    message, act = pb.RecallOrder(request_id=os.urandom(16), kind=kind, subject_handle=handle), act or officer(SF)
    request = world.signed(pb.RecallRequest, message, act)
    return await world.as_peer(act.agency, lambda: world.sealing.Recall(request, None))


async def listed(world: World, act: Act, *, open_only: bool = False) -> pb.ListNoticesResponse:
    message = pb.NoticeFilter(request_id=os.urandom(16), open_only=open_only)
    request = world.signed(pb.ListNoticesRequest, message, act)
    return await world.as_peer(act.agency, lambda: world.sealing.ListNotices(request, None))


async def acknowledge(world: World, agency: AgencyId, notice_id: bytes) -> None:
    message = pb.NoticeAcknowledgement(notice_id=notice_id, finding=pb.NOTICE_FINDING_DONE)
    request = pb.AcknowledgeNoticeRequest(envelope=wrap(message, world.membership.members[agency].envelope))
    await world.as_peer(agency, lambda: world.sealing.AcknowledgeNotice(request, None))


async def notices(world: World, agency: AgencyId) -> list[tuple[bytes, list[int]]]:
    """What the agency reads of the notices that came with its alerts."""
    found = []
    for alert in await world.alerts(agency):
        if alert.kind == ALERT_KIND_NOTICE and alert.HasField("notice"):
            key = world.membership.members[agency].seal
            found.append((alert.notice.notice_id, open_notice(alert.notice.notice_id, alert.notice.sealed, key)))
    return found


async def entries_of(world: World, youth: Youth) -> list[StoredEntry]:
    marks = await world.youth_keys.marks(SF, [handle_of(SF, youth)])
    return world.reader.marked(marks)


def everything(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def every_key(directory: Path) -> list[bytes]:
    """Every key of entries that whoever has keys.db and the wrapping key can read, whatever row it is in."""
    with sqlite3.connect(directory / "keys.db") as connection:
        names = [bytes(row[0]) for row in connection.execute("SELECT name FROM youth_key WHERE reserved > 0")]
    keys = FileYouthKeys(directory / "keys.db", wrapping_key=b"w" * 32, random_bytes=os.urandom)
    found = set(keys.every_mark().values())
    keys.close()
    assert len(found) == len(names)
    return sorted(found)


def opens(entry: StoredEntry, keys: Iterable[bytes]) -> bool:
    for key in keys:
        try:
            open_class(entry, FieldClass.YOUTH, key)
        except EvidenceError:
            continue
        return True
    return False
