"""What authorities say, under keys among those of the youths and under the same rules for backups (AUDIT §2.2, §2.7).

An authority names a youth, by its owner's handle or by digests of tokens whose youth nobody here can tell. So what it
says rests under a key of its own, and a seal destroys the keys of those that name the sealed youth: then no backup of
the database says whom they were about. The key is made before the authority is on record. Where tokens name the youth,
the authority's entries hang on it, too (`youth_keys`): rows rest under keys derived from it (`row_seal`).
"""

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Final

from gateway.errors import Conflict, ErrorReason
from gateway.exchange.deed import Moved
from gateway.protocol.names import AuthorityId
from gateway.store.row_seal import open_row, seal_row
from gateway.store.tables import authority
from gateway.store.youth_keys import FileYouthKeys, YouthKeysBroken, authority_name
from homeward.gateway.v1.envelope_pb2 import SignedEnvelope

_BUSY_SECONDS: Final = 10.0
_MOMENT: Final = Struct(">q")
_REVOCATION: Final = f"{authority.name}/revocation"


class FileAuthorityKeys:
    """Seals and opens what authorities say, with keys in the file of the youths' keys. May be used from any thread."""

    def __init__(self, path: Path, keys: FileYouthKeys) -> None:
        """`keys` are in the same file, make and unwrap keys, and know what was sealed."""
        # Apart: whoever opens one on the way of a call must not wait for the disk with whoever makes one.
        self._reader = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False)
        self._reading = threading.Lock()
        self._keys = keys

    def seal(self, authority_id: AuthorityId, envelope: SignedEnvelope) -> bytes:
        """The signed authority as it rests in its row; its key is durable. Blocking: call it in a thread.

        Raises `Conflict` for an identifier whose youth was sealed: it never stands for anything again. Else as `open`.
        """
        name = authority_name(authority_id)
        with suppress(Moved):
            self._keys.reserve([name])
        key = self._found(name)
        if key is None:
            raise Conflict(ErrorReason.ID_REUSED)
        return seal_row(envelope.SerializeToString(), key, table=authority.name, row=authority_id)

    def open(self, authority_id: AuthorityId, sealed: bytes) -> SignedEnvelope | None:
        """The signed authority; None where its youth was sealed. Raises `YouthKeysBroken`, `RowUnreadable`."""
        key = self._found(authority_name(authority_id)) if sealed else None
        if key is None:
            return None
        return SignedEnvelope.FromString(open_row(sealed, key, table=authority.name, row=authority_id))

    def seal_moment(self, authority_id: AuthorityId, at_ms: int) -> bytes | None:
        """When the authority was revoked, as it rests in its row, 36 bytes; None where its youth was sealed.

        Blocking: call it in a thread. Raises `YouthKeysBroken`.
        """
        key = self._found(authority_name(authority_id))
        return None if key is None else seal_row(_MOMENT.pack(at_ms), key, table=_REVOCATION, row=authority_id)

    def open_moment(self, authority_id: AuthorityId, sealed: bytes) -> int | None:
        """When it was revoked, in milliseconds since 1970; None where its youth was sealed. Raises as `open`."""
        key = self._found(authority_name(authority_id))
        if key is None:
            return None
        (at_ms,) = _MOMENT.unpack(open_row(sealed, key, table=_REVOCATION, row=authority_id))
        return int(at_ms)

    def close(self) -> None:
        """The file is closed."""
        with self._reading:
            self._reader.close()

    def _found(self, name: bytes) -> bytes | None:
        with self._reading:
            wrapped = _wrapped(self._reader, name)
        if wrapped is not None:
            return self._keys.unwrap(name, wrapped)
        if not self._keys.is_sealed(name):
            raise YouthKeysBroken
        return None


def _wrapped(connection: sqlite3.Connection, name: bytes) -> bytes | None:
    row = connection.execute("SELECT wrapped FROM youth_key WHERE name = ?", (name,)).fetchone()
    return None if row is None else bytes(row[0])
