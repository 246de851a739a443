"""Alerts about this agency's youths: on disk before they are acknowledged, dense, each once.

Decides what becomes of an arriving alert. Sequences are dense from 1, so a hole means that something was not delivered:
nothing after the hole is stored, and the link starts again from the last one that was. What a person has taken note of
is a second cursor, of the county's own.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select

from adapters.node.reviews import keep_review
from adapters.node.store import Store, alert, get_setting, put_setting
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.link_pb2 import Alert

_NOTED: Final = "alerts-noted"
_RESYNCED: Final = "alerts-resynced"
PAGE: Final = 200


class Arrival(StrEnum):
    """What an arriving alert was."""

    STORED = "STORED"
    DUPLICATE = "DUPLICATE"
    """It was here before; it may be acknowledged again."""
    GAP = "GAP"
    """At least one before it is missing; it was not stored and must not be acknowledged."""


class Alerts:
    """The alerts on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def cursor(self) -> int:
        """The highest sequence on disk; 0 for none. Everything up to it is there, or was given up by a resync."""
        with self._store.read() as connection:
            stored: int | None = connection.scalar(select(func.max(alert.c.sequence)))
            resynced = get_setting(connection, _RESYNCED)
        return max(stored or 0, int(resynced or b"0"))

    def accept(self, message: Alert, now: datetime) -> Arrival:
        """The alert is on disk if it is the next one."""
        expected = self.cursor() + 1
        if message.sequence != expected:
            return Arrival.DUPLICATE if message.sequence < expected else Arrival.GAP
        with self._store.write() as connection:
            connection.execute(
                alert.insert().values(
                    sequence=message.sequence, message=message.SerializeToString(), store_ms=milliseconds(now)
                )
            )
            if message.HasField("review"):
                keep_review(connection, message)
        return Arrival.STORED

    def resync(self, first: int) -> None:
        """Alerts before `first` are given up: the gateway keeps them no longer, and said so."""
        with self._store.write() as connection:
            put_setting(connection, _RESYNCED, str(first - 1).encode())

    def after(self, sequence: int) -> Sequence[Alert]:
        """Up to `PAGE` alerts after this one, in order."""
        query = select(alert).where(alert.c.sequence > sequence).order_by(alert.c.sequence).limit(PAGE)
        with self._store.read() as connection:
            return [Alert.FromString(row.message) for row in connection.execute(query)]

    def note(self, sequence: int) -> None:
        """A person took note of everything up to this sequence; never taken back."""
        with self._store.write() as connection:
            noted = int(get_setting(connection, _NOTED) or b"0")
            put_setting(connection, _NOTED, str(max(noted, min(sequence, self.cursor()))).encode())

    def open_count(self) -> int:
        """How many alerts nobody has taken note of."""
        with self._store.read() as connection:
            noted = int(get_setting(connection, _NOTED) or b"0")
            count = connection.scalar(select(func.count()).where(alert.c.sequence > noted))
        return int(count or 0)
