"""AdapterLinkService: the stream an adapter keeps open.

The reader takes results, acknowledgements and pings; the writer sends orders, alerts and
notices. Once a second the peer is checked again, because a revoked certificate keeps its
stream until somebody ends it (SECURITY §0.3): five seconds at most. A stream that has not
greeted is nobody's link: it has few seconds, and an adapter has few of them, or one member
could hold every place that the others' calls need.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from audit.errors import EvidenceError
from audit.note import KeyKind, VerifierKey, parse_verifier_key
from audit.sequencer import Append
from gateway.errors import EnvelopeInvalid, ErrorReason, Exhausted, Invalid, Unauthenticated, Unavailable
from gateway.exchange.journal import draft
from gateway.ports import AlertFeed, Journal
from gateway.protocol.directory import DirectoryView
from gateway.protocol.log_kinds import Kind
from gateway.protocol.names import AgencyId
from gateway.protocol.parse import MalformedMessage, check, parse
from gateway.protocol.witness_names import witness_name
from gateway.publishing.attested import Attestations, AttestationStanding
from gateway.publishing.shown import Shown
from gateway.rpc.interceptor import current_peer
from gateway.rpc.links import Link, Links
from gateway.rpc.machine import MachineCalls
from gateway.rpc.peer import Peer, Peers
from homeward.audit.v1.log_pb2 import CompletenessAttestation
from homeward.gateway.v1 import link_pb2 as pb
from homeward.gateway.v1 import link_pb2_grpc
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

MAX_CLOCK_SKEW: Final = timedelta(seconds=60)
GREETING_SECONDS: Final = 4.0
MAX_GREETINGS: Final = 4
"""Streams of one adapter that have not greeted yet (SECURITY §3.5)."""
_RECHECK_SECONDS: Final = 1.0

OwnEntriesPage = Callable[[AgencyId, pb.OwnEntriesQuery], Awaitable[pb.OwnEntries | None]]
"""An agency's next entries, or None where the log has not grown so far; raises `Unavailable` (`finding`)."""

log = logging.getLogger(__name__)


class LinkServicer(link_pb2_grpc.AdapterLinkServiceServicer):
    """Runs one stream per adapter."""

    def __init__(
        self,
        links: Links,
        *,
        peers: Peers,
        machine: MachineCalls,
        alerts: AlertFeed,
        journal: Journal,
        directory: Callable[[], DirectoryView],
        attestations: Attestations,
        own_entries: OwnEntriesPage,
        shown: Shown,
        now: Callable[[], datetime],
    ) -> None:
        self._links = links
        self._peers = peers
        self._machine = machine
        self._alerts = alerts
        self._journal = journal
        self._directory = directory
        self._attestations = attestations
        self._own_entries = own_entries
        self._shown = shown
        self._now = now
        self._greeting = Counter[str]()

    async def Connect(
        self, request_iterator: AsyncIterator[pb.ConnectRequest], context: Any
    ) -> AsyncIterator[pb.ConnectResponse]:
        """The link of one adapter, until either end stops."""
        peer = current_peer()
        async with self._greeting_place(peer), asyncio.timeout(GREETING_SECONDS):
            link = await self._greet(request_iterator, peer)
        await self._shown.hear(link.agency, link.cosigned)
        self._links.open(link)
        reader = asyncio.create_task(self._read(request_iterator, link))
        attesting = asyncio.create_task(self._attest(link, peer))
        try:
            yield await self._welcome(link)
            async for message in self._messages(link, peer, reader, attesting):
                yield message
        finally:
            reader.cancel()
            attesting.cancel()
            self._links.drop(link)

    @asynccontextmanager
    async def _greeting_place(self, peer: Peer) -> AsyncIterator[None]:
        identity = peer.identity.uri
        if self._greeting[identity] >= MAX_GREETINGS:
            raise Exhausted(ErrorReason.OVERLOADED)
        self._greeting[identity] += 1
        try:
            yield
        except TimeoutError as exc:
            raise Invalid(ErrorReason.PROTOCOL_ERROR) from exc
        finally:
            self._greeting[identity] -= 1
            # Leaves no trace of identities that come once.
            if not self._greeting[identity]:
                del self._greeting[identity]

    async def _greet(self, requests: AsyncIterator[pb.ConnectRequest], peer: Peer) -> Link:
        async for first in requests:
            if first.WhichOneof("message") != "hello":
                break
            try:
                agency, hello = self._machine.open(first.hello, pb.Hello, peer)
            except (Unauthenticated, EnvelopeInvalid, Unavailable):
                await self._shown.look(peer.agency, _note_of(first.hello))
                raise
            if abs(hello.create_time.ToDatetime(UTC) - self._now()) > MAX_CLOCK_SKEW:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=("hello.create_time: clock",))
            return Link(
                agency,
                credit=hello.work_credit,
                alert_cursor=hello.alert_cursor,
                witness_keys=self._witness_keys(agency, hello.witness_keys),
                cosigned=hello.cosigned_checkpoint,
            )
        raise Invalid(ErrorReason.PROTOCOL_ERROR)

    def _witness_keys(self, agency: AgencyId, texts: Iterable[str]) -> tuple[VerifierKey, ...]:
        """The keys an adapter cosigns with. Its own name stands on each: none can speak for another county."""
        name = witness_name(self._directory().message.trust_domain, agency)
        try:
            keys = tuple(parse_verifier_key(text) for text in texts)
        except EvidenceError as exc:
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("hello.witness_keys: vkey",)) from exc
        if any(key.name != name or key.kind is KeyKind.ED25519 for key in keys):
            raise Invalid(ErrorReason.INVALID_REQUEST, fields=("hello.witness_keys: name",))
        return keys

    async def _welcome(self, link: Link) -> pb.ConnectResponse:
        welcome = pb.Welcome(
            directory_version=self._directory().version,
            resync_required=await self._alerts.is_lost(link.agency, link.alert_cursor),
            alert_sequence=await self._alerts.newest(link.agency),
        )
        welcome.create_time.FromDatetime(self._now())
        return pb.ConnectResponse(welcome=welcome)

    async def _messages(self, link: Link, peer: Peer, *parts: asyncio.Task[None]) -> AsyncIterator[pb.ConnectResponse]:
        closed = asyncio.create_task(link.closed.wait())
        try:
            while True:
                self._peers.check_live(peer)
                if self._shown.begun.is_set() and link.alerts_waiting.is_set():
                    link.alerts_waiting.clear()
                    async for alert in self._alerts_after_cursor(link):
                        yield alert
                taking = asyncio.create_task(link.outgoing.get())
                alerted = asyncio.create_task(_alerted(link, self._shown))
                try:
                    await asyncio.wait(
                        {taking, alerted, closed, *parts},
                        timeout=_RECHECK_SECONDS,
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    message = taking.result() if taking.done() else None
                finally:
                    taking.cancel()
                    alerted.cancel()
                if message is not None:
                    yield message
                elif closed.done():
                    raise Unavailable(ErrorReason.LINK_REPLACED)
                for part in parts:
                    if message is None and part.done():
                        part.result()
                        return
        finally:
            closed.cancel()

    async def _alerts_after_cursor(self, link: Link) -> AsyncIterator[pb.ConnectResponse]:
        while page := await self._alerts.after(link.agency, link.alert_cursor):
            for alert in page:
                link.alert_cursor = alert.sequence
                alert.acting_duty_line = self._directory().county(alert.acting_agency[:5]).duty_line
                yield pb.ConnectResponse(alert=alert)

    async def _read(self, requests: AsyncIterator[pb.ConnectRequest], link: Link) -> None:
        async for request in requests:
            try:
                check(request)
            except MalformedMessage as exc:
                raise Invalid(ErrorReason.INVALID_REQUEST, fields=exc.fields) from exc
            self._take(request, link)

    def _take(self, request: pb.ConnectRequest, link: Link) -> None:
        kind = request.WhichOneof("message")
        if kind == "work_result":
            link.answer(request.work_result)
        elif kind == "alert_acknowledgement":
            self._acknowledge(link, request.alert_acknowledgement.sequence)
        elif kind == "checkpoint_answer":
            link.witnessed(request.checkpoint_answer)
        elif kind in ("own_entries_query", "attestation"):
            self._ask_of_own(link, request)
        elif kind == "ping":
            link.send(pb.ConnectResponse(pong=pb.Pong(alert_sequence=link.alert_cursor)))
        else:
            raise Invalid(ErrorReason.PROTOCOL_ERROR)

    def _ask_of_own(self, link: Link, request: pb.ConnectRequest) -> None:
        try:
            link.of_own.put_nowait(request)
        except asyncio.QueueFull as exc:
            # An adapter asks for the next page when it has the last.
            raise Invalid(ErrorReason.PROTOCOL_ERROR) from exc

    async def _attest(self, link: Link, peer: Peer) -> None:
        """Shows the agency its own entries and takes its word for them, beside the work: a page takes milliseconds."""
        while True:
            request = await link.of_own.get()
            if request.HasField("own_entries_query"):
                page = await self._own_entries(link.agency, request.own_entries_query)
                if page is not None:
                    link.send(pb.ConnectResponse(own_entries=page))
                continue
            _, message = self._machine.open(request.attestation, CompletenessAttestation, peer)
            if await self._attestations.take(link.agency, request.attestation, message):
                await self._alarm(link.agency)

    async def _alarm(self, agency: AgencyId) -> None:
        op = {"agency": agency, "reason": AttestationStanding.CONTRADICTED}
        try:
            await self._journal.enter(Append(draft(Kind.ATTESTATION_ALARM, op=op)))
        except Unavailable:
            # The log takes nothing now. The standing stays, and the operator sees it.
            log.warning("an alarm is not in the log", extra={"agency": agency})

    def _acknowledge(self, link: Link, sequence: int) -> None:
        # No leaf of its own: an owner's adapter acknowledges within milliseconds of an alert, and the next index that a
        # caller sees would tell that there was somebody to alert. The owner's next heartbeat, which comes in any case,
        # carries the number (`tokens/index`).
        if sequence > link.alert_cursor:
            raise Invalid(ErrorReason.PROTOCOL_ERROR)
        self._links.acknowledged(link.agency, sequence)


def _note_of(hello: SignedEnvelope) -> str:
    """The checkpoint in a greeting that nobody vouches for: the log's own signature on it does, if there is one."""
    try:
        return parse(pb.Hello, hello.payload).cosigned_checkpoint
    except MalformedMessage:
        return ""


async def _alerted(link: Link, shown: Shown) -> None:
    # A member whose revocation was held is revoked by the start: it is told nothing before.
    await shown.begun.wait()
    await link.alerts_waiting.wait()
