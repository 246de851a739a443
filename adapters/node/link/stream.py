"""The one stream this adapter keeps open: work comes in, results, acknowledgements and signs of life go out.

Decides when the stream counts as broken, and never treats silence as calm:

    first up        Hello, signed; first down Welcome, else the stream is dropped
    every 10 s      Ping; no message for 25 s ends the stream
    work            at most `credit` orders at a time, each in a thread; one more is answered BUSY at once
    alert           on disk first, acknowledged after; a hole in the sequence ends the stream, and the next one starts
                    from the last alert on disk
    pong            names the last alert that was sent; if it is not here, an alert was lost: as a hole
    checkpoint      witnessed in a thread, one at a time: on disk before the cosignature leaves
    own entries     asked for in the tree cosigned last, once a minute; followed in a thread, then attested
    going away      the stream is opened anew at once
    broken          opened anew after a random pause, up to 100 ms at first, doubling to 5 s (full jitter), and no
                    further than 0.5 s while nobody welcomes it, because a gateway that comes back needs its counties
                    at once
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from grpc import aio
from sqlalchemy.exc import OperationalError

from adapters.node.alerts import Alerts, Arrival
from adapters.node.attest import Attester
from adapters.node.directory_keeper import DirectoryKeeper
from adapters.node.identifiers import Clock, RandomBytes, timestamp
from adapters.node.link.channels import PeerChannel, failure_of, is_told_to_stop
from adapters.node.rpcs import REFUSED_CERTIFICATE
from adapters.node.store import is_busy
from gateway.protocol.envelope import wrap
from gateway.protocol.parse import MalformedMessage, check
from gateway.protocol.signing import SigningKey
from homeward.gateway.v1 import link_pb2 as pb

PATH: Final = "/homeward.gateway.v1.AdapterLinkService/Connect"
PING_SECONDS: Final = 10.0
SILENCE_SECONDS: Final = 25.0
WELCOME_SECONDS: Final = 10.0
ATTEST_POLL_SECONDS: Final = 1.0
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
LONGEST_UNWELCOME: Final = 0.5
STEADY: Final = timedelta(seconds=10)
"""A stream that lived so long was a good one: the next is opened without delay."""
CREDIT: Final = 16
GOING_AWAY: Final = "GOING_AWAY"
_LOG: Final = logging.getLogger(__name__)

Stream = aio.StreamStreamCall[pb.ConnectRequest, pb.ConnectResponse]


class StreamBroken(Exception):
    """The stream ended, or must not go on. `why` is a constant word or the peer's constant reason."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(slots=True)
class LinkStatus:
    """What is known of the link now."""

    up: bool = False
    since: datetime | None = None
    last_end: str = ""
    """Why the last stream ended: a constant word."""
    certificate_refused: bool = False
    """Whether the gateway refused the channel certificate since the link was up last."""
    resync_required: bool = False
    """Alerts are lost of which this adapter was not told: flags must be looked through by a person."""
    awaited_alert: int = 0
    """The alert for which a stream ended, because later ones were there before it; 0 for none yet."""


@dataclass(slots=True)
class Link:
    """Keeps the stream open."""

    channel: PeerChannel
    envelope_key: SigningKey = field(repr=False)
    work: Callable[[pb.WorkOrder], pb.WorkResult]
    """Answers one order; blocking, run in a thread."""
    alerts: Alerts
    keeper: DirectoryKeeper
    now: Clock
    random_bytes: RandomBytes = field(repr=False)
    has_sources: bool = True
    status: LinkStatus = field(default_factory=LinkStatus)
    witness_keys: tuple[str, ...] = ()
    """Keys this adapter cosigns checkpoints with, as vkeys; none where it is no witness."""
    witness: Callable[[pb.AddCheckpoint], pb.CheckpointAnswer] | None = field(default=None, repr=False)
    """Answers one checkpoint; blocking, run in a thread."""
    cosigned: Callable[[], str] = field(default=lambda: "", repr=False)
    """The newest checkpoint that was cosigned, with the log's own signature; empty where there is none."""
    attester: Attester | None = field(default=None, repr=False)
    """Follows the agency's own entries; None where the adapter is no witness."""
    heard: Callable[[pb.Alert], None] = field(default=lambda _: None, repr=False)
    """Called for each alert once it is on disk."""

    @property
    def missing_alert(self) -> int:
        """The alert that the exchange did not hand over although it has later ones; 0 for none."""
        awaited = self.status.awaited_alert
        return awaited if awaited > self.alerts.cursor() else 0

    @property
    def credit(self) -> int:
        """Work orders taken at once; none by an adapter that has nothing to answer from."""
        return CREDIT if self.has_sources else 0

    async def run(self) -> None:
        """Keeps a stream open until cancelled."""
        failures = 0
        while True:
            try:
                await self._session()
            except StreamBroken as broken:
                failures = 0 if broken.why == GOING_AWAY or self._was_steady() else failures + 1
                longest = LONGEST_UNWELCOME if self.status.since is None else LONGEST_PAUSE
                self.status.up, self.status.since, self.status.last_end = False, None, broken.why
                _LOG.info("link ended", extra={"why": broken.why})
                self._note_refusal(broken.why)
            await self._rest(self._pause(failures, longest))

    async def _rest(self, seconds: float) -> None:
        """Pauses, at most until another directory is in force: it may be the first that lists this adapter."""
        try:
            async with asyncio.timeout(seconds):
                await self.keeper.newer_than(self.keeper.version)
        except TimeoutError:
            return

    def _note_refusal(self, why: str) -> None:
        # Once: it is tried for as long as this runs, and may end otherwise in between.
        if why == REFUSED_CERTIFICATE and not self.status.certificate_refused:
            self.status.certificate_refused = True
            _LOG.error("the exchange refuses the certificate: join again in this directory, with a new invitation")

    def _was_steady(self) -> bool:
        # Two holders of one identity replace each other's link; without this they would do it ten times a second.
        return self.status.since is not None and self.now() - self.status.since > STEADY

    async def _session(self) -> None:
        """One stream, from Hello to its end. Always raises `StreamBroken`, unless cancelled."""
        method: aio.StreamStreamMultiCallable[pb.ConnectRequest, pb.ConnectResponse] = (
            self.channel.channel.stream_stream(
                PATH,
                request_serializer=pb.ConnectRequest.SerializeToString,
                response_deserializer=pb.ConnectResponse.FromString,
            )
        )
        call: Stream = method(request_iterator=None)
        session = _Session(self, call)
        try:
            await session.run()
        except aio.AioRpcError as error:
            failed = failure_of(error)
            raise StreamBroken(failed.reason or failed.fault) from None
        except (aio.UsageError, asyncio.InvalidStateError) as exc:
            raise StreamBroken("CLOSED") from exc
        except OperationalError as exc:
            if not is_busy(exc):
                raise
            # What was not taken is sent again on the next stream.
            raise StreamBroken("BUSY") from None
        except asyncio.CancelledError:
            if is_told_to_stop():
                raise
            # The certificate was renewed, and the channel that the stream was on is closed.
            raise StreamBroken("REPLACED") from None
        finally:
            call.cancel()

    def _pause(self, failures: int, longest: float) -> float:
        ceiling = min(FIRST_PAUSE * 2 ** min(failures, 10), longest)
        return float(ceiling * int.from_bytes(self.random_bytes(4), "big") / 0xFFFFFFFF)


class _Work:
    """The orders under way on one stream."""

    def __init__(self, answer: Callable[[pb.WorkOrder], pb.WorkResult], *, credit: int) -> None:
        self._answer = answer
        self._credit = credit
        self.tasks: set[asyncio.Task[None]] = set()
        self.crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when an order made this program fail."""

    def take(self, order: pb.WorkOrder, outgoing: "asyncio.Queue[pb.ConnectRequest]") -> None:
        """The order is being answered, or was answered BUSY."""
        if len(self.tasks) >= self._credit:
            result = pb.WorkResult(work_id=order.work_id, status=pb.WORK_STATUS_BUSY)
            outgoing.put_nowait(pb.ConnectRequest(work_result=result))
            return
        task = asyncio.ensure_future(self._run(order, outgoing))
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    async def witness(
        self,
        answer: Callable[[pb.AddCheckpoint], pb.CheckpointAnswer],
        request: pb.AddCheckpoint,
        outgoing: "asyncio.Queue[pb.ConnectRequest]",
    ) -> None:
        """The checkpoint was answered: after the one before it, and while orders go on."""
        outgoing.put_nowait(pb.ConnectRequest(checkpoint_answer=await asyncio.to_thread(answer, request)))

    async def _run(self, order: pb.WorkOrder, outgoing: "asyncio.Queue[pb.ConnectRequest]") -> None:
        result = await asyncio.to_thread(self._answer, order)
        outgoing.put_nowait(pb.ConnectRequest(work_result=result))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.crashed.done():
            # Not an answer and not a broken stream: a fault of this program, which must not go unnoticed.
            self.crashed.set_exception(error)


def _hello(link: Link) -> pb.Hello:
    return pb.Hello(
        create_time=timestamp(link.now()),
        alert_cursor=link.alerts.cursor(),
        work_credit=link.credit,
        session_nonce=link.random_bytes(32),
        witness_keys=link.witness_keys,
        cosigned_checkpoint=link.cosigned(),
    )


class _Session:
    """One stream's reading, pinging and answering."""

    def __init__(self, link: Link, call: Stream) -> None:
        self._link = link
        self._call = call
        self._outgoing: asyncio.Queue[pb.ConnectRequest] = asyncio.Queue()
        self._work = _Work(link.work, credit=link.credit)

    async def run(self) -> None:
        """Runs until the stream ends. Raises `StreamBroken`, `AioRpcError`."""
        await self._call.write(pb.ConnectRequest(hello=wrap(_hello(self._link), self._link.envelope_key)))
        await self._welcome()
        self._link.status.up, self._link.status.since = True, self._link.now()
        self._link.status.certificate_refused = False
        _LOG.info("link up")
        parts = (self._read(), self._write(), self._ping(), self._attest(), self._work.crashed)
        tasks = [asyncio.ensure_future(each) for each in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise StreamBroken("ENDED")
        finally:
            await _cancelled(*tasks, *self._work.tasks)

    async def _welcome(self) -> None:
        first = await self._next(WELCOME_SECONDS)
        if first.WhichOneof("message") != "welcome":
            raise StreamBroken("PROTOCOL_ERROR")
        # Of this stream alone: said once, it gives up no hole of another one.
        self._link.status.resync_required = first.welcome.resync_required
        await asyncio.to_thread(self._link.alerts.compare, first.welcome.alert_sequence)
        if first.welcome.directory_version > self._link.keeper.version:
            self._link.keeper.poke()

    async def _read(self) -> None:
        while True:
            message = await self._next(SILENCE_SECONDS)
            kind = message.WhichOneof("message")
            if kind == "work_order":
                self._work.take(message.work_order, self._outgoing)
            elif kind == "alert":
                await self._alert(message.alert)
            elif kind == "add_checkpoint" and self._link.witness is not None:
                await self._work.witness(self._link.witness, message.add_checkpoint, self._outgoing)
            elif kind == "own_entries" and self._link.attester is not None:
                self._say(await asyncio.to_thread(self._link.attester.take, message.own_entries))
            elif kind == "pong":
                self._pong(message.pong)
            elif kind == "directory_changed":
                self._link.keeper.poke()
            elif kind == "going_away":
                raise StreamBroken(GOING_AWAY)
            else:
                raise StreamBroken("PROTOCOL_ERROR")

    async def _next(self, seconds: float) -> pb.ConnectResponse:
        try:
            async with asyncio.timeout(seconds):
                message = await self._call.read()
        except TimeoutError as exc:
            raise StreamBroken("SILENT") from exc
        if not isinstance(message, pb.ConnectResponse):
            # The library's end of stream; it raises by itself for a status other than OK.
            raise StreamBroken("ENDED")
        try:
            check(message)
        except MalformedMessage as exc:
            raise StreamBroken("MALFORMED") from exc
        return message

    async def _alert(self, alert: pb.Alert) -> None:
        arrival = await asyncio.to_thread(self._link.alerts.accept, alert, self._link.now())
        if arrival is Arrival.GAP and self._link.status.resync_required:
            before = self._link.alerts.cursor()
            if await asyncio.to_thread(self._link.alerts.resync, alert.sequence):
                lost = {"first": before + 1, "last": alert.sequence - 1}
                _LOG.warning("alerts are lost: a person must look through the flags", extra=lost)
                arrival = await asyncio.to_thread(self._link.alerts.accept, alert, self._link.now())
        if arrival is Arrival.GAP:
            raise _awaiting(self._link, "ALERT_GAP")
        if arrival is Arrival.STORED:
            self._link.heard(alert)
        acknowledgement = pb.AlertAcknowledgement(sequence=alert.sequence)
        self._outgoing.put_nowait(pb.ConnectRequest(alert_acknowledgement=acknowledgement))

    def _pong(self, pong: pb.Pong) -> None:
        # Alerts and pongs come in the order they were sent, so an alert before this pong was stored before it.
        if pong.alert_sequence > self._link.alerts.cursor():
            raise _awaiting(self._link, "ALERT_LOST")

    async def _attest(self) -> None:
        attester = self._link.attester
        if attester is not None:
            attester.restart()
        while True:
            if attester is not None:
                self._say(await asyncio.to_thread(attester.begin))
            await asyncio.sleep(ATTEST_POLL_SECONDS)

    def _say(self, message: pb.ConnectRequest | None) -> None:
        if message is not None:
            self._outgoing.put_nowait(message)

    async def _write(self) -> None:
        while True:
            await self._call.write(await self._outgoing.get())

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            ping = pb.Ping(create_time=timestamp(self._link.now()))
            self._outgoing.put_nowait(pb.ConnectRequest(ping=ping))


def _awaiting(link: Link, why: str) -> StreamBroken:
    """The stream ends here, and what it lacked is known."""
    link.status.awaited_alert = link.alerts.cursor() + 1
    return StreamBroken(why)


async def _cancelled(*tasks: asyncio.Future[None]) -> None:
    """The tasks are at their end; what they were cancelled out of is of no interest any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
