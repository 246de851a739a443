"""Entries that the log writes about itself: they concern no agency and no youth.

Decides their kinds and fields. Free text never stands in them: whoever explains a stop may write a name, and an entry
cannot be changed. The entry holds the digest of the text, which is kept beside the log.
"""

from __future__ import annotations

import hashlib
from typing import Final

from audit.entry import Draft, Field, FieldClass
from audit.errors import StopReason

CLOCK_STEPPED: Final = "clock.stepped"
STOP_EXPLAINED: Final = "log.explained"
RECOVERED: Final = "log.recovered"
SUCCEEDED: Final = "log.succeeded"
CARRIED_OUT: Final = frozenset({"directory.signed", "member.revoked", "tables.mended"})
"""Kinds by which whoever keeps the log carries out what a declared loss brings, directly behind `SUCCEEDED`."""


def clock_stepped(back_ms: int) -> Draft:
    """The clock went back by so many milliseconds; entries keep the time of the newest one until it has caught up."""
    return _draft(CLOCK_STEPPED, back_ms=str(back_ms).encode())


def stop_explained(reason: StopReason, digest: bytes) -> Draft:
    """Somebody explained why the log had stopped, in words with this SHA-256."""
    return _draft(STOP_EXPLAINED, reason=reason.encode(), explanation=digest)


def recovered(size: int, healed_size: int) -> Draft:
    """The store had been put back to `size` entries and was healed from a mirror."""
    return _draft(RECOVERED, size=str(size).encode(), healed_size=str(healed_size).encode())


def succeeded(note: str, *, origin: str, size: int, root: bytes, kept: int) -> Draft:
    """First entry of a log that goes on where another one was lost; `note` is the newest checkpoint known of that one.

    Commits to the whole note, its size and root; entries from `kept` up to that size are declared lost.
    """
    return _draft(
        SUCCEEDED,
        origin=origin.encode(),
        size=str(size).encode(),
        root=root,
        checkpoint=hashlib.sha256(note.encode()).digest(),
        kept=str(kept).encode(),
    )


def loses_entries(size: str, kept: str) -> bool:
    """Whether a declared loss, by these fields of its entry, took entries, and not rows of tables alone."""
    return not (size.isdecimal() and kept.isdecimal()) or int(kept) < int(size)


def _draft(kind: str, **fields: bytes) -> Draft:
    values = {"kind": kind.encode(), **fields}
    return Draft(tuple(Field(FieldClass.OP, name, value) for name, value in values.items()))
