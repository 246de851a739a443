"""What is observed of an adapter: which words its counters know, and how its gauges are read.

Decides that the gauges say nothing that `homeward adapter status` does not say: both are read from one message, which
names no youth. They go to the county's own collector and to nobody else.
"""

from collections import Counter
from datetime import UTC, datetime

from adapters.errors import ErrorReason
from adapters.local.methods import METHODS
from homeward.counting import CallCounts, Figures, Points
from homeward.county.v1.access_pb2 import GetStatusResponse
from homeward.gateway.v1.missing_pb2 import DUTY_UNSPECIFIED, Duty
from homeward.observed import (
    ALERTS_OPEN,
    CERTIFICATE_LIFE,
    DUTIES_OVERDUE,
    FLAGS_DUE,
    LINK_UP,
    LISTED,
    READY,
    SOURCE_AGE,
    SOURCE_RECORDS,
    SOURCE_REFUSED,
    Attribute,
    Labels,
    labels,
    shown,
)


def call_counts() -> CallCounts:
    """Counters of calls for the methods and reasons of the county API; nothing counted yet."""
    return CallCounts(methods=METHODS, reasons=frozenset(ErrorReason))


def figures(status: GetStatusResponse, *, now: datetime) -> Figures:
    """The gauges of an adapter in this state."""
    expires = status.certificate_expire_time.ToDatetime(UTC)
    ages = {
        _source(source.name): (now - source.data_as_of_time.ToDatetime(UTC)).total_seconds()
        for source in status.sources
        if source.HasField("data_as_of_time")
    }
    return {
        CERTIFICATE_LIFE: {labels({Attribute.CERTIFICATE: "channel"}): (expires - now).total_seconds()},
        LINK_UP: {labels({Attribute.AGENCY: status.agency}): int(status.link_up)},
        READY: {(): int(status.link_up and status.tokens_ready)},
        LISTED: {(): status.listed_count},
        ALERTS_OPEN: {(): status.open_alert_count},
        FLAGS_DUE: {(): len(status.due_flags)},
        DUTIES_OVERDUE: _overdue(status),
        SOURCE_AGE: ages,
        SOURCE_RECORDS: {_source(source.name): source.record_count for source in status.sources},
        SOURCE_REFUSED: {_source(source.name): source.refused_count for source in status.sources},
    }


def _overdue(status: GetStatusResponse) -> Points:
    """By kind of duty, 0 for one of which nothing is overdue: a series that is gone would raise no alarm."""
    late: Counter[int] = Counter(each.duty for each in status.overdue_duties)
    return {
        labels({Attribute.DUTY: name.removeprefix("DUTY_")}): late[number]
        for name, number in Duty.items()
        if number != DUTY_UNSPECIFIED
    }


def _source(name: str) -> Labels:
    return labels({Attribute.SOURCE: shown(Attribute.SOURCE, name)})
