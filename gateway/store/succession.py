"""Declared losses, as the log's own entries tell of them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ScalarSelect, func, literal_column, select

from audit.own_entries import SUCCEEDED
from audit.statement import Statement
from audit.tables import ENTRY
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


_LAST_MS: Final = Statement(select(last_loss_ms()))


@dataclass(frozen=True, slots=True)
class SqlLosses:
    """`recovery.presented.Losses` on the database."""

    lookups: Lookups

    async def last_ms(self) -> int | None:
        """When the last one was declared, milliseconds since 1970; None for a log that lost nothing."""
        row = await self.lookups.read(lambda tx: tx.one(_LAST_MS))
        return None if row is None or row[0] is None else int(row[0])
