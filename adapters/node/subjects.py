"""Handles: the opaque names under which the exchange knows this agency's youths.

Decides that a youth has one handle for good: 16 random bytes, made once, stable across epochs and across leaving and
coming back, known to nobody as a name. Only this table links it to the county's own number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, select

from adapters.node.identifiers import RandomBytes
from adapters.node.store import Store, owe_rewriting
from adapters.node.tables import registration, subject
from adapters.records import LocalSubjectId
from gateway.protocol.names import OPAQUE_LENGTH, SubjectHandle
from gateway.protocol.policy.facts import milliseconds
from homeward.gateway.v1.envelope_pb2 import TokenSet

_R: Final = registration.c


@dataclass(frozen=True, slots=True)
class Listed:
    """What one youth was last registered with in an epoch."""

    handle: SubjectHandle = field(repr=False)
    fingerprint: bytes | None = field(repr=False)
    """None: the gateway has not confirmed the last registration."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Tokens, and the keyed digest of what they were made of."""

    tokens: TokenSet = field(repr=False)
    fingerprint: bytes = field(repr=False)
    confirmed: bool = False


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

    def registered(self, handle: SubjectHandle, epoch: str) -> TokenSet | None:
        """The tokens of this epoch that the youth is listed with, or None where it is not listed in it."""
        wanted = and_(_R.handle == handle, _R.epoch == epoch)
        with self._store.read() as connection:
            raw = connection.scalar(select(_R.tokens).where(wanted))
        return None if raw is None else TokenSet.FromString(raw)

    def every_registered(self, handle: SubjectHandle) -> list[TokenSet]:
        """The tokens the youth is listed with, of each epoch."""
        with self._store.read() as connection:
            rows = connection.execute(select(_R.tokens).where(_R.handle == handle))
            return [TokenSet.FromString(row.tokens) for row in rows]

    def listed(self, epoch: str) -> Mapping[LocalSubjectId, Listed]:
        """Every youth that is listed, or is being listed, in this epoch."""
        query = (
            select(subject.c.local_id, _R.handle, _R.fingerprint, _R.register_ms)
            .select_from(registration.join(subject, subject.c.handle == _R.handle))
            .where(_R.epoch == epoch)
        )
        with self._store.read() as connection:
            return {
                LocalSubjectId(row.local_id): Listed(
                    SubjectHandle(row.handle), None if row.register_ms is None else row.fingerprint
                )
                for row in connection.execute(query)
            }

    def listed_count(self, epoch: str) -> int:
        """How many youths the gateway has confirmed in this epoch."""
        confirmed = and_(_R.epoch == epoch, _R.register_ms.is_not(None))
        with self._store.read() as connection:
            count = connection.scalar(select(func.count()).select_from(registration).where(confirmed))
        return int(count or 0)

    def proposed(self, handles: Sequence[SubjectHandle], epoch: str) -> Mapping[SubjectHandle, Proposal]:
        """What was made for these youths in this epoch, confirmed or not."""
        wanted = and_(_R.epoch == epoch, _R.handle.in_(handles))
        with self._store.read() as connection:
            return {
                SubjectHandle(row.handle): Proposal(
                    TokenSet.FromString(row.tokens), row.fingerprint, row.register_ms is not None
                )
                for row in connection.execute(select(registration).where(wanted))
            }

    def propose(self, made: Mapping[SubjectHandle, Proposal]) -> None:
        """These tokens are about to be registered: a question that matches them is already recognized here."""
        rows = [
            {
                "handle": handle,
                "epoch": each.tokens.epoch,
                "fingerprint": each.fingerprint,
                "tokens": each.tokens.SerializeToString(),
                "register_ms": None,
            }
            for handle, each in made.items()
        ]
        if rows:
            with self._store.write() as connection:
                connection.execute(registration.insert().prefix_with("OR REPLACE"), rows)

    def confirm(self, fingerprints: Mapping[SubjectHandle, bytes], epoch: str, now: datetime) -> None:
        """The gateway holds in this epoch what was proposed."""
        with self._store.write() as connection:
            for handle, fingerprint in fingerprints.items():
                connection.execute(
                    registration.update()
                    .where(and_(_R.handle == handle, _R.epoch == epoch, _R.fingerprint == fingerprint))
                    .values(register_ms=milliseconds(now))
                )

    def withdraw(self, handles: Sequence[SubjectHandle]) -> None:
        """The gateway lists these youths no longer, in no epoch; their handles stay theirs."""
        with self._store.write() as connection:
            _withdraw(connection, handles)

    def forget(self, handles: Sequence[SubjectHandle]) -> None:
        """No token of these youths is in the database's files."""
        with self._store.write() as connection:
            _withdraw(connection, handles)
            owe_rewriting(connection)
        self._store.settle()


def ever_listed(connection: Connection) -> int:
    """How many youths the gateway has confirmed and not been told to take off, in whatever epoch."""
    query = select(func.count(_R.handle.distinct())).where(_R.register_ms.is_not(None))
    return connection.scalar(query) or 0


def _withdraw(connection: Connection, handles: Sequence[SubjectHandle]) -> None:
    for handle in handles:
        connection.execute(registration.delete().where(_R.handle == handle))
