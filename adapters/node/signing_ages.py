"""At which ages of the youth somebody may sign a consent for it. Pure.

Decides, in the county that knows the birth date, for whom the youth has the age that the capacity asks for (DOMAIN
§3.4):

    MINOR_SELF       from the 12th birthday to the eve of the 18th
    NMD_SELF         from the 18th birthday on
    PARENT_GUARDIAN  to the eve of the 18th birthday, as MINOR_COUNSEL: both sign in a minor's stead

Two days count, where the county's days begin: the one on which the consent is recorded, and the one on which it takes
effect. By the second alone a child of eleven would sign for its 12th birthday, and an adult with effect from childhood.
A youth whose birth date nobody here holds has no age, and nobody signs by one. What a minor may sign for itself stays
its own word afterwards; what was signed in a minor's stead ends at majority, which `majority` decides.

The birth date stays here. The exchange cannot check any of this, so the agency that records a consent does, and the
source does again before it answers under one: by the day of effect alone, because an `Authority` does not say when it
was recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from adapters.node.majority import MAJORITY_YEARS, birthday
from gateway.protocol.authority import Authority
from gateway.protocol.names import Basis, Grantor

SELF_CONSENT_YEARS: Final = 12
"""Fam. Code 6924: a minor of 12 years may consent to a service, and so to what is told of it."""


@dataclass(frozen=True, slots=True)
class Ages:
    """Birthdays between which somebody may sign, the first included; None: no bound on this side."""

    since: int | None
    until: int | None
    rule: str
    """In words for whoever recorded it, without a date."""


SIGNING_AGES: Final[Mapping[Grantor, Ages]] = {
    Grantor.MINOR_SELF: Ages(
        SELF_CONSENT_YEARS, MAJORITY_YEARS, "from the 12th birthday of the youth to the eve of the 18th"
    ),
    Grantor.NMD_SELF: Ages(MAJORITY_YEARS, None, "from the 18th birthday of the youth on"),
    Grantor.PARENT_GUARDIAN: Ages(None, MAJORITY_YEARS, "before the 18th birthday of the youth"),
    Grantor.MINOR_COUNSEL: Ages(None, MAJORITY_YEARS, "before the 18th birthday of the youth"),
}
"""Of grantors whose power depends on the youth's age; a court's or an agency's does not."""


def may_sign(grantor: Grantor, birth_date: date | None, moment: datetime, zone: ZoneInfo) -> bool:
    """Whether the youth has the age for this grantor then. `moment` is aware."""
    ages = SIGNING_AGES.get(grantor)
    if ages is None:
        return True
    if birth_date is None:
        return False
    day = moment.astimezone(zone).date()
    old_enough = ages.since is None or day >= birthday(birth_date, ages.since)
    return old_enough and (ages.until is None or day < birthday(birth_date, ages.until))


def signed_out_of_age(authority: Authority | None, birth_date: date | None, zone: ZoneInfo) -> bool:
    """Whether the consent was never worth anything: on the day of effect the youth had not the age for its signer.

    For the source, before it answers under a consent: whoever recorded it elsewhere may not have known the date, or not
    have asked.
    """
    if authority is None or authority.basis is not Basis.CONSENT:
        return False
    return not may_sign(authority.grantor, birth_date, authority.effective_time, zone)
