"""What a row says of a youth that could lead to entries of the log, sealed under the youth's audit key.

A row that names a youth by its handle stands in every backup of the database, and no seal reaches those. So whatever
in it could lead to an entry rests sealed: indexes, exact times, identifiers of requests, the owner's words. The key is
derived from the youth's audit key, which is never in a backup of this database; once it is destroyed, a row of an old
backup says that there was a youth, and leads to nothing (AUDIT §2.7).

Decides the box: AES-256-GCM, bound to the table and the row. The nonce is a MAC over all that is sealed and bound, so
that it repeats only where the very same is sealed again, and nothing random need be handed in.
"""

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_BOX_LABEL: Final = b"homeward/row/v1\0"
_NONCE_LABEL: Final = b"homeward/row-nonce/v1\0"
_NONCE_BYTES: Final = 12


class RowUnreadable(Exception):
    """A sealed row does not open: another key, or another row's content. Names no youth."""


def seal_row(content: bytes, key: bytes, *, table: str, row: bytes) -> bytes:
    """The content, sealed under a key of 32 bytes and bound to this row of this table."""
    bound = _bound(table, row)
    nonce = hmac.digest(hmac.digest(key, _NONCE_LABEL, "sha256"), bound + content, "sha256")[:_NONCE_BYTES]
    return nonce + _box(key).encrypt(nonce, content, bound)


def open_row(sealed: bytes, key: bytes, *, table: str, row: bytes) -> bytes:
    """What was sealed. Raises `RowUnreadable`."""
    try:
        return _box(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(table, row))
    except (InvalidTag, ValueError) as exc:
        raise RowUnreadable from exc


def _box(key: bytes) -> AESGCM:
    return AESGCM(hmac.digest(key, _BOX_LABEL, "sha256"))


def _bound(table: str, row: bytes) -> bytes:
    # Fixed-length ends to both: neither can be read as part of the other, or of the content.
    return hmac.digest(_BOX_LABEL, table.encode() + b"\0" + row, "sha256")
