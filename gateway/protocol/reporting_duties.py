"""The reporting duties of a missing episode and their clocks. Pure.

Decides what falls due when: the exchange tells it to whoever changes a flag, and the owner's adapter shows what is
overdue. Does not decide whether a duty was done; its owner says so, and a late one is marked, never refused.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from homeward.gateway.v1.missing_pb2 import (
    DUTY_COURT_NOTICE,
    DUTY_FOUND_REPORT,
    DUTY_LAW_ENFORCEMENT_REPORT,
    DUTY_NCMEC_REPORT,
    DUTY_PARTIES_NOTICE,
    DUTY_TRIBE_NOTICE,
)

DUTY_PERIOD: Final = timedelta(hours=24)
"""From learning of the absence to each report (42 USC 671(a)(35); WIC 16501.35), and from learning that the youth was
found to telling the agency that took the report (PC 14213)."""
DUTIES: Final = (
    DUTY_LAW_ENFORCEMENT_REPORT,
    DUTY_NCMEC_REPORT,
    DUTY_PARTIES_NOTICE,
    DUTY_COURT_NOTICE,
    DUTY_TRIBE_NOTICE,
)
"""Due from when the agency learned of the absence; DUTY_FOUND_REPORT has a clock of its own."""


@dataclass(frozen=True, slots=True)
class DueDuty:
    """A duty that is still open."""

    duty: int
    """`Duty` of the protocol."""
    due: datetime
    overdue: bool


def open_duties(
    learned: datetime, settled: frozenset[int], now: datetime, *, found: datetime | None = None
) -> tuple[DueDuty, ...]:
    """Duties that are neither done nor inapplicable, with the time each falls due.

    `found` is when the owner was first told that the youth was found; None while nobody said so.
    """
    clocks = [(duty, learned) for duty in DUTIES]
    if found is not None:
        clocks.append((DUTY_FOUND_REPORT, found))
    return tuple(
        DueDuty(duty, since + DUTY_PERIOD, overdue=now > since + DUTY_PERIOD)
        for duty, since in clocks
        if duty not in settled
    )
