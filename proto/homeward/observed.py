"""What may be observed of a process: a closed list of attributes and of metrics.

Decides which words can stand in a metric or a span, and what their values may look like. A token, a handle, a name, an
identifier of a request or of a member of staff has no attribute here, so none can be recorded (ARCHITECTURE §5 row 14).
Does not decide where the figures go; `otlp` does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Attribute(StrEnum):
    """Every attribute name there is."""

    METHOD = "rpc.method"
    """Full name of a method that the process serves."""
    REASON = "homeward.reason"
    """OK, or the constant reason of an error."""
    OUTCOME = "homeward.outcome"
    """What the caller is told. The internal reason is not observed: it can say whether a youth is known."""
    PURPOSE = "homeward.purpose"
    DUTY = "homeward.duty"
    """Kind of a reporting duty of a missing episode."""
    AGENCY = "homeward.agency"
    """A member of the exchange; an office, never a person."""
    SOURCE = "homeward.source"
    """Name of a source in the county's own file."""
    CERTIFICATE = "homeward.certificate"
    """Which certificate of the process's own."""
    AT_MOST = "le"
    """Upper bound of a duration, seconds; the label by which Prometheus computes quantiles."""
    SERVICE = "service.name"
    VERSION = "service.version"


OTHER: Final = "OTHER"
"""Stands for every value that is not on the list of its attribute, so that no value makes a series of its own."""

_SHAPES: Final[Mapping[Attribute, re.Pattern[str]]] = {
    Attribute.METHOD: re.compile(r"/[a-z][a-z0-9_.]{1,80}[A-Z][A-Za-z]{1,40}/[A-Z][A-Za-z]{1,40}"),
    Attribute.REASON: re.compile(r"[A-Z][A-Z_]{1,40}"),
    Attribute.OUTCOME: re.compile(r"[A-Z][A-Z_]{1,40}"),
    Attribute.PURPOSE: re.compile(r"[A-Z][A-Z_]{1,40}"),
    Attribute.DUTY: re.compile(r"[A-Z][A-Z_]{1,40}"),
    Attribute.AGENCY: re.compile(r"[0-9]{5}\.[a-z0-9-]{1,32}"),
    Attribute.SOURCE: re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}"),
    Attribute.CERTIFICATE: re.compile(r"channel|intermediate|root"),
    Attribute.AT_MOST: re.compile(r"[0-9]+(\.[0-9]+)?|\+Inf"),
    Attribute.SERVICE: re.compile(r"homeward-(gateway|custodian|adapter)"),
    Attribute.VERSION: re.compile(r"[0-9][0-9A-Za-z.+-]{0,31}"),
}

Labels = tuple[tuple[Attribute, str], ...]
"""Attributes with their values, in the order of the attributes' names."""


class NotObservable(ValueError):
    """An attribute is not on the list, or a value not of its shape. The text names the attribute, never the value."""


def labels(values: Mapping[str, str]) -> Labels:
    """The values as labels. Raises `NotObservable`."""
    checked: list[tuple[Attribute, str]] = []
    for name, value in values.items():
        if name not in Attribute.__members__.values():
            raise NotObservable("an attribute that is not on the list")
        attribute = Attribute(name)
        if value != OTHER and _SHAPES[attribute].fullmatch(value) is None:
            raise NotObservable(f"a value that {attribute} cannot have")
        checked.append((attribute, value))
    return tuple(sorted(checked))


def shown(attribute: Attribute, value: str) -> str:
    """The value where it has the attribute's shape, `OTHER` where it has not."""
    return value if _SHAPES[attribute].fullmatch(value) is not None else OTHER


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A sum only grows while the process runs; what is no sum is the figure of the moment."""

    name: str
    unit: str
    """UCUM, as OpenTelemetry asks."""
    text: str
    attributes: frozenset[Attribute]
    is_sum: bool = False


def _sum(name: str, unit: str, text: str, *attributes: Attribute) -> Metric:
    return Metric(name, unit, text, frozenset(attributes), is_sum=True)


def _gauge(name: str, unit: str, text: str, *attributes: Attribute) -> Metric:
    return Metric(name, unit, text, frozenset(attributes))


CALLS: Final = _sum("homeward.calls", "{call}", "Calls answered.", Attribute.METHOD, Attribute.REASON)
CALL_SECONDS: Final = _sum("homeward.call.seconds", "s", "Time that calls took.", Attribute.METHOD)
CALLS_WITHIN: Final = _sum(
    "homeward.calls.within", "{call}", "Calls that took at most so long.", Attribute.METHOD, Attribute.AT_MOST
)
OUTCOMES: Final = _sum(
    "homeward.outcomes", "{answer}", "Decisions, as callers are told them.", Attribute.PURPOSE, Attribute.OUTCOME
)
MISUSE_SIGNALS: Final = _sum(
    "homeward.misuse.signals", "{answer}", "Refusals that count toward a misuse alert.", Attribute.AGENCY
)
LATE_REPORTS: Final = _sum(
    "homeward.reports.late", "{report}", "Reports of a missing youth that came after their deadline.", Attribute.AGENCY
)
CERTIFICATE_LIFE: Final = _gauge(
    "homeward.certificate.life", "s", "Time until a certificate of the process's own ends.", Attribute.CERTIFICATE
)
LOG_SIZE: Final = _gauge("homeward.log.size", "{entry}", "Entries in the log.")
LOG_WITNESSED: Final = _gauge("homeward.log.witnessed", "{entry}", "Entries published under a quorum of witnesses.")
UNWITNESSED_AGE: Final = _gauge("homeward.log.unwitnessed.age", "s", "Age of the oldest entry that is not.")
MIRROR_BEHIND: Final = _gauge("homeward.mirror.behind", "{entry}", "Entries that the log's mirror does not hold.")
MIRROR_FAILING: Final = _gauge("homeward.mirror.failing", "s", "Time since the mirror fails; 0 while it does not.")
INDEX_SIZE: Final = _gauge("homeward.index.size", "{subject}", "Handles listed in the blind index, of all agencies.")
LINK_UP: Final = _gauge("homeward.link.up", "1", "1 while the agency's adapter is linked.", Attribute.AGENCY)
LIST_AGE: Final = _gauge("homeward.list.age", "s", "Age of the data behind an agency's list.", Attribute.AGENCY)
HEARTBEAT_AGE: Final = _gauge("homeward.heartbeat.age", "s", "Time since an agency's last heartbeat.", Attribute.AGENCY)
READY: Final = _gauge("homeward.ready", "1", "1 while the process can do its work.")
SOURCE_AGE: Final = _gauge("homeward.source.age", "s", "Age of a source's data.", Attribute.SOURCE)
SOURCE_RECORDS: Final = _gauge("homeward.source.records", "{record}", "Records read from a source.", Attribute.SOURCE)
SOURCE_REFUSED: Final = _gauge("homeward.source.refused", "{record}", "Records a source lost.", Attribute.SOURCE)
LISTED: Final = _gauge("homeward.listed", "{subject}", "Youths this agency lists.")
ALERTS_OPEN: Final = _gauge("homeward.alerts.open", "{alert}", "Alerts that nobody has noted.")
FLAGS_DUE: Final = _gauge("homeward.flags.due", "{flag}", "Open flags that lapse within ten days, or have lapsed.")
DUTIES_OVERDUE: Final = _gauge(
    "homeward.duties.overdue", "{duty}", "Reporting duties of this agency that are overdue.", Attribute.DUTY
)

METRICS: Final[tuple[Metric, ...]] = (
    CALLS, CALL_SECONDS, CALLS_WITHIN, OUTCOMES, MISUSE_SIGNALS, LATE_REPORTS, DUTIES_OVERDUE,
    CERTIFICATE_LIFE, LOG_SIZE, LOG_WITNESSED,
    UNWITNESSED_AGE, MIRROR_BEHIND, MIRROR_FAILING, INDEX_SIZE, LINK_UP, LIST_AGE,
    HEARTBEAT_AGE, READY, SOURCE_AGE, SOURCE_RECORDS, SOURCE_REFUSED, LISTED, ALERTS_OPEN, FLAGS_DUE,
)  # fmt: skip
"""Every metric there is."""
