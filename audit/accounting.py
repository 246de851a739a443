"""An accounting of disclosures: what left about one youth, to whom, when, what for; in the form of 45 CFR 164.528(b).

Decides how disclosures become lines (repeated ones to one recipient for one purpose are one line: the first date, how
many, the last) and what is left out to prevent harm: an investigation for as long as its written request says, and what
would tell of another person. Whether anything was left out is for whoever prepares the accounting and never in it.
Does not decide what counts as a disclosure, nor the words.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum

from audit.errors import AuditError


class HoldsMalformed(AuditError, ValueError):
    """The file of holds breaks its form. The text names the place, never a value."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Something about the youth left for another agency."""

    index: int
    """Of the entry that says so."""
    at: datetime
    """In the zone in which days are counted."""
    recipient: str
    given: tuple[str, ...]
    purpose: str
    basis: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the accounting; for a single disclosure `first` and `last` are the same."""

    first: date
    last: date
    count: int
    recipient: str
    given: tuple[str, ...]
    purpose: str
    basis: str
    entries: tuple[int, ...]


class HoldKind(Enum):
    """Why disclosures are left out."""

    INVESTIGATION = "hold"
    THIRD_PARTY = "third_party"


@dataclass(frozen=True, slots=True)
class Hold:
    """Disclosures to be left out: those that meet every condition given, and it must give one."""

    kind: HoldKind
    agency: str = ""
    purpose: str = ""
    entry: int | None = None
    until: date | None = None
    """Last day of an investigation's hold; None for another person's protection, which does not end."""
    reference: str = field(default="", repr=False)
    """Where the county keeps the written request or the reason."""

    def covers(self, disclosure: Disclosure, today: date) -> bool:
        """Whether the disclosure is to be left out of an accounting made today."""
        if self.until is not None and today > self.until:
            return False
        return (
            self.agency in ("", disclosure.recipient)
            and self.purpose in ("", disclosure.purpose)
            and self.entry in (None, disclosure.index)
        )


def left_out(
    disclosures: Iterable[Disclosure], holds: Sequence[Hold], today: date
) -> tuple[list[Disclosure], list[tuple[Disclosure, Hold]]]:
    """The disclosures to account for, and those left out, each with its first hold."""
    kept: list[Disclosure] = []
    held: list[tuple[Disclosure, Hold]] = []
    for disclosure in disclosures:
        hold = next((each for each in holds if each.covers(disclosure, today)), None)
        if hold is None:
            kept.append(disclosure)
        else:
            held.append((disclosure, hold))
    return kept, held


def idle(disclosures: Iterable[Disclosure], holds: Sequence[Hold], today: date) -> list[Hold]:
    """The holds that leave nothing out today: ended, of another time, or with a slip in what they name."""
    all_of = list(disclosures)
    return [hold for hold in holds if not any(hold.covers(each, today) for each in all_of)]


def lines(disclosures: Iterable[Disclosure]) -> list[Line]:
    """The lines of the accounting, by their first dates (45 CFR 164.528(b)(3) for repeated disclosures)."""
    groups: dict[tuple[str, tuple[str, ...], str, str], list[Disclosure]] = {}
    for each in sorted(disclosures, key=lambda one: one.index):
        groups.setdefault((each.recipient, each.given, each.purpose, each.basis), []).append(each)
    return [
        Line(
            series[0].at.date(), series[-1].at.date(), len(series),
            recipient, given, purpose, basis, tuple(each.index for each in series),
        )
        for (recipient, given, purpose, basis), series in sorted(groups.items(), key=lambda one: one[1][0].index)
    ]  # fmt: skip


def parse_holds(text: str) -> list[Hold]:
    """The holds in a TOML file of [[hold]] and [[third_party]] tables. Raises `HoldsMalformed`.

    [[hold]]: `until` and `request` are required, with `agency` or `entry`. [[third_party]]: `reason` is required, with
    `entry` or `purpose`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # No text: the parser's message may quote the file.
        raise HoldsMalformed("the file is not TOML") from None
    if not set(document) <= {kind.value for kind in HoldKind}:
        raise HoldsMalformed("only [[hold]] and [[third_party]] tables are known")
    if not all(isinstance(rows, list) for rows in document.values()):
        raise HoldsMalformed("[[hold]] and [[third_party]] are tables")
    return [_hold(kind, place, row) for kind in HoldKind for place, row in enumerate(document.get(kind.value, []), 1)]


def _hold(kind: HoldKind, place: int, row: object) -> Hold:
    where = f"[[{kind.value}]] number {place}"
    known = {"agency": str, "purpose": str, "entry": int}
    known |= {"until": date, "request": str} if kind is HoldKind.INVESTIGATION else {"reason": str}
    if not isinstance(row, dict):
        raise HoldsMalformed(f"{where}: a table is expected")
    for name, value in row.items():
        if name not in known or type(value) is not known[name]:
            raise HoldsMalformed(f"{where}: a key is unknown or its value is of another type")
    needed = {"until", "request"} if kind is HoldKind.INVESTIGATION else {"reason"}
    if not needed <= set(row) or not {"agency", "purpose", "entry"} & set(row):
        raise HoldsMalformed(f"{where}: it needs {', '.join(sorted(needed))}, and a condition")
    return Hold(
        kind,
        agency=row.get("agency", ""),
        purpose=row.get("purpose", ""),
        entry=row.get("entry"),
        until=row.get("until"),
        reference=row["request" if kind is HoldKind.INVESTIGATION else "reason"],
    )
