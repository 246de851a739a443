"""Declared losses, as the log's own entries tell of them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ScalarSelect, func, literal_column, select

from audit.entry import ClassKeys, FieldClass, StoredEntry, read_values
from audit.own_entries import SUCCEEDED, loses_entries
from audit.reader import Selection, select_entries
from audit.statement import Statement
from audit.tables import ENTRY
from audit.transaction import Tx
from gateway.store.lookups import Lookups

# Under another name, so that a query of entries can ask for it, too.
_SAID: Final = ENTRY.alias("said")
_IS_LOSS: Final = _SAID.c.kind == literal_column(f"'{SUCCEEDED}'")


def succession_count() -> ScalarSelect[Any]:
    """How often this log went on under another origin."""
    return select(func.count()).select_from(_SAID).where(_IS_LOSS).scalar_subquery()


def last_loss() -> ScalarSelect[Any]:
    """Index of the entry that declares the last loss; NULL for none."""
    return select(func.max(_SAID.c.idx)).where(_IS_LOSS).scalar_subquery()


def last_loss_ms() -> ScalarSelect[Any]:
    """When that was."""
    return select(func.max(_SAID.c.time_ms)).where(_IS_LOSS).scalar_subquery()


def last_loss_of_entries(tx: Tx, keys: ClassKeys) -> int:
    """Index of the last entry that declares entries lost, and not rows of tables alone; -1 for none."""
    found, start = -1, 0
    while page := select_entries(tx, Selection(kinds=(SUCCEEDED,), start=start), limit=_PAGE):
        found, start = max((found, *(each.index for each in page if _loses(each, keys)))), page[-1].index + 1
    return found


def _loses(entry: StoredEntry, keys: ClassKeys) -> bool:
    said = read_values(entry.nonce, entry.boxes[FieldClass.OP], FieldClass.OP, keys.op)
    return loses_entries(said.get("size", b"").decode(), said.get("kept", b"").decode())


_PAGE: Final = 100
_LAST_MS: Final = Statement(select(last_loss_ms()))


@dataclass(frozen=True, slots=True)
class SqlLosses:
    """`recovery.presented.Losses` on the database."""

    lookups: Lookups

    async def last_ms(self) -> int | None:
        """When the last one was declared, milliseconds since 1970; None for a log that lost nothing."""
        row = await self.lookups.read(lambda tx: tx.one(_LAST_MS))
        return None if row is None or row[0] is None else int(row[0])
