"""Any two of three holders as real processes: one stopped, all but one stopped, a liar, a refresh under way."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.message import Message

from adapters.channel_identity import ChannelIdentityFiles
from adapters.identity.scheme import load_scheme
from adapters.identity.tokenize import Person
from adapters.node.acts import HolderReceipts
from adapters.node.errors import HolderUnavailable
from adapters.node.followed_logs import HolderLogs
from adapters.node.holders import Tokenizer
from adapters.node.link.channels import PeerChannel
from adapters.node.receipts import Requests
from adapters.node.rpcs import A, Caller, CallFault, Q, Rpc
from adapters.node.settle import agreeing_keys
from adapters.node.store import Store, open_store
from deploy.demo.contents import contents
from gateway.config import Budgets
from gateway.protocol import oprf
from gateway.protocol.directory import DirectoryView, HolderView
from gateway.protocol.envelope import wrap
from gateway.protocol.matching.key_scheme import present_keys
from gateway.protocol.ristretto import load_ristretto
from gateway.state import key_pem
from homeward.gateway.v1.envelope_pb2 import TokenSet
from homeward.gateway.v1.token_pb2 import EVALUATION_USE_LOOKUP, EvaluateRequest, EvaluateResponse
from homeward.gateway.v1.token_pb2_grpc import TokenServiceStub
from tests.commands import answered, homeward
from tests.integration.exchange_kit import Exchange, Joined, admit, directory_of, join, make_exchange, reason_of
from tests.integration.greeting import greet
from tests.unit.members.batches import batch, record

PEPPER = b"p" * 32
ANA = Person({"given_name": "Invented", "surname": "De La Example", "date_of_birth": "20110504"})
NAMES = ("gw1", "auditor", "university")


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    made = make_exchange(tmp_path_factory.mktemp("three"), holders=3)
    yield made
    made.close()


@dataclass
class Lying:
    """In a holder's place: another element in its answer, under its own proof."""

    real: Caller

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        answer = await self.real.call(rpc, request, seconds=seconds)
        assert isinstance(answer, EvaluateResponse)
        answer.elements[0] = answer.elements[1]
        return answer


@dataclass
class Adapter:
    """The part of an adapter that makes tokens, with its own certificate, over real connections."""

    joined: Joined
    view: DirectoryView
    store: Store
    liar: int = 0
    alarms: list[str] = field(default_factory=list)
    channels: dict[int, PeerChannel] = field(default_factory=dict)
    tokenizer: Tokenizer = field(init=False)

    def __post_init__(self) -> None:
        self.tokenizer = Tokenizer(
            suite=oprf.Suite(load_ristretto()),
            scheme=load_scheme(),
            envelope_key=self.joined.county.envelope_key,
            caller_of=self.caller_of,
            alarm=lambda _, operator: self.alarms.append(operator),
            receipts=HolderReceipts(Requests(self.store), HolderLogs(self.store, lambda: datetime.now(UTC))),
            now=lambda: datetime.now(UTC),
            random_bytes=os.urandom,
        )

    @property
    def generation(self) -> int:
        assert self.view.sharing is not None
        return self.view.sharing.generation

    def caller_of(self, holder: HolderView) -> Caller:
        if holder.share_index not in self.channels:
            root = x509.load_der_x509_certificate(holder.ca_certificate).public_bytes(Encoding.PEM)
            self.channels[holder.share_index] = PeerChannel(holder.address, self._identity(), roots=root)
        channel = self.channels[holder.share_index]
        return Lying(channel) if holder.share_index == self.liar else channel

    async def tokens(self) -> TokenSet:
        (made,) = await self.tokenizer.tokens(
            [ANA],
            use=EVALUATION_USE_LOOKUP,
            directory=self.view,
            epoch=self.view.epoch,
            pepper=PEPPER,
            worker=os.urandom(16),
        )
        return made

    async def reach(self, index: int) -> None:
        """The holder of this share is connected again: after a restart the library waits before it tries."""
        (holder,) = [each for each in self.view.holders if each.share_index == index]
        self.caller_of(holder)
        async with asyncio.timeout(20):
            await self.channels[index].channel.channel_ready()
        if index == 1:
            await self.greet()

    async def greet(self) -> None:
        """The gateway, which may have been started again, has heard the county: it charges nothing before."""
        async with self.joined.gateway() as channel:
            await greet(channel, lambda message: wrap(message, self.joined.county.envelope_key))

    async def close(self) -> None:
        for channel in self.channels.values():
            await channel.close()

    def _identity(self) -> ChannelIdentityFiles:
        key, chain, now = key_pem(self.joined.county.tls), self.joined.response.certificate_chain, datetime.now(UTC)
        return ChannelIdentityFiles(
            key=key, chain=chain, ca=b"", thumbprint=b"", effective=now, expires=now + timedelta(hours=1)
        )


@pytest.fixture
async def adapter(exchange: Exchange, tmp_path: Path) -> AsyncIterator[Adapter]:
    """Every holder serves, and the county's adapter knows all three."""
    for name in ("cu2", "cu3", "gw"):
        if name not in exchange.running:
            exchange.start(name)
    county = await _county(exchange)
    made = Adapter(county, await directory_of(county), open_store(tmp_path / "adapter.db"))
    await made.greet()
    yield made
    await made.close()


_JOINED: dict[Path, Joined] = {}


async def _county(exchange: Exchange) -> Joined:
    """The county, which joins once for all tests of the module."""
    if exchange.place not in _JOINED:
        _JOINED[exchange.place] = await join(exchange.gateway, "06037")
        await admit(exchange, _JOINED[exchange.place])
    return _JOINED[exchange.place]


def same(one: TokenSet, other: TokenSet) -> bool:
    """Whether both sets find one youth by every key that either carries."""
    return agreeing_keys(one, other) == present_keys(one)


async def test_with_one_holder_stopped_the_tokens_are_the_same_and_with_two_there_are_none(
    exchange: Exchange, adapter: Adapter
) -> None:
    before = await adapter.tokens()
    for name, index in (("cu2", 2), ("cu3", 3), ("gw", 1)):
        exchange.stop(name)
        assert same(await adapter.tokens(), before), name
        exchange.start(name)
        await adapter.reach(index)
    exchange.stop("cu2")
    exchange.stop("cu3")
    with pytest.raises(HolderUnavailable) as caught:
        await adapter.tokens()
    assert {(each.operator, each.fault) for each in caught.value.faults} == {
        ("auditor", CallFault.UNAVAILABLE),
        ("university", CallFault.UNAVAILABLE),
    }
    assert not any(value in str(caught.value) for value in ANA.identity.values() if value)


@pytest.mark.parametrize("liar", [1, 2, 3])
async def test_an_answer_that_is_not_proven_is_refused_and_the_others_are_used(adapter: Adapter, liar: int) -> None:
    before = await adapter.tokens()
    adapter.liar = liar
    while not adapter.alarms:
        assert same(await adapter.tokens(), before)
    assert adapter.alarms == [NAMES[liar - 1]]


async def test_shares_are_refreshed_while_everybody_serves(
    exchange: Exchange, adapter: Adapter, tmp_path: Path
) -> None:
    before, out = await adapter.tokens(), tmp_path / "refresh"
    old = adapter.view
    await _run("custodian", "deal", "--refresh", exchange.place / "shares" / "commitments.json", "--out", out)
    for name, group, index in (("gw", "gateway", 1), ("cu2", "custodian", 2), ("cu3", "custodian", 3)):
        added = await _run(group, "refresh", exchange.place / name, "--add", out / f"refresh-{index}.bin")
        assert (added["in_force"], added["held"]) == (1, [1, 2])
        early = await _run(group, "refresh", exchange.place / name, "--finish", code=3)
        assert "SHARE-004" in json.dumps(early)
    await _run("gateway", "refresh", exchange.gateway, "--switch")
    async with asyncio.timeout(20):
        while adapter.generation == 1:
            await asyncio.sleep(0.2)
            adapter.view = await directory_of(adapter.joined)
    assert adapter.view.sharing.commitments[0] == old.sharing.commitments[0]  # type: ignore[union-attr]
    assert same(await adapter.tokens(), before)
    # An adapter that has not heard of it yet is served all the same.
    late = Adapter(adapter.joined, old, adapter.store)
    assert same(await late.tokens(), before)
    for name, group in (("gw", "gateway"), ("cu2", "custodian"), ("cu3", "custodian")):
        finished = await _run(group, "refresh", exchange.place / name, "--finish")
        assert (finished["in_force"], finished["held"]) == (2, [2])
    listed = {holder.share_index: holder.share_commitment.hex() for holder in adapter.view.holders}
    for index in (2, 3):
        card = json.loads((exchange.custodian(index) / "card.json").read_text())
        assert (card["share_commitment"], card["operator"]) == (listed[index], NAMES[index - 1])
    with pytest.raises(HolderUnavailable) as caught:
        await late.tokens()
    assert {each.reason for each in caught.value.faults} == {"EPOCH_UNKNOWN"}
    await late.close()
    for name, index in (("cu2", 2), ("cu3", 3), ("gw", 1)):
        exchange.stop(name)
        exchange.start(name)
        await adapter.reach(index)
    assert same(await adapter.tokens(), before)


async def _run(*arguments: object, code: int = 0) -> dict[str, object]:
    return await asyncio.to_thread(answered, *arguments, code=code)


# --- what a holder says to its operator


async def test_status_says_share_directory_and_budget_in_words_and_as_json(
    exchange: Exchange, adapter: Adapter
) -> None:
    adapter.tokenizer.failed[1] = datetime.now(UTC)
    await adapter.tokens()
    status = await _run("custodian", "status", exchange.custodian(2))
    assert (status["operator"], status["share_index"], status["epoch"], status["threshold"]) == ("auditor", 2, "e1", 2)
    assert status["holders"] == list(NAMES)
    assert status["sole_operators"] == []
    assert status["directory_version"] == adapter.view.version
    (used,) = [use for use in status["accounts"] if use["agency"] == "06037.cwa"]  # type: ignore[attr-defined]
    assert (used["account"], used["limit"]) == ("LOOKUPS", Budgets().lookups_a_day)
    assert used["elements"] == used["records"] * Budgets().elements_a_record
    words = (await asyncio.to_thread(homeward, "custodian", "status", exchange.custodian(2))).out
    assert "operator    auditor\n" in words
    assert "share       2 of epoch e1" in words
    assert "threshold   any 2 holders make a token" in words
    assert f"directory   version {adapter.view.version} of " in words
    assert f"lookups     06037.cwa: {used['records']} of 200 records" in words


async def test_a_caseload_is_declared_at_each_holder_while_it_serves(exchange: Exchange, adapter: Adapter) -> None:
    for group, state in (("gateway", exchange.gateway), ("custodian", exchange.custodian(3))):
        done = await _run(group, "caseload", state, "06037.cwa", "20000")
        assert done == {"ok": True, "agency": "06037.cwa", "caseload": 20000}
    await _run("custodian", "caseload", exchange.custodian(3), "no agency", "5", code=2)


# --- bad input, over the wire


def _spoiled(change: str) -> list[bytes]:
    elements = record()
    elements[3] = {
        "identity": bytes(32),
        "not canonical": b"\xff" * 32,
        "off the curve": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
        "negative": b"\x01" + bytes(31),
        "repeated": elements[0],
        "short": elements[3][:31],
        "long": elements[3] + b"\x00",
        "empty": b"",
    }[change]
    return elements


BAD = {
    "identity": "ELEMENT_INVALID",
    "not canonical": "ELEMENT_INVALID",
    "off the curve": "ELEMENT_INVALID",
    "negative": "ELEMENT_INVALID",
    "repeated": "ELEMENT_INVALID",
    "short": "INVALID_REQUEST",
    "long": "INVALID_REQUEST",
    "empty": "INVALID_REQUEST",
}


async def evaluate(adapter: Adapter, holder: HolderView, request: Message) -> str:
    """The reason for which a holder refuses a request, through its real server."""
    adapter.caller_of(holder)
    stub = TokenServiceStub(adapter.channels[holder.share_index].channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Evaluate(request, timeout=10)
    assert caught.value.details() in ("the request is not valid", "the signed envelope does not count")
    return reason_of(caught.value)


async def _spent(state: Path) -> tuple[int, int]:
    """Records and elements charged for look-ups today."""
    group = "gateway" if state.name == "gw" else "custodian"
    status = await _run(group, "status", state)
    accounts = (status["holding"] if group == "gateway" else status)["accounts"]  # type: ignore[index, call-overload]
    used = [each for each in accounts if each["account"] == "LOOKUPS"]
    return (used[0]["records"], used[0]["elements"]) if used else (0, 0)


async def test_a_bad_element_is_refused_by_every_holder_and_never_evaluated_for_free(
    exchange: Exchange, adapter: Adapter
) -> None:
    holders = dict(
        zip(adapter.view.holders, (exchange.gateway, exchange.custodian(2), exchange.custodian(3)), strict=True)
    )
    before = {holder: await _spent(state) for holder, state in holders.items()}
    for holder in holders:
        for change, reason in BAD.items():
            envelope = batch(adapter.joined.county, _spoiled(change), generation=adapter.generation)
            assert await evaluate(adapter, holder, EvaluateRequest(envelope=envelope)) == reason, change
    # Whatever reached the multiplication is paid for; what could not be a batch was never near it.
    paid = list(BAD.values()).count("ELEMENT_INVALID")
    for holder, state in holders.items():
        records, elements = before[holder]
        assert await _spent(state) == (records + paid, elements + paid * Budgets().elements_a_record)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": "e0"}, "EPOCH_UNKNOWN"),
        ({"generation": 99}, "EPOCH_UNKNOWN"),
        ({"generation": 0}, "INVALID_REQUEST"),
        ({"record_count": 0}, "INVALID_REQUEST"),
        ({"record_count": 2}, "INVALID_REQUEST"),
        ({"worker": b""}, "INVALID_REQUEST"),
        ({"worker": b"w" * 17}, "INVALID_REQUEST"),
        ({"request_id": b""}, "INVALID_REQUEST"),
    ],
)
async def test_a_batch_that_breaks_a_rule_is_refused_by_every_holder(
    adapter: Adapter, change: dict[str, object], reason: str
) -> None:
    for holder in adapter.view.holders:
        envelope = batch(adapter.joined.county, record(), **{"generation": adapter.generation, **change})
        assert await evaluate(adapter, holder, EvaluateRequest(envelope=envelope)) == reason


async def test_an_over_long_batch_is_refused_by_every_holder(adapter: Adapter) -> None:
    records = oprf.MAX_BATCH // Budgets().elements_a_record + 1
    elements = [element for _ in range(records) for element in record()]
    for holder in adapter.view.holders:
        envelope = batch(adapter.joined.county, elements, generation=adapter.generation)
        assert await evaluate(adapter, holder, EvaluateRequest(envelope=envelope)) == "INVALID_REQUEST"


async def test_an_altered_envelope_is_refused_by_every_holder(adapter: Adapter) -> None:
    for holder in adapter.view.holders:
        envelope = batch(adapter.joined.county, record())
        envelope.payload += b"\x00"
        assert await evaluate(adapter, holder, EvaluateRequest(envelope=envelope)) == "ENVELOPE_INVALID"


async def test_nothing_of_a_batch_is_in_any_log_or_database(exchange: Exchange, adapter: Adapter) -> None:
    elements = record()
    for holder in adapter.view.holders:
        bad = batch(adapter.joined.county, [*elements[:-1], bytes(32)], generation=adapter.generation)
        await evaluate(adapter, holder, EvaluateRequest(envelope=bad))
    held = b"".join(
        content for path, content in contents(exchange.place) if ".db" in path.name or path.suffix == ".log"
    )
    assert b"06037.cwa" in held
    assert b"call refused" in held
    assert not any(element in held or element.hex().encode() in held for element in elements)
