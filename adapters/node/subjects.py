"""Handles: the opaque names under which the exchange knows this agency's youths.

Decides that a youth has one handle for good: 16 random bytes, made once, stable across epochs and across leaving and
coming back, known to nobody as a name. Only this table links it to the county's own number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select

from adapters.node.identifiers import RandomBytes
from adapters.node.store import Store, subject
from adapters.records import LocalSubjectId
from gateway.protocol.names import OPAQUE_LENGTH, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.envelope_pb2 import TokenSet


@dataclass(frozen=True, slots=True)
class Listed:
    """What one youth was last registered with."""

    handle: SubjectHandle = field(repr=False)
    fingerprint: bytes | None = field(repr=False)
    """None: the gateway has not confirmed the last registration."""


class Subjects:
    """The handles on disk."""

    def __init__(
        self,
        store: Store,
        *,
        random_bytes: RandomBytes,
        earlier: Callable[[LocalSubjectId], SubjectHandle | None] = lambda _: None,
    ) -> None:
        """`earlier` is the handle a youth had before a seal that was lifted."""
        self._earlier = earlier
        self._store = store
        self._random_bytes = random_bytes

    def handle_of(self, local_id: LocalSubjectId) -> SubjectHandle:
        """The youth's handle, made now if there is none."""
        return self.handles_of([local_id])[local_id]

    def handles_of(self, local_ids: Sequence[LocalSubjectId]) -> Mapping[LocalSubjectId, SubjectHandle]:
        """The handle of each of these youths, made now where there is none."""
        with self._store.write() as connection:
            rows = connection.execute(select(subject.c.local_id, subject.c.handle))
            known = {LocalSubjectId(row.local_id): SubjectHandle(row.handle) for row in rows}
            made = {
                local_id: self._earlier(local_id) or SubjectHandle(self._random_bytes(OPAQUE_LENGTH))
                for local_id in dict.fromkeys(local_ids)
                if local_id not in known
            }
            if made:
                rows_made = [{"local_id": local_id, "handle": handle} for local_id, handle in made.items()]
                connection.execute(subject.insert(), rows_made)
        everybody = known | made
        return {local_id: everybody[local_id] for local_id in local_ids}

    def known_handle(self, local_id: LocalSubjectId) -> SubjectHandle | None:
        """The youth's handle, or None when it never had one."""
        with self._store.read() as connection:
            handle = connection.scalar(select(subject.c.handle).where(subject.c.local_id == local_id))
        return None if handle is None else SubjectHandle(handle)

    def local_id_of(self, handle: SubjectHandle) -> LocalSubjectId | None:
        """The county's own number of a youth, or None for a handle that is not of this agency."""
        with self._store.read() as connection:
            local_id = connection.scalar(select(subject.c.local_id).where(subject.c.handle == handle))
        return None if local_id is None else LocalSubjectId(local_id)

    def registered(self, handle: SubjectHandle) -> TokenSet | None:
        """The tokens the youth is listed with, or None while it is not listed."""
        with self._store.read() as connection:
            raw = connection.scalar(select(subject.c.tokens).where(subject.c.handle == handle))
        return None if raw is None else TokenSet.FromString(raw)

    def listed(self) -> Mapping[LocalSubjectId, Listed]:
        """Every youth that is listed, or is being listed."""
        query = select(subject.c.local_id, subject.c.handle, subject.c.fingerprint).where(subject.c.tokens.is_not(None))
        with self._store.read() as connection:
            return {
                LocalSubjectId(row.local_id): Listed(SubjectHandle(row.handle), row.fingerprint)
                for row in connection.execute(query)
            }

    def listed_count(self) -> int:
        """How many youths the gateway has confirmed."""
        with self._store.read() as connection:
            count = connection.scalar(select(func.count()).where(subject.c.fingerprint.is_not(None)))
        return int(count or 0)

    def propose(self, tokens: Mapping[SubjectHandle, TokenSet]) -> None:
        """These tokens are about to be registered: a question that matches them is already recognized here."""
        with self._store.write() as connection:
            for handle, each in tokens.items():
                connection.execute(
                    subject.update()
                    .where(subject.c.handle == handle)
                    .values(tokens=each.SerializeToString(), fingerprint=None)
                )

    def confirm(self, fingerprints: Mapping[SubjectHandle, bytes], now: datetime) -> None:
        """The gateway holds what was proposed."""
        with self._store.write() as connection:
            for handle, fingerprint in fingerprints.items():
                connection.execute(
                    subject.update()
                    .where(subject.c.handle == handle)
                    .values(fingerprint=fingerprint, register_ms=milliseconds(now))
                )

    def withdraw(self, handles: Sequence[SubjectHandle]) -> None:
        """The gateway lists these youths no longer; their handles stay theirs."""
        with self._store.write() as connection:
            for handle in handles:
                connection.execute(
                    subject.update()
                    .where(subject.c.handle == handle)
                    .values(tokens=None, fingerprint=None, register_ms=None)
                )
