"""Notices at an agency's adapter: what lays sealed entries open goes, and then the notice is acknowledged.

The log, the receipts, the store and the seal keys are real; the gateway behaves as the services are documented.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import insert, select

from adapters.node.alerts import Alerts
from adapters.node.compare import Comparison
from adapters.node.flags import OwnFlags
from adapters.node.listing import IndexPolicy
from adapters.node.node import Node
from adapters.node.notices import NoticeKeeper
from adapters.node.reviews import Reviews
from adapters.node.rpcs import ACKNOWLEDGE_NOTICE, CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.store import (
    acted_notice,
    recalled_request,
    receipt,
    registration,
    request,
    sealed_subject,
    subject,
    work,
)
from adapters.node.subjects import Subjects
from adapters.records import (
    CountyFips,
    LocalSubjectId,
    OutOfHomeEpisode,
    Placement,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from audit.checkpoint import LogSigner
from audit.entry import ClassKeys, Draft, Field, FieldClass
from audit.log import Log
from audit.receipt import Receipt, parse_receipt
from audit.sequencer import Append
from audit.startup import create_log
from audit.store_sqlite import SqliteStore
from gateway.protocol.envelope import unwrap
from gateway.protocol.names import SubjectHandle
from gateway.protocol.notices import seal_notice
from gateway.protocol.sealing import SealKey
from homeward.audit.v1.log_pb2 import Receipt as ReceiptMessage
from homeward.gateway.v1 import sealing_pb2 as pb
from homeward.gateway.v1.link_pb2 import ALERT_KIND_NOTICE, ALERT_KIND_RECORDS_RELEASED, ALERT_KIND_REVIEW, Alert
from homeward.gateway.v1.review_pb2 import REVIEW_SIDE_LISTING
from tests.integration.source_kit import _METHODS, Gateway, GatewayCaller, MemorySource, make_node
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
        return pb.AcknowledgeNoticeResponse()


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


async def receipts(directory: Path, count: int) -> tuple[LogSigner, list[Receipt]]:
    """Receipts of entries of a real log, with everything open that a requester's receipt opens."""
    signer = LogSigner("log.example/1", Ed25519PrivateKey.generate())
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


def in_care() -> Youth:
    """An invented youth of this agency, in a family home."""
    placement = Placement(1, date(2026, 1, 1), None, SettingGroup.FAMILY_HOME, placement_county=CountyFips("06029"))
    episode = OutOfHomeEpisode(date(2026, 1, 1), None, None, CountyFips("06075"), world.SOURCE, (placement,))
    return Youth(
        local_id=LocalSubjectId("invented-1"),
        identity=YouthIdentity("Invented", "Example", date(2011, 5, 4), ()),
        episodes=(episode,),
    )


# --- the owner's own side ----------------------------------------------------------------------


async def test_a_sealed_youth_is_not_listed_again_and_keeps_its_handle_for_a_lifting(
    node: Node, tmp_path: Path
) -> None:
    await node.keeper.refresh()
    youth = in_care()
    source, sealed = MemorySource(youth), SealedSubjects(node.store, node.keyring.commitment).load()
    subjects = Subjects(node.store, random_bytes=os.urandom, earlier=sealed.earlier_handle)
    comparison = Comparison(node, source, subjects, OwnFlags(node.store), IndexPolicy(), sealed.is_sealed)
    (change,) = comparison.compare(world.EPOCH).changes
    sealed.begin(youth.local_id, change.handle)
    assert comparison.compare(world.EPOCH).changes == ()
    sealed.sealed(change.handle, NOTICE)
    with node.store.read() as connection:
        assert connection.scalars(select(subject.c.local_id)).all() == []
    # The mark does not say who it is, and stands after a restart.
    assert youth.local_id.encode() not in on_disk(tmp_path / "adapter")
    assert SealedSubjects(node.store, node.keyring.commitment).load().is_sealed(youth.local_id)
    assert not SealedSubjects(node.store, b"x" * 32).load().is_sealed(youth.local_id)
    sealed.lifted(NOTICE, change.handle)
    (again,) = comparison.compare(world.EPOCH).changes
    assert again.handle == change.handle


async def test_after_destruction_nothing_here_leads_to_the_handle(node: Node, tmp_path: Path) -> None:
    sealed = SealedSubjects(node.store, node.keyring.commitment).load()
    local_id, handle = LocalSubjectId("A-0001"), SubjectHandle(os.urandom(16))
    with node.store.write() as connection:
        connection.execute(insert(subject).values(local_id=local_id, handle=handle))
        listed = {"handle": handle, "epoch": world.EPOCH, "fingerprint": bytes(32), "tokens": b"invented tokens"}
        connection.execute(insert(registration).values(**listed))
        for request_id, said in ((b"1" * 16, handle), (b"2" * 16, b"another")):
            connection.execute(
                insert(request).values(
                    request_id=request_id, method="Seal", digest=b"d" * 32, payload=b"order" + said, create_ms=1
                )
            )
    sealed.begin(local_id, handle)
    assert b"invented tokens" in on_disk(tmp_path / "adapter")
    sealed.sealed(handle, NOTICE)
    assert b"invented tokens" not in on_disk(tmp_path / "adapter")
    assert handle in on_disk(tmp_path / "adapter")
    sealed.destroyed(NOTICE)
    assert handle not in on_disk(tmp_path / "adapter")
    assert b"orderanother" in on_disk(tmp_path / "adapter")
    assert sealed.is_sealed(local_id)
    with node.store.read() as connection:
        assert connection.scalars(select(sealed_subject.c.handle)).all() == [None]


def told_of(node: Node, handle: SubjectHandle) -> None:
    """Two other agencies asked: one was answered, the other is asked whether its youth is this one."""
    alerts = Alerts(node.store)
    for kind in (ALERT_KIND_RECORDS_RELEASED, ALERT_KIND_REVIEW):
        alert = Alert(sequence=alerts.cursor() + 1, kind=kind, subject_handle=handle, acting_agency=world.ASKER)
        alert.flag_id = handle[::-1]
        if kind == ALERT_KIND_REVIEW:
            alert.review.review_id, alert.review.epoch = os.urandom(16), world.EPOCH
            alert.review.side = REVIEW_SIDE_LISTING
            alert.review.naming_digests.append(DIGEST)
        alerts.accept(alert, world.NOW)


async def test_what_another_agency_asked_about_a_sealed_youth_goes_with_the_youth(node: Node, tmp_path: Path) -> None:
    sealed = SealedSubjects(node.store, node.keyring.commitment).load()
    handle, other = SubjectHandle(os.urandom(16)), SubjectHandle(os.urandom(16))
    told_of(node, handle)
    told_of(node, other)
    sealed.begin(LocalSubjectId("A-0001"), handle)
    sealed.sealed(handle, NOTICE)
    sealed.destroyed(NOTICE)
    left = on_disk(tmp_path / "adapter")
    assert handle not in left
    assert handle[::-1] not in left
    assert other in left, "the search finds what is there"
    assert [each.subject_handle for each in Alerts(node.store).after(0)] == [bytes(16)] * 2 + [other] * 2
    (kept,) = Reviews(node.store).listed()
    assert kept.alert.subject_handle == other


async def forgotten(node: Node) -> tuple[SealedSubjects, Comparison, SubjectHandle]:
    """An adapter that was put back to before a seal lists the youth, and hears that it was sealed."""
    await node.keeper.refresh()
    sealed = SealedSubjects(node.store, node.keyring.commitment).load()
    subjects = Subjects(node.store, random_bytes=os.urandom, earlier=sealed.earlier_handle)
    comparison = Comparison(
        node, MemorySource(in_care()), subjects, OwnFlags(node.store), IndexPolicy(), sealed.is_sealed
    )
    (change,) = comparison.compare(world.EPOCH).changes
    with node.store.write() as connection:
        connection.execute(
            insert(request).values(
                request_id=b"1" * 16, method="Recall", digest=b"d" * 32, payload=b"order" + change.handle, create_ms=1
            )
        )
    told_of(node, change.handle)
    sealed.take_up(in_care().local_id, change.handle)
    return sealed, comparison, change.handle


async def test_a_seal_that_was_taken_up_is_destroyed_by_its_name_alone(node: Node, tmp_path: Path) -> None:
    sealed, comparison, handle = await forgotten(node)
    assert comparison.compare(world.EPOCH).changes == ()
    # Which seal it was nobody can say: nothing leads to the handle from the start.
    sealed.destroyed(NOTICE)
    assert handle not in on_disk(tmp_path / "adapter")
    assert comparison.compare(world.EPOCH).changes == ()
    assert SealedSubjects(node.store, node.keyring.commitment).load().is_sealed(in_care().local_id)


async def test_a_seal_that_was_taken_up_can_be_lifted_and_the_youth_is_listed_as_before(node: Node) -> None:
    sealed, comparison, handle = await forgotten(node)
    sealed.lifted(NOTICE, SubjectHandle(os.urandom(16)))
    assert comparison.compare(world.EPOCH).changes == (), "another youth's seal"
    sealed.lifted(NOTICE, handle)
    (again,) = comparison.compare(world.EPOCH).changes
    assert again.handle == handle
    # Sealed again, it is an order of this adapter, which finds its handle by the seal.
    sealed.begin(in_care().local_id, handle)
    sealed.sealed(handle, b"m" * 16)
    sealed.lifted(b"m" * 16, SubjectHandle(b""))
    (again,) = comparison.compare(world.EPOCH).changes
    assert again.handle == handle


async def test_an_order_under_way_is_not_a_seal_that_was_forgotten(node: Node, tmp_path: Path) -> None:
    sealed = SealedSubjects(node.store, node.keyring.commitment).load()
    local_id, handle = LocalSubjectId("A-0001"), SubjectHandle(os.urandom(16))
    sealed.begin(local_id, handle)
    # The exchange has carried it out, and says so to a registration before it answers the order.
    sealed.take_up(local_id, handle)
    sealed.sealed(handle, NOTICE)
    assert handle in on_disk(tmp_path / "adapter")
    sealed.destroyed(NOTICE)
    assert handle not in on_disk(tmp_path / "adapter")


async def test_a_refused_order_leaves_the_youth_listed(node: Node) -> None:
    sealed = SealedSubjects(node.store, node.keyring.commitment).load()
    local_id = LocalSubjectId("A-0001")
    sealed.begin(local_id, SubjectHandle(os.urandom(16)))
    assert sealed.is_sealed(local_id)
    sealed.abandon(local_id)
    assert not sealed.is_sealed(local_id)
