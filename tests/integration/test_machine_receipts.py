"""What an adapter says by itself counts only with the receipt of its entry: a gateway, or a holder, that answers one
thing and writes another, or nothing, is not believed, and nothing of its answer is used."""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from adapters.identity.tokenize import Person
from adapters.node.acts import RECEIPT_INVALID
from adapters.node.errors import HolderUnavailable, NotReady
from adapters.node.holder_alarm import HolderFinding, operators_with
from adapters.node.node import Node
from adapters.node.rpcs import CallFailed, CallFault
from adapters.node.tables import awaited_entry
from audit.checkpoint import LogSigner
from audit.merkle import leaf_hash
from gateway.protocol.directory import DirectoryInvalid
from gateway.protocol.log_kinds import Kind
from gateway.protocol.ristretto import load_ristretto
from gateway.tokens.ceremony import deal
from homeward.audit.v1.log_pb2 import Receipt
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP
from tests.integration.source_kit import Gateway, MemorySource, make_node, prepare
from tests.integration.test_source_listing import ANA, registrar, youth
from tests.unit.node import world
from tests.unit.node.world import NOW

ANOTHER_LOG = LogSigner(world.keys().log.public.origin, Ed25519PrivateKey.generate())


def _nothing(kind: str, receipt: Receipt) -> Receipt:
    return Receipt()


def _another_request(kind: str, receipt: Receipt) -> Receipt:
    return world.act_receipt(kind, request=bytes(32))


def _another_kind(kind: str, receipt: Receipt) -> Receipt:
    other = Kind.INDEX_HEARTBEAT if kind != Kind.INDEX_HEARTBEAT else Kind.INDEX_REGISTERED
    return world.act_receipt(other, request=_request_of(receipt))


def _another_key(kind: str, receipt: Receipt) -> Receipt:
    return world.act_receipt(kind, request=_request_of(receipt), log=ANOTHER_LOG)


def _closed(kind: str, receipt: Receipt) -> Receipt:
    del receipt.openings[:]
    return receipt


def _another_leaf(kind: str, receipt: Receipt) -> Receipt:
    receipt.leaf = receipt.leaf[:-1] + bytes([receipt.leaf[-1] ^ 1])
    return receipt


FORGED = (_nothing, _another_request, _another_kind, _another_key, _closed, _another_leaf)
Forge = Callable[[str, Receipt], Receipt]


def _request_of(receipt: Receipt) -> bytes:
    return next(each.value for each in receipt.openings if each.name == "request")


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def node(tmp_path: Path, gateway: Gateway) -> AsyncIterator[Node]:
    made = make_node(tmp_path / "source", gateway)
    yield made
    made.store.close()


def forge(gateway: Gateway, kind: Kind, how: Forge) -> None:
    gateway.edit_receipt = lambda of, receipt: how(of, receipt) if of == kind else receipt


@pytest.mark.parametrize("how", FORGED)
async def test_a_batch_without_its_entry_lists_nobody_here_and_is_sent_again(
    node: Node, gateway: Gateway, how: Forge
) -> None:
    await prepare(node)
    keeping = registrar(node, MemorySource(youth(1)))
    forge(gateway, Kind.INDEX_REGISTERED, how)
    with pytest.raises(CallFailed) as caught:
        await keeping.synchronize()
    assert (caught.value.fault, caught.value.reason) == (CallFault.BROKEN, RECEIPT_INVALID)
    assert keeping.comparison.subjects.listed_count(world.EPOCH) == 0
    assert not keeping.complete, "nothing is called complete that has no entry"
    gateway.edit_receipt = lambda _, receipt: receipt
    evaluated = len(gateway.evaluated)
    assert await keeping.synchronize() == 1
    assert keeping.comparison.subjects.listed_count(world.EPOCH) == 1
    assert len(gateway.evaluated) == evaluated, "the tokens that lie here are sent again, and paid for once"


@pytest.mark.parametrize("how", FORGED)
async def test_a_heartbeat_without_its_entry_is_none(node: Node, gateway: Gateway, how: Forge) -> None:
    await prepare(node)
    keeping = registrar(node, MemorySource(youth(1)))
    await keeping.synchronize()
    forge(gateway, Kind.INDEX_HEARTBEAT, how)
    with pytest.raises(CallFailed) as caught:
        await keeping.heartbeat()
    assert (caught.value.fault, caught.value.reason) == (CallFault.BROKEN, RECEIPT_INVALID)
    assert keeping.beats == 0
    gateway.edit_receipt = lambda _, receipt: receipt
    await keeping.heartbeat()
    assert keeping.beats == 1


@pytest.mark.parametrize("how", FORGED)
async def test_a_pepper_whose_offer_has_no_entry_is_not_kept(node: Node, gateway: Gateway, how: Forge) -> None:
    forge(gateway, Kind.PEPPER_OFFERED, how)
    await node.keeper.refresh()
    with pytest.raises(CallFailed):
        await node.pepper.step()
    with pytest.raises(NotReady):
        node.pepper.current(node.directory())


@pytest.mark.parametrize("share", [1, 2])
@pytest.mark.parametrize("how", FORGED)
async def test_an_evaluation_that_its_holder_has_not_on_record_makes_no_token(
    node: Node, gateway: Gateway, how: Forge, share: int
) -> None:
    await prepare(node)
    await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    log = world.holder_log(share).public.origin
    gateway.edit_receipt = lambda kind, receipt: how(kind, receipt) if log in receipt.checkpoint else receipt
    with pytest.raises(HolderUnavailable) as caught:
        await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    operator = {1: "exchange", 2: "auditor"}[share]
    faults = [(each.operator, each.fault, each.reason) for each in caught.value.faults]
    assert faults == [(operator, CallFault.BROKEN, RECEIPT_INVALID)]
    assert operators_with(HolderFinding.UNPROVEN, node.store, NOW) == (operator,), "the operators hear of it"
    assert set(node.tokenizer.failed) == {share}, "and it is asked last for a while"


async def test_the_log_of_one_holder_says_nothing_of_another(node: Node, gateway: Gateway) -> None:
    await prepare(node)
    gateway.edit_receipt = lambda kind, receipt: world.act_receipt(kind, request=_request_of(receipt))
    with pytest.raises(HolderUnavailable) as caught:
        await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert [each.operator for each in caught.value.faults] == ["auditor"]


async def test_a_holder_that_shows_two_histories_of_one_size_is_found_after_a_restart_too(
    tmp_path: Path, node: Node, gateway: Gateway
) -> None:
    await prepare(node)

    def always_the_hundredth(kind: str, receipt: Receipt) -> Receipt:
        if world.holder_log(2).public.origin not in receipt.checkpoint:
            return receipt
        said = {"kind": kind.encode(), "request": _request_of(receipt)}
        return world.receipt_of(said, index=99, time=NOW, log=world.holder_log(2))

    gateway.edit_receipt = always_the_hundredth
    await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    node.store.close()
    again = make_node(tmp_path / "source", gateway)
    await prepare(again)
    with pytest.raises(HolderUnavailable) as caught:
        await again.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert [(each.operator, each.reason) for each in caught.value.faults] == [("auditor", RECEIPT_INVALID)]
    again.store.close()


async def test_a_holder_that_begins_another_log_is_named_and_goes_on(node: Node, gateway: Gateway) -> None:
    await prepare(node)
    for _ in range(2):
        await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert operators_with(HolderFinding.ANOTHER_LOG, node.store, NOW) == ()
    old, new = world.holder_log(2).public.origin, world.holder_log(7)

    def renamed(message: Directory) -> None:
        message.version += 1
        for holder in message.holders:
            if holder.share_index == 2:
                holder.log_origin, holder.log_key = new.public.origin, new.public.raw

    def in_the_other(kind: str, receipt: Receipt) -> Receipt:
        if old not in receipt.checkpoint:
            return receipt
        return world.act_receipt(kind, log=new, request=_request_of(receipt))

    gateway.edit, gateway.edit_receipt = renamed, in_the_other
    await node.keeper.refresh()
    for _ in range(2):
        await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    assert operators_with(HolderFinding.ANOTHER_LOG, node.store, NOW) == ("auditor",)


async def test_two_holders_may_have_logs_of_one_size(tmp_path: Path) -> None:
    dealing = deal(load_ristretto(), threshold=2, holders=3, random_bytes=secrets.token_bytes)
    gateway = Gateway(dealing=dealing)

    def always_the_hundredth(kind: str, receipt: Receipt) -> Receipt:
        for log in (world.holder_log(2), world.holder_log(3)):
            if log.public.origin in receipt.checkpoint:
                said = {"kind": kind.encode(), "request": _request_of(receipt)}
                return world.receipt_of(said, index=99, time=NOW, log=log)
        return receipt

    gateway.edit_receipt = always_the_hundredth
    node = make_node(tmp_path / "source", gateway)
    await prepare(node)
    gateway.down = {1}
    assert await node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP)
    node.store.close()


async def test_the_exchanges_log_has_one_history_for_machines_too(node: Node, gateway: Gateway) -> None:
    await prepare(node)

    def always_the_same(kind: str, receipt: Receipt) -> Receipt:
        if kind != Kind.INDEX_REGISTERED:
            return receipt
        said = {"kind": kind.encode(), "request": _request_of(receipt)}
        return world.receipt_of(said, index=9_999_999, time=NOW)

    gateway.edit_receipt = always_the_same
    held = MemorySource(youth(1))
    keeping = registrar(node, held)
    await keeping.synchronize()
    held.held[youth(2).local_id] = youth(2)
    with pytest.raises(CallFailed) as caught:
        await keeping.synchronize()
    assert caught.value.reason == RECEIPT_INVALID


async def test_while_somebody_else_writes_here_nothing_ends_and_no_holder_is_blamed(
    tmp_path: Path, node: Node, gateway: Gateway
) -> None:
    await prepare(node)
    keeping = registrar(node, MemorySource(youth(1)))
    await keeping.synchronize()
    with closing(sqlite3.connect(tmp_path / "source" / "adapter.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        beat, asked = await asyncio.gather(
            keeping.heartbeat(), node.tokens([Person(ANA)], EVALUATION_USE_LOOKUP), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert isinstance(beat, CallFailed)
    assert (beat.fault, beat.reason) == (CallFault.UNAVAILABLE, "")
    assert isinstance(asked, HolderUnavailable)
    assert {each.fault for each in asked.faults} == {CallFault.UNAVAILABLE}
    assert (operators_with(HolderFinding.UNPROVEN, node.store, NOW), node.tokenizer.failed) == ((), {})
    await keeping.heartbeat()


async def test_what_is_not_believed_is_said_again_later_and_later(node: Node, gateway: Gateway) -> None:
    await prepare(node)
    keeping = registrar(node, MemorySource(youth(1)))
    forge(gateway, Kind.INDEX_REGISTERED, _nothing)
    running = asyncio.ensure_future(keeping.run())
    await asyncio.sleep(2.5)
    assert len(gateway.batches) == 2, "at once, after one second, after two more"
    gateway.edit_receipt = lambda _, receipt: receipt
    keeping.poke()
    async with asyncio.timeout(5):
        while not keeping.beats:  # noqa: ASYNC110 - the condition is another task's doing
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_entry_of_a_machine_is_awaited_among_those_that_are_shown(node: Node, gateway: Gateway) -> None:
    taken: list[Receipt] = []

    def take(kind: str, receipt: Receipt) -> Receipt:
        if world.keys().log.public.origin in receipt.checkpoint:
            taken.append(receipt)
        return receipt

    gateway.edit_receipt = take
    await prepare(node)
    keeping = registrar(node, MemorySource(youth(1)))
    await keeping.synchronize()
    await keeping.heartbeat()
    # The pepper, an evaluation at the gateway, the batch, the heartbeat; the other holder's log shows nobody entries.
    assert len(taken) == 4
    with node.store.read() as connection:
        awaited = connection.execute(select(awaited_entry).order_by(awaited_entry.c.leaf_index)).all()
    assert [tuple(row) for row in awaited] == [(each.index, leaf_hash(each.leaf)) for each in taken]


# --- which log


async def test_the_first_directory_must_name_the_log_of_the_invitation(node: Node, gateway: Gateway) -> None:
    def other(message: Directory) -> None:
        message.log_key = message.holders[0].log_key = ANOTHER_LOG.public.raw

    gateway.edit = other
    await node.keeper.refresh()
    assert (node.keeper.version, node.keeper.fault) == (0, "log")
    gateway.edit = lambda _: None
    await node.keeper.refresh()
    assert (node.keeper.version, node.keeper.fault) == (7, "")


@pytest.mark.parametrize(
    ("name", "value"), [("log_key", b"k" * 32), ("log_origin", "another.example")], ids=["key", "origin"]
)
async def test_what_the_gateway_evaluates_stands_in_the_log_that_members_witness(
    node: Node, gateway: Gateway, name: str, value: object
) -> None:
    gateway.edit = lambda message: setattr(message.holders[0], name, value)
    with pytest.raises(DirectoryInvalid):
        world.open_directory(gateway.sign(gateway.directory()), world.pins())
    await node.keeper.refresh()
    assert (node.keeper.version, node.keeper.fault) == (0, "log")
