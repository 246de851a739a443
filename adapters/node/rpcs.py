"""The calls an adapter makes, as values, and the port through which it makes them.

Decides the names of the methods and what a failed call is to the rest of the node. Speaks no gRPC: `link/channels`
does, so that everything else here can be run against a fake that behaves.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

from google.protobuf.message import Message

from homeward.audit.v1 import service_pb2 as audit
from homeward.gateway.v1 import authority_pb2 as authority
from homeward.gateway.v1 import directory_pb2 as directory
from homeward.gateway.v1 import exchange_pb2 as exchange
from homeward.gateway.v1 import index_pb2 as index
from homeward.gateway.v1 import missing_pb2 as missing
from homeward.gateway.v1 import restoration_pb2 as restoration
from homeward.gateway.v1 import review_pb2 as review
from homeward.gateway.v1 import sealing_pb2 as sealing
from homeward.gateway.v1 import token_pb2 as token

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
Q_contra = TypeVar("Q_contra", bound=Message, contravariant=True)
A_co = TypeVar("A_co", bound=Message, covariant=True)


REFUSED_CERTIFICATE: Final = "CERTIFICATE_REFUSED"
"""Reason of a peer that does not accept the channel's certificate: it has ended, or was revoked, or is locked."""


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Q, A]):
    """One method: its exact path, what goes in, what comes out."""

    path: str
    request: type[Q]
    answer: type[A]

    @property
    def name(self) -> str:
        """The method alone, as requests are kept under it."""
        return self.path.rpartition("/")[2]


class CallFault(StrEnum):
    """What became of a call that brought no answer."""

    UNAVAILABLE = "UNAVAILABLE"
    """Nothing was reached, or the peer cannot answer now; the same request may be sent again."""
    TIMED_OUT = "TIMED_OUT"
    """No answer in time; whether it had an effect is not known."""
    EXHAUSTED = "EXHAUSTED"
    """A budget is spent or a queue full at the peer, which its reason tells; without one a limit of the transport."""
    UNAUTHENTICATED = "UNAUTHENTICATED"
    """The peer does not accept who is calling, or the signature on what was said."""
    REFUSED = "REFUSED"
    """The peer refused the request itself; sending it again changes nothing."""
    BROKEN = "BROKEN"
    """The peer's answer is not a well-formed message, or it failed without a reason."""


class CallFailed(Exception):
    """A call brought no answer. `reason` is the peer's constant reason, empty where it gave none.

    `fields` are the message paths with rule names that it found at fault; neither holds a value.
    """

    def __init__(self, fault: CallFault, reason: str = "", *, fields: tuple[str, ...] = ()) -> None:
        super().__init__(f"{fault} {reason}".strip())
        self.fault = fault
        self.reason = reason
        self.fields = fields


class Conversation(Protocol[Q_contra, A_co]):
    """One stream on which each message is answered before the next is sent."""

    async def ask(self, request: Q_contra) -> A_co:
        """The peer's answer to this message, parsed strictly. Raises `CallFailed`; the stream is then over."""
        ...

    def close(self) -> None:
        """Nothing more is sent or expected."""
        ...


class Caller(Protocol):
    """Makes calls to one peer over an authenticated channel."""

    async def call(self, rpc: Rpc[Q, A], request: Q, *, seconds: float) -> A:
        """The peer's answer, parsed strictly, within so many seconds; nothing is retried. Raises `CallFailed`."""
        ...


class StreamCaller(Caller, Protocol):
    """... and opens streams to it."""

    def converse(self, rpc: Rpc[Q, A], *, seconds: float) -> Conversation[Q, A]:
        """A stream that lasts so many seconds at most; nothing is sent before the first message."""
        ...


_GATEWAY: Final = "/homeward.gateway.v1."
_AUDIT: Final = "/homeward.audit.v1."

CHECK_FLAG: Final = Rpc(_GATEWAY + "ExchangeService/CheckFlag", exchange.CheckFlagRequest, exchange.CheckFlagResponse)
STREAM_FLAG_CHECKS: Final = Rpc(
    _GATEWAY + "ExchangeService/StreamFlagChecks",
    exchange.StreamFlagChecksRequest,
    exchange.StreamFlagChecksResponse,
)
REQUEST_RECORDS: Final = Rpc(
    _GATEWAY + "ExchangeService/RequestRecords", exchange.RequestRecordsRequest, exchange.RequestRecordsResponse
)
CONFIRM_RECEIPT: Final = Rpc(
    _GATEWAY + "ExchangeService/ConfirmReceipt", exchange.ConfirmReceiptRequest, exchange.ConfirmReceiptResponse
)
RAISE_FLAG: Final = Rpc(_GATEWAY + "MissingService/RaiseFlag", missing.RaiseFlagRequest, missing.RaiseFlagResponse)
UPDATE_FLAG: Final = Rpc(_GATEWAY + "MissingService/UpdateFlag", missing.UpdateFlagRequest, missing.UpdateFlagResponse)
REPORT_LOCATED: Final = Rpc(
    _GATEWAY + "MissingService/ReportLocated", missing.ReportLocatedRequest, missing.ReportLocatedResponse
)
RESOLVE_FLAG: Final = Rpc(
    _GATEWAY + "MissingService/ResolveFlag", missing.ResolveFlagRequest, missing.ResolveFlagResponse
)
RECORD_AUTHORITY: Final = Rpc(
    _GATEWAY + "AuthorityService/RecordAuthority",
    authority.RecordAuthorityRequest,
    authority.RecordAuthorityResponse,
)
REVOKE_AUTHORITY: Final = Rpc(
    _GATEWAY + "AuthorityService/RevokeAuthority",
    authority.RevokeAuthorityRequest,
    authority.RevokeAuthorityResponse,
)
LIST_AUTHORITIES: Final = Rpc(
    _GATEWAY + "AuthorityService/ListAuthorities",
    authority.ListAuthoritiesRequest,
    authority.ListAuthoritiesResponse,
)
LIST_ENTRIES: Final = Rpc(_AUDIT + "AuditService/ListEntries", audit.ListEntriesRequest, audit.ListEntriesResponse)
GET_CONSISTENCY_PROOF: Final = Rpc(
    _AUDIT + "AuditService/GetConsistencyProof",
    audit.GetConsistencyProofRequest,
    audit.GetConsistencyProofResponse,
)
PRESENT_EVENT: Final = Rpc(
    _GATEWAY + "RestorationService/PresentEvent", restoration.PresentEventRequest, restoration.PresentEventResponse
)
GIVE_VERDICT: Final = Rpc(_GATEWAY + "ReviewService/GiveVerdict", review.GiveVerdictRequest, review.GiveVerdictResponse)
SEAL: Final = Rpc(_GATEWAY + "SealingService/Seal", sealing.SealRequest, sealing.SealResponse)
RECALL: Final = Rpc(_GATEWAY + "SealingService/Recall", sealing.RecallRequest, sealing.RecallResponse)
LIST_NOTICES: Final = Rpc(
    _GATEWAY + "SealingService/ListNotices", sealing.ListNoticesRequest, sealing.ListNoticesResponse
)
ACKNOWLEDGE_NOTICE: Final = Rpc(
    _GATEWAY + "SealingService/AcknowledgeNotice",
    sealing.AcknowledgeNoticeRequest,
    sealing.AcknowledgeNoticeResponse,
)
EVALUATE: Final = Rpc(_GATEWAY + "TokenService/Evaluate", token.EvaluateRequest, token.EvaluateResponse)
REGISTER_SUBJECTS: Final = Rpc(
    _GATEWAY + "IndexService/RegisterSubjects", index.RegisterSubjectsRequest, index.RegisterSubjectsResponse
)
REGISTER_ALL: Final = Rpc(_GATEWAY + "IndexService/RegisterAll", index.RegisterAllRequest, index.RegisterAllResponse)
HEARTBEAT: Final = Rpc(_GATEWAY + "IndexService/Heartbeat", index.HeartbeatRequest, index.HeartbeatResponse)
GET_DIRECTORY: Final = Rpc(
    _GATEWAY + "MembershipService/GetDirectory", directory.GetDirectoryRequest, directory.GetDirectoryResponse
)
RENEW_CERTIFICATE: Final = Rpc(
    _GATEWAY + "MembershipService/RenewCertificate",
    directory.RenewCertificateRequest,
    directory.RenewCertificateResponse,
)
OFFER_PEPPER: Final = Rpc(
    _GATEWAY + "MembershipService/OfferPepper", directory.OfferPepperRequest, directory.OfferPepperResponse
)
FETCH_PEPPER: Final = Rpc(
    _GATEWAY + "MembershipService/FetchPepper", directory.FetchPepperRequest, directory.FetchPepperResponse
)

ALL: Final[tuple[Rpc[Message, Message], ...]] = tuple(
    value for name, value in sorted(globals().items()) if name.isupper() and isinstance(value, Rpc)
)
"""Every method above; a test compares them with the services' descriptors."""
