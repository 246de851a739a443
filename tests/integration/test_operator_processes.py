"""What operators may not do, as real processes: hold enough shares alone, or spend a budget twice by restarting."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.protocol.envelope import wrap
from homeward.gateway.v1.token_pb2 import EvaluateRequest
from homeward.gateway.v1.token_pb2_grpc import TokenServiceStub
from tests.commands import answered, commands, homeward
from tests.integration.exchange_kit import Exchange, Joined, admit, join, make_exchange, reason_of
from tests.integration.greeting import greet
from tests.unit.members.batches import batch, record

LIMIT = 12
SETTINGS = f"\nbudgets: {{ lookups_a_day: {LIMIT} }}\n"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    """A gateway that trusts its custodian; neither serves."""
    return make_exchange(tmp_path_factory.mktemp("two"), operators=("auditor",))


def test_one_operator_with_enough_shares_is_refused_when_made_and_when_trusted(
    exchange: Exchange, tmp_path: Path
) -> None:
    shares, card = exchange.place / "shares", exchange.gateway / "card.json"
    arguments = ("--share", shares / "share-2.bin", "--gateway-card", card, "--listen", "127.0.0.1:1")
    failed = answered("custodian", "init", tmp_path / "same", "--operator", "gw1", *arguments, code=3)
    assert failed["error"]["code"] == "SHARE-003"  # type: ignore[index]
    assert not (tmp_path / "same").exists()
    # The share that another holder has cannot be trusted a second time, whatever the card says.
    third = tmp_path / "third"
    answered("custodian", "init", third, "--operator", "other", *arguments)
    forged = json.loads((third / "card.json").read_text()) | {"operator": "gw1", "share_index": 3}
    (third / "forged.json").write_text(json.dumps(forged))
    failed = answered("gateway", "trust", exchange.gateway, "--custodian-card", third / "forged.json", code=3)
    assert failed["error"]["what"] == "refused: HOLDER_CONFLICT (share_commitment: of this ceremony)"  # type: ignore[index]


def test_a_holder_with_a_share_of_another_ceremony_is_refused(exchange: Exchange, tmp_path: Path) -> None:
    answered("custodian", "deal", "--threshold", 2, "--holders", 3, "--out", tmp_path / "other")
    arguments = ("--gateway-card", exchange.gateway / "card.json", "--listen", "127.0.0.1:1")
    third = tmp_path / "third"
    share = tmp_path / "other" / "share-3.bin"
    failed = answered("custodian", "init", third, "--operator", "university", "--share", share, *arguments, code=3)
    assert failed["error"]["why"] == "the share is of another ceremony than the gateway's"  # type: ignore[index]
    assert not third.exists()


def test_a_demonstration_run_by_one_operator_says_so_at_every_start_and_is_nothing_else(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, demo=True, operators=("gw1",))
    try:
        for name in ("cu2", "gw"):
            exchange.start(name)
        _published(exchange)
        for name in ("cu2", "gw"):
            exchange.stop(name)
            exchange.start(name)
            assert (exchange.ready[name]["demo"], exchange.ready[name]["sole_operators"]) == (True, ["gw1"])
    finally:
        exchange.close()
    for name, group in (("gw", "gateway"), ("cu2", "custodian")):
        file = exchange.place / name / f"{group}.yaml"
        file.write_text(file.read_text().replace("demo: true", "demo: false"))
        ended = commands().ask(group, "serve", str(exchange.place / name))
        assert ended.exit != 0
        assert "HOLDER-001" in ended.err
        assert "one operator runs as many holders as make a token" in ended.err


def test_a_gateway_that_nobody_must_witness_says_so_until_its_settings_ask_for_a_quorum(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, operators=("auditor",))
    settings = exchange.gateway / "gateway.yaml"
    told = []
    try:
        for _ in range(2):
            exchange.start("gw")
            shown = homeward("gateway", "status", exchange.gateway).out
            told.append((exchange.ready["gw"]["witnesses_required"], "UNWITNESSED no witness must" in shown))
            exchange.stop("gw")
            # As init wrote it, for the operator to take the mark away.
            settings.write_text(settings.read_text().replace("# witnesses:", "witnesses:"))
    finally:
        exchange.close()
    assert told == [(False, True), (True, False)]


def test_bytes_that_wait_to_be_erased_show_in_the_status_until_the_next_start(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, operators=("auditor",))
    try:
        exchange.start("gw")
        assert not answered("gateway", "status", exchange.gateway)["erasing_waits"]
        # What an order leaves behind that found somebody reading.
        with closing(sqlite3.connect(exchange.gateway / "keys.db")) as keys, keys:
            keys.execute("INSERT INTO unscrubbed VALUES (1)")
        shown = homeward("gateway", "status", exchange.gateway).out
        assert "ERASING     waits for the next start" in shown
        exchange.stop("gw")
        exchange.start("gw")
        # A start says that it is ready before it has erased what waits.
        until = time.monotonic() + 20
        while answered("gateway", "status", exchange.gateway)["erasing_waits"]:
            assert time.monotonic() < until
            time.sleep(0.2)
    finally:
        exchange.close()


def _published(exchange: Exchange) -> None:
    """A directory that every holder signed is there."""
    until = time.monotonic() + 20
    while answered("custodian", "status", exchange.custodian(2))["directory_version"] == 0:
        assert time.monotonic() < until
        time.sleep(0.2)


async def test_a_roster_is_refused_at_the_budget_although_the_gateway_is_restarted_three_times(tmp_path: Path) -> None:
    exchange = make_exchange(tmp_path, settings=SETTINGS, operators=("auditor",))
    try:
        for name in ("cu2", "gw"):
            exchange.start(name)
        joined = await join(exchange.gateway, "06037")
        view = await admit(exchange, joined)
        answers: list[str] = []
        for _ in range(3):
            answers += await _try(joined.gateway(), joined, LIMIT // 2)
            await asyncio.to_thread(exchange.stop, "gw")
            await asyncio.to_thread(exchange.start, "gw")
            async with joined.gateway() as channel:
                await greet(channel, lambda message: wrap(message, joined.county.envelope_key))
        answers += await _try(joined.gateway(), joined, 2)
        assert answers == ["evaluated"] * LIMIT + ["BUDGET_EXHAUSTED"] * (LIMIT // 2 + 2)
        # The other holder counted nothing of this, and keeps its own account.
        root = x509.load_der_x509_certificate(view.holders[1].ca_certificate).public_bytes(Encoding.PEM)
        custodian = joined.channel(view.holders[1].address, root)
        assert await _try(custodian, joined, LIMIT + 1) == ["evaluated"] * LIMIT + ["BUDGET_EXHAUSTED"]
    finally:
        await asyncio.to_thread(exchange.close)


async def _try(channel: grpc.aio.Channel, joined: Joined, count: int) -> list[str]:
    answers = []
    async with channel:
        stub = TokenServiceStub(channel)
        for _ in range(count):
            request = EvaluateRequest(envelope=batch(joined.county, record()))
            try:
                await stub.Evaluate(request, timeout=10)
                answers.append("evaluated")
            except grpc.aio.AioRpcError as refused:
                answers.append(reason_of(refused))
    return answers
