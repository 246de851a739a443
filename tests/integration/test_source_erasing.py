"""What an adapter keeps no longer, looked for in the raw bytes of its database's files: tokens of an ended epoch, as
they were registered, sent in requests and named in reviews; and the bytes of requests that were answered long ago.

The caller side, the store and the keys are real; the exchange behaves as its services are documented.
"""

import os
import random
import secrets
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.errors import Conflict, ErrorReason
from adapters.node import tables
from adapters.node.alerts import Alerts
from adapters.node.erase import REPEATABLE, Eraser
from adapters.node.node import Node
from adapters.node.recording import epochs_of
from adapters.node.reviews import Reviews
from adapters.node.rpcs import GET_DIRECTORY, CallFailed, CallFault
from adapters.node.store import open_store, owe_rewriting
from adapters.node.tables import registration, request
from gateway.protocol.envelope import wrap
from gateway.protocol.match_keys import naming_digests
from gateway.protocol.matching.key_scheme import split_tokens
from gateway.protocol.names import SubjectHandle
from homeward.gateway.v1 import review_pb2 as pb
from homeward.gateway.v1.authority_pb2 import Authority, AuthorityRecord, AuthoritySubject, SubjectTokenDigests
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.exchange_pb2 import FlagQuery
from homeward.gateway.v1.link_pb2 import ALERT_KIND_REVIEW, Alert
from homeward.gateway.v1.missing_pb2 import FlagReport, FlagUpdate
from homeward.gateway.v1.sealing_pb2 import SealOrder
from tests.integration.source_kit import NEXT, Clock, Gateway, make_node, prepare
from tests.integration.test_source_epochs import cut_over, open_next
from tests.unit.local.exchange import FS1, Desk, FakeGateway, question
from tests.unit.node.world import ASKER, EPOCH, HANDLE, NOW, SOURCE, keys, tokens_of

MARK = b"OLD-"
"""Every token of the old epoch begins with it, so that one search finds any of them, and any part from its start."""
TOKENS = b"invented tokens of an ended epoch"
YOUTHS = 3000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def node(tmp_path: Path, gateway: Gateway, clock: Clock) -> Node:
    made = make_node(tmp_path / "adapter", gateway, agency=ASKER, clock=clock)
    await prepare(made)
    return made


def on_disk(directory: Path) -> bytes:
    return b"".join(part.read_bytes() for part in sorted(directory.rglob("adapter.db*")))


async def end_epoch(node: Node, gateway: Gateway) -> None:
    """The exchange has gone on to the next epoch, and the one before is over."""
    open_next(gateway)
    cut_over(gateway, keep_old=False)
    await prepare(node)


# --- requests


async def test_a_question_leaves_no_token_of_an_ended_epoch_and_its_identifier_stays_taken(
    node: Node, gateway: Gateway, tmp_path: Path
) -> None:
    desk = Desk(store=node.store)
    asked = question(FS1)
    await desk.requester().ask_flag(asked, desk.deadline())
    ((_, sent, _),) = desk.gateway.calls
    tokens = split_tokens(FlagQuery.FromString(sent).tokens.tokens)
    assert all(token in on_disk(tmp_path) for token in tokens), "the search finds what is there"
    eraser = Eraser(node)
    await eraser.erase()
    assert all(token in on_disk(tmp_path) for token in tokens), "the epoch is not over"
    await end_epoch(node, gateway)
    await eraser.erase()
    assert not any(token in on_disk(tmp_path) for token in tokens)
    with pytest.raises(Conflict) as caught:
        await desk.requester().ask_flag(asked, desk.deadline())
    assert caught.value.reason is ErrorReason.EXPIRED_REFETCH
    other = question(FS1, name="Anotherinvented", request_id=asked.request_id)
    with pytest.raises(Conflict) as caught:
        await desk.requester().ask_flag(other, desk.deadline())
    assert caught.value.reason is ErrorReason.ID_REUSED
    assert len(desk.gateway.calls) == 1
    with node.store.read() as connection:
        assert connection.scalars(select(tables.receipt.c.request_id)).all() == [asked.request_id]


async def test_the_bytes_of_an_answered_request_are_kept_for_a_day_and_of_an_unanswered_one_until_it_is_answered(
    node: Node, clock: Clock, tmp_path: Path
) -> None:
    desk = Desk(store=node.store)
    unheard = Desk(FakeGateway(unreachable=1000), store=node.store)
    answered, waiting = question(FS1), question(FS1, name="Anotherinvented")
    await desk.requester().ask_flag(answered, desk.deadline())
    with pytest.raises(Exception, match="GATEWAY_UNAVAILABLE"):
        await unheard.requester().ask_flag(waiting, unheard.deadline())
    with node.store.read() as connection:
        kept = {row.request_id: row.payload for row in connection.execute(select(request))}
    clock.now = NOW + REPEATABLE
    await Eraser(node).erase()
    assert kept[answered.request_id] in on_disk(tmp_path)
    clock.now += timedelta(milliseconds=1)
    await Eraser(node).erase()
    assert FlagQuery.FromString(kept[answered.request_id]).tokens.tokens[:16] not in on_disk(tmp_path)
    assert kept[waiting.request_id] in on_disk(tmp_path)
    # The exchange may have carried it out: the very same bytes bring its receipt.
    await desk.requester().ask_flag(waiting, desk.deadline())
    assert desk.gateway.calls[-1][1] == kept[waiting.request_id]


DIGESTS = AuthoritySubject(token_digests=SubjectTokenDigests(digests=[b"d" * 32]))


@pytest.mark.parametrize(
    ("message", "epochs"),
    [
        (FlagReport(tokens=TokenSet(epoch=NEXT)), {NEXT}),
        (FlagUpdate(flag_id=b"f" * 16), set()),
        (SealOrder(subject_handle=HANDLE, token_digests=[b"d" * 32]), {EPOCH, NEXT}),
        (SealOrder(seal_id=b"s" * 16), set()),
        (AuthorityRecord(authority=wrap(Authority(subject=DIGESTS), keys().rings[ASKER].authority)), {EPOCH, NEXT}),
        (
            AuthorityRecord(
                authority=wrap(Authority(subject=AuthoritySubject(handle=HANDLE)), keys().rings[ASKER].authority)
            ),
            set(),
        ),
    ],
    ids=["report", "no youth", "seal", "seal by name", "authority by digests", "authority by handle"],
)  # fmt: skip
def test_a_call_that_records_is_known_by_the_epochs_whose_tokens_it_may_hold(
    message: FlagReport | FlagUpdate | SealOrder | AuthorityRecord, epochs: set[str]
) -> None:
    assert epochs_of(message, (EPOCH, NEXT)) == epochs


# --- reviews


def review_in(epoch: str, tokens: TokenSet, sequence: int) -> Alert:
    """The exchange asks this agency whether another one's youth, named by these tokens, is one of its own."""
    alert = Alert(sequence=sequence, kind=ALERT_KIND_REVIEW, subject_handle=HANDLE, acting_agency=SOURCE)
    alert.review.review_id = secrets.token_bytes(16)
    alert.review.side, alert.review.state = pb.REVIEW_SIDE_LISTING, pb.REVIEW_STATE_OPEN
    alert.review.naming_digests.extend(sorted(naming_digests(tokens)))
    alert.review.epoch = epoch
    return alert


async def test_a_review_names_nobody_by_tokens_of_an_ended_epoch(node: Node, gateway: Gateway, tmp_path: Path) -> None:
    alerts, reviews = Alerts(node.store), Reviews(node.store)
    old, new = tokens_of(), tokens_of(epoch=NEXT)
    told = [review_in(EPOCH, old, 1), review_in(NEXT, new, 2)]
    for alert in told:
        alerts.accept(alert, NOW)
        reviews.say(alert.review.review_id, pb.VERDICT_SAME, NOW)
    assert reviews.is_confirmed(SubjectHandle(HANDLE), SOURCE, naming_digests(old))
    assert all(digest in on_disk(tmp_path) for digest in naming_digests(old))
    await end_epoch(node, gateway)
    await Eraser(node).erase()
    assert not any(digest in on_disk(tmp_path) for digest in naming_digests(old))
    assert not reviews.is_confirmed(SubjectHandle(HANDLE), SOURCE, naming_digests(old))
    assert reviews.is_confirmed(SubjectHandle(HANDLE), SOURCE, naming_digests(new))
    kept = reviews.get(told[0].review.review_id)
    assert kept is not None
    assert (kept.verdict, kept.alert.subject_handle) == (pb.VERDICT_SAME, HANDLE)


@pytest.mark.parametrize("reached", [True, False], ids=["asks", "cannot ask"])
async def test_a_review_of_an_epoch_that_this_adapter_has_not_heard_of_yet_is_kept(
    node: Node, gateway: Gateway, *, reached: bool
) -> None:
    new = tokens_of(epoch=NEXT)
    alert = review_in(NEXT, new, 1)
    Alerts(node.store).accept(alert, NOW)
    Reviews(node.store).say(alert.review.review_id, pb.VERDICT_SAME, NOW)
    open_next(gateway)
    if not reached:
        gateway.failing[GET_DIRECTORY.path] = CallFailed(CallFault.UNAVAILABLE)
    await Eraser(node).erase()
    assert (NEXT in node.directory().epochs) is reached
    assert Reviews(node.store).is_confirmed(SubjectHandle(HANDLE), SOURCE, naming_digests(new))


# --- the files


def fill(path: Path) -> None:
    """Youths come in both epochs, in any order, change, are confirmed and leave, as lists do in years."""
    chance = random.Random(1)
    handles = [chance.randbytes(16) for _ in range(YOUTHS)]
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA secure_delete = ON")
        writer.execute("PRAGMA synchronous = OFF")
        for share in (1, 2, 2, 2):
            rows = [(handle, epoch) for handle in handles for epoch in (EPOCH, NEXT)]
            chance.shuffle(rows)
            writer.execute("BEGIN")
            for handle, epoch in rows[: len(rows) // share]:
                mark = MARK if epoch == EPOCH else b""
                tokens = b"".join((mark + os.urandom(16))[:16] for _ in range(chance.randint(2, 30)))
                writer.execute(
                    "INSERT OR REPLACE INTO registration (handle, epoch, fingerprint, tokens) VALUES (?, ?, ?, ?)",
                    (handle, epoch, bytes(32), tokens),
                )
            writer.execute("COMMIT")
            for handle in chance.sample(handles, YOUTHS // 4):
                writer.execute("UPDATE registration SET register_ms = 5 WHERE handle = ?", (handle,))
                if chance.random() < 0.3:
                    writer.execute("DELETE FROM registration WHERE handle = ?", (handle,))


async def test_no_gap_between_rows_holds_a_token_of_an_ended_epoch(
    node: Node, gateway: Gateway, tmp_path: Path
) -> None:
    fill(tmp_path / "adapter" / "adapter.db")
    assert on_disk(tmp_path).count(MARK) > YOUTHS * 10
    await end_epoch(node, gateway)
    await Eraser(node).erase()
    assert on_disk(tmp_path).count(MARK) == 0
    with node.store.read() as connection:
        kept = connection.execute(select(registration)).all()
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert {row.epoch for row in kept} == {NEXT}
    assert len(kept) > YOUTHS / 2


async def test_overwriting_alone_would_leave_some(node: Node, tmp_path: Path) -> None:
    """The search above is worth something, and so is the rewriting: the same deletion by a database that overwrites."""
    fill(tmp_path / "adapter" / "adapter.db")
    with node.store.write() as connection:
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
        connection.execute(registration.delete().where(registration.c.epoch == EPOCH))
    node.store.settle()
    assert not node.store.owes_settling
    assert 0 < on_disk(tmp_path).count(MARK) < YOUTHS


def put(node: Node, tokens: bytes) -> None:
    with node.store.write() as connection:
        row = {"handle": bytes(16), "epoch": EPOCH, "fingerprint": bytes(32), "tokens": tokens}
        connection.execute(registration.insert().values(**row))


async def look_again(node: Node, path: Path, *, restarts: bool) -> None:
    if restarts:
        node.store.close()
        open_store(path).close()
    else:
        await Eraser(node).erase()
        assert not node.store.owes_settling


@pytest.mark.parametrize("restarts", [False, True], ids=["looked again", "started again"])
async def test_what_a_reader_kept_from_being_erased_is_erased_later(
    node: Node, gateway: Gateway, tmp_path: Path, *, restarts: bool
) -> None:
    path = tmp_path / "adapter" / "adapter.db"
    put(node, TOKENS)
    await end_epoch(node, gateway)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM registration").fetchone() == (1,)
        await Eraser(node).erase()
        assert node.store.owes_settling
        assert TOKENS in on_disk(tmp_path)
    await look_again(node, path, restarts=restarts)
    assert TOKENS not in on_disk(tmp_path)


@pytest.mark.parametrize("restarts", [False, True], ids=["looked again", "started again"])
async def test_a_file_that_could_not_be_rewritten_is_rewritten_later(
    node: Node, tmp_path: Path, *, restarts: bool
) -> None:
    path = tmp_path / "adapter" / "adapter.db"
    put(node, bytes(100_000))
    with node.store.write() as connection:
        connection.execute(registration.delete())
        owe_rewriting(connection)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        node.store.settle()
        assert node.store.owes_settling
        assert other.execute("PRAGMA freelist_count").fetchone() != (0,), "pages that only a rewriting gives back"
    await look_again(node, path, restarts=restarts)
    with closing(sqlite3.connect(path)) as after:
        assert after.execute("PRAGMA freelist_count").fetchone() == (0,)
