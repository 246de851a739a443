"""The counties of the sandbox: real codes, invented agencies.

Decides codes, kinds, telephone numbers and which staff roles each agency's identity provider knows. County codes are
real because maps between code lists are part of what is shown; every agency and person is invented, and so is every
telephone number (nobody has the area code 555).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class SourceKind(StrEnum):
    """Where an agency's records come from."""

    CSV = "csv"
    SQL = "sql"
    NONE = "none"
    """It only asks; a police department or a foster family agency runs the same adapter."""


@dataclass(frozen=True, slots=True)
class Agency:
    """One member of the sandbox."""

    letter: str
    """Short name in commands and in the printed story."""
    title: str
    fips: str
    office: str
    kind: str
    duty_line: str
    hotline: str
    source: SourceKind
    roles: tuple[str, ...]
    """Staff roles that its token issuer can put into a token."""

    @property
    def agency_id(self) -> str:
        """`<fips>.<office>`, as the exchange names it."""
        return f"{self.fips}.{self.office}"


_CHILD_WELFARE: Final = (
    "CWA.hotline_screener",
    "CWA.er_worker",
    "CWA.case_worker",
    "CWA.placement_worker",
    "CWA.supervisor",
    "CWA.duty_officer",
    "COUNTY.privacy_officer",
)
# F is taken by the foster family agency.
_EXTRA: Final = (("D", "06107"), ("E", "06077"), ("G", "06099"), ("H", "06047"), ("I", "06031"), ("J", "06111"))
MOST_COUNTIES: Final = 3 + len(_EXTRA)


def _child_welfare(letter: str, fips: str, number: int, source: SourceKind) -> Agency:
    return Agency(
        letter=letter,
        title=f"Demo County {letter}",
        fips=fips,
        office="cwa",
        kind="CWA",
        duty_line=f"+1555010{number:02}01",
        hotline=f"+1555010{number:02}02",
        source=source,
        roles=_CHILD_WELFARE,
    )


COUNTY_A: Final = _child_welfare("A", "06037", 11, SourceKind.CSV)
COUNTY_B: Final = _child_welfare("B", "06019", 12, SourceKind.SQL)
COUNTY_C: Final = _child_welfare("C", "06029", 13, SourceKind.NONE)
"""Keeps no records here: its intake desk finds youths and asks, which is what most agencies will do first."""
FOSTER_AGENCY: Final = Agency(
    letter="F",
    title="Demo Foster Family Agency",
    fips=COUNTY_B.fips,
    office="ffa",
    kind="FFA",
    duty_line="",
    hotline="",
    source=SourceKind.NONE,
    roles=("FFA.social_worker",),
)
"""A second agency in B's county, outside government: what it may see rests on consent (WIC 832)."""


def counties(count: int) -> tuple[Agency, ...]:
    """The first `count` counties, 1 to `MOST_COUNTIES`; those after C keep no records."""
    extra = (_child_welfare(letter, fips, 21 + place, SourceKind.NONE) for place, (letter, fips) in enumerate(_EXTRA))
    return (COUNTY_A, COUNTY_B, COUNTY_C, *extra)[:count]
