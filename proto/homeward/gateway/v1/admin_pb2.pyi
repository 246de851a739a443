import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from homeward.gateway.v1 import codes_pb2 as _codes_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InviteRequest(_message.Message):
    __slots__ = ("agency", "kind", "duty_line", "hotline", "life", "change_lines")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DUTY_LINE_FIELD_NUMBER: _ClassVar[int]
    HOTLINE_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_LINES_FIELD_NUMBER: _ClassVar[int]
    agency: str
    kind: _codes_pb2.AgencyKind
    duty_line: str
    hotline: str
    life: _duration_pb2.Duration
    change_lines: bool
    def __init__(self, agency: _Optional[str] = ..., kind: _Optional[_Union[_codes_pb2.AgencyKind, str]] = ..., duty_line: _Optional[str] = ..., hotline: _Optional[str] = ..., life: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., change_lines: _Optional[bool] = ...) -> None: ...

class InviteResponse(_message.Message):
    __slots__ = ("line", "expire_time")
    LINE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    line: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, line: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class TrustHolderRequest(_message.Message):
    __slots__ = ("share_index", "operator", "address", "ca_certificate", "directory_key", "share_commitment", "log_key", "log_origin")
    SHARE_INDEX_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    CA_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_KEY_FIELD_NUMBER: _ClassVar[int]
    SHARE_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    share_index: int
    operator: str
    address: str
    ca_certificate: bytes
    directory_key: bytes
    share_commitment: bytes
    log_key: bytes
    log_origin: str
    def __init__(self, share_index: _Optional[int] = ..., operator: _Optional[str] = ..., address: _Optional[str] = ..., ca_certificate: _Optional[bytes] = ..., directory_key: _Optional[bytes] = ..., share_commitment: _Optional[bytes] = ..., log_key: _Optional[bytes] = ..., log_origin: _Optional[str] = ...) -> None: ...

class TrustHolderResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RevokeMemberRequest(_message.Message):
    __slots__ = ("subject",)
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    subject: str
    def __init__(self, subject: _Optional[str] = ...) -> None: ...

class RevokeMemberResponse(_message.Message):
    __slots__ = ("leaf_index",)
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    def __init__(self, leaf_index: _Optional[int] = ...) -> None: ...

class ReleaseLookupsRequest(_message.Message):
    __slots__ = ("agency",)
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    agency: str
    def __init__(self, agency: _Optional[str] = ...) -> None: ...

class ReleaseLookupsResponse(_message.Message):
    __slots__ = ("leaf_index",)
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    def __init__(self, leaf_index: _Optional[int] = ...) -> None: ...

class OpenEpochRequest(_message.Message):
    __slots__ = ("share",)
    SHARE_FIELD_NUMBER: _ClassVar[int]
    share: bytes
    def __init__(self, share: _Optional[bytes] = ...) -> None: ...

class OpenEpochResponse(_message.Message):
    __slots__ = ("epoch", "leaf_index")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    leaf_index: int
    def __init__(self, epoch: _Optional[str] = ..., leaf_index: _Optional[int] = ...) -> None: ...

class CutOverEpochRequest(_message.Message):
    __slots__ = ("without_counties",)
    WITHOUT_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    without_counties: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, without_counties: _Optional[_Iterable[str]] = ...) -> None: ...

class CutOverEpochResponse(_message.Message):
    __slots__ = ("epoch", "leaf_index")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    leaf_index: int
    def __init__(self, epoch: _Optional[str] = ..., leaf_index: _Optional[int] = ...) -> None: ...

class AbandonEpochRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AbandonEpochResponse(_message.Message):
    __slots__ = ("epoch", "leaf_index")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    leaf_index: int
    def __init__(self, epoch: _Optional[str] = ..., leaf_index: _Optional[int] = ...) -> None: ...

class FinishEpochRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class FinishEpochResponse(_message.Message):
    __slots__ = ("epoch", "leaf_index")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    leaf_index: int
    def __init__(self, epoch: _Optional[str] = ..., leaf_index: _Optional[int] = ...) -> None: ...

class AddEpochShareRequest(_message.Message):
    __slots__ = ("share",)
    SHARE_FIELD_NUMBER: _ClassVar[int]
    share: bytes
    def __init__(self, share: _Optional[bytes] = ...) -> None: ...

class AddEpochShareResponse(_message.Message):
    __slots__ = ("epoch",)
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    def __init__(self, epoch: _Optional[str] = ...) -> None: ...

class FinishEpochShareRequest(_message.Message):
    __slots__ = ("unopened_epoch",)
    UNOPENED_EPOCH_FIELD_NUMBER: _ClassVar[int]
    unopened_epoch: str
    def __init__(self, unopened_epoch: _Optional[str] = ...) -> None: ...

class FinishEpochShareResponse(_message.Message):
    __slots__ = ("epoch", "kept_epoch")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    KEPT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    kept_epoch: str
    def __init__(self, epoch: _Optional[str] = ..., kept_epoch: _Optional[str] = ...) -> None: ...

class GetGatewayStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetGatewayStatusResponse(_message.Message):
    __slots__ = ("trust_domain", "log_size", "directory_version", "waiting_counties", "members", "holders", "open_invitation_count", "published", "held_agencies", "log_state", "epochs", "mirror", "erasing_waits", "unpublished_since_time")
    TRUST_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_VERSION_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    OPEN_INVITATION_COUNT_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    HELD_AGENCIES_FIELD_NUMBER: _ClassVar[int]
    LOG_STATE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    ERASING_WAITS_FIELD_NUMBER: _ClassVar[int]
    UNPUBLISHED_SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    trust_domain: str
    log_size: int
    directory_version: int
    waiting_counties: _containers.RepeatedScalarFieldContainer[str]
    members: _containers.RepeatedCompositeFieldContainer[MemberStatus]
    holders: _containers.RepeatedScalarFieldContainer[str]
    open_invitation_count: int
    published: PublishedStatus
    held_agencies: _containers.RepeatedScalarFieldContainer[str]
    log_state: str
    epochs: _containers.RepeatedCompositeFieldContainer[EpochStatus]
    mirror: MirrorStatus
    erasing_waits: bool
    unpublished_since_time: _timestamp_pb2.Timestamp
    def __init__(self, trust_domain: _Optional[str] = ..., log_size: _Optional[int] = ..., directory_version: _Optional[int] = ..., waiting_counties: _Optional[_Iterable[str]] = ..., members: _Optional[_Iterable[_Union[MemberStatus, _Mapping]]] = ..., holders: _Optional[_Iterable[str]] = ..., open_invitation_count: _Optional[int] = ..., published: _Optional[_Union[PublishedStatus, _Mapping]] = ..., held_agencies: _Optional[_Iterable[str]] = ..., log_state: _Optional[str] = ..., epochs: _Optional[_Iterable[_Union[EpochStatus, _Mapping]]] = ..., mirror: _Optional[_Union[MirrorStatus, _Mapping]] = ..., erasing_waits: _Optional[bool] = ..., unpublished_since_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MirrorStatus(_message.Message):
    __slots__ = ("kept", "mirrored_size", "behind_count", "age_seconds", "fault", "failing_seconds")
    KEPT_FIELD_NUMBER: _ClassVar[int]
    MIRRORED_SIZE_FIELD_NUMBER: _ClassVar[int]
    BEHIND_COUNT_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    FAILING_SECONDS_FIELD_NUMBER: _ClassVar[int]
    kept: bool
    mirrored_size: int
    behind_count: int
    age_seconds: int
    fault: str
    failing_seconds: int
    def __init__(self, kept: _Optional[bool] = ..., mirrored_size: _Optional[int] = ..., behind_count: _Optional[int] = ..., age_seconds: _Optional[int] = ..., fault: _Optional[str] = ..., failing_seconds: _Optional[int] = ...) -> None: ...

class EpochStatus(_message.Message):
    __slots__ = ("epoch", "state", "announced", "token_count", "incomplete_counties")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ANNOUNCED_FIELD_NUMBER: _ClassVar[int]
    TOKEN_COUNT_FIELD_NUMBER: _ClassVar[int]
    INCOMPLETE_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    epoch: str
    state: str
    announced: bool
    token_count: int
    incomplete_counties: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, epoch: _Optional[str] = ..., state: _Optional[str] = ..., announced: _Optional[bool] = ..., token_count: _Optional[int] = ..., incomplete_counties: _Optional[_Iterable[str]] = ...) -> None: ...

class PublishedStatus(_message.Message):
    __slots__ = ("published_size", "oldest_unwitnessed_seconds", "disclosure_stopped", "release_witnessed", "witnesses", "attestations", "witnesses_required", "start_waits_for")
    PUBLISHED_SIZE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNWITNESSED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DISCLOSURE_STOPPED_FIELD_NUMBER: _ClassVar[int]
    RELEASE_WITNESSED_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    ATTESTATIONS_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    START_WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    published_size: int
    oldest_unwitnessed_seconds: int
    disclosure_stopped: bool
    release_witnessed: bool
    witnesses: _containers.RepeatedCompositeFieldContainer[WitnessStatus]
    attestations: _containers.RepeatedCompositeFieldContainer[AttestationStatus]
    witnesses_required: bool
    start_waits_for: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, published_size: _Optional[int] = ..., oldest_unwitnessed_seconds: _Optional[int] = ..., disclosure_stopped: _Optional[bool] = ..., release_witnessed: _Optional[bool] = ..., witnesses: _Optional[_Iterable[_Union[WitnessStatus, _Mapping]]] = ..., attestations: _Optional[_Iterable[_Union[AttestationStatus, _Mapping]]] = ..., witnesses_required: _Optional[bool] = ..., start_waits_for: _Optional[_Iterable[str]] = ...) -> None: ...

class AttestationStatus(_message.Message):
    __slots__ = ("agency", "standing", "number", "tree_size", "age_seconds", "finding")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    agency: str
    standing: str
    number: int
    tree_size: int
    age_seconds: int
    finding: str
    def __init__(self, agency: _Optional[str] = ..., standing: _Optional[str] = ..., number: _Optional[int] = ..., tree_size: _Optional[int] = ..., age_seconds: _Optional[int] = ..., finding: _Optional[str] = ...) -> None: ...

class WitnessStatus(_message.Message):
    __slots__ = ("name", "standing")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    name: str
    standing: str
    def __init__(self, name: _Optional[str] = ..., standing: _Optional[str] = ...) -> None: ...

class MemberStatus(_message.Message):
    __slots__ = ("agency", "kind", "suspended", "instances")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    agency: str
    kind: _codes_pb2.AgencyKind
    suspended: bool
    instances: _containers.RepeatedCompositeFieldContainer[InstanceStatus]
    def __init__(self, agency: _Optional[str] = ..., kind: _Optional[_Union[_codes_pb2.AgencyKind, str]] = ..., suspended: _Optional[bool] = ..., instances: _Optional[_Iterable[_Union[InstanceStatus, _Mapping]]] = ...) -> None: ...

class InstanceStatus(_message.Message):
    __slots__ = ("spiffe_id", "generation", "expire_time", "denied")
    SPIFFE_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DENIED_FIELD_NUMBER: _ClassVar[int]
    spiffe_id: str
    generation: int
    expire_time: _timestamp_pb2.Timestamp
    denied: bool
    def __init__(self, spiffe_id: _Optional[str] = ..., generation: _Optional[int] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., denied: _Optional[bool] = ...) -> None: ...

class AdmitCountyRequest(_message.Message):
    __slots__ = ("fips", "root_fingerprint")
    FIPS_FIELD_NUMBER: _ClassVar[int]
    ROOT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    fips: str
    root_fingerprint: bytes
    def __init__(self, fips: _Optional[str] = ..., root_fingerprint: _Optional[bytes] = ...) -> None: ...

class AdmitCountyResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCustodianStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCustodianStatusResponse(_message.Message):
    __slots__ = ("operator", "log_size", "directory_version", "admitted_counties", "waiting_counties", "mirror")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_VERSION_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    WAITING_COUNTIES_FIELD_NUMBER: _ClassVar[int]
    MIRROR_FIELD_NUMBER: _ClassVar[int]
    operator: str
    log_size: int
    directory_version: int
    admitted_counties: _containers.RepeatedScalarFieldContainer[str]
    waiting_counties: _containers.RepeatedCompositeFieldContainer[WaitingCounty]
    mirror: MirrorStatus
    def __init__(self, operator: _Optional[str] = ..., log_size: _Optional[int] = ..., directory_version: _Optional[int] = ..., admitted_counties: _Optional[_Iterable[str]] = ..., waiting_counties: _Optional[_Iterable[_Union[WaitingCounty, _Mapping]]] = ..., mirror: _Optional[_Union[MirrorStatus, _Mapping]] = ...) -> None: ...

class WaitingCounty(_message.Message):
    __slots__ = ("fips", "root_fingerprint")
    FIPS_FIELD_NUMBER: _ClassVar[int]
    ROOT_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    fips: str
    root_fingerprint: bytes
    def __init__(self, fips: _Optional[str] = ..., root_fingerprint: _Optional[bytes] = ...) -> None: ...

class DeclareCaseloadRequest(_message.Message):
    __slots__ = ("agency", "figure")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    FIGURE_FIELD_NUMBER: _ClassVar[int]
    agency: str
    figure: int
    def __init__(self, agency: _Optional[str] = ..., figure: _Optional[int] = ...) -> None: ...

class DeclareCaseloadResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHolderStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHolderStatusResponse(_message.Message):
    __slots__ = ("operator", "share_index", "epoch", "generation", "held_generations", "threshold", "directory_version", "directory_create_time", "directory_generation", "holders", "sole_operators", "demo", "accounts", "held_epochs")
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    SHARE_INDEX_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    HELD_GENERATIONS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_GENERATION_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    SOLE_OPERATORS_FIELD_NUMBER: _ClassVar[int]
    DEMO_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    HELD_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    operator: str
    share_index: int
    epoch: str
    generation: int
    held_generations: _containers.RepeatedScalarFieldContainer[int]
    threshold: int
    directory_version: int
    directory_create_time: _timestamp_pb2.Timestamp
    directory_generation: int
    holders: _containers.RepeatedScalarFieldContainer[str]
    sole_operators: _containers.RepeatedScalarFieldContainer[str]
    demo: bool
    accounts: _containers.RepeatedCompositeFieldContainer[AccountUse]
    held_epochs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, operator: _Optional[str] = ..., share_index: _Optional[int] = ..., epoch: _Optional[str] = ..., generation: _Optional[int] = ..., held_generations: _Optional[_Iterable[int]] = ..., threshold: _Optional[int] = ..., directory_version: _Optional[int] = ..., directory_create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., directory_generation: _Optional[int] = ..., holders: _Optional[_Iterable[str]] = ..., sole_operators: _Optional[_Iterable[str]] = ..., demo: _Optional[bool] = ..., accounts: _Optional[_Iterable[_Union[AccountUse, _Mapping]]] = ..., held_epochs: _Optional[_Iterable[str]] = ...) -> None: ...

class AccountUse(_message.Message):
    __slots__ = ("agency", "account", "record_count", "element_count", "limit", "alarm_percent")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    RECORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    ELEMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ALARM_PERCENT_FIELD_NUMBER: _ClassVar[int]
    agency: str
    account: str
    record_count: int
    element_count: int
    limit: int
    alarm_percent: int
    def __init__(self, agency: _Optional[str] = ..., account: _Optional[str] = ..., record_count: _Optional[int] = ..., element_count: _Optional[int] = ..., limit: _Optional[int] = ..., alarm_percent: _Optional[int] = ...) -> None: ...
