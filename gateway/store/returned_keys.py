"""A youth's audit key on its way back, because a court lifted its seal: into keys.db, where `escrow` took it out.

In this order, so that a crash loses neither the key nor the order:

1. receive    the key that the court released is durable, and opens nothing yet
2.            the entry that lifts the seal is durable in the log
3. restore    the key is in its old place, with counters further on; the custodian's copy is gone

`settle` finishes step 3 after a crash, or forgets a key whose entry was never written: its copy is still there.
"""

from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit.entry import YouthKey, youth_tag
from gateway.protocol.escrow import Escrowed
from gateway.store.escrow import FileEscrow
from gateway.store.keys_file import open_to_erase
from gateway.store.youth_keys import FileYouthKeys, youth_name

_JUMP: Final = 64
"""Counters left out when a key comes back: what was reserved when it left may have been used since."""


@dataclass(frozen=True, slots=True)
class FileReturnedKeys:
    """Keys that come back, in the file of the youths' keys. Blocking: call it in a thread."""

    escrow: FileEscrow = field(repr=False)

    def receive(self, seal_id: bytes, escrowed: Escrowed) -> None:
        """The key that the court released of this seal is about to come back; unless it came back by it before.

        Else the order to lift one seal, given again, would bring back what a later seal took. Durable, and opens
        nothing until it is restored.
        """
        name = youth_name(escrowed.owner, escrowed.handle)
        row = (seal_id, name, self.escrow.keys.wrap(name, escrowed.key), escrowed.reserved + _JUMP, seal_id)
        with closing(open_to_erase(self.escrow.path)) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO returning_key SELECT ?, ?, ?, ? FROM escrow WHERE seal_id = ?", row
            )

    def waiting(self) -> list[bytes]:
        """Of which seals a key is about to come back, whether on record as lifted or not."""
        with closing(open_to_erase(self.escrow.path)) as connection:
            return [bytes(row[0]) for row in connection.execute("SELECT seal_id FROM returning_key")]

    def restore(self, seal_id: bytes) -> None:
        """The youth's key is back, with counters that no entry has used, if it was received. Once or again."""
        with closing(open_to_erase(self.escrow.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            row = connection.execute(
                "SELECT name, wrapped, reserved FROM returning_key WHERE seal_id = ?", (seal_id,)
            ).fetchone()
            if row is not None:
                connection.execute("INSERT OR IGNORE INTO youth_key VALUES (?, ?, ?)", row)
                digest = self.escrow.keys.sealed_digest(bytes(row[0]))
                connection.execute("DELETE FROM sealed_name WHERE digest = ?", (digest,))
                connection.execute("DELETE FROM escrow WHERE seal_id = ?", (seal_id,))
                connection.execute("DELETE FROM returning_key WHERE seal_id = ?", (seal_id,))
            connection.execute("COMMIT")
        if row is not None:
            self.escrow.keys.returned += 1
            self.escrow.scrub(at_start=False)

    def give_up(self, seal_id: bytes) -> None:
        """The key that was about to come back is gone again; the custodian's copy stays. Once or again."""
        with closing(open_to_erase(self.escrow.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("DELETE FROM returning_key WHERE seal_id = ?", (seal_id,)).rowcount:
                connection.execute("INSERT OR IGNORE INTO unscrubbed VALUES (1)")
            connection.execute("COMMIT")
        self.escrow.scrub(at_start=False)

    def settle(self, lifted: Collection[bytes]) -> None:
        """What a crash left half done is done, or forgotten; `lifted` are the seals of which the log says so."""
        for seal_id in self.waiting():
            if seal_id in lifted:
                self.restore(seal_id)
            else:
                self.give_up(seal_id)


def returning_marks(path: Path, youth_keys: FileYouthKeys) -> Mapping[bytes, Mapping[bytes, bytes]]:
    """For each seal whose key is about to come back: every mark that an entry of its youth may carry, with the key.

    Whether the seal is on record as lifted is for the caller to look up: until it is, the key opens nothing.
    """
    with closing(open_to_erase(path)) as connection:
        rows = connection.execute("SELECT seal_id, name, wrapped, reserved FROM returning_key").fetchall()
    found = {}
    for seal_id, name, wrapped, reserved in rows:
        key = youth_keys.unwrap(name, wrapped)
        found[bytes(seal_id)] = {youth_tag(YouthKey(key, counter)): key for counter in range(reserved)}
    return found
