"""A county that answers: a real adapter's source side, linked to the town's gateway, over records held in memory.

The same parts as `homeward adapter run`, in this process: link, directory keeper, subjects, responder. Youths are
invented and come without names: their tokens are made from a label, which nobody can tell from real ones.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.config import read_config
from adapters.mapping.release import ReleaseRules
from adapters.node.flags import OwnFlags
from adapters.node.identifiers import timestamp
from adapters.node.link.stream import Link
from adapters.node.own_flag import FlagIssuer, OwnFlag
from adapters.node.respond import Responder
from adapters.node.reviews import Reviews
from adapters.node.subjects import Proposal
from adapters.node.work_log import WorkLog
from adapters.records import (
    CountyFips,
    JurisdictionContact,
    LocalSubjectId,
    OutOfHomeEpisode,
    Placement,
    SettingCode,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from adapters.wiring import Adapter, build
from deploy.demo.counties import Agency, SourceKind
from deploy.demo.county_files import ISSUER, county_file
from deploy.demo.issuer import make_issuer
from gateway.protocol.decide import CountyNarrowing
from gateway.protocol.names import FlagId, HandlingCode, Restriction, SubjectHandle
from gateway.protocol.wire_names import to_wire
from homeward.gateway.v1 import index_pb2
from homeward.gateway.v1.codes_pb2 import ABSENCE_CATEGORY_RUNAWAY, SETTING_GROUP_CONGREGATE_CARE
from homeward.gateway.v1.directory_pb2 import Directory, GetDirectoryRequest
from homeward.gateway.v1.directory_pb2_grpc import MembershipServiceStub
from homeward.gateway.v1.index_pb2_grpc import IndexServiceStub
from homeward.gateway.v1.records_pb2 import FlagLocate, LawEnforcementReport
from tests.adversarial.resident import Resident, tokens_of
from tests.adversarial.town import utc_now
from tests.integration.source_kit import MemorySource
from tests.unit.exchange.spine_parts import EPOCH

TODAY = date.today()  # noqa: DTZ011 - a county's days are local
ZONE = ZoneInfo("America/Los_Angeles")


@dataclass
class House:
    """The source side of one agency."""

    resident: Resident
    adapter: Adapter
    source: MemorySource
    flags: OwnFlags
    responder: Responder
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    link: Link | None = None

    @classmethod
    async def open(cls, resident: Resident) -> "House":
        """The agency's link is up and its list counts as current."""
        directory = resident.state.parent
        make_issuer(directory / ISSUER)
        agency = Agency(
            letter="X", title="Invented", fips=resident.agency[:5], office=resident.agency[6:], kind="CWA",
            duty_line="", hotline="", source=SourceKind.NONE, roles=("CWA.case_worker",),
        )  # fmt: skip
        file = directory / "adapter.yaml"
        file.write_text(county_file(agency, directory), encoding="utf-8")
        adapter = build(
            read_config(file), file, environment={}, now=utc_now, random_bytes=secrets.token_bytes,
            monotonic=time.monotonic,
        )  # fmt: skip
        source, flags = MemorySource(as_of=utc_now()), OwnFlags(adapter.node.store)
        responder = Responder(
            node=adapter.node, source=source, subjects=adapter.subjects, flags=flags,
            reviews=Reviews(adapter.node.store), work=WorkLog(adapter.node.store), release=ReleaseRules(),
            narrowing=CountyNarrowing(), zone=ZONE,
        )  # fmt: skip
        house = cls(resident, adapter, source, flags, responder)
        await house.connect()
        await house.beat()
        return house

    async def connect(self) -> None:
        """The link is up."""
        node = self.adapter.node
        await node.keeper.refresh()
        self.link = Link(
            channel=self.adapter.channels.gateway, envelope_key=node.keyring.envelope, work=self.responder.answer,
            alerts=self.adapter.alerts, keeper=node.keeper, now=utc_now, random_bytes=secrets.token_bytes,
        )  # fmt: skip
        self.tasks = [asyncio.create_task(self.link.run()), asyncio.create_task(node.keeper.run())]
        async with asyncio.timeout(10):
            while not self.link.status.up:  # noqa: ASYNC110 - the link says so by its status alone
                await asyncio.sleep(0.02)

    async def disconnect(self) -> None:
        """Nobody of this agency is at the other end any more."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def close(self) -> None:
        await self.disconnect()
        await self.adapter.channels.close()
        self.adapter.node.store.close()

    async def beat(self, scope: int = index_pb2.INDEX_SCOPE_ALL_IN_CARE) -> None:
        """The list counts as current."""
        await beat(self.resident, scope)

    async def list(
        self, label: str, youth: Youth | None = None, *, restriction: Restriction = Restriction.NONE
    ) -> SubjectHandle:
        """The agency has this youth in care and lists them."""
        youth = youth or make_youth(label, self.resident, restriction=restriction)
        self.source.held[youth.local_id] = youth
        subjects = self.adapter.subjects
        handle = subjects.handle_of(youth.local_id)
        subjects.propose({handle: Proposal(tokens_of(label), hashlib.sha256(handle).digest())})
        await register(self.resident, handle, label, restriction=restriction)
        subjects.confirm({handle: hashlib.sha256(handle).digest()}, EPOCH, utc_now())
        return handle

    def state(
        self,
        handle: SubjectHandle,
        *,
        handling: HandlingCode = HandlingCode.CALL_DUTY_LINE,
        learned: datetime | None = None,
    ) -> OwnFlag:
        """A flag of this youth that the county states; it is kept here and not yet reported.

        The county learned an hour ago, or when it is said.
        """
        issuer = FlagIssuer(self.resident.membership.county, self.resident.ring.flag)
        flag = issuer.raised(
            FlagId(secrets.token_bytes(16)),
            handle,
            handling_code=handling,
            learned=learned or utc_now() - timedelta(hours=1),
            locate=FlagLocate(
                missing_since_date=(TODAY - timedelta(days=2)).isoformat(),
                absence_category=ABSENCE_CATEGORY_RUNAWAY,
                last_seen_county=self.resident.membership.county,
                missing_from_setting_group=SETTING_GROUP_CONGREGATE_CARE,
                law_enforcement_report=LawEnforcementReport(ori="CA0000000", report_number="26-0001"),
                ncmec_case_number="1000001",
            ),
            now=utc_now(),
        )
        self.flags.keep(flag)
        return flag


async def beat(
    resident: Resident, scope: int = index_pb2.INDEX_SCOPE_ALL_IN_CARE, *, epochs: Sequence[str] = (EPOCH,)
) -> None:
    """The agency's list counts as current in these epochs."""
    request = await heartbeat(resident, scope, epochs=epochs)
    await IndexServiceStub(resident.channel).Heartbeat(request, timeout=5)


async def heartbeat(
    resident: Resident, scope: int = index_pb2.INDEX_SCOPE_ALL_IN_CARE, *, epochs: Sequence[str] = (EPOCH,)
) -> index_pb2.HeartbeatRequest:
    """What says so, signed."""
    now = timestamp(datetime.now(UTC))
    reply = await MembershipServiceStub(resident.channel).GetDirectory(GetDirectoryRequest(), timeout=5)
    message = index_pb2.IndexHeartbeat(
        revision=1,
        scope=scope,
        data_as_of_time=now,
        create_time=now,
        complete_epochs=epochs,
        log_origin=Directory.FromString(reply.directory.directory).log_origin,
    )
    return index_pb2.HeartbeatRequest(envelope=resident.wrapped(message))


async def register(
    resident: Resident,
    handle: bytes,
    label: str,
    *,
    restriction: Restriction = Restriction.NONE,
    epoch: str = EPOCH,
) -> index_pb2.RegisterSubjectsRequest:
    """The gateway's index holds this youth; the batch that said so, signed."""
    tokens = tokens_of(label, epoch=epoch)
    subject = index_pb2.Subject(handle=handle, tokens=tokens, restriction=to_wire(restriction))  # type: ignore[arg-type]
    return await change(resident, subjects=[subject])


async def change(
    resident: Resident, *, subjects: Sequence[index_pb2.Subject] = (), removed: Sequence[bytes] = ()
) -> index_pb2.RegisterSubjectsRequest:
    """The agency's list is changed so; the batch that said so, signed."""
    batch = index_pb2.RegistrationBatch(request_id=secrets.token_bytes(16), subjects=subjects, removed_handles=removed)
    request = index_pb2.RegisterSubjectsRequest(envelope=resident.wrapped(batch))
    await IndexServiceStub(resident.channel).RegisterSubjects(request, timeout=5)
    return request


def make_youth(label: str, resident: Resident, *, restriction: Restriction = Restriction.NONE) -> Youth:
    """Four placements in one open episode, one of them a hospital stay."""
    county = CountyFips(resident.membership.county)
    starts = [TODAY - timedelta(days=days) for days in (400, 300, 200, 100)]
    settings = [
        (SettingGroup.FAMILY_HOME, SettingCode.RESOURCE_FAMILY_HOME),
        (SettingGroup.OTHER_SETTING, None),
        (SettingGroup.FAMILY_HOME, SettingCode.RESOURCE_FAMILY_HOME),
        (SettingGroup.CONGREGATE_CARE, SettingCode.STRTP),
    ]
    placements = tuple(
        Placement(
            seq=number, start_date=start, end_date=end, setting_group=group, setting_code=code, placement_county=county
        )
        for number, (start, end, (group, code)) in enumerate(
            zip(starts, [*starts[1:], None], settings, strict=True), start=1
        )
    )
    episode = OutOfHomeEpisode(starts[0], None, None, county, resident.agency, placements)
    return Youth(
        local_id=LocalSubjectId(f"invented-{label}"),
        identity=YouthIdentity("Invented", "Youth", date(TODAY.year - 15, 1, 1)),
        episodes=(episode,),
        jurisdiction=JurisdictionContact(county, resident.agency, "+15555550123"),
        restriction=restriction,
    )
