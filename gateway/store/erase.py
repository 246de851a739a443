"""What takes deleted rows out of a database's files: a port with one adapter a database.

Decides what ends with an epoch: rows of tokens and of peppers, and in the alerts of reviews the digests of tokens, by
which an agency is asked about another one's youth. Authorities that name a youth by such digests stay as they were
signed, and match nobody. How the bytes leave the files is each database's own: `erase_sqlite`, `erase_postgres`.
"""

from collections.abc import Collection
from typing import Final, Protocol

from gateway.store import tables

SMALL_BYTES: Final = 64 * 1024 * 1024
"""Rewritten in about a second; an entry waits five for the database (`audit/store_sqlite`)."""
OF_AN_EPOCH: Final = (tables.index_token, tables.review_token, tables.pepper)
"""Tables whose rows end with an epoch."""


class NotErased(Exception):
    """What was deleted may still stand in the database's files: somebody was in the way. To be tried again."""


class EpochErasing(Protocol):
    """A database that can forget an epoch. Blocking: call it in a thread."""

    def is_small(self) -> bool:
        """Whether the files are rewritten so fast that entries can wait for it."""

    def erase_epochs(self, ended: Collection[str], *, rewrite: bool) -> int:
        """No row of these epochs is in the database, and with `rewrite` no byte of one in its files; returns how many
        tokens went.

        Raises `NotErased`, and what the database raises; what was erased before stays erased.
        """
