"""What is left of a sealed youth at the exchange is nothing that opens or links; the log still verifies.

The tests look where somebody would who has taken everything the exchange has: every file byte for byte, an earlier
backup, every key that is still there, and names to guess from. Each search has its control: the same search finds a
youth that was not sealed.
"""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audit.checkpoint import Checkpoint
from audit.entry import StoredEntry, YouthKey, youth_tag
from audit.errors import EvidenceError
from audit.leaf import FIELD_SLOTS, class_stream, field_digest, field_salt
from audit.publish import Publisher
from audit.published import verify_published
from audit.reader import Selection
from audit.source import DirectorySource
from audit.verify import verify_log
from gateway.errors import Invalid
from gateway.exchange.journal import Kind
from gateway.exchange.notices import SealState
from gateway.ports import Rows
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.replay import read_keys, replay_log
from gateway.store import tables
from gateway.store.authority_book import SqlAuthorityBook
from gateway.store.escrow import FileEscrow, erasing_waits
from gateway.store.youth_keys import youth_name
from homeward.audit.v1.log_pb2 import EntryFilter
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    OUTCOME_RECORDED,
)
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope
from homeward.gateway.v1.index_pb2 import RESTRICTION_NONE, Subject
from homeward.gateway.v1.link_pb2 import WorkOrder, WorkResult
from tests.unit.exchange.members import KERN, LA, POLICE, SF, Youth, handle_of, officer
from tests.unit.exchange.seal_desk import (
    ANA,
    BEN,
    answers,
    entries_of,
    every_key,
    everything,
    lived,
    opens,
    restrict,
)
from tests.unit.exchange.test_authorities import consent, record
from tests.unit.exchange.world import World

GUESSES = 20_000


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
    for secret in (key, wrapped, handles[ANA], youth_name(SF, handles[ANA]), *split_tokens(world.tokens(ANA).tokens)):
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
        keys = read_keys(world.seals.escrow.path, world.class_keys, world.youth_keys)
        counts = replay_log(world.reader, keys, [world.policy])
        return counts.recomputed, counts.sealed, counts.released

    again, sealed, released = replayed()
    assert (again, sealed) == (4, 0)
    await restrict(world, handles[ANA])
    assert replayed() == (again - 2, 2, released)


async def test_a_database_from_before_the_seal_does_not_bring_the_youth_back(world: World, tmp_path: Path) -> None:
    handles = await lived(world)
    saved = {name: world.rows(table) for name, table in (("subject", tables.subject), ("token", tables.index_token))}
    (ref,) = (row["ref"] for row in saved["subject"] if row["handle"] == handles[ANA])
    await restrict(world, handles[ANA])
    with sqlite3.connect(tmp_path / "gateway.db") as database:
        # The rows of the index as the backup has them.
        for row in saved["subject"]:
            if row["handle"] == handles[ANA]:
                marks = ", ".join("?" for _ in row)
                database.execute(f"INSERT INTO subject VALUES ({marks})", tuple(row.values()))  # noqa: S608
        for row in saved["token"]:
            if row["ref"] == ref:
                database.execute("INSERT INTO index_token VALUES (?, ?, ?, ?)", tuple(row.values()))
    database.close()
    await world.seals.settle(world.setting.journal)
    assert handles[ANA] not in {row["handle"] for row in world.rows(tables.subject)}
    assert ref not in {row["ref"] for row in world.rows(tables.index_token)}
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
    escrow.settle({b"1" * 16: SealState.RESTRICTED})
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

    def waiting(self) -> list[bytes]:
        return self.escrow.waiting()

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
    assert erasing_waits(tmp_path / "keys.db")
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
    assert not erasing_waits(tmp_path / "keys.db")
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
        salts = [field_salt(stream, slot) for stream in streams for slot in range(FIELD_SLOTS)]
        salts += [bytes(32), entry.nonce * 2]
        for salt in salts:
            found |= {each for each in candidates if field_digest(salt, "handle", each) in digests}
    return found
