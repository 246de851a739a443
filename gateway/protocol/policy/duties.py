"""Who carries out what a decision obliges: the exchange by itself, or the staff of a county. Pure.

Decides for every obligation exactly one of the two (`tests/unit/policy/test_duties.py`), and for a county's duty
whose it is. A duty of the asking county is handed to its system in the answer, one of the owner's with its alert, as a
code from a closed list, so that a task can be made of it. Nobody here checks that the task was done: the exchange
neither knows a supervisor from another member of staff nor suspends anybody, which is the county's own to do.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from gateway.protocol.names import Obligation


class Side(StrEnum):
    """Whose staff."""

    ASKING = "ASKING"
    OWNER = "OWNER"


COUNTY_DUTIES: Final[Mapping[Obligation, Side]] = {
    Obligation.TELL_YOUTH: Side.ASKING,
    Obligation.COPY_CONSENT_TO_YOUTH: Side.ASKING,
    # Whoever counts what it read masks the count: the exchange gives a reviewer entries and no aggregates.
    Obligation.MASK_SMALL_CELLS: Side.ASKING,
    Obligation.SUPERVISOR_ACK_24_HOURS: Side.ASKING,
    Obligation.REVIEW_5_BUSINESS_DAYS: Side.ASKING,
    # The owner knows who the minor's counsel is, and whether a notice would endanger the youth.
    Obligation.OFFER_NOTICE_TO_MINORS_COUNSEL: Side.OWNER,
    Obligation.NOTIFY_MINORS_COUNSEL_5_BUSINESS_DAYS: Side.OWNER,
}
"""What staff do, and whose."""

CARRIED_OUT: Final[Mapping[Obligation, str]] = {
    Obligation.ACCOUNT: "its entry is listed in the accounting of disclosures",
    Obligation.INTERNAL_USE: "its entry says so, and the accounting leaves it out",
    Obligation.ALERT_OWNER: "an alert goes to the owner's adapter with the entry",
    Obligation.OWNER_REVIEW: "an alert and, for a possible match, a review go to the owner's adapter",
    Obligation.PAGE_BOTH_DUTY_LINES: "alerts go to the adapters of both agencies",
    Obligation.MISUSE_SIGNAL: "it is counted, and its entry gives the reason to the caller's reviewers",
    Obligation.CURRENT_PLACEMENT_ONLY: "the source leaves out every other placement",
    Obligation.DUTY_CONTACT_ONLY: "the source leaves out the rest of FS6",
    Obligation.WITHHOLD_SETTING_CODE: "the source leaves it out",
    Obligation.WITHHOLD_AGENCY_KIND: "the source leaves it out",
    Obligation.LOG_THE_REVIEW: "every review leaves an entry, whatever a policy says",
    Obligation.ALERT_PRIVACY_OFFICER: "an alert of its own kind goes to the owner's adapter with the entry",
}
"""What the exchange does by itself, and how."""


def tells_owner(obligations: Iterable[Obligation]) -> bool:
    """Whether the owner hears of what was given; a duty of its staff reaches them in no other way."""
    owed = frozenset(obligations)
    return Obligation.ALERT_OWNER in owed or bool(owner_duties(owed))


def owner_duties(obligations: Iterable[Obligation]) -> tuple[Obligation, ...]:
    """What the owner's staff is left to do; each is told once, in an emergency with the alert of that."""
    owed = tuple(obligations)
    return () if Obligation.ALERT_PRIVACY_OFFICER in owed else county_duties(owed, Side.OWNER)


def county_duties(obligations: Iterable[Obligation], side: Side) -> tuple[Obligation, ...]:
    """Of these obligations, the duties of that county's staff."""
    return tuple(each for each in obligations if COUNTY_DUTIES.get(each) is side)
