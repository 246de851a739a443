"""A small exchange for tests of calls that record and read: real keys, directory, policy, log and database.

Agencies, youths and telephone numbers are invented. Tokens are random bytes, one set for each invented name and birth
date: how tokens are made is not this room's matter. Calls go through the servicers, as a peer makes them.

    world = World(tmp_path)                 # closed with `await world.close()`
    youth = Youth("Ana Invented", "2010-05-04")
    handle = await world.register(SF, youth)
    flag = await world.raise_flag(SF, youth, handle=handle)
"""

import hashlib
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from sqlalchemy import Table, create_engine, select

from audit.checkpoint import LogSigner
from audit.entry import ClassKeys
from audit.log import Log
from audit.reader import Reader, Selection
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.exchange.access import AccessLog
from gateway.exchange.authorities import AuthorityRecords
from gateway.exchange.sealing import Court
from gateway.exchange.setting import Setting
from gateway.exchange.spine import Exchange
from gateway.members.ledger import Ledger
from gateway.members.whole import opened_with
from gateway.missing.flags import FlagReports
from gateway.missing.recording import Recording
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.directory import DirectoryView
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import SOUND_KEY
from gateway.protocol.names import (
    AgencyId,
    EvidenceKind,
    FieldSet,
    FlagState,
    HandlingCode,
    Purpose,
    Restriction,
    Role,
    SubjectHandle,
)
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.sealing import SealKey
from gateway.protocol.signing import SigningKey
from gateway.protocol.wire_names import to_wire
from gateway.recovery.held import HeldRevocations, Revoking
from gateway.rpc.access import AuditServicer
from gateway.rpc.authority import AuthorityServicer
from gateway.rpc.exchange import ExchangeServicer
from gateway.rpc.index import IndexServicer
from gateway.rpc.interceptor import _PEER
from gateway.rpc.machine import MachineCalls
from gateway.rpc.missing import MissingServicer
from gateway.rpc.sealing import SealingServicer
from gateway.sealing_assembly import open_seals
from gateway.store import tables
from gateway.store.alert_keys import AlertKeys
from gateway.store.alerts import Alerts
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.compared import check_projections
from gateway.store.deeds import SqlDeeds
from gateway.store.entries import LogEntries
from gateway.store.flags import SqlFlags
from gateway.store.index import SqlIndex
from gateway.store.log_journal import LogJournal
from gateway.store.lookups import Lookups
from gateway.store.projections import SqlProjections
from gateway.store.proposed import LogProposals
from gateway.store.proposed import Words as WordsPort
from gateway.store.reliance import SqlReliance
from gateway.store.reviews import SqlReviews
from gateway.store.tally import SqlTally
from gateway.store.youth_keys import FileYouthKeys
from gateway.telemetry import outcome_counts
from gateway.tokens.index import Registrations
from homeward.audit.v1 import service_pb2 as audit_pb
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1 import exchange_pb2, index_pb2, missing_pb2
from homeward.gateway.v1.envelope_pb2 import Evidence, SignedEnvelope, TokenSet
from homeward.gateway.v1.link_pb2 import Alert
from tests.unit.exchange.members import (
    EPOCH,
    ORIGIN,
    SOURCES,
    TRUST_DOMAIN,
    Act,
    Membership,
    Youth,
    handle_of,
    staff,
    stamp,
)
from tests.unit.exchange.spine_parts import UNBOUNDED
from tests.unit.exchange.surroundings import Clock, Leaf, SilentSources, at_rest, pairwise, read_leaf
from tests.unit.exchange.words import Words
from tests.unit.token_sets import token_set

M = TypeVar("M", bound=Message)


class World:
    """The exchange, its members and its log."""

    def __init__(self, directory: Path, words: WordsPort | None = None) -> None:
        """`words` is the concordance of the log; without it, `self.words` is one in this process."""
        self.clock, self.policy, self.sources = Clock(), load_california(), SilentSources()
        self.membership = Membership.make()
        self.class_keys = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
        self.signer = LogSigner(ORIGIN, Ed25519PrivateKey.generate())
        self._tokens: dict[tuple[str, str, str], tuple[bytes, ...]] = {}
        self._assertions = 0
        self._database = self.database(directory)
        self._view = self.membership.directory(self.policy, self.signer.public)
        self.held, self.recovering = HeldRevocations(directory / "revocations.held"), False
        self._open_log(directory)
        self.words = Words(self.reader, self.class_keys)
        self._searched = words or self.words
        self._assemble()

    @staticmethod
    def database(directory: Path) -> Path:
        """Where the log lies in a world's directory."""
        return directory / "gateway.db"

    # --- what tests do ---------------------------------------------------------------------

    async def register(
        self, agency: AgencyId, youth: Youth, *, restriction: Restriction = Restriction.NONE, placed_in: str = ""
    ) -> SubjectHandle:
        """The agency lists this youth; its handle."""
        handle = handle_of(agency, youth)
        subject = index_pb2.Subject(
            handle=handle,
            tokens=self.tokens(youth),
            restriction=to_wire(restriction),  # type: ignore[arg-type]
            placement_county=placed_in,
        )
        await self.list_subjects(agency, subjects=[subject])
        return handle

    async def list_subjects(
        self,
        agency: AgencyId,
        *,
        subjects: Iterable[index_pb2.Subject] = (),
        removed: Iterable[bytes] = (),
        request_id: bytes = b"",
    ) -> index_pb2.RegisterSubjectsResponse:
        """A batch of changes of the agency's list."""
        batch = index_pb2.RegistrationBatch(
            request_id=request_id or os.urandom(16), subjects=subjects, removed_handles=removed
        )
        request = index_pb2.RegisterSubjectsRequest(envelope=wrap(batch, self.membership.members[agency].envelope))
        return await self.as_peer(agency, lambda: self.index.RegisterSubjects(request, None))

    async def heartbeat(
        self, agency: AgencyId, *, scope: int = index_pb2.INDEX_SCOPE_ALL_IN_CARE, revision: int = 1
    ) -> index_pb2.HeartbeatResponse:
        """The agency's list counts as current."""
        message = index_pb2.IndexHeartbeat(
            revision=revision,
            scope=scope,  # type: ignore[arg-type]
            data_as_of_time=stamp(self.clock()),
            create_time=stamp(self.clock()),
            complete_epochs=[EPOCH],
            log_origin=self.directory().message.log_origin,
        )
        request = index_pb2.HeartbeatRequest(envelope=wrap(message, self.membership.members[agency].envelope))
        return await self.as_peer(agency, lambda: self.index.Heartbeat(request, None))

    async def all_current(self) -> None:
        """Every source's list is fresh, so that a miss means something."""
        for agency in SOURCES:
            await self.heartbeat(agency)

    async def raise_flag(
        self,
        agency: AgencyId,
        youth: Youth,
        *,
        handle: SubjectHandle | None = None,
        act: Act | None = None,
        statement: SignedEnvelope | None = None,
        learned: datetime | None = None,
        request_id: bytes = b"",
        tokens: TokenSet | None = None,
        of_another_agency: bool = False,
    ) -> missing_pb2.RaiseFlagResponse:
        """A report that the youth is missing; with a handle as its owner, under a statement made here or given."""
        if handle is not None and statement is None:
            statement = self.statement(agency)
        report = missing_pb2.FlagReport(
            request_id=request_id or os.urandom(16),
            subject_handle=handle or b"",
            tokens=tokens or self.tokens(youth),
            flag_statement=statement,
            learn_time=stamp(learned or self.clock()),
            of_another_agency=of_another_agency,
        )
        request = self.signed(missing_pb2.RaiseFlagRequest, report, act or staff(agency))
        return await self.as_peer(agency, lambda: self.missing.RaiseFlag(request, None))

    async def check_flag(
        self, agency: AgencyId, youth: Youth, *, request_id: bytes = b""
    ) -> exchange_pb2.CheckFlagResponse:
        """A flag check by whoever has the youth in front of them."""
        query = exchange_pb2.FlagQuery(
            request_id=request_id or os.urandom(16),
            tokens=self.tokens(youth),
            evidence=[evidence(EvidenceKind.YOUTH_PRESENT)],
        )
        request = self.signed(exchange_pb2.CheckFlagRequest, query, staff(agency, Purpose.MFC_HANDOFF))
        return await self.as_peer(agency, lambda: self.exchange_servicer.CheckFlag(request, None))

    async def ask_records(
        self, agency: AgencyId, youth: Youth, *, act: Act | None = None, because: EvidenceKind = EvidenceKind.OPEN_CASE
    ) -> exchange_pb2.RequestRecordsResponse:
        """A placement worker with an open case asks for placement history, unless a test says otherwise."""
        query = exchange_pb2.RecordsQuery(
            request_id=os.urandom(16),
            tokens=self.tokens(youth),
            evidence=[evidence(because)],
            field_sets=[to_wire(FieldSet.FS5_PLACEMENT_DETAIL)],  # type: ignore[list-item]
            recipient_key_id=self.membership.members[agency].seal.key_id,
        )
        act = act or staff(agency, Purpose.PLACEMENT_PLANNING, Role("CWA.placement_worker"))
        request = self.signed(exchange_pb2.RequestRecordsRequest, query, act)
        return await self.as_peer(agency, lambda: self.exchange_servicer.RequestRecords(request, None))

    async def read_log(
        self, act: Act, *, wanted: EntryFilter | None = None, page_size: int = 0, after: int = -1, youth: bytes = b""
    ) -> audit_pb.ListEntriesResponse:
        """One page of the log as this agency sees it; of one youth where a handle is given."""
        query = audit_pb.EntryQuery(
            request_id=os.urandom(16), filter=wanted, page_size=page_size, after_index=after, youth_handle=youth
        )
        request = self.signed(audit_pb.ListEntriesRequest, query, act)
        return await self.as_peer(act.agency, lambda: self.audit.ListEntries(request, None))

    def statement(
        self,
        agency: AgencyId,
        *,
        flag_id: bytes = b"",
        state: FlagState = FlagState.ACTIVE,
        version: int = 1,
        handling: HandlingCode = HandlingCode.CALL_DUTY_LINE,
        life: timedelta = timedelta(days=30),
        county: str = "",
        key: SigningKey | None = None,
    ) -> SignedEnvelope:
        """What the agency's county states of a flag; a fresh flag unless one is named."""
        message = exchange_pb2.FlagStatement(
            flag_id=flag_id or os.urandom(16),
            county=county or agency[:5],
            state=to_wire(state),  # type: ignore[arg-type]
            handling_code=to_wire(handling),  # type: ignore[arg-type]
            version=version,
            issue_time=stamp(self.clock()),
            expire_time=stamp(self.clock() + life),
        )
        return wrap(message, key or self.membership.flag_keys[agency[:5]])

    def tokens(self, youth: Youth) -> TokenSet:
        """Tokens of the youth: the same random bytes whoever asks; a name's beginning alone makes the weaker key."""
        said = {SOUND_KEY: youth.name.lower()[:6]}
        return token_set(EPOCH, lambda key, pad: self._minted(key, pad, (said.get(key, youth.name), youth.born)))

    def signed(self, request_type: type[M], payload: Message, act: Act, *, assertion_id: str = "") -> M:
        """The request: exact bytes and the county's signed word that its user says exactly this."""
        data, member, now = payload.SerializeToString(), self.membership.members[act.agency], self.clock()
        self._assertions += 1
        claims = Claims(
            issuer=act.agency,
            subject="worker-1",
            actor=member.identity.uri,
            role=act.role,
            purpose=act.purpose,
            authority_id=act.authority_id,
            request_digest=hashlib.sha256(data).digest(),
            channel_thumbprint=member.peer.thumbprint,
            audience=TRUST_DOMAIN,
            assertion_id=assertion_id or f"jti-{self._assertions}",
            issued=now,
            expires=now + timedelta(seconds=60),
            login=now - timedelta(minutes=1),
        )
        return request_type(payload=data, user_assertion=sign_assertion(claims, member.assertion))

    async def as_peer(self, agency: AgencyId, call: Callable[[], Awaitable[M]]) -> M:
        """The answer to a call that this agency's adapter makes."""
        bound = _PEER.set(self.membership.members[agency].peer)
        try:
            return await call()
        finally:
            _PEER.reset(bound)

    async def alerts(self, agency: AgencyId) -> list[Alert]:
        """Every alert of the agency so far."""
        return list(await Alerts(self.lookups, self.alert_keys).after(agency, 0))

    def rows(self, table: Table) -> list[Mapping[str, object]]:
        """Everything in a table."""
        engine = create_engine(f"sqlite:///{self._database}")
        with engine.connect() as connection:
            found = [dict(row) for row in connection.execute(select(table)).mappings()]
        engine.dispose()
        return found

    async def leaves(self, start: int = 0) -> list[Leaf]:
        """Entries from this index on, with everything open that a listed youth's key opens."""
        marks: dict[bytes, bytes] = {}
        for row in self.rows(tables.subject):
            owner, handle = AgencyId(str(row["owner"])), SubjectHandle(bytes(row["handle"]))  # type: ignore[call-overload]
            marks |= await self.youth_keys.marks(owner, [handle])
        return [
            read_leaf(entry, self.class_keys, marks.get(entry.tag))
            for entry in self.reader.entries(Selection(start=start))
        ]

    def size(self) -> int:
        """Number of entries."""
        return self.reader.tree().size

    def directory(self) -> DirectoryView:
        """The directory in force."""
        return self._view

    def renew_authority_key(self, agency: AgencyId) -> None:
        """What the agency signed before counts no longer under the directory in force."""
        members = self.membership.members
        members[agency] = replace(members[agency], authority=SigningKey.generate())
        self._view = self.membership.directory(self.policy, self.signer.public)

    def end_assertion_key(self, agency: AgencyId) -> None:
        """What the agency's users say from now on counts no longer."""
        members = self.membership.members
        members[agency] = replace(members[agency], assertion_ends=self.clock())
        self._view = self.membership.directory(self.policy, self.signer.public)

    def check_projections(self) -> None:
        """Whatever a test did, the tables are what the log says. Raises EvidenceError."""
        keys_file = self._database.with_name("keys.db")
        opened = opened_with(keys_file, self.class_keys, self.youth_keys, self.authority_keys)
        self.reader.read(lambda tx: check_projections(tx, opened))

    async def close(self) -> None:
        self.check_projections()
        await self.log.close()
        self.reader.close()
        self.authority_keys.close()
        self.youth_keys.close()

    # --- how it is put together ------------------------------------------------------------

    def _minted(self, key: str, pad: int, youth: tuple[str, str]) -> tuple[bytes, ...]:
        return self._tokens.setdefault((key, *youth), tuple(os.urandom(16) for _ in range(pad)))

    def _open_log(self, directory: Path) -> None:
        store = SqliteStore(self._database)
        create_log(store, signer=self.signer, high_water=directory / "high-water", also=[tables.metadata])
        FileYouthKeys.create(directory / "keys.db")
        self.youth_keys = FileYouthKeys(directory / "keys.db", wrapping_key=b"w" * 32, random_bytes=os.urandom)
        self.authority_keys = FileAuthorityKeys(directory / "keys.db", self.youth_keys)
        self.custodian, self.release_key = SealKey.generate(), SealKey.generate()
        self.log = Log.open(
            store,
            signer=self.signer,
            keys=self.class_keys,
            high_water=directory / "high-water",
            now=self.clock,
            random_bytes=os.urandom,
        )
        self.reader = Reader(store)
        self.lookups = Lookups(self.reader, threaded=False)
        self.alert_keys = AlertKeys(self.lookups, self.youth_keys)

    def _assemble(self) -> None:
        now, journal, index = self.clock, LogJournal(self.log), SqlIndex(self.lookups, at_rest, self.youth_keys)
        self.setting = Setting(
            policy=self.policy,
            directory=self.directory,
            journal=journal,
            index=index,
            authorities=SqlAuthorities(self.lookups, self.authority_keys),
            projections=SqlProjections(self.class_keys, self.alert_keys),
            youth_keys=self.youth_keys,
            sources=self.sources,
            reviews=SqlReviews(self.lookups, at_rest, self.youth_keys),
            reliance=SqlReliance(self.lookups, at_rest, self.youth_keys),
            tally=SqlTally(journal, UNBOUNDED, None),
            pairwise=pairwise,
            random_bytes=os.urandom,
            now=now,
            until=now.until,
            auto=True,
        )
        exchange, machine = Exchange(self.setting), MachineCalls(self.directory, now)
        entries = LogEntries(self.log, self.reader, self.class_keys)
        deeds, flags = SqlDeeds(self.lookups, entries), SqlFlags(self.lookups, self.youth_keys)
        self.exchange = exchange
        self.reporting = self.setting, deeds, FlagReports(Recording(self.setting, flags, deeds))
        self.outcomes = outcome_counts()
        self.missing = MissingServicer(self.reporting[-1], exchange, outcomes=self.outcomes, now=now)
        self.records = AuthorityRecords(
            self.setting, SqlAuthorityBook(self.lookups, self.authority_keys), deeds, listed=flags
        )
        self.authority = AuthorityServicer(
            self.records,
            exchange,
            now=now,
            revoking=Revoking(self.held, lambda: self.recovering, _at_once),
        )
        proposals = LogProposals(self.reader, self._searched, self.class_keys)
        self.audit = AuditServicer(AccessLog(self.setting, entries, proposals, self.class_keys), exchange, now=now)
        registrations = Registrations(
            Ledger(self.log, self.reader, self.clock, self.class_keys),
            directory=self.directory,
            at_rest=at_rest,
            prepare=self.youth_keys.prepare,
            acknowledged=lambda agency: 0,
            now=now,
            sealed_among=lambda tx, youths: self.seals.sealed_among(tx, youths),
        )
        self.index = IndexServicer(registrations, machine)
        self.seals = open_seals(
            self._database,
            self._database.with_name("keys.db"),
            lookups=self.lookups,
            youth_keys=self.youth_keys,
            authority_keys=self.authority_keys,
            court=Court(self.custodian.public_bytes, self.release_key),
            keys=self.class_keys,
        )
        orders = self.seals.orders(self.setting, marked=entries, deeds=deeds, keys=self.class_keys)
        self.sealing = SealingServicer(*orders, exchange, machine, now=now)
        self.exchange_servicer = ExchangeServicer(
            exchange,
            journal=journal,
            projections=self.setting.projections,
            machine=machine,
            pairwise=pairwise,
            policy_version=self.policy.version,
            outcomes=self.outcomes,
            now=now,
        )


def evidence(kind: EvidenceKind) -> Evidence:
    """Evidence with a commitment to some reference."""
    return Evidence(kind=to_wire(kind), reference_commitment=b"c" * 32)  # type: ignore[arg-type]


async def _at_once() -> None:
    """No start carries out anything."""
