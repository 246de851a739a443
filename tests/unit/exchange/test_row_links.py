"""After a seal, nothing in an older backup of the database leads from the youth to entries of the log.

The search (`row_links`) has its controls: what this project's rows once held is planted in the backup, and found.
"""

import os
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from pathlib import Path

import pytest

from audit.entry import StoredEntry
from audit.reader import Selection
from audit.sequencer import Append
from gateway.exchange.journal import Kind, draft
from gateway.protocol.names import AgencyId, AuthorityId, EvidenceKind, FieldSet, Purpose, Role, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from gateway.protocol.wire_names import to_wire
from gateway.store.youth_keys import authority_name, youth_name
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1 import missing_pb2 as missing
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.codes_pb2 import OUTCOME_ANSWERED
from homeward.gateway.v1.restoration_pb2 import PresentedRevocation
from homeward.gateway.v1.review_pb2 import VERDICT_SAME, VERDICT_WITHDRAWN
from homeward.gateway.v1.sealing_pb2 import NOTICE_KIND_WRONG_YOUTH
from tests.unit.exchange import spine_world
from tests.unit.exchange.key_files import destroy_keys
from tests.unit.exchange.members import KERN, LA, POLICE, SF, STRTP, Act, Youth, stamp
from tests.unit.exchange.review_desk import say
from tests.unit.exchange.row_links import (
    KEYS,
    YOUTHS,
    as_lying,
    copied,
    fields_of,
    held_together,
    led_to,
    ordered_by_writing,
    rows_of,
    tied,
)
from tests.unit.exchange.seal_desk import answers, entries_of, everything, recall, restrict
from tests.unit.exchange.spine_parts import ASKER, OWNER
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.test_link_recall import RECORDS, link
from tests.unit.exchange.test_presented import lose, present, signed
from tests.unit.exchange.world import World, evidence
from tests.unit.missing.test_changing import locate, update

REVOCATION_BYTES = 36
HEXADECIMAL = re.compile(rb"[0-9a-f]{32,}")
ANA, BEN = Youth("Ana Invented"), Youth("Ben Invented", "2011-06-07")


async def lived(world: World, youth: Youth) -> SubjectHandle:
    """Whatever can happen to a youth at the exchange happens, a minute apart; request identifiers are kept."""
    world.sources.answer = answers

    def later() -> None:
        world.clock.advance(seconds=60)

    handle = await world.register(SF, youth, placed_in=KERN[:5])
    later()
    await world.all_current()
    later()
    raised = await world.raise_flag(SF, youth, handle=handle, learned=world.clock() - timedelta(hours=1))
    later()
    await world.raise_flag(LA, youth)
    later()
    done = missing.DutyDone(duty=missing.DUTY_LAW_ENFORCEMENT_REPORT, done_time=stamp(world.clock()))
    await update(world, raised.flag_id, duties=(done,))
    later()
    assert (await world.check_flag(POLICE, youth)).answer.outcome == OUTCOME_ANSWERED
    later()
    assert (await world.ask_records(KERN, youth)).outcome == OUTCOME_ANSWERED
    later()
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle), recipient_agencies=[STRTP])
    await record(world, message, agency=SF)
    later()
    await record(world, message, agency=SF)
    for _ in range(2):
        later()
        asked = await ask_by(world, youth, AuthorityId(message.authority_id))
        assert asked.outcome == OUTCOME_ANSWERED
    later()
    await revoke(world, message.authority_id, agency=STRTP)
    later()
    await locate(world, raised.flag_id, agency=POLICE)
    later()
    await recall(world, handle, NOTICE_KIND_WRONG_YOUTH)
    later()
    return handle


async def ask_by(world: World, youth: Youth, authority_id: AuthorityId) -> exchange_pb2.RequestRecordsResponse:
    """A team asks for records by an authority."""
    query = exchange_pb2.RecordsQuery(
        request_id=os.urandom(16),
        tokens=world.tokens(youth),
        evidence=[evidence(EvidenceKind.TEAM_MEMBERSHIP)],
        field_sets=[to_wire(FieldSet.FS4_PLACEMENT_SUMMARY)],  # type: ignore[list-item]
        recipient_key_id=world.membership.members[STRTP].seal.key_id,
    )
    act = Act(STRTP, Role("STRTP.clinician"), Purpose.CFT_COORDINATION, authority_id)
    request = world.signed(exchange_pb2.RequestRecordsRequest, query, act)
    return await world.as_peer(STRTP, lambda: world.exchange_servicer.RequestRecords(request, None))


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def every_entry(world: World) -> list[StoredEntry]:
    return list(world.reader.entries(Selection(), limit=1000))


async def test_a_backup_from_before_a_seal_leads_from_the_youth_to_no_entry(world: World, tmp_path: Path) -> None:
    handle, other = await lived(world, ANA), await lived(world, BEN)
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    assert {row.table for row in tied(rows_of(backup), handle)[0]} >= {"subject", "index_token", "flag", "duty"}
    await restrict(world, handle)
    assert led_to(backup, every_entry(world), world.class_keys, handle) == {}
    assert led_to(tmp_path / "gateway.db", every_entry(world), world.class_keys, handle) == {}
    # Nor of a youth that was not sealed: only its key leads there, and that is in no backup of the database.
    assert led_to(backup, every_entry(world), world.class_keys, other) == {}
    assert len(await entries_of(world, BEN)) > 10


async def test_a_backup_leads_from_a_possible_match_to_no_entry(tmp_path: Path) -> None:
    world = spine_world.World(tmp_path, auto=False)
    handle = world.register("known")
    await link(world, ASKER, RECORDS)
    for number in (1, 2):
        world.clock.advance(seconds=60)
        await world.records(replace(RECORDS, number=number))
    await say(world, OWNER, VERDICT_WITHDRAWN)
    await say(world, OWNER, VERDICT_SAME)
    world.clock.advance(seconds=60)
    await world.records(replace(RECORDS, number=3))
    backup = copied(world.path, tmp_path / "backup")
    assert {row.table for row in tied(rows_of(backup), handle)[0]} >= {"review", "review_token", "relied_link"}
    destroy_keys(world, tmp_path)
    entries = list(world.reader.entries(Selection(), limit=1000))
    assert len({entry.kind for entry in entries} & {Kind.REVIEW_JUDGED, Kind.OUTCOME, Kind.DECISION}) == 3
    assert led_to(backup, entries, world.keys, handle) == {}
    await world.close()


async def test_no_row_of_a_backup_ties_two_entries_about_a_sealed_youth(world: World, tmp_path: Path) -> None:
    """Nobody can say whose they are; but that they are one youth's is for nobody to say either (AUDIT §2.7)."""
    handle = await lived(world, ANA)
    entries = await entries_of(world, ANA)
    assert {entry.kind for entry in entries} >= {Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_REVOKED}
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    await restrict(world, handle)
    for database in (backup, tmp_path / "gateway.db"):
        assert held_together(database, entries) == {}
    # The controls: what the row of an authority once held is found, and what stands in two rows that share a name.
    recorded, revoked = (
        next(entry for entry in entries if entry.kind == kind)
        for kind in (Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_REVOKED)
    )
    pair = frozenset({recorded.index, revoked.index})
    for table in ("authority", "authority_party"):
        for planted in (revoked.index, revoked.time_ms - 40):
            planted_in = copied(backup, tmp_path / "planted")
            with closing(sqlite3.connect(planted_in)) as connection, connection:
                connection.execute(f"ALTER TABLE {table} ADD COLUMN revoke_index")
                connection.execute(f"UPDATE {table} SET revoke_index = ?", (planted,))  # noqa: S608
            assert f"{table}.revoke_index" in held_together(planted_in, entries)[pair]
            planted_in.unlink()


async def test_when_an_authority_was_revoked_is_in_no_byte_of_any_file(world: World, tmp_path: Path) -> None:
    """Nor does any key that is left open it once the youth was sealed."""
    handle = await world.register(SF, ANA)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle), recipient_agencies=[STRTP])
    await record(world, message, agency=SF)
    await lose(world)
    await present(world, SF, authority=signed(world, message))
    # One that was presented again: its entry was written at another time, so that the time is this row's alone.
    moment = world.clock() - timedelta(minutes=90, milliseconds=337)
    event = PresentedRevocation(authority_id=message.authority_id, revoke_time=stamp(moment))
    await present(world, STRTP, revocation=event)
    # As SQLite writes a number of this size, and as the box holds it.
    digits = milliseconds(moment).to_bytes(6, "big")
    backup, authority_id = copied(tmp_path / "gateway.db", tmp_path / "backup"), AuthorityId(message.authority_id)

    def revocations(database: Path) -> list[bytes]:
        return [bytes(row.cells["revocation"]) for row in rows_of(database) if row.table == "authority"]  # type: ignore[arg-type]

    (kept,) = revocations(backup)
    assert len(kept) == REVOCATION_BYTES
    assert world.authority_keys.open_moment(authority_id, kept) == milliseconds(moment)
    assert files(tmp_path) >= {"gateway.db", "gateway.db-wal", "keys.db", "backup"}
    assert digits not in everything(tmp_path)
    await restrict(world, handle)
    assert digits not in everything(tmp_path)
    for database in (backup, tmp_path / "gateway.db"):
        assert [world.authority_keys.open_moment(authority_id, each) for each in revocations(database)] == [None]
    # The control: the time in the clear, in a row that was deleted again.
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE planted (revoke_ms)")
        connection.execute("INSERT INTO planted VALUES (?)", (milliseconds(moment),))
        connection.execute("DELETE FROM planted")
        connection.commit()
        assert digits in everything(tmp_path)
        connection.execute("DROP TABLE planted")
        connection.commit()


async def test_no_row_of_a_backup_ties_an_authority_that_was_presented_again_to_its_first_entry(
    world: World, tmp_path: Path
) -> None:
    handle = await world.register(SF, ANA)
    message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle), recipient_agencies=[STRTP])
    await record(world, message, agency=SF)
    world.clock.advance(seconds=60)
    await lose(world)
    world.clock.advance(seconds=60)
    await present(world, SF, authority=signed(world, message))
    entries = await entries_of(world, ANA)
    assert {entry.kind for entry in entries} >= {Kind.AUTHORITY_RECORDED, Kind.AUTHORITY_PRESENTED}
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    await restrict(world, handle)
    for database in (backup, tmp_path / "gateway.db"):
        assert held_together(database, entries) == {}


PLANTS: dict[str, Callable[[StoredEntry, bytes], object]] = {
    "an index": lambda entry, _: entry.index,
    "a moment": lambda entry, _: entry.time_ms - 40,
    "a digest that the entry holds": lambda _, digest: digest,
    "the same in words": lambda _, digest: digest.hex(),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS.keys())
async def test_the_search_finds_what_leads_to_an_entry(
    world: World, tmp_path: Path, plant: Callable[[StoredEntry, bytes], object]
) -> None:
    handle = await lived(world, ANA)
    raised = next(entry for entry in every_entry(world) if entry.kind == Kind.FLAG_RAISED)
    (digest,) = (value for name, value in fields_of(raised, world.class_keys) if name == "request")
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    with closing(sqlite3.connect(backup)) as connection, connection:
        # In a table that the handle leads to by way of another row.
        connection.execute("ALTER TABLE duty ADD COLUMN planted_index")
        connection.execute("UPDATE duty SET planted_index = ?", (plant(raised, digest),))
    assert raised.index in led_to(backup, every_entry(world), world.class_keys, handle)


async def test_the_search_finds_a_request_that_was_spent(world: World, tmp_path: Path) -> None:
    handle, request_id = await lived(world, ANA), os.urandom(16)
    answer = await world.check_flag(POLICE, ANA, request_id=request_id)
    backup = copied(tmp_path / "gateway.db", tmp_path / "backup")
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("ALTER TABLE flag ADD COLUMN request_id")
        connection.execute("UPDATE flag SET request_id = ?", (request_id,))
    assert led_to(backup, every_entry(world), world.class_keys, handle) == {
        answer.receipt.index: ["spent request"],
    }


def shared(entries: list[StoredEntry], world: World) -> set[tuple[int, int]]:
    """Pairs of entries that say the same identifier in a field that opens without the youth's key."""
    saying: dict[bytes, set[int]] = defaultdict(set)
    for entry in entries:
        for name, value in fields_of(entry, world.class_keys):
            # Words repeat: roles, purposes, what was granted. An agency's previous entry follows from the log's order.
            if name != "prev" and len(value) >= 16 and (not value.isascii() or HEXADECIMAL.fullmatch(value)):
                saying[value].add(entry.index)
    return {pair for indexes in saying.values() for pair in combinations(sorted(indexes), 2)}


async def test_entries_of_a_youth_say_nothing_by_which_they_are_known_as_one_youths(world: World) -> None:
    await lived(world, ANA)
    entries = await entries_of(world, ANA)
    kinds = {entry.index: entry.kind for entry in entries}
    # A call that asks for records is two entries, and they say of each other that they are one call.
    calls = shared(entries, world)
    assert calls
    assert {(kinds[first], kinds[second]) for first, second in calls} == {(Kind.DECISION, Kind.OUTCOME)}
    assert len(calls) == sum(kind == Kind.OUTCOME for kind in kinds.values())
    # The control: an authority that two entries name in class `req` is seen.
    for _ in range(2):
        key = await world.youth_keys.next(SF, SubjectHandle(bytes(16)))
        leaf = draft(Kind.DECISION, requester=AgencyId(STRTP), req={"authority": "ab" * 16}, youth={}, youth_key=key)
        await world.log.append(Append(leaf))
    planted = [entry for entry in every_entry(world) if entry.index >= world.size() - 2]
    assert shared([*entries, *planted], world) - calls == {(world.size() - 2, world.size() - 1)}


async def test_what_was_known_of_a_youth_cannot_be_guessed_from_its_entries(world: World) -> None:
    """The argument of a decision is a county, a state of a flag, and the like: whoever has its digest tries them all,
    and looks in an old backup for the youth of whom it was true."""
    await lived(world, ANA)
    await world.ask_records(KERN, Youth("Nobody"))

    def tell(entries: list[StoredEntry]) -> list[int]:
        said = [(each.index, name) for each in entries for name, _ in fields_of(each, world.class_keys)]
        return [index for index, name in said if name == "input"]

    entries = await entries_of(world, ANA)
    assert {entry.kind for entry in entries} >= {Kind.DECISION, Kind.OUTCOME}
    assert tell(entries) == []
    # The control: about nobody nothing was known.
    assert tell(every_entry(world)) == [world.size() - 2]


async def test_no_table_of_youths_keeps_the_order_in_which_it_was_written(world: World, tmp_path: Path) -> None:
    assert ordered_by_writing(tmp_path / "gateway.db", YOUTHS) == set()
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
        connection.execute("ALTER TABLE duty RENAME TO kept")
        connection.execute("CREATE TABLE duty AS SELECT * FROM kept")
    assert ordered_by_writing(tmp_path / "gateway.db", YOUTHS) == {"duty"}


async def test_the_file_of_keys_tells_neither_whose_seal_it_was_nor_which_authorities_left_with_it(
    world: World, tmp_path: Path
) -> None:
    """Whoever has every key can tell whose digest each is: of a youth in an old backup, of an authority on record."""
    handles = [await world.register(SF, Youth(f"Invented {number}")) for number in range(8)]
    digests = []
    for handle in handles:
        message = consent(world, issuer_agency=SF, subject=AuthoritySubject(handle=handle), recipient_agencies=[LA])
        await record(world, message, agency=SF)
        names = youth_name(SF, handle), authority_name(AuthorityId(message.authority_id))
        digests += [world.youth_keys.sealed_digest(name) for name in names]
    for handle in handles:
        await restrict(world, handle)
    assert ordered_by_writing(tmp_path / "keys.db", KEYS) == set()
    with closing(sqlite3.connect(tmp_path / "keys.db")) as connection:
        kept = [bytes(digest) for (digest,) in connection.execute("SELECT digest FROM sealed_name")]
    assert kept == sorted(digests)
    # Nor do the pages: the file was rewritten since.
    assert as_lying(tmp_path / "keys.db", "sealed_name", "digest") not in (digests, digests[::-1])


async def test_a_copy_that_was_rewritten_does_not_show_after_which_authority_another_was_revoked(
    world: World, tmp_path: Path
) -> None:
    await world.register(LA, ANA)
    messages = sorted((consent(world) for _ in range(4)), key=lambda each: each.authority_id)
    by_key = [each.authority_id for each in messages]
    for message in messages:
        await record(world, message)
    await revoke(world, by_key[0])
    # The control: a row that grew lies where there was room, after whatever was recorded before.
    plain = copied(tmp_path / "gateway.db", tmp_path / "plain")
    assert as_lying(plain, "authority", "authority_id") == [*by_key[1:], by_key[0]]
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "rewritten"),))
    assert as_lying(tmp_path / "rewritten", "authority", "authority_id") == by_key


async def test_a_copy_that_was_rewritten_does_not_show_the_order_in_which_flags_were_raised(
    world: World, tmp_path: Path
) -> None:
    handles = []
    for number in range(8):
        youth = Youth(f"Invented {number}")
        handles.append(await world.register(SF, youth))
        await world.raise_flag(SF, youth, handle=handles[-1])
    # The control: in the pages of a plain copy they lie as they were written.
    assert as_lying(copied(tmp_path / "gateway.db", tmp_path / "plain"), "flag", "handle") == handles
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "rewritten"),))
        by_key = [bytes(handle) for (handle,) in connection.execute("SELECT handle FROM flag ORDER BY flag_id")]
    assert as_lying(tmp_path / "rewritten", "flag", "handle") == by_key
