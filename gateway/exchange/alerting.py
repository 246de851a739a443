"""Alerts of a leaf: on record in its transaction, named by the leaf, then announced to whoever listens.

Decides that what an alert says of a youth is sealed under that youth's key (`store/projections`), which it takes a
counter of, as an entry does.
"""

from collections.abc import Iterable, Sequence

from gateway.ports import NewAlert, Projections, Says, Sources, YouthKeys


async def tell(projections: Projections, youth_keys: YouthKeys, alerts: Sequence[NewAlert]) -> Says | None:
    """Each alert is next in its agency's sequence; None for none. Raises `Moved` for a youth sealed meanwhile."""
    keys = [None if alert.youth is None else await youth_keys.next(*alert.youth) for alert in alerts]
    return projections.tell(list(zip(alerts, keys, strict=True))) if alerts else None


def announce(sources: Sources, alerts: Iterable[NewAlert]) -> None:
    """The streams of the agencies send what is new."""
    for alert in alerts:
        sources.alerted(alert.agency)
