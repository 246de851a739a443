"""The method table: every RPC has a row, or the server refuses to start.

Decides which kind of peer may call a method and what proves it. A method that appears in a
.proto without a row here is not served (ARCHITECTURE §4; SECURITY AZ-01).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from google.protobuf.descriptor import FileDescriptor

from gateway.protocol.spiffe import ChannelKind
from homeward.audit.v1 import service_pb2 as audit_service_pb2
from homeward.gateway.v1 import (
    admin_pb2,
    authority_pb2,
    custodian_pb2,
    directory_pb2,
    enrollment_pb2,
    exchange_pb2,
    index_pb2,
    link_pb2,
    missing_pb2,
    restoration_pb2,
    review_pb2,
    sealing_pb2,
    token_pb2,
)


class Proof(StrEnum):
    """What a call carries beyond its channel."""

    ASSERTION = "user assertion over the request bytes"
    ENVELOPE = "envelope signed by the adapter"
    CHANNEL = "nothing: the channel certificate alone"
    TICKET = "the ticket of an invitation, on the enrollment listener"
    LOCAL = "file permission of the admin socket"
    NONE = "nothing: health only"


class Listener(StrEnum):
    """Where a method is served."""

    GATEWAY = "gateway"
    ENROLLMENT = "enrollment"
    CUSTODIAN = "custodian"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Method:
    """One row."""

    proof: Proof
    callers: frozenset[ChannelKind]
    listeners: frozenset[Listener]


_ADAPTER: Final = frozenset({ChannelKind.ADAPTER})
_GATEWAY: Final = frozenset({ChannelKind.GATEWAY})
_NOBODY: Final[frozenset[ChannelKind]] = frozenset()
_MAIN: Final = frozenset({Listener.GATEWAY})
_BOTH_HOLDERS: Final = frozenset({Listener.GATEWAY, Listener.CUSTODIAN})


_SOCKET: Final = frozenset({Listener.ADMIN})


def _rows(service: str, proof: Proof, *names: str) -> dict[str, Method]:
    return {f"/{service}/{name}": Method(proof, _ADAPTER, _MAIN) for name in names}


def _local(service: str, *names: str) -> dict[str, Method]:
    return {f"/{service}/{name}": Method(Proof.LOCAL, _NOBODY, _SOCKET) for name in names}


METHODS: Final[dict[str, Method]] = {
    **_rows(
        "homeward.gateway.v1.ExchangeService",
        Proof.ASSERTION,
        "CheckFlag",
        "CheckFlags",
        "StreamFlagChecks",
        "RequestRecords",
    ),
    **_rows("homeward.gateway.v1.ExchangeService", Proof.ENVELOPE, "ConfirmReceipt"),
    **_rows(
        "homeward.gateway.v1.MissingService",
        Proof.ASSERTION,
        "RaiseFlag",
        "UpdateFlag",
        "ReportLocated",
        "ResolveFlag",
    ),
    **_rows(
        "homeward.gateway.v1.AuthorityService",
        Proof.ASSERTION,
        "RecordAuthority",
        "RevokeAuthority",
        "ListAuthorities",
    ),
    **_rows("homeward.gateway.v1.SealingService", Proof.ASSERTION, "Seal", "Recall", "ListNotices"),
    **_rows("homeward.gateway.v1.SealingService", Proof.ENVELOPE, "AcknowledgeNotice"),
    **_rows("homeward.gateway.v1.IndexService", Proof.ENVELOPE, "RegisterSubjects", "RegisterAll", "Heartbeat"),
    **_rows("homeward.gateway.v1.ReviewService", Proof.ENVELOPE, "GiveVerdict"),
    **_rows("homeward.gateway.v1.RestorationService", Proof.ENVELOPE, "PresentEvent"),
    **_rows("homeward.gateway.v1.MembershipService", Proof.CHANNEL, "GetDirectory", "FetchPepper"),
    **_rows("homeward.gateway.v1.MembershipService", Proof.ENVELOPE, "RenewCertificate", "OfferPepper"),
    **_rows("homeward.gateway.v1.AdapterLinkService", Proof.ENVELOPE, "Connect"),
    **_rows("homeward.audit.v1.AuditService", Proof.ASSERTION, "ListEntries"),
    **_rows("homeward.audit.v1.AuditService", Proof.CHANNEL, "GetCheckpoint", "GetConsistencyProof"),
    "/homeward.gateway.v1.TokenService/Evaluate": Method(Proof.ENVELOPE, _ADAPTER, _BOTH_HOLDERS),
    "/homeward.gateway.v1.CountersignService/Countersign": Method(
        Proof.CHANNEL, _GATEWAY, frozenset({Listener.CUSTODIAN})
    ),
    "/homeward.gateway.v1.EnrollmentService/Enroll": Method(Proof.TICKET, _NOBODY, frozenset({Listener.ENROLLMENT})),
    **_local(
        "homeward.gateway.v1.AdminService",
        "Invite",
        "TrustHolder",
        "RevokeMember",
        "ReleaseLookups",
        "OpenEpoch",
        "CutOverEpoch",
        "AbandonEpoch",
        "FinishEpoch",
        "GetGatewayStatus",
    ),
    **_local("homeward.gateway.v1.HolderAdminService", "DeclareCaseload", "GetHolderStatus"),
    **_local(
        "homeward.gateway.v1.CustodianAdminService",
        "AdmitCounty",
        "AddEpochShare",
        "FinishEpochShare",
        "GetCustodianStatus",
    ),
}
"""Full method name, exactly as it must be spelled in a request, to its row."""

FILES: Final[tuple[FileDescriptor, ...]] = (
    admin_pb2.DESCRIPTOR,
    authority_pb2.DESCRIPTOR,
    custodian_pb2.DESCRIPTOR,
    directory_pb2.DESCRIPTOR,
    enrollment_pb2.DESCRIPTOR,
    exchange_pb2.DESCRIPTOR,
    index_pb2.DESCRIPTOR,
    link_pb2.DESCRIPTOR,
    missing_pb2.DESCRIPTOR,
    restoration_pb2.DESCRIPTOR,
    review_pb2.DESCRIPTOR,
    sealing_pb2.DESCRIPTOR,
    token_pb2.DESCRIPTOR,
    audit_service_pb2.DESCRIPTOR,
)
"""The .proto files whose services the two processes serve."""


class MethodTableIncomplete(Exception):
    """A method has no row, or a row has no method. Names both kinds."""


def check_complete(files: Iterable[FileDescriptor] = FILES) -> None:
    """Every method has a row and every row a method. Raises `MethodTableIncomplete` otherwise."""
    declared = {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }
    if declared != set(METHODS):
        raise MethodTableIncomplete(", ".join(sorted(declared ^ set(METHODS))))
