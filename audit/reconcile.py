"""Reconciliation: what one agency released, against what the other confirmed, by day.

Decides how releases and receipts are matched (a receipt names the entry it confirms) and counted, and that a difference
is named by its entry and not only as a number. Which entries are looked at, and whose, is decided by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Release:
    """An entry by which something left `holder` for `requester`."""

    index: int
    day: date
    requester: str
    holder: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the requester found when it opened the release `released`."""

    index: int
    released: int
    is_intact: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One direction of one pair on one day. The differences are indexes of releases."""

    day: date
    requester: str
    holder: str
    released: int
    confirmed: int
    unconfirmed: tuple[int, ...]
    """Released, and nothing was confirmed: the answer may never have arrived."""
    damaged: tuple[int, ...]
    """Confirmed as not what it should be."""

    @property
    def differs(self) -> bool:
        """Whether somebody must look at it."""
        return bool(self.unconfirmed or self.damaged)


def reconcile(releases: Iterable[Release], confirmations: Iterable[Confirmation]) -> list[Day]:
    """The days with a release, in order, each with what became of its releases."""
    found: Mapping[int, Confirmation] = {each.released: each for each in confirmations}
    days: dict[tuple[date, str, str], list[Release]] = {}
    for release in releases:
        days.setdefault((release.day, release.requester, release.holder), []).append(release)
    return [
        Day(
            day,
            requester,
            holder,
            released=len(those),
            confirmed=sum(each.index in found for each in those),
            unconfirmed=tuple(each.index for each in those if each.index not in found),
            damaged=tuple(each.index for each in those if each.index in found and not found[each.index].is_intact),
        )
        for (day, requester, holder), those in sorted(days.items())
    ]
