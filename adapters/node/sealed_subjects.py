"""Youths of this agency whose records a court sealed: off the list, and not put back on it.

Decides what stays here of a sealed youth: a keyed digest of the county's own number, by which the caseload's next
reading leaves it out, and until its entries are destroyed the handle, because a court may lift the seal. The mark is
made before the exchange is told, so that no crash in between lists the youth again.

An adapter that was put back to before a seal hears of it from the exchange, which knows the handle again and cannot say
which seal it was. So a destruction, which names the seal alone, would not find the handle: it is not kept at all then,
only a keyed digest of it, by which the mark is found when a seal is lifted and the exchange names the handle.
"""

import hmac
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from adapters.node.alerts import blank_alert
from adapters.node.duties import forget_duties
from adapters.node.own_reports import forget_reports_about
from adapters.node.store import Store, owe_rewriting
from adapters.node.tables import (
    alert,
    own_authority,
    own_flag,
    registration,
    request,
    review,
    sealed_subject,
    stated_flag,
    subject,
    taken_up_seal,
)
from adapters.records import LocalSubjectId
from gateway.protocol.names import SubjectHandle
from homeward.gateway.v1.link_pb2 import Alert


@dataclass(frozen=True, slots=True)
class SealedSubjects:
    """The marks on disk. `key` is 32 bytes and this county's own."""

    store: Store
    key: bytes = field(repr=False)
    _known: set[bytes] = field(default_factory=set, repr=False)

    def load(self) -> "SealedSubjects":
        """The marks are in memory; returns itself."""
        query = select(sealed_subject.c.local_digest).where(sealed_subject.c.lifted == 0)
        with self.store.read() as connection:
            self._known.update(connection.scalars(query))
        return self

    def is_sealed(self, local_id: LocalSubjectId) -> bool:
        """Whether the youth must not be listed."""
        return bool(self._known) and _digest(self.key, local_id) in self._known

    def earlier_handle(self, local_id: LocalSubjectId) -> SubjectHandle | None:
        """The handle the youth had before a seal that was lifted."""
        query = select(sealed_subject.c.handle).where(
            sealed_subject.c.local_digest == _digest(self.key, local_id), sealed_subject.c.lifted == 1
        )
        with self.store.read() as connection:
            handle = connection.scalar(query)
        return None if handle is None else SubjectHandle(handle)

    def begin(self, local_id: LocalSubjectId, handle: SubjectHandle) -> None:
        """The youth is off the list from now on, whatever becomes of the order."""
        digest = _digest(self.key, local_id)
        with self.store.write() as connection:
            _unmark(connection, digest)
            connection.execute(
                sealed_subject.insert().values(local_digest=digest, seal_id=b"", handle=handle, lifted=0)
            )
        self._known.add(digest)

    def abandon(self, local_id: LocalSubjectId) -> None:
        """The exchange refused the order: the youth may be listed."""
        digest = _digest(self.key, local_id)
        with self.store.write() as connection:
            connection.execute(
                sealed_subject.delete().where(sealed_subject.c.local_digest == digest, sealed_subject.c.seal_id == b"")
            )
        self._known.discard(digest)

    def unanswered(self) -> int:
        """How many youths are off the list for an order that brought no answer, or none yet."""
        waiting = (sealed_subject.c.seal_id == b"", sealed_subject.c.handle.is_not(None), sealed_subject.c.lifted == 0)
        with self.store.read() as connection:
            return connection.scalar(select(func.count()).select_from(sealed_subject).where(*waiting)) or 0

    def sealed(self, handle: SubjectHandle, seal_id: bytes) -> None:
        """The exchange carried the order out: number, handle, tokens and flags of the youth are apart from here on."""
        with self.store.write() as connection:
            connection.execute(sealed_subject.update().where(sealed_subject.c.handle == handle).values(seal_id=seal_id))
            _take_apart(connection, handle)
            owe_rewriting(connection)
        self.store.settle()

    def take_up(self, local_id: LocalSubjectId, handle: SubjectHandle) -> None:
        """The exchange says that the youth was sealed, and this adapter, put back to before that, did not know."""
        if self.is_sealed(local_id):
            # An order that is under way here: its answer brings the seal.
            return
        digest = _digest(self.key, local_id)
        with self.store.write() as connection:
            _unmark(connection, digest)
            connection.execute(sealed_subject.insert().values(local_digest=digest, seal_id=b"", handle=None, lifted=0))
            connection.execute(
                taken_up_seal.insert().values(local_digest=digest, handle_digest=_handle_digest(self.key, handle))
            )
            _take_apart(connection, handle)
            _forget_requests(connection, handle)
            owe_rewriting(connection)
        self._known.add(digest)
        self.store.settle()

    def destroyed(self, seal_id: bytes) -> None:
        """Nothing here leads to the youth's handle any more, the orders' own messages included."""
        with self.store.write() as connection:
            mine = sealed_subject.c.seal_id == seal_id
            handle = connection.scalar(select(sealed_subject.c.handle).where(mine))
            connection.execute(sealed_subject.update().where(mine).values(handle=None))
            if handle is not None:
                _forget_requests(connection, handle)
            owe_rewriting(connection)
        self.store.settle()

    def lifted(self, seal_id: bytes, handle: SubjectHandle) -> None:
        """The youth may be listed again, under the handle it had; `handle` is what the exchange says that was."""
        with self.store.write() as connection:
            taken_up = taken_up_seal.c.handle_digest == _handle_digest(self.key, handle)
            for digest in connection.scalars(select(taken_up_seal.c.local_digest).where(taken_up)).all():
                mark = sealed_subject.c.local_digest == digest
                connection.execute(sealed_subject.update().where(mark).values(seal_id=seal_id, handle=handle))
            connection.execute(taken_up_seal.delete().where(taken_up))
            mine = sealed_subject.c.seal_id == seal_id
            digests = list(connection.scalars(select(sealed_subject.c.local_digest).where(mine)))
            connection.execute(sealed_subject.update().where(mine).values(lifted=1))
        self._known.difference_update(digests)


def _digest(key: bytes, local_id: LocalSubjectId) -> bytes:
    return hmac.digest(key, b"homeward/sealed-subject/v1\0" + local_id.encode(), "sha256")


def _handle_digest(key: bytes, handle: SubjectHandle) -> bytes:
    return hmac.digest(key, b"homeward/sealed-handle/v1\0" + handle, "sha256")


def _unmark(connection: Connection, digest: bytes) -> None:
    connection.execute(sealed_subject.delete().where(sealed_subject.c.local_digest == digest))
    connection.execute(taken_up_seal.delete().where(taken_up_seal.c.local_digest == digest))


def _take_apart(connection: Connection, handle: SubjectHandle) -> None:
    """No row ties the handle to the county's number, to tokens, or to what another agency asked about the youth."""
    flags = connection.scalars(select(own_flag.c.flag_id).where(own_flag.c.handle == handle)).all()
    forget_reports_about(connection, [handle, *flags])
    forget_duties(connection, flags)
    for table in (subject, registration, own_flag, stated_flag, own_authority, review):
        connection.execute(table.delete().where(table.c.handle == handle))
    for row in connection.execute(select(alert).where(func.instr(alert.c.message, handle) > 0)).all():
        message = Alert.FromString(row.message)
        if message.subject_handle == handle:
            blank_alert(connection, message)


def _forget_requests(connection: Connection, handle: SubjectHandle) -> None:
    connection.execute(request.delete().where(func.instr(request.c.payload, handle) > 0))
