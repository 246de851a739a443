"""Youths of this agency whose records a court sealed: off the list, and not put back on it.

Decides what stays here of a sealed youth: a keyed digest of the county's own number, by which the caseload's next
reading leaves it out, and until its entries are destroyed the handle, because a court may lift the seal. The mark is
made before the exchange is told, so that no crash in between lists the youth again.
"""

import hmac
from dataclasses import dataclass, field

from sqlalchemy import select

from adapters.node.store import Store, owe_rewriting, own_flag, registration, request, sealed_subject, subject
from adapters.records import LocalSubjectId
from gateway.protocol.names import SubjectHandle


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
        return bool(self._known) and self._digest(local_id) in self._known

    def earlier_handle(self, local_id: LocalSubjectId) -> SubjectHandle | None:
        """The handle the youth had before a seal that was lifted."""
        query = select(sealed_subject.c.handle).where(
            sealed_subject.c.local_digest == self._digest(local_id), sealed_subject.c.lifted == 1
        )
        with self.store.read() as connection:
            handle = connection.scalar(query)
        return None if handle is None else SubjectHandle(handle)

    def begin(self, local_id: LocalSubjectId, handle: SubjectHandle) -> None:
        """The youth is off the list from now on, whatever becomes of the order."""
        digest = self._digest(local_id)
        with self.store.write() as connection:
            connection.execute(sealed_subject.delete().where(sealed_subject.c.local_digest == digest))
            connection.execute(
                sealed_subject.insert().values(local_digest=digest, seal_id=b"", handle=handle, lifted=0)
            )
        self._known.add(digest)

    def abandon(self, local_id: LocalSubjectId) -> None:
        """The exchange refused the order: the youth may be listed."""
        digest = self._digest(local_id)
        with self.store.write() as connection:
            connection.execute(
                sealed_subject.delete().where(sealed_subject.c.local_digest == digest, sealed_subject.c.seal_id == b"")
            )
        self._known.discard(digest)

    def sealed(self, handle: SubjectHandle, seal_id: bytes) -> None:
        """The exchange carried the order out: number, handle, tokens and flags of the youth are apart from here on."""
        with self.store.write() as connection:
            connection.execute(sealed_subject.update().where(sealed_subject.c.handle == handle).values(seal_id=seal_id))
            connection.execute(subject.delete().where(subject.c.handle == handle))
            connection.execute(registration.delete().where(registration.c.handle == handle))
            connection.execute(own_flag.delete().where(own_flag.c.handle == handle))
            owe_rewriting(connection)
        self.store.settle()

    def take_up(self, local_id: LocalSubjectId, handle: SubjectHandle) -> None:
        """The exchange says that the youth was sealed, and this adapter, put back to before that, did not know."""
        self.begin(local_id, handle)
        self.sealed(handle, b"")

    def destroyed(self, seal_id: bytes) -> None:
        """Nothing here leads to the youth's handle any more, the orders' own messages included."""
        with self.store.write() as connection:
            mine = sealed_subject.c.seal_id == seal_id
            handle = connection.scalar(select(sealed_subject.c.handle).where(mine))
            connection.execute(sealed_subject.update().where(mine).values(handle=None))
            sent = connection.execute(select(request.c.request_id, request.c.payload)).all() if handle else ()
            for row in sent:
                if handle in row.payload:
                    connection.execute(request.delete().where(request.c.request_id == row.request_id))
            owe_rewriting(connection)
        self.store.settle()

    def lifted(self, seal_id: bytes) -> None:
        """The youth may be listed again, under the handle it had."""
        with self.store.write() as connection:
            query = select(sealed_subject.c.local_digest).where(sealed_subject.c.seal_id == seal_id)
            digests = list(connection.scalars(query))
            connection.execute(sealed_subject.update().where(sealed_subject.c.seal_id == seal_id).values(lifted=1))
        self._known.difference_update(digests)

    def _digest(self, local_id: LocalSubjectId) -> bytes:
        return hmac.digest(self.key, b"homeward/sealed-subject/v1\0" + local_id.encode(), "sha256")
