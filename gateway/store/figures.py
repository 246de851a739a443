"""Figures of the moment, for the gauges: sizes and times, and nothing of one youth.

Decides that the index is counted as a whole; how many youths an agency lists stays between it and the index.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from audit.statement import Statement
from audit.transaction import Tx
from gateway.protocol.names import AgencyId
from gateway.protocol.policy.facts import moment_of
from gateway.store.tables import listing, subject

_SUBJECTS: Final = Statement(select(func.count()).select_from(subject))
_LISTS: Final = Statement(select(listing.c.owner, listing.c.data_as_of_ms, listing.c.heartbeat_ms))


@dataclass(frozen=True, slots=True)
class ListFigures:
    """One agency's list, as its last heartbeat told."""

    agency: AgencyId
    data_as_of: datetime
    heartbeat: datetime


@dataclass(frozen=True, slots=True)
class IndexFigures:
    """The blind index at one moment."""

    subjects: int
    lists: tuple[ListFigures, ...]


def read_index_figures(tx: Tx) -> IndexFigures:
    """The figures in this state of the database."""
    counted = tx.one(_SUBJECTS)
    return IndexFigures(
        subjects=counted[0] if counted else 0,
        lists=tuple(
            ListFigures(AgencyId(owner), moment_of(data_as_of), moment_of(heartbeat))
            for owner, data_as_of, heartbeat in tx.all(_LISTS)
        ),
    )
