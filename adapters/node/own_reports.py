"""Reports of this agency about episodes that it does not state itself, as they can be presented again (`present`).

Decides what stays here and for how long. Beside the bytes that were sent (`receipts.Requests`) the county's user
assertion over them stays, both for 60 days, and no longer than

    tokens        the epoch of those by which a report names its youth (`erase`)
    a notice      that takes the request's bytes, because the youth was sealed or was another one (`notices`)
    a seal        of this agency's own youth, whom the report was about (`sealed_subjects`)

Not until the episode ends: of that its owner alone hears. Whoever was told that an episode ended which it only reported
would learn that the exchange knew the youth, so nothing is told, and what was reported stays for its time.

Nobody can take a report back: an episode that it was wrong about its owner ends, and then it is about nothing.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from adapters.node.rpcs import RAISE_FLAG, REPORT_LOCATED, RESOLVE_FLAG
from adapters.node.store import Store
from adapters.node.tables import own_report, request
from gateway.protocol.names import FlagId, RequestId
from gateway.protocol.succession import REPORT_LIFE
from homeward.gateway.v1.restoration_pb2 import PresentedReport

STANDS: Final = 0
DUE: Final = 1
"""Entries of the log were lost since: to be presented again."""
REFUSED: Final = 2
"""Likewise, and the exchange does not take it, or its bytes are gone: a person must report again."""
_O, _R = own_report.c, request.c
_BYTES_OF_IT: Final = _R.request_id == _O.request_id


@dataclass(frozen=True, slots=True)
class OwnReport:
    """One of them."""

    request_id: RequestId
    method: str
    payload: bytes = field(repr=False)
    """Empty where the bytes had to go."""
    assertion: str = field(repr=False)

    def event(self) -> PresentedReport:
        """As it is presented."""
        event = PresentedReport(user_assertion=self.assertion)
        if self.method == RAISE_FLAG.name:
            event.flag_report = self.payload
        elif self.method == REPORT_LOCATED.name:
            event.located_report = self.payload
        else:
            event.flag_resolution = self.payload
        return event


class OwnReports:
    """The reports on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, request_id: RequestId, assert_over: Callable[[bytes], str], *, flag_id: FlagId | None) -> None:
        """The report is on record, and can be presented again; keeping one twice changes nothing.

        What a person was to report again about this flag, none needs to any more.
        """
        with self._store.write() as connection:
            payload = connection.scalar(select(_R.payload).where(_R.request_id == request_id))
            known = connection.scalar(select(_O.request_id).where(_O.request_id == request_id))
            if payload and known is None:
                values = {"request_id": request_id, "assertion": assert_over(payload), "state": STANDS}
                connection.execute(own_report.insert().values(values))
            if flag_id is not None:
                located = _R.method.in_([REPORT_LOCATED.name, RESOLVE_FLAG.name])
                same = select(_R.request_id).where(located, func.instr(_R.payload, flag_id) > 0)
                connection.execute(own_report.delete().where(_O.state == REFUSED, _O.request_id.in_(same)))

    def due(self) -> Sequence[RequestId]:
        """What is to be presented again, in the order in which it was reported."""
        query = select(_O.request_id).join(request, _BYTES_OF_IT).where(_O.state == DUE)
        with self._store.read() as connection:
            return [RequestId(name) for name in connection.scalars(query.order_by(_R.create_ms, _O.request_id))]

    def find(self, request_id: RequestId) -> OwnReport | None:
        """As it stands here now."""
        query = select(_R.method, _R.payload, _O.assertion).join(request, _BYTES_OF_IT)
        with self._store.read() as connection:
            row = connection.execute(query.where(_O.request_id == request_id)).one_or_none()
        return None if row is None else OwnReport(request_id, row.method, row.payload, row.assertion)

    def settle(self, request_id: RequestId, state: int) -> None:
        """It is no longer due."""
        with self._store.write() as connection:
            connection.execute(own_report.update().where(_O.request_id == request_id).values(state=state))

    def refused(self, limit: int) -> tuple[int, Sequence[RequestId]]:
        """How many a person must make again, and the first so many of them."""
        names = select(_O.request_id).where(_O.state == REFUSED).order_by(_O.request_id).limit(limit)
        with self._store.read() as connection:
            count = connection.scalar(select(func.count()).where(_O.state == REFUSED))
            return int(count or 0), [RequestId(name) for name in connection.scalars(names)]


def make_reports_due(connection: Connection) -> None:
    """Entries of the log were lost: so may those be that say what was reported."""
    connection.execute(own_report.update().values(state=DUE))


def give_up_reports(connection: Connection) -> None:
    """What is still due is taken no longer: a person must report it again."""
    connection.execute(own_report.update().where(_O.state == DUE).values(state=REFUSED))


def forget_reports(connection: Connection, now_ms: int) -> int:
    """Nothing is kept of what is too old to be presented, nor of what has no bytes left; how many that was.

    What is due and lost its bytes with their epoch stays: a person must hear of it.
    """
    old = _R.create_ms < now_ms - REPORT_LIFE / timedelta(milliseconds=1)
    bare = and_(_R.payload == b"", _O.state == STANDS)
    there = select(_R.request_id).where(_BYTES_OF_IT).exists()
    ended = select(_R.request_id).where(_BYTES_OF_IT, or_(old, bare)).exists()
    return connection.execute(own_report.delete().where(or_(ended, ~there))).rowcount


def forget_reports_about(connection: Connection, names: Collection[bytes]) -> None:
    """Nothing is presented again that names one of these handles or flags."""
    for name in names:
        about = select(_R.request_id).where(func.instr(_R.payload, name) > 0)
        connection.execute(own_report.delete().where(_O.request_id.in_(about)))


def is_kept() -> ColumnElement[bool]:
    """Of a request: whether its bytes are those of a report that may have to be presented again."""
    return select(_O.request_id).where(_BYTES_OF_IT).exists()
