"""Alerts that repeat: a person is told once what happens again and again, and again when it goes on.

Decides which stored alerts are told as one. An agency that checks one flag five hundred times makes five hundred
entries and five hundred stored alerts; the duty line gets one, with the first time, the last time and the count:

    first      a flag, a purpose and an agency of which nobody waits to take note: told at once, always
    repeated   of the same three while the alert that told of them is not acknowledged: counted there
    again      of the same three after the quiet time: told anew, in the place of the one before, with the whole count

    known      a report that the exchange has again after a declared loss, of which a person took note when it was made

Another agency, another purpose and every other kind of alert are told at once, and so is a report that comes again and
that nobody is known to have taken note of: better told twice than not at all. Nothing here touches what is stored or
acknowledged toward the exchange: sequences stay dense, and every check keeps its entry in the log.
"""

from dataclasses import dataclass
from datetime import UTC, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, func, select, update

from adapters.node.tables import alert, alert_run, repeated_alert
from homeward.gateway.v1.link_pb2 import ALERT_KIND_CHECKED, Alert

QUIET: Final = timedelta(minutes=15)
"""How long a repeated alert is only counted, where the county's file says nothing else."""
_APART: Final = timedelta(minutes=3)
"""How far the time of a report by its agency's clock may be from its entry's: an assertion lives a minute."""
_SAME_REPORT: Final = ("kind", "subject_handle", "acting_agency", "located_county", "purpose")
"""Not the flag: what was reported before there was one supports it when it is presented again."""
_REPEATING: Final = frozenset({ALERT_KIND_CHECKED})
"""Kinds that are told once: a check asks nothing of the owner beyond the first. LOCATED is never among them."""


@dataclass(frozen=True, slots=True)
class Run:
    """How often what an alert tells of has happened since a person last took note of it."""

    count: int
    first_ms: int
    last_ms: int


def join_run(connection: Connection, message: Alert, *, noted: int, quiet: timedelta) -> None:
    """The stored alert is one of a run, or begins one. `noted` is the sequence a person has taken note of."""
    if message.kind not in _REPEATING or not message.flag_id:
        return
    act_ms, likeness = message.leaf.create_time.ToMilliseconds(), _likeness(message)
    told = connection.execute(
        select(alert_run).where(alert_run.c.likeness == likeness).order_by(alert_run.c.sequence.desc()).limit(1)
    ).one_or_none()
    if told is None or told.sequence <= noted:
        _begin(connection, message.sequence, likeness, Run(1, act_ms, act_ms), told_ms=act_ms)
        return
    run = Run(told.act_count + 1, min(told.first_ms, act_ms), max(told.last_ms, act_ms))
    # A clock that was set back must not silence anything: only what lies within the quiet time is counted quietly.
    if 0 <= act_ms - told.told_ms < quiet / timedelta(milliseconds=1):
        connection.execute(repeated_alert.insert().values(sequence=message.sequence))
        connection.execute(
            update(alert_run)
            .where(alert_run.c.sequence == told.sequence)
            .values(act_count=run.count, first_ms=run.first_ms, last_ms=run.last_ms)
        )
        return
    connection.execute(alert_run.delete().where(alert_run.c.sequence == told.sequence))
    connection.execute(repeated_alert.insert().values(sequence=told.sequence))
    _begin(connection, message.sequence, likeness, run, told_ms=act_ms)


def hush_known(connection: Connection, message: Alert, *, noted: int) -> None:
    """The stored alert is not told if a person took note of the same report, which is presented again."""
    if not message.HasField("report_time"):
        return
    raw = connection.scalars(
        select(alert.c.message).where(
            alert.c.sequence <= noted, func.instr(alert.c.message, message.subject_handle) > 0
        )
    )
    if any(_is_same_report(Alert.FromString(each), message) for each in raw):
        connection.execute(repeated_alert.insert().values(sequence=message.sequence))


def _is_same_report(before: Alert, again: Alert) -> bool:
    same = all(getattr(before, name) == getattr(again, name) for name in _SAME_REPORT)
    first = before.report_time if before.HasField("report_time") else before.leaf.create_time
    return same and abs(first.ToDatetime(UTC) - again.report_time.ToDatetime(UTC)) <= _APART


def runs_of(connection: Connection, first: int, last: int) -> dict[int, Run]:
    """The runs that alerts of these sequences tell of."""
    rows = connection.execute(select(alert_run).where(alert_run.c.sequence.between(first, last)))
    return {row.sequence: Run(row.act_count, row.first_ms, row.last_ms) for row in rows}


def repeats_after(connection: Connection, sequence: int) -> int:
    """How many stored alerts after this sequence are told by another."""
    query = select(func.count()).select_from(repeated_alert).where(repeated_alert.c.sequence > sequence)
    return connection.scalar(query) or 0


def forget_run(connection: Connection, sequence: int) -> None:
    """Nothing ties the alert to others of the same flag any more."""
    connection.execute(alert_run.delete().where(alert_run.c.sequence == sequence))


def _begin(connection: Connection, sequence: int, likeness: bytes, run: Run, *, told_ms: int) -> None:
    connection.execute(
        alert_run.insert().values(
            sequence=sequence,
            likeness=likeness,
            told_ms=told_ms,
            act_count=run.count,
            first_ms=run.first_ms,
            last_ms=run.last_ms,
        )
    )


def _likeness(message: Alert) -> bytes:
    said = (message.flag_id.hex(), str(message.kind), str(message.purpose), message.acting_agency)
    return sha256("\0".join(said).encode()).digest()[:16]
