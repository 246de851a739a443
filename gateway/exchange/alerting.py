"""Alerts of a leaf: on record in its transaction, then announced to whoever listens.

Decides that what an alert says of a youth is sealed under that youth's key (`store/projections`), which it takes a
counter of, as an entry does.
"""

from collections.abc import Iterable

from gateway.ports import NewAlert, Projections, Rows, Sources, YouthKeys


async def alert_rows(projections: Projections, youth_keys: YouthKeys, alerts: Iterable[NewAlert]) -> Rows:
    """Each alert is next in its agency's sequence. Raises `Moved` for a youth that was sealed meanwhile."""
    rows: Rows = ()
    for alert in alerts:
        key = None if alert.youth is None else await youth_keys.next(*alert.youth)
        rows += projections.alert(alert, key)
    return rows


def announce(sources: Sources, alerts: Iterable[NewAlert]) -> None:
    """The streams of the agencies send what is new."""
    for alert in alerts:
        sources.alerted(alert.agency)
