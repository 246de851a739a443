"""Taking a youth's audit key out of keys.db for good, and the court custodian's copy of it (AUDIT §2.7). With it go the
keys of the authorities that name the youth, of which the custodian has no copy.

In this order, so that a crash loses neither the key nor the order:

1. deposit    the copy is durable beside the key, named by the youth still
2.            the entry of the seal is durable in the log
3. withdraw   key and name are gone, in every page and in the write-ahead log

`settle` finishes step 3 after a crash, or forgets a deposit whose entry was never written. How a key comes back is in
`returned_keys`. Then the main database's
file is rewritten, because deleting leaves copies in it (`erase_sqlite`); a large one at the next start. What stays of a
sealed youth is a keyed digest of its handle, which is random: it recognizes the handle if an older copy of the database
or of an adapter brings it back, and tells nothing otherwise.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from gateway.exchange.notices import SealState
from gateway.protocol.escrow import Escrowed, seal_to_custodian
from gateway.protocol.names import AgencyId, AuthorityId, SubjectHandle
from gateway.store.erase import NotErased
from gateway.store.erase_sqlite import cut_log
from gateway.store.keys_file import BUSY_SECONDS, open_to_erase
from gateway.store.youth_keys import FileYouthKeys, YouthKeysBroken, authority_name, youth_name


class SealedErasing(Protocol):
    """A database that can forget what seals deleted. Blocking."""

    def is_small(self) -> bool:
        """Whether its files are rewritten so fast that entries can wait for it."""

    def erase_sealed(self, *, rewrite: bool) -> None:
        """What seals deleted is in no row, and with `rewrite` in no byte of its files.

        Raises `NotErased`, and what the database raises.
        """


_WAITING: Final = "SELECT name, seal_id FROM escrow WHERE name IS NOT NULL"
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileEscrow:
    """The custodian's copies in the file of the youths' keys. Blocking: call it in a thread."""

    path: Path
    keys: FileYouthKeys = field(repr=False)
    database: SealedErasing = field(repr=False)
    """The main database, whose rows of the youth were deleted by the entry of the seal."""

    def deposit(
        self,
        owner: AgencyId,
        handle: SubjectHandle,
        seal_id: bytes,
        *,
        custodian_key: bytes | None,
        authorities: Iterable[AuthorityId] = (),
    ) -> None:
        """The youth's key is about to leave; with a custodian's key its copy stays. Durable, and undone by `settle`.

        With it go the keys of these authorities.
        """
        found = self.keys.row_of(owner, handle)
        copy = b""
        if found is not None and custodian_key is not None:
            escrowed = Escrowed(owner, handle, found[0], found[1])
            copy = seal_to_custodian(escrowed, custodian_key, seal_id)
        with closing(open_to_erase(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO escrow VALUES (?, ?, ?)", (seal_id, youth_name(owner, handle), copy))
            leaving = [(seal_id, authority_name(each)) for each in authorities]
            connection.executemany("INSERT INTO leaving_authority VALUES (?, ?)", leaving)
            connection.execute("COMMIT")

    def waiting(self) -> list[bytes]:
        """By which seals a key waits to leave, on record or not."""
        return list(leaving_youths(self.path))

    def withdraw(self, seal_id: bytes) -> None:
        """The key is gone from the file and from memory; the handle is recognized as a sealed one. Once or again."""
        with closing(open_to_erase(self.path)) as connection:
            row = connection.execute("SELECT name FROM escrow WHERE seal_id = ?", (seal_id,)).fetchone()
            if row is not None and row[0] is not None:
                self._withdraw(connection, seal_id, bytes(row[0]))
        self.scrub(at_start=False)

    def deleted(self) -> None:
        """Rows of sealed youths were deleted again, as of an older copy of the database: their bytes are to go, too."""
        with closing(open_to_erase(self.path)) as connection:
            connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")

    def scrub(self, *, at_start: bool) -> None:
        """What seals deleted is in no byte of the files; of a large database's file only `at_start`.

        Nothing is raised where somebody is in the way: the next order or start does it, and `erasing_waits` until then.
        """
        with closing(open_to_erase(self.path)) as connection:
            if not _is_marked(connection):
                return
            rewrite = at_start or self.database.is_small()
            try:
                _scrub(connection)
                self.database.erase_sealed(rewrite=rewrite)
            except (NotErased, sqlite3.OperationalError):
                _LOG.warning("erasing waits for the next order or start: somebody reads or writes the database")
                return
            if rewrite:
                connection.execute("DELETE FROM unscrubbed")
            else:
                _LOG.warning("erasing waits for the next start: the database is too large to be rewritten meanwhile")

    def copy_of(self, seal_id: bytes) -> bytes | None:
        """The custodian's copy, or None when there is none or it was erased."""
        return read_copy(self.path, seal_id)

    def erase(self, seal_id: bytes) -> None:
        """The custodian's copy is gone, in every page."""
        with closing(open_to_erase(self.path)) as connection:
            # The main database has nothing of the copy: what waits there is of others, and stays marked.
            of_others = _is_marked(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("DELETE FROM leaving_authority WHERE seal_id = ?", (seal_id,))
            connection.execute("DELETE FROM escrow WHERE seal_id = ?", (seal_id,))
            connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")
            connection.execute("COMMIT")
            try:
                _scrub(connection)
            except (NotErased, sqlite3.OperationalError):
                _LOG.warning("erasing waits for the next order or start: somebody reads or writes the file of keys")
                return
            if not of_others:
                connection.execute("DELETE FROM unscrubbed")

    def settle(self, states: Mapping[bytes, SealState]) -> None:
        """What a crash left half done is done, or forgotten; `states` is how the seals stand in the log."""
        with closing(open_to_erase(self.path)) as connection:
            rows = connection.execute("SELECT seal_id, name FROM escrow").fetchall()
        for seal_id, name in rows:
            state = states.get(seal_id)
            if state in (SealState.RESTRICTED, SealState.DESTROYED):
                self.withdraw(seal_id)
            elif name is not None:
                self.erase(seal_id)
            if state is SealState.DESTROYED:
                self.erase(seal_id)

    def sealed_among(
        self, youths: Iterable[tuple[AgencyId, SubjectHandle]], is_on_record: Callable[[bytes], bool]
    ) -> list[tuple[AgencyId, SubjectHandle]]:
        """Those of these youths that a seal on record has taken, or is about to take. Raises `YouthKeysBroken`.

        A deposit alone seals nobody: its entry may never come, and until it does the youth is one like any other.
        """
        try:
            digests = self._sealed_digests(is_on_record)
        except sqlite3.Error as exc:
            # Asked within a transaction of the log, which must not take the fault of this file for its own.
            raise YouthKeysBroken from exc
        if not digests:
            return []
        return [youth for youth in youths if self.keys.sealed_digest(youth_name(*youth)) in digests]

    def _withdraw(self, connection: sqlite3.Connection, seal_id: bytes, name: bytes) -> None:
        leaving = connection.execute("SELECT name FROM leaving_authority WHERE seal_id = ?", (seal_id,)).fetchall()
        gone = [name, *(bytes(authority) for (authority,) in leaving)]
        with self.keys.forgetting(gone):
            connection.execute("BEGIN IMMEDIATE")
            digests = [(self.keys.sealed_digest(each),) for each in gone]
            connection.executemany("INSERT OR IGNORE INTO sealed_name VALUES (?)", digests)
            connection.executemany("DELETE FROM youth_key WHERE name = ?", [(each,) for each in gone])
            connection.execute("DELETE FROM leaving_authority WHERE seal_id = ?", (seal_id,))
            connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")
            connection.execute("UPDATE escrow SET name = NULL WHERE seal_id = ?", (seal_id,))
            connection.execute("DELETE FROM escrow WHERE seal_id = ? AND copy = x''", (seal_id,))
            connection.execute("COMMIT")

    def _sealed_digests(self, is_on_record: Callable[[bytes], bool]) -> set[bytes]:
        with closing(open_to_erase(self.path)) as connection:
            # One state of the file: a name that leaves between two looks would be in neither place.
            connection.execute("BEGIN")
            digests = {bytes(row[0]) for row in connection.execute("SELECT digest FROM sealed_name")}
            waiting = connection.execute(_WAITING).fetchall()
            connection.execute("COMMIT")
        return digests | {self.keys.sealed_digest(bytes(name)) for name, seal_id in waiting if is_on_record(seal_id)}


def read_copy(path: Path, seal_id: bytes) -> bytes | None:
    """The custodian's copy in this file of keys, or None when there is none or it was erased."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        row = connection.execute("SELECT copy FROM escrow WHERE seal_id = ?", (seal_id,)).fetchone()
    return None if row is None else bytes(row[0])


def erasing_waits(path: Path) -> bool:
    """Whether, by this file of keys, what seals deleted may still stand in some byte of it or the main database's."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        # A key whose order was cut short leaves or stays, or comes back or not, at the next start: until then nobody
        # here knows which.
        waiting = (_WAITING, "SELECT 1 FROM returning_key")
        return any(connection.execute(each).fetchone() for each in waiting) or _is_marked(connection)


def leaving_youths(path: Path) -> dict[bytes, bytes]:
    """By seal, which may not be on record: the name of each row of a youth in this file of keys that waits to leave."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        rows = connection.execute(_WAITING).fetchall()
    return {bytes(seal_id): bytes(name) for name, seal_id in rows}


def _is_marked(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM unscrubbed").fetchone() is not None


def _scrub(connection: sqlite3.Connection) -> None:
    # Deleted cells are overwritten by secure_delete; pages that were moved or freed before it was on, only by VACUUM.
    connection.execute("VACUUM")
    cut_log(connection)
