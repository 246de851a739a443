"""Sealing, lifting and destroying: what the exchange says of a sealed youth, and who may order it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from audit.entry import FieldClass, open_class
from audit.errors import EvidenceError
from gateway.errors import Conflict, ErrorReason, Invalid, Unavailable
from gateway.exchange.deed import Moved
from gateway.exchange.journal import Kind
from gateway.exchange.notices import SealState
from gateway.exchange.sealing import Court
from gateway.protocol.escrow import EscrowBroken, open_case_key, release
from gateway.protocol.names import AuthorityId, Purpose, Role
from gateway.protocol.sealing import SealKey
from gateway.store import erase_sqlite, tables
from gateway.store.escrow import erasing_waits
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.authority_pb2 import AuthoritySubject
from homeward.gateway.v1.codes_pb2 import (
    OUTCOME_ANSWERED,
    OUTCOME_NOT_PERMITTED,
    OUTCOME_RECORDED,
)
from tests.unit.exchange.members import KERN, LA, POLICE, SF, Act, Youth, officer, staff
from tests.unit.exchange.seal_desk import (
    ANA,
    BEN,
    CASE,
    entries_of,
    every_key,
    everything,
    lived,
    opens,
    order,
    restrict,
)
from tests.unit.exchange.test_authorities import consent, record, revoke
from tests.unit.exchange.test_authorities import listed as authorities_of
from tests.unit.exchange.world import World

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


async def test_the_process_has_forgotten_the_key(world: World) -> None:
    """What was reserved for the youth's next entries lies in memory with the key: no entry may be made with it."""
    handles = await lived(world)
    assert await world.youth_keys.next(SF, handles[ANA])
    await restrict(world, handles[ANA])
    assert await world.youth_keys.find(SF, handles[ANA]) is None
    with pytest.raises(Moved):
        await world.youth_keys.next(SF, handles[ANA])
    assert await world.youth_keys.next(SF, handles[BEN])


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
    assert len(leaf.op.pop("closed")) == 64
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
    # Its own key never came back: when it was revoked no row tells any more, but that it was, the log says again.
    (blank,) = world.rows(tables.authority)
    for value in (None, blank["revocation"]):
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as database, database:
            database.execute("UPDATE authority SET revocation = ?", (value,))
        if value is None:
            with pytest.raises(EvidenceError):
                world.check_projections()
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
        database.executemany("INSERT INTO authority_party VALUES (?, ?)", [tuple(each.values()) for each in parties])
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


# --- bytes that wait ---------------------------------------------------------------------------


async def test_after_an_order_no_bytes_wait(world: World, caplog: pytest.LogCaptureFixture) -> None:
    handles = await lived(world)
    done = await restrict(world, handles[ANA])
    assert not erasing_waits(world.seals.escrow.path)
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)
    assert not erasing_waits(world.seals.escrow.path)
    assert "erasing waits" not in caplog.text


async def test_bytes_in_a_large_database_wait_for_a_start_and_it_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(erase_sqlite, "SMALL_BYTES", 0)
    handles, escrow = await lived(world), world.seals.escrow
    done = await restrict(world, handles[ANA])
    assert erasing_waits(escrow.path)
    assert "erasing waits for the next start" in caplog.text
    # What another order does to the custodian's copy alone is no word about the main database.
    await order(world, operation=pb.SEAL_OPERATION_DESTROY, seal_id=done.seal_id)
    assert erasing_waits(escrow.path)
    escrow.scrub(at_start=True)
    assert not erasing_waits(escrow.path)


@pytest.mark.parametrize("name", ["gateway.db", "keys.db"])
async def test_bytes_wait_for_whoever_reads_a_file_and_go_once_nobody_does(
    world: World, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    handles, escrow = await lived(world), world.seals.escrow
    with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM sqlite_master").fetchall()
        await restrict(world, handles[ANA])
        assert erasing_waits(escrow.path)
        assert "erasing waits for the next order or start" in caplog.text
    escrow.scrub(at_start=False)
    assert not erasing_waits(escrow.path)
