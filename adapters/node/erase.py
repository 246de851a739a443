"""What this adapter keeps no longer, and when: tokens of ended epochs, and the bytes of requests nobody sends again.

    an epoch ended    the tokens youths were registered with, the bytes of requests that hold tokens of it, answered or
                      not, authorities that name a youth by digests of them, and such digests in reviews; then the file
                      is rewritten, so that no page and no write-ahead log holds one
    answered          a request's bytes, a day after it was made; a report's after 60 (`own_reports`)

Of a request its identifier and the digest of what was asked stay: the same identifier is never taken for another
question, and one whose bytes are gone is answered with EXPIRED_REFETCH. Receipts stay, as long as the county keeps its
file. A review keeps what was said; without the digests it confirms nobody, and is asked anew (README, Rotation).

Every adapter does this, with sources or without. An epoch has ended when the directory does not name it. A review
comes from the exchange, which may know a newer directory than this adapter: it is forgotten only under one that was
asked for after the review came.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, and_, func, not_, select
from sqlalchemy.exc import OperationalError

from adapters.node.errors import NotReady
from adapters.node.node import Node
from adapters.node.own_authorities import forget_authorities
from adapters.node.own_reports import forget_reports, is_kept
from adapters.node.rpcs import CallFailed
from adapters.node.store import owe_rewriting
from adapters.node.tables import alert, receipt, registration, request, request_epoch, review, review_epoch
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.link_pb2 import Alert

REPEATABLE: Final = timedelta(days=1)
"""How long what was answered can be sent again; the exchange answers a question again for minutes, a report always."""
PAUSE_SECONDS: Final = 60.0
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases, as epochs end and requests age."""

    node: Node

    async def run(self) -> None:
        """Erases whenever another directory is in force, and once a minute, until cancelled."""
        while True:
            version = self.node.keeper.version
            try:
                await self.erase()
            except NotReady as waiting:
                _LOG.debug("nothing is erased", extra={"missing": waiting.missing})
            except OperationalError as exc:
                # Somebody else wrote to the file for longer than is waited for; what must go is found again.
                _LOG.warning("nothing is erased yet", extra={"exception_type": type(exc).__name__})
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self.node.keeper.newer_than(version)
            except TimeoutError:
                continue

    async def erase(self) -> None:
        """Nothing of an ended epoch is in the database's files, and no bytes of a request that was answered long ago.

        Where somebody was using the files, the next call erases what is left in them. Raises `NotReady`,
        `OperationalError`.
        """
        newest = await asyncio.to_thread(self._newest_review, frozenset(self.node.directory().epochs))
        if newest is not None and not await self._refreshed():
            newest = None
        await asyncio.to_thread(self._erase, frozenset(self.node.directory().epochs), newest or 0)

    async def _refreshed(self) -> bool:
        """Whether the directory in force is the one that the exchange has now."""
        try:
            await self.node.keeper.refresh()
        except CallFailed:
            return False
        return not self.node.keeper.fault

    def _newest_review(self, live: Collection[str]) -> int | None:
        """The last alert of a review in an epoch that the directory does not name, if there is one."""
        with self.node.store.read() as connection:
            sequence: int | None = connection.scalar(
                select(func.max(review_epoch.c.sequence)).where(review_epoch.c.epoch.not_in(live))
            )
        return sequence

    def _erase(self, live: Collection[str], newest_review: int) -> None:
        store = self.node.store
        made_before = milliseconds(self.node.now() - REPEATABLE)
        with store.write() as connection:
            gone = connection.execute(registration.delete().where(registration.c.epoch.not_in(live))).rowcount
            gone += _forget_requests(connection, live)
            gone += forget_authorities(connection, live, milliseconds(self.node.now()))
            gone += forget_reports(connection, milliseconds(self.node.now()))
            gone += _forget_digests(connection, live, newest_review)
            if gone:
                owe_rewriting(connection)
            gone += _forget_answered(connection, made_before)
        if gone or store.owes_settling:
            store.settle()


def _forget_requests(connection: Connection, live: Collection[str]) -> int:
    """No bytes are kept of a request that may hold something of another epoch."""
    ended = select(request_epoch.c.request_id).where(request_epoch.c.epoch.not_in(live))
    count = connection.execute(
        request.update().where(request.c.request_id.in_(ended), request.c.payload != b"").values(payload=b"")
    ).rowcount
    connection.execute(request_epoch.delete().where(request_epoch.c.request_id.in_(ended)))
    return count


def _forget_answered(connection: Connection, made_before: int) -> int:
    answered = select(receipt.c.request_id).where(receipt.c.request_id == request.c.request_id).exists()
    old = and_(request.c.create_ms < made_before, request.c.payload != b"", answered, not_(is_kept()))
    return connection.execute(request.update().where(old).values(payload=b"")).rowcount


def _forget_digests(connection: Connection, live: Collection[str], newest: int) -> int:
    """No review up to this alert names a youth by digests of another epoch's tokens."""
    ended = and_(review_epoch.c.epoch.not_in(live), review_epoch.c.sequence <= newest)
    sequences = connection.scalars(select(review_epoch.c.sequence).where(ended)).all()
    for sequence in sequences:
        for kept, column in ((alert, alert.c.message), (review, review.c.opened)):
            raw = connection.scalar(select(column).where(kept.c.sequence == sequence))
            if raw is not None:
                message = Alert.FromString(raw)
                for name in ("naming_digests", "epoch"):
                    message.review.ClearField(name)
                changed = {column.name: message.SerializeToString()}
                connection.execute(kept.update().where(kept.c.sequence == sequence).values(**changed))
    connection.execute(review_epoch.delete().where(ended))
    return len(sequences)
