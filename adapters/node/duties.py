"""Reporting duties of this agency's own missing episodes: what staff said was done, and what is overdue.

Decides which duties the adapter shows as overdue. The exchange runs the same clocks (`reporting_duties`) and tells them
to whoever changes a flag; between changes nobody asks it, so the county's own machine reminds the county. Of an ended
episode the found report alone is left, for thirty days: what was not reported while the youth was missing is moot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Table, or_, select

from adapters.node.store import Store
from adapters.node.tables import metadata, own_flag
from gateway.protocol.names import OPEN_FLAG_STATES, FlagId, FlagState
from gateway.protocol.policy.facts import milliseconds, moment_of
from gateway.protocol.reporting_duties import DUTY_PERIOD, open_duties
from homeward.gateway.v1.link_pb2 import ALERT_KIND_LOCATED, ALERT_KIND_RESOLVE_ATTEMPTED, Alert
from homeward.gateway.v1.missing_pb2 import DUTY_FOUND_REPORT

SHOWN: Final = 100
"""At most so many duties are named."""
MOOT_AFTER: Final = timedelta(days=30)
_FOUND: Final = frozenset({ALERT_KIND_LOCATED, ALERT_KIND_RESOLVE_ATTEMPTED})
"""Kinds of alert by which somebody says that the youth was found."""

settled_duty = Table(
    "settled_duty",
    metadata,
    # Was done, or does not apply; deleted with the youth.
    Column("flag_id", LargeBinary, primary_key=True),
    Column("duty", Integer, primary_key=True, autoincrement=False),
)

found_flag = Table(
    "found_flag",
    metadata,
    # When this agency first heard that the youth was found; deleted with the youth.
    Column("flag_id", LargeBinary, primary_key=True),
    Column("found_ms", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A duty that should have been done."""

    flag_id: FlagId
    duty: int
    """`Duty` of the protocol."""
    due: datetime


class OwnDuties:
    """The duties on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def settle(self, flag_id: FlagId, duties: Iterable[int]) -> None:
        """The duties were done, or do not apply."""
        with self._store.write() as connection:
            for duty in duties:
                row = settled_duty.insert().prefix_with("OR IGNORE")
                connection.execute(row.values(flag_id=flag_id, duty=duty))

    def found(self, flag_id: FlagId, at: datetime) -> None:
        """This agency itself says that the youth was found; the first word counts."""
        with self._store.write() as connection:
            _note_found(connection, flag_id, milliseconds(at))

    def not_found(self, flag_id: FlagId, at: datetime) -> None:
        """This agency said then that nobody had found the youth: the clock of the found report stands, as before.

        What was heard since counts, as where the same report is sent again.
        """
        mistaken = (found_flag.c.flag_id == flag_id, found_flag.c.found_ms <= milliseconds(at))
        reported = (settled_duty.c.flag_id == flag_id, settled_duty.c.duty == DUTY_FOUND_REPORT)
        with self._store.write() as connection:
            if connection.execute(found_flag.delete().where(*mistaken)).rowcount:
                connection.execute(settled_duty.delete().where(*reported))

    def overdue(self, now: datetime) -> Sequence[Overdue]:
        """Duties of own episodes that are overdue, the longest first."""
        with self._store.read() as connection:
            found = {bytes(row.flag_id): moment_of(row.found_ms) for row in connection.execute(select(found_flag))}
            late = [
                Overdue(FlagId(flag_id), each.duty, each.due)
                for flag_id, state, learned in _episodes(connection, now)
                for each in open_duties(learned, _settled(connection, flag_id), now, found=found.get(flag_id))
                if each.overdue and (state in OPEN_FLAG_STATES or each.duty == DUTY_FOUND_REPORT)
            ]
        return sorted(late, key=lambda each: each.due)[:SHOWN]


def note_found(connection: Connection, message: Alert) -> None:
    """The stored alert may be the first word that a flagged youth was found."""
    if message.kind in _FOUND and message.flag_id:
        at = message.report_time if message.HasField("report_time") else message.leaf.create_time
        _note_found(connection, message.flag_id, at.ToMilliseconds())


def is_found_before(connection: Connection, flag_id: bytes, at_ms: int) -> bool:
    """Whether this agency had heard before this time that the youth was found."""
    found_ms = connection.scalar(select(found_flag.c.found_ms).where(found_flag.c.flag_id == flag_id))
    return found_ms is not None and found_ms < at_ms


def forget_duties(connection: Connection, flags: Iterable[bytes]) -> None:
    """Nothing of these flags' duties is left."""
    for flag_id in flags:
        for table in (settled_duty, found_flag):
            connection.execute(table.delete().where(table.c.flag_id == flag_id))


def _note_found(connection: Connection, flag_id: bytes, at_ms: int) -> None:
    connection.execute(found_flag.insert().prefix_with("OR IGNORE").values(flag_id=flag_id, found_ms=at_ms))


def _episodes(connection: Connection, now: datetime) -> list[tuple[bytes, FlagState, datetime]]:
    """Open flags, and resolved ones whose found report is neither done nor moot."""
    since = milliseconds(now - DUTY_PERIOD - MOOT_AFTER)
    lately = select(found_flag.c.flag_id).where(found_flag.c.found_ms >= since)
    is_open = own_flag.c.state.in_([str(state) for state in OPEN_FLAG_STATES])
    ended = (own_flag.c.state == str(FlagState.RESOLVED)) & own_flag.c.flag_id.in_(lately)
    query = select(own_flag.c.flag_id, own_flag.c.state, own_flag.c.learn_ms).where(or_(is_open, ended))
    return [(row.flag_id, FlagState(row.state), moment_of(row.learn_ms)) for row in connection.execute(query)]


def _settled(connection: Connection, flag_id: bytes) -> frozenset[int]:
    return frozenset(connection.scalars(select(settled_duty.c.duty).where(settled_duty.c.flag_id == flag_id)))
