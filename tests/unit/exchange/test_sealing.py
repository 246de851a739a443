"""Sealing: what is left of a youth at the exchange is nothing that opens, links or answers; the log still verifies.

The forensic tests look where somebody would who has taken everything the exchange has: every file byte for byte, an
earlier backup, every key that is still there, and names to guess from. Each search has its control: the same search
finds a youth that was not sealed.
"""

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audit.checkpoint import Checkpoint
from audit.entry import FieldClass, StoredEntry, YouthKey, open_class, youth_tag
from audit.errors import EvidenceError
from audit.leaf import class_stream, field_digest, field_salt
from audit.publish import Publisher
from audit.published import verify_published
from audit.reader import Selection
from audit.source import DirectorySource
from audit.verify import verify_log
from gateway.errors import Conflict, ErrorReason, Invalid, Unavailable
from gateway.exchange.journal import Kind
from gateway.exchange.notices import SealState
from gateway.exchange.sealing import Court
from gateway.ports import Rows
from gateway.protocol.envelope import wrap
from gateway.protocol.escrow import EscrowBroken, open_case_key, release
from gateway.protocol.names import AgencyId, AuthorityId, Purpose, Role, SubjectHandle
from gateway.protocol.notices import open_notice
from gateway.protocol.sealing import SealBroken, SealKey
from gateway.replay import Keys, replay_log
from gateway.store import tables
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.escrow import FileEscrow
from gateway.store.youth_keys import FileYouthKeys, youth_name
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    OUTCOME_NOT_PERMITTED,
    OUTCOME_RECORDED,
    Outcome,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.exchange_pb2 import SealedRecord
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, Subject
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, WORK_STATUS_ANSWERED, WorkOrder, WorkResult
from tests.unit.exchange.members import KERN, LA, POLICE, SF, Act, Youth, handle_of, officer, staff
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.test_authorities import listed as authorities_of
from tests.unit.exchange.world import World

ANA, BEN = Youth("Ana Invented"), Youth("Ben Invented", "2011-06-07")
CASE = b"k" * 32
GUESSES = 20_000


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


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


async def recall(world: World, handle: bytes, kind: pb.NoticeKind) -> pb.RecallResponse:
    message = pb.RecallOrder(request_id=os.urandom(16), kind=kind, subject_handle=handle)
    request = world.signed(pb.RecallRequest, message, officer(SF))
    return await world.as_peer(SF, lambda: world.sealing.Recall(request, None))


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
    """Every youth's key that whoever has keys.db and the wrapping key can read, whatever row it is in."""
    with sqlite3.connect(directory / "keys.db") as connection:
        names = [bytes(row[0]) for row in connection.execute("SELECT name FROM youth_key")]
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


# --- what the exchange says --------------------------------------------------------------------


async def test_a_sealed_youth_answers_like_one_nobody_knows(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    assert (done.outcome, len(done.seal_id)) == (OUTCOME_RECORDED, 16)
    unknown, sealed = await world.check_flag(POLICE, Youth("Nobody")), await world.check_flag(POLICE, ANA)
    assert sealed.answer.outcome == unknown.answer.outcome != OUTCOME_ANSWERED
    unknown_records, records = await world.ask_records(KERN, Youth("Nobody")), await world.ask_records(KERN, ANA)
    assert records.outcome == unknown_records.outcome != OUTCOME_ANSWERED
    assert {f.name for f, _ in records.ListFields()} == {f.name for f, _ in unknown_records.ListFields()}
    assert (await world.check_flag(POLICE, BEN)).answer.outcome == OUTCOME_ANSWERED


async def test_no_table_names_a_sealed_youth(world: World) -> None:
    handles = await lived(world)
    await restrict(world, handles[ANA])
    for table in tables.metadata.sorted_tables:
        for row in world.rows(table):
            assert handles[ANA] not in row.values(), table.name
    assert any(handles[BEN] in row.values() for row in world.rows(tables.flag))


async def test_the_entry_of_a_seal_names_nobody_and_only_the_court_opens_its_case(world: World) -> None:
    handles = await lived(world)
    before = world.size()
    done = await restrict(world, handles[ANA])
    (leaf,) = [each for each in await world.leaves(before) if each.kind == Kind.SEAL_RESTRICTED]
    assert leaf.op == {
        "kind": Kind.SEAL_RESTRICTED,
        "outcome": "RECORDED",
        "notice": done.seal_id.hex(),
        "notices": "3",
    }
    assert leaf.entry.holder == ""
    assert handles[ANA] not in b"".join([*leaf.req.values(), *leaf.hold.values()])
    assert not opens(leaf.entry, every_key(world._database.parent))
    (row,) = world.rows(tables.seal_case)
    key = open_case_key(bytes(row["sealed"]), world.custodian, done.seal_id)  # type: ignore[call-overload]
    assert [each.value for each in open_class(leaf.entry, FieldClass.YOUTH, key)] == [CASE]
    with pytest.raises(EscrowBroken):
        open_case_key(bytes(row["sealed"]), world.release_key, done.seal_id)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "act",
    [staff(SF), Act(SF, Role("AUDITOR.internal"), Purpose.OVERSIGHT_AUDIT)],
)
async def test_nobody_but_a_privacy_officer_seals(world: World, act: Act) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA], act=act)
    assert (done.outcome, done.seal_id) == (OUTCOME_NOT_PERMITTED, b"")
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED


async def test_another_county_seals_nothing(world: World) -> None:
    handles = await lived(world)
    with pytest.raises(Invalid):
        await restrict(world, handles[ANA], act=officer(LA))
    done = await restrict(world, handles[ANA])
    with pytest.raises(Invalid):
        await order(world, act=officer(LA), operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)


async def test_the_same_order_again_has_happened_once(world: World) -> None:
    handles, request_id = await lived(world), os.urandom(16)
    first = await restrict(world, handles[ANA], request_id=request_id)
    again = await restrict(world, handles[ANA], request_id=request_id)
    assert (again.seal_id, again.receipt.index) == (first.seal_id, first.receipt.index)
    with pytest.raises(Conflict):
        await restrict(world, handles[BEN], request_id=request_id)


# --- forensics ---------------------------------------------------------------------------------


async def test_nothing_that_was_taken_from_the_exchange_opens_or_links_a_sealed_youth(
    world: World, tmp_path: Path
) -> None:
    handles = await lived(world)
    sealed, open_still = await entries_of(world, ANA), await entries_of(world, BEN)
    (key, _), backup = world.youth_keys.row_of(SF, handles[ANA]) or (b"", 0), tmp_path.with_name("backup")
    shutil.copytree(tmp_path, backup, ignore=shutil.ignore_patterns("keys.db*"))
    wrapped = _wrapped(tmp_path, handles[ANA])
    assert wrapped in everything(tmp_path)
    await restrict(world, handles[ANA])
    taken = everything(tmp_path)
    for secret in (key, wrapped, handles[ANA], youth_name(SF, handles[ANA]), *world.tokens(ANA).keys[0].tokens):
        assert secret not in taken
    # The control: what of it rests in the open is found of a youth that is not sealed.
    assert handles[BEN] in taken
    assert _wrapped(tmp_path, handles[BEN]) in taken
    keys = every_key(tmp_path)
    marks = {youth_tag(YouthKey(each, counter)) for each in keys for counter in range(1000)}
    assert not any(entry.tag in marks or opens(entry, keys) for entry in sealed)
    assert all(entry.tag in marks and opens(entry, keys) for entry in open_still)
    # Nor does the backup from before, which still has every row: no key in it opens an entry.
    assert all(secret not in everything(backup) for secret in (key, wrapped))
    shutil.rmtree(backup)


async def test_the_search_finds_a_key_that_was_only_deleted(world: World, tmp_path: Path) -> None:
    """The control of the search itself: what SQLite alone leaves of a deleted row is seen."""
    handles = await lived(world)
    wrapped = _wrapped(tmp_path, handles[ANA])
    with sqlite3.connect(tmp_path / "keys.db") as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        digest = world.youth_keys.sealed_digest(youth_name(SF, handles[ANA]))
        connection.execute("INSERT INTO sealed_name VALUES (?)", (digest,))
        connection.execute("DELETE FROM youth_key WHERE name = ?", (youth_name(SF, handles[ANA]),))
    connection.close()
    assert wrapped in everything(tmp_path)


async def test_guessing_names_against_the_digests_of_a_sealed_youth_finds_nothing(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    sealed, open_still = await entries_of(world, ANA), await entries_of(world, BEN)
    await restrict(world, handles[ANA])
    keys, candidates = every_key(tmp_path), [sha256(b"guess %d" % each).digest()[:16] for each in range(GUESSES)]
    candidates += [handles[ANA], handles[BEN]]
    assert not _hits(sealed[:1], keys, candidates)
    assert _hits(open_still[:1], keys, candidates) == {handles[BEN]}


async def test_what_is_published_verifies_before_and_after_and_says_nothing_of_the_youth(
    world: World, tmp_path: Path
) -> None:
    handles = await lived(world)
    (key, _), published = world.youth_keys.row_of(SF, handles[ANA]) or (b"", 0), tmp_path / "published"
    before = publish(world, published)
    leaf = (await entries_of(world, ANA))[0].leaf
    await restrict(world, handles[ANA])
    after = publish(world, published, before)
    assert after.size == before.size + 1
    tiles = everything(published)
    assert all(secret not in tiles for secret in (key, handles[ANA], handles[BEN]))
    # The control: what is published are the very leaves, the sealed youth's among them.
    assert leaf in tiles


def publish(world: World, directory: Path, *earlier: Checkpoint) -> Checkpoint:
    """The log is published; what is published verifies and continues what was: the checkpoint that it did under."""
    publisher = Publisher(world.reader, directory, signer=world.signer)
    publisher.open()
    prepared = publisher.prepare()
    assert prepared is not None
    publisher.publish(prepared, prepared.note)
    publisher.close()
    verify_published(DirectorySource(directory), key=world.signer.public, outside=earlier)
    return prepared.checkpoint


async def test_every_proof_and_number_holds_after_a_seal_as_before(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    size = world.size()
    before = [(entry.index, entry.leaf) for entry in world.reader.entries(Selection(), limit=size)]
    root = verify_log(world.reader, key=world.signer.public)
    await restrict(world, handles[ANA])
    after = [(entry.index, entry.leaf) for entry in world.reader.entries(Selection(), limit=size)]
    assert after == before
    verified = verify_log(world.reader, key=world.signer.public)
    assert verified.size > root.size == size
    # The county still sees every entry that concerns it, numbered without a gap; the sealed ones stay closed to it.
    page = await world.read_log(officer(SF), wanted=EntryFilter(), page_size=500)
    numbers = {int.from_bytes(o.value, "big") for e in page.entries for o in e.openings if o.name == "seq"}
    assert numbers == set(range(1, max(numbers) + 1))
    assert handles[ANA] not in {o.value for e in page.entries for o in e.openings}
    assert handles[BEN] in {o.value for e in page.entries for o in e.openings}


async def test_a_replay_reports_what_was_sealed_and_follows_the_rest(world: World) -> None:
    handles = await lived(world)

    def replayed() -> tuple[int, int, int]:
        keys = Keys(world.class_keys, world.youth_keys.every_mark())
        counts = replay_log(world.reader, keys, [world.policy])
        return counts.recomputed, counts.sealed, counts.released

    again, sealed, released = replayed()
    assert (again, sealed) == (4, 0)
    await restrict(world, handles[ANA])
    assert replayed() == (again - 2, 2, released)


async def test_a_database_from_before_the_seal_does_not_bring_the_youth_back(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    saved = {name: world.rows(table) for name, table in (("subject", tables.subject), ("token", tables.index_token))}
    await restrict(world, handles[ANA])
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        # The rows of the index as the backup has them.
        for row in saved["subject"]:
            if row["handle"] == handles[ANA]:
                marks = ", ".join("?" for _ in row)
                database.execute(f"INSERT INTO subject VALUES ({marks})", tuple(row.values()))  # noqa: S608
        for row in saved["token"]:
            if row["handle"] == handles[ANA]:
                database.execute("INSERT INTO index_token VALUES (?, ?, ?, ?, ?)", tuple(row.values()))
    database.close()
    await world.seals.settle(world.setting.journal)
    assert handles[ANA] not in {row["handle"] for row in world.rows(tables.subject)}
    assert handles[BEN] in {row["handle"] for row in world.rows(tables.subject)}
    assert [leaf.op["count"] for leaf in await world.leaves() if leaf.kind == Kind.SEAL_ENFORCED] == ["1"]
    # Nor does the county's own adapter, put back to before the seal: it is told, and its other youths are listed.
    subjects = [Subject(handle=handle_of(SF, each), tokens=world.tokens(each)) for each in (ANA, Youth("New"))]
    for subject in subjects:
        subject.restriction = RESTRICTION_NONE
    answer = await world.list_subjects(SF, subjects=subjects)
    assert list(answer.sealed_handles) == [handles[ANA]]
    assert handles[ANA] not in {row["handle"] for row in world.rows(tables.subject)}
    assert handle_of(SF, Youth("New")) in {row["handle"] for row in world.rows(tables.subject)}
    await world.youth_keys.prepare(SF, [handles[ANA]])
    assert world.youth_keys.row_of(SF, handles[ANA]) is None


async def test_a_database_from_before_the_seal_names_nobody_who_was_not_listed_any_more(
    world: World, tmp_path: Path
) -> None:
    """A youth that was found and taken off the list still has its flag, until it is sealed."""
    handles = await lived(world)
    (flag,) = [row for row in world.rows(tables.flag) if row["handle"] == handles[ANA]]
    await restrict(world, handles[ANA])
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("INSERT INTO flag VALUES (?, ?, ?, ?, ?, ?)", tuple(flag.values()))
    await world.seals.settle(world.setting.journal)
    assert handles[ANA] not in {row["handle"] for row in world.rows(tables.flag)}
    assert handles[BEN] in {row["handle"] for row in world.rows(tables.flag)}


async def test_a_crash_after_the_entry_is_made_good_at_the_next_start(world: World) -> None:
    handles = await lived(world)
    escrow = world.seals.escrow
    escrow.deposit(SF, handles[ANA], b"1" * 16, custodian_key=world.custodian.public_bytes)
    escrow.deposit(SF, handles[BEN], b"2" * 16, custodian_key=world.custodian.public_bytes)
    escrow.settle(sealed={b"1" * 16}, destroyed=frozenset())
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    assert escrow.copy_of(b"1" * 16)
    # No entry says that the other was sealed: its key stays, and the copy is forgotten.
    assert world.youth_keys.row_of(SF, handles[BEN]) is not None
    assert escrow.copy_of(b"2" * 16) is None


class Killed(Exception):
    """The process ended here."""


@dataclass(frozen=True)
class KilledBeforeTheKeyLeaves:
    """An escrow whose process is killed between the entry of a seal and the key's leaving."""

    escrow: FileEscrow

    def deposit(self, *args: Any, **said: Any) -> None:
        self.escrow.deposit(*args, **said)

    def withdraw(self, seal_id: bytes) -> None:
        raise Killed


async def test_whoever_is_killed_between_the_entry_and_the_key_starts_again(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handles[ANA]), recipient_agencies=[LA])
    await record(world, message, agency=SF)
    sealing = world.sealing._sealing
    object.__setattr__(sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))
    with pytest.raises(Killed):
        await restrict(world, handles[ANA])
    # The start checks the tables before it carries out what is left of the seal.
    world.check_projections()
    # The rows of a youth whose seal no entry knows must be what the log says, whatever waits to leave.
    world.seals.escrow.deposit(SF, handles[BEN], b"2" * 16, custodian_key=world.custodian.public_bytes)
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        (state,) = database.execute("SELECT state FROM flag").fetchone()
        database.execute("UPDATE flag SET state = 'RESOLVED'")
    with pytest.raises(EvidenceError):
        world.check_projections()
    with database:
        database.execute("UPDATE flag SET state = ?", (state,))
    database.close()
    await world.seals.settle(world.setting.journal)
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    assert world.youth_keys.row_of(SF, handles[BEN]) is not None


async def test_a_release_that_was_under_way_ends_with_the_seal(world: World) -> None:
    handles = await lived(world)

    async def seal_meanwhile(agency: AgencyId, work: WorkOrder) -> WorkResult:
        await restrict_from_inside(world, handles[ANA])
        return answers(agency, work)

    world.sources.meanwhile = seal_meanwhile
    late = await world.ask_records(KERN, ANA)
    assert late.outcome != OUTCOME_ANSWERED
    assert not late.sources


class Meanwhile(SqlAuthorityBook):
    """A book in which something happens before the first authority is put."""

    happens: ClassVar[list[Callable[[], Awaitable[None]]]] = []

    async def put(
        self, authority_id: AuthorityId, issuer: AgencyId, envelope: SignedEnvelope, parties: frozenset[AgencyId]
    ) -> Rows:
        while self.happens:
            await self.happens.pop()()
        return await super().put(authority_id, issuer, envelope, parties)


async def test_an_authority_that_was_under_way_is_not_on_record_after_the_seal(world: World) -> None:
    """Its key is not among those that left: its row would say for good whom it was about, and lead to its entry."""
    handles = await lived(world)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handles[ANA]), recipient_agencies=[LA])
    object.__setattr__(world.sealing._sealing, "escrow", KilledBeforeTheKeyLeaves(world.seals.escrow))

    async def sealed() -> None:
        with pytest.raises(Killed):
            await restrict_from_inside(world, handles[ANA])

    book = Meanwhile(world.lookups, world.authority_keys)
    book.happens.append(sealed)
    world.records._book = book
    with pytest.raises(Invalid):
        await record(world, message, agency=SF)
    assert not world.rows(tables.authority)
    await world.seals.settle(world.setting.journal)


async def restrict_from_inside(world: World, handle: bytes) -> None:
    """The order arrives while another peer's call waits for its source."""
    await asyncio.get_running_loop().create_task(restrict(world, handle))


async def test_whoever_reads_for_long_while_a_youth_is_sealed_stops_no_entry(world: World, tmp_path: Path) -> None:
    """A mirror's round reads one state of the database for minutes; the log takes a long wait for a fault."""
    handles = await lived(world)
    (row,) = [row for row in world.rows(tables.flag) if row["handle"] == handles[ANA]]
    sealed_flag = bytes(row["sealed"])  # type: ignore[call-overload]
    with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM log_entry").fetchone()
        order = asyncio.get_running_loop().create_task(restrict(world, handles[ANA]))
        waits = []
        while not order.done():
            began = time.monotonic()
            assert (await world.check_flag(POLICE, BEN)).answer.outcome == OUTCOME_ANSWERED
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.02)
        assert (await order).outcome == OUTCOME_RECORDED
        # A quarter of the log's patience with the database.
        assert max(waits) < 1.25
        reader.execute("COMMIT")
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    # What could not be taken out of the files meanwhile the next start takes out.
    assert sealed_flag in everything(tmp_path)
    await world.seals.settle(world.setting.journal)
    assert sealed_flag not in everything(tmp_path)


# --- lifting and destroying --------------------------------------------------------------------


async def test_a_court_can_lift_a_seal_with_the_custodians_copy(world: World) -> None:
    handles = await lived(world)
    before = await entries_of(world, ANA)
    done = await restrict(world, handles[ANA])
    copy = world.seals.escrow.copy_of(done.seal_id) or b""
    released = release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=done.seal_id)
    lifted = await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)
    assert lifted.outcome == OUTCOME_RECORDED
    assert (done.subject_handle, lifted.subject_handle) == (b"", handles[ANA])
    assert await entries_of(world, ANA) == before
    assert await world.register(SF, ANA) == handles[ANA]
    assert len({(await world.youth_keys.next(SF, handles[ANA])).counter for _ in range(3)}) == 3
    with pytest.raises(Invalid):
        await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)


async def test_an_authority_that_a_seal_took_away_comes_back_under_no_seal_that_was_lifted(
    world: World, tmp_path: Path
) -> None:
    handles = await lived(world)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handles[ANA]), recipient_agencies=[LA])
    await record(world, message, agency=SF)
    await revoke(world, message.authority_id, agency=LA)
    (row,) = world.rows(tables.authority)
    kept = world.authority_keys.open(AuthorityId(message.authority_id), bytes(row["sealed"]))  # type: ignore[call-overload]
    assert kept is not None
    assert message.evidence_commitment in kept.payload
    done = await restrict(world, handles[ANA])
    assert bytes(row["sealed"]) not in everything(tmp_path)  # type: ignore[call-overload]
    assert world.authority_keys.open(AuthorityId(message.authority_id), bytes(row["sealed"])) is None  # type: ignore[call-overload]
    copy = world.seals.escrow.copy_of(done.seal_id) or b""
    released = release(copy, world.custodian, to=world.release_key.public_bytes, seal_id=done.seal_id)
    await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released)
    await world.register(SF, ANA)
    with pytest.raises(Conflict):
        await record(world, message, agency=SF)
    world.check_projections()


async def test_an_older_database_lists_no_authority_about_a_sealed_youth(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handles[ANA]), recipient_agencies=[LA])
    await record(world, message, agency=SF)
    (row,), parties = world.rows(tables.authority), world.rows(tables.authority_party)
    assert len((await authorities_of(world, agency=LA)).authorities) == 1
    await restrict(world, handles[ANA])
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
        database.execute("UPDATE authority SET sealed = ?", (row["sealed"],))
        database.executemany("INSERT INTO authority_party VALUES (?, ?, ?)", [tuple(each.values()) for each in parties])
    assert not (await authorities_of(world, agency=LA)).authorities
    with pytest.raises(Invalid):
        await revoke(world, message.authority_id, agency=LA)


async def test_only_the_custodian_can_release_and_only_to_the_seal_it_is_of(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    copy, to = world.seals.escrow.copy_of(done.seal_id) or b"", world.release_key.public_bytes
    for thief in (world.release_key, SealKey.generate(), world.membership.members[SF].seal):
        with pytest.raises(EscrowBroken):
            release(copy, thief, to=to, seal_id=done.seal_id)
    with pytest.raises(EscrowBroken):
        release(copy, world.custodian, to=to, seal_id=b"x" * 16)
    released = release(copy, world.custodian, to=to, seal_id=done.seal_id)
    for wrong in (released[:-1] + bytes([released[-1] ^ 1]), copy, b""):
        with pytest.raises(Invalid):
            await order(world, operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=wrong)
    with pytest.raises(Invalid):
        await order(
            world, act=officer(LA), operation=pb.SEAL_OPERATION_LIFT, seal_id=done.seal_id, released_key=released
        )


async def test_what_was_destroyed_is_gone_for_the_custodian_too(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    copy = world.seals.escrow.copy_of(done.seal_id) or b""
    assert copy in everything(tmp_path)
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)
    assert world.seals.escrow.copy_of(done.seal_id) is None
    assert copy[:64] not in everything(tmp_path)
    assert copy[-64:] not in everything(tmp_path)
    assert {row["state"] for row in world.rows(tables.seal)} == {SealState.DESTROYED}


async def test_destroying_at_once_keeps_no_copy(world: World) -> None:
    handles = await lived(world)
    done = await order(world, operation=pb.SEAL_OPERATION_DESTROY, subject_handle=handles[ANA])
    assert world.seals.escrow.copy_of(done.seal_id) is None
    assert world.youth_keys.row_of(SF, handles[ANA]) is None
    assert done.notice_count == 3


async def test_without_a_custodian_nothing_is_sealed(world: World) -> None:
    handles = await lived(world)
    object.__setattr__(world.sealing._sealing, "court", Court(None, world.release_key))
    with pytest.raises(Unavailable) as refused:
        await restrict(world, handles[ANA])
    assert refused.value.reason is ErrorReason.NOT_READY
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED


# --- notices -----------------------------------------------------------------------------------


async def test_exactly_those_who_were_told_get_a_notice_with_their_own_entries(world: World) -> None:
    handles = await lived(world)
    await world.check_flag(LA, Youth("Ana Another"))
    mine = {
        agency: {entry.index for entry in await entries_of(world, ANA) if entry.requester == agency}
        for agency in (POLICE, KERN)
    }
    done = await restrict(world, handles[ANA])
    for agency in (POLICE, KERN):
        ((notice_id, indexes),) = await notices(world, agency)
        assert notice_id == done.seal_id
        assert set(indexes) == mine[agency]
    assert await notices(world, LA) == []
    ((_, all_of_them),) = await notices(world, SF)
    assert set(all_of_them) > mine[POLICE] | mine[KERN]


async def test_a_notice_opens_for_its_agency_alone_and_all_are_of_one_size(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    rows = world.rows(tables.notice_copy)
    assert len({len(bytes(row["sealed"])) for row in rows}) == 1  # type: ignore[call-overload]
    for row in rows:
        other = POLICE if row["agency"] != POLICE else KERN
        with pytest.raises(SealBroken):
            open_notice(done.seal_id, bytes(row["sealed"]), world.membership.members[other].seal)  # type: ignore[call-overload]


async def test_who_has_not_answered_is_listed_until_it_has(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    await acknowledge(world, KERN, done.seal_id)
    await acknowledge(world, SF, done.seal_id)
    (sent,) = (await listed(world, officer(SF), open_only=True)).notices
    assert {copy.agency for copy in sent.copies if not copy.HasField("acknowledge_time")} == {POLICE}
    await acknowledge(world, POLICE, done.seal_id)
    assert not (await listed(world, officer(SF), open_only=True)).notices
    (sent,) = (await listed(world, officer(SF))).notices
    assert {copy.finding for copy in sent.copies} == {pb.NOTICE_FINDING_DONE}
    # Nothing sealed is kept once it was answered, and each answer is an entry.
    assert {row["sealed"] for row in world.rows(tables.notice_copy)} == {b""}
    answered = [leaf for leaf in await world.leaves() if leaf.kind == Kind.NOTICE_ACKNOWLEDGED]
    assert {leaf.entry.requester for leaf in answered} == {SF, KERN, POLICE}
    assert not (await listed(world, officer(LA))).notices


async def test_nobody_acknowledges_what_it_was_not_sent(world: World) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    with pytest.raises(Invalid):
        await acknowledge(world, LA, done.seal_id)


async def test_a_recall_goes_to_exactly_those_who_were_told(world: World) -> None:
    handles = await lived(world)
    refused = await world.ask_records(LA, ANA)
    assert refused.outcome != Outcome.Value("OUTCOME_UNSPECIFIED")
    told = {POLICE, KERN} | ({LA} if refused.outcome == OUTCOME_ANSWERED else set())
    done = await recall(world, handles[ANA], pb.NOTICE_KIND_WRONG_YOUTH)
    assert done.notice_count == len(told)
    (sent,) = (await listed(world, officer(SF))).notices
    assert {copy.agency for copy in sent.copies} == told
    assert (await world.check_flag(POLICE, ANA)).answer.outcome == OUTCOME_ANSWERED


async def test_a_retracted_flag_is_recalled_from_those_who_were_told_of_it(world: World) -> None:
    handles = await lived(world)
    done = await recall(world, handles[ANA], pb.NOTICE_KIND_FLAG_RETRACTED)
    (sent,) = (await listed(world, officer(SF))).notices
    assert (done.notice_count, [copy.agency for copy in sent.copies]) == (1, [POLICE])
    ((_, indexes),) = await notices(world, POLICE)
    assert len(indexes) == 1
    plain = await world.register(SF, Youth("Unflagged"))
    with pytest.raises(Invalid) as refused:
        await recall(world, plain, pb.NOTICE_KIND_FLAG_RETRACTED)
    assert refused.value.reason is ErrorReason.FLAG_NOT_FOUND


def _wrapped(directory: Path, handle: SubjectHandle) -> bytes:
    with sqlite3.connect(directory / "keys.db") as connection:
        row = connection.execute("SELECT wrapped FROM youth_key WHERE name = ?", (youth_name(SF, handle),)).fetchone()
    connection.close()
    return bytes(row[0])


def _hits(entries: Iterable[StoredEntry], keys: Iterable[bytes], candidates: Iterable[bytes]) -> set[bytes]:
    """Candidates that are the `handle` behind a digest, salted with any key that is still there, or with none."""
    candidates, found = list(candidates), set()
    for entry in entries:
        digests = {entry.digests[at : at + 32] for at in range(0, len(entry.digests), 32)}
        streams = [class_stream(key, b"youth", entry.nonce) for key in keys]
        salts = [field_salt(stream, slot) for stream in streams for slot in range(16)] + [bytes(32), entry.nonce * 2]
        for salt in salts:
            found |= {each for each in candidates if field_digest(salt, "handle", each) in digests}
    return found
