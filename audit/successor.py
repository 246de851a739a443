"""Going on under another origin where entries of a log are lost for good.

Decides what closes an origin. A log that lost entries which others have seen must never sign again under its name: it
would show two histories. So the loss is declared in public. The entries that are left stay where they are, at the same
positions, as the beginning of a log of another name and key; the first entry behind them names the old origin, the size
and root that were signed last, the digest of the whole note with its cosignatures, and how many entries are left of it.
From both logs' checkpoints anybody can compute that nothing else was changed; whoever holds a receipt for one of the
lost entries holds the only evidence of it. Where the tables beside the entries are what is lost, all entries are left;
only a log that says in public that something was lost is given again what they cannot say.

Done again after a crash, it goes on where it was. The caller must be the only one who writes, and has verified what is
left (`verify_log`) and read the declaration (`gateway.protocol.succession`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import and_, bindparam, update

from audit.checkpoint import Checkpoint, LogKey, LogSigner, parse_checkpoint
from audit.entry import ClassKeys
from audit.errors import EvidenceError, EvidenceReason
from audit.highwater import HighWater
from audit.log import Append, Log
from audit.own_entries import SUCCEEDED, succeeded
from audit.reader import Selection, root_at, select_entries, tree_state
from audit.statement import Statement
from audit.store import Store
from audit.tables import TREE
from audit.transaction import Tx

_RENAME: Final = Statement(
    update(TREE)
    .where(and_(TREE.c.id == 1, TREE.c.log_key == bindparam("old_key")))
    .values(log_key=bindparam("new_key"), note=bindparam("new_note")),
    "new_key", "new_note", "old_key",
)  # fmt: skip


def entries_left(tx: Tx, closed: LogKey, head: Checkpoint, *, known: Sequence[Checkpoint] = ()) -> int:
    """How many entries are left of the log of this key, which signed `head`: all of them where only tables are lost.

    `known` are other checkpoints of it, verified already: a head that covers more than is left says nothing of that.
    Raises EvidenceError where what is left is another history, or more than was signed.
    """
    tree = tree_state(tx)
    if tree.log_key != closed.vkey():
        raise EvidenceError(EvidenceReason.ORIGIN, "the database holds the log of another origin or key")
    if any(each.size <= tree.size and root_at(tx, each.size) != each.root for each in (head, *known)):
        raise EvidenceError(EvidenceReason.CONSISTENCY, "what is left is another history than was signed")
    if head.size < tree.size:
        raise EvidenceError(EvidenceReason.SIZE, "the log went on above the checkpoint that is to close it")
    return tree.size


async def open_successor(
    store: Store,
    *,
    signer: LogSigner,
    keys: ClassKeys,
    high_water: Path,
    closed_key: LogKey,
    closed_note: str,
    kept: int,
    now: Callable[[], datetime],
    random_bytes: Callable[[int], bytes],
) -> int:
    """The log in `store` goes on under `signer`, and says so; returns the index of that entry.

    `high_water` is the new log's record: that of the closed one lies elsewhere. Raises EvidenceError where `kept` is
    not what is left, or where the new origin or key is the old one.
    """
    head = parse_checkpoint(closed_note, closed_key)
    if signer.public.origin == closed_key.origin or signer.public.raw == closed_key.raw:
        raise EvidenceError(EvidenceReason.ORIGIN, "a closed log's name and key must not sign again")
    said = _renamed(store, signer, closed_key, head, kept, high_water)
    if said is not None:
        return said
    log = Log.open(store, signer=signer, keys=keys, high_water=high_water, now=now, random_bytes=random_bytes)
    try:
        draft = succeeded(closed_note, origin=head.origin, size=head.size, root=head.root, kept=kept)
        return (await log.append(Append(draft))).index
    finally:
        await log.close()


def _renamed(
    store: Store, signer: LogSigner, closed: LogKey, head: Checkpoint, kept: int, high_water: Path
) -> int | None:
    """The tree's row and the record are the new log's; the index of the entry that says so, if there is one already."""
    connection = store.connect()
    try:
        tx = Tx(connection.cursor(), store.dialect)
        store.begin(tx)
        if tree_state(tx).log_key != signer.public.vkey():
            left = entries_left(tx, closed, head)
            if left != kept:
                raise EvidenceError(EvidenceReason.SIZE, f"{left} entries are left, not the {kept} that were declared")
            note = signer.sign(left, tree_state(tx).root)
            tx.run(_RENAME, (signer.public.vkey(), note, closed.vkey()))
        found = [entry.index for entry in select_entries(tx, Selection(kinds=(SUCCEEDED,), start=kept), limit=1)]
        tree = tree_state(tx)
        tx.command("COMMIT")
        store.settle(connection)
    except store.database_errors as exc:
        raise EvidenceError(EvidenceReason.STORE, "the log's database cannot be written") from exc
    finally:
        connection.close()
    if not high_water.exists():
        HighWater(high_water).create(tree.note)
    return found[0] if found else None
