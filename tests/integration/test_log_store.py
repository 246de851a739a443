"""One contract for the log, run over SQLite and over PostgreSQL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import merkle
from audit.checkpoint import parse_checkpoint
from audit.entry import Draft, FieldClass, YouthKey, check_entry, open_class, youth_tag
from audit.errors import EvidenceError, EvidenceReason, LogBusy, LogUnavailable
from audit.log import INDEX, Append, Appended, Log, LogSettings, LogState
from audit.reader import Reader, Selection, Side
from audit.startup import create_log
from audit.transaction import Tx
from audit.verify import verify_log
from tests.integration.log_kit import (
    ALL,
    KEYS,
    PUT,
    SIGNER,
    YOUTH,
    A,
    B,
    C,
    LogHome,
    draft,
    youth_draft,
)


@pytest.fixture
def home(place: LogHome) -> LogHome:
    place.create()
    return place


@pytest.fixture
async def log(home: LogHome) -> AsyncIterator[Log]:
    opened = home.open()
    yield opened
    await opened.close()


@pytest.fixture
def reader(home: LogHome, log: Log) -> Iterator[Reader]:
    opened = Reader(home.store)
    yield opened
    opened.close()


async def _append_all(log: Log, appends: list[Append]) -> list[Appended | BaseException]:
    return list(await asyncio.gather(*(log.append(append) for append in appends), return_exceptions=True))


def _indexes(answers: list[Appended | BaseException]) -> list[int]:
    return [answer.index for answer in answers if isinstance(answer, Appended)]


async def test_every_acknowledged_entry_has_a_receipt_that_verifies(log: Log) -> None:
    answers = await _append_all(log, [Append(draft(str(at))) for at in range(70)])
    assert _indexes(answers) == list(range(70))
    for answer in answers:
        assert isinstance(answer, Appended)
        receipt = answer.receipt({FieldClass.OP}, {"kind", "note"})
        assert receipt.verify(SIGNER.public).size > answer.index
        assert receipt.openings[1].value == str(answer.index).encode()


async def test_many_waiting_entries_share_one_commit(log: Log) -> None:
    answers = await _append_all(log, [Append(draft()) for _ in range(200)])
    assert len({answer.checkpoint for answer in answers if isinstance(answer, Appended)}) < 20


async def test_rows_change_in_the_same_transaction_and_carry_the_index(log: Log, reader: Reader) -> None:
    await _append_all(log, [Append(draft(), rows=((PUT, (f"n{at}", INDEX)),)) for at in range(5)])
    assert reader.read(lambda tx: tx.all(ALL)) == [(f"n{at}", at) for at in range(5)]


async def test_guards_refusal_is_written_instead_and_nothing_else_happens(log: Log, reader: Reader) -> None:
    applied: list[int] = []
    answer = await log.append(
        Append(
            draft("allow"),
            guard=lambda tx: draft("refused", kind="access.refusal"),
            rows=((PUT, ("never", INDEX)),),
            apply=lambda tx, index: applied.append(index),
        )
    )
    assert answer.guarded
    assert answer.entry.kind == "access.refusal"
    assert open_class(answer.entry, FieldClass.OP, KEYS.op)[1].value == b"refused"
    assert not applied
    assert reader.read(lambda tx: tx.all(ALL)) == []


async def test_guard_sees_what_entries_before_it_in_the_same_batch_did(log: Log) -> None:
    def refuse_if_revoked(tx: Tx) -> Draft | None:
        return draft("refused") if ("revoked",) in [row[:1] for row in tx.all(ALL)] else None

    before = [Append(draft("release"), guard=refuse_if_revoked) for _ in range(3)]
    revocation = Append(draft("revoke"), rows=((PUT, ("revoked", INDEX)),))
    after = [Append(draft("release"), guard=refuse_if_revoked) for _ in range(3)]
    answers = await _append_all(log, [*before, revocation, *after])
    guarded = [answer.guarded for answer in answers if isinstance(answer, Appended)]
    assert guarded == [False] * 4 + [True] * 3


async def test_failing_projection_harms_only_its_own_entry(log: Log, reader: Reader) -> None:
    def fail(tx: Tx, index: int) -> None:
        tx.run(PUT, (f"half-done-{index}", index))
        raise LookupError("invented")

    appends = [Append(draft(str(at)), rows=((PUT, (f"n{at}", INDEX)),)) for at in range(6)]
    appends[3] = Append(draft("3"), apply=fail)
    answers = await _append_all(log, appends)
    assert isinstance(answers[3], LookupError)
    assert _indexes(answers) == [0, 1, 2, 3, 4]
    assert [name for name, _ in reader.read(lambda tx: tx.all(ALL))] == ["n0", "n1", "n2", "n4", "n5"]
    assert verify_log(reader).size == 5


async def test_projection_that_may_be_long_holds_no_other_call_up(log: Log) -> None:
    walking, go_on = threading.Event(), threading.Event()

    def walk(tx: Tx, index: int) -> None:
        walking.set()
        assert go_on.wait(10), "nothing else went on meanwhile"

    appended = asyncio.ensure_future(log.append(Append(draft(), apply=walk)))
    assert await asyncio.to_thread(walking.wait, 10)
    go_on.set()
    assert (await appended).index == 0


async def test_brief_projection_is_done_where_the_transaction_takes_least_time(log: Log, home: LogHome) -> None:
    threads: list[threading.Thread] = []

    def read_a_row(tx: Tx, index: int) -> None:
        threads.append(threading.current_thread())

    await _append_all(log, [Append(draft()), Append(draft(), apply=read_a_row, is_brief=True)])
    assert [each is threading.current_thread() for each in threads] == [home.store.exclusive]


async def test_violated_constraint_in_grouped_rows_harms_only_its_own_entry(log: Log, home: LogHome) -> None:
    names = ["a", "b", "a", "c", "b", "d"]
    answers = await _append_all(log, [Append(draft(), rows=((PUT, (name, INDEX)),)) for name in names])
    failed = [at for at, answer in enumerate(answers) if isinstance(answer, home.store.database_errors)]
    assert failed == [2, 4]
    assert _indexes(answers) == [0, 1, 2, 3]


async def test_guard_that_raises_harms_only_its_own_entry(log: Log) -> None:
    def fail(tx: Tx) -> Draft | None:
        raise LookupError("invented")

    answers = await _append_all(log, [Append(draft()), Append(draft(), guard=fail), Append(draft())])
    assert isinstance(answers[1], LookupError)
    assert _indexes(answers) == [0, 1]
    assert log.state is LogState.OPEN


async def test_agencies_get_contiguous_numbers_that_point_at_the_entry_before(log: Log, reader: Reader) -> None:
    pairs = [(A, B), (B, A), (A, C), (A, A), (None, A), (C, B)]
    appends = [Append(draft(requester=requester, holder=holder)) for requester, holder in pairs]
    answers = await _append_all(log, appends)
    chain: list[tuple[int, bytes, bytes]] = []
    for answer in answers:
        assert isinstance(answer, Appended)
        entry = answer.entry
        for name, cls, key in ((entry.requester, FieldClass.REQ, KEYS.req), (entry.holder, FieldClass.HOLD, KEYS.hold)):
            opened = {item.name: item.value for item in open_class(entry, cls, key)}
            if name == A and opened:
                number = int.from_bytes(opened["seq"], "big")
                chain.append((number, opened["prev"], merkle.leaf_hash(entry.leaf)))
    assert [number for number, _, _ in chain] == [1, 2, 3, 4, 5]
    assert [before for _, before, _ in chain] == [bytes(32), *(mine for _, _, mine in chain[:-1])]
    assert reader.agency_head(A) == (5, chain[-1][2])


async def test_time_never_goes_back_even_if_the_clock_does(home: LogHome) -> None:
    start = datetime(2026, 6, 1, tzinfo=UTC)
    moment = [start]
    log = home.open(now=lambda: moment[0])
    times = []
    for at in (start, start - timedelta(minutes=2), start + timedelta(seconds=1)):
        moment[0] = at
        times.append((await log.append(Append(draft()))).entry.time_ms)
    await log.close()
    assert times == [1_780_272_000_000, 1_780_272_000_000, 1_780_272_001_000]


async def test_full_queue_is_refused_and_nothing_of_it_is_written(home: LogHome) -> None:
    log = home.open(settings=LogSettings(max_waiting=3))
    answers = await _append_all(log, [Append(draft(str(at))) for at in range(40)])
    busy = [answer for answer in answers if isinstance(answer, LogBusy)]
    assert busy
    assert len(_indexes(answers)) + len(busy) == 40
    last = await log.append(Append(draft("last")))
    assert last.index == len(_indexes(answers))
    await log.close()


async def test_closed_log_refuses_and_opens_again_where_it_was(home: LogHome) -> None:
    log = home.open()
    first = await log.append(Append(draft()))
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.append(Append(draft()))
    assert home.stopped == [LogState.CLOSED]
    again = home.open()
    second = await again.append(Append(draft()))
    await again.close()
    assert (first.index, second.index) == (0, 1)


async def test_everything_waiting_is_written_when_the_log_closes(home: LogHome) -> None:
    log = home.open()
    waiting = [asyncio.ensure_future(log.append(Append(draft()))) for _ in range(30)]
    await asyncio.sleep(0)
    await log.close()
    assert [answer.index for answer in await asyncio.gather(*waiting)] == list(range(30))


async def test_reader_selects_by_agency_side_counterpart_kind_and_position(log: Log, reader: Reader) -> None:
    rows = [(A, B, "k.one"), (B, A, "k.two"), (A, C, "k.one"), (C, B, "k.two"), (None, None, "k.three")]
    await _append_all(log, [Append(draft(kind=kind, requester=asks, holder=holds)) for asks, holds, kind in rows])

    def found(selection: Selection) -> list[int]:
        entries = reader.entries(selection)
        for entry in entries:
            check_entry(entry)
        return [entry.index for entry in entries]

    assert found(Selection()) == [0, 1, 2, 3, 4]
    assert found(Selection(agency=A)) == [0, 1, 2]
    assert found(Selection(agency=A, side=Side.REQUESTER)) == [0, 2]
    assert found(Selection(agency=A, side=Side.HOLDER)) == [1]
    assert found(Selection(agency=A, counterpart=B)) == [0, 1]
    assert found(Selection(agency=A, side=Side.HOLDER, counterpart=B)) == [1]
    assert found(Selection(counterpart=B)) == [0, 1, 3]
    assert found(Selection(kinds=("k.two", "k.three"))) == [1, 3, 4]
    assert found(Selection(agency="06001.cwa")) == []
    assert found(Selection(start=1, end=4)) == [1, 2, 3]
    assert [entry.index for entry in reader.entries(Selection(start=2), limit=2)] == [2, 3]


async def test_youth_finds_the_entries_about_it_by_their_marks(log: Log, reader: Reader) -> None:
    await _append_all(log, [Append(youth_draft(0)), Append(draft()), Append(youth_draft(1))])
    tags = [youth_tag(YouthKey(YOUTH, counter)) for counter in range(3)]
    assert [entry.index for entry in reader.marked(tags)] == [0, 2]
    assert reader.marked([b""]) == []


async def test_stored_proofs_verify_between_any_two_sizes(log: Log, reader: Reader) -> None:
    roots = {}
    for _ in range(12):
        answer = await log.append(Append(draft()))
        checkpoint = parse_checkpoint(answer.checkpoint, SIGNER.public)
        roots[checkpoint.size] = checkpoint.root
    entries = reader.entries(Selection())
    for size, root in roots.items():
        for index in range(size):
            merkle.check_inclusion(
                hashed_leaf=merkle.leaf_hash(entries[index].leaf),
                index=index,
                size=size,
                proof=reader.inclusion(index, size),
                root=root,
            )
        for old in range(1, size + 1):
            proof = reader.consistency(old, size)
            merkle.check_consistency(old_size=old, old_root=roots[old], size=size, root=root, proof=proof)


async def test_reader_cannot_change_anything(log: Log, reader: Reader, home: LogHome) -> None:
    with pytest.raises(home.store.database_errors):
        reader.read(lambda tx: tx.run(PUT, ("n", 1)))


async def test_reader_sees_one_state_while_the_log_grows(log: Log, reader: Reader) -> None:
    await log.append(Append(draft()))
    with reader.snapshot() as tx:
        before = tx.all(ALL)
        answer = await log.append(Append(draft(), rows=((PUT, ("new", INDEX)),)))
        assert answer.index == 1
        assert tx.all(ALL) == before == []
    assert len(reader.read(lambda tx: tx.all(ALL))) == 1


async def test_whole_log_verifies_with_its_key_and_checkpoint(log: Log, reader: Reader) -> None:
    await _append_all(log, [Append(draft(str(at))) for at in range(300)])
    newest = parse_checkpoint(log.checkpoint, SIGNER.public)
    verified = verify_log(reader, key=SIGNER.public, outside=[lambda key: parse_checkpoint(log.checkpoint, key)])
    assert (verified.size, verified.root, verified.agencies) == (300, newest.root, 2)


def test_a_log_is_not_made_over_another(home: LogHome) -> None:
    home.forget_high_water()
    with pytest.raises(EvidenceError) as caught:
        create_log(home.store, signer=SIGNER, high_water=home.high_water)
    assert caught.value.reason is EvidenceReason.STORE


@pytest.mark.docker
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_two_replicas_write_one_log_without_a_fork(home: LogHome, tmp_path: Path) -> None:
    other = LogHome(tmp_path / "replica", home.store)
    other.directory.mkdir()
    other.high_water.write_bytes(home.high_water.read_bytes())
    first, second = home.open(), other.open()
    answers = await asyncio.gather(
        *(log.append(Append(draft(requester=A if log is first else C))) for _ in range(100) for log in (first, second))
    )
    await first.close()
    await second.close()
    assert sorted(answer.index for answer in answers) == list(range(200))
    for answer in answers:
        answer.receipt().verify(SIGNER.public)
    reader = Reader(home.store)
    assert verify_log(reader, key=SIGNER.public).size == 200
    reader.close()


@pytest.mark.docker
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
async def test_lost_connection_stops_this_replica_and_a_new_start_goes_on(home: LogHome) -> None:
    log = home.open()
    await log.append(Append(draft()))
    killer = home.store.connect()
    killer.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    killer.close()
    with pytest.raises(LogUnavailable):
        await log.append(Append(draft()))
    await log.close()
    assert home.stopped == [LogState.FAILED]
    # What was being committed may have happened: a person says that the server, and not the log, was the cause.
    home.explain()
    again = home.open()
    assert (await again.append(Append(draft()))).index == 1
    await again.close()


@pytest.mark.docker
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_server_that_acknowledges_before_the_disk_has_it_is_refused(home: LogHome, server: str) -> None:
    from audit.store_postgres import PostgresStore

    careless = PostgresStore(server + "?options=-csynchronous_commit%3Doff")
    with pytest.raises(EvidenceError) as caught:
        careless.connect()
    assert caught.value.reason is EvidenceReason.STORE
