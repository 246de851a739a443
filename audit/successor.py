"""Opening a new log where another one is lost: a new origin whose first entry commits to the newest checkpoint known.

Decides what closes an origin. A log that lost entries which others have seen must never sign again under its name: it
would show two histories. So the loss is declared in public: the first entry of the new log names the old origin, the
size and root that were witnessed, the digest of the whole note with its cosignatures, and how many entries are left of
it; whoever holds a receipt for one of the others holds the only evidence of it (Rekor closes its shards the same way).

Does not decide what becomes of projections: their entries are in the closed log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import MetaData

from audit.checkpoint import LogKey, LogSigner, parse_checkpoint
from audit.entry import ClassKeys
from audit.errors import EvidenceError, EvidenceReason
from audit.log import Append, Appended, Log
from audit.own_entries import succeeded
from audit.reader import Reader, root_at
from audit.startup import create_log
from audit.store import Store


async def open_successor(
    store: Store,
    *,
    signer: LogSigner,
    keys: ClassKeys,
    high_water: Path,
    closed: Store,
    closed_key: LogKey,
    closed_note: str,
    also: Sequence[MetaData],
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> Appended:
    """A new log is in `store`, and this is its first entry. `closed` is what is left of the lost one.

    Raises EvidenceError where nothing is lost, where `closed` is of another history than the note as far as both can be
    compared, where the new origin or key is the old one, or where there is already a log.
    """
    head = parse_checkpoint(closed_note, closed_key)
    if signer.public.origin == closed_key.origin or signer.public.raw == closed_key.raw:
        raise EvidenceError(EvidenceReason.ORIGIN, "a closed log's name and key must not sign again")
    reader = Reader(closed)
    try:
        tree = reader.tree()
        if tree.log_key != closed_key.vkey():
            raise EvidenceError(EvidenceReason.ORIGIN, "the closed database holds the log of another origin or key")
        if head.size <= tree.size:
            if reader.read(lambda tx: root_at(tx, head.size)) != head.root:
                raise EvidenceError(EvidenceReason.CONSISTENCY, "what is left is another history than was signed")
            raise EvidenceError(EvidenceReason.SIZE, "nothing is lost: the database has all that was signed")
    finally:
        reader.close()
    create_log(store, signer=signer, high_water=high_water, also=also)
    log = Log.open(store, signer=signer, keys=keys, high_water=high_water, now=now, random_bytes=random_bytes)
    try:
        draft = succeeded(closed_note, origin=head.origin, size=head.size, root=head.root, kept=tree.size)
        return await log.append(Append(draft))
    finally:
        await log.close()
