"""Registration in bulk and a rotation of the token key, as one adapter lives them, against a gateway that behaves."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.node.batches import BATCH
from adapters.node.erase import Eraser
from adapters.node.errors import Missing, NotReady
from adapters.node.node import Node
from adapters.node.own_flag import FlagIssuer
from adapters.node.register import Registrar
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.sealed_subjects import SealedSubjects
from adapters.node.settle import agreeing_keys
from adapters.records import LocalSubjectId, YouthIdentity
from gateway.protocol.match_keys import CORE_KEYS
from gateway.protocol.names import FlagId, HandlingCode, SubjectHandle
from gateway.protocol.ristretto import load_ristretto
from gateway.tokens.ceremony import deal
from homeward.gateway.v1.directory_pb2 import EPOCH_ROLE_PRECEDING, Directory, KeySharing
from homeward.gateway.v1.records_pb2 import FlagLocate
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP
from tests.integration.source_kit import NEXT, Gateway, MemorySource, make_node, prepare
from tests.integration.test_source_listing import registrar, youth
from tests.unit.node.world import EPOCH, NOW, SOURCE

MANY = 2 * BATCH + 3


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def source(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    node = make_node(tmp_path / "source", gateway)
    await prepare(node)
    yield node
    node.store.close()


def crowd(count: int) -> MemorySource:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return MemorySource(
        *(
            youth(
                number,
                identity=YouthIdentity(
                    "Invented", f"Example{letters[number // 26]}{letters[number % 26]}", youth(1).identity.birth_date
                ),
            )
            for number in range(count)
        )
    )


def evaluated(gateway: Gateway, epoch: str) -> int:
    """Records that one holder evaluated in this epoch."""
    return sum(batch.record_count for share, batch in gateway.evaluated if (share, batch.epoch) == (1, epoch))


def open_next(gateway: Gateway) -> None:
    gateway.following = deal(load_ristretto(), threshold=2, holders=2, random_bytes=secrets.token_bytes)


async def announced(node: Node, gateway: Gateway) -> None:
    """The directory announces the next epoch, and the adapter has both peppers."""
    open_next(gateway)
    await prepare(node)


def cut_over(gateway: Gateway, *, keep_old: bool) -> None:
    """The directory names the following epoch as the current one, and the one before only with `keep_old`."""
    following = gateway.following
    assert following is not None

    def edit(message: Directory) -> None:
        before, other = message.epoch, message.other_epoch
        sharing = KeySharing()
        sharing.CopyFrom(message.sharing)
        message.epoch, message.version = NEXT, message.version + (1 if keep_old else 2)
        message.sharing.CopyFrom(other.sharing)
        for each in message.holders:
            each.share_commitment = load_ristretto().multiply_base(following.shares[each.share_index - 1].secret)
        assert before == EPOCH
        if keep_old:
            other.role = EPOCH_ROLE_PRECEDING
            other.sharing.CopyFrom(sharing)
        else:
            message.ClearField("other_epoch")

    gateway.edit = edit


def raised(keeping: Registrar, handle: SubjectHandle) -> None:
    issuer = FlagIssuer("06075", keeping.node.keyring.flag)
    flag = issuer.raised(
        FlagId(bytes(16)), handle, handling_code=HandlingCode.CALL_DUTY_LINE, learned=NOW, locate=FlagLocate(), now=NOW
    )
    keeping.comparison.flags.keep(flag)


# --- bulk


@pytest.mark.parametrize("batches", [1, 2])
async def test_a_registration_that_was_cut_off_goes_on_after_the_last_answer(
    source: Node, gateway: Gateway, tmp_path: Path, batches: int
) -> None:
    held, seen = crowd(MANY), list[tuple[int, int]]()
    first = registrar(source, held)
    first.progress.told = lambda progress: seen.append((progress.done[EPOCH], progress.due[EPOCH]))
    gateway.cut_off_after = batches
    with pytest.raises(CallFailed):
        await first.synchronize()
    # As long as another batch would take to make.
    gateway.cut_off_after, gateway.silent_seconds = 1, 2
    for _ in range(3):
        with pytest.raises(CallFailed):
            await first.synchronize()
    assert first.comparison.subjects.listed_count(EPOCH) == (batches - 1) * BATCH
    assert seen[0] == (0, MANY)
    assert seen[-1] == ((batches - 1) * BATCH, MANY - (batches - 1) * BATCH)
    gateway.cut_off_after = None
    # Another process on the same disk: what was made and not answered is sent again, not made again.
    again = registrar(source, held)
    assert await again.synchronize() == MANY - (batches - 1) * BATCH
    assert len(gateway.subjects) == MANY == again.comparison.subjects.listed_count(EPOCH)
    assert again.progress.due[EPOCH] == 0
    # Of the batch after the one that was cut off tokens may have been made and lost; nothing else is paid for twice.
    assert MANY <= evaluated(gateway, EPOCH) <= MANY + BATCH
    assert await again.synchronize() == 0


async def test_a_flag_does_not_wait_for_the_whole_list(source: Node, gateway: Gateway) -> None:
    keeping = registrar(source, crowd(MANY))
    handle = await keeping.listed(LocalSubjectId(f"invented-{MANY - 1}"))
    assert list(gateway.subjects) == [(SOURCE, handle)]
    assert await keeping.synchronize() == MANY - 1
    assert len(gateway.subjects) == MANY


# --- a following epoch


async def test_everybody_is_listed_in_the_following_epoch_under_the_same_handle(source: Node, gateway: Gateway) -> None:
    keeping = registrar(source, crowd(MANY))
    await keeping.synchronize()
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH]
    await announced(source, gateway)
    assert await keeping.synchronize() == 0
    assert await keeping.renew(seconds=60)
    assert gateway.renewed.keys() == gateway.subjects.keys()
    key = next(iter(gateway.subjects))
    assert agreeing_keys(gateway.renewed[key].tokens, gateway.subjects[key].tokens) == frozenset()
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH, NEXT]
    # Each was paid for once in each epoch.
    assert (evaluated(gateway, EPOCH), evaluated(gateway, NEXT)) == (MANY, MANY)
    assert not await keeping.renew(seconds=60)


async def test_the_following_epoch_is_not_complete_before_it_is(source: Node, gateway: Gateway) -> None:
    held = crowd(MANY)
    keeping = registrar(source, held)
    await keeping.synchronize()
    await announced(source, gateway)
    assert not await keeping.renew(seconds=0)
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH]
    assert 0 < len(gateway.renewed) < MANY
    # A restart goes on where it was.
    again = registrar(source, held)
    await again.synchronize()
    assert await again.renew(seconds=60)
    assert (len(gateway.renewed), evaluated(gateway, NEXT)) == (MANY, MANY)
    # Whoever is new is listed at once, and until then in the other epoch the list is not complete.
    held.held[LocalSubjectId("invented-900")] = youth(900 % 26, local_id=LocalSubjectId("invented-900"))
    await again.synchronize()
    await again.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH]
    assert await again.renew(seconds=60)
    assert len(gateway.renewed) == MANY + 1


async def test_a_flag_raised_while_both_epochs_are_open_is_listed_in_both(source: Node, gateway: Gateway) -> None:
    keeping = registrar(source, crowd(3), flagged_only=True)
    await announced(source, gateway)
    handle = await keeping.listed(LocalSubjectId("invented-2"))
    assert [key for listed in (gateway.subjects, gateway.renewed) for key in listed] == [(SOURCE, handle)] * 2


async def test_a_flag_does_not_wait_for_the_pepper_of_the_following_epoch(source: Node, gateway: Gateway) -> None:
    keeping = registrar(source, crowd(3))
    open_next(gateway)
    await source.keeper.refresh()
    handle = await keeping.listed(LocalSubjectId("invented-2"))
    assert list(gateway.subjects) == [(SOURCE, handle)]
    assert not gateway.renewed
    with pytest.raises(NotReady) as caught:
        await keeping.renew(seconds=60)
    assert caught.value.missing is Missing.PEPPER


@pytest.mark.parametrize("fault", list(CallFault))
async def test_a_flag_does_not_wait_for_the_holders_of_the_following_epoch(
    source: Node, gateway: Gateway, fault: CallFault
) -> None:
    keeping = registrar(source, crowd(3))
    await announced(source, gateway)
    await keeping.synchronize()
    await keeping.renew(seconds=60)
    held = keeping.comparison.source
    assert isinstance(held, MemorySource)
    held.held[LocalSubjectId("invented-20")] = youth(20)
    gateway.refused_epochs = {NEXT: CallFailed(fault)}
    handle = await keeping.listed(LocalSubjectId("invented-20"))
    assert (SOURCE, handle) in gateway.subjects
    assert (SOURCE, handle) not in gateway.renewed
    # What is told to nobody who asks there: that everybody is listed there.
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH]
    gateway.refused_epochs = {}
    assert await keeping.renew(seconds=60)
    assert (SOURCE, handle) in gateway.renewed


async def test_no_token_stays_of_a_youth_that_was_sealed_while_the_list_was_renewed(
    source: Node, gateway: Gateway
) -> None:
    keeping = registrar(source, crowd(2))
    await keeping.synchronize()
    await announced(source, gateway)
    handle = keeping.comparison.subjects.known_handle(LocalSubjectId("invented-1"))
    assert handle is not None
    marks, seal_id = SealedSubjects(source.store, b"k" * 32), secrets.token_bytes(16)

    def sealed_meanwhile(number: int) -> None:
        if not gateway.sealed and number == 1:
            marks.begin(LocalSubjectId("invented-1"), handle)
            gateway.sealed = {handle}
            marks.sealed(handle, seal_id)

    # The order comes after the comparison and before the batch: tokens were made, and the seal does not know of them.
    gateway.on_evaluation = lambda share, batch: sealed_meanwhile(share if batch.epoch == NEXT else 0)
    await keeping.renew(seconds=60)
    assert gateway.sealed
    assert (SOURCE, handle) not in gateway.renewed
    assert not keeping.comparison.subjects.every_registered(handle)


async def test_a_youth_somebody_looks_for_who_left_the_extract_keeps_the_epoch_incomplete(
    source: Node, gateway: Gateway
) -> None:
    held = crowd(2)
    keeping = registrar(source, held)
    await keeping.synchronize()
    raised(keeping, await keeping.listed(LocalSubjectId("invented-1")))
    del held.held[LocalSubjectId("invented-1")]
    await keeping.synchronize()
    await announced(source, gateway)
    assert not await keeping.renew(seconds=60)
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [EPOCH]


async def test_a_question_in_either_epoch_meets_what_was_registered_in_it(source: Node, gateway: Gateway) -> None:
    held = crowd(1)
    keeping = registrar(source, held)
    await keeping.synchronize()
    await announced(source, gateway)
    await keeping.renew(seconds=60)
    ((_, handle),) = gateway.subjects
    person = keeping.comparison.compare(EPOCH), next(iter(held.held.values()))
    change = keeping.comparison.change_of(person[1], SubjectHandle(handle), NEXT)
    assert change is not None
    for epoch in (EPOCH, NEXT):
        (asked,) = await source.tokens([change.person], EVALUATION_USE_LOOKUP, epoch=epoch)
        registered = keeping.comparison.subjects.registered(SubjectHandle(handle), epoch)
        assert registered is not None
        assert agreeing_keys(asked, registered) == CORE_KEYS


async def test_what_an_ended_epoch_left_here_is_erased(source: Node, gateway: Gateway, tmp_path: Path) -> None:
    keeping = registrar(source, crowd(3))
    await keeping.synchronize()
    await announced(source, gateway)
    await keeping.renew(seconds=60)
    ((_, handle), *_) = gateway.subjects
    old = keeping.comparison.subjects.registered(SubjectHandle(handle), EPOCH)
    assert old is not None
    token, pepper = old.tokens[:16], tmp_path / "source" / "keys" / f"pepper-{EPOCH}.key"
    database = [tmp_path / "source" / f"adapter.db{suffix}" for suffix in ("", "-wal")]
    assert any(token in file.read_bytes() for file in database if file.exists())
    assert pepper.exists()

    eraser = Eraser(source)
    cut_over(gateway, keep_old=True)
    await prepare(source)
    await eraser.erase()
    assert source.directory().epoch == NEXT
    assert await keeping.synchronize() == 0
    await keeping.heartbeat()
    assert list(gateway.heartbeats[-1][1].complete_epochs) == [NEXT]
    assert pepper.exists(), "questions of before the cut-over can still be settled"
    assert keeping.comparison.subjects.registered(SubjectHandle(handle), EPOCH) is not None
    cut_over(gateway, keep_old=False)
    await prepare(source)
    await eraser.erase()
    assert await keeping.synchronize() == 0
    assert not pepper.exists()
    assert not any(token in file.read_bytes() for file in database if file.exists())
    assert keeping.comparison.subjects.registered(SubjectHandle(handle), NEXT) is not None
