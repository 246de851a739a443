"""Notices at an agency's adapter: what lays sealed entries open goes, and then the notice is acknowledged.

The log, the receipts, the store and the seal keys are real; the gateway behaves as the services are documented.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from adapters.node.alerts import Alerts
from adapters.node.node import Node
from adapters.node.notices import NoticeKeeper
from adapters.node.receipts import Kept, Requests, origin_of
from adapters.node.rpcs import ACKNOWLEDGE_NOTICE, CallFailed, CallFault
from adapters.node.store import drop_setting
from adapters.node.succession import NEWEST_CHECKPOINT
from adapters.node.tables import acted_notice, awaited_entry, recalled_request, receipt, request, work
from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, Draft, Field, FieldClass
from audit.log import Log
from audit.receipt import Receipt, parse_receipt
from audit.sequencer import Append
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.protocol.envelope import unwrap
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import RequestId
from gateway.protocol.notices import seal_notice
from gateway.protocol.sealing import SealKey
from homeward.audit.v1.log_pb2 import Receipt as ReceiptMessage
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, ALERT_KIND_RECORDS_RELEASED, Alert
from tests.integration.source_kit import _METHODS, Gateway, GatewayCaller, make_node
from tests.unit.node import world

NOTICE = b"n" * 16
DIGEST = b"d" * 32
WORKER = b"invented-worker-7 CWA.case_worker"
TOKENS = b"tokens of a request that was sealed"


@dataclass
class Taken:
    """Acknowledgements, as the gateway takes them."""

    answers: list[pb.NoticeAcknowledgement] = field(default_factory=list)

    def take(self, caller: GatewayCaller, message: pb.AcknowledgeNoticeRequest) -> pb.AcknowledgeNoticeResponse:
        answer = unwrap(message.envelope, pb.NoticeAcknowledgement, caller.gateway.envelope_key(caller.agency))
        self.answers.append(answer)
        return pb.AcknowledgeNoticeResponse(receipt=caller.receipt(Kind.NOTICE_ACKNOWLEDGED, message.envelope))


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Taken:
    made = Taken()
    monkeypatch.setitem(_METHODS, ACKNOWLEDGE_NOTICE.path, made.take)  # type: ignore[arg-type]
    return made


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def node(tmp_path: Path, gateway: Gateway) -> Node:
    return make_node(tmp_path / "adapter", gateway)


async def receipts(directory: Path, count: int, *, origin: str = "log.example/1") -> tuple[LogSigner, list[Receipt]]:
    """Receipts of entries of a real log, with everything open that a requester's receipt opens."""
    signer = LogSigner(origin, Ed25519PrivateKey.generate())
    store = SqliteStore(directory / "log.db")
    create_log(store, signer=signer, high_water=directory / "high-water")
    keys = ClassKeys(b"o" * 32, b"r" * 32, b"h" * 32)
    log = Log.open(
        store, signer=signer, keys=keys, high_water=directory / "high-water", now=lambda: world.NOW,
        random_bytes=os.urandom,
    )  # fmt: skip
    fields = (Field(FieldClass.OP, "kind", b"access.outcome"), Field(FieldClass.REQ, "worker", WORKER))
    opened = frozenset({FieldClass.OP, FieldClass.REQ}), frozenset({"kind", "worker"})
    made = [(await log.append(Append(Draft(fields)))).receipt(*opened) for _ in range(count)]
    await log.close()
    return signer, made


def keep(node: Node, kept: Receipt, request_id: bytes) -> None:
    with node.store.write() as connection:
        connection.execute(
            insert(receipt).values(request_id=request_id, leaf_index=kept.index, proof=kept.text(), create_ms=1)
        )
        connection.execute(
            insert(request).values(
                request_id=request_id, method="RequestRecords", digest=b"d" * 32, payload=TOKENS + request_id,
                create_ms=1,
            )
        )  # fmt: skip


def deliver(node: Node, kind: "pb.NoticeKind.ValueType", indexes: Iterable[int], *, key: SealKey | None = None) -> None:
    """The alert of a notice is on disk."""
    public = (key or node.keyring.seal).public_bytes
    notice = pb.SealedNotice(
        notice_id=NOTICE, kind=kind, sealed=seal_notice(NOTICE, indexes, public), recipient_key_id=b"k" * 16
    )
    alerts = Alerts(node.store)
    alert = Alert(
        sequence=alerts.cursor() + 1, kind=ALERT_KIND_NOTICE, subject_handle=NOTICE, acting_agency=world.ASKER,
        notice=notice,
    )  # fmt: skip
    alerts.accept(alert, world.NOW)


def keeper(node: Node) -> NoticeKeeper:
    return NoticeKeeper(node, Alerts(node.store))


def on_disk(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("adapter.db*")))


def proofs(node: Node) -> dict[int, Receipt]:
    with node.store.read() as connection:
        return {row.leaf_index: parse_receipt(row.proof) for row in connection.execute(select(receipt))}


@pytest.mark.parametrize("kind", [pb.NOTICE_KIND_SEALED, pb.NOTICE_KIND_WRONG_YOUTH])
async def test_openings_and_tokens_of_what_was_named_go_and_the_proofs_stay(
    node: Node, taken: Taken, tmp_path: Path, kind: "pb.NoticeKind.ValueType"
) -> None:
    signer, (named, other) = await receipts(tmp_path, 2)
    keep(node, named, b"1" * 16)
    keep(node, other, b"2" * 16)
    deliver(node, kind, [named.index, 4711])
    assert TOKENS + b"1" * 16 in on_disk(tmp_path / "adapter")
    assert await keeper(node).act_on_all() == 1
    kept = proofs(node)
    assert kept[named.index].openings == ()
    assert kept[named.index].verify(signer.public).size == named.verify(signer.public).size
    assert kept[other.index] == other
    left = on_disk(tmp_path / "adapter")
    assert TOKENS + b"1" * 16 not in left
    assert TOKENS + b"2" * 16 in left
    assert [(each.notice_id, each.finding) for each in taken.answers] == [(NOTICE, pb.NOTICE_FINDING_DONE)]
    # Which entries the notice named is not kept either.
    assert not Alerts(node.store).after(0)[0].HasField("notice")
    with node.store.read() as connection:
        assert [(row.request_id, row.kind) for row in connection.execute(select(recalled_request))] == [
            (b"1" * 16, kind)
        ]


async def test_the_entry_in_force_is_found_by_its_receipt_where_a_lost_one_had_its_position(
    node: Node, taken: Taken, tmp_path: Path
) -> None:
    """A report may be presented again at the very position that its lost entry had (`present`)."""
    requests, request_id = Requests(node.store), RequestId(b"1" * 16)
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        signer, (made, *more) = await receipts(tmp_path / str(number), 3 - number, origin=f"log.example/{number}")
        with node.store.write() as connection:
            # As `succession.begin_log` does between the two.
            drop_setting(connection, NEWEST_CHECKPOINT)
            connection.execute(awaited_entry.delete())
        for each in (made, *more):
            requests.keep(request_id, [Kept(each, each.verify(signer.public), {})], now=world.NOW)
    kept = {index: origin_of(each.text()) for index, each in proofs(node).items()}
    assert kept == {made.index: "log.example/2", made.index + 1: "log.example/1"}
    assert all(each.openings for each in proofs(node).values())
    deliver(node, pb.NOTICE_KIND_SEALED, [made.index])
    await keeper(node).act_on_all()
    assert [each.openings for each in proofs(node).values()] == [(), ()], "the lost entry's receipt as well"


async def test_a_source_forgets_the_receipt_and_the_alert_of_what_it_answered(
    node: Node, taken: Taken, tmp_path: Path
) -> None:
    with node.store.write() as connection:
        for index in (7, 8):
            connection.execute(
                insert(work).values(
                    work_id=bytes([index]) * 16, decision_index=index, requester=world.ASKER, result="ANSWERED",
                    receipt=ReceiptMessage(index=index).SerializeToString(), create_ms=1,
                )
            )  # fmt: skip
    alerts = Alerts(node.store)
    for sequence, index in ((1, 9), (2, 10)):
        alert = Alert(
            sequence=sequence, kind=ALERT_KIND_RECORDS_RELEASED, subject_handle=world.HANDLE, acting_agency=world.ASKER
        )
        alert.leaf.index = index
        alerts.accept(alert, world.NOW)
    deliver(node, pb.NOTICE_KIND_SEALED, [7, 9])
    await keeper(node).act_on_all()
    with node.store.read() as connection:
        kept = {row.decision_index: row.receipt for row in connection.execute(select(work))}
    assert kept[7] is None
    assert kept[8]
    first, second, _ = alerts.after(0)
    assert (first.subject_handle, first.leaf.index) == (bytes(16), 0)
    assert (second.subject_handle, second.leaf.index) == (world.HANDLE, 10)
    assert taken.answers[0].finding == pb.NOTICE_FINDING_DONE


async def test_a_retracted_flag_marks_and_deletes_nothing(node: Node, taken: Taken, tmp_path: Path) -> None:
    _, (named,) = await receipts(tmp_path, 1)
    keep(node, named, b"1" * 16)
    deliver(node, pb.NOTICE_KIND_FLAG_RETRACTED, [named.index])
    await keeper(node).act_on_all()
    assert proofs(node)[named.index] == named
    assert TOKENS in on_disk(tmp_path / "adapter")
    with node.store.read() as connection:
        assert connection.scalars(select(recalled_request.c.request_id)).all() == [b"1" * 16]
    assert taken.answers[0].finding == pb.NOTICE_FINDING_DONE


async def test_what_is_not_acknowledged_is_acknowledged_later_as_it_was_found(
    node: Node, gateway: Gateway, taken: Taken, tmp_path: Path
) -> None:
    _, (named,) = await receipts(tmp_path, 1)
    keep(node, named, b"1" * 16)
    deliver(node, pb.NOTICE_KIND_SEALED, [named.index])
    gateway.failing[ACKNOWLEDGE_NOTICE.path] = CallFailed(CallFault.UNAVAILABLE)
    with pytest.raises(CallFailed):
        await keeper(node).act_on_all()
    assert proofs(node)[named.index].openings == ()
    del gateway.failing[ACKNOWLEDGE_NOTICE.path]
    # Another process after a crash: what was deleted the first time is still what is acknowledged.
    assert await keeper(node).act_on_all() == 1
    assert [each.finding for each in taken.answers] == [pb.NOTICE_FINDING_DONE]
    assert await keeper(node).act_on_all() == 0


async def test_an_acknowledgement_without_its_entry_is_sent_again(
    node: Node, gateway: Gateway, taken: Taken, tmp_path: Path
) -> None:
    _, (named,) = await receipts(tmp_path, 1)
    keep(node, named, b"1" * 16)
    deliver(node, pb.NOTICE_KIND_SEALED, [named.index])
    gateway.edit_receipt = lambda kind, receipt: type(receipt)()
    with pytest.raises(CallFailed):
        await keeper(node).act_on_all()
    gateway.edit_receipt = lambda _, receipt: receipt
    assert await keeper(node).act_on_all() == 1
    assert [each.finding for each in taken.answers] == [pb.NOTICE_FINDING_DONE] * 2


async def test_a_notice_about_nothing_that_is_kept_says_so(node: Node, taken: Taken) -> None:
    deliver(node, pb.NOTICE_KIND_SEALED, [1, 2, 3])
    await keeper(node).act_on_all()
    assert [each.finding for each in taken.answers] == [pb.NOTICE_FINDING_NOTHING_KEPT]


async def test_a_notice_for_another_key_is_not_passed_over_in_silence(node: Node, taken: Taken) -> None:
    deliver(node, pb.NOTICE_KIND_SEALED, [1], key=SealKey.generate())
    await keeper(node).act_on_all()
    assert [each.finding for each in taken.answers] == [pb.NOTICE_FINDING_UNREADABLE]
    with node.store.read() as connection:
        assert connection.scalars(select(acted_notice.c.notice_id)).all() == []
