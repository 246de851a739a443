"""Declared losses, as the log's own entries tell of them."""

from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, func, literal_column, select

from audit.own_entries import SUCCEEDED
from audit.tables import ENTRY

_SUCCEEDED: Final = ENTRY.c.kind == literal_column(f"'{SUCCEEDED}'")


def succession_count() -> ScalarSelect[Any]:
    """How often this log went on under another origin."""
    return select(func.count()).select_from(ENTRY).where(_SUCCEEDED).scalar_subquery()


def last_loss(column: ColumnElement[int]) -> ScalarSelect[Any]:
    """Of the entry that declares the last loss this column; NULL for none."""
    return select(func.max(column)).where(_SUCCEEDED).scalar_subquery()
