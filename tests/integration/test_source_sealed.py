"""A sealed youth at its own agency: off the list, apart from its handle, and listed again when the seal is lifted."""

import os
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from adapters.node.alerts import Alerts
from adapters.node.compare import Comparison
from adapters.node.flags import OwnFlags
from adapters.node.listing import IndexPolicy
from adapters.node.node import Node
from adapters.node.reviews import Reviews
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.subjects import Subjects
from adapters.node.tables import registration, request, sealed_subject, subject
from adapters.records import (
    CountyFips,
    LocalSubjectId,
    OutOfHomeEpisode,
    Placement,
    SettingGroup,
    Youth,
    YouthIdentity,
)
from gateway.protocol.names import SubjectHandle
from homeward.gateway.v1.link_pb2 import ALERT_KIND_RECORDS_RELEASED, ALERT_KIND_REVIEW, Alert
from homeward.gateway.v1.review_pb2 import REVIEW_SIDE_LISTING
from tests.integration.source_kit import Gateway, MemorySource, make_node
from tests.integration.test_source_erasing import on_disk
from tests.unit.node import world

NOTICE = b"n" * 16
DIGEST = b"d" * 32


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return make_node(tmp_path / "adapter", Gateway())


def in_care() -> Youth:
    """An invented youth of this agency, in a family home."""
    placement = Placement(1, date(2026, 1, 1), None, SettingGroup.FAMILY_HOME, placement_county=CountyFips("06029"))
    episode = OutOfHomeEpisode(date(2026, 1, 1), None, None, CountyFips("06075"), world.SOURCE, (placement,))
    return Youth(
        local_id=LocalSubjectId("invented-1"),
        identity=YouthIdentity("Invented", "Example", date(2011, 5, 4), ()),
        episodes=(episode,),
    )


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
