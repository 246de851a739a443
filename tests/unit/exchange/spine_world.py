"""A small exchange for tests of the spine: real keys, directory, policy, log and database; sources that behave."""

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Thread
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, Executable, NullPool, create_engine, delete, insert, update
from sqlalchemy import bindparam as bind

from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, FieldClass, StoredEntry, open_class
from audit.log import Append, Log
from audit.reader import Reader, Selection
from audit.sequencer import INDEX
from audit.startup import create_log
from audit.statement import Statement
from audit.store_sqlite import SqliteStore
from gateway.exchange.call import Call
from gateway.exchange.coverage import Scope
from gateway.exchange.journal import Kind, draft
from gateway.exchange.setting import Setting
from gateway.exchange.spine import Exchange
from gateway.protocol.assertion import Claims, sign_assertion
from gateway.protocol.directory import DirectoryView, read_directory
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import CORE_KEYS, naming_digests
from gateway.protocol.matching.key_scheme import present_keys, split_tokens
from gateway.protocol.names import (
    AgencyId,
    AuthorityId,
    Basis,
    FieldSet,
    FlagState,
    Grantor,
    HandlingCode,
    Purpose,
    Restriction,
    SubjectHandle,
)
from gateway.protocol.policy.bundle import load_california
from gateway.protocol.policy.rules import Policy
from gateway.protocol.wire_names import to_wire
from gateway.rpc.exchange import ExchangeServicer
from gateway.rpc.interceptor import _PEER
from gateway.rpc.machine import MachineCalls
from gateway.store import tables
from gateway.store.alert_keys import AlertKeys
from gateway.store.authorities import SqlAuthorities
from gateway.store.authority_keys import FileAuthorityKeys
from gateway.store.flags import seal_flag
from gateway.store.index import SqlIndex
from gateway.store.log_journal import LogJournal
from gateway.store.lookups import Lookups
from gateway.store.projections import SqlProjections
from gateway.store.reliance import SqlReliance
from gateway.store.reviews import SqlReviews
from gateway.store.tally import SqlTally
from gateway.store.youth_keys import FileYouthKeys
from gateway.telemetry import outcome_counts
from homeward.gateway.v1 import authority_pb2, directory_pb2, exchange_pb2
from homeward.gateway.v1.envelope_pb2 import Evidence, TokenSet
from tests.unit.exchange.spine_parts import (
    ASKER,
    EPOCH,
    FAR_OWNER,
    KINDS,
    ORIGIN,
    OWNER,
    SLOT,
    SOURCES,
    START,
    TEAM,
    TEAM_REFERENCE,
    TRUST_DOMAIN,
    UNBOUNDED,
    Answered,
    Clock,
    Party,
    Question,
    Read,
    at_rest,
    pairwise,
    stamp,
    tokens_of,
)
from tests.unit.exchange.spine_sources import CountySources
from tests.unit.token_sets import SHAPE, tokens_by_key


def flag_payload(question: Question) -> bytes:
    """The bytes of a flag check that are signed."""
    query = exchange_pb2.FlagQuery(request_id=question.request_id, tokens=question.asked, evidence=_evidence(question))
    return query.SerializeToString()


def ref_of(owner: AgencyId, handle: SubjectHandle) -> bytes:
    """By what the index means a youth that `list_youth` lists."""
    return hashlib.sha256(b"ref" + owner.encode() + handle).digest()[:8]


class World:
    """The exchange, its members and its log."""

    def __init__(self, directory: Path, *, auto: bool = True, policy: Policy | None = None) -> None:
        self.path = directory / "log.db"
        self.clock = Clock()
        self.following, self.role = "", directory_pb2.EPOCH_ROLE_FOLLOWING
        self.policy = policy or load_california()
        self.parties = {agency: Party.make(agency) for agency in KINDS}
        self.keys = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
        self.signer = LogSigner(ORIGIN, Ed25519PrivateKey.generate())
        record_keys = {agency: party.record for agency, party in self.parties.items()}
        self.sources = CountySources(self.clock, self.directory, policy=self.policy, record_keys=record_keys)
        self._store = SqliteStore(self.path)
        create_log(self._store, signer=self.signer, high_water=directory / "high-water", also=[tables.metadata])
        self.beat()
        FileYouthKeys.create(directory / "keys.db")
        self.youth_keys = FileYouthKeys(directory / "keys.db", wrapping_key=b"w" * 32, random_bytes=os.urandom)
        self.authority_keys = FileAuthorityKeys(directory / "keys.db", self.youth_keys)
        self.log = Log.open(
            self._store,
            signer=self.signer,
            keys=self.keys,
            high_water=directory / "high-water",
            now=self.clock,
            random_bytes=os.urandom,
        )
        self.reader = Reader(self._store)
        self.journal = LogJournal(self.log)
        lookups = Lookups(self.reader, threaded=False)
        self.alert_keys = AlertKeys(lookups, self.youth_keys)
        self.setting = Setting(
            policy=self.policy,
            directory=self.directory,
            journal=self.journal,
            index=SqlIndex(lookups, at_rest, self.youth_keys),
            authorities=SqlAuthorities(lookups, self.authority_keys),
            projections=SqlProjections(self.keys, self.alert_keys),
            youth_keys=self.youth_keys,
            sources=self.sources,
            reviews=SqlReviews(lookups, at_rest, self.youth_keys),
            reliance=SqlReliance(lookups, at_rest, self.youth_keys),
            tally=SqlTally(self.journal, UNBOUNDED, None),
            pairwise=pairwise,
            random_bytes=os.urandom,
            now=self.clock,
            until=self.clock.until,
            auto=auto,
            slot_seconds=SLOT,
        )
        self.use(self.setting)

    def use(self, setting: Setting) -> None:
        """Calls are answered with this setting from here on."""
        self.exchange, self.outcomes = Exchange(setting), outcome_counts()
        self.servicer = ExchangeServicer(
            self.exchange,
            journal=setting.journal,
            projections=setting.projections,
            machine=MachineCalls(self.directory, self.clock),
            pairwise=pairwise,
            policy_version=self.policy.version,
            outcomes=self.outcomes,
            now=self.clock,
        )

    async def close(self) -> None:
        await self.log.close()
        self.reader.close()
        self.youth_keys.close()

    def directory(self) -> DirectoryView:
        return self._directory

    @cached_property
    def _directory(self) -> DirectoryView:
        parties = self.parties.values()
        message = directory_pb2.Directory(
            trust_domain=TRUST_DOMAIN,
            version=1,
            create_time=stamp(START),
            counties=[party.county() for party in parties],
            members=[party.member() for party in parties],
            log_key=self.signer.public.raw,
            log_origin=ORIGIN,
            policy_version=self.policy.version,
            policy_digest=self.policy.digest,
            epoch=EPOCH,
            counties_without_agreement=[f"{ASKER[:5]}/{FAR_OWNER[:5]}"],
        )
        if self.following:
            message.other_epoch.role = self.role
            message.other_epoch.sharing.epoch = self.following
            message.other_epoch.sharing.generation = 1
            message.other_epoch.sharing.commitments.extend([bytes(32), bytes(32)])
        return read_directory(message.SerializeToString())

    def renew_assertion_key(self, agency: AgencyId) -> None:
        """The directory lists another assertion key of the agency, and no longer the one before."""
        self.parties[agency] = replace(self.parties[agency], assertion=Party.make(agency).assertion)
        self.__dict__.pop("_directory", None)

    def announce(self, epoch: str) -> None:
        """The directory names this epoch beside the current one."""
        self.following = epoch
        self.__dict__.pop("_directory", None)

    def precede(self, epoch: str) -> None:
        """The directory says that this epoch was the current one before."""
        self.role = directory_pb2.EPOCH_ROLE_PRECEDING
        self.announce(epoch)

    # --- what the exchange knows ----------------------------------------------------------

    def register(
        self,
        youth: str,
        *,
        owner: AgencyId = OWNER,
        restriction: Restriction = Restriction.NONE,
        flag: FlagState | None = None,
        keys: Collection[str] = CORE_KEYS,
        placed_in: str = "",
        tokens: TokenSet | None = None,
    ) -> SubjectHandle:
        """The owner lists this youth. Two owners may list the same name: that is another youth with the same tokens."""
        handle = SubjectHandle(hashlib.sha256(f"{owner} {youth}".encode()).digest()[:16])
        row = {
            "owner": owner,
            "handle": handle,
            "ref": ref_of(owner, handle),
            "restriction": restriction,
            "placement_county": placed_in,
            "presence": SHAPE.presence(CORE_KEYS if tokens is None else present_keys(tokens)),
        }
        self._run(insert(tables.subject).values(row))
        shared = keys if tokens is None else present_keys(tokens)
        self.list_tokens(owner, handle, tokens or tokens_of(youth), shared)
        if flag is not None:
            self._put_flag(owner, handle, flag)
        return handle

    def list_tokens(self, owner: AgencyId, handle: SubjectHandle, tokens: TokenSet, shared: Collection[str]) -> None:
        """The youth has these tokens in their epoch, of the keys in `shared`."""
        rows = [
            {"token": rest, "ref": ref_of(owner, handle), "key": place, "epoch": tokens.epoch}
            for place, (key, each) in enumerate(tokens_by_key(tokens).items())
            if key in shared
            for rest in split_tokens(at_rest(tokens.epoch, b"".join(each)))
        ]
        if rows:
            self._run(insert(tables.index_token), rows)

    def _put_flag(self, owner: AgencyId, handle: SubjectHandle, state: FlagState) -> None:
        flag_id = hashlib.sha256(b"flag" + handle).digest()[:16]
        statement = exchange_pb2.FlagStatement(
            flag_id=flag_id,
            county=owner[:5],
            state=to_wire(state),
            handling_code=to_wire(HandlingCode.CALL_DUTY_LINE),
            version=1,
            issue_time=stamp(START),
            expire_time=stamp(START + timedelta(days=30)),
        )
        envelope = wrap(statement, self.parties[owner].flag).SerializeToString()
        sealed = seal_flag(envelope, self._youth_key(owner, handle), flag_id=flag_id, times=(0, 0, 0))
        row = {"flag_id": flag_id, "owner": owner, "handle": handle, "state": state, "version": 1, "sealed": sealed}
        self._run(insert(tables.flag).values(row))

    def _youth_key(self, owner: AgencyId, handle: SubjectHandle) -> bytes:
        # Also where a loop is running, which a youth is registered from without waiting.
        made = Thread(target=lambda: asyncio.run(self.youth_keys.prepare(owner, [handle])))
        made.start()
        made.join()
        row = self.youth_keys.row_of(owner, handle)
        assert row is not None
        return row[0]

    def record_authority(
        self,
        number: int = 1,
        *,
        subject: str | SubjectHandle = "",
        issuer: AgencyId = OWNER,
        to: AgencyId = TEAM,
        purposes: Iterable[Purpose] = (Purpose.CFT_COORDINATION,),
        field_sets: Iterable[FieldSet] = (FieldSet.FS4_PLACEMENT_SUMMARY,),
        basis: Basis = Basis.CONSENT,
        grantor: Grantor = Grantor.NMD_SELF,
        life: timedelta = timedelta(days=90),
    ) -> AuthorityId:
        """An authority is on record for a youth by name (tokens), or by the issuer's handle."""
        identifier = AuthorityId(number.to_bytes(16, "big"))
        message = authority_pb2.Authority(
            authority_id=identifier,
            basis=to_wire(basis),
            grantor=to_wire(grantor),
            issuer_agency=issuer,
            subject=_authority_subject(subject),
            purposes=[to_wire(each) for each in purposes],
            field_sets=[to_wire(each) for each in field_sets],
            recipient_agencies=[to],
            effective_time=stamp(START - timedelta(minutes=1)),
            expire_time=stamp(START - timedelta(minutes=1) + life),
            evidence_commitment=b"e" * 32,
            language_version_hash=b"l" * 32,
            copy_given_to_youth=True,
            redisclosure_prohibited=True,
        )
        sealed = self.authority_keys.seal(identifier, wrap(message, self.parties[issuer].authority))
        row = {"authority_id": identifier, "issuer": issuer, "sealed": sealed, "leaf_index": 0}
        self._run(insert(tables.authority).values(row))
        return identifier

    async def revoke(self, authority_id: AuthorityId) -> int:
        """The revocation is acknowledged; its index."""
        at_ms = int(self.clock().timestamp() * 1000)
        said = {"authority": authority_id.hex(), "revoke_ms": at_ms}
        leaf = draft(Kind.AUTHORITY_REVOKED, requester=OWNER, req=said)
        revocation = self.authority_keys.seal_moment(authority_id, at_ms)
        row = (revocation, authority_id)
        return (await self.log.append(Append(leaf, rows=((_REVOKE, row),)))).index

    async def deny(self, agency: AgencyId) -> int:
        """The member is suspended; the index of that."""
        leaf = draft(Kind.MEMBER_REVOKED, op={"agency": agency})
        return (await self.log.append(Append(leaf, rows=((_DENY, (agency, INDEX)),)))).index

    def silence(self, agency: AgencyId) -> None:
        """The source's last heartbeat is an hour old."""
        self._run(delete(tables.listing).where(tables.listing.c.owner == agency))
        self._list(agency, self.clock() - timedelta(hours=1))

    def beat(self, epochs: Mapping[AgencyId, str] | None = None) -> None:
        """Every source has just sent a heartbeat; `epochs` are those in which a source's list is complete."""
        self._run(delete(tables.listing))
        for agency in SOURCES:
            self._list(agency, self.clock(), (epochs or {}).get(agency, EPOCH))

    def _list(self, agency: AgencyId, at: datetime, epochs: str = EPOCH) -> None:
        moment = int(at.timestamp() * 1000)
        row = {"owner": agency, "revision": 1, "scope": Scope.ALL_IN_CARE, "epochs": epochs, "data_as_of_ms": moment}
        self._run(insert(tables.listing).values(**row, heartbeat_ms=moment))

    def _run(self, clause: Executable, rows: Sequence[dict[str, object]] = ()) -> None:
        with self._engine.begin() as connection:
            connection.execute(clause, rows or None)

    @cached_property
    def _engine(self) -> Engine:
        # It compiles each statement once; no connection is kept.
        return create_engine(f"sqlite:///{self.path}", poolclass=NullPool)

    # --- asking ---------------------------------------------------------------------------

    async def records(self, question: Question) -> Answered:
        """A request for records, through the servicer."""
        payload = exchange_pb2.RecordsQuery(
            request_id=question.request_id,
            tokens=question.asked,
            evidence=_evidence(question),
            field_sets=[to_wire(each) for each in question.field_sets],
            page=question.page,
            recipient_key_id=self.parties[question.by].seal.key_id,
        ).SerializeToString()
        request = exchange_pb2.RequestRecordsRequest(payload=payload, user_assertion=self.assertion(question, payload))
        return await self._asked(question, lambda: self.servicer.RequestRecords(request, None))

    async def flag(self, question: Question) -> Answered:
        """A flag check, through the servicer."""
        payload = flag_payload(question)
        request = exchange_pb2.CheckFlagRequest(payload=payload, user_assertion=self.assertion(question, payload))
        return await self._asked(question, lambda: self.servicer.CheckFlag(request, None))

    @contextmanager
    def speaking(self, agency: AgencyId) -> Iterator[None]:
        """Calls within come over this agency's channel."""
        bound = _PEER.set(self.parties[agency].peer)
        try:
            yield
        finally:
            _PEER.reset(bound)

    async def _asked(self, question: Question, call: Callable[[], Awaitable[object]]) -> Answered:
        before, began = self.size(), self.clock()
        with self.speaking(question.by):
            response = await call()
        return Answered(response, (self.clock() - began).total_seconds(), self.entries(before))  # type: ignore[arg-type]

    def assertion(self, question: Question, payload: bytes) -> str:
        """The county's signed word that its user asks exactly this."""
        party, now = self.parties[question.by], self.clock()
        claims = Claims(
            issuer=party.agency,
            subject=question.worker,
            actor=party.identity.uri,
            role=question.role,
            purpose=question.purpose,
            authority_id=question.authority,
            request_digest=hashlib.sha256(payload).digest(),
            channel_thumbprint=party.thumbprint,
            audience=TRUST_DOMAIN,
            assertion_id=question.assertion or f"jti-{question.request_id.hex()}",
            issued=now,
            expires=now + timedelta(seconds=60),
            login=now - timedelta(minutes=1),
        )
        return sign_assertion(claims, party.assertion)

    def call(self, question: Question, payload: bytes) -> Call:
        """The call as the edge hands it to the spine."""
        party = self.parties[question.by]
        token = self.assertion(question, payload)
        return Call(payload, token, party.agency, party.identity.uri, party.thumbprint, self.clock())

    # --- reading the log ------------------------------------------------------------------

    def size(self) -> int:
        return self.reader.tree().size

    def entries(self, start: int = 0) -> list[Read]:
        """Entries from this index on."""
        marks = self.youth_keys.every_mark()
        return [self._read(entry, marks.get(entry.tag)) for entry in self.reader.entries(Selection(start=start))]

    def _read(self, entry: StoredEntry, youth_key: bytes | None) -> Read:
        fields: dict[str, str | bytes] = {}
        classes = [(FieldClass.OP, self.keys.op), (FieldClass.REQ, self.keys.req), (FieldClass.HOLD, self.keys.hold)]
        if youth_key is not None:
            classes.append((FieldClass.YOUTH, youth_key))
        for cls, key in classes:
            for opening in open_class(entry, cls, key):
                value = opening.value
                fields.setdefault(opening.name, value.decode() if value.isascii() else value)
        return Read(entry.index, entry.requester, entry.holder, fields)


_REVOKE: Final = Statement(
    update(tables.authority)
    .where(tables.authority.c.authority_id == bind("authority_"))
    .values(revocation=bind("revocation_")),
    "revocation_",
    "authority_",
)
_DENY: Final = Statement(insert(tables.denied))


def _evidence(question: Question) -> list[Evidence]:
    return [Evidence(kind=to_wire(kind), reference_commitment=TEAM_REFERENCE) for kind in question.evidence]


def _authority_subject(subject: str | SubjectHandle) -> authority_pb2.AuthoritySubject:
    if isinstance(subject, bytes):
        return authority_pb2.AuthoritySubject(handle=subject)
    digests = sorted(naming_digests(tokens_of(subject)))
    return authority_pb2.AuthoritySubject(token_digests=authority_pb2.SubjectTokenDigests(digests=digests))
