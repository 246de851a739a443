"""Alerts about this agency's youths: on disk before they are acknowledged, dense, each once.

Decides what becomes of an arriving alert. Sequences are dense from 1, and again from the first of a log that goes on
where another one was closed, so a hole means that something was not delivered: nothing after the hole is stored, and
the link starts again from the last one that was. An exchange that holds fewer than are on this disk has lost some, and
gives their numbers to others, which never arrive: that is kept on record. What a person has taken note of is a second
cursor, of the county's own. Which alerts a person is told as one, `alert_runs` decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, select

from adapters.node.alert_runs import QUIET, Run, forget_run, hush_known, join_run, repeats_after, runs_of
from adapters.node.duties import note_found
from adapters.node.reviews import keep_review
from adapters.node.store import Store, get_setting, put_setting
from adapters.node.succession import logs_of
from adapters.node.tables import alert, repeated_alert, review_epoch
from gateway.protocol.names import OPAQUE_LENGTH
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.link_pb2 import Alert

_NOTED: Final = "alerts-noted"
_RESYNCED: Final = "alerts-resynced"
_FORGOTTEN: Final = "alerts-forgotten"
_NOBODY: Final = bytes(OPAQUE_LENGTH)
PAGE: Final = 200


class Arrival(StrEnum):
    """What an arriving alert was."""

    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    """It was here before; it may be acknowledged again."""
    GAP = "GAP"
    """At least one before it is missing; it was not stored and must not be acknowledged."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as a person is told of it."""

    message: Alert
    run: Run | None
    """How often it has happened; None for an alert that stands for itself alone."""


class Alerts:
    """The alerts on disk. `quiet` is how long a repeated one is only counted."""

    def __init__(self, store: Store, *, quiet: timedelta = QUIET) -> None:
        self._store = store
        self._quiet = quiet

    def cursor(self) -> int:
        """The highest sequence on disk; 0 for none. Everything up to it is there, or was given up by a resync."""
        with self._store.read() as connection:
            return _cursor(connection)

    def accept(self, message: Alert, now: datetime) -> Arrival:
        """The alert is on disk if it is the next one, or the first of a log that goes on where another was closed."""
        with self._store.write() as connection:
            # In this transaction: a stream that ended may still be writing what the next one brings again.
            expected = _cursor(connection) + 1
            begins_log = expected < message.sequence == logs_of(connection).first_alert
            if message.sequence != expected and not begins_log:
                return Arrival.DUPLICATE if message.sequence < expected else Arrival.GAP
            connection.execute(
                alert.insert().values(
                    sequence=message.sequence, message=message.SerializeToString(), store_ms=milliseconds(now)
                )
            )
            note_found(connection, message)
            if message.HasField("review"):
                keep_review(connection, message)
            noted = _noted(connection)
            join_run(connection, message, noted=noted, quiet=self._quiet)
            hush_known(connection, message, noted=noted)
        return Arrival.STORED

    def resync(self, first: int) -> bool:
        """Alerts before `first`, which the gateway says are lost, are given up: whether a declared loss can be why.

        One of the log in force is never lost. It is withheld, whatever the gateway says.
        """
        with self._store.write() as connection:
            if first > logs_of(connection).first_alert:
                return False
            put_setting(connection, _RESYNCED, str(first - 1).encode())
        return True

    def compare(self, newest: int) -> None:
        """The exchange says which alert is its newest: where more are on disk, those it forgot are on record.

        Of several times the lowest counts: what the exchange has grown to since hides nothing.
        """
        if newest >= self.cursor():
            return
        with self._store.write() as connection:
            before = _forgotten(connection)
            put_setting(connection, _FORGOTTEN, str(min(before or newest + 1, newest + 1)).encode())

    def forgotten(self) -> int:
        """The first alert that the exchange forgot; 0 for none in the log in force: a declared loss accounts for it."""
        with self._store.read() as connection:
            return _forgotten(connection)

    def after(self, sequence: int) -> Sequence[Alert]:
        """Up to `PAGE` alerts after this one, in order."""
        query = select(alert).where(alert.c.sequence > sequence).order_by(alert.c.sequence).limit(PAGE)
        with self._store.read() as connection:
            return [Alert.FromString(row.message) for row in connection.execute(query)]

    def told_after(self, sequence: int) -> Sequence[Told]:
        """Up to `PAGE` alerts after this one as a person is told of them, in order; repeated ones are counted only."""
        query = select(alert).where(
            alert.c.sequence > sequence, alert.c.sequence.not_in(select(repeated_alert.c.sequence))
        )
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(alert.c.sequence).limit(PAGE)).all()
            runs = runs_of(connection, rows[0].sequence, rows[-1].sequence) if rows else {}
        return [Told(Alert.FromString(row.message), runs.get(row.sequence)) for row in rows]

    def note(self, sequence: int) -> None:
        """A person took note of everything up to this sequence; never taken back."""
        with self._store.write() as connection:
            put_setting(connection, _NOTED, str(max(_noted(connection), min(sequence, self.cursor()))).encode())

    def open_count(self) -> int:
        """How many alerts a person was told of and nobody has taken note of."""
        with self._store.read() as connection:
            noted = _noted(connection)
            count = connection.scalar(select(func.count()).where(alert.c.sequence > noted))
            return int(count or 0) - repeats_after(connection, noted)


def lost_alert(store: Store) -> int:
    """The last alert that was given up, because a declared loss took it; 0 for none."""
    with store.read() as connection:
        return int(get_setting(connection, _RESYNCED) or b"0")


def blank_alert(connection: Connection, message: Alert) -> None:
    """The stored alert names no youth and no entry any more, and nothing ties it to others; that it came stays."""
    message.subject_handle = _NOBODY
    for name in ("flag_id", "review"):
        message.ClearField(name)
    message.leaf.ClearField("index")
    rewrite_alert(connection, message)
    connection.execute(review_epoch.delete().where(review_epoch.c.sequence == message.sequence))
    forget_run(connection, message.sequence)


def rewrite_alert(connection: Connection, message: Alert) -> None:
    """The stored alert of this sequence is this."""
    connection.execute(
        alert.update().where(alert.c.sequence == message.sequence).values(message=message.SerializeToString())
    )


def _forgotten(connection: Connection) -> int:
    first = int(get_setting(connection, _FORGOTTEN) or b"0")
    return first if first >= logs_of(connection).first_alert else 0


def _cursor(connection: Connection) -> int:
    stored: int | None = connection.scalar(select(func.max(alert.c.sequence)))
    return max(stored or 0, int(get_setting(connection, _RESYNCED) or b"0"))


def _noted(connection: Connection) -> int:
    return int(get_setting(connection, _NOTED) or b"0")
