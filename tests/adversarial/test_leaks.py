"""An attacker who makes the gateway fail and reads what comes back, and whoever reads its logs, spans and metrics.

Exceptions that carry planted values are raised wherever the gateway handles something opaque or signed. The peer must
see one of the constant texts; log lines, spans and metrics must hold none of the values. Every test has a control: the
failing part was reached, and what was watched is not empty. The county's side is `test_leaks_county`.
"""

import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from grpc import aio

from gateway.protocol.names import AuthorityId
from gateway.rpc import status as gateway_status
from gateway.rpc.link import LinkServicer
from gateway.rpc.links import Links
from gateway.rpc.machine import MachineCalls
from gateway.rpc.peer import Peers
from gateway.rpc.server import Add
from homeward.counting import CallCounts
from homeward.gateway.v1 import exchange_pb2
from homeward.gateway.v1.exchange_pb2_grpc import ExchangeServiceServicer, add_ExchangeServiceServicer_to_server
from homeward.gateway.v1.link_pb2_grpc import add_AdapterLinkServiceServicer_to_server
from tests.adversarial import canaries
from tests.adversarial.canaries import Canaries, planted, sentence
from tests.adversarial.leaky_gateway import YOUTH, Gateway, assert_internal, fresh, gateway, seen
from tests.adversarial.poison import KINDS, Poisoned
from tests.adversarial.watch import assert_watched, leaks, watch
from tests.unit.exchange.spine_parts import ASKER, EPOCH, OWNER, at_rest, pairwise, tokens_of
from tests.unit.exchange.spine_world import World

ROOT = Path(__file__).resolve().parents[2]
CANARIES = planted()
GATEWAY_TEXTS = {text for _, text in gateway_status.CODES.values()} | {"internal error"}


# --- the gateway --------------------------------------------------------------------------

PARTS = ("index", "authorities", "projections", "journal", "youth_keys", "policy", "directory", "sources", "pairwise")
"""Ports and values of the spine: the database, the policy, the log, the key store, the link, the handles."""


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_what_fails_in_the_gateway_is_a_constant_outside(part: str, kind: str, tmp_path: Path) -> None:
    poison = Poisoned(KINDS[kind]())
    # An authority is read only by those who name one.
    named = AuthorityId(bytes(16)) if part == "authorities" else None
    async with gateway(tmp_path, **{part: poison}) as at:
        found = await at.failed("RequestRecords", at.request(replace(fresh(), authority=named)).SerializeToString())
        assert_internal(found)
        assert leaks(at.watch, found.everything, CANARIES) == []
        assert_watched(at.watch, "handler failed")
    assert poison.touched


class Careless(ExchangeServiceServicer):
    """A servicer with every mistake that a servicer can make."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure

    async def CheckFlag(self, request: Any, context: Any) -> Any:
        raise self.failure

    async def CheckFlags(self, request: Any, context: Any) -> Any:
        # Not a message: its serialization fails, with a text of the library that quotes the type.
        return sentence()

    async def ConfirmReceipt(self, request: Any, context: Any) -> Any:
        context.set_details(sentence())
        context.set_code(grpc.StatusCode.DATA_LOSS)
        raise self.failure


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_servicer_does_wrong_is_a_constant_outside(kind: str, tmp_path: Path) -> None:
    async with gateway(tmp_path, servicer=lambda _: Careless(KINDS[kind]())) as at:
        for method in ("CheckFlag", "CheckFlags", "ConfirmReceipt"):
            found = await at.failed(method, b"")
            assert_internal(found)
            assert leaks(at.watch, found.everything, CANARIES) == []
        assert_watched(at.watch, "handler failed")


def test_no_servicer_ends_a_call_by_itself() -> None:
    """A status that a servicer sends is the peer's before the interceptor can make it a constant."""
    ending = re.compile(r"\.(abort|abort_with_status|set_details|set_code|set_trailing_metadata)\(")
    found = [
        path.relative_to(ROOT).as_posix()
        for room in ("gateway", "adapters")
        for path in (ROOT / room).rglob("*.py")
        if ending.search(path.read_text(encoding="utf-8"))
    ]
    assert sorted(found) == ["adapters/local/interceptor.py", "gateway/rpc/interceptor.py"]


@pytest.mark.parametrize("method", ["CheckFlag", "CheckFlags", "RequestRecords", "ConfirmReceipt"])
async def test_bytes_that_are_no_message_are_told_as_a_constant(method: str, tmp_path: Path) -> None:
    garbage = [b"\xff\xff", b"\x0a\xff" + sentence().encode(), sentence().encode(), b"\x08\x01", b"\x0a\x02\xff\xfe"]
    async with gateway(tmp_path) as at:
        for data in garbage:
            found = await at.failed(method, data)
            assert found.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNAUTHENTICATED), data
            assert found.text in GATEWAY_TEXTS
            assert leaks(at.watch, found.everything, CANARIES) == []
            assert not any(word in found.everything for word in ("_pb2", "Query", "DecodeError", "Traceback", ".py"))
        assert_watched(at.watch, "call refused")


async def test_an_assertion_or_a_payload_full_of_names_is_refused_without_repeating_them(tmp_path: Path) -> None:
    async with gateway(tmp_path) as at:
        good = at.request(fresh())
        for request in (
            exchange_pb2.RequestRecordsRequest(payload=good.payload, user_assertion=canaries.STAFF_TOKEN),
            exchange_pb2.RequestRecordsRequest(payload=good.payload, user_assertion=sentence()[:200]),
            exchange_pb2.RequestRecordsRequest(payload=sentence().encode(), user_assertion=good.user_assertion),
        ):
            found = await at.failed("RequestRecords", request.SerializeToString())
            assert found.text in GATEWAY_TEXTS - {"internal error"}
            assert leaks(at.watch, found.everything, CANARIES) == []


async def test_a_stream_that_fails_in_the_middle_ends_in_a_constant(tmp_path: Path) -> None:
    for kind, made in KINDS.items():
        directory = tmp_path / kind
        directory.mkdir()
        poison = Poisoned(made())

        def link(world: World, machine: MachineCalls, peers: Peers, poison: Poisoned = poison) -> Add:
            servicer = LinkServicer(
                Links(), peers=peers, machine=cast(Any, poison), alerts=cast(Any, poison), journal=world.journal,
                directory=world.directory, attestations=cast(Any, poison), own_entries=cast(Any, poison),
                shown=cast(Any, poison), now=world.clock,
            )  # fmt: skip
            return lambda server: add_AdapterLinkServiceServicer_to_server(servicer, server)

        async with gateway(directory, also=link) as at:
            call = at.channel.stream_stream("/homeward.gateway.v1.AdapterLinkService/Connect")(timeout=10)
            await call.write(b"\x0a\x00")
            with pytest.raises(aio.AioRpcError) as caught:
                while await call.read() is not aio.EOF:
                    pass
            found = seen(caught.value)
            assert_internal(found)
            assert leaks(at.watch, found.everything, CANARIES) == []
        assert poison.touched == ["open"]


async def test_no_token_handle_or_identifier_of_a_call_is_in_a_log_line_span_or_metric(tmp_path: Path) -> None:
    async with gateway(tmp_path) as at:
        hit, miss = fresh(1), replace(fresh(2), youth="nobody of this name")
        answers = [await at.ask(question) for question in (hit, miss)]
        opaque = opaque_values(at, hit.youth) | {
            "request id": hit.request_id,
            "assertion": at.request(hit).user_assertion.encode(),
            "receipt": answers[0].decision_receipt.SerializeToString(),
            "sealed record": answers[0].sources[0].sealed_record.sealed[:48],
        }
        assert at.watch.findings(Canaries(texts={"youth": hit.youth}, opaque=opaque, births={})) == []
        assert_watched(at.watch)
        # The control: these are the values that were handled.
        (order,) = at.world.sources.orders
        for kind in ("handle", "pairwise handle", "token"):
            whole = at.request(hit).payload + order.SerializeToString()
            assert opaque[kind] in whole, kind


def opaque_values(at: Gateway, youth: str) -> dict[str, bytes]:
    handle = at.world.register(f"{youth}, once more")
    token = tokens_of(youth).tokens[:16]
    (order,) = at.world.sources.orders
    handle = cast(Any, order.grant.subject_handle)
    return {
        "handle": handle,
        "pairwise handle": pairwise(ASKER, OWNER, handle),
        "token": token,
        "token at rest": at_rest(EPOCH, token),
    }


async def test_what_a_caller_sends_along_is_not_kept_and_reaches_no_other_county(tmp_path: Path) -> None:
    sent = (
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"),
        ("tracestate", f"homeward={canaries.LOCAL_ID}"),
        ("baggage", f"youth={canaries.SURNAME},worker={canaries.WORKER}"),
        ("x-request-note", canaries.REFERENCE),
        ("user-agent-note", canaries.STAFF_TOKEN),
    )
    looked_for = replace(CANARIES, texts=CANARIES.texts | {"trace": "0af7651916cd43dd8448eb211c80319c"})
    async with gateway(tmp_path) as at:
        answer = await at.ask(fresh(), *sent)
        assert len(answer.sources) == 1
        assert leaks(at.watch, str(answer), looked_for) == []
        (order,) = at.world.sources.orders
        assert looked_for.scan(order.SerializeToString(), "work order") == []
        assert all(span.parent is None for span in at.watch.spans.get_finished_spans())
        found = await at.failed("RequestRecords", b"\xff", *sent)
        assert leaks(at.watch, found.everything, looked_for) == []
        assert_watched(at.watch)


async def test_ten_thousand_youths_make_few_series(tmp_path: Path) -> None:
    """PL-04: the recorder of a real listener after real calls, then driven on with words that hold youths."""
    async with gateway(tmp_path) as at:
        for number in range(20):
            await at.ask(replace(fresh(number + 1), youth=f"{YOUTH} {number}"))
        before = at.watch.everything()["metrics"]
        for number in range(10_000):
            at.watch.recorder.record(f"/{canaries.SURNAME}-{number}", f"{canaries.LOCAL_ID}-{number}", 0.01)
        everything = at.watch.everything()
        assert at.watch.findings(CANARIES) == []
        # Twenty youths and ten thousand more: a few lines, not ten thousand.
        assert len(everything["metrics"]) < len(before) + 2_000


# --- controls -----------------------------------------------------------------------------


def test_the_watch_sees_a_value_in_a_log_line_a_span_and_a_metric() -> None:
    counts = CallCounts(methods=("/homeward.gateway.v1.ExchangeService/Quetzalovich",), reasons=("QUETZALOVICH",))
    with watch(counts) as watching:
        watching.recorder.record("/homeward.gateway.v1.ExchangeService/Quetzalovich", "QUETZALOVICH", 0.1)
        # A message of ours is trusted to be a constant; that it is one is `tests/unit/test_logs`.
        logging.getLogger("gateway.rpc").warning(canaries.SURNAME)
        found = {each.where for each in watching.findings(CANARIES)}
    assert found == {"log lines", "spans", "spans as text", "metrics"}


async def test_the_library_alone_would_have_told_the_peer(tmp_path: Path) -> None:
    """Without the interceptor the same servicer sends the exception's text: that is what the tests above hold back."""
    server = aio.server()
    add_ExchangeServiceServicer_to_server(Careless(KINDS["worded"]()), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await channel.unary_unary("/homeward.gateway.v1.ExchangeService/CheckFlag")(b"", timeout=5)
    await server.stop(None)
    assert len({each.what.partition(",")[0] for each in CANARIES.scan_text(seen(caught.value).everything, "peer")}) > 5
