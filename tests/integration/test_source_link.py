"""The adapter's stream and channels over real gRPC with mutual TLS, against a gateway that does what a test says."""

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from grpc_status import rpc_status

from adapters.node.alerts import Alerts
from adapters.node.link import channels, stream
from adapters.node.link.channels import FAULTS, MOST_FIELDS, PeerChannel
from adapters.node.link.stream import Link
from adapters.node.rpcs import ALL, GET_DIRECTORY, CallFailed, CallFault
from gateway.protocol.envelope import unwrap
from gateway.protocol.succession import ALERTS_OF_A_LOG
from homeward.audit.v1 import service_pb2 as audit_pb
from homeward.gateway.v1 import (
    authority_pb2,
    directory_pb2_grpc,
    exchange_pb2,
    index_pb2,
    link_pb2_grpc,
    missing_pb2,
    restoration_pb2,
    review_pb2,
    sealing_pb2,
    token_pb2,
)
from homeward.gateway.v1 import directory_pb2 as directory_pb
from homeward.gateway.v1 import link_pb2 as pb
from tests.integration.channel_kit import Authority
from tests.integration.source_kit import Clock, Gateway, make_node
from tests.integration.test_presenting import lose
from tests.unit.node import world

Script = Callable[["Visit"], Awaitable[None]]


@dataclass
class Visit:
    """One stream, as the gateway's end of it."""

    requests: AsyncIterator[pb.ConnectRequest]
    context: Any
    hello: pb.Hello

    async def send(self, **message: Any) -> None:
        await self.context.write(pb.ConnectResponse(**message))

    async def next(self) -> pb.ConnectRequest:
        async with asyncio.timeout(5):
            return await anext(self.requests)

    async def until(self, kind: str) -> Any:
        """The next message of this kind; what comes between is passed over."""
        while True:
            message = await self.next()
            if message.WhichOneof("message") == kind:
                return getattr(message, kind)


@dataclass
class Peer(link_pb2_grpc.AdapterLinkServiceServicer, directory_pb2_grpc.MembershipServiceServicer):
    """A gateway whose streams follow one script each, in order; the last script serves every later stream."""

    scripts: list[Script] = field(default_factory=list)
    visits: list[pb.Hello] = field(default_factory=list)
    fault: tuple[grpc.StatusCode, str] | None = None
    certificates: list[bytes] = field(default_factory=list)
    slow: float = 0.0
    """Seconds until a directory is given."""

    async def Connect(self, request_iterator: AsyncIterator[pb.ConnectRequest], context: Any) -> None:
        requests = aiter(request_iterator)
        first = await anext(requests)
        key = world.keys().rings[world.SOURCE].envelope.public_bytes
        visit = Visit(requests, context, unwrap(first.hello, pb.Hello, key))
        self.visits.append(visit.hello)
        script = self.scripts[min(len(self.visits), len(self.scripts)) - 1]
        await script(visit)

    async def GetDirectory(
        self, request: directory_pb.GetDirectoryRequest, context: Any
    ) -> directory_pb.GetDirectoryResponse:
        self.certificates.append(context.auth_context()["x509_pem_cert"][0])
        await asyncio.sleep(self.slow)
        if self.fault is not None:
            code, reason = self.fault
            status = status_pb2.Status(code=code.value[0], message="a text that is not kept")
            status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="homeward"))
            named = error_details_pb2.BadRequest.FieldViolation(field="level", description="rule")
            status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[named] * 20))
            await context.abort_with_status(rpc_status.to_status(status))
        return directory_pb.GetDirectoryResponse(pending_count=3)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@asynccontextmanager
async def serving(peer: Peer, authority: Authority) -> AsyncIterator[str]:
    server = aio.server()
    link_pb2_grpc.add_AdapterLinkServiceServicer_to_server(peer, server)
    directory_pb2_grpc.add_MembershipServiceServicer_to_server(peer, server)
    port = server.add_secure_port("127.0.0.1:0", authority.server_credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110 - the condition is another task's doing
            await asyncio.sleep(0.01)


@dataclass
class Running:
    link: Link
    peer: Peer
    alerts: Alerts
    task: asyncio.Task[None]


def refuse(order: pb.WorkOrder) -> pb.WorkResult:
    return pb.WorkResult(work_id=order.work_id, status=pb.WORK_STATUS_REFUSED)


@asynccontextmanager
async def running(
    tmp_path: Path,
    authority: Authority,
    *scripts: Script,
    work: Callable[[pb.WorkOrder], pb.WorkResult] = refuse,
    has_lost: bool = False,
) -> AsyncIterator[Running]:
    """A link that runs against these scripts. `has_lost`: the exchange has declared a loss."""
    peer = Peer(list(scripts))
    node = make_node(tmp_path, Gateway())
    if has_lost:
        lose(node)
    async with serving(peer, authority) as address:
        channel = PeerChannel(address, authority.adapter(world.SOURCE), roots=authority.root_pem)
        alerts = Alerts(node.store)
        link = Link(
            channel=channel, envelope_key=node.keyring.envelope, work=work, alerts=alerts, keeper=node.keeper,
            now=Clock(), random_bytes=secrets.token_bytes,
        )  # fmt: skip
        task = asyncio.create_task(link.run())
        try:
            yield Running(link, peer, alerts, task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await channel.close()
    node.store.close()


async def welcome(visit: Visit, **fields: Any) -> None:
    await visit.send(welcome=pb.Welcome(directory_version=0, **fields))


async def stay(visit: Visit) -> None:
    """Greets, answers pings, and stays."""
    await welcome(visit)
    await remain(visit)


async def remain(visit: Visit) -> None:
    """Answers pings and stays: a script that greeted already, for a second welcome ends the stream."""
    async for message in visit.requests:
        if message.WhichOneof("message") == "ping":
            await visit.send(pong=pb.Pong(alert_sequence=0))


def alert(sequence: int) -> pb.Alert:
    return pb.Alert(
        sequence=sequence, kind=pb.ALERT_KIND_LOCATED, subject_handle=world.HANDLE, acting_agency=world.ASKER,
        located_county="06029",
    )  # fmt: skip


def order() -> pb.WorkOrder:
    return world.Order().build()


async def test_the_link_greets_with_a_signed_hello_and_is_up(tmp_path: Path, authority: Authority) -> None:
    async with running(tmp_path, authority, stay) as run:
        await wait_for(lambda: run.link.status.up)
        (hello,) = run.peer.visits
        assert (hello.alert_cursor, hello.work_credit, len(hello.session_nonce)) == (0, stream.CREDIT, 32)


async def test_a_work_order_is_answered_over_the_stream(tmp_path: Path, authority: Authority) -> None:
    results: list[pb.WorkResult] = []
    sent = order()

    async def script(visit: Visit) -> None:
        await welcome(visit)
        await visit.send(work_order=sent)
        results.append(await visit.until("work_result"))
        await remain(visit)

    async with running(tmp_path, authority, script):
        await wait_for(lambda: bool(results))
    assert (results[0].work_id, results[0].status) == (sent.work_id, pb.WORK_STATUS_REFUSED)


async def test_more_orders_than_the_credit_are_answered_busy_at_once(tmp_path: Path, authority: Authority) -> None:
    release = threading.Event()
    results: list[pb.WorkResult] = []

    def slowly(order: pb.WorkOrder) -> pb.WorkResult:
        release.wait(5)
        return refuse(order)

    async def script(visit: Visit) -> None:
        await welcome(visit)
        for _ in range(stream.CREDIT + 1):
            await visit.send(work_order=order())
        results.append(await visit.until("work_result"))
        release.set()
        results.extend([await visit.until("work_result") for _ in range(stream.CREDIT)])
        await remain(visit)

    async with running(tmp_path, authority, script, work=slowly):
        await wait_for(lambda: len(results) == stream.CREDIT + 1)
    assert [each.status for each in results] == [pb.WORK_STATUS_BUSY] + [pb.WORK_STATUS_REFUSED] * stream.CREDIT


async def test_a_fault_of_the_program_is_not_swallowed(tmp_path: Path, authority: Authority) -> None:
    def broken(order: pb.WorkOrder) -> pb.WorkResult:
        raise ZeroDivisionError

    async def script(visit: Visit) -> None:
        await welcome(visit)
        await visit.send(work_order=order())
        await visit.until("work_result")

    async with running(tmp_path, authority, script, work=broken) as run:
        with pytest.raises(ZeroDivisionError):
            await run.task


async def test_an_alert_is_on_disk_before_it_is_acknowledged(tmp_path: Path, authority: Authority) -> None:
    seen: list[tuple[int, int]] = []
    stored: asyncio.Future[Alerts] = asyncio.get_running_loop().create_future()

    async def script(visit: Visit) -> None:
        await welcome(visit)
        for sequence in (1, 2):
            await visit.send(alert=alert(sequence))
            acknowledged = await visit.until("alert_acknowledgement")
            seen.append((acknowledged.sequence, (await stored).cursor()))
        await remain(visit)

    async with running(tmp_path, authority, script) as run:
        stored.set_result(run.alerts)
        await wait_for(lambda: len(seen) == 2)
        assert seen == [(1, 1), (2, 2)]
        assert [each.sequence for each in run.alerts.after(0)] == [1, 2]
        assert run.alerts.open_count() == 2
        run.alerts.note(1)
        assert run.alerts.open_count() == 1
        run.alerts.note(99)
        assert run.alerts.open_count() == 0


async def test_a_repeated_alert_is_acknowledged_and_kept_once(tmp_path: Path, authority: Authority) -> None:
    seen: list[int] = []

    async def script(visit: Visit) -> None:
        await welcome(visit)
        for _ in range(2):
            await visit.send(alert=alert(1))
            seen.append((await visit.until("alert_acknowledgement")).sequence)
        await remain(visit)

    async with running(tmp_path, authority, script) as run:
        await wait_for(lambda: len(seen) == 2)
        assert (seen, len(run.alerts.after(0))) == ([1, 1], 1)


async def test_a_hole_in_the_sequence_starts_the_stream_again_from_the_last_alert(
    tmp_path: Path, authority: Authority
) -> None:
    acknowledged: list[int] = []

    async def lossy(visit: Visit) -> None:
        await welcome(visit)
        await visit.send(alert=alert(1))
        acknowledged.append((await visit.until("alert_acknowledgement")).sequence)
        await visit.send(alert=alert(3))
        async for message in visit.requests:
            assert message.WhichOneof("message") != "alert_acknowledgement"

    async with running(tmp_path, authority, lossy, stay) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert (run.peer.visits[1].alert_cursor, acknowledged, run.alerts.cursor()) == (1, [1], 1)


async def test_a_pong_that_names_an_alert_which_never_came_starts_the_stream_again(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PING_SECONDS", 0.05)

    async def lossy(visit: Visit) -> None:
        await welcome(visit)
        await visit.until("ping")
        await visit.send(pong=pb.Pong(alert_sequence=4))
        await visit.next()

    async with running(tmp_path, authority, lossy, stay) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert run.link.status.last_end == "ALERT_LOST"


async def test_alerts_that_the_gateway_lost_are_given_up_aloud(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[int] = []

    async def script(visit: Visit) -> None:
        await welcome(visit, resync_required=True, alert_sequence=40)
        await visit.send(alert=alert(40))
        seen.append((await visit.until("alert_acknowledgement")).sequence)
        await remain(visit)

    async with running(tmp_path, authority, script, has_lost=True) as run:
        await wait_for(lambda: bool(seen))
        assert (seen, run.alerts.cursor(), run.link.status.resync_required) == ([40], 40, True)
    (record,) = (each for each in caplog.records if "alerts are lost" in each.message)
    assert (record.levelname, record.__dict__["first"], record.__dict__["last"]) == ("WARNING", 1, 39)


@pytest.mark.parametrize("has_lost", [False, True], ids=["that declared none", "that goes on since"])
async def test_no_exchange_says_that_an_alert_of_its_log_is_lost(
    tmp_path: Path, authority: Authority, has_lost: bool
) -> None:
    """Whoever withholds one could else have the county believe that a loss was declared of it."""
    first = ALERTS_OF_A_LOG * has_lost + 1

    async def withholding(visit: Visit) -> None:
        await welcome(visit, resync_required=True, alert_sequence=first + 1)
        await visit.send(alert=alert(first + 1))
        await visit.until("never")

    async with running(tmp_path, authority, withholding, has_lost=has_lost) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert (run.link.missing_alert, run.alerts.cursor(), run.link.status.last_end) == (1, 0, "ALERT_GAP")


async def test_what_was_given_up_once_gives_up_no_later_hole(tmp_path: Path, authority: Authority) -> None:
    async def lossy(visit: Visit) -> None:
        await welcome(visit, resync_required=True, alert_sequence=40)
        await visit.send(alert=alert(40))
        await visit.until("alert_acknowledgement")

    async def later(visit: Visit) -> None:
        await welcome(visit, alert_sequence=42)
        await visit.send(alert=alert(42))
        await visit.until("never")

    async with running(tmp_path, authority, lossy, later, has_lost=True) as run:
        await wait_for(lambda: len(run.peer.visits) >= 3)
        assert (run.alerts.cursor(), run.link.missing_alert) == (40, 41)


async def test_an_alert_that_is_withheld_is_named_until_it_comes(tmp_path: Path, authority: Authority) -> None:
    async def lossy(visit: Visit) -> None:
        await welcome(visit, alert_sequence=3)
        await visit.send(alert=alert(1))
        await visit.send(alert=alert(3))
        await visit.until("never")

    come = asyncio.Event()

    async def whole(visit: Visit) -> None:
        await welcome(visit, alert_sequence=3)
        await come.wait()
        await visit.send(alert=alert(2))
        await visit.send(alert=alert(3))
        await remain(visit)

    async with running(tmp_path, authority, lossy, whole) as run:
        assert run.link.missing_alert == 0
        await wait_for(lambda: len(run.peer.visits) >= 2 and run.link.status.up)
        assert (run.link.missing_alert, run.alerts.cursor()) == (2, 1)
        come.set()
        await wait_for(lambda: run.alerts.cursor() == 3)
        assert (run.link.missing_alert, run.alerts.forgotten()) == (0, 0)


async def test_an_exchange_whose_alerts_were_cut_does_not_hide_it_by_growing_again(
    tmp_path: Path, authority: Authority
) -> None:
    """What it numbers anew up to the number that is here is never sent."""

    async def before(visit: Visit) -> None:
        await welcome(visit, alert_sequence=3)
        for sequence in (1, 2, 3):
            await visit.send(alert=alert(sequence))
            await visit.until("alert_acknowledgement")

    async def cut(visit: Visit) -> None:
        await welcome(visit, alert_sequence=1)

    async def grown(visit: Visit) -> None:
        await welcome(visit, alert_sequence=4)
        await visit.send(alert=alert(4))
        await remain(visit)

    async with running(tmp_path, authority, before, cut, grown) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert run.peer.visits[1].alert_cursor == 3
        await wait_for(lambda: run.alerts.cursor() == 4)
        assert (run.alerts.forgotten(), run.link.missing_alert) == (2, 0)


@pytest.mark.parametrize(
    ("farewell", "why"),
    [
        ({"going_away": pb.GoingAway(seconds=1)}, "GOING_AWAY"),
        ({"welcome": pb.Welcome()}, "PROTOCOL_ERROR"),
        ({"work_order": pb.WorkOrder(work_id=b"short")}, "MALFORMED"),
    ],
    ids=["going away", "second welcome", "malformed order"],
)
async def test_a_stream_that_must_not_go_on_is_opened_anew(
    tmp_path: Path, authority: Authority, farewell: dict[str, Any], why: str
) -> None:
    async def script(visit: Visit) -> None:
        await welcome(visit)
        await visit.send(**farewell)
        await asyncio.sleep(10)

    async with running(tmp_path, authority, script, stay) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert run.link.status.last_end == why


async def test_silence_is_not_taken_for_calm(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.1)

    async def mute(visit: Visit) -> None:
        await welcome(visit)
        await asyncio.sleep(10)

    async with running(tmp_path, authority, mute) as run:
        await wait_for(lambda: len(run.peer.visits) >= 2)
        assert run.link.status.last_end == "SILENT"


async def test_a_changed_directory_is_fetched_at_once(tmp_path: Path, authority: Authority) -> None:
    async def script(visit: Visit) -> None:
        await welcome(visit)
        await visit.send(directory_changed=pb.DirectoryChanged(version=7))
        await remain(visit)

    async with running(tmp_path, authority, script) as run:
        keeping = asyncio.create_task(run.link.keeper.run())
        await wait_for(lambda: run.link.keeper.version == 7)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


# --- channels


async def test_a_calls_reason_and_fields_are_kept_and_its_text_is_not(authority: Authority) -> None:
    peer = Peer(fault=(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED"))
    async with serving(peer, authority) as address:
        channel = PeerChannel(address, authority.adapter(world.SOURCE), roots=authority.root_pem)
        with pytest.raises(CallFailed) as caught:
            await channel.call(GET_DIRECTORY, directory_pb.GetDirectoryRequest(), seconds=5)
        await channel.close()
    assert (caught.value.fault, caught.value.reason) == (CallFault.EXHAUSTED, "BUDGET_EXHAUSTED")
    assert caught.value.fields == ("level: rule",) * MOST_FIELDS
    assert "not kept" not in str(caught.value)


async def test_every_status_has_a_meaning() -> None:
    assert set(FAULTS) == set(grpc.StatusCode) - {grpc.StatusCode.OK}


async def test_a_gateway_of_another_ca_is_not_spoken_to(authority: Authority) -> None:
    peer = Peer()
    async with serving(peer, Authority()) as address:
        channel = PeerChannel(address, authority.adapter(world.SOURCE), roots=authority.root_pem)
        with pytest.raises(CallFailed) as caught:
            await channel.call(GET_DIRECTORY, directory_pb.GetDirectoryRequest(), seconds=3)
        await channel.close()
    assert (caught.value.fault, peer.certificates) == (CallFault.UNAVAILABLE, [])


async def test_a_renewed_certificate_takes_over_while_a_stream_goes_on(tmp_path: Path, authority: Authority) -> None:
    async with running(tmp_path, authority, stay) as run:
        await wait_for(lambda: run.link.status.up)
        channel, question = run.link.channel, directory_pb.GetDirectoryRequest()
        assert (await channel.call(GET_DIRECTORY, question, seconds=5)).pending_count == 3
        channel.replace(authority.adapter(world.SOURCE))
        await channel.call(GET_DIRECTORY, question, seconds=5)
        first, second = run.peer.certificates
        assert first != second
        assert (run.link.status.up, len(run.peer.visits)) == (True, 1)
        # The old channel closes with its stream; nobody waits the whole grace for it.
        run.task.cancel()


async def test_when_the_old_channel_is_closed_the_link_is_opened_anew(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "CLOSE_SECONDS", 0.1)
    async with running(tmp_path, authority, stay) as run:
        for visits in (1, 2, 3):
            await wait_for(lambda visits=visits: run.link.status.up and len(run.peer.visits) == visits)
            run.link.channel.replace(authority.adapter(world.SOURCE))
        await wait_for(lambda: len(run.peer.visits) == 4)
        assert not run.task.done()
        assert run.link.status.last_end == "REPLACED"


async def test_a_call_that_its_channel_leaves_behind_has_failed_and_cancels_nobody(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "CLOSE_SECONDS", 0.1)
    peer = Peer(slow=10.0)
    async with serving(peer, authority) as address:
        channel = PeerChannel(address, authority.adapter(world.SOURCE), roots=authority.root_pem)
        under_way = asyncio.create_task(channel.call(GET_DIRECTORY, directory_pb.GetDirectoryRequest(), seconds=20))
        given_up = asyncio.create_task(channel.call(GET_DIRECTORY, directory_pb.GetDirectoryRequest(), seconds=20))
        await wait_for(lambda: len(peer.certificates) == 2)
        given_up.cancel()
        channel.replace(authority.adapter(world.SOURCE))
        left, cancelled = await asyncio.gather(under_way, given_up, return_exceptions=True)
        await channel.close()
    assert isinstance(left, CallFailed)
    assert left.fault is CallFault.UNAVAILABLE
    assert isinstance(cancelled, asyncio.CancelledError), "whoever is told to stop is"


def test_the_table_of_calls_names_methods_that_exist() -> None:
    files = (
        exchange_pb2, missing_pb2, authority_pb2, audit_pb, index_pb2, directory_pb, review_pb2, restoration_pb2,
        sealing_pb2, token_pb2,
    )  # fmt: skip
    methods = {
        f"/{service.full_name}/{method.name}": (method.input_type.full_name, method.output_type.full_name)
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    table = {rpc.path: (rpc.request.DESCRIPTOR.full_name, rpc.answer.DESCRIPTOR.full_name) for rpc in ALL}
    assert table.items() <= methods.items(), "the adapter calls what is not there"
