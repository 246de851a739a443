"""Alerts of a leaf: on record in its transaction, named by the leaf; whoever listens is told once it is durable.

Decides that what an alert says of a youth is sealed under that youth's key (`store/projections`), which it takes a
counter of, as an entry does. Who is told does not depend on whether anybody still waits for the entry: a reporter that
hangs up has reported.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.ports import NewAlert, Projections, Says, Sources, YouthKeys


class Telling(NamedTuple):
    """What an entry has to do so that its alerts are told (`Append`); nothing for none."""

    says: Says | None = None
    """Each alert is next in its agency's sequence."""
    then: Callable[[], None] | None = None
    """The streams of the agencies send what is new."""


async def tell(
    projections: Projections, youth_keys: YouthKeys, sources: Sources, alerts: Sequence[NewAlert]
) -> Telling:
    """These alerts are told with the entry. Raises `Moved` for a youth sealed meanwhile."""
    if not alerts:
        return Telling()
    keys = [None if alert.youth is None else await youth_keys.next(*alert.youth) for alert in alerts]

    def announce() -> None:
        for alert in alerts:
            sources.alerted(alert.agency)

    return Telling(projections.tell(list(zip(alerts, keys, strict=True))), announce)
