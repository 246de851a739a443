"""Links of adapters: where work orders go out and results come back.

Decides how much a source is asked at once (its credit), that what is more waits for its turn, so much and no longer
than an answer may take (SECURITY §4.4), and what a source that is not there, too slow or too busy counts as. One link
an agency: a new one replaces the old, so that an adapter that reconnects is never asked over a dead stream.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from audit.note import VerifierKey
from audit.quorum import WitnessSilent
from gateway.ports import SourceUnreachable
from gateway.protocol.names import AgencyId
from homeward.gateway.v1.exchange_pb2 import SOURCE_STATUS_BUSY, SOURCE_STATUS_OFFLINE, SOURCE_STATUS_TIMED_OUT
from homeward.gateway.v1.link_pb2 import (
    AddCheckpoint,
    CheckpointAnswer,
    ConnectRequest,
    ConnectResponse,
    DirectoryChanged,
    GoingAway,
    WorkOrder,
    WorkResult,
)

QUEUE_LIMIT: Final = 128
"""Messages that wait to be sent to one adapter, and orders that wait for a turn beside those it is asked."""
_ID_BYTES: Final = 16


class Link:
    """One open link. One event loop uses it."""

    def __init__(
        self,
        agency: AgencyId,
        *,
        credit: int,
        alert_cursor: int,
        witness_keys: Sequence[VerifierKey] = (),
        cosigned: str = "",
    ) -> None:
        """`cosigned` is the newest checkpoint that the adapter says it cosigned; unverified."""
        self.agency = agency
        self.keys = tuple(witness_keys)
        self.cosigned = cosigned
        self.alert_cursor = alert_cursor
        self.outgoing: asyncio.Queue[ConnectResponse] = asyncio.Queue(QUEUE_LIMIT)
        self.alerts_waiting = asyncio.Event()
        self.alerts_waiting.set()
        self.closed = asyncio.Event()
        self.of_own: asyncio.Queue[ConnectRequest] = asyncio.Queue(1)
        """What the adapter asks or says of its agency's own entries, one at a time."""
        self._credit = credit
        self._orders: dict[bytes, asyncio.Future[WorkResult]] = {}
        self._turns = deque[WorkOrder]()
        self._asked: set[bytes] = set()
        """Of the orders, those that were sent."""
        self._submission: tuple[bytes, asyncio.Future[tuple[int, bytes]]] | None = None

    @property
    def name(self) -> str:
        """Name of its witness key; empty where the adapter is no witness."""
        return self.keys[0].name if self.keys else ""

    async def add_checkpoint(self, body: bytes) -> tuple[int, bytes]:
        """The adapter's untrusted answer as a witness; `audit.quorum.WitnessPeer`. Raises `WitnessSilent`."""
        if self._submission is not None or self.closed.is_set():
            raise WitnessSilent(self.name)
        future: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        identifier = os.urandom(_ID_BYTES)
        self._submission = identifier, future
        try:
            message = AddCheckpoint(submission_id=identifier, body=body)
            self.outgoing.put_nowait(ConnectResponse(add_checkpoint=message))
            return await future
        except asyncio.QueueFull as exc:
            raise WitnessSilent(self.name) from exc
        finally:
            self._submission = None

    def witnessed(self, answer: CheckpointAnswer) -> bool:
        """The submission that waits for this answer has it; False when none does (unsolicited, or too late)."""
        waiting = self._submission
        if waiting is None or waiting[0] != answer.submission_id or waiting[1].done():
            return False
        waiting[1].set_result((answer.status, answer.body))
        return True

    async def ask(self, order: WorkOrder, *, seconds: float) -> WorkResult:
        """The result of this order.

        Raises `SourceUnreachable`: OFFLINE where the source is gone, TIMED_OUT where it was asked and did not answer in
        time, BUSY where no turn came, or none can.
        """
        if self.closed.is_set():
            raise SourceUnreachable(SOURCE_STATUS_OFFLINE)
        if not self._credit or len(self._turns) >= QUEUE_LIMIT:
            raise SourceUnreachable(SOURCE_STATUS_BUSY)
        future: asyncio.Future[WorkResult] = asyncio.get_running_loop().create_future()
        self._orders[order.work_id] = future
        self._turns.append(order)
        self._send_due()
        try:
            return await asyncio.wait_for(future, seconds)
        except TimeoutError as exc:
            was_asked = order.work_id in self._asked
            raise SourceUnreachable(SOURCE_STATUS_TIMED_OUT if was_asked else SOURCE_STATUS_BUSY) from exc
        finally:
            del self._orders[order.work_id]
            if order.work_id in self._asked:
                self._asked.remove(order.work_id)
            else:
                # Its turn never came; nobody else is kept out by it.
                with suppress(ValueError):
                    self._turns.remove(order)
            self._send_due()

    def _send_due(self) -> None:
        """As many orders are under way as may be."""
        while self._turns and len(self._asked) < self._credit and not self.closed.is_set():
            order = self._turns.popleft()
            future = self._orders[order.work_id]
            if future.done():
                # Its time is over this very moment.
                continue
            try:
                self.outgoing.put_nowait(ConnectResponse(work_order=order))
            except asyncio.QueueFull:
                future.set_exception(SourceUnreachable(SOURCE_STATUS_BUSY))
            else:
                self._asked.add(order.work_id)

    def answer(self, result: WorkResult) -> bool:
        """The order that waits for this result has it; False when none does (unsolicited, or too late)."""
        future = self._orders.get(result.work_id)
        if future is None or future.done():
            return False
        future.set_result(result)
        return True

    def send(self, message: ConnectResponse) -> None:
        """The message is sent when its turn comes; a full queue closes the link, because nobody reads it."""
        try:
            self.outgoing.put_nowait(message)
        except asyncio.QueueFull:
            self.close()

    def close(self) -> None:
        """The stream ends, and whoever waits for a result learns that the source is gone."""
        self.closed.set()
        if self._submission is not None and not self._submission[1].done():
            self._submission[1].set_exception(WitnessSilent(self.name))
        for future in self._orders.values():
            if not future.done():
                future.set_exception(SourceUnreachable(SOURCE_STATUS_OFFLINE))


class Links:
    """Every open link; `ports.Sources` for the exchange."""

    def __init__(self) -> None:
        self._links: dict[AgencyId, Link] = {}
        self._acknowledged: dict[AgencyId, int] = {}
        self._leaving: GoingAway | None = None
        self.witness_linked: Callable[[], None] = lambda: None
        """Called when an adapter that is a witness has opened its link."""

    def connected(self) -> tuple[AgencyId, ...]:
        """Agencies with an open link."""
        return tuple(self._links)

    def witnesses(self) -> tuple[Link, ...]:
        """Links of adapters that are witnesses."""
        return tuple(link for link in self._links.values() if link.keys)

    def open(self, link: Link) -> None:
        """The link is the agency's; an older one is closed."""
        older = self._links.get(link.agency)
        self._links[link.agency] = link
        if older is not None:
            older.close()
        if self._leaving is not None:
            link.send(ConnectResponse(going_away=self._leaving))
        if link.keys:
            self.witness_linked()

    def drop(self, link: Link) -> None:
        """The link is no longer the agency's."""
        link.close()
        if self._links.get(link.agency) is link:
            del self._links[link.agency]

    async def ask(self, agency: AgencyId, order: WorkOrder, *, seconds: float) -> WorkResult:
        """The source's own result. Raises `SourceUnreachable` when there is none in time."""
        link = self._links.get(agency)
        if link is None:
            raise SourceUnreachable(SOURCE_STATUS_OFFLINE)
        return await link.ask(order, seconds=seconds)

    def alerted(self, agency: AgencyId) -> None:
        """New alerts for this agency are in the store; its link sends them now."""
        link = self._links.get(agency)
        if link is not None:
            link.alerts_waiting.set()

    def acknowledged(self, agency: AgencyId, sequence: int) -> None:
        """Everything up to this sequence is on the agency's disk."""
        self._acknowledged[agency] = max(sequence, self._acknowledged.get(agency, 0))

    def last_acknowledged(self, agency: AgencyId) -> int:
        """The highest sequence the agency acknowledged since this process started; 0 for none."""
        return self._acknowledged.get(agency, 0)

    def directory_changed(self, version: int) -> None:
        """Every link is told of the new directory."""
        for link in self._links.values():
            link.send(ConnectResponse(directory_changed=DirectoryChanged(version=version)))

    def going_away(self, seconds: int) -> None:
        """Every link is told that the gateway will stop; else a restart costs the whole grace (SECURITY §4.6).

        Whoever was greeting at that moment, too.
        """
        self._leaving = GoingAway(seconds=seconds)
        for link in self._links.values():
            link.send(ConnectResponse(going_away=self._leaving))
