"""What the 18th birthday does to a consent that somebody signed in a minor's stead. Pure.

Decides, in the county that knows the birth date, when such a consent ends, and at the source, whether it has been
outlived. The birth date stays here: what travels is the first day of the month of the birthday (proto
`Authority.expires_at_majority`).
"""

from datetime import date, datetime
from typing import Final

from gateway.protocol.authority import LAPSES_AT_MAJORITY, Authority, majority_moment, majority_month
from gateway.protocol.names import Basis, Grantor

MAJORITY_YEARS: Final = 18
"""Fam. Code 6500: a minor is under 18 years of age."""


def majority_date(birth_date: date) -> date:
    """The 18th birthday."""
    return birthday(birth_date, MAJORITY_YEARS)


def birthday(birth_date: date, years: int) -> date:
    """The day on which somebody born then is so many years old."""
    year = birth_date.year + years
    try:
        return birth_date.replace(year=year)
    except ValueError:
        # Born on 29 February: a year older on 1 March of a common year.
        return date(year, 3, 1)


def expiry_for(grantor: Grantor, wanted_expiry: datetime, birth_date: date) -> tuple[datetime, bool]:
    """The expiry of a consent, and whether it was brought forward because the signer's power ends at majority.

    `wanted_expiry` is aware. The result can lie before the consent would take effect: it must then not be recorded.
    """
    if grantor not in LAPSES_AT_MAJORITY:
        return wanted_expiry, False
    latest = majority_month(majority_date(birth_date))
    return (latest, True) if latest < wanted_expiry else (wanted_expiry, False)


def consent_outlived(authority: Authority | None, birth_date: date | None, now: datetime) -> bool:
    """Whether the consent counts no more because the youth is 18, whatever expiry its issuer gave it.

    For the source, before it answers under a consent: an issuer elsewhere may not have known the date. A youth whose
    birth date this county does not hold counts as 18, because nobody here can say otherwise.
    """
    if authority is None or authority.basis is not Basis.CONSENT or authority.grantor not in LAPSES_AT_MAJORITY:
        return False
    return birth_date is None or now >= majority_moment(majority_date(birth_date))
