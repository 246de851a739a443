"""Any two of three holders: one that is away, lies, or was slipped in; on the adapter, against holders that behave."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.identity.tokenize import Person
from adapters.node import holders
from adapters.node.errors import HolderUnavailable, Missing, NotReady
from adapters.node.holder_alarm import HolderFinding, operators_with
from adapters.node.holders import holder_pseudonym
from adapters.node.node import Node
from adapters.node.rpcs import A, CallFault, Q, Rpc
from adapters.node.settle import agreeing_keys
from gateway.protocol.directory import HolderView
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.ristretto import load_ristretto
from gateway.tokens.ceremony import deal
from homeward.gateway.v1.directory_pb2 import Directory
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EVALUATION_USE_REGISTRATION
from tests.integration.source_kit import Clock, Gateway, GatewayCaller, make_node, prepare
from tests.unit.node import world
from tests.unit.node.world import NOW, SOURCE

ANA = Person({"given_name": "Invented", "surname": "De La Example", "date_of_birth": "20110504"})
NAMES = ("exchange", "auditor", "university")


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(dealing=deal(load_ristretto(), threshold=2, holders=3, random_bytes=secrets.token_bytes))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def node(tmp_path: Path, gateway: Gateway, clock: Clock) -> AsyncIterator[Node]:
    made = make_node(tmp_path / "source", gateway, clock=clock)
    await prepare(made)
    yield made
    made.store.close()


async def look_up(node: Node, *, worker: str = "w1") -> TokenSet:
    (tokens,) = await node.tokens([ANA], EVALUATION_USE_LOOKUP, worker=worker)
    return tokens


def asked(gateway: Gateway) -> list[int]:
    return sorted(share for share, _ in gateway.evaluated)


async def test_as_many_holders_are_asked_as_make_a_token_and_the_load_is_shared(node: Node, gateway: Gateway) -> None:
    seen = set()
    for _ in range(30):
        gateway.evaluated.clear()
        await look_up(node)
        assert len(gateway.evaluated) == 2
        seen.add(tuple(asked(gateway)))
    assert seen == {(1, 2), (1, 3), (2, 3)}


@pytest.mark.parametrize("down", [1, 2, 3])
async def test_with_one_holder_away_the_tokens_are_the_same(node: Node, gateway: Gateway, down: int) -> None:
    before = await look_up(node)
    gateway.down = {down}
    for _ in range(5):
        after = await look_up(node)
        assert agreeing_keys(before, after) == present_keys(before)


@pytest.mark.parametrize("liar", [1, 2, 3])
async def test_a_holder_without_a_proof_is_refused_the_others_are_used_and_an_alarm_stays(
    node: Node, gateway: Gateway, liar: int
) -> None:
    before = await look_up(node)
    gateway.lying_share = liar
    for _ in range(6):
        after = await look_up(node)
        assert agreeing_keys(before, after) == present_keys(before)
    gateway.evaluated.clear()
    await look_up(node)
    assert operators_with(HolderFinding.UNPROVEN, node.store, NOW) in ((), (NAMES[liar - 1],))
    node.tokenizer.failed.clear()
    while not operators_with(HolderFinding.UNPROVEN, node.store, NOW):
        await look_up(node)
    assert operators_with(HolderFinding.UNPROVEN, node.store, NOW) == (NAMES[liar - 1],)
    assert operators_with(HolderFinding.UNPROVEN, node.store, NOW + timedelta(days=8)) == ()


async def test_below_the_threshold_nothing_is_made_and_only_operators_are_named(node: Node, gateway: Gateway) -> None:
    gateway.down = {2}
    gateway.lying_share = 3
    with pytest.raises(HolderUnavailable) as caught:
        await look_up(node)
    faults = {(each.operator, each.fault, each.reason) for each in caught.value.faults}
    assert faults == {("auditor", CallFault.UNAVAILABLE, ""), ("university", CallFault.BROKEN, "PROOF_INVALID")}
    said = str(caught.value)
    assert not any(value and value.lower() in said.lower() for value in ANA.identity.values())


async def test_while_too_few_are_there_nobody_evaluates_and_charges_again_and_again(
    node: Node, gateway: Gateway, clock: Clock
) -> None:
    before = await look_up(node)
    gateway.down = {1, 2}
    for _ in range(2):
        # Until it is known who is away.
        with pytest.raises(HolderUnavailable):
            await look_up(node)
    gateway.evaluated.clear()
    for _ in range(20):
        clock.now += timedelta(seconds=5)
        with pytest.raises(HolderUnavailable) as caught:
            await look_up(node)
        assert {each.operator for each in caught.value.faults} == {"exchange", "auditor"}
    assert gateway.evaluated == []
    gateway.down = {1}
    assert agreeing_keys(before, await look_up(node)) == present_keys(before)
    assert asked(gateway) == [2, 3]


async def test_every_holder_that_gave_nothing_is_named_whoever_was_asked_first(
    node: Node, gateway: Gateway, clock: Clock
) -> None:
    gateway.down = {1, 2}
    for _ in range(12):
        # One of those that failed lately is there again, and only the other one is named by whoever is asked first.
        node.tokenizer.failed.clear()
        node.tokenizer.failed.update({1: clock.now, 3: clock.now})
        with pytest.raises(HolderUnavailable) as caught:
            await look_up(node)
        assert {each.operator for each in caught.value.faults} == {"exchange", "auditor"}


async def test_a_holder_that_failed_is_asked_last_for_a_while(node: Node, gateway: Gateway, clock: Clock) -> None:
    gateway.down = {3}
    node.tokenizer.failed[3] = clock.now
    gateway.down = set()
    for _ in range(10):
        gateway.evaluated.clear()
        await look_up(node)
        assert asked(gateway) == [1, 2]
    clock.now += timedelta(minutes=1)
    seen = set()
    for _ in range(30):
        gateway.evaluated.clear()
        await look_up(node)
        seen |= set(asked(gateway))
    assert seen == {1, 2, 3}


async def test_a_holder_that_hangs_does_not_keep_a_youth_waiting(
    tmp_path: Path, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "PATIENCE_SECONDS", 0.01)

    class Hanging(GatewayCaller):
        async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
            await asyncio.sleep(3600)
            raise AssertionError

    def caller_of(holder: HolderView) -> GatewayCaller:
        kind = Hanging if holder.share_index == 2 else GatewayCaller
        return kind(gateway, SOURCE, holder.share_index)

    node = make_node(tmp_path / "hanging", gateway)
    await prepare(node)
    object.__setattr__(node.tokenizer, "caller_of", caller_of)
    async with asyncio.timeout(10):
        for _ in range(5):
            await look_up(node)
            assert 2 not in asked(gateway)
    node.store.close()


# --- what the directory must say


def _foreign(message: Directory) -> None:
    message.holders[2].share_commitment = load_ristretto().multiply_base(b"\x07" + bytes(31))


async def test_a_holder_whose_share_is_not_of_the_sharing_is_never_asked(node: Node, gateway: Gateway) -> None:
    gateway.edit = _foreign
    await advance(node, gateway)
    for _ in range(10):
        await look_up(node)
    assert set(asked(gateway)) == {1, 2}


def _no_sharing(message: Directory) -> None:
    message.ClearField("sharing")


def _other_epoch(message: Directory) -> None:
    message.sharing.epoch = "e0"


def _one_root(message: Directory) -> None:
    message.holders[2].ca_certificate = message.holders[1].ca_certificate


def _one_name(message: Directory) -> None:
    message.holders[2].operator = message.holders[1].operator


def _too_few(message: Directory) -> None:
    _foreign(message)
    del message.holders[1]


@pytest.mark.parametrize("edit", [_no_sharing, _other_epoch, _one_root, _one_name, _too_few])
async def test_without_enough_independent_holders_there_is_no_token(
    node: Node, gateway: Gateway, edit: Callable[[Directory], None]
) -> None:
    gateway.edit = edit
    await advance(node, gateway)
    with pytest.raises(NotReady) as caught:
        await look_up(node)
    assert caught.value.missing is Missing.HOLDERS
    assert gateway.evaluated == []


@pytest.mark.parametrize("edit", [_one_root, _one_name])
async def test_a_demonstration_may_be_run_by_one_operator(
    node: Node, gateway: Gateway, edit: Callable[[Directory], None]
) -> None:
    def demo(message: Directory) -> None:
        edit(message)
        message.demo = True

    gateway.edit = demo
    await advance(node, gateway)
    await look_up(node)
    assert node.directory().sole_operators


async def advance(node: Node, gateway: Gateway) -> None:
    """The node has the directory as it is now, as a new version."""
    edit = gateway.edit

    def newer(message: Directory) -> None:
        edit(message)
        message.version += 1

    gateway.edit = newer
    await node.keeper.refresh()


# --- who looks up


async def test_holders_count_a_worker_for_a_day_and_cannot_follow_one_to_the_next(
    node: Node, gateway: Gateway, clock: Clock
) -> None:
    for worker, day in (("w1", 0), ("w1", 0), ("w2", 0), ("w1", 1)):
        gateway.evaluated.clear()
        clock.now = NOW + timedelta(days=day)
        await look_up(node, worker=worker)
        (named,) = {batch.worker for _, batch in gateway.evaluated}
        key = world.keys().rings[SOURCE].commitment
        assert named == holder_pseudonym(key, worker, clock.now)
    today, tomorrow = (holder_pseudonym(key, "w1", NOW + timedelta(days=day)) for day in (0, 1))
    assert len({today, tomorrow, holder_pseudonym(key, "w2", NOW), holder_pseudonym(b"o" * 32, "w1", NOW)}) == 4


async def test_a_registration_names_no_worker(node: Node, gateway: Gateway) -> None:
    await node.tokens([ANA], EVALUATION_USE_REGISTRATION)
    assert {batch.worker for _, batch in gateway.evaluated} == {b""}
