"""The town with its youths: who is in care where, missing, or consented to what; and how answers are read."""

import asyncio
import hashlib
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from adapters.node.identifiers import timestamp
from adapters.node.own_flag import FlagIssuer
from adapters.node.presence import field_sets_present
from gateway.protocol.directory import DirectoryView
from gateway.protocol.envelope import unwrap, wrap
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.names import (
    AgencyId,
    EvidenceKind,
    FieldSet,
    FlagId,
    Grantor,
    HandlingCode,
    Purpose,
    Restriction,
    Role,
    SubjectHandle,
)
from gateway.protocol.sealing import SealContext, open_record
from gateway.protocol.wire_names import from_wire, to_wire
from homeward.gateway.v1 import authority_pb2, missing_pb2
from homeward.gateway.v1.authority_pb2_grpc import AuthorityServiceStub
from homeward.gateway.v1.codes_pb2 import BASIS_CONSENT, Outcome
from homeward.gateway.v1.directory_pb2 import KEY_USE_RECORD
from homeward.gateway.v1.exchange_pb2 import (
    CheckFlagResponse,
    FlagStatement,
    RecordsQuery,
    RequestRecordsResponse,
)
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceStub
from homeward.gateway.v1.missing_pb2_grpc import MissingServiceStub
from homeward.gateway.v1.records_pb2 import FlagLocate, RecordAnswer
from tests.adversarial.house import House, beat, register
from tests.adversarial.resident import Act, Resident, flag_query, tokens_of
from tests.adversarial.town import Town, utc_now

SCENARIOS: Final = Path(__file__).parents[1] / "conformance" / "scenarios.toml"
WORKER: Final = {
    "CWA": Role("CWA.case_worker"),
    "PROB": Role("PROB.duty_officer"),
    "STRTP": Role("STRTP.administrator"),
    "SHELTER": Role("SHELTER.yhpc_intake"),
    "LEA": Role("LEA.patrol"),
}
FINDS: Final = {"LEA": Purpose.MFC_HANDOFF}
"""Under which purpose that worker learns of a flag; else because the youth is looked for."""
SHORT: Final = timedelta(seconds=2)


def book() -> dict[str, Any]:
    """What scenarios.toml says."""
    return tomllib.loads(SCENARIOS.read_text(encoding="utf-8"))


@dataclass
class Stage:
    """Everything that scenarios play on."""

    town: Town
    houses: dict[AgencyId, House] = field(default_factory=dict)
    handles: dict[str, SubjectHandle] = field(default_factory=dict)
    flag_ids: dict[str, bytes] = field(default_factory=dict)
    authorities: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    async def build(cls, town: Town) -> "Stage":
        """Youths are listed, the missing ones flagged, and what is to be over is over."""
        stage, said = cls(town), book()
        owners = {AgencyId(youth["owner"]) for youth in said["youth"].values()}
        for owner in sorted(owners):
            stage.houses[owner] = await House.open(town.residents[owner])
        for resident in town.residents.values():
            if resident.membership.has_sources and resident.agency not in owners:
                await beat(resident)
        for label, youth in said["youth"].items():
            await stage._settle(label, youth)
        for name, authority in said["authority"].items():
            stage.authorities[name] = await stage._record(authority)
        await asyncio.sleep(SHORT.total_seconds())
        return stage

    async def close(self) -> None:
        for house in self.houses.values():
            await house.close()

    def owner(self, label: str) -> AgencyId:
        """The agency in whose care a youth of the book is; empty for one who is in nobody's."""
        return AgencyId(book()["youth"].get(label, {}).get("owner", ""))

    async def _settle(self, label: str, youth: Mapping[str, Any]) -> None:
        house = self.houses[AgencyId(youth["owner"])]
        handle = await house.list(label, restriction=Restriction(youth.get("restriction", "NONE")))
        self.handles[label] = handle
        for other in youth.get("listed_by", ()):
            await register(self.town.residents[AgencyId(other)], secrets.token_bytes(16), label)
        if "flag" in youth:
            self.flag_ids[label] = await self.raise_flag(house, label, HandlingCode(youth["flag"]))

    async def raise_flag(self, house: House, label: str, handling: HandlingCode) -> bytes:
        """The owner's flag is on record; its identifier."""
        flag = house.state(self.handles[label], handling=handling)
        report = missing_pb2.FlagReport(
            request_id=secrets.token_bytes(16),
            subject_handle=self.handles[label],
            tokens=tokens_of(label),
            flag_statement=flag.statement,
            learn_time=timestamp(flag.learned),
        )
        reply = await report_flag(house.resident, report)
        assert reply.outcome == Outcome.OUTCOME_RECORDED
        assert reply.flag_id == flag.flag_id
        return bytes(flag.flag_id)

    async def _record(self, said: Mapping[str, str]) -> bytes:
        issuer = self.town.residents[AgencyId(said["issuer"])]
        now, ends = utc_now(), said.get("ends", "")
        message = authority_pb2.Authority(
            authority_id=secrets.token_bytes(16),
            basis=BASIS_CONSENT,
            grantor=to_wire(Grantor(said["grantor"])),  # type: ignore[arg-type]
            issuer_agency=issuer.agency,
            purposes=[to_wire(Purpose(said["purpose"]))],  # type: ignore[list-item]
            field_sets=[to_wire(FieldSet(said["field_set"]))],  # type: ignore[list-item]
            recipient_agencies=[said["recipient"]],
            effective_time=timestamp(now - timedelta(days=1)),
            expire_time=timestamp(now + (SHORT if ends else timedelta(days=30))),
            expires_at_majority=ends == "majority",
            evidence_commitment=bytes(32),
            language_version_hash=bytes(32),
            copy_given_to_youth=True,
        )
        if "youth" in said:
            message.subject.handle = self.handles[said["youth"]]
        else:
            message.subject.token_digests.digests.extend(core_digests(said["tokens_of"]))
        return await record_authority(issuer, message)

    async def records(
        self,
        asker: Resident,
        label: str,
        act: Act,
        field_sets: tuple[FieldSet, ...],
        *evidence: EvidenceKind,
        **changes: object,
    ) -> "Records":
        """What a request for records came to."""
        query = asker.records_query(tokens_of(label), field_sets, *evidence, **changes)
        request = asker.records_request(query, act)
        reply = await ExchangeServiceStub(asker.channel).RequestRecords(request, timeout=15)
        view = await self.town.directory(asker)
        assert view is not None
        return Records(asker, query, request.payload, reply, view)


@dataclass(frozen=True)
class Records:
    """An answer and what it was to."""

    asker: Resident
    query: RecordsQuery
    payload: bytes
    reply: RequestRecordsResponse
    directory: DirectoryView

    @property
    def outcome(self) -> str:
        return outcome(self.reply.outcome)

    def open(self) -> RecordAnswer:
        """The record of the one source, opened as the requester's adapter does."""
        (source,) = self.reply.sources
        sealed = source.sealed_record
        key = self.directory.key(AgencyId(source.agency), KEY_USE_RECORD, sealed.source_key_id, utc_now())
        context = SealContext(
            request_digest=hashlib.sha256(self.payload).digest(),
            pairwise_handle=self.reply.pairwise_handle,
            requester=self.asker.agency,
            source=AgencyId(source.agency),
            field_sets=tuple(from_wire(FieldSet, number) for number in self.reply.field_sets),
            recipient_key_id=self.query.recipient_key_id,
            page=self.query.page or 1,
            decision_index=self.reply.decision_receipt.index,
        )
        return open_record(sealed, context=context, seal_key=self.asker.ring.seal, source_key=key)

    def present(self) -> set[FieldSet]:
        """Which field sets the record shows."""
        return set(field_sets_present(self.open()))


def outcome(number: int) -> str:
    """Name of an outcome without its prefix."""
    return Outcome.Name(number).removeprefix("OUTCOME_")  # type: ignore[arg-type]


def core_digests(label: str) -> list[bytes]:
    """How an authority names a youth whom its issuer does not list."""
    return sorted(naming_digests(tokens_of(label)))


async def record_authority(issuer: Resident, message: authority_pb2.Authority) -> bytes:
    """The authority is on record; its identifier."""
    record = authority_pb2.AuthorityRecord(
        request_id=secrets.token_bytes(16), authority=wrap(message, issuer.ring.authority)
    )
    request = issuer.signed(authority_pb2.RecordAuthorityRequest, record, worker_of(issuer))
    reply = await AuthorityServiceStub(issuer.channel).RecordAuthority(request, timeout=5)
    assert reply.outcome == Outcome.OUTCOME_RECORDED
    return message.authority_id


async def revoke_authority(issuer: Resident, authority_id: bytes) -> int:
    """The authority is revoked; the index of the entry that says so."""
    message = authority_pb2.AuthorityRevocation(request_id=secrets.token_bytes(16), authority_id=authority_id)
    request = issuer.signed(authority_pb2.RevokeAuthorityRequest, message, worker_of(issuer))
    reply = await AuthorityServiceStub(issuer.channel).RevokeAuthority(request, timeout=5)
    assert reply.outcome == Outcome.OUTCOME_RECORDED
    return int(reply.receipt.index)


async def report_flag(resident: Resident, report: missing_pb2.FlagReport) -> missing_pb2.RaiseFlagResponse:
    """A report that a youth is missing."""
    request = resident.signed(missing_pb2.RaiseFlagRequest, report, worker_of(resident))
    return await MissingServiceStub(resident.channel).RaiseFlag(request, timeout=5)


async def raise_new(owner: Resident, label: str) -> SubjectHandle:
    """The youth behind this label is the owner's, listed and missing from now on."""
    handle = SubjectHandle(secrets.token_bytes(16))
    await register(owner, handle, label)
    flag = FlagIssuer(owner.membership.county, owner.ring.flag).raised(
        FlagId(secrets.token_bytes(16)),
        handle,
        handling_code=HandlingCode.CALL_DUTY_LINE,
        learned=utc_now() - timedelta(hours=1),
        locate=FlagLocate(),
        now=utc_now(),
    )
    report = missing_pb2.FlagReport(
        request_id=secrets.token_bytes(16),
        subject_handle=handle,
        tokens=tokens_of(label),
        flag_statement=flag.statement,
        learn_time=timestamp(flag.learned),
    )
    assert (await report_flag(owner, report)).flag_id
    return handle


async def check_flag(asker: Resident, label: str, act: Act, *evidence: EvidenceKind) -> CheckFlagResponse:
    """A flag check."""
    request = asker.flag_request(flag_query(tokens_of(label), *evidence), act)
    return await ExchangeServiceStub(asker.channel).CheckFlag(request, timeout=5)


def statement_of(reply: CheckFlagResponse, directory: DirectoryView) -> FlagStatement:
    """What the owner's county signed."""
    envelope = reply.answer.flag_statement
    county = FlagStatement.FromString(envelope.payload).county
    return unwrap(envelope, FlagStatement, directory.flag_key(county, envelope.key_id, utc_now()))


def worker_of(resident: Resident) -> Act:
    """Whoever reports and records at this agency."""
    return Act(WORKER[resident.membership.kind.value], Purpose.MFC_LOCATE)


def finder_of(resident: Resident) -> Act:
    """Whoever learned of a flag at this agency, and reports the youth located."""
    kind = resident.membership.kind.value
    return Act(WORKER[kind], FINDS.get(kind, Purpose.MFC_LOCATE))
