"""The method table of the local endpoint: every method has a row, or the server refuses to start.

Decides who may call a method at all and how long it may take. What a role may learn, and what it may say of a missing
youth for which purpose, is the policy's matter and never decided here: what a role may say for no purpose at all, the
rows refuse early (`tests/unit/local/test_tables.py` holds them to the policy).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from gateway.protocol.names import REPORT_IN_ROLES, ROLES, ROLES_BY_KIND, AgencyKind, Role
from homeward.county.v1 import access_pb2, authority_pb2, missing_pb2, placement_pb2, review_pb2, sealing_pb2

_KINDS_WITH_OWN_YOUTHS: Final = (AgencyKind.CWA, AgencyKind.PROB, AgencyKind.TRIBE)
OFFICERS: Final = frozenset({Role("COUNTY.privacy_officer")})
"""Who carries a court's orders to the exchange."""
REVIEWERS: Final = frozenset(
    {Role("COUNTY.privacy_officer"), Role("AUDITOR.internal"), Role("STATE.cdss_oversight"), Role("OMBUDS.reviewer")}
)
"""Who may review how the exchange is used: the roles of OVERSIGHT_AUDIT in the policy."""

ANYBODY: Final = frozenset(ROLES)
"""The policy decides; a role that only reports is refused by it, on record."""
DUTY: Final = frozenset(role for kind in _KINDS_WITH_OWN_YOUTHS for role in ROLES_BY_KIND[kind])
"""Casework and duty roles of agencies that own youths."""
OWNERS: Final = ROLES_BY_KIND[AgencyKind.CWA] | ROLES_BY_KIND[AgencyKind.PROB]
"""Who raises, changes and ends a flag of an own youth: agencies with court-ordered placement and care."""
REPORTERS: Final = frozenset(ROLES) - REVIEWERS
"""Who reports a youth missing, or located: anybody but who reviews, also those who only report."""
KEEPERS: Final = frozenset(ROLES) - REPORT_IN_ROLES - REVIEWERS
"""Roles that work with consents, orders and emergencies."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row. `roles` None: no user, nothing about anybody is told."""

    roles: frozenset[Role] | None
    stays_open: bool = False
    """Whether the call may last as long as its caller likes."""


def _rows(service: str, roles: frozenset[Role] | None, *names: str) -> dict[str, Method]:
    return {f"/homeward.county.v1.{service}/{name}": Method(roles) for name in names}


METHODS: Final[dict[str, Method]] = {
    **_rows("MissingService", ANYBODY, "CheckFlag", "GetFlagDetails"),
    **_rows("MissingService", REPORTERS, "RaiseFlag", "ReportLocated", "ResolveFlag"),
    **_rows("MissingService", OWNERS, "UpdateFlag"),
    **_rows("MissingService", DUTY, "AcknowledgeAlerts"),
    # The officer reads the alerts of emergencies; what waits for the duty line, the officer does not take off its list.
    "/homeward.county.v1.MissingService/WatchAlerts": Method(DUTY | OFFICERS, stays_open=True),
    **_rows("PlacementService", ANYBODY, "GetPlacementHistory", "StreamPlacementHistory", "GetJurisdictionContact"),
    **_rows("AuthorityService", KEEPERS, "RecordAuthority", "RevokeAuthority", "ListAuthorities"),
    **_rows("ReviewService", KEEPERS, "ListReviews", "GiveVerdict"),
    **_rows("SealingService", OFFICERS, "Seal", "Recall", "ListNotices"),
    **_rows("AccessLogService", REVIEWERS, "ListAccesses"),
    **_rows("StatusService", None, "GetStatus"),
}
"""Full method name, exactly as it must be spelled in a request, to its row."""

FILES: Final[tuple[FileDescriptor, ...]] = (
    access_pb2.DESCRIPTOR,
    authority_pb2.DESCRIPTOR,
    missing_pb2.DESCRIPTOR,
    placement_pb2.DESCRIPTOR,
    review_pb2.DESCRIPTOR,
    sealing_pb2.DESCRIPTOR,
)
"""The .proto files whose services are served here."""


class MethodTableIncomplete(Exception):
    """A method has no row, or a row has no method. The text names them."""


def declared(files: Iterable[FileDescriptor] = FILES) -> dict[str, MethodDescriptor]:
    """Every method of the services in these files, by full name."""
    return {
        f"/{service.full_name}/{method.name}": method
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }


def check_complete(files: Iterable[FileDescriptor] = FILES) -> None:
    """Every method has a row and every row a method. Raises `MethodTableIncomplete` otherwise."""
    difference = set(declared(files)) ^ set(METHODS)
    if difference:
        raise MethodTableIncomplete(", ".join(sorted(difference)))


def request_types(files: Iterable[FileDescriptor] = FILES) -> dict[str, type[Message]]:
    """What each method takes, by full name."""
    return {name: GetMessageClass(method.input_type) for name, method in declared(files).items()}
