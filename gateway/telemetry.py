"""What is observed of a gateway and of a custodian: which words their counters know, and how their gauges are read.

Decides that no figure is of one youth or one request: sums over everybody, and by agency only what an operator must see
to call that agency. The names themselves are a closed list (`homeward.observed`).
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509

from gateway.errors import ErrorReason
from gateway.protocol.names import AgencyId, Purpose
from gateway.protocol.outcomes import Outcome
from gateway.rpc.methods import METHODS
from gateway.store.figures import IndexFigures
from homeward.counting import CallCounts, Figures, OutcomeCounts, Points
from homeward.gateway.v1.admin_pb2 import MirrorStatus
from homeward.observed import (
    CERTIFICATE_LIFE,
    HEARTBEAT_AGE,
    INDEX_SIZE,
    LINK_UP,
    LIST_AGE,
    LOG_SIZE,
    LOG_WITNESSED,
    MIRROR_BEHIND,
    MIRROR_FAILING,
    READY,
    UNWITNESSED_AGE,
    Attribute,
    labels,
)


def call_counts() -> CallCounts:
    """Counters of calls for the methods and reasons of this protocol; nothing counted yet."""
    return CallCounts(methods=METHODS, reasons=frozenset(ErrorReason))


def outcome_counts() -> OutcomeCounts:
    """Counters of decisions; nothing counted yet."""
    return OutcomeCounts(purposes=frozenset(Purpose), outcomes=frozenset(Outcome))


def holder_figures(*, log_size: int, chain: bytes, ready: bool, now: datetime) -> Figures:
    """What gateway and custodian have in common. `chain` is the certificate chain they show, PEM, leaf first."""
    return {LOG_SIZE: {(): log_size}, CERTIFICATE_LIFE: certificate_lives(chain, now), READY: {(): int(ready)}}


def published_figures(*, size: int, age: timedelta) -> Figures:
    """How far the log is witnessed, and how old the oldest entry beyond that is."""
    return {LOG_WITNESSED: {(): size}, UNWITNESSED_AGE: {(): age.total_seconds()}}


def mirror_figures(status: MirrorStatus | None) -> Figures:
    """How far the mirror is behind and since when it fails; nothing where none is kept."""
    if status is None:
        return {}
    return {MIRROR_BEHIND: {(): status.behind_count}, MIRROR_FAILING: {(): status.failing_seconds}}


def index_figures(figures: IndexFigures, *, linked: Iterable[AgencyId], now: datetime) -> Figures:
    """The index, and whose adapters are linked."""
    up = frozenset(linked)
    return {
        INDEX_SIZE: {(): figures.subjects},
        LIST_AGE: {_agency(each.agency): _seconds(each.data_as_of, now) for each in figures.lists},
        HEARTBEAT_AGE: {_agency(each.agency): _seconds(each.heartbeat, now) for each in figures.lists},
        # An agency that sent a list and is not linked shows as 0, and not as a series that is gone.
        LINK_UP: {_agency(each): int(each in up) for each in {*up, *(row.agency for row in figures.lists)}},
    }


def certificate_lives(chain: bytes, now: datetime) -> Points:
    """Seconds until each certificate of the chain ends; negative after."""
    certificates = x509.load_pem_x509_certificates(chain)
    names = ("channel", "intermediate", "root")
    return {
        labels({Attribute.CERTIFICATE: name}): (each.not_valid_after_utc - now).total_seconds()
        for name, each in zip(names, certificates, strict=False)
    }


def _agency(agency: AgencyId) -> tuple[tuple[Attribute, str], ...]:
    return labels({Attribute.AGENCY: agency})


def _seconds(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
